"""模型价值: what those are worth whom a person brought. Each newcomer is credited to who brought them first. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yutang.profiles.values.fitting import Floats

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Brought:
    """Per person (a place in the list that was given): how many they brought themselves and with the whole tree below
    them, and what those are worth."""

    one: Ints
    all: Ints
    worth_one: Floats
    worth_tree: Floats


def credit(newcomers: Ints, inviters: Ints, worth: Floats) -> Brought:
    """`newcomers` and `inviters` are places in `worth`, the earliest invitation first. Later invitations of the same
    newcomer count for nothing, and of a ring of persons who brought each other the latest link is left out."""
    parents = _parents(newcomers, inviters, len(worth))
    has = np.flatnonzero(parents >= 0)
    one = np.bincount(parents[has], minlength=len(worth))
    worth_one: Floats = np.bincount(parents[has], weights=worth[has], minlength=len(worth)).astype(np.float64)
    every, worth_tree = np.zeros(len(worth), np.int64), np.zeros(len(worth))
    waits, leaves = one.copy(), np.flatnonzero(one == 0)
    while len(leaves):  # from the ends of the tree upwards, each person once
        leaves = leaves[parents[leaves] >= 0]
        above = parents[leaves]
        np.add.at(every, above, every[leaves] + 1)
        np.add.at(worth_tree, above, worth_tree[leaves] + worth[leaves])
        np.subtract.at(waits, above, 1)
        leaves = np.unique(above)
        leaves = leaves[waits[leaves] == 0]
    return Brought(one.astype(np.int64), every, worth_one, worth_tree)


def _parents(newcomers: Ints, inviters: Ints, persons: int) -> Ints:
    """Of each person who brought them, -1 for nobody."""
    parents, order = np.full(persons, -1, np.int64), np.full(persons, -1, np.int64)
    others = np.flatnonzero(newcomers != inviters)
    who, first = np.unique(newcomers[others], return_index=True)
    parents[who], order[who] = inviters[others[first]], others[first]
    hop = np.append(np.where(parents >= 0, parents, persons), persons)  # nobody is brought by nobody
    latest = np.append(order, -1)
    for _ in range(max(1, int(persons).bit_length())):
        latest = np.maximum(latest, latest[hop])
        hop = hop[hop]
    ring = np.unique(hop[:-1])
    ring = ring[ring < persons]  # who is reached after more steps than there are persons, is reached for ever
    parents[ring[order[ring] == latest[ring]]] = -1
    return parents

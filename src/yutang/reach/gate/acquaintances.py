"""Who knows this person, best first."""

from __future__ import annotations

import numpy as np

from yutang.reach.gate.contracts import Tick
from yutang.reach.gate.docket import Bools, Column, Docket, Ints, numbers
from yutang.reach.gate.order import compact, ranking

NONE = -1


class Acquaintances:
    """The live relations with active senders, each person's together: who talked last first, then who was added first.

    A relation is named by its place here, or NONE.
    """

    def __init__(self, tick: Tick) -> None:
        senders = numbers(tick.senders, "sender")
        sender = index_of(numbers(tick.relations, "sender"), senders)
        active = numbers(tick.senders, "active").astype(np.bool_)[sender]
        person, talk, added, store = (
            numbers(tick.relations, name).astype(np.int64, copy=False)
            for name in ("person", "last_talk_at", "added_at", "store")
        )
        ids = numbers(tick.relations, "sender").astype(np.int64, copy=False)
        if not active.all():
            person, talk, added, store = person[active], talk[active], added[active], store[active]
            ids, sender = ids[active], sender[active]
        order = ranking(person, ~talk, added, ids)  # ~ turns an order round, and NEVER, the least, into the most
        self._ids, self._store, self._sender = ids[order], store[order], sender[order]
        self._nobody = len(senders)
        person = person[order]
        first: Bools = np.ones(len(person), np.bool_)
        first[1:] = person[1:] != person[:-1]
        self._starts = np.append(np.flatnonzero(first), len(person))
        self._people = person[first]

    def of(self, person: Ints) -> Ints:
        """Each person's number in here, or NONE."""
        if not len(self._people):
            return np.full(len(person), NONE, np.int64)
        low, high = int(self._people[0]), int(self._people[-1])
        if compact(low, high, len(self._people)):
            number = np.full(high - low + 1, NONE, np.int64)
            number[self._people - low] = np.arange(len(self._people))
            return np.where((person >= low) & (person <= high), number[np.clip(person, low, high) - low], NONE)
        number = np.minimum(np.searchsorted(self._people, person), len(self._people) - 1)
        return np.where(self._people[number] == person, number, NONE)

    def choice(self, number: Ints, turn: int) -> Ints:
        """The relation that each person prefers in this turn (from 0), or NONE."""
        relation = self._starts[number] + turn
        return np.where((number != NONE) & (relation < self._starts[number + 1]), relation, NONE)

    def senders(self, relation: Ints) -> Ints:
        """The relations' senders as indices into the tick's; their number stands for nobody."""
        return np.append(self._sender, self._nobody)[relation]

    def introduce(self, docket: Docket, rows: Ints, relation: Ints) -> None:
        """Enter who speaks to these candidates, and for which store; nobody where the relation is NONE."""
        known = relation != NONE
        rows, relation = rows[known], relation[known]
        docket.sender[rows] = self._ids[relation]
        docket.store[rows] = self._store[relation]
        docket.placed[rows] = True


def index_of(values: Column, ids: Column) -> Ints:
    """Where each value stands in `ids`. Raises ValueError for one that does not."""
    if not len(values):
        return np.zeros(0, np.int64)
    if not len(ids):
        raise ValueError(f"sender {values[0]} is not among the senders")
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids, values, sorter=order), len(ids) - 1)
    index: Ints = order[place]
    strange = ids[index] != values
    if strange.any():
        raise ValueError(f"sender {values[strange][0]} is not among the senders")
    return index

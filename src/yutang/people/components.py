"""Who is one person, as a function of what was seen together: whole columns in, whole columns out, no database."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
FEW = 100  # places of which SciPy is not asked
NONE: Ids = np.empty((0, 2), dtype=np.int64)


def survivors(persons: Ids, spaces: Ids, edges: Ids, limits: Ids, bonds: Ids = NONE) -> tuple[Ids, Ids]:
    """The survivor of each identifier's person, and beside how many others of one space each identifier was seen.

    `persons`, `spaces` and `limits` say the birth person of each identifier, its (kind, namespace), and beside how many
    of one space it may be seen: beyond that it is a hub. `edges` (seen) and `bonds` (said by somebody) are pairs of
    their places, each pair once. A survivor is the lowest birth person of a component over bonds, and over edges
    between identifiers that are no hubs.
    """
    beside = crowds(spaces, edges, limits)
    hub = beside > limits
    free = edges[~(hub[edges[:, 0]] | hub[edges[:, 1]])] if hub.any() else edges
    joined = np.concatenate([free, bonds]) if len(bonds) else free
    return lowest(labels(len(persons), joined), persons), beside


def crowds(spaces: Ids, edges: Ids, limits: Ids) -> Ids:
    """Beside how many different ones of one space each was seen (the most of any); 0 for whom that is no more than
    half of what it may."""
    most = np.zeros(len(spaces), dtype=np.int64)
    many = 2 * np.bincount(edges.ravel(), minlength=len(spaces)) > limits
    if many.any():
        own = np.concatenate([edges[:, 0], edges[:, 1]])
        other = np.concatenate([edges[:, 1], edges[:, 0]])
        asked = many[own]
        width = spaces.max() + 1
        keys, counts = np.unique(own[asked] * width + spaces[other[asked]], return_counts=True)
        np.maximum.at(most, keys // width, counts)
        most[2 * most <= limits] = 0
    return most


def labels(count: int, edges: Ids) -> Ids:
    """The number of the component of each of `count` places."""
    if count <= FEW:
        return _labels_of_few(count, edges)
    from scipy.sparse import coo_array  # not above: commands that join nobody need not wait for it
    from scipy.sparse.csgraph import connected_components

    edges = edges.astype(np.int32)  # as SciPy wants them
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    label: Ids = connected_components(graph, directed=False)[1].astype(np.int64)
    return label


def _labels_of_few(count: int, edges: Ids) -> Ids:
    """The same: to build SciPy's graph of one person takes a hundred times as long as to look at it."""
    member = [[place] for place in range(count)]
    for first, second in edges.tolist():
        if member[first] is not member[second]:
            member[first] += member[second]
            for place in member[second]:
                member[place] = member[first]
    label = np.empty(count, dtype=np.int64)
    for place, together in enumerate(member):
        label[place] = together[0]
    return label


def lowest(label: Ids, persons: Ids) -> Ids:
    """The lowest person of each one's component."""
    least = np.full(label.max(initial=-1) + 1, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(least, label, persons)
    result: Ids = least[label]
    return result

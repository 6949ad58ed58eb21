"""Who is one person, as a function of what was seen together: whole columns in, whole columns out, no database."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def survivors(persons: Ids, spaces: Ids, edges: Ids, limit: int) -> tuple[Ids, Flags]:
    """The survivor of each identifier's person, and which identifiers are hubs.

    `persons` and `spaces` say the birth person and the (kind, namespace) of each identifier; `edges` are pairs of their
    places, each pair once. A survivor is the lowest birth person of a component over edges between identifiers that are
    no hubs.
    """
    hub = hubs(spaces, edges, limit)
    free = edges[~(hub[edges[:, 0]] | hub[edges[:, 1]])] if hub.any() else edges
    return lowest(labels(len(persons), free), persons), hub


def hubs(spaces: Ids, edges: Ids, limit: int) -> Flags:
    """Which identifiers were seen beside more than `limit` different ones of one space."""
    found = np.zeros(len(spaces), dtype=np.bool_)
    many = np.bincount(edges.ravel(), minlength=len(spaces)) > limit
    if many.any():
        own = np.concatenate([edges[:, 0], edges[:, 1]])
        other = np.concatenate([edges[:, 1], edges[:, 0]])
        asked = many[own]
        width = spaces.max() + 1
        keys, counts = np.unique(own[asked] * width + spaces[other[asked]], return_counts=True)
        found[keys[counts > limit] // width] = True
    return found


def labels(count: int, edges: Ids) -> Ids:
    """The number of the component of each of `count` places."""
    from scipy.sparse import coo_array  # not above: commands that join nobody need not wait for it
    from scipy.sparse.csgraph import connected_components

    edges = edges.astype(np.int32)  # as SciPy wants them
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    label: Ids = connected_components(graph, directed=False)[1].astype(np.int64)
    return label


def lowest(label: Ids, persons: Ids) -> Ids:
    """The lowest person of each one's component."""
    least = np.full(label.max(initial=-1) + 1, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(least, label, persons)
    result: Ids = least[label]
    return result

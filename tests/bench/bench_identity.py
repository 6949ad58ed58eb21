"""One person from many identifiers: all at once beside SciPy alone, and one merge at a time.

1,000,000 persons with 3 identifiers each and 3,200,000 edges in random order: hubs found, components, survivors (aim
≤ 2 s), beside `scipy.sparse.csgraph.connected_components` on the same edges, which must find the same components. Then
a pond on the disk in which two known persons turn out to be one (aim ≤ 5 ms, durable).

Run: python -m tests.bench.bench_identity [persons]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from yutang.app import house

PERSONS = 1_000_000
POND = 100_000
MERGES = 500
RUNS = 5


def main(persons: int = PERSONS) -> None:
    """Print each figure beside its aim."""
    with tempfile.TemporaryDirectory() as folder:
        opened = house.open_house(Path(folder))
        try:
            batch(persons)
            live()
        finally:
            opened.close()


def batch(persons: int) -> None:
    """Everybody at once."""
    from yutang.people.components import survivors
    from yutang.people.joining import HUB_LIMIT

    chance = np.random.default_rng(7)
    places = 3 * persons
    owner = np.arange(places) // 3
    chain = np.column_stack([np.arange(places - 1), np.arange(1, places)])[owner[:-1] == owner[1:]]  # 2 per person
    more = np.column_stack([np.arange(0, places, 3), np.arange(2, places, 3)])  # 1 per person: the third side
    across = chance.choice(places, (persons // 5, 2), replace=False)  # and persons who turn out to be one
    edges = np.concatenate([chain, more, across])
    name = chance.permutation(places)
    edges = np.sort(name[chance.permutation(edges)], axis=1)
    born = chance.permutation(places) + 1
    spaces = chance.integers(0, 3, places)
    limits = np.full(places, HUB_LIMIT)
    ours, theirs = [], []
    for _ in range(RUNS):
        start = time.perf_counter()
        found, beside = survivors(born, spaces, edges, limits)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(places, places))
        count, label = connected_components(graph, directed=False)
        theirs.append(time.perf_counter() - start)
    same = np.unique(np.column_stack([found, label]), axis=0)
    if (beside > limits).any() or len(same) != count or len(np.unique(found)) != count:
        raise SystemExit("the components are not SciPy's")
    print(
        f"{len(edges):,} edges, {places:,} identifiers, {count:,} persons: hubs, components, survivors "
        f"{median(ours):.2f} s (aim ≤ 2); SciPy's components alone {median(theirs):.2f} s"
    )


def live() -> None:
    """One merge at a time, each in its own durable transaction."""
    import pyarrow as pa

    from tests.people.pond import found_pond, friend, member
    from yutang.people import services

    found_pond()
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for kind, space, letter in (("member", "till", "m"), ("external_userid", "corp", "w")):
        services.resolve_column(kind, space, pa.array([f"{letter}{n}" for n in range(POND)]), seen_at=at)
    took = []
    for number in range(MERGES):
        start = time.perf_counter()
        services.resolve([[member(f"m{number}"), friend(f"w{number}")]], seen_at=at)
        took.append((time.perf_counter() - start) * 1000)
    took.sort()
    print(
        f"one live merge among {2 * POND:,} persons: median {median(took):.1f} ms (aim ≤ 5), "
        f"95 in 100 within {took[int(0.95 * MERGES)]:.1f} ms"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PERSONS)

"""One person from many identifiers, at length: live and in bulk the same, equal to SciPy, and every undoing exact.

Three identifiers for each person, seen together two by two in random order, one pair at a time and in slices as the
pump sends them, in one pond; in large blocks, as an import does, in another. Both must find the components that
`scipy.sparse.csgraph` finds. Then persons are split and merged by hand and each decision is withdrawn again, in random
order: the tables must hold what they held.

Run: python -m tests.soak.identity --persons 1000000 --undoings 10000
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
AT = datetime(2026, 3, 1, tzinfo=UTC)
STAMP = int(AT.timestamp() * 1_000_000)
SLICE = 20_000
BLOCK = 250_000
ROUND = 100
TABLES = {  # what a decision and its withdrawal must leave as it was
    "people_person": "id, bucket, silent, blocked",
    "people_identifier": "id, kind, namespace, lookup, person_id, hub, cap",
    "people_edge": "first_id, second_id, seen_at, said",
    "people_personoverride": "birth_id, survivor_id",
    "people_crowd": "identifier",
    "people_consent": "id, person_id, purpose, channel, granted, at",
    "people_tag": "id, person_id, tag, at, live",
}


def pairs_of(persons: int, seed: int = 11) -> Ids:
    """Who is seen beside whom, in random order: the 3 identifiers of each of `persons`, and some of different ones."""
    chance = np.random.default_rng(seed)
    first = np.arange(0, 3 * persons, 3)
    own = [np.column_stack([first + one, first + other]) for one, other in ((0, 1), (1, 2), (0, 2))]
    across = chance.choice(3 * persons, (persons // 5, 2), replace=False)
    pairs = np.concatenate([*own, across])
    pairs = pairs[chance.permutation(len(pairs))]
    turned = chance.random(len(pairs)) < 0.5
    pairs[turned] = pairs[turned, ::-1]
    return pairs


def said_of(place: int) -> str:
    """An identifier, as the log writes it."""
    from yutang.log.contracts import IdentifierValue, said

    kind, space = (("member", "till"), ("external_userid", "corp"), ("unionid", ""))[place % 3]
    return said([IdentifierValue(kind, space, f"{kind[0]}{place}")])


def see_live(pairs: Ids) -> None:
    """Slice by slice, as the pump does; the first of them one pair at a time."""
    from yutang.log.contracts import NEXT
    from yutang.people import services

    alone = min(len(pairs), 500)
    bounds = [*range(alone), *range(alone, len(pairs), SLICE), len(pairs)]
    for begin, end in pairwise(bounds):
        texts = list(dict.fromkeys(f"{said_of(a)}{NEXT}{said_of(b)}" for a, b in pairs[begin:end].tolist()))
        services.births_said(texts, np.full(len(texts), STAMP))


def see_in_bulk(pairs: Ids) -> None:
    """Block by block, as an import does."""
    from yutang.log.contracts import heard
    from yutang.people import services

    for begin in range(0, len(pairs), BLOCK):
        block = pairs[begin : begin + BLOCK].tolist()
        groups = [(*heard(said_of(a)), *heard(said_of(b))) for a, b in block]
        services.birth_persons(groups, seen_at=AT)


def survivors_now(places: int) -> Ids:
    """The survivor of each identifier's person, as kept."""
    from yutang.people import queries, services

    births = np.concatenate(
        [
            services.births_said([said_of(place) for place in part.tolist()], np.full(len(part), STAMP))
            for part in np.array_split(np.arange(places), max(1, places // 100_000))
        ]
    )
    return queries.survivors(births)


def same_partition(one: Ids, other: Ids) -> bool:
    """Whether two ways to number groups make the same groups."""
    both = len(np.unique(np.column_stack([one, other]), axis=0))
    return len(np.unique(one)) == len(np.unique(other)) == both


def scipy_components(places: int, pairs: Ids) -> Ids:
    """The components of the same edges, by somebody else."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(places, places))
    label: Ids = connected_components(graph, directed=False)[1].astype(np.int64)
    return label


def digest() -> dict[str, str]:
    """What each table holds, in short."""
    from django.db import connection

    def rows(table: str, columns: str) -> Iterator[bytes]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM {table} ORDER BY {columns.replace(', seen_at', '')}")
            while part := cursor.fetchmany(50_000):
                yield repr(part).encode()

    found = {}
    for table, columns in TABLES.items():
        whole = hashlib.sha256()
        for part in rows(table, columns):
            whole.update(part)
        found[table] = whole.hexdigest()
    return found


def say_something(persons: int) -> None:
    """Consent and tags for some birth persons, which no decision may move."""
    from yutang.kernel.ids import PersonId
    from yutang.people import services
    from yutang.people.services import ConsentWord, TagWord

    some = [PersonId(number) for number in range(1, persons, 97)]
    services.apply_consents(ConsentWord(one, "marketing", "*", one % 2 == 0, AT, "") for one in some)
    services.apply_tags(TagWord(one, "vip", True, AT) for one in some)


def undo(times: int, seed: int = 5, check_every: int = 2_500) -> None:
    """Split and merge persons by hand and withdraw each decision, in random order; compare the tables."""
    from yutang.kernel.ids import PersonId
    from yutang.organisation.queries import OWNER
    from yutang.people import bulk, decisions, identity
    from yutang.people.models import Identifier, PersonOverride

    chance = np.random.default_rng(seed)
    merged = np.array(list(PersonOverride.objects.values_list("survivor_id", flat=True)), dtype=np.int64)
    before, done = digest(), 0
    while done < times:
        made: list[int] = []
        for survivor in np.unique(chance.choice(merged, min(ROUND, times - done))).tolist():
            births = identity.births_of_survivors(identity.survivors_of([survivor]).values())
            rows = [row for (row,) in bulk.select(Identifier, ("id",), "person_id", births)]
            if len(rows) > 1:  # a split before may have left one alone
                out = chance.choice(rows, chance.integers(1, len(rows)), replace=False).tolist()
                made.append(decisions.split_person(OWNER, PersonId(survivor), set(out), "soak"))
            low, high = chance.choice(merged, 2).tolist()
            if len(set(identity.survivors_of([low, high]).values())) == 2:
                made.append(decisions.merge_persons(OWNER, PersonId(low), PersonId(high), "soak"))
        assert digest()["people_personoverride"] != before["people_personoverride"] or done, "nothing was split"
        for number in chance.permutation(made).tolist():
            decisions.withdraw(OWNER, number, "soak")
        if done // check_every != (done := done + len(made)) // check_every or done >= times:
            after = digest()
            assert after == before, [table for table in before if after[table] != before[table]]
            print(f"  {done:,} decisions withdrawn, tables as they were", flush=True)


def pond(way: str, folder: Path, persons: int, undoings: int) -> None:
    """One pond in a process of its own; keeps the survivors of all identifiers beside it."""
    from yutang.app import house

    opened = house.open_house(folder)
    try:
        from tests.people.pond import found_pond

        found_pond()
        pairs = pairs_of(persons)
        start, cpu = time.perf_counter(), time.process_time()
        (see_live if way == "live" else see_in_bulk)(pairs)
        took, used = time.perf_counter() - start, time.process_time() - cpu
        print(f"{way}: {len(pairs):,} pairs in {took:,.0f} s ({used:,.0f} s of CPU)", flush=True)
        np.save(folder / "survivors.npy", survivors_now(3 * persons))
        if way == "live":
            say_something(persons)
            start = time.perf_counter()
            undo(undoings)
            print(f"undone and compared in {time.perf_counter() - start:,.0f} s", flush=True)
    finally:
        opened.close()


def main() -> None:
    """Both ponds and SciPy; an AssertionError says what did not agree."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--undoings", type=int, default=10_000)
    parser.add_argument("--pond", choices=("live", "bulk"))
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    if chosen.pond:
        pond(chosen.pond, chosen.folder, chosen.persons, chosen.undoings)
        return
    with tempfile.TemporaryDirectory(prefix="yutang-identity-") as where:
        found = {}
        for way in ("bulk", "live"):
            folder = Path(where) / way
            options = ["--persons", str(chosen.persons), "--undoings", str(chosen.undoings)]
            command = [sys.executable, "-m", "tests.soak.identity", *options, "--pond", way, "--folder", str(folder)]
            subprocess.run(command, check=True)
            found[way] = np.load(folder / "survivors.npy")
        label = scipy_components(3 * chosen.persons, pairs_of(chosen.persons))
        assert same_partition(found["bulk"], label), "in bulk the components are not SciPy's"
        assert same_partition(found["live"], label), "live the components are not SciPy's"
        persons = len(np.unique(label))
        print(f"{3 * chosen.persons:,} identifiers, {persons:,} persons: live = in bulk = scipy.sparse.csgraph")


if __name__ == "__main__":
    main()

"""Who survives whom: what was seen together and what was decided in, persons out.

An edge counts unless somebody cut it; one that somebody made counts as if it had been seen. A *hub*, an identifier seen
beside more different values of one kind and namespace than it may (`HUB_LIMIT`, or its own cap), joins nobody by what
was seen, also in retrospect. Persons are the connected components of what is left, so they are a function of edges and
decisions alone: one at a time or a million at once, in any order, gives the same persons.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from yutang.kernel import database
from yutang.kernel.clock import wall_now
from yutang.people import bulk, components
from yutang.people.models import Crowd, Edge, Identifier, PersonOverride, Unmirrored

HUB_LIMIT = 20
EVERYBODY = 100_000
"""When more identifiers than these, and more than one in `SHARE` of all, were joined, one pass over all beats looking
for whom it concerns."""
SHARE = 4
_HALF = 10_000  # values in each of two IN lists of one statement

Ids = npt.NDArray[np.int64]
Pair = tuple[int, int]

# The birth persons of the components that some identifiers are in so far, with all identifiers of these.
_COMPONENTS = """
    WITH touched AS (
        SELECT DISTINCT COALESCE(o.survivor_id, i.person_id) AS survivor
        FROM people_identifier i LEFT JOIN people_personoverride o ON o.birth_id = i.person_id
        WHERE i.id IN ({ends}) AND i.person_id IS NOT NULL
    ), births AS (
        SELECT survivor AS birth, survivor FROM touched
        UNION
        SELECT o.birth_id, o.survivor_id FROM touched t JOIN people_personoverride o ON o.survivor_id = t.survivor
    )
    SELECT i.id, i.person_id, i.hub, i.cap, b.survivor FROM births b JOIN people_identifier i ON i.person_id = b.birth
"""
# How many others of each kind and namespace these identifiers were seen beside; what was cut was not seen.
_BESIDE = """
    SELECT e.own, i.kind, i.namespace, count(*) FROM (
        SELECT first_id AS own, second_id AS other FROM people_edge
        WHERE first_id IN ({ends}) AND said >= 0 AND seen_at IS NOT NULL
        UNION ALL
        SELECT second_id, first_id FROM people_edge
        WHERE second_id IN ({ends}) AND said >= 0 AND seen_at IS NOT NULL
    ) e JOIN people_identifier i ON i.id = e.other
    GROUP BY e.own, i.kind, i.namespace
"""
_EDGES = "SELECT first_id, second_id, said, seen_at IS NOT NULL FROM people_edge WHERE said >= 0 AND {end} IN ({ends})"
_IDENTIFIERS = """
    SELECT i.id, i.person_id, CASE WHEN i.hub THEN 1 ELSE 0 END, COALESCE(i.cap, -1), s.id
    FROM people_identifier i JOIN people_identifierspace s ON s.kind = i.kind AND s.namespace = i.namespace
    WHERE i.person_id IS NOT NULL ORDER BY i.id
"""


def join(pairs: Iterable[Pair], newborn: Mapping[int, int] | None = None) -> None:
    """Keep that these identifiers (row ids, lower first) were seen together, and let persons follow.

    `newborn` are identifiers that this transaction made, with their birth persons: nothing else is known of them yet,
    so those that were seen with each other only are settled without asking.
    """
    newborn = newborn or {}
    lock()  # before the edges: who waits here must hold none that somebody inside wants to keep too
    wanted = sorted(set(pairs))
    now = bulk.stored_time(wall_now())
    fresh = set(
        bulk.insert_returning(
            Edge, ("first_id", "second_id", "seen_at", "said"), [(first, second, now, 0) for first, second in wanted],
            key=("first_id", "second_id"), fill="seen_at", returning=("first_id", "second_id"),
        )
    )  # fmt: skip
    if not fresh:
        return
    rest = _settle_newborn(fresh, newborn)
    if rest:
        settle(rest)


def lock() -> None:
    """Let one at a time make rows, settle, and change persons by what it read of them, until its transaction ends."""
    database.lock("people")


def _settle_newborn(pairs: set[Pair], newborn: Mapping[int, int]) -> set[int]:
    """Settle the components that hold newborn identifiers only; returns the ends of the others."""
    if not newborn:
        return set(chain.from_iterable(pairs))
    edges = np.array(list(pairs), dtype=np.int64)
    ends, places = np.unique(edges, return_inverse=True)
    places = places.reshape(edges.shape)
    label = components.labels(len(ends), places)
    persons = np.fromiter((newborn.get(end, 0) for end in ends.tolist()), dtype=np.int64, count=len(ends))
    open_ = (persons == 0) | (2 * np.bincount(places.ravel(), minlength=len(ends)) > HUB_LIMIT)
    left = np.isin(label, label[open_])
    survivors = components.lowest(label, np.where(left, 0, persons))
    chosen = ~left & (survivors != persons)
    rows = list(zip(persons[chosen].tolist(), survivors[chosen].tolist(), strict=True))
    bulk.insert(PersonOverride, ("birth_id", "survivor_id"), rows)  # all of them are marked: they were born just now
    return set(ends[left].tolist())


def limit_of(cap: int | None) -> int:
    """Beside how many others of one kind an identifier with this cap of its own may be seen."""
    return HUB_LIMIT if cap is None else cap


def settle(ends: set[int]) -> None:
    """Work out anew who is one person, among all who are joined to these identifiers now or were so far."""
    if len(ends) > EVERYBODY and len(ends) * SHARE > Identifier.objects.count():
        settle_all()
        return
    rows: dict[int, tuple[int, bool, int | None, int]] = {}
    for row, person, hub, cap, survivor in _ask(_COMPONENTS, ends):
        rows[row] = (person, bool(hub), cap, survivor)
    free = {row for row, (_, hub, _, _) in rows.items() if not hub}
    edges: set[tuple[Any, ...]] = {*edges_of(free), *_ask(_EDGES, ends & free, end="second_id")}
    free -= _new_hubs(edges, {end: rows[end][2] for end in ends & free})
    joined = {(first, second) for first, second, _, _ in edges if first in free and second in free}
    if len(free) < len(rows):  # beside a hub only what somebody said counts
        hubs = rows.keys() - free
        joined |= {edge[:2] for edge in edges if edge[2] == 1}
        joined |= {edge[:2] for edge in _ask(f"{_EDGES} AND said = 1", hubs, end="first_id")}
        joined = {(first, second) for first, second in joined if first in rows and second in rows}
    place = {row: index for index, row in enumerate(rows)}
    ends_of = np.array([(place[first], place[second]) for first, second in joined], dtype=np.int64).reshape(-1, 2)
    persons = np.array([person for person, _, _, _ in rows.values()], dtype=np.int64)
    before = np.array([survivor for _, _, _, survivor in rows.values()], dtype=np.int64)
    _write_survivors(persons, before, components.lowest(components.labels(len(rows), ends_of), persons))


def _new_hubs(edges: set[tuple[Any, ...]], caps: Mapping[int, int | None]) -> set[int]:
    """Mark those of the identifiers (each with its cap) that were by now seen beside too many, and return them."""
    degree = Tally(end for first, second, _, seen in edges if seen for end in (first, second) if end in caps)
    many = {end for end, count in degree.items() if 2 * count > limit_of(caps[end])}
    if not many:
        return set()
    others = beside(many)
    _crowd({end for end in many if 2 * others[end] > limit_of(caps[end])})
    hubs = {end for end in many if others[end] > limit_of(caps[end])}
    _turn(dict.fromkeys(hubs, True))
    return hubs


def _turn(hubs: Mapping[int, bool]) -> None:
    """Keep which of these identifiers are hubs: a hub is no address of anybody's either."""
    bulk.update(Identifier, ("hub",), ((hub, end) for end, hub in hubs.items()))
    mark(person for (person,) in bulk.select(Identifier, ("person_id",), "id", hubs) if person is not None)


def beside(ends: Iterable[int]) -> dict[int, int]:
    """Beside how many others of one kind and namespace each identifier was seen: the most of any."""
    most = dict.fromkeys(ends, 0)
    for end, _, _, count in _ask(_BESIDE, most):
        most[end] = max(most[end], count)
    return most


def edges_of(firsts: Iterable[int]) -> Iterator[tuple[int, int, int, bool]]:
    """The edges that count whose lower end is among these identifiers: both ends, what was said, whether it was seen.

    Each has its lower end as the first, so the edges among some identifiers are those whose other end is one of them.
    """
    return _ask(_EDGES, firsts, end="first_id")


def _crowd(ends: Iterable[int]) -> None:
    """Note that these are near their cap or over it; since when is kept of those known already."""
    now = bulk.stored_time(wall_now())
    bulk.insert(Crowd, ("identifier", "since"), ((end, now) for end in ends), key=("identifier",))


def settle_anew(ends: set[int]) -> None:
    """As `settle`, where edges were cut or caps changed: whether these identifiers are hubs is found anew, either way.

    The caller holds the lock.
    """
    known = {row: (bool(hub), cap) for row, hub, cap in bulk.select(Identifier, ("id", "hub", "cap"), "id", ends)}
    others = beside(known)
    hubs = {end for end, (_, cap) in known.items() if others[end] > limit_of(cap)}
    near = {end for end, (_, cap) in known.items() if 2 * others[end] > limit_of(cap)}
    freed = {end for end, (hub, _) in known.items() if hub} - hubs
    _turn({end: end in hubs for end, (hub, _) in known.items() if hub != (end in hubs)})
    bulk.delete(Crowd, "identifier", known.keys() - near)
    _crowd(near)
    for end, other in (("first_id", 1), ("second_id", 0)):
        ends = ends | {edge[other] for edge in _ask(_EDGES, freed, end=end)}
    settle(ends)


def settle_all() -> int:
    """Work out everybody anew from all edges; returns how many birth persons changed their survivor.

    Hubs are found anew too: one that is none any more, because edges were taken away, joins again.
    """
    with transaction.atomic():
        lock()
        ids, persons, was_hub, cap, spaces = _columns(_IDENTIFIERS, 5)
        edges = _columns("SELECT first_id, second_id FROM people_edge WHERE said = 0", 2)
        bonds = _columns(
            "SELECT first_id, second_id, CASE WHEN seen_at IS NULL THEN 0 ELSE 1 END FROM people_edge WHERE said = 1", 3
        )
        seen = np.concatenate([edges, bonds[:2, bonds[2] == 1]], axis=1)
        places = [np.searchsorted(ids, ends).T.reshape(-1, 2) for ends in (seen, bonds[:2])]
        limits = np.where(cap < 0, HUB_LIMIT, cap)
        found, others = components.survivors(persons, spaces, places[0], limits, places[1])
        hub = others > limits
        turned = hub != (was_hub == 1)
        _turn(dict(zip(ids[turned].tolist(), hub[turned].tolist(), strict=True)))
        near = ids[2 * others > limits].tolist()
        bulk.delete(Crowd, "identifier", set(Crowd.objects.values_list("pk", flat=True)) - set(near))
        _crowd(near)
        before = persons.copy()
        order = np.argsort(persons)
        births, survivors = _columns("SELECT birth_id, survivor_id FROM people_personoverride", 2)
        at = np.searchsorted(persons, births, sorter=order).clip(max=max(len(persons) - 1, 0))
        there = persons[order[at]] == births if len(persons) else np.zeros(len(births), dtype=np.bool_)
        before[order[at[there]]] = survivors[there]
        return _write_survivors(persons, before, found)


def _write_survivors(persons: Ids, before: Ids, wanted: Ids) -> int:
    """Keep that these birth persons have these survivors; returns how many had another before."""
    changed = np.flatnonzero(before != wanted)
    births, olds, news = (column[changed].tolist() for column in (persons, before, wanted))
    own = [birth for birth, new in zip(births, news, strict=True) if birth == new]
    bulk.delete(PersonOverride, "birth_id", own)
    rows = ((birth, new) for birth, new in zip(births, news, strict=True) if birth != new)
    bulk.insert(PersonOverride, ("birth_id", "survivor_id"), rows, key=("birth_id",), update=("survivor_id",))
    mark({*births, *olds, *news})
    return len(births)


def mark(persons: Iterable[int]) -> None:
    """Note that these persons changed, so that the warehouse is told."""
    bulk.insert(Unmirrored, ("person",), ((person,) for person in persons))


def _ask(text: str, ends: Iterable[int], end: str = "") -> Iterator[tuple[Any, ...]]:
    """The rows of a statement of ours, whose `{ends}` are these identifiers."""
    times = text.count("{ends}")
    for part in bulk.chunks(ends, _HALF):
        with connection.cursor() as cursor:
            cursor.execute(text.format(ends=", ".join(["%s"] * len(part)), end=end), part * times)
            yield from cursor.fetchall()


def _columns(text: str, count: int) -> Ids:
    """The whole numbers that a statement of ours gives, a row of the result for each of its `count` columns."""
    with connection.cursor() as cursor:
        cursor.execute(text)
        flat = np.fromiter(chain.from_iterable(iter(cursor.fetchone, None)), dtype=np.int64)
    return flat.reshape(-1, count).T

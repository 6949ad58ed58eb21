"""One person from many identifiers: groups of them in, birth persons out.

Strong identifiers seen together are joined by an edge each; `joining` says what comes of edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain, combinations, permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL

from yutang.kernel.clock import wall_now
from yutang.kernel.database import is_shared
from yutang.kernel.encryption import Keyring, keyring
from yutang.kernel.ids import BUCKETS, mix_array, salt
from yutang.log.contracts import NEXT, PART, STRONG_KINDS, IdentifierValue, heard, said_alone
from yutang.people import bulk, components, memory, shunned
from yutang.people.identifiers import is_strong, normalised
from yutang.people.joining import join, limit_of, lock, mark
from yutang.people.models import Counter, Edge, Identifier, IdentifierSpace, Person, PersonOverride

_GENERATION = "generation of keys"
_REWRITTEN = ("phone", "email")  # kinds whose values `normalised` writes anew
_RANK = {kind: rank for rank, kind in enumerate(STRONG_KINDS)}

Ids = npt.NDArray[np.int64]
Known = dict[IdentifierValue, tuple[int, int | None]]  # identifier → (its row's id, its birth person)


def leader(group: Sequence[IdentifierValue]) -> IdentifierValue:
    """The identifier whose birth person the group's rows bear: strong before weak, then by the order of kinds."""
    return group[0] if len(group) == 1 else min(group, key=_order)


def _order(one: IdentifierValue) -> tuple[bool, int, str, str]:
    return not is_strong(one), _RANK.get(one.kind, len(_RANK)), one.namespace, one.value


def births_of(groups: Sequence[Sequence[IdentifierValue]], seen_at: Sequence[datetime], synthetic: bool) -> list[int]:
    """The birth person of each group's leader. Identifiers are normalised; new ones are kept, and joined as seen.

    0 for a group that names an erased person: nothing of it is kept.
    """
    if shunned.anybody():
        kept = shunned.without(groups, find)
        here = [index for index, group in enumerate(kept) if group]
        if len(here) < len(groups):
            births = [0] * len(groups)
            found = births_of([kept[index] for index in here], [seen_at[index] for index in here], synthetic)
            for index, birth in zip(here, found, strict=True):
                births[index] = birth
            return births
        groups = kept
    leaders = [leader(group) for group in groups]
    born: dict[IdentifierValue, datetime] = {}
    for one, group, at in zip(leaders, groups, seen_at, strict=True):
        for identifier in group:
            if identifier == one or is_strong(identifier):  # a weak one beside a strong one says nothing of who it is
                born[identifier] = min(at, born.get(identifier, at))
    with transaction.atomic():
        known, fresh = _known(born, set(leaders), synthetic)
        pairs: set[tuple[int, int]] = set()
        for group in groups:
            if len(group) > 1:
                strong = sorted({known[one][0] for one in group if one in known and is_strong(one)})
                pairs.update(combinations(strong, 2))
        join(pairs, fresh)
    return [_person(known, one) for one in leaders]


def settled(groups: Sequence[str], country: str) -> Ids:
    """The birth person of each group (as `said` writes it) that holds nothing new: all its identifiers are kept, and
    joined as seen. 0 for the others. Only reads."""
    remembered = memory.current()
    births = np.fromiter((remembered.get(group, 0) for group in groups), dtype=np.int64, count=len(groups))
    misses = np.flatnonzero(births == 0).tolist()
    if misses:
        found = _settled([groups[index] for index in misses], country)
        births[misses] = found
        remembered.keep((groups[index], birth) for index, birth in zip(misses, found, strict=True) if birth)
    return births


def _settled(groups: list[str], country: str) -> list[int]:
    births = [0] * len(groups)
    places: list[int] = []  # of those groups that are one identifier, written as it is hashed: nearly all
    alone: list[str] = []
    others: dict[int, tuple[IdentifierValue, ...]] = {}
    for place, group in enumerate(groups):
        if NEXT not in group:
            kind, _, value = group.split(PART)
            if kind not in _REWRITTEN and value == value.strip():
                places.append(place)
                alone.append(group)
                continue
        clean = {normalised(one, country) for one in heard(group)}
        strong = sorted(filter(is_strong, clean), key=_order)
        others[place] = tuple(strong) or (min(clean, key=_order),)
    ring = keyring(fresh=True)
    for name in ring.lookups:
        lookups = ring.lookup_hashes(alone, name)
        rows = bulk.select(Identifier, ("lookup", "person_id"), "lookup", sorted(lookups))
        person_of = {bytes(lookup): person or 0 for lookup, person in rows}
        for place, lookup in zip(places, lookups, strict=True):
            births[place] = births[place] or person_of.get(lookup, 0)
    if others:
        for place, birth in _settled_together(others).items():
            births[place] = birth
    return births


def _settled_together(groups: dict[int, tuple[IdentifierValue, ...]]) -> dict[int, int]:
    """The same of groups whose identifiers are joined, their leader first: only those that are settled."""
    known = find(set(chain.from_iterable(groups.values())))
    whole = {place: group for place, group in groups.items() if all(one in known for one in group)}
    pairs = {place: list(combinations(sorted(known[one][0] for one in group), 2)) for place, group in whole.items()}
    firsts = {first for several in pairs.values() for first, _ in several}
    edges = bulk.select(Edge, ("first_id", "second_id", "seen_at"), "first_id", sorted(firsts))
    kept = {(first, second) for first, second, seen_at in edges if seen_at is not None}
    return {place: known[group[0]][1] or 0 for place, group in whole.items() if kept.issuperset(pairs[place])}


def count_persons(groups: Iterable[Sequence[IdentifierValue]]) -> tuple[int, int]:
    """How many persons would bear these groups' rows: of those known already, and new. Keeps nothing.

    Who is beside whom is what is known now and what the groups say; identifiers are normalised.
    """
    groups = list(groups)
    named = list(set(chain.from_iterable(groups)))
    lookups = _lookups(named, keyring(fresh=True))
    rows = list(bulk.select(Identifier, ("lookup", "id", "person_id", "hub", "cap"), "lookup", lookups))
    births = {lookups[bytes(lookup)]: person for lookup, _, person, _, _ in rows if person is not None}
    caps = {lookups[bytes(lookup)]: cap for lookup, _, _, _, cap in rows}
    cut = _cut({row: lookups[bytes(lookup)] for lookup, row, _, _, _ in rows})
    beside = _beside(groups)
    hubs = {lookups[bytes(lookup)] for lookup, _, _, hub, _ in rows if hub}
    hubs |= {one for one, count in beside.items() if count > limit_of(caps.get(one))}
    place: dict[IdentifierValue | int, int] = {}

    def node(thing: IdentifierValue | int) -> int:
        return place.setdefault(thing, len(place))

    leaders = [node(leader(group)) for group in groups]
    ends: list[tuple[int, int]] = []
    for group in groups:
        pairs = combinations([one for one in group if is_strong(one) and one not in hubs], 2)
        ends += [(node(one), node(other)) for one, other in pairs if {one, other} not in cut]
    survivors = survivors_of(births.values())
    ends += [(node(one), node(survivors[birth])) for one, birth in births.items()]
    label = components.labels(len(place), np.array(ends, dtype=np.int64).reshape(-1, 2))
    persons = set(label[leaders].tolist())
    known = persons & {int(label[index]) for thing, index in place.items() if isinstance(thing, int)}
    return len(known), len(persons - known)


def _cut(known: dict[int, IdentifierValue]) -> set[frozenset[IdentifierValue]]:
    """The pairs of these identifiers (by row) that somebody took apart."""
    edges = bulk.select(Edge, ("first_id", "second_id", "said"), "first_id", known)
    return {frozenset((known[first], known[second])) for first, second, said in edges if said < 0 and second in known}


def _beside(groups: Iterable[Sequence[IdentifierValue]]) -> dict[IdentifierValue, int]:
    """Beside how many values of one kind and namespace each stands: the most of any."""
    beside: dict[tuple[IdentifierValue, str, str], set[str]] = {}
    for group in groups:
        for one, other in permutations([one for one in group if is_strong(one)], 2):
            beside.setdefault((one, other.kind, other.namespace), set()).add(other.value)
    most: dict[IdentifierValue, int] = {}
    for (one, _, _), values in beside.items():
        most[one] = max(most.get(one, 0), len(values))
    return most


def _person(known: Known, one: IdentifierValue) -> int:
    person = known[one][1]
    assert person is not None
    return person


def find(identifiers: Iterable[IdentifierValue]) -> Known:
    """Those of the normalised identifiers that exist."""
    return _find(_lookups(list(identifiers), keyring(fresh=True)))


def _lookups(identifiers: Sequence[IdentifierValue], ring: Keyring) -> dict[bytes, IdentifierValue]:
    """The hashes under which the normalised identifiers may be found: of each generation, if keys are being rotated."""
    said = [said_alone(one) for one in identifiers]
    return {
        lookup: one
        for name in ring.lookups
        for lookup, one in zip(ring.lookup_hashes(said, name), identifiers, strict=True)
    }


def _find(by_lookup: dict[bytes, IdentifierValue]) -> Known:
    rows = bulk.select(Identifier, ("lookup", "id", "person_id"), "lookup", sorted(by_lookup))
    return {by_lookup[bytes(lookup)]: (row, person) for lookup, row, person in rows}


def _known(
    born: dict[IdentifierValue, datetime], leaders: set[IdentifierValue], synthetic: bool
) -> tuple[Known, dict[int, int]]:
    """Find or make the identifiers, and a birth person for each. Also the rows made now, with their persons."""
    ring = keyring(fresh=True)
    known = _find(_lookups(list(born), ring))
    if len(known) == len(born) and all(known[one][1] is not None for one in leaders):
        return known, {}
    lock()
    writing = _in_turn(ring)
    if is_shared() or writing.lookups != ring.lookups:
        known = _find(_lookups(list(born), writing))  # another resolver may have made the same identifiers meanwhile
    lone = [one for one in leaders if one in known and known[one][1] is None]
    missing = [one for one in born if one not in known]
    new = dict(zip(writing.lookup_hashes(map(said_alone, missing)), missing, strict=True))
    with_person = [*lone, *(one for one in new.values() if is_strong(one) or one in leaders)]
    persons = dict(zip(with_person, _new_persons([born[one] for one in with_person], synthetic), strict=True))
    for one in lone:
        Identifier.objects.filter(pk=known[one][0]).update(person_id=persons[one])
        known[one] = (known[one][0], persons[one])
    made = _new_identifiers(new, persons, writing) if new else {}
    known.update(made)
    return known, {row: person for row, person in made.values() if person is not None}


def _new_persons(born_at: Sequence[datetime], synthetic: bool) -> list[int]:
    if not born_at:
        return []
    ids = _allocate("person", len(born_at))
    persons: list[int] = ids.tolist()
    buckets = (mix_array(ids, salt("bucket")) % np.uint64(BUCKETS)).tolist()
    rows = (
        (person, bulk.stored_time(at), bucket, False, False, 0, synthetic)
        for person, at, bucket in zip(persons, born_at, buckets, strict=True)
    )
    bulk.insert(Person, ("id", "born_at", "bucket", "silent", "blocked", "risk", "synthetic"), rows)
    mark(persons)
    return persons


def _new_identifiers(new: dict[bytes, IdentifierValue], persons: dict[IdentifierValue, int], ring: Keyring) -> Known:
    ids = _allocate("identifier", len(new)).tolist()
    now = bulk.stored_time(wall_now())
    rows = (
        (row, one.kind, one.namespace, lookup, ring.encrypt(one.value, "people_identifier.value"),
         persons.get(one), False, now)
        for row, (lookup, one) in zip(ids, new.items(), strict=True)
    )  # fmt: skip
    columns = ("id", "kind", "namespace", "lookup", "value", "person_id", "hub", "created_at")
    bulk.insert(Identifier, columns, rows)
    spaces = {(one.kind, one.namespace) for one in new.values()}
    bulk.insert(IdentifierSpace, ("kind", "namespace"), spaces, key=("kind", "namespace"))
    return {one: (row, persons.get(one)) for row, one in zip(ids, new.values(), strict=True)}


def use_keys(generation: int) -> None:
    """From now on identifiers are made under the look-up key of that generation of the ring, which is in its file.

    Who makes one asks for this in the transaction in which it is made: so nobody whose ring is of before, and who does
    not find what was made by the new key, makes it once more.
    """
    with transaction.atomic():
        lock()
        Counter.objects.update_or_create(name=_GENERATION, defaults={"next": generation})


def _in_turn(ring: Keyring) -> Keyring:
    """The ring by which identifiers are made in this transaction."""
    told = Counter.objects.filter(name=_GENERATION).values_list("next", flat=True).first()
    if told is not None and f"k{told}" not in ring.keys:
        ring = keyring(fresh=True)
    return ring.writing(min(int(name[1:]) for name in ring.keys) if told is None else told)


def _allocate(name: str, count: int) -> Ids:
    """The next `count` free ids of a table. Holds for the transaction."""
    taken = "UPDATE people_counter SET next = next + %s WHERE name = %s RETURNING next"
    with connection.cursor() as cursor:
        cursor.execute(taken, [count, name])
        rows = cursor.fetchall()
        if not rows:
            Counter.objects.get_or_create(name=name)
            cursor.execute(taken, [count, name])
            rows = cursor.fetchall()
    (end,) = rows[0]
    return np.arange(end - count, end, dtype=np.int64)


def survivors_of(births: Iterable[int]) -> dict[int, int]:
    """The survivor of each birth person."""
    result = {birth: birth for birth in births}
    result.update(bulk.select(PersonOverride, ("birth_id", "survivor_id"), "birth_id", list(result)))
    return result


def births_of_survivors(survivors: Iterable[int]) -> set[int]:
    """All birth persons that these survivors stand for, themselves included."""
    alone = set(survivors)
    merged = bulk.select(PersonOverride, ("birth_id",), "survivor_id", alone)
    return alone | {birth for (birth,) in merged}


def column_births(identifiers: Sequence[IdentifierValue], seen_at: Sequence[datetime], synthetic: bool) -> list[int]:
    """The birth person of each of many distinct strong identifiers that stand alone (no edges). 0 for an erased one."""
    if shunned.anybody():
        gone = shunned.among(identifiers)
        if gone:
            rest = [(one, at) for one, at in zip(identifiers, seen_at, strict=True) if one not in gone]
            born = column_births([one for one, _ in rest], [at for _, at in rest], synthetic) if rest else []
            births = dict(zip((one for one, _ in rest), born, strict=True))
            return [births.get(one, 0) for one in identifiers]
    with transaction.atomic():
        known, _ = _known(dict(zip(identifiers, seen_at, strict=True)), set(identifiers), synthetic)
    return [_person(known, one) for one in identifiers]


def rows_of(
    model: type[models.Model], columns: Sequence[str], births: Iterable[int] | None, key: str = "person_id"
) -> list[tuple[Any, ...]]:
    """The columns of a table's rows for these birth persons (None: all), by person, as Python values."""
    if births is None:
        return list(model._default_manager.order_by(key).values_list(*columns))
    result: list[tuple[Any, ...]] = []
    for part in bulk.chunks(births):
        # Not `__in`: that resolves every number as an expression of its own, which took longer than the query.
        condition, values = bulk.among(model, key, part)
        chosen = RawSQL(condition, values, output_field=models.BooleanField())  # noqa: S611 – `key` is a column of ours
        result += model._default_manager.filter(chosen).order_by(key).values_list(*columns)
    return result

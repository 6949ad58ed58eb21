"""Changing people: who they are, what they consented to, whose friends they are, what is noted of them.

Every change marks its person, so that the warehouse is told (`queries.unmirrored`, `mirrored`). Every one of these may
be repeated, and may come late: what counts is when a thing was said, not when it arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction

from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.log.contracts import IdentifierValue, heard
from yutang.organisation.queries import OWNER, brand, nodes, senders
from yutang.people import bulk, groups, identity
from yutang.people.contracts import CONSENTS_IN, PERSONS_IN, RELATIONS_IN, TAGS_IN, Wish
from yutang.people.identifiers import normalised
from yutang.people.joining import lock, mark
from yutang.people.models import Consent, Person, Preference, Relation, ScopeRow, Tag, Unmirrored

Births = npt.NDArray[np.int64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RelationWord:
    """A friendship was added, lost, or talked in at `at`: `what` is `added`, `lost` or `talked`."""

    person: PersonId
    sender: SenderId
    what: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ConsentWord:
    """Consent to a purpose on a channel (`*`: every one) was given to `partner` (empty: us), or withdrawn, at `at`.

    `source` names the door by which the word came, `proof` where and how it was said.
    """

    person: PersonId
    purpose: str
    channel: str
    granted: bool
    at: datetime
    proof: str = ""
    partner: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class TagWord:
    """A tag was put on (`live`) or taken off at `at`."""

    person: PersonId
    tag: str
    live: bool
    at: datetime


def resolve(
    groups: Sequence[Sequence[IdentifierValue]], *, seen_at: datetime | Sequence[datetime], synthetic: bool = False
) -> list[PersonId]:
    """The surviving person of each group of identifiers that were seen together; new identifiers become persons.

    No group may be empty. `seen_at`: when, for all groups or for each.
    """
    births = birth_persons(groups, seen_at=seen_at, synthetic=synthetic)
    survivors = identity.survivors_of(births)
    return [PersonId(survivors[birth]) for birth in births]


def birth_persons(
    groups: Sequence[Sequence[IdentifierValue]], *, seen_at: datetime | Sequence[datetime], synthetic: bool = False
) -> list[PersonId]:
    """As `resolve`, but the birth person of each group's leading identifier: what rows of the log bear."""
    if any(not group for group in groups):
        raise BadInput("有一组身份标识是空的。", "A group of identifiers is empty.")
    country = brand().country
    clean = [tuple(normalised(one, country) for one in group) for group in groups]
    times = [seen_at] * len(clean) if isinstance(seen_at, datetime) else seen_at
    return [PersonId(birth) for birth in identity.births_of(clean, times, synthetic)]


def births_said(groups: Sequence[str], seen_at: Births, *, synthetic: bool = False) -> Births:
    """As `birth_persons`, for distinct groups as `log.contracts.said` writes them, each with when it was first seen
    (microseconds since 1970, UTC).

    Of groups seen before, with nothing new in them, only reads are asked: no lock is taken.
    """
    country = brand().country
    births = identity.settled(groups, country)
    rest = np.flatnonzero(births == 0)
    if len(rest):
        clean = [tuple(normalised(one, country) for one in heard(groups[index])) for index in rest.tolist()]
        at = [_EPOCH + timedelta(microseconds=stamp) for stamp in seen_at[rest].tolist()]
        births[rest] = identity.births_of(clean, at, synthetic)
    return births


def resolve_column(
    kind: str,
    namespace: str,
    values: pa.Array | pa.ChunkedArray,
    *,
    seen_at: datetime | None = None,
    synthetic: bool = False,
) -> Births:
    """The birth person of each identifier of a column (strings, no nulls, repeats allowed); new ones are made.

    `seen_at` (default: the business clock) is when the new ones were born. Set-based: a million distinct values take
    seconds. `queries.survivors` turns birth persons into survivors.
    """
    at = seen_at or business_now()
    country = brand().country
    codes = pc.dictionary_encode(values)
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    if codes.null_count:
        raise BadInput("身份标识有空值。", "There is an identifier without a value.")
    clean = [normalised(IdentifierValue(kind, namespace, value), country) for value in codes.dictionary.to_pylist()]
    distinct = list(dict.fromkeys(clean))
    births = dict(zip(distinct, identity.column_births(distinct, [at] * len(distinct), synthetic), strict=True))
    by_code = np.fromiter((births[one] for one in clean), dtype=np.int64, count=len(clean))
    return by_code[codes.indices.to_numpy(zero_copy_only=False)] if len(by_code) else np.empty(0, dtype=np.int64)


def give_consent(
    person: PersonId, purpose: str, channel: str, *, at: datetime, proof: str, partner: str = "", source: str = ""
) -> None:
    """Keep that a person consented. `proof` says where and how."""
    apply_consents([ConsentWord(person, purpose, channel, True, at, proof, partner, source)])


def withdraw_consent(
    person: PersonId, purpose: str, channel: str, *, at: datetime, proof: str, partner: str = "", source: str = ""
) -> None:
    """Keep that a person withdrew consent; it counts at once for every birth person of theirs."""
    apply_consents([ConsentWord(person, purpose, channel, False, at, proof, partner, source)])


def apply_consents(words: Iterable[ConsentWord]) -> None:
    """Keep words about consent; those already kept are passed over."""
    ring = keyring()
    columns = ("person_id", "purpose", "channel", "partner", "granted", "at", "source", "proof")
    rows = [
        (word.person, word.purpose, word.channel, word.partner, word.granted, bulk.stored_time(word.at),
         word.source[:80], ring.encrypt(word.proof, "people_consent.proof"))
        for word in words
        if word.person
    ]  # fmt: skip
    with transaction.atomic():
        bulk.insert(
            Consent, columns, rows, key=("person_id", "purpose", "channel", "partner", "at", "granted"),
        )  # fmt: skip
        mark({row[0] for row in rows})


def prefer(person: PersonId, wish: Wish, *, at: datetime) -> None:
    """Keep how a person wants to be spoken to; it stands for all birth persons that they are now. The latest counts."""
    values = {
        "topics": sorted(set(wish.topics)), "channels": sorted(set(wish.channels)), "week": wish.week,
        "month": wish.month, "opens": wish.opens, "closes": wish.closes, "at": at,
    }  # fmt: skip
    with transaction.atomic():
        births = identity.births_of_survivors(identity.survivors_of([person]).values())
        later = set(Preference.objects.filter(person__in=births, at__gt=at).values_list("person_id", flat=True))
        for birth in sorted(births - later):
            Preference.objects.update_or_create(person_id=birth, defaults=values)
        mark(births)


def void_links(person: PersonId) -> None:
    """Let links made before now do nothing but withdraw: one was passed on to somebody else."""
    now = wall_now().replace(second=0, microsecond=0) + timedelta(minutes=1)  # links know the minute they were made in
    with transaction.atomic():
        for birth in sorted(identity.births_of_survivors(identity.survivors_of([person]).values())):
            row, _ = Preference.objects.get_or_create(person_id=birth, defaults={"at": now})
            Preference.objects.filter(pk=row.pk).update(links_from=now)


def apply_relations(words: Iterable[RelationWord]) -> None:
    """Keep words about friendships; of each kind the latest counts. Scope follows."""
    latest: dict[tuple[int, int], dict[str, datetime]] = {}
    for word in words:
        if not word.person:
            continue  # who was erased
        times = latest.setdefault((word.person, word.sender), {})
        times[word.what] = max(word.at, times.get(word.what, word.at))
    with transaction.atomic():
        lock()
        columns = ("person_id", "sender", "added_at", "lost_at", "last_talk_at")
        for person, sender, *before in identity.rows_of(Relation, columns, {person for person, _ in latest}):
            if (person, sender) in latest:
                times = latest[person, sender]
                for what, at in zip(("added", "lost", "talked"), before, strict=True):
                    if at is not None:
                        times[what] = max(at, times.get(what, at))
        rows = (
            (person, sender, *(bulk.stored_time(times.get(what)) for what in ("added", "lost", "talked")))
            for (person, sender), times in latest.items()
        )
        bulk.insert(Relation, columns, rows, key=columns[:2], update=columns[2:])
        _rescope({person for person, _ in latest})


def apply_tags(words: Iterable[TagWord]) -> None:
    """Keep words about tags; the latest counts, and of two at one instant the removal."""
    latest: dict[tuple[int, str], tuple[datetime, bool]] = {}
    for word in words:
        if not word.person:
            continue  # who was erased
        key, said = (int(word.person), word.tag[:64]), (word.at, not word.live)
        latest[key] = max(said, latest.get(key, said))
    with transaction.atomic():
        lock()
        before = identity.rows_of(Tag, ("person_id", "tag", "at", "live"), {person for person, _ in latest})
        for person, tag, at, live in before:
            if (person, tag) in latest:
                latest[person, tag] = max(latest[person, tag], (at, not live))
        rows = ((person, tag, bulk.stored_time(at), not off) for (person, tag), (at, off) in latest.items())
        bulk.insert(Tag, ("person_id", "tag", "at", "live"), rows, key=("person_id", "tag"), update=("at", "live"))
        mark({person for person, _ in latest})


def name_persons(names: Mapping[PersonId, tuple[str, datetime]]) -> None:
    """Keep persons' names, each said at a time; the latest counts."""
    ring = keyring()
    with transaction.atomic():
        lock()
        before = {
            person: at for person, at in identity.rows_of(Person, ("id", "name_at"), names, "id") if at is not None
        }
        rows = [
            (ring.encrypt(name, "people_person.name"), bulk.stored_time(at), person)
            for person, (name, at) in names.items()
            if person not in before or before[person] < at
        ]
        bulk.update(Person, ("name", "name_at"), rows)


def set_silent(person: PersonId, silent: bool) -> None:
    """Keep that a person asked to be left in peace, or no longer does."""
    _set(person, silent=silent)


def set_blocked(person: PersonId, blocked: bool) -> None:
    """Keep that a person must never be touched (complaint, erasure under way), or may be again."""
    _set(person, blocked=blocked)


def _set(person: PersonId, **values: bool) -> None:
    """Set a flag on all birth persons of a survivor: a merge or its undoing must not lose it."""
    with transaction.atomic():
        lock()
        births = identity.births_of_survivors(identity.survivors_of([person]).values())
        Person.objects.filter(pk__in=births).update(**values)
        mark(births)


def assign_home(homes: Mapping[PersonId, NodeId]) -> None:
    """Set persons' home stores. Scope follows."""
    with transaction.atomic():
        lock()
        bulk.update(Person, ("home_node",), ((node, person) for person, node in homes.items()))
        _rescope(set(homes))


def house_persons(homes: Mapping[PersonId, tuple[NodeId, datetime]]) -> None:
    """Keep persons' home stores, each said at a time; the latest counts. Scope follows."""
    with transaction.atomic():
        before = {
            person: at for person, at in identity.rows_of(Person, ("id", "home_at"), homes, "id") if at is not None
        }
        newer = {
            person: (node, at) for person, (node, at) in homes.items() if person not in before or before[person] < at
        }
        rows = ((node, bulk.stored_time(at), person) for person, (node, at) in newer.items())
        bulk.update(Person, ("home_node", "home_at"), rows)
        _rescope(set(newer))


def follow_organisation(moved_nodes: Collection[NodeId], moved_senders: Collection[SenderId]) -> None:
    """Let persons follow: whoever is at home at these nodes has another zone, whoever is a friend of these accounts is
    seen at another store."""
    with transaction.atomic():
        mark(person for (person,) in bulk.select(Person, ("id",), "home_node", moved_nodes))
        _rescope({person for (person,) in bulk.select(Relation, ("person_id",), "sender", moved_senders)})
        groups.follow(moved_senders)


def _rescope(births: set[PersonId] | set[int]) -> None:
    """Work out anew at which nodes birth persons are visible: their home, and the stores of their live friends."""
    store_of = {sender.id: sender.store for sender in senders(OWNER)}
    seen: set[tuple[int, int]] = set()
    for person, home in identity.rows_of(Person, ("id", "home_node"), births, "id"):
        if home is not None:
            seen.add((person, home))
    for person, sender, added, lost in identity.rows_of(
        Relation, ("person_id", "sender", "added_at", "lost_at"), births
    ):
        if sender in store_of and is_live(added, lost):
            seen.add((person, store_of[sender]))
    before = set(bulk.select(ScopeRow, ("person_id", "node"), "person_id", births))
    gone = {person for person, _ in before - seen}
    bulk.delete(ScopeRow, "person_id", gone)
    rows = [(person, node) for person, node in seen if person in gone or (person, node) not in before]
    bulk.insert(ScopeRow, ("person_id", "node"), rows)
    mark(births)


def is_live(added_at: datetime | None, lost_at: datetime | None) -> bool:
    """Whether a friendship with these last times stands."""
    return added_at is not None and (lost_at is None or lost_at < added_at)


def load_persons(table: pa.Table, *, source: str, corp: str = "") -> Births:
    """Make or find persons by the columns of `contracts.PERSONS_IN` (those absent are empty) and set what is given.

    `member` is in the namespace `source`, `external_userid` in `corp`; each row needs one of member, phone and
    external_userid. `home_store` is a store's code. Returns the birth person of each row's leading identifier.
    """
    rows = _shaped(table, PERSONS_IN, ())
    at = [value or business_now() for value in rows["born_at"].to_pylist()]
    synthetic = np.array([bool(value) for value in rows["synthetic"].to_pylist()])
    kinds = (("member", source), ("external_userid", corp), ("phone", ""))
    groups = [
        tuple(IdentifierValue(kind, space, value) for (kind, space), value in zip(kinds, values, strict=True) if value)
        for values in zip(*(rows[kind].to_pylist() for kind, _ in kinds), strict=True)
    ]
    births = np.zeros(len(groups), dtype=np.int64)  # it stays 0 for who was erased
    with transaction.atomic():
        lock()
        for made_up in (False, True):
            chosen = np.flatnonzero(synthetic == made_up).tolist()
            if chosen:
                births[chosen] = birth_persons(
                    [groups[index] for index in chosen], seen_at=[at[index] for index in chosen], synthetic=made_up
                )
        here = np.flatnonzero(births)
        _set_given(rows.take(pa.array(here)), births[here], [at[index] for index in here.tolist()])
    return births


def _set_given(rows: pa.Table, births: Births, at: Sequence[datetime]) -> None:
    persons = [PersonId(birth) for birth in births.tolist()]
    name_persons({p: (name, when) for p, name, when in zip(persons, rows["name"].to_pylist(), at, strict=True) if name})
    for flag in ("silent", "blocked"):
        flagged = [p for p, value in zip(persons, rows[flag].to_pylist(), strict=True) if value]
        for part in bulk.chunks(flagged):
            Person.objects.filter(pk__in=part).update(**{flag: True})
    codes = {node.code: node.id for node in nodes()}
    homes = {p: code for p, code in zip(persons, rows["home_store"].to_pylist(), strict=True) if code}
    unknown = sorted({code for code in homes.values() if code not in codes})
    if unknown:
        raise BadInput(f"没有编号为「{unknown[0]}」的门店。", f"There is no store with the code “{unknown[0]}”.")
    assign_home({person: codes[code] for person, code in homes.items()})
    mark(persons)


def load_relations(table: pa.Table) -> None:
    """Keep the friendships of a table with the columns of `contracts.RELATIONS_IN`."""
    rows = _shaped(table, RELATIONS_IN, ("person", "sender", "added_at"))
    apply_relations(
        RelationWord(PersonId(row["person"]), SenderId(row["sender"]), what, row[column])
        for row in rows.to_pylist()
        for what, column in (("added", "added_at"), ("lost", "lost_at"), ("talked", "last_talk_at"))
        if row[column] is not None
    )


def load_consents(table: pa.Table, *, source: str = "") -> None:
    """Keep the words of a table with the columns of `contracts.CONSENTS_IN`; `source` says where they come from."""
    rows = _shaped(table, CONSENTS_IN, ("person", "purpose", "channel", "granted", "at"))
    apply_consents(
        ConsentWord(
            row["person"],
            row["purpose"],
            row["channel"],
            row["granted"],
            row["at"],
            row["proof"] or "",
            source=source,
        )
        for row in rows.to_pylist()
    )


def load_tags(table: pa.Table) -> None:
    """Put on the tags of a table with the columns of `contracts.TAGS_IN`."""
    rows = _shaped(table, TAGS_IN, ("person", "tag", "at"))
    apply_tags(TagWord(row["person"], row["tag"], True, row["at"]) for row in rows.to_pylist())


def _shaped(table: pa.Table, schema: pa.Schema, required: Sequence[str]) -> pa.Table:
    """The table with exactly the schema's columns, absent ones empty. Raises BadInput naming a column."""
    for name in table.column_names:
        if name not in schema.names:
            raise BadInput(f"没有「{name}」这一列。", f"There is no column “{name}” here.")
    for name in required:
        if name not in table.column_names or table[name].null_count:
            raise BadInput(f"「{name}」这一列缺失或有空值。", f"The column “{name}” is missing or has empty values.")
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def mirrored(rows: Iterable[int]) -> None:
    """Forget the marks (`queries.unmirrored`) of which the warehouse has been told."""
    with transaction.atomic():
        bulk.delete(Unmirrored, "id", rows)


def mark_all() -> None:
    """Mark every person, so that the warehouse is told of all of them anew."""
    with transaction.atomic():
        mark(Person.objects.values_list("pk", flat=True))

"""Reading people: the facts for the warehouse, the last check before a batch is issued, and cards for viewers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from django.db.models import Q, QuerySet

from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.log.contracts import STRONG_KINDS, WEAK_KINDS, IdentifierValue
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand, brand_or_presumed
from yutang.people import bulk, identity, shunned
from yutang.people.consent import Word, consents, effective
from yutang.people.contracts import (
    ConsentShown,
    FactTables,
    IdentifierShown,
    LedgerFilter,
    LedgerRow,
    PersonCard,
    Refusal,
    RelationShown,
    Wish,
)
from yutang.people.facts import build_facts
from yutang.people.identifiers import masked, normalised
from yutang.people.models import (
    Consent,
    Identifier,
    IdentifierSpace,
    Person,
    PersonOverride,
    Relation,
    ScopeRow,
    Tag,
    Unmirrored,
)
from yutang.people.preferences import wishes_of
from yutang.people.services import is_live


def fact_tables(persons: Iterable[PersonId] | None) -> FactTables:
    """What the warehouse should hold of these persons and all whom they are joined with (None: of everybody).

    Unscoped because it feeds the warehouse, whose readers scope by `fact_scopes`.
    """
    return build_facts(None if persons is None else set(_births_by_survivor(persons)[1]))


def unmirrored(limit: int = 200_000) -> tuple[list[int], set[PersonId]]:
    """Marks of changes that the warehouse has not been told of (for `services.mirrored`), and whom they concern.

    Unscoped because it feeds the warehouse.
    """
    rows = list(Unmirrored.objects.order_by("pk").values_list("pk", "person")[:limit])
    return [row for row, _ in rows], {PersonId(person) for _, person in rows}


def erased_among(identifiers: Iterable[IdentifierValue]) -> set[IdentifierValue]:
    """Those of the identifiers, as senders write them, that are an erased person's."""
    country = brand_or_presumed().country
    clean = {one: normalised(one, country) for one in identifiers}
    gone = shunned.among(set(clean.values())) if clean else set()
    return {one for one, kept in clean.items() if kept in gone}


def friendships(
    kind: str, namespace: str, values: Iterable[str]
) -> dict[tuple[str, SenderId], tuple[datetime | None, datetime | None]]:
    """When whoever bears one of these identifiers, and an account, became friends last, and when that ended.

    Of two words of one survivor the later counts. Unscoped because syncs compare with it what a platform tells.
    """
    found = identity.find(IdentifierValue(kind, namespace, value) for value in values)
    birth_of = {one.value: birth for one, (_, birth) in found.items() if birth is not None}
    survivor_of = identity.survivors_of(birth_of.values())
    births = identity.births_of_survivors(survivor_of.values())
    everybody = identity.survivors_of(births)
    times: dict[tuple[int, int], tuple[datetime | None, datetime | None]] = {}
    for person, sender, added, lost in identity.rows_of(
        Relation, ("person_id", "sender", "added_at", "lost_at"), births
    ):
        key = (everybody[person], sender)
        before = times.get(key, (None, None))
        times[key] = (_later(before[0], added), _later(before[1], lost))
    of_survivor: dict[int, list[tuple[int, tuple[datetime | None, datetime | None]]]] = defaultdict(list)
    for (survivor, sender), both in times.items():
        of_survivor[survivor].append((sender, both))
    return {
        (value, SenderId(sender)): both
        for value, birth in birth_of.items()
        for sender, both in of_survivor[survivor_of[birth]]
    }


def friends_of(kind: str, namespace: str, senders: Collection[SenderId]) -> list[tuple[str, SenderId, datetime]]:
    """The live friends of these accounts, each by every identifier of that kind and namespace, and since when.

    Unscoped because syncs compare with it what a platform tells.
    """
    live = [
        (person, sender, added)
        for person, sender, added, lost in identity.rows_of(
            Relation, ("person_id", "sender", "added_at", "lost_at"), senders, "sender"
        )
        if added is not None and (lost is None or lost < added)
    ]
    names = all_identifiers_of({PersonId(person) for person, _, _ in live}, kind, namespace)
    return [(name, SenderId(sender), added) for person, sender, added in live for name in names.get(person, ())]


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def refused_among(identifiers: Iterable[IdentifierValue], purpose: str, channel: str) -> set[IdentifierValue]:
    """Those of the identifiers whose person has said no to us to that purpose on that channel. Nobody who said nothing
    is among them. Unscoped because it guards what is kept, and names nobody whom the caller did not name."""
    country = brand_or_presumed().country
    clean = {one: normalised(one, country) for one in identifiers}
    known = identity.find(set(clean.values())) if clean else {}
    asked = {one: PersonId(person) for one, (_, person) in known.items() if person is not None}
    survivors, births = _births_by_survivor(asked.values())
    words: dict[int, list[Word]] = defaultdict(list)
    columns = ("person_id", "purpose", "channel", "granted", "at", "partner")
    for *row, partner in identity.rows_of(Consent, columns, births):
        if not partner:
            words[births[row[0]]].append(Word(*row))
    refused = {
        survivor
        for survivor, said in words.items()
        for standing in [effective(said)]
        if (word := standing.get((purpose, channel)) or standing.get((purpose, "*"))) is not None and not word[0]
    }
    return {one for one, kept in clean.items() if kept in asked and survivors[asked[kept]] in refused}


def existing(persons: Iterable[PersonId]) -> set[PersonId]:
    """Those of the numbers that are persons. Unscoped because it tells nothing but that."""
    return {PersonId(person) for (person,) in bulk.select(Person, ("id",), "id", persons)}


def known_and_new(groups: Iterable[Sequence[IdentifierValue]]) -> tuple[int, int]:
    """How many persons these groups of identifiers name: known already, and new. Keeps nothing; before set-up phone
    numbers are read as a presumed brand's. Unscoped because it tells nothing but numbers."""
    country = brand_or_presumed().country
    clean = list({tuple(normalised(one, country) for one in group) for group in groups})
    if shunned.anybody():
        clean = [tuple(group) for group in shunned.without(clean, identity.find) if group]
    return identity.count_persons(clean)


def survivors(births: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The survivor of each birth person of a column. Unscoped because it tells nothing but ids."""
    distinct, inverse = np.unique(births, return_inverse=True)
    known = identity.survivors_of(distinct.tolist())
    return np.fromiter(known.values(), dtype=np.int64, count=len(known))[inverse]


def homes_of(persons: Iterable[PersonId]) -> dict[PersonId, NodeId]:
    """The home store of each person who has one (of any of their birth persons, the oldest first).

    Unscoped because routing reads it, which shows it to nobody.
    """
    asked, births = _births_by_survivor(persons)
    homes: dict[int, NodeId] = {}
    for birth, home in identity.rows_of(Person, ("id", "home_node"), births, "id"):
        if home is not None:
            homes.setdefault(births[birth], NodeId(home))
    return {person: homes[survivor] for person, survivor in asked.items() if survivor in homes}


def identifiers_of(persons: Iterable[PersonId], kind: str, namespace: str) -> dict[PersonId, str]:
    """The identifier of that kind and namespace of each person (of any of their birth persons, the oldest first).

    Persons without one are absent. Unscoped because connectors address messages with it; never show it.
    """
    return {person: values[0] for person, values in all_identifiers_of(persons, kind, namespace).items()}


def all_identifiers_of(persons: Iterable[PersonId], kind: str, namespace: str) -> dict[PersonId, list[str]]:
    """Every identifier of that kind and namespace of each person, the oldest first: two who became one have two.

    Persons without one are absent. Unscoped because connectors read back by it who was reached; never show it.
    """
    asked, births = _births_by_survivor(persons)
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for part in bulk.chunks(births):
        rows = Identifier.objects.filter(person_id__in=part, kind=kind, namespace=namespace)
        for key, person, value in rows.values_list("pk", "person_id", "value"):
            if person is not None and value is not None:
                found[births[person]][key] = value
    return {
        person: [value for _, value in sorted(found[survivor].items())]
        for person, survivor in asked.items()
        if survivor in found
    }


def addresses_of(persons: Iterable[PersonId], kind: str, namespace: str) -> dict[PersonId, list[str]]:
    """The identifiers of that kind and namespace by which each person can be written to, the one learned last at the
    end. What is several people's, or no number that can exist, is nobody's address; persons without any are absent.

    Unscoped because connectors address messages with it; never show it.
    """
    asked, births = _births_by_survivor(persons)
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for part in bulk.chunks(births):
        rows = Identifier.objects.filter(person_id__in=part, kind=kind, namespace=namespace, hub=False)
        for key, person, value in rows.values_list("pk", "person_id", "value"):
            if person is not None and value is not None and (kind != "phone" or value.startswith("+")):
                found[births[person]][key] = value
    return {
        person: [value for _, value in sorted(found[survivor].items())]
        for person, survivor in asked.items()
        if survivor in found
    }


def who_has(kind: str) -> pa.Table:
    """Every person (`person`, the survivor) who has an identifier of a kind that is theirs alone, once for each of its
    namespaces (`space`). Unscoped because whoever plans counts for all, and it tells nothing but ids."""
    rows = Identifier.objects.filter(kind=kind, hub=False).exclude(person=None)
    found = list(rows.values_list("person_id", "namespace").distinct())
    owners = survivors(np.array([birth for birth, _ in found], np.int64))
    spaces = [space for _, space in found]
    table = pa.table({"person": pa.array(owners, pa.int64()), "space": pa.array(spaces, pa.string())})
    return table.group_by(["person", "space"]).aggregate([])


def births_of(persons: Iterable[PersonId]) -> dict[PersonId, list[PersonId]]:
    """Every birth person of each person, their survivor first. Unscoped because it tells nothing but ids."""
    asked, births = _births_by_survivor(persons)
    together: dict[int, list[PersonId]] = {survivor: [PersonId(survivor)] for survivor in asked.values()}
    for birth in sorted(births):
        if birth != births[birth]:
            together[births[birth]].append(PersonId(birth))
    return {person: together[survivor] for person, survivor in asked.items()}


def may_be_touched(
    senders: Mapping[PersonId, SenderId | None], purpose: str, channel: str, topic: str | None = None
) -> dict[PersonId, Refusal | None]:
    """Why each person may not be touched now by the sender they are mapped to, or None if they may.

    A person mapped to no sender needs no relation. `topic`: what it is about, where it says so. Unscoped because it
    guards the issue of a batch.
    """
    asked, births = _births_by_survivor(senders)
    flags: dict[int, Refusal] = {}
    live: set[tuple[int, int]] = set()
    words: dict[int, list[Word]] = defaultdict(list)
    for birth, blocked, silent in identity.rows_of(Person, ("id", "blocked", "silent"), births, "id"):
        if blocked or (silent and births[birth] not in flags):
            flags[births[birth]] = Refusal.BLOCKED if blocked else Refusal.SILENT
    for birth, sender, added, lost in identity.rows_of(
        Relation, ("person_id", "sender", "added_at", "lost_at"), births
    ):
        if is_live(added, lost):
            live.add((births[birth], sender))
    for *row, partner in identity.rows_of(
        Consent, ("person_id", "purpose", "channel", "granted", "at", "partner"), births
    ):
        if not partner:  # what was said to a partner says nothing of us
            words[births[row[0]]].append(Word(*row))
    wishes = wishes_of(births)
    result: dict[PersonId, Refusal | None] = {}
    for person, survivor in asked.items():
        sender = senders[person]
        reason = flags.get(survivor)
        if reason is None and not consents(effective(words[survivor]), purpose, channel):
            reason = Refusal.CONSENT
        if reason is None and survivor in wishes and wishes[survivor].refuses(topic, channel):
            reason = Refusal.PREFERENCE
        if reason is None and sender is not None and (survivor, sender) not in live:
            reason = Refusal.RELATION
        result[person] = reason
    return result


def consented_to_partner(persons: Iterable[PersonId], partner: str, purpose: str, channel: str = "*") -> set[PersonId]:
    """Those of the persons who consented to that partner, which our own consent never says. Unscoped because it guards
    what is given to a partner, and names nobody whom the caller did not name."""
    asked, births = _births_by_survivor(persons)
    words: dict[int, list[Word]] = defaultdict(list)
    columns = ("person_id", "purpose", "channel", "granted", "at", "partner")
    for *row, said_to in identity.rows_of(Consent, columns, births):
        if said_to == partner:
            words[births[row[0]]].append(Word(*row))
    standing = {survivor: effective(said) for survivor, said in words.items()}
    return {person for person, survivor in asked.items() if consents(standing.get(survivor, {}), purpose, channel)}


def consent_ledger(viewer: Viewer, asked: LedgerFilter, limit: int, offset: int) -> tuple[list[LedgerRow], int]:
    """Words about consent of the persons whom the viewer sees, the latest kept first, and how many there are."""
    rows = _words_seen(viewer)
    if asked.persons is not None:
        rows = rows.filter(person_id__in=list(_births_by_survivor(asked.persons)[1]))
    for name in ("purpose", "channel", "source"):
        if value := getattr(asked, name):
            rows = rows.filter(**{name: value})
    if asked.partner is not None:
        rows = rows.filter(partner="" if asked.partner == "us" else asked.partner)
    if asked.granted is not None:
        rows = rows.filter(granted=asked.granted)
    total = rows.count()
    found = list(rows.order_by("-pk")[offset : offset + limit]) if limit else []
    survivor = identity.survivors_of({row.person_id for row in found})
    return [
        LedgerRow(
            row.at, PersonId(survivor[row.person_id]), row.purpose, row.channel, row.partner, row.granted, row.source,
            row.proof or "",
        )
        for row in found
    ], total  # fmt: skip


def consent_choices(viewer: Viewer) -> dict[str, list[str]]:
    """The purposes, channels, partners and sources that the viewer's ledger holds, for filters."""
    rows = _words_seen(viewer)
    return {
        name: sorted(value for value in rows.values_list(name, flat=True).distinct() if value)
        for name in ("purpose", "channel", "partner", "source")
    }


def _words_seen(viewer: Viewer) -> QuerySet[Consent]:
    if viewer.nodes is None:
        return Consent.objects.all()
    seen = ScopeRow.objects.filter(node__in=viewer.nodes).values("person_id")
    above = PersonOverride.objects.filter(birth_id__in=seen).values("survivor_id")
    below = PersonOverride.objects.filter(Q(survivor_id__in=seen) | Q(survivor_id__in=above)).values("birth_id")
    return Consent.objects.filter(Q(person_id__in=seen) | Q(person_id__in=above) | Q(person_id__in=below))


def words_of(person: PersonId) -> list[tuple[PersonId, ConsentShown]]:
    """Every word about consent of a person's birth persons, the oldest first. Unscoped because the person asks for
    themselves, or the caller has looked them up as the viewer."""
    _, births = _births_by_survivor([person])
    rows = Consent.objects.filter(person_id__in=births).order_by("at", "pk")
    return [
        (
            PersonId(row.person_id),
            ConsentShown(row.purpose, row.channel, row.granted, row.at, row.proof or "", row.partner, row.source),
        )
        for row in rows
    ]


def standing_consents(person: PersonId) -> dict[tuple[str, str, str], bool]:
    """What counts of a person's words per (purpose, channel, partner; empty: us).

    Unscoped because whoever asks has looked them up, or is the person.
    """
    said: dict[str, list[Word]] = defaultdict(list)
    for birth, one in words_of(person):
        said[one.partner].append(Word(birth, one.purpose, one.channel, one.granted, one.at))
    return {
        (purpose, channel, partner): granted
        for partner, words in said.items()
        for (purpose, channel), (granted, _) in effective(words).items()
    }


def wish_of(person: PersonId) -> Wish:
    """How a person wants to be spoken to. Unscoped because whoever asks has looked them up, or is the person."""
    asked, births = _births_by_survivor([person])
    return wishes_of(births).get(asked[person], Wish())


def find_by_identifier(viewer: Viewer, text: str) -> list[PersonId]:
    """The visible persons with exactly this phone, member number, external_userid or other strong identifier."""
    country = brand().country
    spaces = IdentifierSpace.objects.exclude(kind__in=WEAK_KINDS).values_list("kind", "namespace")
    wanted = [normalised(IdentifierValue(kind, namespace, text), country) for kind, namespace in spaces]
    births = [birth for _, birth in identity.find(wanted).values() if birth is not None]
    found = set(identity.survivors_of(births).values())
    return [PersonId(person) for person in sorted(_visible(viewer, found))]


def find_values(viewer: Viewer, kind: str, values: Iterable[str]) -> dict[str, PersonId]:
    """The visible person of each value of one kind of strong identifier, in whatever namespace; others are absent."""
    return {text: min(persons) for text, persons in find_all_values(viewer, kind, values).items()}


def namespaces_of(kind: str) -> tuple[str, ...]:
    """The namespaces in which identifiers of that kind exist: of member numbers, the sources that gave them."""
    return tuple(IdentifierSpace.objects.filter(kind=kind).order_by("namespace").values_list("namespace", flat=True))


def find_all_values(viewer: Viewer, kind: str, values: Iterable[str], among: str = "") -> dict[str, set[PersonId]]:
    """The visible persons of each value of one kind of strong identifier: a member number may be one person's in one
    namespace, and another's in another; with `among`, in that namespace only. Values of nobody are absent."""
    country = brand().country
    namespaces = [one for one in namespaces_of(kind) if kind not in WEAK_KINDS and among in ("", one)]
    wanted = {
        text: [normalised(IdentifierValue(kind, namespace, text), country) for namespace in namespaces]
        for text in set(values)
    }
    known = identity.find(one for ones in wanted.values() for one in ones)
    births = {one: birth for one, (_, birth) in known.items() if birth is not None}
    survivors_by_birth = identity.survivors_of(births.values())
    seen = _visible(viewer, set(survivors_by_birth.values()))
    found: dict[str, set[PersonId]] = {}
    for text, ones in wanted.items():
        survivors_found = {survivors_by_birth[births[one]] for one in ones if one in births} & seen
        if survivors_found:
            found[text] = {PersonId(person) for person in survivors_found}
    return found


def known_as(viewer: Viewer, one: IdentifierValue) -> PersonId | None:
    """The visible person with this very identifier; None for one whom the viewer does not see, as for nobody."""
    found = identity.find([normalised(one, brand().country)])
    birth = next((birth for _, birth in found.values() if birth is not None), None)
    if birth is None:
        return None
    survivor = identity.survivors_of([birth])[birth]
    return PersonId(survivor) if _visible(viewer, {survivor}) else None


def names_of(viewer: Viewer, persons: Sequence[PersonId]) -> dict[PersonId, str]:
    """The names of those of the persons whom the viewer may see and whose name is known."""
    asked, births = _births_by_survivor(persons)
    visible = _visible(viewer, set(asked.values()))
    shown = [birth for birth, survivor in births.items() if survivor in visible]
    names: dict[int, tuple[Any, str]] = {}
    for birth, name, at in identity.rows_of(Person, ("id", "name", "name_at"), shown, "id"):
        if name is not None and (births[birth] not in names or at > names[births[birth]][0]):
            names[births[birth]] = (at, name)
    return {person: names[survivor][1] for person, survivor in asked.items() if survivor in names}


def seen_among(viewer: Viewer, persons: Sequence[PersonId]) -> set[PersonId]:
    """Those of the surviving persons whom the viewer may see."""
    return {PersonId(one) for one in _visible(viewer, set(persons))}


def befriended(senders: Collection[SenderId], persons: Collection[PersonId]) -> set[PersonId]:
    """Those of the surviving persons who are friends of one of these accounts now. Unscoped because it narrows what a
    viewer sees to whom they know."""
    asked, births = _births_by_survivor(persons)
    live = {
        births[birth]
        for birth, sender, added, lost in identity.rows_of(
            Relation, ("person_id", "sender", "added_at", "lost_at"), births
        )
        if sender in senders and is_live(added, lost)
    }
    return {person for person, survivor in asked.items() if survivor in live}


def masked_phones(viewer: Viewer, persons: Sequence[PersonId]) -> dict[PersonId, str]:
    """The phone number, its middle hidden, of those of the persons whom the viewer may see and who have one."""
    asked, _ = _births_by_survivor(persons)
    visible = _visible(viewer, set(asked.values()))
    found = addresses_of([person for person, survivor in asked.items() if survivor in visible], "phone", "")
    return {person: masked("phone", numbers[-1]) for person, numbers in found.items()}


def person_card(viewer: Viewer, person: PersonId) -> PersonCard:
    """All that this room knows of a person or their survivor. Raises NotFound outside the viewer's scope."""
    asked, births = _births_by_survivor([person])
    survivor = asked[person]
    rows = {row.pk: row for row in Person.objects.filter(pk__in=births)}
    if survivor not in rows or not _visible(viewer, {survivor}):
        raise NotFound(f"没有编号为 {person} 的客户。", f"There is no person with the number {person}.")
    named = [row for row in rows.values() if row.name is not None]
    homes = [row.home_node for _, row in sorted(rows.items()) if row.home_node is not None]
    return PersonCard(
        person=PersonId(survivor),
        births=tuple(PersonId(birth) for birth in sorted(births)),
        name=max(named, key=lambda row: (row.name_at is not None, row.name_at or row.born_at)).name if named else None,
        home_node=NodeId(homes[0]) if homes else None,
        born_at=min(row.born_at for row in rows.values()),
        silent=any(row.silent for row in rows.values()),
        blocked=any(row.blocked for row in rows.values()),
        synthetic=all(row.synthetic for row in rows.values()),
        identifiers=_identifiers_shown(viewer, births),
        relations=tuple(
            RelationShown(
                SenderId(row.sender), row.added_at, row.lost_at, row.last_talk_at, is_live(row.added_at, row.lost_at)
            )
            for row in Relation.objects.filter(person_id__in=births).order_by("pk")
        ),
        consents=tuple(
            ConsentShown(row.purpose, row.channel, row.granted, row.at, row.proof or "", row.partner, row.source)
            for row in Consent.objects.filter(person_id__in=births).order_by("-at", "-pk")
        ),
        tags=tuple(sorted({row.tag for row in Tag.objects.filter(person_id__in=births, live=True)})),
        wish=wishes_of(births).get(survivor, Wish()),
    )


def _identifiers_shown(viewer: Viewer, births: Iterable[int]) -> tuple[IdentifierShown, ...]:
    order = {kind: rank for rank, kind in enumerate(STRONG_KINDS + WEAK_KINDS)}
    rows = sorted(Identifier.objects.filter(person_id__in=births), key=lambda row: (order.get(row.kind, 99), row.pk))
    return tuple(
        IdentifierShown(
            row.kind,
            row.namespace,
            (row.value or "") if viewer.may_operate else masked(row.kind, row.value or ""),
            row.pk,
            row.hub,
        )
        for row in rows
    )


def _births_by_survivor(persons: Iterable[PersonId]) -> tuple[dict[PersonId, int], dict[int, int]]:
    """The survivor of each person asked for; and every birth person of those survivors, with its survivor."""
    asked = {PersonId(birth): survivor for birth, survivor in identity.survivors_of(persons).items()}
    births = {survivor: survivor for survivor in asked.values()}
    births.update(bulk.select(PersonOverride, ("birth_id", "survivor_id"), "survivor_id", list(births)))
    return asked, births


def _visible(viewer: Viewer, survivors: set[int]) -> set[int]:
    """Those of the survivors who stand at a node that the viewer sees, by any of their birth persons."""
    if viewer.nodes is None:
        return survivors
    _, births = _births_by_survivor(map(PersonId, survivors))
    places = bulk.select(ScopeRow, ("person_id", "node"), "person_id", births)
    return {births[birth] for birth, node in places if node in viewer.nodes}

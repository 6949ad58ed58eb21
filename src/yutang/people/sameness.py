"""Reading who is who: what waits to be looked at, two persons side by side, what became of one, who decided what.

Queues and comparisons are headquarters'. A person's history is shown to whoever sees the person, without what it tells
of others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
from django.db.models import Q

from yutang.kernel.calendars import aware
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.people import bulk, components, identity, joining
from yutang.people.consent import Standing, Word, effective
from yutang.people.contracts import DecisionKind, IdentifierShown, PersonCard
from yutang.people.decisions import headquarters
from yutang.people.identifiers import masked
from yutang.people.models import Consent, Crowd, Decision, Edge, Identifier, Suspect
from yutang.people.models import Word as Said
from yutang.people.queries import person_card
from yutang.warehouse.contracts import Warehouse, named

SAMPLES = 5
LISTED = 500
CROWDS_LISTED = 100  # each is looked up with its samples; those decided about make room for others
COUNTED = 2_000
HISTORY = 50
Consents = Mapping[tuple[str, str], Standing]


@dataclass(frozen=True, slots=True)
class DecisionShown:
    """What somebody decided, when and why. `open`: it stands, so it may be withdrawn."""

    number: int
    kind: DecisionKind
    at: datetime
    by: str
    reason: str
    person: PersonId | None
    other: PersonId | None
    cap: int | None
    withdrawn_at: datetime | None
    withdrawn_by: str
    withdrawn_reason: str
    identifiers: tuple[IdentifierShown, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it stands."""
        return self.withdrawn_at is None


@dataclass(frozen=True, slots=True)
class SharedIdentifier:
    """An identifier that may be several people's.

    `beside`: how many others of one kind it was seen beside; over `cap` it joins nobody (`hub`). `persons`: how many
    persons all the others are (None: too many to count). `samples` are some of these, masked; `decision` is what was
    decided last and stands.
    """

    row: int
    kind: str
    namespace: str
    shown: str
    hub: bool
    beside: int
    cap: int
    persons: int | None
    since: datetime
    samples: tuple[IdentifierShown, ...]
    decision: DecisionShown | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far one field of two persons agrees, and how much that says for one human (bits; negative: against)."""

    field: str
    level: str
    weight: float

    @property
    def code(self) -> str:
        """By which the level's word is found."""
        return f"{self.field} {self.level}"


@dataclass(frozen=True, slots=True)
class SuspectFacts:
    """Two survivors who may be one human. `score` is None where somebody put them there."""

    first: PersonId
    second: PersonId
    score: float | None
    agreements: tuple[Agreement, ...]
    found_at: datetime
    decision: DecisionShown | None


@dataclass(frozen=True, slots=True)
class Bought:
    """The orders of one person, cancelled ones left out."""

    orders: int = 0
    spend: Decimal = Decimal(0)
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the persons that are compared, or would be made."""

    card: PersonCard
    consents: Consents
    bought: Bought


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two persons, and the one they would become: its consents are the most restrictive of both."""

    first: Side
    second: Side
    consents: Consents
    suspect: SuspectFacts | None

    @property
    def orders(self) -> int:
        """The orders of both."""
        return self.first.bought.orders + self.second.bought.orders

    @property
    def spend(self) -> Decimal:
        """What both spent."""
        return self.first.bought.spend + self.second.bought.spend


@dataclass(frozen=True, slots=True)
class Part:
    """A person that a split would leave: their identifiers, birth persons and orders."""

    person: PersonId
    identifiers: tuple[IdentifierShown, ...]
    bought: Bought


@dataclass(frozen=True, slots=True)
class Seen:
    """Two identifiers of a person were seen together."""

    at: datetime
    first: IdentifierShown
    second: IdentifierShown


@dataclass(frozen=True, slots=True)
class History:
    """How a person came to be one: what was seen together, newest first, and what was decided."""

    seen: tuple[Seen, ...]
    more: bool
    decisions: tuple[DecisionShown, ...]


def waiting(viewer: Viewer) -> tuple[int, int]:
    """How many suspects, and how many shared identifiers nobody decided about, wait to be looked at."""
    headquarters(viewer)
    decided = Decision.objects.filter(withdrawn_at=None).exclude(identifier=None).values_list("identifier", flat=True)
    crowds = set(Crowd.objects.values_list("pk", flat=True)) - set(decided)
    return Suspect.objects.filter(decision=None).count(), len(crowds)


def suspects(viewer: Viewer, *, later: bool = False, limit: int = LISTED) -> list[SuspectFacts]:
    """The pairs of survivors who wait to be looked at, the likeliest first; `later`: those who were put off."""
    headquarters(viewer)
    rows = Suspect.objects.select_related("decision").order_by("-score", "first", "second")
    rows = rows.filter(decision__kind=DecisionKind.LATER.value) if later else rows.filter(decision=None)
    return _suspects(list(rows[:limit]))


def _suspects(rows: Sequence[Suspect]) -> list[SuspectFacts]:
    survivors = identity.survivors_of({number for row in rows for number in (row.first, row.second)})
    found: dict[tuple[int, int], SuspectFacts] = {}
    for row in rows:
        low, high = sorted((survivors[row.first], survivors[row.second]))
        if low != high:
            agreements = tuple(Agreement(one["field"], one["level"], one["weight"]) for one in row.evidence)
            decision = _shown(row.decision) if row.decision else None
            facts = SuspectFacts(PersonId(low), PersonId(high), row.score, agreements, row.found_at, decision)
            found.setdefault((low, high), facts)
    return list(found.values())


def shared_identifiers(viewer: Viewer, limit: int = CROWDS_LISTED) -> list[SharedIdentifier]:
    """Identifiers over their cap or near it, and those decided about: undecided first, then the most crowded."""
    headquarters(viewer)
    decided = Decision.objects.filter(withdrawn_at=None).exclude(identifier=None).order_by("pk")
    latest = {row.identifier: row for row in decided if row.identifier is not None}
    since = dict(Crowd.objects.values_list("pk", "since"))
    rows = list(bulk.select(Identifier, ("id", "hub", "cap"), "id", since.keys() | latest.keys()))
    beside = joining.beside(row for row, _, _ in rows)
    rows.sort(key=lambda one: (one[0] in latest, -beside[one[0]], one[0]))
    chosen = rows[:limit]
    values = _identifiers(row for row, _, _ in chosen)
    found = []
    for row, hub, cap in chosen:
        if row not in values:
            continue
        others = _neighbours(row, SAMPLES)
        decision = latest.get(row)
        found.append(
            SharedIdentifier(
                row=row,
                kind=values[row].kind,
                namespace=values[row].namespace,
                shown=values[row].shown,
                hub=bool(hub),
                beside=beside[row],
                cap=joining.limit_of(cap),
                persons=_persons_beside(row) if beside[row] <= COUNTED else None,
                since=since.get(row) or latest[row].at,
                samples=tuple(_identifiers(others).values()),
                decision=_shown(decision) if decision else None,
            )
        )
    return found


def _neighbours(row: int, limit: int) -> list[int]:
    """Some identifiers that one was seen beside."""
    higher = Edge.objects.filter(first_id=row).values_list("second_id", flat=True)[:limit]
    lower = Edge.objects.filter(second_id=row).values_list("first_id", flat=True)[:limit]
    return [*higher, *lower][:limit]


def _persons_beside(row: int) -> int:
    """How many persons the others that an identifier was seen beside are now."""
    higher = Edge.objects.filter(first_id=row, said__gte=0).values_list("second__person_id", flat=True)
    lower = Edge.objects.filter(second_id=row, said__gte=0).values_list("first__person_id", flat=True)
    births = {birth for birth in (*higher, *lower) if birth is not None}
    return len(set(identity.survivors_of(births).values()))


def _identifiers(rows: Iterable[int], *, clear: bool = False) -> dict[int, IdentifierShown]:
    """Identifiers by their rows' numbers, masked unless they may be shown clear."""
    found = {}
    for part in bulk.chunks(rows):
        for one in Identifier.objects.filter(pk__in=part):
            value = one.value or ""
            shown = value if clear else masked(one.kind, value)
            found[one.pk] = IdentifierShown(one.kind, one.namespace, shown, one.pk, one.hub)
    return found


def compare(viewer: Viewer, warehouse: Warehouse, first: PersonId, second: PersonId) -> Comparison:
    """Two persons side by side. Raises NotFound where they are one."""
    headquarters(viewer)
    cards = [person_card(viewer, one) for one in (first, second)]
    if cards[0].person == cards[1].person:
        raise NotFound("这两个编号已经是同一位客户。", "These two numbers are one person already.")
    cards.sort(key=lambda card: card.person)
    births = [set(card.births) for card in cards]
    said = _words(births[0] | births[1])
    bought = _bought(warehouse, births[0] | births[1])
    sides = [
        Side(card, effective(word for word in said if word.birth in own), _sum(bought, own))
        for card, own in zip(cards, births, strict=True)
    ]
    rows = Suspect.objects.select_related("decision").filter(first__in=births[0] | births[1])
    pair = (cards[0].person, cards[1].person)
    found = [one for one in _suspects(list(rows.order_by("-score"))) if (one.first, one.second) == pair]
    return Comparison(sides[0], sides[1], effective(said), found[0] if found else None)


def _words(births: Collection[int]) -> list[Word]:
    return [
        Word(*row)
        for row in identity.rows_of(Consent, ("person_id", "purpose", "channel", "granted", "at"), sorted(births))
    ]


def _bought(warehouse: Warehouse, births: Collection[int]) -> dict[int, Bought]:
    """The orders of each birth person."""
    table = {"births": pa.table({"person": pa.array(sorted(births), pa.int64())})}
    rows = warehouse.query(named("people/orders_of", tables=table)).to_pylist()
    return {row["person"]: Bought(row["orders"], Decimal(row["spend"]), row["last_at"]) for row in rows}


def _sum(bought: Mapping[int, Bought], births: Collection[int]) -> Bought:
    own = [bought[birth] for birth in births if birth in bought]
    last = max((one.last_at for one in own if one.last_at), default=None)
    spend = sum((one.spend for one in own), Decimal(0))
    return Bought(sum(one.orders for one in own), spend, aware(last) if last else None)


def parts_of(viewer: Viewer, warehouse: Warehouse, person: PersonId, out: Collection[int]) -> list[Part]:
    """Who a person would be if these identifiers of theirs were cut from the others; the first keeps the number."""
    headquarters(viewer)
    card = person_card(viewer, person)
    rows = dict(bulk.select(Identifier, ("id", "person_id"), "person_id", card.births))
    shown = {one.row: one for one in card.identifiers}
    place = {row: index for index, row in enumerate(sorted(rows))}
    kept = [
        (place[first], place[second])
        for first, second, said, _ in joining.edges_of(rows)
        if second in rows
        and (first in out) == (second in out)
        and (said == 1 or not (shown[first].hub or shown[second].hub))
    ]
    label = components.labels(len(place), np.array(kept, dtype=np.int64).reshape(-1, 2))
    groups: dict[int, list[int]] = defaultdict(list)
    for row, index in place.items():
        groups[int(label[index])].append(row)
    bought = _bought(warehouse, card.births)
    parts = [
        Part(
            PersonId(min(rows[row] for row in group)),
            tuple(shown[row] for row in group),
            _sum(bought, {rows[row] for row in group}),
        )
        for group in groups.values()
    ]
    return sorted(parts, key=lambda part: part.person)


def history(viewer: Viewer, card: PersonCard) -> History:
    """How the person of a card came to be one. Reasons, and what concerns others, are told to headquarters only."""
    own = {one.row: one for one in card.identifiers}
    edges = Edge.objects.filter(first_id__in=own, second_id__in=own, said__gte=0).exclude(seen_at=None)
    latest = edges.order_by("-seen_at", "-pk").values_list("seen_at", "first_id", "second_id")[: HISTORY + 1]
    seen = [Seen(at, own[first], own[second]) for at, first, second in latest if at is not None]
    whole = viewer.may_operate and viewer.sees_all
    return History(tuple(seen[:HISTORY]), len(seen) > HISTORY, _decided(card, own, whole))


def _decided(card: PersonCard, own: Mapping[int, IdentifierShown], whole: bool) -> tuple[DecisionShown, ...]:
    said: dict[int, set[int | None]] = defaultdict(set)
    words = Said.objects.filter(Q(first__in=own) | Q(second__in=own))
    for number, first, second in words.values_list("decision_id", "first", "second"):
        said[number] |= {first, second}
    found = []
    about = Q(pk__in=said) | Q(identifier__in=own)
    if whole:
        about |= Q(person__in=card.births) | Q(other__in=card.births)
    for row in Decision.objects.filter(about).order_by("-pk")[:HISTORY]:
        ends = [end for end in said.get(row.pk, {row.identifier}) if end is not None]
        shown = _identifiers(ends, clear=True) if whole else own
        found.append(_shown(row, tuple(shown[end] for end in ends if end in shown), whole=whole))
    return tuple(found)


def decided(viewer: Viewer, limit: int = LISTED) -> list[DecisionShown]:
    """What was decided, the newest first."""
    headquarters(viewer)
    rows = list(Decision.objects.order_by("-pk")[:limit])
    about = _identifiers(row.identifier for row in rows if row.identifier is not None)
    return [_shown(row, tuple(about[one] for one in (row.identifier,) if one in about)) for row in rows]


def _shown(row: Decision, identifiers: tuple[IdentifierShown, ...] = (), *, whole: bool = True) -> DecisionShown:
    return DecisionShown(
        number=row.pk,
        kind=DecisionKind(row.kind),
        at=row.at,
        by=row.by if whole else "",
        reason=(row.reason or "") if whole else "",
        person=PersonId(row.person) if whole and row.person else None,
        other=PersonId(row.other) if whole and row.other else None,
        cap=row.cap,
        withdrawn_at=row.withdrawn_at,
        withdrawn_by=row.withdrawn_by if whole else "",
        withdrawn_reason=(row.withdrawn_reason or "") if whole else "",
        identifiers=identifiers,
    )

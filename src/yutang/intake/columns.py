"""Events as the columns that enter the warehouse: persons, stores and staff as ids, and nothing personal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from yutang.intake.append import INCOMING, LINES
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import NodeId, PersonId, SenderId, StaffId
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.vocabulary import VOCABULARY
from yutang.organisation.queries import OWNER, nodes, senders
from yutang.people import queries as people
from yutang.people import services
from yutang.people.services import ConsentWord, RelationWord, TagWord

_encode = msgspec.json.Encoder().encode
_PII = {name: frozenset(key for key, prop in kind.props.items() if prop.pii) for name, kind in VOCABULARY.items()}
_ORDERS = frozenset(name for name, kind in VOCABULARY.items() if kind.order)
_RELATIONS = {"relation.added": "added", "relation.lost": "lost"}


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event and when it was received (wall clock)."""

    event: Event
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """Codes that events may name. Staff and senders are named by their account's userid."""

    stores: dict[str, NodeId]
    staff: dict[str, StaffId]
    senders: dict[str, SenderId]


def known() -> Known:
    """The organisation's codes as they are now."""
    accounts = senders(OWNER)
    return Known(
        {node.code: node.id for node in nodes()},
        {one.userid: one.staff for one in accounts},
        {one.userid: one.id for one in accounts},
    )


def distinct(arrived: Iterable[Arrived]) -> list[Arrived]:
    """The first arrival of each (id, time)."""
    seen: dict[tuple[str, datetime], Arrived] = {}
    for one in arrived:
        seen.setdefault((one.event.id, one.event.occurred_at), one)
    return list(seen.values())


def persons_of(events: Sequence[Event]) -> list[PersonId | None]:
    """The birth person of each event, made where new. An event about nobody, or about a number unknown, has none."""
    result: list[PersonId | None] = [event.person for event in events]
    said = sorted({event.person for event in events if event.person is not None})
    strangers = set(said) - people.existing(said)
    for index, event in enumerate(events):
        if event.person in strangers:
            result[index] = None
    for made_up in (False, True):
        chosen = [
            index for index, event in enumerate(events)
            if event.person is None and event.identifiers and bool(event.props.get("synthetic")) == made_up
        ]  # fmt: skip
        births = services.birth_persons(
            [group_of(events[index]) for index in chosen],
            seen_at=[events[index].occurred_at for index in chosen],
            synthetic=made_up,
        )
        for index, birth in zip(chosen, births, strict=True):
            result[index] = birth
    return result


def group_of(event: Event) -> tuple[IdentifierValue, ...]:
    """The identifiers that an event says are one person's."""
    phone = event.props.get("phone") if event.type == "person.seen" else None
    return (
        (*event.identifiers, IdentifierValue("phone", "", phone))
        if isinstance(phone, str) and phone.strip()
        else event.identifiers
    )


def apply_facts(events: Sequence[Event], persons: Sequence[PersonId | None], codes: Known) -> None:
    """What events say of consent, friendship, tags and names, into the operational store; again does no harm.

    A word from the future counts as said now, or it would outlive every later one.
    """
    latest = wall_now()
    consents: list[ConsentWord] = []
    relations: list[RelationWord] = []
    tags: list[TagWord] = []
    names: dict[PersonId, tuple[str, datetime]] = {}
    for event, person in zip(events, persons, strict=True):
        if person is None:
            continue
        props: Any = event.props
        at = min(event.occurred_at, latest)
        match event.type:
            case "consent.given" | "consent.withdrawn":
                granted = event.type == "consent.given"
                word = ConsentWord(person, props["purpose"], props["channel"], granted, at, props.get("proof") or "")
                consents.append(word)
            case "relation.added" | "relation.lost" if event.staff in codes.senders:
                relations.append(RelationWord(person, codes.senders[event.staff], _RELATIONS[event.type], at))
            case "tag.added" | "tag.removed":
                tags.append(TagWord(person, props["tag"], event.type == "tag.added", at))
            case "person.seen" if props.get("name"):
                if person not in names or names[person][1] < at:
                    names[person] = (props["name"], at)
    services.apply_consents(consents)
    services.apply_relations(relations)
    services.apply_tags(tags)
    services.name_persons(names)


def incoming(arrived: Sequence[Arrived], persons: Sequence[PersonId | None], codes: Known) -> tuple[pa.Table, pa.Table]:
    """The events as INCOMING and their lines as LINES."""
    rows = []
    lines = []
    for row, (one, person) in enumerate(zip(arrived, persons, strict=True)):
        event = one.event
        props: dict[str, Any] = {key: value for key, value in event.props.items() if key not in _PII[event.type]}
        order = event.type in _ORDERS
        discount = None
        if event.lines:
            discount = sum((line.discount for line in event.lines), Decimal(0))
            lines += [
                (row, ordinal, line.sku, line.category, line.quantity, line.amount, line.discount)
                for ordinal, line in enumerate(event.lines)
            ]
        rows.append(
            (
                row, event.id, event.type, _naive(event.occurred_at), _naive(one.received_at), person,
                codes.stores.get(event.store) if event.store else None,
                codes.staff.get(event.staff) if event.staff else None,
                event.source, event.plan, event.batch, event.channel, event.amount, event.currency,
                _encode(props).decode() if props else None,
                props["order_id"] if order else None, discount, bool(event.lines), bool(props.get("synthetic")),
            )
        )  # fmt: skip
    return _table(rows, INCOMING), _table(lines, LINES)


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)

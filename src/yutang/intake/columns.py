"""Events as the columns that enter the warehouse: persons, stores and staff as ids, and nothing personal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction

from yutang.intake.append import INCOMING, LINES
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import NodeId, PersonId, SenderId, StaffId
from yutang.log.contracts import NEXT, PART, Event, EventColumns, IdentifierValue, said
from yutang.organisation.queries import OWNER, nodes, senders
from yutang.people import queries as people
from yutang.people import services
from yutang.people.groups import GroupWord, apply_memberships
from yutang.people.services import ConsentWord, RelationWord, TagWord

_from_json = msgspec.json.Decoder().decode
_RELATIONS = {"relation.added": "added", "relation.lost": "lost"}
_SEEN = ("person.seen", "lead.submitted")
_GROUPS = {"group.joined": True, "group.left": False}
_FACTS = ("consent.given", "consent.withdrawn", *_RELATIONS, *_GROUPS, "tag.added", "tag.removed", *_SEEN)
_NEVER = np.iinfo(np.int64).max
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Births = npt.NDArray[np.int64]


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


def distinct(arrived: EventColumns) -> EventColumns:
    """The first arrival of each (id, time)."""
    events = arrived.events
    if len(set(events["event_id"].to_pylist())) == events.num_rows:
        return arrived
    keys = zip(events["event_id"].to_pylist(), events["occurred_at"].cast(pa.int64()).to_pylist(), strict=True)
    arrivals: dict[tuple[str, int], int] = {}
    for row, key in enumerate(keys):
        arrivals.setdefault(key, row)
    first = np.zeros(events.num_rows, dtype=bool)
    first[list(arrivals.values())] = True
    return only(arrived, first)


def only(arrived: EventColumns, kept: npt.NDArray[np.bool_]) -> EventColumns:
    """Those of the events, with their lines and what is personal of them."""
    place = np.cumsum(kept) - 1
    carriers = arrived.lines["row"].to_numpy()
    lines = arrived.lines.filter(pa.array(kept[carriers])) if len(carriers) else arrived.lines
    return EventColumns(
        arrived.events.filter(pa.array(kept)),
        lines.set_column(0, "row", pa.array(place[lines["row"].to_numpy()], pa.int64())),
        {int(place[row]): text for row, text in arrived.private.items() if kept[row]},
    )


def persons_of(arrived: EventColumns) -> Births:
    """The birth person of each event, made where new; 0 for an event about nobody, or about a number unknown."""
    events = arrived.events
    result: Births = events["person"].fill_null(0).to_numpy().copy()
    numbers = [PersonId(number) for number in np.unique(result).tolist() if number]
    unsaid = result == 0
    result[np.isin(result, list(set(numbers) - people.existing(numbers)))] = 0
    coded = _groups(arrived).dictionary_encode()
    groups, group = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    at = events["occurred_at"].cast(pa.int64()).to_numpy()
    synthetic = events["synthetic"].to_numpy()
    for made_up in (False, True):
        rows = np.flatnonzero(unsaid & (synthetic == made_up))
        first = np.full(len(groups), _NEVER, dtype=np.int64)
        np.minimum.at(first, group[rows], at[rows])
        used = [index for index in np.flatnonzero(first < _NEVER).tolist() if groups[index]]
        births = np.zeros(len(groups), dtype=np.int64)
        births[used] = services.births_said([groups[index] for index in used], first[used], synthetic=made_up)
        result[rows] = births[group[rows]]
    return result


def _groups(arrived: EventColumns) -> pa.Array:
    """Whom each event names, as `said` writes it; the phone of a person seen is one of the identifiers."""
    who = arrived.events["who"]
    if not arrived.private:
        return who.combine_chunks()
    groups = who.to_pylist()
    for row in _rows_of(arrived, _SEEN):
        if phone := _phone(_props(arrived.private.get(row))):
            more = said(phone)
            groups[row] = f"{groups[row]}{NEXT}{more}" if groups[row] else more
    return pa.array(groups, pa.string())


def group_of(event: Event) -> tuple[IdentifierValue, ...]:
    """The identifiers that an event says are one person's: what `_groups` says of a column, of one event."""
    return (*event.identifiers, *_phone(event.props)) if event.type in _SEEN else event.identifiers


def _phone(props: Mapping[str, object]) -> tuple[IdentifierValue, ...]:
    """The phone of a person seen, if a usable one is named."""
    phone = props.get("phone")
    usable = isinstance(phone, str) and phone.strip() and PART not in phone and NEXT not in phone
    return (IdentifierValue("phone", "", str(phone)),) if usable else ()


def _rows_of(arrived: EventColumns, types: Sequence[str]) -> list[int]:
    chosen = pc.is_in(arrived.events["type"], pa.array(types, pa.string()))
    rows: list[int] = np.flatnonzero(chosen.to_numpy()).tolist()
    return rows


def _props(text: str | None) -> dict[str, Any]:
    props: dict[str, Any] = _from_json(text) if text else {}
    return props


def apply_facts(arrived: EventColumns, persons: Births, codes: Known) -> None:
    """What events say of consent, friendship, groups, tags, names and homes, into the operational store; again does no
    harm.

    A word from the future counts as said now, or it would outlive every later one.
    """
    rows = _rows_of(arrived, _FACTS)
    if not rows:
        return
    latest = wall_now()
    consents: list[ConsentWord] = []
    relations: list[RelationWord] = []
    tags: list[TagWord] = []
    names: dict[PersonId, tuple[str, datetime]] = {}
    homes: dict[PersonId, tuple[NodeId, datetime]] = {}
    memberships: list[GroupWord] = []
    group_names: dict[str, tuple[str, datetime]] = {}
    told = arrived.events.select(["type", "occurred_at", "staff", "props", "source"]).take(pa.array(rows))
    for row, kind, stamp, staff, text, source in zip(
        rows,
        told["type"].to_pylist(),
        told["occurred_at"].cast(pa.int64()).to_pylist(),
        told["staff"].to_pylist(),
        told["props"].to_pylist(),
        told["source"].to_pylist(),
        strict=True,
    ):
        person = PersonId(int(persons[row]))
        if not person:
            continue
        at = min(_EPOCH + timedelta(microseconds=stamp), latest)
        props = _props(text)
        private = _props(arrived.private.get(row))
        match kind:
            case "consent.given" | "consent.withdrawn":
                granted = kind == "consent.given"
                proof = private.get("proof") or ""
                partner = (props.get("partner") or "")[:63]
                consents.append(
                    ConsentWord(person, props["purpose"], props["channel"], granted, at, proof, partner, source)
                )
            case "relation.added" | "relation.lost" if staff in codes.senders:
                relations.append(RelationWord(person, codes.senders[staff], _RELATIONS[kind], at))
            case "group.joined" | "group.left":
                scene, inviter, state = props.get("scene") or 0, props.get("inviter") or "", props.get("state") or ""
                memberships.append(GroupWord(person, props["group"], _GROUPS[kind], at, scene, inviter, state))
                if private.get("name"):
                    before = group_names.get(props["group"])
                    if before is None or before[1] < at:
                        group_names[props["group"]] = (private["name"], at)
            case "tag.added" | "tag.removed":
                tags.append(TagWord(person, props["tag"], kind == "tag.added", at))
            case "person.seen" | "lead.submitted":
                if private.get("name") and (person not in names or names[person][1] < at):
                    names[person] = (private["name"], at)
                home = codes.stores.get(props.get("home_store", ""))
                if home is not None and (person not in homes or homes[person][1] < at):
                    homes[person] = (home, at)
    with transaction.atomic():
        services.apply_consents(consents)
        services.apply_relations(relations)
        services.apply_tags(tags)
        services.name_persons(names)
        services.house_persons(homes)
        apply_memberships(memberships, group_names)


def incoming(arrived: EventColumns, persons: Births, codes: Known) -> tuple[pa.Table, pa.Table]:
    """The events as INCOMING and their lines as LINES."""
    events = arrived.events
    made = {
        "row": pa.array(np.arange(events.num_rows)),
        "person": pa.array(persons, mask=persons == 0),
        "store": _ids(events["store"], codes.stores),
        "staff": _ids(events["staff"], codes.staff),
    }
    columns = [made[name] if name in made else events[name] for name in INCOMING.names]
    return pa.table(columns, schema=INCOMING), arrived.lines.select(LINES.names).cast(LINES)


def _ids(said_codes: pa.ChunkedArray, known_codes: Mapping[str, int]) -> pa.Array:
    """The id of each code, null for a code unknown."""
    keys = pa.array(list(known_codes), pa.string())
    return pa.array(list(known_codes.values()), pa.int64()).take(pc.index_in(said_codes, keys, skip_nulls=True))


def unknown_stores(arrived: EventColumns, codes: Known) -> dict[str, int]:
    """How many events name each store that the tree does not know."""
    counts = pc.value_counts(arrived.events["store"]).to_pylist()
    return {one["values"]: one["counts"] for one in counts if one["values"] and one["values"] not in codes.stores}

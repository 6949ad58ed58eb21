"""Persons: finding them, their card and traits, what happened to them, and why they were not reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import pyarrow as pa
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router
from sqlglot import exp

from yutang.api.door import REFUSALS, Limit, Number, Offset, Token, viewer_of, warehouse
from yutang.api.files import AS_FILES, MOST_ROWS, Format, file_of
from yutang.api.schemas import (
    ConsentOut,
    EventOut,
    EventsOut,
    IdentifierOut,
    PersonItem,
    PersonOut,
    PersonsOut,
    RelationOut,
    TouchesOut,
    TouchOut,
    next_offset,
    shown_traits,
    trait_names,
    visible_codes,
)
from yutang.guard import exporting
from yutang.kernel.errors import BadInput, NotFound
from yutang.kernel.ids import NodeId, PersonId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import senders
from yutang.people import queries as people
from yutang.people.contracts import PersonCard
from yutang.profiles import queries as profiles
from yutang.reach import queries as plans
from yutang.reach.ledger import touches_of
from yutang.segments import queries as segments
from yutang.warehouse.contracts import Statement, named

router = Router(tags=["persons"])


@router.get("/persons", response={200: PersonsOut, **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def list_persons(
    request: HttpRequest,
    limit: Limit,
    offset: Offset,
    format: Format,
    find: Annotated[str, Query("", max_length=200, description="A whole phone, member number or other ID.")] = "",
    segment: Annotated[str, Query("", max_length=63, description="The name of a segment.")] = "",
    order: str = "person",
    traits: Annotated[str, Query("", description="Names of traits, separated by commas.")] = "",
) -> PersonsOut | StreamingHttpResponse:
    """The persons whom the token sees: all, one segment's members, or those with exactly one identifier."""
    viewer, names = viewer_of(request), trait_names(traits)
    if format != "json":
        limit, offset = MOST_ROWS, 0
    if find and segment:
        raise BadInput("find 和 segment 只能用一个。", "Use either find or segment.")
    if find:
        persons = people.find_by_identifier(viewer, find)[offset : offset + limit + 1]
        rows: list[dict[str, Any]] = [{"person": person, **_some_traits(viewer, person, names)} for person in persons]
    elif segment:
        rows = segments.members(
            warehouse(),
            viewer,
            segments.segment_named(segment),
            limit=limit + 1,
            offset=offset,
            order=order,
            traits=names,
        ).to_pylist()
    else:
        rows = _everyone(viewer, names, limit + 1, offset)
    codes = visible_codes(viewer)
    known = people.names_of(viewer, [PersonId(row["person"]) for row in rows[:limit]])
    if format != "json":
        shown = (
            {"person": row["person"], "name": known.get(row.pop("person")), **shown_traits(codes, row)} for row in rows
        )
        return file_of(request, "persons", format, shown)
    return PersonsOut(
        items=[
            PersonItem(person=row["person"], name=known.get(row.pop("person")), traits=shown_traits(codes, row))
            for row in rows[:limit]
        ],
        next_offset=next_offset(rows, limit, offset),
    )


def _some_traits(viewer: Viewer, person: PersonId, names: Iterable[str]) -> dict[str, Any]:
    traits = profiles.traits_of(warehouse(), viewer, person) if names else {}
    return {name: traits[name] for name in names}


def _everyone(viewer: Viewer, names: Iterable[str], limit: int, offset: int) -> list[dict[str, Any]]:
    query = profiles.in_scope(profiles.select_traits(names, profiles.moment(warehouse())), viewer)
    query = query.order_by(exp.column("person", "profiles")).limit(limit).offset(offset)
    rows: list[dict[str, Any]] = warehouse().query(Statement(query, name="api/persons")).to_pylist()
    return rows


@router.get("/persons/{person}", response={200: PersonOut, **REFUSALS}, auth=Token("read"))
def get_person(request: HttpRequest, person: Number) -> PersonOut:
    """A person's card and traits. Phones and e-mails are masked for those who do not operate."""
    viewer = viewer_of(request)
    card = people.person_card(viewer, PersonId(person))
    codes = visible_codes(viewer)
    colleagues = {sender.id: sender for sender in senders(viewer)}
    return PersonOut(
        person=card.person,
        births=list(card.births),
        name=card.name,
        home_store=codes.get(card.home_node) if card.home_node else None,
        born_at=card.born_at,
        silent=card.silent,
        blocked=card.blocked,
        synthetic=card.synthetic,
        identifiers=[
            IdentifierOut(kind=one.kind, namespace=one.namespace, value=one.shown) for one in card.identifiers
        ],
        relations=[
            RelationOut(
                userid=colleagues[one.sender].userid,
                store=codes.get(colleagues[one.sender].store),
                added_at=one.added_at,
                lost_at=one.lost_at,
                last_talk_at=one.last_talk_at,
                live=one.live,
            )
            for one in card.relations
            if one.sender in colleagues
        ],
        consents=[ConsentOut.model_validate(one, from_attributes=True) for one in card.consents],
        tags=list(card.tags),
        traits=shown_traits(codes, _traits(viewer, card)),
    )


def _traits(viewer: Viewer, card: PersonCard) -> dict[str, Any]:
    """None yet for somebody who came after the last refresh."""
    try:
        return profiles.traits_of(warehouse(), viewer, card.person)
    except NotFound:
        return {}


@router.get("/persons/{person}/events", response={200: EventsOut, **REFUSALS}, auth=Token("read"))
def list_events(request: HttpRequest, person: Number, limit: Limit, offset: Offset) -> EventsOut:
    """What happened to a person, newest first; what happened at other stores is not told."""
    viewer = viewer_of(request)
    card = people.person_card(viewer, PersonId(person))
    codes = visible_codes(viewer)
    tables = {
        "births": pa.table({"person": pa.array(card.births, pa.int64())}),
        "seen": pa.table({"node": pa.array(codes, pa.int64())}),
        "colleagues": pa.table({"staff": pa.array([one.staff for one in senders(viewer)], pa.int64())}),
    }
    params = {"sees_all": viewer.sees_all, "limit": limit + 1, "offset": offset}
    rows = warehouse().query(named("api/person_events", params, tables)).to_pylist()
    plan = _plan_shown(viewer)
    return EventsOut(
        person=card.person,
        items=[EventOut(**_event(row, codes, plan)) for row in rows[:limit]],
        next_offset=next_offset(rows, limit, offset),
    )


def _event(
    row: dict[str, Any], codes: Mapping[NodeId, str], plan: Callable[[int | None], int | None]
) -> dict[str, Any]:
    shown = {"props": json.loads(row["props"] or "{}"), "store": codes.get(row["store"]), "plan": plan(row["plan"])}
    return {**row, **shown}


@router.get("/persons/{person}/touches", response={200: TouchesOut, **REFUSALS}, auth=Token("read"))
def list_touches(request: HttpRequest, person: Number, limit: Limit) -> TouchesOut:
    """Everything the gate said of a person, newest first: sent, held out, or why not. A plan that the token does not
    see has no number here."""
    viewer = viewer_of(request)
    card = people.person_card(viewer, PersonId(person))
    plan = _plan_shown(viewer)
    items = [
        TouchOut.model_validate(touch, from_attributes=True).model_copy(update={"plan": plan(touch.plan)})
        for touch in touches_of(warehouse(), card.person, limit)
    ]
    return TouchesOut(person=card.person, items=items)


def _plan_shown(viewer: Viewer) -> Callable[[int | None], int | None]:
    """The number of a plan if the viewer may see it; each is looked up once."""
    known: dict[int, bool] = {}

    def shown(plan: int | None) -> int | None:
        if plan is None:
            return None
        if plan not in known:
            known[plan] = viewer.sees_all or _sees_plan(viewer, plan)
        return plan if known[plan] else None

    return shown


def _sees_plan(viewer: Viewer, plan: int) -> bool:
    try:
        plans.plan(viewer, plan)
    except NotFound:
        return False
    return True


@router.get("/persons/{person}/export", response={200: dict[str, Any], **REFUSALS}, auth=Token("read"))
def export_one(request: HttpRequest, person: Number) -> dict[str, Any]:
    """Everything held of a person, by section, for that person (个保法 45 条). Headquarters only; it is noted."""
    found = exporting.export_person(warehouse(), viewer_of(request), PersonId(person))
    plain: dict[str, Any] = json.loads(exporting.as_json(found))
    return plain

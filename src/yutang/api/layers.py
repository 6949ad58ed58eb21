"""Layers: RFM, the stages of life, the ladder and who moved on it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema

from yutang.api.door import REFUSALS, Limit, Offset, Token, viewer_of, warehouse
from yutang.api.files import AS_FILES, MOST_ROWS, Format, file_of
from yutang.kernel.clock import business_now
from yutang.layers import flow, ladder, super_users
from yutang.layers.telling import told_flow, told_layers, told_membership, told_move, told_super_user
from yutang.organisation.queries import nodes

router = Router(tags=["layers"])
Days = Annotated[int, Query(30, ge=1, le=3650)]


class LayerOut(Schema):
    """Persons of a layer; `spend` is of the last 365 days."""

    persons: int
    reachable: int
    spend: float


class NamedLayerOut(LayerOut):
    """A stage of life or a step of the ladder."""

    name: str


class RfmCellOut(LayerOut):
    """One of the eight named cells."""

    cell: str


class ScoresOut(LayerOut):
    """Persons of one store type with the same three scores."""

    type: str
    recency: int
    frequency: int
    monetary: int


class LayersOut(Schema):
    """All layers of whom the token sees."""

    by: str
    cells: list[RfmCellOut]
    scores: list[ScoresOut]
    lifecycle: list[NamedLayerOut]
    ladder: list[NamedLayerOut]


class MoveOut(Schema):
    """A person's move on the ladder."""

    person: int
    before: str
    step: str
    at: datetime


class MovesOut(Schema):
    """A page of moves, the latest first."""

    total: int
    items: list[MoveOut]


@router.get("/layers", response={200: LayersOut, **REFUSALS}, auth=Token("read"))
def get_layers(request: HttpRequest) -> dict[str, Any]:
    """RFM, the stages of life and the ladder, of whom the token sees."""
    return told_layers(warehouse(), viewer_of(request))


@router.get("/layers/moves", response={200: MovesOut, **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def list_moves(
    request: HttpRequest, limit: Limit, offset: Offset, format: Format, days: Days
) -> dict[str, Any] | StreamingHttpResponse:
    """Who went up and down the ladder in the last days."""
    if format != "json":
        limit, offset = MOST_ROWS, 0
    since = business_now() - timedelta(days=days)
    total, found = ladder.moves(warehouse(), viewer_of(request), since, limit=limit, offset=offset)
    rows = [told_move(one) for one in found]
    return file_of(request, "ladder-moves", format, rows) if format != "json" else {"total": total, "items": rows}


class StoodOut(Schema):
    """Of each stage, by the step taken last."""

    met: int
    bought: int
    again: int
    wider: int


class TookOut(StoodOut):
    """Of each step."""

    brought: int


class RatesOut(Schema):
    """Of each stage the share that took the next step; null where nobody stood there."""

    met: float | None
    bought: float | None
    again: float | None
    wider: float | None


class DayFlowOut(Schema):
    """A local day: who `stood` at each stage when it began, who `took` each step, and which share went on."""

    day: date
    stood: StoodOut
    took: TookOut
    rates: RatesOut


class FlowOut(Schema):
    """The last 61 days, today (which is not over) first; `as_of` says when they were counted."""

    as_of: datetime
    days: list[DayFlowOut]


@router.get("/layers/flow", response={200: FlowOut, **REFUSALS}, auth=Token("read"))
def get_flow(request: HttpRequest) -> dict[str, Any]:
    """Day by day: met, bought, bought again, bought of another category, brought somebody; of whom the token sees."""
    counted = flow.flow(warehouse(), viewer_of(request))
    return {"as_of": counted.as_of, "days": told_flow(counted.value)}


class SuperUserOut(Schema):
    """A super-user; a sign without a rule is null."""

    person: int
    signs: int
    repeat: bool | None = None
    spend: bool | None = None
    loyalty: bool | None = None
    sharing: bool | None = None
    orders_365d: int
    spend_365d: float
    days_since_last_visit: int | None
    home_store: str | None
    reachable: bool


class SuperUsersOut(Schema):
    """A page of super-users, who spent most first."""

    total: int
    items: list[SuperUserOut]


class EndsOut(Schema):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class FeeOut(Schema):
    """A yearly fee: whom it serves (those worth `least` or more), what each of them is expected to spend in a year, and
    what each and all together bring; null where they are fewer than 10."""

    fee: float
    least: float | None
    invited: int
    spend: EndsOut | None
    each: EndsOut | None
    together: EndsOut | None
    needed_uplift: EndsOut | None
    pays: bool


class MembershipOut(Schema):
    """What each fee would bring of `told` super-users (`untold` have no potential value), beside what it assumes.
    `cannot`: why nothing is told. `off`: by which share values were off when they were tried on the past."""

    cannot: str | None
    assumes: dict[str, float]
    told: int
    untold: int
    off: float | None
    least_fee: EndsOut | None
    fees: list[FeeOut]


@router.get("/super-users", response={200: SuperUsersOut, **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def list_super_users(
    request: HttpRequest, limit: Limit, offset: Offset, format: Format
) -> dict[str, Any] | StreamingHttpResponse:
    """The super-users whom the token sees, who spent most first."""
    if format != "json":
        limit, offset = MOST_ROWS, 0
    viewer, document = viewer_of(request), super_users.super_users_document()
    total, found = super_users.listed(warehouse(), viewer, document, limit=limit, offset=offset)
    codes = {int(node.id): node.code for node in nodes() if viewer.sees(node.id)}
    rows = [told_super_user(row, codes) for row in found]
    return file_of(request, "super-users", format, rows) if format != "json" else {"total": total, "items": rows}


@router.get("/super-users/membership", response={200: MembershipOut, **REFUSALS}, auth=Token("read"))
def get_membership(request: HttpRequest) -> dict[str, Any]:
    """At which fee a paid membership of the super-users would pay back."""
    document = super_users.super_users_document()
    return told_membership(super_users.membership(warehouse(), viewer_of(request), document), document.membership)

"""封号演练: what would be lost with an account, a corp or a channel."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Field, Query, Router, Schema

from yutang.api.door import REFUSALS, Limit, Offset, Token, viewer_of, warehouse
from yutang.api.files import AS_FILES, MOST_ROWS, Format, file_of
from yutang.guard.drill import queries
from yutang.guard.drill.contracts import UnitLevel
from yutang.guard.drill.telling import shown_drill, shown_lost, shown_risk
from yutang.organisation.queries import nodes

router = Router(tags=["guard"])


class UnitOut(Schema):
    """What is imagined to be gone, and what that would cost. `of` names it in `GET /drill/of`."""

    level: UnitLevel
    of: str = Field(description="An account's number, a corp's id, or a channel's name.", examples=["ww-pond"])
    channel: str = Field(examples=["wecom"])
    corp: str | None
    userid: str | None = Field(description="Of an account.", examples=["zhangsan"])
    store: str | None = Field(description="The code of the account's store.", examples=["s1"])
    reached: int = Field(description="Persons whom it reaches, who consented and are neither blocked nor silent.")
    still: int = Field(description="Of those, who is reached by another way too.")
    lost: int = Field(description="Of those, whom nothing else reaches.")


class SparedOut(Schema):
    """The persons of one home store (null: of none). `by_way` counts a person at each other way."""

    store: str | None
    reached: int
    still: int
    lost: int
    by_way: dict[str, int]


class DrillOut(UnitOut):
    """One drill. `could`: of those lost, who consented to an unconnected channel and has an address."""

    by_way: dict[str, int]
    could: dict[str, int]
    stores: list[SparedOut]


class LostOut(Schema):
    """Somebody whom nothing else reaches."""

    person: int
    store: str | None
    synthetic: bool
    orders_ever: int
    spend_365d: float


class UnitAsked(Schema):
    """Which unit is gone."""

    level: UnitLevel
    of: str = Field(max_length=128)


@router.get("/drill", response={200: list[UnitOut], **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def rank_units(
    request: HttpRequest, format: Format, level: UnitLevel = UnitLevel.ACCOUNT
) -> list[dict[str, object]] | StreamingHttpResponse:
    """Every account (or corp, or channel) that the token sees, the one first that would cost most."""
    codes = {node.id: node.code for node in nodes()}
    rows = [shown_risk(one, codes) for one in queries.ranking(warehouse(), viewer_of(request), level, now=True).value]
    return rows if format == "json" else file_of(request, "ban-drill", format, rows)


@router.get("/drill/of", response={200: DrillOut, **REFUSALS}, auth=Token("read"))
def drill_unit(request: HttpRequest, asked: Annotated[UnitAsked, Query()]) -> dict[str, object]:
    """Who is still reached, and how, where one of them is gone."""
    viewer = viewer_of(request)
    unit = queries.unit(viewer, asked.level, asked.of)
    return shown_drill(queries.drill(warehouse(), viewer, unit, now=True), {node.id: node.code for node in nodes()})


@router.get("/drill/lost", response={200: list[LostOut], **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def list_lost(
    request: HttpRequest, format: Format, asked: Annotated[UnitAsked, Query()], limit: Limit, offset: Offset
) -> list[dict[str, object]] | StreamingHttpResponse:
    """Who would be lost, those who spent most in a year first."""
    viewer = viewer_of(request)
    unit = queries.unit(viewer, asked.level, asked.of)
    if format != "json":
        limit, offset = MOST_ROWS, 0
    _total, found = queries.lost(warehouse(), viewer, unit, limit=limit, offset=offset, now=True)
    codes = {node.id: node.code for node in nodes()}
    rows = [shown_lost(one, codes) for one in found]
    return rows if format == "json" else file_of(request, "ban-drill-lost", format, rows)

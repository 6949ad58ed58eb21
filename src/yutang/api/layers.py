"""Layers: RFM, the stages of life, the ladder and who moved on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema

from yutang.api.door import REFUSALS, Limit, Offset, Token, viewer_of, warehouse
from yutang.api.files import AS_FILES, MOST_ROWS, Format, file_of
from yutang.kernel.clock import business_now
from yutang.layers import ladder
from yutang.layers.telling import told_layers, told_move

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

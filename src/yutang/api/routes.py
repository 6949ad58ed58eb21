"""The HTTP API: thin, no rules of its own. Every call carries a token, every token has scopes and a viewer."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from ninja import Router

from yutang.api import (
    drill,
    events,
    execution,
    groups,
    growth,
    guides,
    layers,
    persons,
    plans,
    sameness,
    segments,
    stores,
    traits,
    values,
    ways,
)
from yutang.api.door import api

__all__ = ["api"]

_elsewhere = Router()


@_elsewhere.api_operation(["GET", "POST", "PUT", "PATCH", "DELETE"], "/{path:rest}", include_in_schema=False)
def nothing_here(request: HttpRequest, rest: str) -> None:
    """An address that no operation has."""
    raise Http404


_rooms = (
    events,
    segments,
    persons,
    sameness,
    plans,
    stores,
    ways,
    groups,
    drill,
    execution,
    guides,
    layers,
    traits,
    values,
    growth,
)
for _router in (*(_room.router for _room in _rooms), _elsewhere):
    api.add_router("", _router)

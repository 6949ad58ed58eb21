"""Stores, and what stands in the pond."""

from __future__ import annotations

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router

from yutang.api.door import REFUSALS, Token, viewer_of, warehouse
from yutang.api.files import AS_FILES, Format, file_of
from yutang.api.schemas import StoreOut, TotalsOut
from yutang.kernel.errors import Refused
from yutang.organisation.queries import brand, nodes
from yutang.profiles.queries import as_of
from yutang.warehouse.contracts import named

router = Router(tags=["pond"])


@router.get("/stores", response={200: list[StoreOut], **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def list_stores(request: HttpRequest, format: Format) -> list[StoreOut] | StreamingHttpResponse:
    """The brand, its regions and its stores as far as the token sees them, parents first."""
    viewer = viewer_of(request)
    tree = nodes()
    codes = {node.id: node.code for node in tree if viewer.sees(node.id)}
    rows = [
        StoreOut(
            code=node.code,
            name=node.name,
            kind=node.kind,
            parent=codes.get(node.parent) if node.parent else None,
            zone=node.zone,
            synthetic=node.synthetic,
        )
        for node in tree
        if node.id in codes
    ]
    return rows if format == "json" else file_of(request, "stores", format, (row.model_dump() for row in rows))


@router.get("/totals", response={200: TotalsOut, **REFUSALS}, auth=Token("read"))
def totals(request: HttpRequest) -> TotalsOut:
    """What stands in the whole pond, for tokens that see the whole brand."""
    if not viewer_of(request).sees_all:
        raise Refused(
            "总数是全品牌的，这个令牌只看得到一部分门店。",
            "Totals are those of the whole brand; this token sees only some of its stores.",
        )
    row = warehouse().query(named("intake/totals")).to_pylist()[0]
    return TotalsOut(**row, currency=brand().currency, as_of=as_of(warehouse()))

"""Contact ways, and what each cost and brought."""

from __future__ import annotations

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Field, Router, Schema

from yutang.api.door import REFUSALS, Token, viewer_of, warehouse
from yutang.api.files import AS_FILES, Format, file_of
from yutang.api.schemas import Amount, Instant, TitleOut
from yutang.connect import queries
from yutang.connect.telling import quota_shown, shown
from yutang.organisation.queries import brand

router = Router(tags=["connect"])


class IntervalOut(Schema):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class WayOut(Schema):
    """A contact way. Costs and spending are in the brand's currency; `spent` is not profit."""

    name: str = Field(examples=["store_poster"])
    title: TitleOut
    version: int
    source: str = Field(examples=["poster"])
    at: str = Field(description="The code of the store, region or brand that it belongs to.", examples=["brand"])
    channel: str = Field(description="wecom (a QR code), acquisition (a link) or manual.", examples=["wecom"])
    closed: bool = Field(description="Whether it was closed: it no longer works at the platform.")
    links: list[str] = Field(description="The addresses of an acquisition link, our channel included; else empty.")
    ready: bool = Field(description="Whether its page shows a code to add.")
    address: str = Field(description="The path of its public page.", examples=["/w/3f2a9c11d0/"])
    scans: int
    joined: int = Field(description="Persons who became friends by it.")
    kept: int = Field(description="Of them, still a friend of somebody.")
    lost: int = Field(description="Of them, nobody's friend any more.")
    net: int = Field(description="Joined less lost.")
    first_orders: int = Field(description="Of them, who bought for the first time ever afterwards.")
    spent: Amount = Field(description="The net amount of their orders since.")
    cost: Amount
    cost_per_head: Amount | None
    first_rate: IntervalOut | None = Field(description="Null where too few joined: it cannot be told.")
    payback: IntervalOut | None = Field(description="What came in for each unit spent; null where it cannot be told.")
    currency: str = Field(examples=["CNY"])


@router.get("/ways", response={200: list[WayOut], **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def list_ways(request: HttpRequest, format: Format) -> list[dict[str, object]] | StreamingHttpResponse:
    """The contact ways of the stores that the token sees, with what each cost and brought."""
    viewer = viewer_of(request)
    found = queries.ways(viewer)
    results = queries.results(warehouse(), viewer, found)
    currency = brand().currency
    rows = [shown(one, results[one.name], currency) for one in found]
    return rows if format == "json" else file_of(request, "ways", format, rows)


class ExpiryOut(Schema):
    """A part of a quota that ends."""

    until: Instant
    count: int


class QuotaOut(Schema):
    """What is left of a corp's quota of acquisition links, and how long it lasts at the rate of the last 14 days."""

    corp: str
    total: int = Field(description="What was ever bought.")
    balance: int
    expiring: list[ExpiryOut]
    read_at: Instant
    per_day: float = Field(description="New friends a day by acquisition links.")
    days: float | None = Field(description="Null where nobody comes by such links.")
    lost: int = Field(description="What will have expired unused at that rate.")


@router.get("/ways/quota", response={200: list[QuotaOut], **REFUSALS}, auth=Token("read"))
def list_quota(request: HttpRequest) -> list[dict[str, object]]:
    """The quota of acquisition links, by corp. For keys of the whole brand."""
    return [quota_shown(one) for one in queries.quota_outlooks(viewer_of(request))]

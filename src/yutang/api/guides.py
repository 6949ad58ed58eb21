"""导购信任分 and 账号健康: how much customers trust each guide, and how the accounts are."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Field, Query, Router, Schema

from yutang.api.door import REFUSALS, Token, viewer_of, warehouse
from yutang.api.files import AS_FILES, Format, file_of
from yutang.guard.accounts.contracts import Level, Sign
from yutang.guard.accounts.queries import accounts
from yutang.guard.accounts.telling import told_account
from yutang.organisation.queries import nodes
from yutang.review.telling import told_trust
from yutang.review.trust_queries import Standing, guides

router = Router(tags=["guides"])


class TrustOut(Schema):
    """A guide. The score (0–100) and its 90 % interval are null where too few friends tell nothing yet."""

    staff: int
    store: str | None = Field(description="The code of the store where the guide stands now.", examples=["s1"])
    standing: Standing
    value: float | None
    low: float | None
    high: float | None
    friends: int = Field(description="Friends whom the guide won.")
    lost: int = Field(description="Of those, who ended it.")
    kept_1: float | None = Field(description="The share of friends who stayed so many days.")
    kept_7: float | None
    kept_30: float | None
    kept_90: float | None


class AccountOut(Schema):
    """An account: how it is, by which signs, what its card lacks, and what it did."""

    corp: str
    userid: str
    store: str | None = Field(examples=["s1"])
    level: Level
    signs: list[Sign]
    missing: list[str] = Field(description="Wanted parts of the card that are empty.", examples=[["avatar"]])
    untold: list[str] = Field(description="Wanted parts of which the platform tells our app nothing.")
    friends: int
    deleted: int = Field(description="Customers who deleted it within 30 days.")
    expected: float = Field(description="How many an account with as many friends is deleted by.")
    sent_today: int
    daily_quota: int
    sent_30: int
    open: int = Field(description="Tasks that wait for its tap.")
    closed: int = Field(description="Tasks that ended within 30 days.")
    untapped: int = Field(description="Of those, how many ended without a tap.")


@router.get("/guides/trust", response={200: list[TrustOut], **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def list_trust(request: HttpRequest, format: Format) -> list[dict[str, object]] | StreamingHttpResponse:
    """The trust score of each guide whom the token sees, the highest first."""
    codes = {node.id: node.code for node in nodes()}
    rows = [told_trust(one, codes) for one in guides(warehouse(), viewer_of(request))]
    return rows if format == "json" else file_of(request, "guide-trust", format, rows)


@router.get(
    "/guides/accounts", response={200: list[AccountOut], **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES
)
def list_accounts(
    request: HttpRequest, format: Format, level: Annotated[Level | None, Query()] = None
) -> list[dict[str, object]] | StreamingHttpResponse:
    """How the accounts are that the token sees, and what their cards lack, the worst first; `level`: those alone."""
    codes = {node.id: node.code for node in nodes()}
    found = accounts(warehouse(), viewer_of(request))
    rows = [told_account(one, codes) for one in found if level in (None, one.level)]
    return rows if format == "json" else file_of(request, "account-health", format, rows)

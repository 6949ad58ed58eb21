"""The growth formula as a tree, and what kind of category this is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from yutang.api.door import REFUSALS, Token, viewer_of, warehouse
from yutang.kernel.errors import NotFound
from yutang.review.advisor_queries import advice, advisor_document
from yutang.review.growth_telling import told_advice, told_tree
from yutang.review.growth_tree_queries import growth_tree

router = Router(tags=["growth"])


class BranchOut(Schema):
    """A place or source: its sales, what they changed by, and what each factor did; amounts are exact, as text."""

    name: str
    sales_before: str
    sales: str
    buyers: int
    change: str
    parts: dict[str, str]
    new: str
    repeat: str


class TreeOut(Schema):
    """Parts add up to the change, and so do the changes of what stands below."""

    at: str
    month: str
    before: str
    running: bool
    as_of: datetime
    heads: int
    total: BranchOut
    below: list[BranchOut]
    sources: list[BranchOut]


@router.get("/growth/tree", response={200: TreeOut, **REFUSALS}, auth=Token("read"))
def get_tree(
    request: HttpRequest,
    at: Annotated[str, Query("", max_length=64, description="The code of a node; empty: all that the token sees.")],
    month: Annotated[str, Query("", max_length=7, description="Such as 2017-12; empty: the last that is over.")],
) -> dict[str, Any]:
    """By which factor, place and source a place's sales changed against the month before."""
    found = growth_tree(warehouse(), viewer_of(request), at, month)
    if found is None:
        raise NotFound("还没有两个月可比。", "There are no two months to compare yet.")
    return told_tree(found)


class EvidenceOut(Schema):
    """A yardstick, its bound and what follows; `close`: the figure's interval holds the bound."""

    name: str
    value: float | None
    bound: float
    level: str
    close: bool


class AdviceOut(Schema):
    """What a category ('': the whole brand) is: A to E, or why it cannot be told."""

    category: str
    kind: str | None
    exact: bool
    unknown: str | None
    one_off: bool
    buyers: int
    rate: float
    rate_low: float
    rate_high: float
    price: float
    again_share: float | None
    consulted: float | None
    evidence: list[EvidenceOut]


@router.get("/advisor", response={200: list[AdviceOut], **REFUSALS}, auth=Token("read"))
def get_advice(request: HttpRequest) -> list[dict[str, Any]]:
    """What kind of category each is, with the evidence. For headquarters only."""
    return [told_advice(one) for one in advice(warehouse(), viewer_of(request), advisor_document()).value]

"""门店与导购: the league of stores with their net friends, and how much customers trust each guide, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.pages import Page, page
from yutang.console.tables import PAGE_SIZE, Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import TRUST, said
from yutang.kernel.clock import business_now
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.organisation.queries import nodes, staff_names
from yutang.profiles.friends import NetFriends, net_friends, total
from yutang.review.growth_queries import inside
from yutang.review.trust import Component, Rate
from yutang.review.trust_queries import (
    DAYS,
    RECENT,
    GuideTrust,
    Standing,
    StoreLeague,
    guides,
    league,
    trust_document,
)

Row = TypeVar("Row")
StoreKey = Callable[["StoreRow"], float | None]
GuideKey = Callable[["GuideRow"], float | None]


@dataclass(frozen=True, slots=True)
class StoreRow:
    """A store of the league, by its name."""

    node: NodeFacts
    facts: StoreLeague

    @property
    def kept_30(self) -> float | None:
        """The share of new friends that stays 30 days."""
        return self.facts.kept.shares[2] if self.facts.kept else None

    @property
    def kept_90(self) -> float | None:
        """The share of new friends that stays 90 days."""
        return self.facts.kept.shares[3] if self.facts.kept else None


@dataclass(frozen=True, slots=True)
class GuideRow:
    """A guide, with where she stands and what she gained. `name` is filled in for those that are shown."""

    facts: GuideTrust
    store: NodeFacts | None
    net: NetFriends
    name: str = ""

    @property
    def shares(self) -> tuple[float, float, float] | None:
        """The score and the ends of its interval as shares, for a bar."""
        score = self.facts.score
        return (score.value / 100, score.low / 100, score.high / 100) if score else None

    @property
    def rates(self) -> list[Rate | None]:
        """How often friends leave, answer and buy, against other guides."""
        parts = self.facts.score.parts if self.facts.score else {}
        return [parts.get(component) for component in Component]


STORE_SORTS: dict[str, StoreKey] = {
    "net": lambda row: row.facts.net.net,
    "added": lambda row: row.facts.net.added,
    "per_orders": lambda row: row.facts.friends_per_hundred_orders,
    "kept": lambda row: row.kept_30,
    "above": lambda row: row.facts.above - row.facts.below,
    "sales": lambda row: float(row.facts.sales),
}
GUIDE_SORTS: dict[str, GuideKey] = {
    "score": lambda row: row.facts.score.value if row.facts.score else None,
    "friends": lambda row: row.facts.kept.friends,
    "kept": lambda row: row.facts.kept.shares[2],
    "net": lambda row: row.net.net,
}


@page
@require_safe
def stores(request: Page) -> HttpResponseBase:
    """The stores; `?region=` keeps one region, `?sort=` orders, `?export=` (csv, xlsx, parquet) makes a file."""
    tree = {node.id: node for node in nodes()}
    below, regions, region = _region(request, list(tree.values()))
    found = [StoreRow(tree[one.store], one) for one in league(request.warehouse, request.viewer) if one.store in below]
    order = sorting(request, STORE_SORTS, "-net")
    rows = _ordered(found, STORE_SORTS[order.removeprefix("-")], down=order.startswith("-"))
    if wanted_format(request):
        return _export_stores(request, rows)
    pager = Pager(page_number(request), len(rows))
    context = {
        "rows": rows[pager.offset : pager.offset + PAGE_SIZE],
        "pager": pager,
        "total": total(row.facts.net for row in rows),
        "days": RECENT.days,
        "regions": regions,
        "region": region,
    }
    return render(request, "console/league.html", context)


@page
@require_safe
def trust(request: Page) -> HttpResponseBase:
    """The guides; `?region=`, `?store=` and `?standing=` keep some, `?sort=` orders, `?export=` makes a file."""
    tree = {node.id: node for node in nodes()}
    below, regions, region = _region(request, list(tree.values()))
    chosen = request.GET.get("store", "")
    standing = request.GET.get("standing", "")
    net = net_friends(request.warehouse, request.viewer, business_now() - RECENT, business_now())
    seen = [
        GuideRow(one, tree.get(one.store), net.get(one.staff, NetFriends()))
        for one in guides(request.warehouse, request.viewer)
        if one.store in below
    ]
    rows = [
        row
        for row in seen
        if chosen in ("", row.store.code if row.store else "") and standing in ("", row.facts.standing.value)
    ]
    order = sorting(request, GUIDE_SORTS, "-score")
    rows = _ordered(rows, GUIDE_SORTS[order.removeprefix("-")], down=order.startswith("-"))
    if wanted_format(request):
        return _export_guides(request, _named(request, rows))
    pager = Pager(page_number(request), len(rows))
    document = trust_document()
    context = {
        "rows": _named(request, rows[pager.offset : pager.offset + PAGE_SIZE]),
        "pager": pager,
        "any": bool(seen),
        "filtered": bool(region or chosen or standing),
        "counts": [(one.value, sum(row.facts.standing is one for row in seen)) for one in Standing],
        "standing": standing,
        "store": chosen,
        "regions": regions,
        "region": region,
        "weights": document.weights,
        "days": document.days,
        "fewest": document.fewest_friends,
        "recent": RECENT.days,
    }
    return render(request, "console/league_guides.html", context)


def _region(request: Page, tree: Sequence[NodeFacts]) -> tuple[frozenset[NodeId], list[NodeFacts], NodeFacts | None]:
    """The nodes of the region asked for (all, where none is), what regions there are, and which it was."""
    regions = [node for node in tree if node.kind is NodeKind.REGION and request.viewer.sees(node.id)]
    wanted = request.GET.get("region", "")
    region = next((node for node in regions if node.code == wanted), None)
    return inside(tree, region), regions, region


def _ordered(rows: Sequence[Row], key: Callable[[Row], float | None], *, down: bool) -> list[Row]:
    """By the key; of whom there is no such figure comes last either way."""
    known = [(value, row) for row in rows if (value := key(row)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=down)
    return [row for _value, row in known] + [row for row in rows if key(row) is None]


def _named(request: Page, rows: Sequence[GuideRow]) -> list[GuideRow]:
    names = staff_names(request.viewer, [row.facts.staff for row in rows])
    return [GuideRow(row.facts, row.store, row.net, names.get(row.facts.staff, "")) for row in rows]


def _export_stores(request: Page, rows: Sequence[StoreRow]) -> HttpResponseBase:
    head = [_("门店"), _("编号"), _("净增好友"), _("新增"), _("删除"), _("转入"), _("转出")]
    head += [_("订单数"), _("每百单新增好友"), _("销售额"), *_kept_heads(), _("导购"), _("高于中位"), _("低于中位")]
    table = []
    for row in rows:
        one, net = row.facts, row.facts.net
        per = one.friends_per_hundred_orders
        table.append(
            (
                *(row.node.name, row.node.code, net.net, net.added, net.lost, net.handed_in, net.handed_on),
                *(one.orders, None if per is None else round(per, 2), one.sales),
                *(_shares(one.kept.shares) if one.kept else (None,) * len(DAYS)),
                *(one.guides, one.above, one.below),
            )
        )
    return exported(request, "league", head, table)


def _export_guides(request: Page, rows: Sequence[GuideRow]) -> HttpResponseBase:
    head = [_("导购"), _("门店"), _("信任分"), _("下限"), _("上限"), _("判断"), _("赢得的好友"), _("其中流失")]
    head += [*_kept_heads(), _("净增好友"), _("新增"), _("删除")]
    for title in (_("流失倍数"), _("回复倍数"), _("购买倍数")):
        head += [title, _("下限"), _("上限")]
    table = []
    for row in rows:
        one, score, net = row.facts, row.facts.score, row.net
        rates = [(rate.value, rate.low, rate.high) if rate else (None,) * 3 for rate in row.rates]
        table.append(
            (
                *(row.name, row.store.code if row.store else ""),
                *((round(score.value, 1), round(score.low, 1), round(score.high, 1)) if score else (None,) * 3),
                said(TRUST, one.standing.value),
                *(one.kept.friends, one.kept.lost, *_shares(one.kept.shares), net.net, net.added, net.lost),
                *(None if value is None else round(value, 3) for several in rates for value in several),
            )
        )
    return exported(request, "guide_trust", head, table)


def _kept_heads() -> list[str]:
    return [_("留存 %(days)d 天") % {"days": days} for days in DAYS]


def _shares(shares: Sequence[float | None]) -> list[float | None]:
    return [None if share is None else round(share, 4) for share in shares]


urls = [path("league/", stores, name="league"), path("league/guides/", trust, name="league_guides")]

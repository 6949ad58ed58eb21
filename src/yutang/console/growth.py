"""增长公式: sales as customers × frequency × basket, what each did between two months, and every month as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.pages import Page, page
from yutang.console.tables import exported, wanted_format
from yutang.kernel.calendars import local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.organisation.queries import nodes
from yutang.review.growth import Factor, MonthSales, Split, split_change
from yutang.review.growth_queries import inside, sales_kept

MANY_STORES = 60


@dataclass(frozen=True, slots=True)
class Branch:
    """One factor of the tree: its value in both months, and what it did to sales."""

    factor: Factor
    before: float | None
    after: float | None
    part: float | None
    figure: SafeString

    @property
    def relative(self) -> float | None:
        """The factor's own change."""
        return self.after / self.before - 1 if self.before and self.after is not None else None


@dataclass(frozen=True, slots=True)
class Compared:
    """A month beside the one before it. `split` is None where the change cannot be told apart; `running`: not over."""

    month: MonthSales
    before: MonthSales | None
    split: Split | None
    running: bool

    @property
    def relative(self) -> float | None:
        """The change of sales as a share."""
        return self.split.change / float(self.before.sales) if self.split and self.before else None

    @property
    def main(self) -> Factor | None:
        """The factor that did most, for better or worse."""
        split = self.split
        return max(Factor, key=lambda factor: abs(split.part(factor))) if split else None

    @property
    def branches(self) -> list[Branch]:
        """The three factors."""
        parts = [abs(self.split.part(factor)) for factor in Factor] if self.split else [0.0]
        return [
            Branch(
                factor,
                self.before.value(factor) if self.before else None,
                self.month.value(factor),
                self.split.part(factor) if self.split else None,
                swing(self.split.part(factor), max(parts)) if self.split else SafeString(""),
            )
            for factor in Factor
        ]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which stores are asked for, and what else could be chosen."""

    region: NodeFacts | None
    store: NodeFacts | None
    regions: list[NodeFacts]
    stores: list[NodeFacts]

    @property
    def place(self) -> NodeFacts | None:
        """The narrower of the two."""
        return self.store or self.region


@page
@require_safe
def growth(request: Page) -> HttpResponseBase:
    """The page: `?month=2017-12`, `?region=` and `?store=` by code; `?export=` (csv, xlsx, parquet) gives the table."""
    tree = nodes()
    chosen = _chosen(request, tree)
    sales = sales_kept(request.warehouse, request.viewer, tree, chosen.place)
    months = compare(sales.value, _this_month(request))
    if wanted_format(request):
        return _export(request, months)
    context = {"months": months[::-1], "chosen": chosen, "shown": _shown(request, months), "factors": list(Factor)}
    context["as_of"] = sales.as_of
    return render(request, "console/growth.html", context)


def compare(months: Sequence[MonthSales], this_month: date) -> list[Compared]:
    """Each month beside the one before it."""
    found = []
    for index, month in enumerate(months):
        before = months[index - 1] if index else None
        running = month.month >= this_month
        split = split_change(before, month) if before and not running else None
        found.append(Compared(month, before, split, running))
    return found


def _this_month(request: Page) -> date:
    return local_day(business_now(), request.brand.zone).replace(day=1)


def _shown(request: Page, months: Sequence[Compared]) -> Compared | None:
    """The month asked for; else the last that is over; None where nobody bought yet."""
    wanted = request.GET.get("month", "")
    if wanted:
        for one in months:
            if f"{one.month.month:%Y-%m}" == wanted:
                return one
        raise NotFound(
            f"没有「{wanted[:20]}」这个月的销售，请从表里选一个月。",
            f"There are no sales for “{wanted[:20]}”; choose a month from the table.",
        )
    over = [one for one in months if not one.running] or months
    return over[-1] if over else None


def _chosen(request: Page, tree: Sequence[NodeFacts]) -> Chosen:
    """A store outside the chosen region counts as none: the region was changed after it. Many are listed by region."""
    seen = [node for node in tree if request.viewer.sees(node.id)]
    region = _node(seen, request.GET.get("region", ""))
    store = _node(seen, request.GET.get("store", ""))
    below = inside(tree, region)
    stores = [node for node in seen if node.kind is NodeKind.STORE and node.id in below]
    if region is None and store is None and len(stores) > MANY_STORES:
        stores = []
    regions = [node for node in seen if node.kind is NodeKind.REGION]
    return Chosen(region, store if store and store.id in below else None, regions, stores)


def _node(seen: Sequence[NodeFacts], code: str) -> NodeFacts | None:
    if not code:
        return None
    for node in seen:
        if node.code == code:
            return node
    raise NotFound(
        f"没有编号为「{code[:40]}」的门店或区域。", f"There is no store or region with the code “{code[:40]}”."
    )


def swing(value: float, largest: float) -> SafeString:
    """A bar from the middle to the right for more, to the left for less."""
    width = round(50 * abs(value) / largest, 2) if largest else 0.0
    return format_html(
        '<svg class="swing {}" width="100%" height="14" aria-hidden="true">'
        '<rect x="{}%" width="{}%" height="14" rx="2"/><line x1="50%" x2="50%" y1="0" y2="14"/></svg>',
        "less" if value < 0 else "more",
        50 - width if value < 0 else 50,
        width,
    )


def _export(request: Page, months: Sequence[Compared]) -> HttpResponseBase:
    head = [_("月份"), _("销售额"), _("顾客数"), _("频次"), _("客单价"), _("订单数"), _("其中合成订单")]
    head += [_("销售额变化"), _("顾客数带来的"), _("频次带来的"), _("客单价带来的"), _("本月未完")]
    rows = []
    for one in months:
        month, split = one.month, one.split
        parts = (split.change, *(split.part(factor) for factor in Factor)) if split else (None,) * 4
        rounded = [None if value is None else round(value, 2) for value in (month.frequency, month.basket, *parts)]
        counted = (month.sales, month.customers, *rounded[:2], month.orders, month.synthetic)
        rows.append((f"{month.month:%Y-%m}", *counted, *rounded[2:], one.running))
    return exported(request, "growth", head, rows)


urls = [path("growth/", growth, name="growth")]

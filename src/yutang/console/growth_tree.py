"""增长树: a place's sales as traffic × conversion × frequency × basket; its change by factor, place and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.growth import swing
from yutang.console.pages import Page, page
from yutang.console.tables import exported, wanted_format
from yutang.organisation.queries import nodes
from yutang.review.growth_tree import SHORT, Branch, Cause, what_if
from yutang.review.growth_tree_queries import Tree, growth_tree

LEAST, MOST = -50, 100  # per cent that a slider moves a factor by


@dataclass(frozen=True, slots=True)
class Part:
    """A factor in both months, and what it did."""

    cause: Cause
    before: float | None
    after: float | None
    amount: Decimal
    figure: SafeString


@dataclass(frozen=True, slots=True)
class Row:
    """A place or source below, with its bar; `code` opens it, empty where there is nothing to open."""

    branch: Branch
    code: str
    figure: SafeString


@page
@require_safe
def tree(request: Page) -> HttpResponseBase:
    """The page: `?at=` (code of a node), `?month=2017-12`; one `?traffic=10` for each factor asks what if, in per cent;
    `?export=` gives the places below as a file. Sources come with `?part=sources`, for which the page does not wait."""
    part = request.GET.get("part") == "sources"
    at, month = request.GET.get("at", ""), request.GET.get("month", "")
    found = growth_tree(request.warehouse, request.viewer, at, month, by_source=part)
    if found is None:
        return render(request, "console/growth_tree.html", {"found": None})
    if wanted_format(request):
        return _export(request, found)
    root = found.root
    if part:
        return render(request, "console/_growth_sources.html", {"sources": _rows(found.sources, {}), "root": root})
    changes = _changes(request, root)
    then = what_if(root.after, {cause: share / 100 for cause, share in changes.items()})
    context = {
        "found": found,
        "root": root,
        "parts": _parts(root),
        "rows": _rows(root.below, _codes(found)),
        "above": _above(request, found),
        "per_head": root.after.sales / found.heads if found.heads else None,
        "sliders": [(cause, changes[cause]) for cause in root.causes],
        "least": LEAST,
        "most": MOST,
        "then": then,
        "more": then - root.after.sales,
        "moved": any(changes.values()),
        "short": root.causes == SHORT,
    }
    return render(request, "console/growth_tree.html", context)


def _parts(root: Branch) -> list[Part]:
    largest = max((abs(float(part)) for part in root.parts.values()), default=0.0)
    return [
        Part(cause, root.before.value(cause), root.after.value(cause), part, swing(float(part), largest))
        for cause, part in root.parts.items()
    ]


def _rows(below: tuple[Branch, ...], codes: Mapping[str, str]) -> list[Row]:
    largest = max((abs(float(one.change)) for one in below), default=0.0)
    ordered = sorted(below, key=lambda one: -abs(one.change))
    return [Row(one, codes.get(one.name, ""), swing(float(one.change), largest)) for one in ordered]


def _codes(found: Tree) -> dict[str, str]:
    return {node.name: node.code for node in nodes() if node.parent == found.place.id}


def _above(request: Page, found: Tree) -> str:
    """The code of the place above, where the viewer sees it."""
    parent = next((node for node in nodes() if node.id == found.place.parent), None)
    return parent.code if parent is not None and request.viewer.sees(parent.id) else ""


def _changes(request: Page, root: Branch) -> dict[Cause, int]:
    """What the sliders say, in per cent; what is no number says nothing."""
    found = {}
    for cause in root.causes:
        text = request.GET.get(cause.value, "0")
        number = int(text) if text.removeprefix("-").isdecimal() and len(text) < 6 else 0
        found[cause] = max(LEAST, min(MOST, number))
    return found


def _export(request: Page, found: Tree) -> HttpResponseBase:
    head = [_("门店或区域"), _("上月"), _("销售额"), _("变化"), _("客流带来的"), _("转化带来的")]
    head += [_("顾客数带来的"), _("频次带来的"), _("客单价带来的"), _("新客变化"), _("老客变化")]
    rows = [
        (
            *(one.name or _("没有门店的订单"), one.before.sales, one.after.sales, one.change),
            *(one.parts.get(cause) for cause in Cause),
            *(one.new_change, one.repeat_change),
        )
        for one in (found.root, *found.root.below)
    ]
    return exported(request, "growth-tree", head, rows)


urls = [path("growth/tree/", tree, name="growth_tree")]

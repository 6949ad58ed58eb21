"""三种价值: what people brought, what is expected of them, and of whom they brought; and how far it can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.figures import bar, columns
from yutang.console.pages import Page, page
from yutang.console.tables import exported, wanted_format
from yutang.console.templatetags.console import money
from yutang.kernel.calendars import local_day
from yutang.kernel.errors import NotFound
from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.organisation.queries import nodes, roots
from yutang.profiles.values import queries
from yutang.profiles.values.contracts import Decile, ModelFacts, Tenth, without_gaps

QUARTERS = 12  # the latest
PLOT = 160  # the height of the plot of deciles, in pixels


@dataclass(frozen=True, slots=True)
class Barred:
    """A tenth with its bar."""

    fact: Tenth
    figure: SafeString


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter with its standard error. `code` is its name in the papers."""

    code: str
    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Said:
    """A model in plain words: days between the orders of the average customer, the chance to leave after an order, and
    what an order brings on average."""

    gap: float
    leaves: float
    each: float
    parameters: tuple[Parameter, ...]


@page
@require_safe
def values(request: Page) -> HttpResponseBase:
    """The page; `?export=` (csv, xlsx, parquet) gives the tenths. Who does not see the whole brand is shown the values
    of those in scope, and of the models no sums."""
    found = queries.state(request.warehouse)
    if found is None:
        return render(request, "console/values.html", {"state": None})
    totals, tenths = queries.totals_of(request.warehouse, request.viewer)
    if wanted_format(request):
        return _export(request, tenths)
    models = queries.models(request.warehouse, found.version) if request.viewer.sees_all else []
    brand = models[0] if models else None
    largest = max((tenth.potential for tenth in tenths), default=0.0)
    place, places = _place(request)
    bought = queries.quarters_at(request.warehouse, request.viewer, place.id if place else None)
    quarters = without_gaps(bought, local_day(found.as_of, found.zone))[-QUARTERS:]
    told = [(f"{one.year % 100:02} Q{one.quarter}", one.amount) for one in quarters]
    context = {
        "state": found,
        "known_from": queries.settings().known_from,
        "totals": totals,
        "each": totals.potential / totals.told if totals.told else None,
        "tenths": [Barred(tenth, bar(tenth.potential, largest)) for tenth in reversed(tenths)],
        "quarters": quarters,
        "chart": columns(told, lambda value: money(value, 0), _("既成价值，按季度")) if len(told) > 1 else "",
        "place": place,
        "places": places,
        "brand": brand,
        "said": _said(brand) if brand is not None and brand.spending else None,
        "models": models[1:],
        "plot": plot(brand.test.deciles) if brand is not None and brand.test is not None else "",
    }
    return render(request, "console/values.html", context)


def _place(request: Page) -> tuple[NodeFacts | None, list[NodeFacts]]:
    """The place whose quarters are shown (`?at=`, by code), None for the whole brand; and those to choose from: the
    brand and its regions, or the topmost places that the viewer sees. Raises NotFound for one outside their scope."""
    tree = nodes()
    tops = roots(request.viewer, tree)
    below = [one for one in tree if one.kind is NodeKind.REGION and request.viewer.sees(one.id)]
    choice = list(dict.fromkeys([*tops, *below]))
    wanted = request.GET.get("at", "")
    found = next((one for one in tree if one.code == wanted and request.viewer.sees(one.id)), None) if wanted else None
    if wanted and found is None:
        raise NotFound(
            f"没有编号为「{wanted[:40]}」的门店或区域。", f"There is no store or region with the code “{wanted[:40]}”."
        )
    if found is None and not request.viewer.sees_all:
        found = next(iter(tops), None)
    if found is not None and found.parent is None:
        found = None  # the whole brand, those without a home store too
    return found, choice


def _said(facts: ModelFacts) -> Said:
    r, alpha, a, b = facts.buying
    p, q, v = facts.spending
    names = ("r", "α", "a", "b", "p", "q", "v")
    errors = (*facts.buying_errors, *facts.spending_errors)
    told = tuple(map(Parameter, names, (*facts.buying, *facts.spending), errors))
    return Said(alpha / r, a / (a + b), p * v / (q - 1) if q > 1 else 0.0, told)


def plot(deciles: Sequence[Decile]) -> SafeString:
    """Two bars for each decile: what was predicted per person, and what came."""
    top = max((max(one.predicted, one.actual) for one in deciles), default=0.0) or 1.0
    width = 100 / max(len(deciles), 1)

    def rect(index: int, share: float, value: float, kind: str) -> SafeString:
        height = PLOT * value / top
        return format_html(
            '<rect class="{}" x="{}%" width="{}%" y="{}" height="{}" rx="2"/>',
            kind, round(index * width + share * width, 2), round(0.36 * width, 2), round(PLOT + 8 - height, 1),
            round(height, 1),
        )  # fmt: skip

    bars = format_html_join(
        "",
        '{}{}<text x="{}%" y="{}" text-anchor="middle">{}</text>',
        (
            (
                rect(index, 0.12, one.predicted, "predicted"),
                rect(index, 0.52, one.actual, "actual"),
                round((index + 0.5) * width, 2),
                PLOT + 24,
                one.number,
            )
            for index, one in enumerate(deciles)
        ),
    )
    return format_html(
        '<svg class="deciles" width="100%" height="{}" role="img" aria-label="{}">'
        '<text x="0" y="10">{}</text>{}<line class="axis" x1="0" x2="100%" y1="{}" y2="{}"/></svg>',
        PLOT + 30,
        _("按预测从少到多十等分，每人预测与实际"),
        money(top, 0),
        bars,
        PLOT + 8,
        PLOT + 8,
    )


def _export(request: Page, tenths: Sequence[Tenth]) -> HttpResponseBase:
    head = [_("十等分"), _("人数"), _("既成价值"), _("潜在价值"), _("下限"), _("上限")]
    rows = [
        (one.number, one.persons, *(round(value, 2) for value in (one.existing_365d, one.potential, one.low, one.high)))
        for one in tenths
    ]
    return exported(request, "values", head, rows)


urls = [path("values/", values, name="values")]

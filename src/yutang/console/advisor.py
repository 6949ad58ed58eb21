"""品类顾问: what kind of category this is, by what it came of, and which method fits; effort against return."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.pages import Page, page
from yutang.console.tables import exported, wanted_format
from yutang.documents import queries as documents
from yutang.reach.documents import BroadcastDocument
from yutang.review.advisor import Advice, break_even_orders
from yutang.review.advisor_documents import AdvisorDocument
from yutang.review.advisor_queries import DEFAULT, advice, advisor_document

SHOWN = 30


@page
@require_safe
def advisor(request: Page) -> HttpResponseBase:
    """The whole brand, then every category; `?export=` gives the table."""
    document = advisor_document()
    counted = advice(request.warehouse, request.viewer, document)
    if wanted_format(request):
        return _export(request, counted.value)
    brand = next((one for one in counted.value if one.measured.category == ""), None)
    plans = {one.name: one for one in documents.documents_of(BroadcastDocument)} if brand and brand.kind else {}
    categories = [one for one in counted.value if one.measured.category]
    context = {
        "brand_advice": brand,
        "plans": [plans[name] for name in brand.kind.plans if name in plans] if brand and brand.kind else [],
        "rows": categories[:SHOWN],
        "more": len(categories) > SHOWN,
        "as_of": counted.as_of,
        "document": document,
        "answers": document.answers_of(""),
        "even": break_even_orders(document.effort, brand.measured.price) if brand else None,
        "cost": document.effort.hours * document.effort.wage,
        "stored": documents.find(AdvisorDocument, DEFAULT),
    }
    return render(request, "console/advisor.html", context)


def _export(request: Page, found: Sequence[Advice]) -> HttpResponseBase:
    head = [
        _("品类"),
        _("类型"),
        _("人数"),
        _("每人每年再买"),
        _("下限"),
        _("上限"),
        _("一次花多少"),
        _("再买过的比例"),
    ]
    rows = [
        (
            *(one.measured.category or _("整个品牌"), one.kind.letter if one.kind else "", one.measured.buyers),
            *(one.measured.rate, one.measured.low, one.measured.high, one.measured.price, one.measured.again_share),
        )
        for one in found
    ]
    return exported(request, "advisor", head, rows)


urls = [path("advisor/", advisor, name="advisor")]

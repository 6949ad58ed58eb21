"""品类顾问: what kind of category this is, by what it came of, and which method fits; effort against return."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, page
from yutang.console.tables import exported, wanted_format
from yutang.documents import queries as documents
from yutang.kernel.errors import BadInput
from yutang.reach.documents import BroadcastDocument
from yutang.review.advisor import Advice, break_even_orders
from yutang.review.advisor_documents import AdvisorDocument, Answers
from yutang.review.advisor_queries import DEFAULT, advice, advice_of, advisor_document
from yutang.review.advisor_services import answer

SHOWN = 30
QUESTIONS = ("asks", "talks", "once")


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
    own = {one.category for one in document.answers}
    categories = [one for one in counted.value if one.measured.category]
    categories.sort(key=lambda one: one.measured.category not in own)  # else the most bought first, as they come
    chosen = request.GET.get("of", "")
    context = {
        "may": request.viewer.may_operate,
        "of": chosen,
        "asked": [(name, getattr(document.answers_of(chosen), name, None)) for name in QUESTIONS],
        "own": own,
        "all": [one.measured.category for one in categories],
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


@page
@require_POST
def advisor_answer(request: Page) -> HttpResponseBase:
    """Keep the three answers of a category (`of`), or of the whole brand."""
    said = {name: request.POST.get(name, "") for name in QUESTIONS}
    if not set(said.values()) <= {"yes", "no"}:
        raise BadInput("三个问题都要回答「是」或「否」。", "Answer each of the three questions with yes or no.")
    of = request.POST.get("of", "")
    if of:
        advice_of(request.warehouse, request.viewer, of)
    answer(Answers(category=of, **{name: word == "yes" for name, word in said.items()}), request.viewer)
    messages.success(request, _("已保存。"))
    return redirect("advisor")


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


urls = [
    path("advisor/", advisor, name="advisor"),
    path("advisor/answers/", advisor_answer, name="advisor_answer"),
]

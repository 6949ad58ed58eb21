"""Methods as documents: one page on which headquarters reads, changes and compares each of them as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, page
from yutang.console.texts import base_version, compared, read_as, sentences
from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.kernel.documents import Document
from yutang.kernel.errors import BadInput, NotFound, Refused, YutangError
from yutang.layers.documents import DEFAULT, LadderDocument, RfmDocument, SuperUsersDocument
from yutang.layers.ladder import keep_ladder
from yutang.organisation.contracts import Viewer
from yutang.review.advisor_documents import AdvisorDocument
from yutang.review.advisor_services import keep_advisor

Keep = Callable[[Any, Viewer, int], StoredDocument]


@dataclass(frozen=True, slots=True)
class Method:
    """A kind of document that is edited here: its name, and the page that it serves."""

    kind: type[Document]
    title: Promise
    page: str
    keep: Keep


def _keep(document: Document, viewer: Viewer, base: int) -> StoredDocument:
    return save_document(document, viewer.name, base=base)


METHODS: dict[str, Method] = {
    one.kind.KIND: one
    for one in (
        Method(RfmDocument, gettext_lazy("RFM 怎么分"), "layers", _keep),
        Method(SuperUsersDocument, gettext_lazy("超级用户与付费会员"), "layers_super", _keep),
        Method(
            AdvisorDocument,
            gettext_lazy("品类顾问的规则与三个问题"),
            "advisor",
            lambda document, viewer, base: keep_advisor(document, viewer, base=base),
        ),
        Method(
            LadderDocument,
            gettext_lazy("客户阶段的规则"),
            "layers_ladder",
            lambda document, viewer, base: keep_ladder(document, viewer, base=base),
        ),
    )
}


@page
@require_safe
def method(request: Page, kind: str) -> HttpResponseBase:
    """The document as text; `?version=` compares it with an earlier one."""
    return _shown(request, _method(kind))


@page
@require_POST
def method_keep(request: Page, kind: str) -> HttpResponse:
    """Keep the text that was sent as the next version."""
    chosen = _method(kind)
    if not (request.viewer.may_operate and request.viewer.sees_all):
        raise Refused("只有总部能改，请找总部运营。", "Only headquarters may change this.")
    text = request.POST.get("text", "").replace("\r\n", "\n")
    try:
        document = read_as(chosen.kind, text)
        if document.name != DEFAULT:
            raise BadInput(f"name 要写 {DEFAULT}。", f"Its name must be {DEFAULT}.")
        chosen.keep(document, request.viewer, base_version(request))
    except YutangError as error:
        return _shown(request, chosen, text, sentences(error), status=422)
    messages.success(request, _("已保存。"))
    return redirect(chosen.page)


def _method(kind: str) -> Method:
    if kind not in METHODS:
        raise NotFound("没有这种文档。", "There is no such document.")
    return METHODS[kind]


def _shown(
    request: Page, chosen: Method, text: str | None = None, wrong: list[str] | None = None, status: int = 200
) -> HttpResponse:
    history = documents.versions(chosen.kind, DEFAULT)
    context = {
        "method": chosen,
        "kind": chosen.kind.KIND,
        "version": base_version(request) if text is not None else history[0].version if history else 0,
        "text": text if text is not None else history[0].document.as_yaml() if history else "",
        "wrong": wrong or [],
        "may": request.viewer.may_operate and request.viewer.sees_all,
        "note": history[0].document.note if history else None,
        **(compared(history, request.GET.get("version", "")) if history else {}),
    }
    return render(request, "console/method.html", context, status=status)


urls = [
    path("methods/<slug:kind>/", method, name="method"),
    path("methods/<slug:kind>/keep/", method_keep, name="method_keep"),
]

"""客户继承: whose customers wait for somebody, who would take over how many, and how transfers stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.connect import inheritance
from yutang.connect.inheritance import HandoverCount, Preview
from yutang.console.pages import Page, language, operators_only, page
from yutang.kernel.errors import YutangError
from yutang.organisation.contracts import NodeKind
from yutang.organisation.queries import nodes, senders


@dataclass(frozen=True, slots=True)
class Taking:
    """A member who would take over so many."""

    name: str
    customers: int


@page
@require_safe
def transfers(request: Page) -> HttpResponseBase:
    """`?handover=` with `?to=` (repeated) or `?store=` previews; nothing is asked for."""
    operators_only(request.viewer)
    asked = _asked(request.GET)
    staff = [one for one in senders(request.viewer) if one.channel == inheritance.WECOM]
    names = {one.userid.casefold(): one.name for one in staff}
    preview: Preview | None = None
    problem = ""
    if asked["handover"] and (asked["takers"] or asked["store"]):
        try:
            preview = inheritance.preview(request.warehouse, request.viewer, **asked)
        except YutangError as error:
            problem = error.sentence(language())
    context = {
        "waiting": [
            (names.get(member.casefold(), member), member, count)
            for (_corp, member), count in inheritance.waiting_for_somebody(request.viewer).items()
        ],
        "rows": [_named(one, names) for one in inheritance.transfers(request.viewer)],
        "staff": [one for one in staff if one.active],
        "stores": [node for node in nodes() if node.kind is NodeKind.STORE],
        "asked": asked,
        "preview": preview,
        "takings": [Taking(names.get(one.casefold(), one), n) for one, n in sorted(preview.by_taker.items())]
        if preview
        else [],
        "giver": names.get(preview.handover.casefold(), preview.handover) if preview else "",
        "problem": problem,
    }
    return render(request, "console/transfers.html", context)


def _asked(form: Any) -> dict[str, Any]:
    """Who gives and who takes, as a form says it."""
    return {
        "handover": form.get("handover", "").strip(),
        "takers": [one for one in form.getlist("to") if one],
        "store": form.get("store", "").strip(),
    }


def _named(one: HandoverCount, names: dict[str, str]) -> dict[str, object]:
    zh, _slash, en = one.reason.partition(" / ")
    return {
        "fact": one,
        "handover": names.get(one.handover.casefold(), one.handover),
        "takeover": names.get(one.takeover.casefold(), one.takeover),
        "reason": en if language().startswith("en") and en else zh,
    }


@page
@require_POST
def transfers_start(request: Page) -> HttpResponseBase:
    """Begin what was previewed."""
    operators_only(request.viewer)
    asked = _asked(request.POST)
    message = request.POST.get("message", "").strip()
    found = inheritance.start(request.warehouse, request.viewer, message=message, **asked)
    messages.success(request, _("已发起 %(n)s 位客户的转接，24 小时后自动完成。") % {"n": found.customers})
    return redirect("transfers")


urls = [
    path("connect/transfers/", transfers, name="transfers"),
    path("connect/transfers/start/", transfers_start, name="transfers_start"),
]

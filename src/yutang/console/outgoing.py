"""对外投递: webhooks out. Addresses, a new one, a test, what was posted, and dead letters."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.webhook import queries, services
from yutang.channels.webhook.contracts import MOST_TRIES, Fresh, ParcelState
from yutang.channels.webhook.sending import private_allowed
from yutang.console.pages import Page, language, page
from yutang.console.tables import Pager, page_number
from yutang.kernel.errors import BadInput
from yutang.log.vocabulary import VOCABULARY

USUAL = ("order.placed", "order.paid", "order.refunded", "relation.added", "relation.lost", "lead.submitted")


@page
@require_safe
def outgoing(request: Page) -> HttpResponse:
    """The addresses, and a form for another."""
    return _show(request, None)


def _show(request: Page, fresh: Fresh | None) -> HttpResponse:
    english = language().startswith("en")
    types = [(name, kind.en if english else kind.zh) for name, kind in sorted(VOCABULARY.items())]
    context = {
        "rows": queries.endpoints(request.viewer),
        "fresh": fresh,
        "types": sorted(types, key=lambda one: (one[0] not in USUAL, one[0])),
        "usual": USUAL,
        "inside": private_allowed(),
    }
    return render(request, "console/outgoing.html", context)


@page
@require_POST
def outgoing_add(request: Page) -> HttpResponse:
    """A new address; its secret is in this answer and nowhere else."""
    given = request.POST
    fresh = services.add_endpoint(
        request.viewer, given.get("name", ""), given.get("url", ""), given.getlist("types"), private="private" in given
    )
    return _show(request, fresh)


@page
@require_safe
def outgoing_one(request: Page) -> HttpResponse:
    """What was posted to an address that `?name=` names; `?state=` keeps one state."""
    name = request.GET.get("name", "")
    facts = queries.endpoint(request.viewer, name)
    wanted = request.GET.get("state", "")
    state = ParcelState(wanted) if wanted in list(ParcelState) else None
    pager = Pager(page_number(request), queries.counted(request.viewer, name, state))
    context = {
        "endpoint": facts,
        "parcels": queries.parcels(request.viewer, name, state=state, limit=pager.size, offset=pager.offset),
        "pager": pager,
        "state": state.value if state else "",
        "states": list(ParcelState),
        "most": MOST_TRIES,
    }
    return render(request, "console/outgoing_one.html", context)


@page
@require_POST
def outgoing_act(request: Page) -> HttpResponseBase:
    """What a button on an address' page does: a test, switch off or on, another secret, redeliver, forget."""
    given = request.POST
    name, act = given.get("name", ""), given.get("act", "")
    viewer = request.viewer
    if act == "ping":
        answer = services.ping(viewer, name)
        if answer.taken:
            messages.success(request, _("对方收下了测试（HTTP %(status)d）。") % {"status": answer.status or 0})
        else:
            said = answer.reason or f"HTTP {answer.status}"
            messages.warning(request, _("对方没有收下测试：%(said)s。") % {"said": said})
    elif act == "renew":
        return _show(request, services.renew_secret(viewer, name))
    elif act in ("on", "off"):
        services.switch(viewer, name, on=act == "on")
        messages.success(request, _("已启用，从停下的地方继续。") if act == "on" else _("已停用，事件会攒着。"))
    elif act == "redeliver":
        parcel = given.get("parcel", "")
        number = int(parcel) if parcel.isascii() and parcel.isdecimal() and len(parcel) < 19 else None
        count = services.redeliver(viewer, name, number)
        messages.success(request, _("%(n)d 件重新投递。") % {"n": count})
    elif act == "drop":
        services.drop_endpoint(viewer, name)
        messages.success(request, _("地址已删除，等待投递的一并丢弃。"))
        return redirect("outgoing")
    else:
        raise BadInput("不认识这个操作。", "There is no such act.")
    return redirect(f"{reverse('outgoing_one')}?{urlencode({'name': name})}")


urls = [
    path("settings/outgoing/", outgoing, name="outgoing"),
    path("settings/outgoing/add/", outgoing_add, name="outgoing_add"),
    path("settings/outgoing/one/", outgoing_one, name="outgoing_one"),
    path("settings/outgoing/act/", outgoing_act, name="outgoing_act"),
]

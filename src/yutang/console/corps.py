"""企业微信: which corps are connected, in the sandbox or for real, tested in steps; and what their callbacks tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.archive import setting_up
from yutang.channels.queries import callback_counts, last_callback, turned_away
from yutang.channels.wecom.checking import Step
from yutang.console.pages import Page, page
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import CallbackSecrets, CorpFacts, CorpMove, Viewer
from yutang.organisation.queries import accounts, callback_secrets


class Corps(Protocol):
    """What is done with corps; the composition hands it in. Everything is for the owner alone."""

    def all(self, viewer: Viewer) -> Sequence[CorpFacts]: ...
    def named(self, viewer: Viewer, corp: str) -> CorpFacts: ...
    def check(self, viewer: Viewer, corp: str) -> Sequence[Step]: ...
    def preview(self, viewer: Viewer, corp: str) -> CorpMove: ...
    def add(self, viewer: Viewer, corp: str, secret: str, *, real: bool) -> CallbackSecrets: ...
    def move(self, viewer: Viewer, corp: str, secret: str) -> tuple[CorpMove, CallbackSecrets]: ...
    def name_agent(self, viewer: Viewer, corp: str, agent: str) -> None: ...
    def renew_callbacks(self, viewer: Viewer, corp: str, token: str = "", key: str = "") -> CallbackSecrets: ...


Desk = Callable[[], Corps]


@page
@require_safe
def corps(request: Page, desk: Desk) -> HttpResponse:
    """The corps, and a form for another."""
    turned = turned_away()
    rows = [
        {
            "facts": one,
            "members": len(accounts(one.channel, one.corp)),
            "last": last_callback(one.corp),
            "turned": turned.get(one.corp),
        }
        for one in desk().all(request.viewer)
    ]
    return render(request, "console/corps.html", {"rows": rows})


@page
@require_POST
def corp_add(request: Page, desk: Desk) -> HttpResponse:
    """Another corp; what its callbacks are signed with is in this answer and nowhere else."""
    given = request.POST
    corp = given.get("corp", "").strip()
    fresh = desk().add(request.viewer, corp, given.get("secret", "").strip(), real=given.get("where") == "real")
    return _one(request, desk(), corp, fresh=fresh)


@page
@require_safe
def corp_one(request: Page, desk: Desk) -> HttpResponse:
    """The corp that `?corp=` names."""
    return _one(request, desk(), request.GET.get("corp", ""))


@page
@require_POST
def corp_act(request: Page, desk: Desk) -> HttpResponseBase:
    """What a button on a corp's page does: test the connection, another Token and key, to the other side."""
    given, corps = request.POST, desk()
    corp, act = given.get("corp", ""), given.get("act", "")
    if act == "test":
        return _one(request, corps, corp, steps=corps.check(request.viewer, corp))
    if act == "renew":
        return _one(request, corps, corp, fresh=corps.renew_callbacks(request.viewer, corp))
    if act == "enter":
        corps.renew_callbacks(request.viewer, corp, given.get("token", "").strip(), given.get("key", "").strip())
        messages.success(request, _("Token 和 EncodingAESKey 已保存。"))
        return redirect(f"{reverse('corp_one')}?{urlencode({'corp': corp})}")
    if act == "agent":
        corps.name_agent(request.viewer, corp, given.get("agent", "").strip())
        messages.success(request, _("AgentId 已保存。"))
        return redirect(f"{reverse('corp_one')}?{urlencode({'corp': corp})}")
    if act == "move":
        if "sure" not in given:
            raise BadInput("请先勾选「我已核对会改变什么」。", "Tick that you have read what changes first.")
        _move, fresh = corps.move(request.viewer, corp, given.get("secret", "").strip())
        return _one(request, corps, corp, fresh=fresh)
    raise BadInput("不认识这个操作。", "There is no such act.")


@page
@require_POST
def corp_archive(request: Page) -> HttpResponseBase:
    """What the corp's session archive is given: its secret, or a private key."""
    given = request.POST
    corp = given.get("corp", "")
    if given.get("act") == "open":
        setting_up.keep_secret(request.viewer, corp, given.get("secret", ""))
        messages.success(request, _("存档的 Secret 已保存。"))
    elif given.get("act") == "key":
        version = given.get("version", "")
        number = int(version) if version.isdecimal() and len(version) < 8 else 0
        setting_up.keep_key(request.viewer, corp, number, given.get("pem", ""))
        messages.success(request, _("私钥已保存；等它的消息在下次读取时打开。"))
    else:
        raise BadInput("不认识这个操作。", "There is no such act.")
    return redirect(f"{reverse('corp_one')}?{urlencode({'corp': corp})}#archive")


def _one(
    request: Page,
    corps: Corps,
    corp: str,
    *,
    steps: Sequence[Step] | None = None,
    fresh: CallbackSecrets | None = None,
) -> HttpResponse:
    facts = corps.named(request.viewer, corp)
    context = {
        "facts": facts,
        "move": corps.preview(request.viewer, corp),
        "steps": steps,
        "all_fine": steps is not None and all(step.fine for step in steps),
        "fresh": fresh if not facts.sandboxed else None,
        "address": f"{settings.PUBLIC_ADDRESS}/wecom/callback/{facts.corp}",
        "signed": callback_secrets(facts.channel, facts.corp) is not None,
        "kinds": [one for one in callback_counts() if one.corp == facts.corp],
        "turned": turned_away().get(facts.corp),
        "archive": setting_up.standing(request.viewer, facts.corp),
    }
    return render(request, "console/corp.html", context)


def urls(desk: Desk) -> list[URLPattern]:
    """The pages ask `desk`, which the composition hands in."""
    given = {"desk": desk}
    return [
        path("settings/corps/", corps, given, name="corps"),
        path("settings/corps/add/", corp_add, given, name="corp_add"),
        path("settings/corps/one/", corp_one, given, name="corp_one"),
        path("settings/corps/act/", corp_act, given, name="corp_act"),
        path("settings/corps/archive/", corp_archive, name="corp_archive"),
    ]

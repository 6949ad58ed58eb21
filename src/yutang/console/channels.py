"""渠道: the accounts by which the brand speaks itself. Setting one up, a test to oneself, and what left by it."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.capabilities import capabilities
from yutang.channels.direct import accounts, queries
from yutang.channels.direct.contracts import Kind, Outcome, Pause
from yutang.channels.direct.registry import kind_named, kinds
from yutang.console.pages import Page, language, page
from yutang.organisation.queries import nodes


@page
@require_safe
def channels(request: Page) -> HttpResponse:
    """Every account, and what kinds there are."""
    context = {"rows": accounts.accounts(request.viewer), "kinds": list(kinds().values()), "ways": capabilities()}
    return render(request, "console/channels.html", context)


@page
@require_safe
def channels_new(request: Page) -> HttpResponse:
    """A form for an account of the kind that `?kind=` names."""
    kind = kind_named(request.GET.get("kind", ""))
    accounts.accounts(request.viewer)  # refused to whoever may not see them
    return render(request, "console/channels_new.html", {"kind": kind, "fields": _fields(kind, {}), **_places()})


@page
@require_safe
def channels_one(request: Page) -> HttpResponse:
    """An account that `?channel=` and `?corp=` name: how it is doing, its settings, a test."""
    channel, corp = request.GET.get("channel", ""), request.GET.get("corp", "")
    facts = next((one for one in accounts.accounts(request.viewer) if (one.channel, one.corp) == (channel, corp)), None)
    if facts is None:
        accounts.account_named(channel, corp)  # raises NotFound
        raise AssertionError
    kind = kind_named(facts.kind)
    context = {
        "account": facts,
        "kind": kind,
        "fields": _fields(kind, accounts.shown_settings(request.viewer, channel, corp), known=True),
        "callback": accounts.callback_address(request.viewer, channel, corp),
        "mailings": queries.mailings(request.viewer, channel, corp),
        **_places(),
    }
    return render(request, "console/channels_one.html", context)


def _places() -> dict[str, object]:
    return {"nodes": nodes()}


def _fields(kind: Kind, settings: dict[str, str], *, known: bool = False) -> list[dict[str, object]]:
    """The fields of a form, in the reader's language."""
    english = language().startswith("en")
    return [
        {
            "name": one.name,
            "title": one.en if english else one.zh,
            "hint": one.hint_en if english else one.hint_zh,
            "value": settings.get(one.name, one.default),
            "secret": one.secret,
            "lines": one.lines,
            "choices": one.choices,
            "needed": one.needed and not one.default and not (known and one.secret),
            "kept": known and one.secret,
        }
        for one in kind.fields
    ]


@page
@require_POST
def channels_keep(request: Page) -> HttpResponseBase:
    """Keep an account, new or changed."""
    given = request.POST
    facts = accounts.keep_account(
        request.viewer,
        given.get("kind", ""),
        given.get("corp", ""),
        _given(given.dict()),
        title=given.get("title", ""),
        node=given.get("node", ""),
        cost=given.get("cost", ""),
        per_second=given.get("per_second", ""),
        on="on" in given,
    )
    messages.success(request, _("账号已保存。先给自己试发一条，再用在计划里。"))
    return _to(facts.channel, facts.corp)


def _given(form: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("set_"): value for name, value in form.items() if name.startswith("set_")}


@page
@require_POST
def channels_test(request: Page) -> HttpResponseBase:
    """Send a message to an address that was typed."""
    given = request.POST
    channel, corp = given.get("channel", ""), given.get("corp", "")
    try:
        answer = accounts.send_test(request.viewer, channel, corp, given.get("to", ""), given.get("text", ""))
    except Pause as pause:
        messages.warning(request, pause.sentence(language()))
        return _to(channel, corp)
    if answer.outcome is Outcome.TAKEN:
        messages.success(request, _("服务商收下了，请看看自己有没有收到。"))
    else:
        messages.warning(request, _("服务商没有收下：%(reason)s。") % {"reason": answer.reason or answer.outcome.value})
    return _to(channel, corp)


def _to(channel: str, corp: str) -> HttpResponseBase:
    return redirect(f"{reverse('channels_one')}?{urlencode({'channel': channel, 'corp': corp})}")


urls = [
    path("settings/channels/", channels, name="channels"),
    path("settings/channels/new/", channels_new, name="channels_new"),
    path("settings/channels/one/", channels_one, name="channels_one"),
    path("settings/channels/keep/", channels_keep, name="channels_keep"),
    path("settings/channels/test/", channels_test, name="channels_test"),
]

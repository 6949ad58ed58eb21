"""写入密钥: who may send events to the collect API, and how; on a page of its own beside the settings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, page
from yutang.intake.collect.held import headquarters
from yutang.intake.collect.keys import add_key, revoke_key, write_keys
from yutang.kernel.errors import BadInput
from yutang.organisation import services as organisation


@page
@require_safe
def keys(request: Page) -> HttpResponse:
    """The page."""
    headquarters(request.viewer)
    return _show(request)


def _show(request: Page, fresh: str | None = None) -> HttpResponse:
    """The page with, once, the key just made."""
    address = request.build_absolute_uri("/").rstrip("/")
    context = {"keys": write_keys(), "fresh": fresh, "address": address}
    return render(request, "console/keys.html", context)


@page
@require_POST
def make_key(request: Page) -> HttpResponse:
    """A new key; it is in this answer and nowhere else."""
    headquarters(request.viewer)
    given = request.POST
    rate = given.get("rate", "0").strip() or "0"
    if not rate.isascii() or not rate.isdecimal() or len(rate) > 9:
        raise BadInput("每秒事件数应是整数，0 表示不限。", "Events a second are a whole number, 0 for no limit.")
    name = given.get("name", "").strip()
    secret = add_key(
        name,
        given.get("source", "").strip(),
        types=given.get("types", "").split(),
        rate=int(rate),
        origins=given.get("origins", "").split(),
        trusted="trusted" in given,
        members="members" in given,
    )
    organisation.audit(
        request.viewer, "add_write_key", name, source=given.get("source", ""), trusted="trusted" in given
    )
    return _show(request, secret)


@page
@require_POST
def drop_key(request: Page) -> HttpResponseBase:
    """Make a key useless: within a second, everywhere."""
    headquarters(request.viewer)
    name = request.POST.get("name", "")
    revoke_key(name)
    organisation.audit(request.viewer, "revoke_write_key", name)
    messages.success(request, _("密钥已吊销，用它发来的事件从现在起会被拒绝。"))
    return redirect("keys")


urls = [
    path("settings/keys/", keys, name="keys"),
    path("settings/keys/new/", make_key, name="make_key"),
    path("settings/keys/revoke/", drop_key, name="drop_key"),
]

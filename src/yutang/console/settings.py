"""设置: the brand, its clock and channels, keys for scripts, documents, and what the doctor finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.api.contracts import SCOPES
from yutang.connect.documents import ContactWay
from yutang.console.pages import Page, page
from yutang.documents.queries import current
from yutang.kernel.documents import KINDS
from yutang.kernel.errors import BadInput, Refused
from yutang.organisation import services as organisation
from yutang.organisation.clock import clock_state
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import corps, nodes, senders, tokens, users
from yutang.warehouse.contracts import Warehouse

RESERVED = ("sandbox",)
"""Names of keys that the house makes for itself."""


class Checked(Protocol):
    """One thing that the doctor looked at. Not `ok`: the sentences say what to do."""

    @property
    def name(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def zh(self) -> str: ...
    @property
    def en(self) -> str: ...


Doctor = Callable[[Warehouse], Sequence[Checked]]


@page
@require_safe
def settings(request: Page, doctor: Doctor) -> HttpResponse:
    """The page."""
    return _show(request, doctor)


def _show(request: Page, doctor: Doctor, fresh: str | None = None) -> HttpResponse:
    """The page with, once, the secret of a key just made. Keys are the owner's to see, findings the operators'."""
    owner = request.viewer.role is RoleName.OWNER
    own = [node for node in nodes() if request.viewer.sees(node.id)]
    codes = {node.code for node in own}
    context = {
        "clock": clock_state(),
        "heads": Counter(node.kind.value for node in own),
        "senders": senders(request.viewer),
        "channels": corps() if request.viewer.may_operate else [],
        "documents": [
            stored
            for kind in KINDS.values()
            for stored in current(kind)
            if not isinstance(stored.document, ContactWay) or stored.document.at in codes  # each is a store's own
            if request.viewer.sees_all or kind.KIND != "broadcast"  # what another store says is its own matter
        ],
        "tokens": [key for key in tokens() if key.name not in RESERVED or not key.revoked_at] if owner else [],
        "reserved": RESERVED,
        "owner": owner,
        "users": users(request.brand.second_factor) if owner else [],
        "roles": list(RoleName),
        "scopes": SCOPES,
        "fresh": fresh,
        "findings": doctor(request.warehouse) if request.viewer.may_operate else [],
    }
    return render(request, "console/settings.html", context)


@page
@require_POST
def make_token(request: Page, doctor: Doctor) -> HttpResponse:
    """A new key; its secret is in this answer and nowhere else."""
    _owners_only(request.viewer)
    name = request.POST.get("name", "").strip()
    scopes = [scope for scope in SCOPES if scope in request.POST.getlist("scopes")]
    if not name or len(name) > 80 or not scopes:
        raise BadInput(
            "请给令牌起个名字（至多 80 个字），并至少选一项权限。",
            "Give the token a name (at most 80 characters) and at least one scope.",
        )
    if name in RESERVED or name in {token.name for token in tokens() if token.revoked_at is None}:
        raise BadInput(f"「{name}」已被使用，请换一个名字。", f"“{name}” is in use; choose another name.")
    fresh = organisation.issue_token(name, scopes)
    organisation.audit(request.viewer, "issue_token", name, scopes=scopes)
    return _show(request, doctor, fresh)


@page
@require_POST
def revoke_token(request: Page) -> HttpResponseBase:
    """Make the keys of a name useless at once."""
    _owners_only(request.viewer)
    name = request.POST.get("name", "")
    if name in RESERVED:
        raise Refused("这是鱼塘自己用的令牌，不能吊销。", "This is the house's own token; it cannot be revoked.")
    organisation.revoke_tokens(name)
    organisation.audit(request.viewer, "revoke_token", name)
    messages.success(request, _("令牌已吊销，用它的程序从现在起会被拒绝。"))
    return redirect("/settings/#tokens")


@page
@require_POST
def require_second_factor(request: Page) -> HttpResponseBase:
    """Which roles must have a second factor, from their next page on."""
    _owners_only(request.viewer)
    roles = [role for role in RoleName if role in request.POST.getlist("roles")]
    organisation.require_second_factor(roles)
    organisation.audit(request.viewer, "require_second_factor", "brand", roles=roles)
    messages.success(request, _("两步验证的要求已保存。"))
    return redirect("/settings/#users")


@page
@require_POST
def reset_second_factor(request: Page) -> HttpResponseBase:
    """Take somebody's second factors away, who has lost them; their sessions end."""
    _owners_only(request.viewer)
    username = request.POST.get("username", "")
    organisation.reset_second_factor(username)
    organisation.audit(request.viewer, "reset_second_factor", username)
    messages.success(request, _("「%(name)s」的第二步已重置，请当面或打电话告诉本人。") % {"name": username})
    return redirect("/settings/#users")


def _owners_only(viewer: Viewer) -> None:
    if viewer.role is not RoleName.OWNER:
        raise Refused("只有所有者能管理令牌和用户。", "Only the owner manages tokens and users.")


def urls(doctor: Doctor) -> list[URLPattern]:
    """The settings page asks `doctor`, which the composition hands in."""
    return [
        path("settings/", settings, {"doctor": doctor}, name="settings"),
        path("settings/tokens/", make_token, {"doctor": doctor}, name="make_token"),
        path("settings/tokens/revoke/", revoke_token, name="revoke_token"),
        path("settings/users/second/", require_second_factor, name="require_second_factor"),
        path("settings/users/reset/", reset_second_factor, name="reset_second_factor"),
    ]

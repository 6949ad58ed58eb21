"""平台推送: webhooks in. Which are open, a new one from those that ship, its secret once, what came, what is held."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, language, page
from yutang.console.tables import Pager, page_number
from yutang.console.texts import base_version, compared, read_as, sentences
from yutang.documents.contracts import StoredDocument
from yutang.documents.queries import current, find, versions
from yutang.intake.collect import held
from yutang.intake.hooks import queries, services
from yutang.intake.hooks.contracts import HookFacts, Opened
from yutang.intake.hooks.documents import WebhookDocument
from yutang.kernel.errors import NotFound, YutangError
from yutang.organisation import services as organisation


@dataclass(frozen=True, slots=True)
class HookRow:
    """An open address with its document."""

    hook: HookFacts
    stored: StoredDocument
    held: int


@page
@require_safe
def hooks(request: Page) -> HttpResponse:
    """The addresses, and the documents from which another can be opened."""
    found = queries.hooks(request.viewer)
    documents = {stored.document.name: stored for stored in current(WebhookDocument)}
    waiting: dict[int, int] = {}
    for one in held.troubles(request.viewer):
        waiting[one.key] = waiting.get(one.key, 0) + one.held
    rows = [HookRow(one, documents[one.name], waiting.get(one.key, 0)) for one in found if one.name in documents]
    taken = {one.name for one in found}
    offered = [stored for name, stored in sorted(documents.items()) if name not in taken]
    return render(request, "console/hooks.html", {"rows": rows, "offered": offered})


@page
@require_safe
def hook_new(request: Page) -> HttpResponse:
    """The document to be looked over, changed, and opened; `?from=` names the one to start from."""
    held.headquarters(request.viewer)
    stored = find(WebhookDocument, request.GET.get("from", "generic_orders"))
    return _form(request, stored.document.as_yaml(), stored.version, stored.document.name)


@page
@require_POST
def hook_keep(request: Page) -> HttpResponseBase:
    """Keep the document. A new one's address is opened: its secret is in this answer and nowhere else."""
    given = request.POST
    text = given.get("text", "")
    try:
        document = read_as(WebhookDocument, text)
        known = {one.name for one in queries.hooks(request.viewer)}
        base = base_version(request) if given.get("of") == document.name else 0
        services.keep_webhook(document, request.viewer, base=base)
        if document.name in known:
            messages.success(request, _("推送来源已保存，从下一次推送起生效；留存的可以重放。"))
            return redirect("hook_one", document.name)
        opened = services.open_hook(
            document.name, request.viewer, secret=given.get("secret", ""), client=given.get("client", "")
        )
    except YutangError as error:
        version = base_version(request)
        return _form(request, text, version, given.get("of", ""), sentences(error), status=422)
    return _one(request, document.name, opened)


def _form(
    request: Page, text: str, version: int, of: str, problems: list[str] | None = None, status: int = 200
) -> HttpResponse:
    open_names = {one.name for one in queries.hooks(request.viewer)}
    context = {"text": text, "version": version, "of": of, "problems": problems or [], "is_open": of in open_names}
    return render(request, "console/hooks_new.html", context, status=status)


@page
@require_safe
def hook_one(request: Page, name: str) -> HttpResponse:
    """One address: what came, what is held, and its document."""
    return _one(request, name, None)


def _one(request: Page, name: str, opened: Opened | None) -> HttpResponse:
    facts = queries.hook(request.viewer, name)
    stored = find(WebhookDocument, name)
    pager = Pager(page_number(request), queries.counted(request.viewer, name))
    english = language().startswith("en")
    troubles = [one for one in held.troubles(request.viewer) if one.key == facts.key]
    context = {
        "hook": facts,
        "stored": stored,
        "opened": opened,
        "address": request.build_absolute_uri("/").rstrip("/"),
        "deliveries": queries.deliveries(request.viewer, name, limit=pager.size, offset=pager.offset),
        "pager": pager,
        "troubles": [{"count": one, "said": one.en if english else one.zh} for one in troubles],
        "text": stored.document.as_yaml(),
        **compared(versions(WebhookDocument, name), request.GET.get("version", "")),
    }
    return render(request, "console/hooks_one.html", context)


@page
@require_POST
def hook_renew(request: Page, name: str) -> HttpResponse:
    """Another secret, or another secret address; shown this once."""
    given = request.POST
    opened = services.renew_hook(name, request.viewer, secret=given.get("secret", ""), client=given.get("client", ""))
    return _one(request, name, opened)


@page
@require_POST
def hook_close(request: Page, name: str) -> HttpResponseBase:
    """Take nothing there any more."""
    services.close_hook(name, request.viewer)
    messages.success(request, _("推送地址已关闭，平台再推会被拒绝。"))
    return redirect("hooks")


@page
@require_POST
def hook_replay(request: Page, name: str) -> HttpResponseBase:
    """Read what is held once more, with the document as it is now."""
    facts = queries.hook(request.viewer, name)
    recorded, left = held.replay(request.viewer, facts.key)
    organisation.audit(request.viewer, "replay_held", f"webhook {name}", recorded=recorded, left=left)
    said = _("重放：%(done)d 条已入库，%(left)d 条仍留存。") % {"done": recorded, "left": left}
    messages.success(request, said)
    return redirect("hook_one", name)


@page
@require_safe
def hook_sample(request: Page, name: str) -> HttpResponse:
    """The newest held delivery of a kind, masked."""
    facts = queries.hook(request.viewer, name)
    given = request.GET
    try:
        fields = held.sample(request.viewer, facts.key, given.get("type", ""), given.get("problem", ""))
    except NotFound:
        fields = []
    return render(request, "console/_quality_sample.html", {"fields": fields})


urls = [
    path("settings/webhooks/", hooks, name="hooks"),
    path("settings/webhooks/new/", hook_new, name="hook_new"),
    path("settings/webhooks/keep/", hook_keep, name="hook_keep"),
    path("settings/webhooks/of/<str:name>/", hook_one, name="hook_one"),
    path("settings/webhooks/of/<str:name>/renew/", hook_renew, name="hook_renew"),
    path("settings/webhooks/of/<str:name>/close/", hook_close, name="hook_close"),
    path("settings/webhooks/of/<str:name>/replay/", hook_replay, name="hook_replay"),
    path("settings/webhooks/of/<str:name>/sample/", hook_sample, name="hook_sample"),
]

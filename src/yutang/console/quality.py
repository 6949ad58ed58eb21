"""数据质量: messages that were accepted and are no events yet, why, a masked sample, and what makes events of them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, language, page
from yutang.intake.collect import held
from yutang.kernel.documents import read
from yutang.kernel.errors import BadInput, NotFound
from yutang.log.documents import EventTypeDocument
from yutang.log.registry import registered, save_event_type
from yutang.organisation import services as organisation

LARGEST = 2**63 - 1


@page
@require_safe
def quality(request: Page) -> HttpResponse:
    """What messages met, most often first, and the brand's own event types."""
    english = language().startswith("en")
    rows = [
        {"count": one, "said": one.en if english else one.zh, "unknown": one.problem == "type"}
        for one in held.troubles(request.viewer)
    ]
    context = {
        "rows": rows,
        "types": registered(),
        "days": held.HELD_DAYS,
        "most": held.HELD_PER_KEY,
        "counted": held.COUNTED_DAYS,
    }
    return render(request, "console/quality.html", context)


@page
@require_safe
def sample(request: Page) -> HttpResponse:
    """The newest held message of a kind, masked."""
    given = request.GET
    key, type_, problem = _key(given.get("key")), given.get("type", ""), given.get("problem", "")
    fields = held.sample(request.viewer, key, type_, problem)
    return render(request, "console/_quality_sample.html", {"fields": fields})


@page
@require_safe
def define(request: Page) -> HttpResponse:
    """An event type made of what was seen, to be looked over and kept."""
    given = request.GET
    document = held.proposed(request.viewer, _key(given.get("key")), given.get("type", ""))
    return render(request, "console/quality_define.html", {"text": document.as_yaml(), "title": given.get("type", "")})


@page
@require_POST
def keep(request: Page) -> HttpResponseBase:
    """Keep an event type and replay what was held of it."""
    document = read(request.POST.get("text", ""))
    if not isinstance(document, EventTypeDocument):
        raise BadInput("这不是事件类型（kind: event_type）的文档。", "This is no document of kind: event_type.")
    kept = save_event_type(document, request.viewer)
    organisation.audit(request.viewer, "save_event_type", document.name, version=kept.version)
    recorded, left = held.replay(request.viewer)
    messages.success(
        request,
        _("已保存事件类型「%(name)s」；重放留存的消息：%(done)d 条已入库，%(left)d 条仍留存。")
        % {"name": document.name, "done": recorded, "left": left},
    )
    return redirect("quality")


@page
@require_POST
def replay(request: Page) -> HttpResponseBase:
    """Put what is held of a key and type through the vocabulary once more."""
    given = request.POST
    recorded, left = held.replay(request.viewer, _key(given.get("key")), given.get("type", ""))
    organisation.audit(request.viewer, "replay_held", given.get("type", "")[:100], recorded=recorded, left=left)
    messages.success(request, _("重放：%(done)d 条已入库，%(left)d 条仍留存。") % {"done": recorded, "left": left})
    return redirect("quality")


def _key(text: str | None) -> int:
    if not text or not text.isascii() or not text.isdecimal() or int(text[:19]) > LARGEST:
        raise NotFound("没有这把写入密钥。", "There is no such write key.")
    return int(text[:19])


urls = [
    path("quality/", quality, name="quality"),
    path("quality/sample/", sample, name="quality_sample"),
    path("quality/define/", define, name="quality_define"),
    path("quality/keep/", keep, name="quality_keep"),
    path("quality/replay/", replay, name="quality_replay"),
]

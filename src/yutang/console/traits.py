"""客户属性: every trait, one with how it is spread, the brand's own as documents with a live preview."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.figures import bar
from yutang.console.pages import Page, page
from yutang.console.sentences import trait_title
from yutang.console.texts import base_version, compared, read_as, sentences
from yutang.documents import queries as documents
from yutang.kernel.errors import BadInput, NotFound, Refused, YutangError
from yutang.organisation.contracts import Viewer
from yutang.profiles import registry
from yutang.profiles.documents import TraitDocument
from yutang.profiles.queries import kept_state, parse_traits
from yutang.profiles.spread import Spread, spread, spread_of
from yutang.profiles.traits import TRAITS, Trait
from yutang.segments import queries as segments
from yutang.segments.documents import SegmentDocument, traits_in
from yutang.segments.services import remove_trait

EXAMPLE = """kind: trait
name: replies_30d
schema: 1
title: {zh: 近 30 天来消息, en: 'Messages, last 30 days'}
unit: {zh: 条, en: messages}
of: events
take: count
where: {type: message.received}
within: 30d
"""


@page
@require_safe
def traits(request: Page) -> HttpResponse:
    """The brand's own first, then those that ship; `?find=` keeps some."""
    find = request.GET.get("find", "").strip().casefold()[:80]
    own = {document.name: document for document in TRAITS.documents}
    used = _uses(segments.segments())
    rows = [
        (trait, own.get(trait.name), used.get(trait.name, ())) for trait in TRAITS.values() if _matches(trait, find)
    ]
    context = {
        "own": [row for row in rows if row[1] is not None],
        "shipped": [row for row in rows if row[1] is None],
        "find": find,
        "may_define": _defines(request.viewer),
    }
    return render(request, "console/traits.html", context)


def _matches(trait: Trait, find: str) -> bool:
    return not find or any(find in text.casefold() for text in (trait.name, trait.zh, trait.en))


def _uses(found: Sequence[SegmentDocument]) -> dict[str, tuple[SegmentDocument, ...]]:
    used: dict[str, tuple[SegmentDocument, ...]] = {}
    for document in found:
        for name in traits_in(document):
            used[name] = (*used.get(name, ()), document)
    return used


@page
@require_safe
def trait(request: Page, name: str) -> HttpResponse:
    """One trait: what it means, how it is spread, which segments ask for it; of the brand's own also the document."""
    if name not in TRAITS:
        raise NotFound(f"没有属性「{name}」。", f"There is no trait “{name}”.")
    document = next((one for one in TRAITS.documents if one.name == name), None)
    history = documents.versions(TraitDocument, name) if document else []
    waiting = (
        document is not None
        and document.formula is None
        and parse_traits(kept_state(request.warehouse)).get(name) != registry.stored_by(document)
    )
    context = {
        "trait": TRAITS[name],
        "title": trait_title(name),
        "document": document,
        "stored": history[0] if history else None,
        "waiting": waiting,
        **({} if waiting else _shown(spread_of(request.warehouse, request.viewer, TRAITS[name]))),
        "used": _uses(segments.segments()).get(name, ()),
        "may_define": _defines(request.viewer),
        **(compared(history, request.GET.get("version", "")) if history else {}),
    }
    return render(request, "console/traits_one.html", context)


@page
@require_safe
def trait_new(request: Page) -> HttpResponse:
    """The document; `?from=` names the one of which this becomes the next version."""
    _only_definers(request.viewer)
    editing = request.GET.get("from", "")
    stored = documents.find(TraitDocument, editing) if editing else None
    text = stored.document.as_yaml() if stored else EXAMPLE
    return _edit(request, text, editing, stored.version if stored else 0)


@page
@require_POST
def trait_preview(request: Page) -> HttpResponse:
    """How what the text says would be spread among some persons, or what is wrong with it. Nothing is kept."""
    _only_definers(request.viewer)
    try:
        found = spread(request.warehouse, request.viewer, read_as(TraitDocument, request.POST.get("document", "")))
    except YutangError as error:
        return render(request, "console/_traits_spread.html", {"problems": sentences(error)})
    return render(request, "console/_traits_spread.html", {**_shown(found), "tried": True})


@page
@require_POST
def trait_keep(request: Page) -> HttpResponseBase:
    """Keep what the text says as the next version of its name."""
    _only_definers(request.viewer)
    text, editing = request.POST.get("document", ""), request.POST.get("editing", "")
    try:
        document = read_as(TraitDocument, text)
        if not editing and documents.versions(TraitDocument, document.name) and document.name in TRAITS:
            raise BadInput(
                f"已经有名为 {document.name} 的属性，请换一个名字，或去修改它。",
                f"There is a trait named {document.name} already; choose another name, or edit that one.",
            )
        base = base_version(request) if editing == document.name else None
        stored = registry.save_trait(document, request.viewer, base=base)
    except BadInput as error:
        return _edit(request, text, editing, base_version(request), sentences(error))
    messages.success(request, _("已保存为第 %s 版，下次刷新客户属性时算出来。") % stored.version)
    return redirect("trait", document.name)


@page
@require_POST
def trait_remove(request: Page, name: str) -> HttpResponseBase:
    """Let one of the brand's own be no more."""
    try:
        remove_trait(name, request.viewer)
    except BadInput as error:
        messages.error(request, sentences(error)[0])
        return redirect("trait", name)
    messages.success(request, _("属性已删除。"))
    return redirect("traits")


def _edit(request: Page, text: str, editing: str, version: int, wrong: Sequence[str] = ()) -> HttpResponse:
    context: dict[str, Any] = {"text": text, "editing": editing, "version": version, "sentences": wrong}
    return render(request, "console/traits_edit.html", context, status=422 if wrong else 200)


def _shown(found: Spread) -> dict[str, Any]:
    return {"found": found, "bars": [(one, bar(one.persons, found.most, "mine")) for one in found.bars]}


def _defines(viewer: Viewer) -> bool:
    return viewer.may_operate and viewer.sees_all


def _only_definers(viewer: Viewer) -> None:
    if not _defines(viewer):
        raise Refused("只有总部运营能定义客户属性。", "Only headquarters defines traits.")


urls = [
    path("traits/", traits, name="traits"),
    path("traits/new/", trait_new, name="trait_new"),
    path("traits/preview/", trait_preview, name="trait_preview"),
    path("traits/keep/", trait_keep, name="trait_keep"),
    path("traits/of/<slug:name>/", trait, name="trait"),
    path("traits/of/<slug:name>/remove/", trait_remove, name="trait_remove"),
]

"""A new broadcast on one page, as a form or as its document: its dry run, the draft that is kept, and its launch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.capabilities import capabilities
from yutang.channels.contracts import CannotCarry, Capabilities
from yutang.console.figures import bar, curve
from yutang.console.pages import Page, language, operators_only, page
from yutang.console.texts import base_version, compared, read_as, sentences
from yutang.console.words import REASONS, said
from yutang.content.checking import Finding
from yutang.content.checking import check as broken
from yutang.content.queries import content_named, contents
from yutang.documents.contracts import StoredDocument
from yutang.documents.queries import current, versions
from yutang.documents.services import digest
from yutang.kernel.calendars import zone
from yutang.kernel.clock import business_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadDocument, BadInput, NotFound, Refused
from yutang.organisation.queries import OWNER, senders
from yutang.reach import drafts, planning, services
from yutang.reach.approach import price_of
from yutang.reach.contracts import Preview
from yutang.reach.documents import BroadcastDocument
from yutang.reach.limits import check_text, way_of
from yutang.reach.queries import plan, rivals
from yutang.reach.saying import not_personal, resolved, unresolved
from yutang.segments import queries as segments

WAVES = ("1", "0.2,1", "0.01,0.05,0.2,1")
_FIELDS = {
    "title": "title",
    "message": "text",
    "audience": "audience",
    "channel": "channel",
    "start": "start",
    "waves": "waves",
    "wave_hours": "wave_hours",
    "within_hours": "within_hours",
    "attempts": "attempts",
    "priority": "priority",
    "hold_out": "hold_out",
    "horizon_days": "horizon_days",
    "at_most": "at_most",
}
"""The form's field of each of the document's."""
_NUMBERS = ("wave_hours", "within_hours", "attempts", "priority", "horizon_days", "at_most")
_DAY = re.compile(r"_\d{6}(_\d+)?$")  # at the end of a name: the day of a broadcast, see _name
_EMPTY_TEXT = "…"  # stands for a text not yet written in a dry run


@dataclass(frozen=True, slots=True)
class Step:
    """A row of 剔除明细: `kind` is candidates, reason, let, send, held or held_globally."""

    kind: str
    label: str
    count: int
    figure: SafeString


@dataclass(frozen=True, slots=True)
class Broken:
    """The words of a text that may not be sent, the rule it breaks, and the law that rule stands on."""

    word: str
    rule: str
    law: str


def templates() -> list[StoredDocument]:
    """The shipped broadcasts, which a new one may start from."""
    return [stored for stored in current(BroadcastDocument) if stored.shipped]


@page
@require_safe
def plan_new(request: Page) -> HttpResponse:
    """The form; `?from=` names a shipped broadcast, `?segment=` a segment, `?content=` a content of the library."""
    operators_only(request.viewer)
    form = _form_of(request, _template(request.GET.get("from", "")))
    if request.GET.get("content"):
        form["content"] = content_named(request.GET["content"]).document.name
    if request.GET.get("segment"):
        chosen = segments.segment_named(request.GET["segment"])
        form["audience"] = chosen.name
        form["title"] = form["title"] if request.GET.get("from") else chosen.title.text(language())
    return _page(request, form, {})


@page
@require_POST
def preview(request: Page) -> HttpResponse:
    """剔除明细 of what the form says now: real counts, nothing is written."""
    operators_only(request.viewer)
    form = request.POST.dict()
    try:
        document = _posted(request, {**form, "text": form.get("text") or _EMPTY_TEXT})
        full = resolved(document)
    except (BadInput, NotFound, Refused) as error:
        if isinstance(error, BadInput) and "document" not in form:
            wrong = list(_problems(error).values())
        else:
            wrong = sentences(error)
        return render(request, "console/_plans_preview.html", {"problems": wrong})
    chosen = "document" in form or document.message.content is not None
    text = full.message.text if chosen else form.get("text", "")
    found = services.preview(request.warehouse, document, request.viewer)
    context = {
        "found": found,
        "steps": _steps(found),
        "document": document,
        "digest": digest(full),
        "shared": not_personal(document.channel, text),
        "written": bool(text.strip() or full.message.attached),
        "broken": _found(planning.checked(full, planning.rulebook().rules)) if chosen else _broken(text),
        "rivals": rivals(request.warehouse, request.viewer, document),
        "points": [
            {"share": round(p.share * 100), "held": p.held_out, "money": p.per_person, "relative": p.relative}
            for p in found.effects
        ],
        "let": found.send + found.held_out,
        "curve": curve([(p.share, p.relative) for p in found.effects if p.relative], _("对照组比例与看得出的最小效果")),
        "table": [p for p in found.effects if round(p.share * 100) in (1, 2, 5, 10, 15, 20, 30, 40, 50)],
    }
    return render(request, "console/_plans_preview.html", context)


@page
@require_POST
def check(request: Page) -> HttpResponse:
    """Whether the text may be sent: which rule and word stand against it."""
    text = request.POST.get("text", "")
    context = {"broken": _broken(text), "size": len(text.encode()), "problem": ""}
    try:
        channel = request.POST.get("channel") or _ways()[0].channel
        context["shared"] = not_personal(channel, text)
        check_text(channel, text, marketing=True)
        if text.strip():
            price_of(channel, text.strip())
    except (BadInput, CannotCarry) as error:
        context["problem"] = error.sentence(language())
    return render(request, "console/_plans_text.html", context)


@page
@require_POST
def launch(request: Page) -> HttpResponseBase:
    """Launch what was previewed. What was changed since its dry run is shown again instead."""
    operators_only(request.viewer)
    form = request.POST.dict()
    try:
        document = _posted(request, form)
    except BadInput as error:
        return _again(request, form, error)
    _as_previewed(document, form)
    plan_id = services.launch(document, request.viewer)
    messages.success(request, _("计划已下发，正在过闸。"))
    return redirect("plan", plan_id)


@page
@require_safe
def plan_document(request: Page) -> HttpResponse:
    """A broadcast as the document that it is: `?draft=` a draft, `?plan=` a copy of a plan, `?from=` of a template."""
    operators_only(request.viewer)
    history: list[StoredDocument] = []
    if name := request.GET.get("draft", ""):
        history = [drafts.draft(request.viewer, name), *versions(BroadcastDocument, name)[1:]]
        text = history[0].document.as_yaml()
    elif number := request.GET.get("plan", ""):
        text = _copy(
            request, plan(request.viewer, int(number) if number.isdecimal() and len(number) < 15 else 0).document
        )
    else:
        text = _copy(request, _template(request.GET.get("from", "")) or _blank())
    return _document_page(request, text, history)


@page
@require_POST
def plan_save(request: Page) -> HttpResponseBase:
    """Keep what was previewed as a draft: the form's as a new one, a document's as the next version of its name."""
    operators_only(request.viewer)
    form = request.POST.dict()
    try:
        document = _posted(request, form)
        _as_previewed(document, form)
        if "document" not in form:
            document = document.model_copy(update={"name": drafts.free_name(document.name)})
        same = document.name == form.get("name")  # under another name it is another draft, a new one
        stored = drafts.keep_draft(document, request.viewer, base_version(request) if same else 0)
    except BadInput as error:
        return _again(request, form, error)
    messages.success(request, _("已保存为第 %s 版。") % stored.version)
    return redirect(f"{reverse('plan_document')}?draft={document.name}")


def _posted(request: Page, form: Mapping[str, str]) -> BroadcastDocument:
    """What the browser sent, as a text or as the form's fields. Raises BadInput or BadDocument."""
    return read_as(BroadcastDocument, form["document"]) if "document" in form else document_of(request, form)


def _as_previewed(document: BroadcastDocument, form: Mapping[str, str]) -> None:
    if digest(resolved(document)) != form.get("previewed"):
        raise Refused(
            "计划在试算之后又改过，请返回再看一遍人数。",
            "The plan was changed after its dry run; go back and look at the counts again.",
        )


def _again(request: Page, form: Mapping[str, str], error: BadInput) -> HttpResponse:
    """The page that was sent, as it was, with what is wrong."""
    if "document" in form:
        history = versions(BroadcastDocument, form.get("name", "")) if base_version(request) else []
        return _document_page(request, form["document"], history, sentences(error), base_version(request))
    return _page(request, form, _problems(error), status=422)


def _document_page(
    request: Page, text: str, history: list[StoredDocument], wrong: Sequence[str] = (), version: int | None = None
) -> HttpResponse:
    context = {
        **(compared(history, request.GET.get("version", "")) if history else {}),
        "name": history[0].document.name if history else "",
        "version": version if version is not None else history[0].version if history else 0,
        "document": text,
        "sentences": wrong,
    }
    return render(request, "console/plans_document.html", context, status=422 if wrong else 200)


def _copy(request: Page, document: BroadcastDocument) -> str:
    """A document as the beginning of another: under a free name, to start when it is launched."""
    name = drafts.free_name(_name(request, {"from": _DAY.sub("", document.name)}))
    return unresolved(document).model_copy(update={"name": name, "start": None}).as_yaml()


def _blank() -> BroadcastDocument:
    title = {"zh": "新群发", "en": "New broadcast"}
    return parse(
        BroadcastDocument,
        {
            "kind": BroadcastDocument.KIND,
            "name": "broadcast",
            "title": title,
            "audience": {"everyone": True},
            "purpose": "marketing",
            "message": {"text": _EMPTY_TEXT},
        },
    )


def document_of(request: Page, form: Mapping[str, str]) -> BroadcastDocument:
    """The document that the form says. Raises BadDocument or BadInput."""
    data: dict[str, Any] = {
        "kind": BroadcastDocument.KIND,
        "name": _name(request, form),
        "title": {"zh": form.get("title", "").strip(), "en": form.get("title", "").strip()},
        "audience": {"everyone": True} if form.get("audience") == "*" else {"segment": form.get("audience")},
        "purpose": "marketing",
        "value": form.get("value") == "1",
        "channel": form.get("channel") or _ways()[0].channel,
        "message": {"content": form["content"]} if form.get("content") else {"text": form.get("text", "").strip()},
        "hold_out": _share(form.get("hold_out", "10")),
        "waves": [float(share) for share in form["waves"].split(",")] if form.get("waves") in WAVES else [1.0],
        **{name: form[name] for name in _NUMBERS if form.get(name, "").strip()},
    }
    if form.get("start"):
        data["start"] = _start(request, form["start"])
    template = _template(form.get("from", ""))
    if template is not None and template.title.text(language()) == form.get("title", "").strip():
        data["title"] = template.title.model_dump()
    return parse(BroadcastDocument, data)


def _name(request: Page, form: Mapping[str, str]) -> str:
    """A name that tells the day, so that the same plan launched twice on a day is known to be the same."""
    base = form.get("from") or "broadcast"
    return f"{base[:50]}_{business_now().astimezone(zone(request.brand.zone)):%y%m%d}"


def _share(text: str) -> float:
    if not text.isdecimal() or int(text) > 50:
        raise BadInput("对照组应在 0–50 % 之间。", "The hold-out is between 0 and 50 %.")
    return int(text) / 100


def _start(request: Page, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone(request.brand.zone))
    except ValueError:
        raise BadInput(f"「{text[:30]}」不是时间。", f"“{text[:30]}” is no time.") from None


def _template(name: str) -> BroadcastDocument | None:
    if not name:
        return None
    for stored in templates():
        if stored.document.name == name and isinstance(stored.document, BroadcastDocument):
            return stored.document
    raise NotFound(f"没有名为「{name[:60]}」的模板。", f"There is no template “{name[:60]}”.")


def _form_of(request: Page, template: BroadcastDocument | None) -> dict[str, object]:
    """The form's fields, filled from a template or with a broadcast's defaults."""
    if template is None:
        return {
            "from": "",
            "title": f"{_('新群发')} {business_now().astimezone(zone(request.brand.zone)):%m-%d}",
            "audience": "*",
            "channel": _ways()[0].channel,
            "text": "",
            "content": "",
            "waves": WAVES[0],
            "wave_hours": 24,
            "within_hours": 24,
            "attempts": 2,
            "priority": 50,
            "hold_out": 10,
            "horizon_days": 28,
            "value": "0",
            "size": 0,
        }
    waves = ",".join(f"{share:g}" for share in template.waves)
    return {
        "from": template.name,
        "title": template.title.text(language()),
        "audience": template.audience.segment or "*",
        "channel": template.channel,
        "text": template.message.text,
        "content": template.message.content or "",
        "waves": waves,
        "wave_hours": template.wave_hours,
        "within_hours": template.within_hours,
        "attempts": template.attempts,
        "priority": template.priority,
        "hold_out": round(template.hold_out * 100),
        "horizon_days": template.horizon_days,
        "at_most": template.at_most or "",
        "value": "1" if template.value else "0",
        "size": len(template.message.text.encode()),
    }


def _page(request: Page, form: Mapping[str, object], problems: Mapping[str, str], status: int = 200) -> HttpResponse:
    ways = _ways(str(form.get("channel", "")))
    context = {
        "form": form,
        "problems": problems,
        "templates": templates(),
        "contents": [one for one in contents() if one.usable],
        "segments": segments.offered(request.warehouse, str(form.get("audience", ""))),
        "waves": WAVES,
        "ways": ways,
        "way": next((way for way in ways if way.channel == form.get("channel")), ways[0]),
        "broken": _broken(str(form.get("text", ""))),
        "size": len(str(form.get("text", "")).encode()),
        "zone": request.brand.zone,
        "now": business_now(),
    }
    return render(request, "console/plans_new.html", context, status=status)


def _ways(chosen: str = "") -> list[Capabilities]:
    """The channels on which somebody of ours can speak, and the chosen one; WeCom where there is none yet."""
    there = {one.channel for one in senders(OWNER) if one.active} | {chosen}
    found = [way_of(name) for name in dict.fromkeys(one.channel for one in capabilities().values()) if name in there]
    return [way for way in found if way.window is None and way.marketing] or [way_of("wecom")]


def _problems(error: BadInput) -> dict[str, str]:
    """Each problem's sentence by the form's field; what belongs to none stands under `form`."""
    if not isinstance(error, BadDocument):
        return {"form": error.sentence(language())}
    english = language().startswith("en")
    found: dict[str, str] = {}
    for problem in error.problems:
        field = _FIELDS.get(problem.where.split(".")[0], "form")
        found.setdefault(field, _plain(field, problem.en if english else problem.zh))
    return found


def _plain(field: str, sentence: str) -> str:
    match field:
        case "title":
            return _("请给计划起个名字（至多 60 个字）。")
        case "wave_hours" | "within_hours" | "attempts" | "priority" | "horizon_days" | "at_most":
            return _("请填写范围内的整数。")
    return sentence


def _broken(text: str) -> list[Broken]:
    return _found(broken(text, planning.rulebook().rules))


def _found(found: Sequence[Finding]) -> list[Broken]:
    return [Broken(one.words, one.title.text(language()), one.law.text(language())) for one in found]


def _steps(found: Preview) -> list[Step]:
    def step(kind: str, label: str, count: int) -> Step:
        return Step(kind, label, count, bar(count, found.candidates, kind))

    steps = [step("candidates", _("候选：这群人里您看得到的"), found.candidates)]
    steps += [step("reason", said(REASONS, reason), count) for reason, count in found.suppressed.items()]
    steps.append(step("held_globally", _("全局对照组：任何营销都不发"), found.globally_held_out))
    steps.append(step("send", _("发送"), found.send))
    steps.append(step("held", _("暂不发送：这个计划的对照组"), found.held_out))
    return [one for one in steps if one.count or one.kind in ("candidates", "held", "send")]


urls = [
    path("plans/new/", plan_new, name="plan_new"),
    path("plans/preview/", preview, name="plan_preview"),
    path("plans/check/", check, name="plan_check"),
    path("plans/launch/", launch, name="plan_launch"),
    path("plans/document/", plan_document, name="plan_document"),
    path("plans/save/", plan_save, name="plan_save"),
]

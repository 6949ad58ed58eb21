"""A new broadcast on one page: who, what, when, and how many are left alone; its dry run, and its launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.figures import bar, curve
from yutang.console.pages import Page, language, operators_only, page
from yutang.console.words import REASONS, said
from yutang.documents.contracts import StoredDocument
from yutang.documents.queries import current
from yutang.documents.services import digest
from yutang.kernel.calendars import zone
from yutang.kernel.clock import business_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadDocument, BadInput, NotFound, Refused
from yutang.reach import planning, services
from yutang.reach.contracts import Preview
from yutang.reach.documents import BroadcastDocument, broken_rule
from yutang.reach.queries import rivals
from yutang.segments import queries as segments

MOST_BYTES = 4000
WAVES = ("1", "0.2,1", "0.01,0.05,0.2,1")
_FIELDS = {
    "title": "title",
    "message": "text",
    "audience": "audience",
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
    """The word of a text that may not be sent, the rule it breaks, and the law that rule stands on."""

    word: str
    rule: str
    law: str


def templates() -> list[StoredDocument]:
    """The shipped broadcasts, which a new one may start from."""
    return [stored for stored in current(BroadcastDocument) if stored.shipped]


@page
@require_safe
def plan_new(request: Page) -> HttpResponse:
    """The form; `?from=` names a shipped broadcast, `?segment=` a segment."""
    operators_only(request.viewer)
    form = _form_of(request, _template(request.GET.get("from", "")))
    if request.GET.get("segment"):
        chosen = segments.segment_named(request.GET["segment"])
        form["audience"] = chosen.name
        form["title"] = form.get("title") or chosen.title.text(language())
    return _page(request, form, {})


@page
@require_POST
def preview(request: Page) -> HttpResponse:
    """剔除明细 of what the form says now: real counts, nothing is written."""
    operators_only(request.viewer)
    form = request.POST.dict()
    try:
        document = document_of(request, {**form, "text": form.get("text") or _EMPTY_TEXT})
    except BadDocument as error:
        return render(request, "console/_plans_preview.html", {"problems": _problems(error)})
    found = services.preview(request.warehouse, document, request.viewer)
    context = {
        "found": found,
        "steps": _steps(found),
        "document": document,
        "digest": digest(document),
        "written": bool(form.get("text", "").strip()),
        "broken": _broken(form.get("text", "")),
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
    return render(request, "console/_plans_text.html", {"broken": _broken(text), "size": len(text.encode())})


@page
@require_POST
def launch(request: Page) -> HttpResponseBase:
    """Launch what was previewed. What was changed since its dry run is shown again instead."""
    operators_only(request.viewer)
    form = request.POST.dict()
    try:
        document = document_of(request, form)
    except BadDocument as error:
        return _page(request, form, _problems(error), status=422)
    if digest(document) != form.get("previewed"):
        raise Refused(
            "计划在试算之后又改过，请返回再看一遍人数，然后下发。",
            "The plan was changed after its dry run; go back, look at the counts again, then launch it.",
        )
    plan_id = services.launch(document, request.viewer)
    messages.success(request, _("计划已下发，正在过闸。"))
    return redirect("plan", plan_id)


def document_of(request: Page, form: Mapping[str, str]) -> BroadcastDocument:
    """The document that the form says. Raises BadDocument or BadInput."""
    data: dict[str, Any] = {
        "kind": BroadcastDocument.KIND,
        "name": _name(request, form),
        "title": {"zh": form.get("title", "").strip(), "en": form.get("title", "").strip()},
        "audience": {"everyone": True} if form.get("audience") == "*" else {"segment": form.get("audience")},
        "purpose": "marketing",
        "value": form.get("value") == "1",
        "message": {"text": form.get("text", "").strip()},
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
            "title": "",
            "audience": "*",
            "text": "",
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
        "text": template.message.text,
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
    context = {
        "form": form,
        "problems": problems,
        "templates": templates(),
        "segments": segments.segments(),
        "waves": WAVES,
        "most_bytes": MOST_BYTES,
        "broken": _broken(str(form.get("text", ""))),
        "size": len(str(form.get("text", "")).encode()),
        "zone": request.brand.zone,
        "now": business_now(),
    }
    return render(request, "console/plans_new.html", context, status=status)


def _problems(error: BadDocument) -> dict[str, str]:
    """Each problem's sentence by the form's field; what belongs to none stands under `form`."""
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


def _broken(text: str) -> Broken | None:
    found = broken_rule(text, planning.rulebook().rules)
    if found is None:
        return None
    rule, word = found
    return Broken(word, rule.name.replace("_", " ") if language().startswith("en") else rule.title, rule.law)


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
]

"""内容库: the library, one content with its use and effect, its form beside a preview, and the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.figures import interval_figure
from yutang.console.pages import Page, language, operators_only, page
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.console.templatetags.console import signed_money
from yutang.console.texts import base_version, compared, sentences
from yutang.console.words import APPROVALS, CONTENT_KINDS, LADDER_STEPS, PLACES, VOICES
from yutang.content import queries, services
from yutang.content.checking import Finding, check
from yutang.content.contracts import ContentFacts, Standing
from yutang.content.documents import MOST_ATTACHED, Content, Place, Step, Voice
from yutang.content.rendering import WORDS, Variable, spans
from yutang.content.rendering import render as filled
from yutang.documents import queries as documents
from yutang.files.answering import answer_of
from yutang.files.contracts import FileKind
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadInput
from yutang.organisation.queries import brand
from yutang.reach.uses import Use, effects_of, uses

MOST = 500  # characters of what is looked for


@dataclass(frozen=True, slots=True)
class Row:
    """A content in the list, with its use."""

    facts: ContentFacts
    use: Use | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text: what a variable became, or words that may not be said."""

    text: str
    variable: bool = False
    broken: bool = False


@page
@require_safe
def library(request: Page) -> HttpResponseBase:
    """The list; `?voice=`, `?step=`, `?place=`, `?kind=`, `?standing=` and `?find=` keep some."""
    every = queries.contents()
    given = {name: request.GET.get(name, "")[:MOST] for name in ("voice", "step", "place", "kind", "standing", "find")}
    used = uses(request.warehouse, request.viewer)
    rows = [Row(one, used.get(one.document.name)) for one in every if _wanted(one, given)]
    if wanted_format(request):
        return _export(request, rows)
    pager = Pager(page_number(request), len(rows))
    context = {
        "rows": rows[pager.offset : pager.offset + pager.size],
        "pager": pager,
        "any": bool(every),
        "filtered": any(given.values()),
        "given": given,
        "asked": queries.approval_asked(),
        "voices": VOICES,
        "steps": LADDER_STEPS,
        "places": PLACES,
        "kinds": CONTENT_KINDS,
        "standings": APPROVALS,
    }
    return render(request, "console/content.html", context)


def _wanted(facts: ContentFacts, given: Mapping[str, str]) -> bool:
    document = facts.document
    find = given["find"].strip().casefold()
    titles = (document.name, document.title.zh, document.title.en, document.text, document.persona)
    return (
        given["voice"] in ("", document.voice)
        and (not given["step"] or given["step"] in document.steps)
        and given["place"] in ("", document.place)
        and (not given["kind"] or given["kind"] in document.kinds)
        and given["standing"] in ("", facts.standing)
        and (not find or any(find in text.casefold() for text in titles))
    )


def _export(request: Page, rows: Sequence[Row]) -> HttpResponseBase:
    head = [
        _("代号"),
        _("名称"),
        _("版本"),
        _("审核"),
        _("口吻"),
        _("阶段"),
        _("在哪里说"),
        _("文案"),
        _("计划"),
        _("已发送"),
    ]
    lines = (
        (
            one.facts.document.name,
            one.facts.document.title.text(language()),
            one.facts.version,
            str(APPROVALS[one.facts.standing]),
            str(VOICES[one.facts.document.voice]),
            " ".join(str(LADDER_STEPS[step]) for step in one.facts.document.steps),
            str(PLACES[one.facts.document.place]),
            one.facts.document.text,
            len(one.use.plans) if one.use else 0,
            one.use.sent if one.use else 0,
        )
        for one in rows
    )
    return exported(request, "content", head, lines)


@page
@require_safe
def content(request: Page, name: str) -> HttpResponseBase:
    """One content: preview, where it stands, its versions, and what the plans that said it brought."""
    facts = queries.content(name)
    history = documents.versions(Content, name)
    effect = effects_of(request.warehouse, request.viewer, name)
    label = _("这些计划一共多带来的金额与 95% 区间")
    context = {
        "facts": facts,
        "standings": {**dict.fromkeys((one.version for one in history), Standing.DRAFT), **queries.standings(name)},
        "asked": queries.approval_asked(),
        "mine": request.viewer.name in (facts.author, facts.asked_by),
        "effect": effect,
        "figure": interval_figure(effect.total, signed_money, label) if effect.total else "",
        **_preview(facts.document),
        **compared(history, request.GET.get("version", "")),
    }
    return render(request, "console/content_one.html", context)


@page
@require_POST
def content_decide(request: Page, name: str) -> HttpResponseBase:
    """What a button on its page does: submit, approve, send back."""
    version = base_version(request)
    match request.POST.get("do"):
        case "submit":
            services.submit(name, version, request.viewer)
            messages.success(request, _("已提交，等别人审核。"))
        case "approve":
            services.decide(name, version, request.viewer, approve=True)
            messages.success(request, _("已通过，可以使用。"))
        case "send_back":
            services.decide(name, version, request.viewer, approve=False, word=request.POST.get("word", ""))
            messages.success(request, _("已退回。"))
        case _:
            raise BadInput("没有这个操作。", "There is no such action.")
    return redirect("content", name)


@page
@require_safe
def content_new(request: Page) -> HttpResponse:
    """The form; `?from=` names a content of which this becomes the next version, `?like=` one to begin from."""
    operators_only(request.viewer)
    editing, like = request.GET.get("from", ""), request.GET.get("like", "")
    facts = queries.content(editing or like) if editing or like else None
    form = _form(facts.document) if facts else {"voice": Voice.GUIDE.value, "place": Place.CHAT.value}
    if like:
        form["name"] = ""
    return _edit(request, form, editing, facts.version if editing and facts else 0)


@page
@require_POST
def content_preview(request: Page) -> HttpResponse:
    """What the form says, as customers see it, and what may not be said in it. Nothing is kept."""
    operators_only(request.viewer)
    try:
        document = _document({**_posted(request), "name": request.POST.get("name", "").strip() or "preview"})
    except BadInput as error:
        return render(request, "console/_content_preview.html", {"problems": sentences(error)})
    return render(request, "console/_content_preview.html", _preview(document))


@page
@require_POST
def content_keep(request: Page) -> HttpResponseBase:
    """Keep what the form says as the next version of its name."""
    operators_only(request.viewer)
    form, editing = _posted(request), request.POST.get("editing", "")
    try:
        document = _document(form | ({"name": editing} if editing else {}))
        stored = services.keep_content(document, request.viewer, base_version(request) if editing else 0)
    except BadInput as error:
        return _edit(request, form, editing, base_version(request), sentences(error))
    messages.success(request, _("已保存为第 %s 版。") % stored.version)
    return redirect("content", document.name)


@page
@require_POST
def content_upload(request: Page) -> HttpResponse:
    """The form's attachments with what was just uploaded, or without what `drop` names. Only files are kept."""
    operators_only(request.viewer)
    try:
        form = _posted(request)
        wrong = _uploaded(request, form)
    except MultiPartParserError:
        raise BadInput("上传没有完成，请再试一次。", "The upload did not arrive whole; try again.") from None
    _dropped(form, request.POST.get("drop", ""))
    answer = render(request, "console/_content_attached.html", {"form": form, "wrong": wrong})
    answer["HX-Trigger-After-Swap"] = "attached"
    return answer


@page
@require_safe
def content_file(request: Page, digest: str) -> HttpResponse:
    """A file of the library."""
    return answer_of(digest)


@page
@require_safe
def content_said(request: Page) -> HttpResponse:
    """How the content that `?content=` names looks: beside a broadcast that is being written."""
    name = request.GET.get("content", "")
    if not name:
        return HttpResponse("")
    found = queries.content_named(name)
    return render(request, "console/_content_preview.html", _preview(found.document))


@page
@require_safe
def content_rules(request: Page) -> HttpResponse:
    """The rules with their law; `?text=` and `?place=` try one of them out."""
    rules = queries.content_rules()
    text, place = request.GET.get("text", "")[:4000], request.GET.get("place", "")
    where = Place(place) if place in list(Place) else Place.CHAT
    found = check(text, rules, where)
    context = {"rules": rules, "text": text, "place": where, "places": PLACES, **_marked(text, found)}
    return render(request, "console/content_rules.html", context)


def _preview(document: Content) -> dict[str, Any]:
    found = services.findings(document, queries.content_rules())
    known = {Variable.BRAND: brand().name}
    return {
        "document": document,
        "pieces": pieces(document.text, found.get("text", []), known),
        "findings": [one for ones in found.values() for one in ones],
        "names": Variable.NAME in {variable for _, _, variable in spans(document.text)},
    }


def _marked(text: str, found: list[Finding]) -> dict[str, Any]:
    return {"pieces": pieces(text, found, {}), "findings": found}


def pieces(text: str, found: Sequence[Finding], known: Mapping[Variable, str]) -> list[Piece]:
    """A text in stretches: variables as they are read, and the very words that may not be said."""
    variables = {start: (end, variable) for start, end, variable in spans(text)}
    broken = [
        any(one.start <= at < one.end and text[one.start : one.end] == one.words for one in found)
        for at in range(len(text))
    ]
    made: list[Piece] = []
    at = 0
    while at < len(text):
        if at in variables:
            end = variables[at][0]
            made.append(Piece(filled(text[at:end], known), variable=True, broken=broken[at]))
        else:
            end = at + 1
            while end < len(text) and end not in variables and broken[end] == broken[at]:
                end += 1
            made.append(Piece(text[at:end], broken=broken[at]))
        at = end
    return made


_PLAIN = (
    "name", "title_zh", "title_en", "text", "voice", "persona", "place",
    "link_title", "link_url", "link_summary", "link_picture",
    "mini_title", "mini_appid", "mini_page", "mini_picture", "video_url", "video_title", "file_url", "file_name",
)  # fmt: skip
_UPLOADS = {
    "pictures": FileKind.IMAGE,
    "mini_picture": FileKind.IMAGE,
    "video_url": FileKind.VIDEO,
    "file_url": FileKind.FILE,
}
"""What is uploaded into which field."""


def _posted(request: HttpRequest) -> dict[str, Any]:
    given: QueryDict = request.POST
    pictures = zip_longest(given.getlist("pictures"), given.getlist("says"), fillvalue="")
    return {
        **{name: given.get(name, "").strip() for name in _PLAIN},
        "steps": given.getlist("steps"),
        "pictures": [{"url": url.strip(), "says": says.strip()} for url, says in pictures if url.strip()],
    }


def _document(form: Mapping[str, Any]) -> Content:
    """The document that the form says. Raises BadDocument."""
    zh, en = form["title_zh"] or form["title_en"], form["title_en"] or form["title_zh"]
    parts: dict[str, Any] = {
        "link": _part(form, "link", ("title", "url", "summary", "picture")),
        "mini_program": _part(form, "mini", ("title", "appid", "page", "picture")),
        "video": _part(form, "video", ("url", "title")),
        "file": _part(form, "file", ("url", "name")),
        "pictures": form["pictures"],
    }
    data = {
        "kind": Content.KIND,
        "name": form["name"],
        "title": {"zh": zh or _("未命名"), "en": en or "Untitled"},
        "text": form["text"].replace("\r\n", "\n"),
        "voice": form["voice"] or Voice.BRAND.value,
        "persona": form["persona"],
        "place": form["place"] or Place.CHAT.value,
        "steps": [step for step in form["steps"] if step in list(Step)],
        **{name: part for name, part in parts.items() if part},
    }
    return parse(Content, data)


def _part(form: Mapping[str, Any], prefix: str, names: Sequence[str]) -> dict[str, str]:
    return {name: form[f"{prefix}_{name}"] for name in names if form[f"{prefix}_{name}"]}


def _form(document: Content) -> dict[str, Any]:
    link, mini, video, file = document.link, document.mini_program, document.video, document.file
    return {
        "name": document.name,
        "title_zh": document.title.zh,
        "title_en": document.title.en,
        "text": document.text,
        "voice": document.voice.value,
        "persona": document.persona,
        "place": document.place.value,
        "steps": [step.value for step in document.steps],
        "pictures": [{"url": one.url, "says": one.says} for one in document.pictures],
        **({f"link_{name}": getattr(link, name) for name in ("title", "url", "summary", "picture")} if link else {}),
        **({f"mini_{name}": getattr(mini, name) for name in ("title", "appid", "page", "picture")} if mini else {}),
        **({f"video_{name}": getattr(video, name) for name in ("url", "title")} if video else {}),
        **({f"file_{name}": getattr(file, name) for name in ("url", "name")} if file else {}),
    }


def _uploaded(request: Page, form: dict[str, Any]) -> list[str]:
    """Put what was sent into the fields of a form; returns what is wrong with it."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
        return [_("一次上传的文件一共至多 19 MB，请分几次。")]
    wrong: list[str] = []
    for field, kind in _UPLOADS.items():
        for sent in request.FILES.getlist(f"upload_{field}"):
            try:
                kept = services.keep_upload(kind, sent.name or "", sent.read(), request.viewer)
            except BadInput as error:
                wrong += sentences(error)
                continue
            if field != "pictures":
                form[field] = kept.address
                form["file_name"] = kept.name if field == "file_url" else form["file_name"]
            elif len(form["pictures"]) < MOST_ATTACHED:
                form["pictures"].append({"url": kept.address, "says": ""})
            else:
                wrong.append(_("图片至多 %s 张。") % MOST_ATTACHED)
    return wrong


def _dropped(form: dict[str, Any], what: str) -> None:
    """Take something off a form: a field, or `pictures.` and a number."""
    field, _dot, number = what.partition(".")
    if field == "pictures" and number.isdecimal() and int(number) < len(form["pictures"]):
        form["pictures"].pop(int(number))
    elif field in _UPLOADS and field != "pictures":
        form[field] = ""
        form["file_name"] = "" if field == "file_url" else form["file_name"]


def _edit(
    request: Page, form: Mapping[str, Any], editing: str, version: int, wrong: Sequence[str] = ()
) -> HttpResponse:
    context = {
        "form": form,
        "editing": editing,
        "version": version,
        "sentences": wrong,
        "voices": VOICES,
        "steps": LADDER_STEPS,
        "places": PLACES,
        "variables": [word for word in WORDS if not word.isascii()]
        if not language().startswith("en")
        else list(Variable),
    }
    return render(request, "console/content_edit.html", context, status=422 if wrong else 200)


urls = [
    path("content/", library, name="library"),
    path("content/new/", content_new, name="content_new"),
    path("content/preview/", content_preview, name="content_preview"),
    path("content/keep/", content_keep, name="content_keep"),
    path("content/upload/", content_upload, name="content_upload"),
    path("content/file/<slug:digest>/", content_file, name="content_file"),
    path("content/said/", content_said, name="content_said"),
    path("content/rules/", content_rules, name="content_rules"),
    path("content/of/<slug:name>/", content, name="content"),
    path("content/of/<slug:name>/decide/", content_decide, name="content_decide"),
]

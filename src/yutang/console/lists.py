"""人工名单: what staff are asked to do by hand, worked on a phone: whom, what to say, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.manual import queries, services
from yutang.channels.manual.contracts import LineFacts, ListFacts, ListState, Result
from yutang.console.pages import Page, page
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.intake.rolls import SentFile
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import NodeFacts, RoleName
from yutang.organisation.queries import nodes
from yutang.reach.contracts import PlanFacts
from yutang.reach.queries import plans_of_tasks

LISTS_SHOWN = 30
MOST_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class ListRow:
    """A list with where it is worked, and for which plan."""

    list: ListFacts
    store: NodeFacts | None
    plan: PlanFacts | None


@page
@require_safe
def lists(request: Page) -> HttpResponseBase:
    """The lists of the accounts that the viewer sees, those to be worked first; `?state=` keeps some."""
    wanted = request.GET.get("state", "open")
    state = ListState(wanted) if wanted in list(ListState) else None
    number = page_number(request)
    total, found = queries.lists(request.viewer, state=state, limit=LISTS_SHOWN, offset=(number - 1) * LISTS_SHOWN)
    context = {
        "rows": _rows(found),
        "pager": Pager(number, total, LISTS_SHOWN),
        "state": state.value if state else "",
        "states": [one.value for one in ListState],
        "any": total or queries.lists(request.viewer, limit=0)[0],
    }
    return render(request, "console/lists.html", context)


@page
@require_safe
def one_list(request: Page, number: int) -> HttpResponseBase:
    """One list, to be worked; `?export=` gives it as a file, for those who print, or fill it in elsewhere."""
    facts = queries.list_of(request.viewer, number)
    lines = queries.lines_of(request.viewer, number)
    if wanted_format(request):
        services.take_along(request.viewer, number)
        return _export(request, facts, lines)
    return render(request, "console/lists_one.html", _context(request, facts, lines))


@page
@require_POST
def note(request: Page, number: int) -> HttpResponseBase:
    """Write down a result: of one `line`, or with `all` of everybody who is left."""
    result = _result(request.POST.get("result", ""))
    if "all" in request.POST:
        changed = services.note(request.viewer, number, None, result)
        messages.success(request, _("已记下 %s 人。") % changed)
        return redirect("list", number)
    line = _line(request)
    services.note(request.viewer, number, [line], result)
    return _answered(request, number, line)


@page
@require_POST
def take_back(request: Page, number: int) -> HttpResponseBase:
    """Undo what was just written down of a line."""
    line = _line(request)
    services.take_back(request.viewer, number, [line])
    return _answered(request, number, line)


@page
@require_POST
def hand_in(request: Page, number: int) -> HttpResponseBase:
    """All that was done is written down."""
    services.hand_in(request.viewer, number)
    messages.success(request, _("已交回，谢谢。"))
    return redirect("list", number)


@page
@require_POST
def read(request: Page, number: int) -> HttpResponseBase:
    """Write down what a file says."""
    queries.list_of(request.viewer, number)
    try:
        file = request.FILES.get("file")
    except MultiPartParserError:
        file = None
    if file is None or not file.size:
        raise BadInput("请选择一个有内容的文件。", "Choose a file with something in it.")
    if file.size > MOST_BYTES:
        raise BadInput("文件超过 5 MB，不像一份名单。", "The file is larger than 5 MB, which no list is.")
    given = SentFile(Path(file.name or "list.csv").name, file.read())
    report = services.read_results(request.viewer, number, given)
    if not report.wrong:
        said = {"rows": report.rows, "noted": report.noted}
        messages.success(request, _("文件里有 %(rows)s 条结果，新记下 %(noted)s 条。") % said)
        return redirect("list", number)
    facts, lines = queries.list_of(request.viewer, number), queries.lines_of(request.viewer, number)
    context = {**_context(request, facts, lines), "report": report}
    return render(request, "console/lists_one.html", context, status=422)


def _context(request: Page, facts: ListFacts, lines: Sequence[LineFacts]) -> dict[str, object]:
    return {
        "row": _rows([facts])[0],
        "list": facts,
        "lines": lines,
        "may_write": facts.state is ListState.OPEN and request.viewer.role is not RoleName.ANALYST,
    }


def _rows(found: Iterable[ListFacts]) -> list[ListRow]:
    found = list(found)
    plans = plans_of_tasks([one.task for one in found])
    stores = {node.id: node for node in nodes()}
    return [ListRow(one, stores.get(one.sender.store), plans.get(one.task)) for one in found]


def _answered(request: Page, number: int, line: int) -> HttpResponse | HttpResponseBase:
    """The one line anew, with the list's progress; without the page's script, the page."""
    if not request.headers.get("HX-Request"):
        return redirect("list", number)
    facts = queries.list_of(request.viewer, number)
    lines = [one for one in queries.lines_of(request.viewer, number) if one.number == line]
    context = {**_context(request, facts, lines), "part": True, "line": lines[0] if lines else None}
    return render(request, "console/_lists_answer.html", context)


def _line(request: Page) -> int:
    text = request.POST.get("line", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 7):
        raise BadInput("没有这一行。", "There is no such line.")
    return int(text)


def _result(text: str) -> Result:
    if text not in list(Result):
        raise BadInput("结果应为 已发 或 没联系上。", "The result is sent or not reached.")
    return Result(text)


def _export(request: Page, facts: ListFacts, lines: Sequence[LineFacts]) -> HttpResponseBase:
    head = [_("序号"), _("姓名"), _("手机号"), _("文案"), _("结果"), _("时间"), _("不要联系")]
    words = {Result.SENT: _("已发"), Result.NOT_REACHED: _("没联系上"), None: ""}
    return exported(
        request,
        f"list-{facts.id}",
        head,
        (
            (
                one.number,
                one.name,
                one.phone,
                one.text or facts.text,
                words[one.result],
                one.at,
                _("是") if one.refusal else "",
            )
            for one in lines
        ),
    )


urls = [
    path("lists/", lists, name="lists"),
    path("lists/<int:number>/", one_list, name="list"),
    path("lists/<int:number>/note/", note, name="list_note"),
    path("lists/<int:number>/back/", take_back, name="list_back"),
    path("lists/<int:number>/in/", hand_in, name="list_in"),
    path("lists/<int:number>/read/", read, name="list_read"),
]

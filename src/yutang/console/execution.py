"""执行看板: what was issued, carried out and left undone, by region, store and guide; and who is asked after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.pages import Page, language, page
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import STANDINGS, said
from yutang.execution.board import SORTS, below, board, total
from yutang.execution.contracts import Counts, Row
from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import PlanId, SenderId, StaffId
from yutang.organisation.queries import Home, places, staff_names
from yutang.reach.contracts import PlanFacts, Standing
from yutang.reach.tallies import Asked, Wanted, asked, plan_on_board, plans_numbered, plans_on_board

LINES = 50
MOST_IN_FILE = 20_000
SPANS = (7, 28, 90)
LONGEST = 400  # days of a period
WAYS = ("wecom", "manual")
LISTED = (Standing.WAITING, Standing.EXPIRED, Standing.DOUBTFUL, Standing.LATE, Standing.EXECUTED, Standing.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an address of the board asks for: which batches, below which node, of whom."""

    wanted: Wanted
    plan: PlanFacts | None
    days: int | None
    first: date | None
    last: date | None
    at: str
    channel: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A batch with whose it is, where and for what."""

    batch: Asked
    staff: StaffId
    name: str
    store: str
    plan: PlanFacts | None


def scope_of(request: Page) -> Scope:
    """What `?plan=`, `?days=`, `?from=`, `?to=`, `?at=` and `?way=` ask for; without plan and period, the plans that
    run now. Raises BadInput for a period that is none, NotFound for a plan that is not the viewer's."""
    given = request.GET if request.method == "GET" else request.POST
    zone = request.brand.zone
    number = given.get("plan", "")
    plan = plan_on_board(request.viewer, int(number)) if number.isdecimal() and len(number) < 16 else None
    days = int(given["days"]) if given.get("days", "") in map(str, SPANS) else None
    first, last = _day(given.get("from", "")), _day(given.get("to", ""))
    today = local_day(business_now(), zone)
    if days is not None and first is None and last is None:
        first, last = today - timedelta(days=days - 1), today
    elif first is not None or last is not None:
        days = None
        last = last or today
        first = first or last - timedelta(days=SPANS[1] - 1)
        if not timedelta(0) <= last - first <= timedelta(days=LONGEST):
            raise BadInput(
                f"时间段应从早到晚，不超过 {LONGEST} 天。",
                f"A period goes from earlier to later, over {LONGEST} days at most.",
            )
    since = None if first is None else day_start(first, zone)
    until = None if last is None else day_start(last + timedelta(days=1), zone)
    running = plan is None and since is None
    way = given.get("way", "")
    return Scope(
        Wanted(None if plan is None else PlanId(plan.id), running, since, until), plan, days, first, last,
        given.get("at", "")[:64], way if way in WAYS else "",
    )  # fmt: skip


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"「{text[:20]}」不是日期，应类似 2026-03-01。", f"“{text[:20]}” is no day such as 2026-03-01."
        ) from None


def common(request: Page, scope: Scope) -> dict[str, object]:
    """What every page of the board shows above its own part."""
    return {
        "scope": scope,
        "plans": plans_on_board(request.viewer),
        "spans": SPANS,
        "keep": "&".join(f"{name}={value}" for name, value in _kept(scope).items()),
    }


def _kept(scope: Scope) -> dict[str, object]:
    """The scope as it stands in addresses."""
    said: dict[str, object] = {"plan": scope.plan.id if scope.plan else "", "days": scope.days or ""}
    if scope.days is None:
        said |= {"from": scope.first or "", "to": scope.last or ""}
    return {name: value for name, value in {**said, "at": scope.at, "way": scope.channel}.items() if value != ""}


@page
@require_safe
def execution(request: Page) -> HttpResponseBase:
    """The board; `?at=` goes down to a node, `?sort=` orders its lines, `?export=` gives them as a file."""
    scope = scope_of(request)
    order = sorting(request, SORTS, "rate")
    if wanted_format(request):
        found = board(
            request.viewer, scope.wanted, at=scope.at, channel=scope.channel, sort=order, limit=MOST_IN_FILE,
            by_day=False,
        )  # fmt: skip
        return _export(request, found.rows)
    number = page_number(request)
    found = board(
        request.viewer, scope.wanted, at=scope.at, channel=scope.channel, sort=order, limit=LINES,
        offset=(number - 1) * LINES,
    )  # fmt: skip
    context = {
        **common(request, scope),
        "board": found,
        "spread": any(row.stores for row in found.rows),
        "lines": [_Line(row, [row.days.get(day) for day in found.days]) for row in found.rows],
        "pager": Pager(number, found.size, LINES),
        "sort": request.GET.get("sort", ""),
    }
    return render(request, "console/execution.html", context)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the board with its cells by day, in the order of the days."""

    row: Row
    days: Sequence[Counts | None]


def _export(request: Page, rows: Sequence[Row]) -> HttpResponseBase:
    head = [_("编号"), _("名称"), _("已下发任务"), _("按时执行"), _("逾期执行"), _("等待中"), _("到期未执行")]
    head += [_("执行率"), _("已下发人数"), _("已执行人数"), _("未执行人数"), _("还没下发"), _("下落不明")]
    head += [_("已撤回"), _("没有下发")]
    table = [
        (
            row.spot.code if row.spot else f"staff-{row.staff}",
            row.name,
            *(row.counts.issued, row.counts.executed, row.counts.late, row.counts.waiting, row.counts.expired),
            None if row.counts.rate is None else round(row.counts.rate, 4),
            *(row.counts.people, row.counts.reached, row.counts.people_left),
            *(row.counts.planned, row.counts.doubtful, row.counts.withdrawn, row.counts.unissued),
        )
        for row in rows
    ]
    return exported(request, "execution", head, table)


@page
@require_safe
def tasks(request: Page) -> HttpResponseBase:
    """The tasks that stand as `?state=` says (else: those that are not carried out), `?guide=` keeps one guide's."""
    scope = scope_of(request)
    wanted = request.GET.get("state", "")
    chosen = next((one for one in LISTED if one.name.lower() == wanted), None)
    standings = (chosen,) if chosen is not None else (Standing.WAITING, Standing.EXPIRED)
    tree = below(request.viewer, scope.at, scope.channel)
    guide = request.GET.get("guide", "")
    homes = {one.sender: one for one in tree.homes if not guide or str(one.staff) == guide}
    accounts = list(homes) if guide else tree.accounts
    without = tree.without if accounts is None else ()
    number = page_number(request)
    if wanted_format(request):
        rows = asked(request.viewer, scope.wanted, accounts, standings, without=without, limit=MOST_IN_FILE)
        return _export_tasks(request, _task_rows(request, rows, homes))
    found = asked(
        request.viewer, scope.wanted, accounts, standings, without=without, limit=LINES + 1,
        offset=(number - 1) * LINES,
    )  # fmt: skip  # one more tells whether there is another page
    rows_shown = _task_rows(request, found[:LINES], homes)
    counts = total(request.viewer, scope.wanted, tree) if not guide else None
    context = {
        **common(request, scope),
        "rows": rows_shown,
        "states": [(one.name.lower(), getattr(counts, one.name.lower()) if counts else None) for one in LISTED],
        "state": wanted if chosen is not None else "",
        "at": tree.at,
        "trail": tree.trail,
        "guide": rows_shown[0].name if guide and rows_shown else _guide(request, guide),
        "guide_number": guide,
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if len(found) > LINES else None,
    }
    return render(request, "console/execution_tasks.html", context)


def _guide(request: Page, number: str) -> str:
    staff = StaffId(int(number)) if number.isdecimal() and len(number) < 16 else None
    return staff_names(request.viewer, [staff]).get(staff, "") if staff is not None else ""


def _task_rows(request: Page, rows: Sequence[Asked], homes: Mapping[SenderId, Home]) -> list[TaskRow]:
    stores = {place.id: place.name for place in places()}
    mine = [(row, homes[row.sender]) for row in rows if row.sender in homes]
    names = staff_names(request.viewer, {home.staff for _row, home in mine})
    plans = plans_numbered(request.viewer, {row.plan for row, _home in mine})
    return [
        TaskRow(row, home.staff, names.get(home.staff, ""), stores.get(home.node, ""), plans.get(row.plan))
        for row, home in mine
    ]


def _export_tasks(request: Page, rows: Sequence[TaskRow]) -> HttpResponseBase:
    head = [_("任务"), _("计划"), _("门店"), _("导购"), _("状态"), _("下发"), _("截止"), _("执行时间")]
    head += [_("人数"), _("已执行人数")]
    table = [
        (
            row.batch.id,
            row.plan.document.title.text(language()) if row.plan else "",
            row.store,
            row.name,
            said(STANDINGS, row.batch.standing.name.lower()),
            *(row.batch.due_at, row.batch.deadline, row.batch.tapped_at, row.batch.asked, row.batch.done),
        )
        for row in rows
    ]
    return exported(request, "execution tasks", head, table)


urls = [
    path("execution/", execution, name="execution"),
    path("execution/tasks/", tasks, name="execution_tasks"),
]

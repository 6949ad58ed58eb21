"""执行看板: what was issued, carried out and left undone, by region, store and guide; and who is asked after."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, language, page
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import STANDINGS, WHY_NOT, said
from yutang.execution import queries, services
from yutang.execution.board import IDLE_TASKS, SORTS, below, board, total
from yutang.execution.contracts import Counts, Reason, Row
from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import PlanId, SenderId, StaffId
from yutang.organisation.contracts import RoleName
from yutang.organisation.queries import Home, places, staff_names
from yutang.reach.contracts import PlanFacts, Standing
from yutang.reach.planning import rulebook
from yutang.reach.tallies import Task, Wanted, plan_on_board, plans_numbered, plans_on_board, tasks_standing

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

    batch: Task
    staff: StaffId
    name: str
    store: str
    plan: PlanFacts | None
    why: tuple[Reason, str] | None = None


def scope_of(request: Page, default: int | None = None) -> Scope:
    """What `?plan=`, `?days=`, `?from=`, `?to=`, `?at=` and `?way=` ask for; without plan and period, the plans that
    run now, or the last `default` days. Raises BadInput for a period that is none, NotFound for another's plan."""
    given = request.GET if request.method == "GET" else request.POST
    zone = request.brand.zone
    number = given.get("plan", "")
    plan = plan_on_board(request.viewer, int(number)) if number.isdecimal() and len(number) < 16 else None
    days = int(given["days"]) if given.get("days", "") in map(str, SPANS) else None
    first, last = _day(given.get("from", "")), _day(given.get("to", ""))
    today = local_day(business_now(), zone)
    if plan is None and days is None and first is None and last is None:
        days = default
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
        "may_chase": services.may_chase(request.viewer),
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
        rows = tasks_standing(request.viewer, scope.wanted, accounts, standings, without=without, limit=MOST_IN_FILE)
        return _export_tasks(request, _task_rows(request, rows, homes))
    found = tasks_standing(
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
        "reasons": [one.value for one in Reason],
        "may_say": request.viewer.role is not RoleName.ANALYST,
        "may_chase": services.may_chase(request.viewer),
        "uid": secrets.token_hex(12),
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if len(found) > LINES else None,
    }
    return render(request, "console/execution_tasks.html", context)


def _guide(request: Page, number: str) -> str:
    staff = StaffId(int(number)) if number.isdecimal() and len(number) < 16 else None
    return staff_names(request.viewer, [staff]).get(staff, "") if staff is not None else ""


def _task_rows(request: Page, rows: Sequence[Task], homes: Mapping[SenderId, Home]) -> list[TaskRow]:
    stores = {place.id: place.name for place in places()}
    mine = [(row, homes[row.sender]) for row in rows if row.sender in homes]
    names = staff_names(request.viewer, {home.staff for _row, home in mine})
    plans = plans_numbered(request.viewer, {row.plan for row, _home in mine})
    why = queries.reasons_of(request.viewer, [row.id for row, _home in mine])
    return [
        TaskRow(
            row, home.staff, names.get(home.staff, ""), stores.get(home.node, ""), plans.get(row.plan), why.get(row.id)
        )
        for row, home in mine
    ]


def _export_tasks(request: Page, rows: Sequence[TaskRow]) -> HttpResponseBase:
    head = [_("任务"), _("计划"), _("门店"), _("导购"), _("状态"), _("下发"), _("截止"), _("执行时间")]
    head += [_("人数"), _("已执行人数"), _("没执行的原因")]
    table = [
        (
            row.batch.id,
            row.plan.document.title.text(language()) if row.plan else "",
            row.store,
            row.name,
            said(STANDINGS, row.batch.standing.name.lower()),
            *(row.batch.due_at, row.batch.deadline, row.batch.tapped_at, row.batch.asked, row.batch.done),
            said(WHY_NOT, row.why[0].value) if row.why else "",
        )
        for row in rows
    ]
    return exported(request, "execution tasks", head, table)


@page
@require_safe
def over_time(request: Page) -> HttpResponseBase:
    """How execution went by day or week and by hour, who never executes, and why not; of the last 28 days, unless the
    address says otherwise. `?export=` gives the days as a file."""
    scope = scope_of(request, default=SPANS[1])
    tree = below(request.viewer, scope.at, scope.channel)
    found = queries.over_time(request.viewer, scope.wanted, tree)
    if wanted_format(request):
        return _export_steps(request, found.steps)
    context = {
        **common(request, scope),
        "found": found,
        "bars": _bars(found.steps),
        "hours": _hours(found.hours),
        "tapped": sum(found.hours),
        "at": tree.at,
        "trail": tree.trail,
        "idle_tasks": IDLE_TASKS,
        "reasons": queries.reasons(request.viewer, tree, since=scope.wanted.since, until=scope.wanted.until),
        "stores": {place.id: place.name for place in tree.stores},
    }
    return render(request, "console/execution_time.html", context)


@dataclass(frozen=True, slots=True)
class Bar:
    """A column of a figure in units of a view box of 12 × 100: how much of it is filled, and what it stands for."""

    x: float
    height: float
    label: str


def _bars(steps: Sequence[queries.Step]) -> list[Bar]:
    return [
        Bar(12.0 * index, round(100 * (step.counts.rate or 0), 1), f"{step.first:%m-%d}")
        for index, step in enumerate(steps)
    ]


def _hours(hours: Sequence[int]) -> list[Bar]:
    most = max(hours, default=0) or 1
    return [Bar(12.0 * hour, round(100 * count / most, 1), f"{hour}") for hour, count in enumerate(hours)]


def _export_steps(request: Page, steps: Sequence[queries.Step]) -> HttpResponseBase:
    head = [_("日期"), _("已下发任务"), _("按时执行"), _("逾期执行"), _("等待中"), _("到期未执行")]
    head += [_("执行率"), _("已下发人数")]
    table = [
        (
            step.first, step.counts.issued, step.counts.executed, step.counts.late, step.counts.waiting,
            step.counts.expired, None if step.counts.rate is None else round(step.counts.rate, 4), step.counts.people,
        )
        for step in steps
    ]  # fmt: skip
    return exported(request, "execution over time", head, table)


def _chase_scope(request: Page, scope: Scope) -> services.ChaseScope:
    given = request.GET if request.method == "GET" else request.POST
    guide = given.get("guide", "")
    chosen = given.getlist("by") or ["message"]
    return services.ChaseScope(
        scope.wanted, scope.at, StaffId(int(guide)) if guide.isdecimal() and len(guide) < 16 else None, scope.channel,
        message="message" in chosen, remind="remind" in chosen,
    )  # fmt: skip


@page
@require_safe
def chase(request: Page) -> HttpResponseBase:
    """Who would be asked after now, and who not and why; nothing is sent."""
    scope = scope_of(request)
    asks = _chase_scope(request, scope)
    found = services.preview_chase(request.viewer, asks)
    names = staff_names(request.viewer, found.named)
    context = {
        **common(request, scope),
        "found": found,
        "names": [names.get(staff, "") for staff in found.named],
        "left_out": sum(found.left_out.values()),
        "asks": asks,
        "guide_number": asks.staff or "",
        "guide": staff_names(request.viewer, [asks.staff]).get(asks.staff, "") if asks.staff else "",
        "at": found.at,
        "policy": rulebook().policy.chase,
        "uid": secrets.token_hex(16),
        "latest": queries.chases(request.viewer, limit=5),
    }
    return render(request, "console/execution_chase.html", context)


@page
@require_POST
def chase_now(request: Page) -> HttpResponseBase:
    """Ask after them; the same form sent twice asks once."""
    scope = scope_of(request)
    number = services.chase(request.viewer, request.POST.get("uid", ""), _chase_scope(request, scope))
    return redirect("execution_chased", number)


@page
@require_safe
def chased(request: Page, number: int) -> HttpResponseBase:
    """What became of a chase, call by call; the page asks again while calls are to be made."""
    facts = next((one for one in queries.chases(request.viewer, limit=500) if one.id == number), None)
    calls = queries.calls_of(request.viewer, number)
    stores = {place.id: place.name for place in places()}
    context = {
        "facts": facts,
        "calls": [(call, stores.get(call.node, "")) for call in calls],
        "left_out": sum(facts.left_out.values()) if facts else 0,
    }
    name = "console/_execution_chased.html" if request.headers.get("HX-Request") else "console/execution_chased.html"
    return render(request, name, context)


@page
@require_POST
def reason(request: Page) -> HttpResponseBase:
    """Keep why a task is not carried out, as a manager or headquarters was told."""
    given = request.POST
    batch = given.get("batch", "")
    wanted = given.get("reason", "")
    if wanted not in list(Reason) or not (batch.isdecimal() and len(batch) < 16):
        raise BadInput("请选一个原因。", "Choose a reason.")
    services.give_reason(
        request.viewer, given.get("uid", ""), Reason(wanted), batch=int(batch), text=given.get("text", "")
    )
    messages.success(request, _("已记下。有原因的任务不再催办。"))
    return redirect(
        f"{reverse('execution_tasks')}?{urlencode(_kept(scope_of(request)))}&guide={given.get('guide', '')}"
    )


urls = [
    path("execution/", execution, name="execution"),
    path("execution/tasks/", tasks, name="execution_tasks"),
    path("execution/over-time/", over_time, name="execution_time"),
    path("execution/chase/", chase, name="execution_chase"),
    path("execution/chase/now/", chase_now, name="execution_chase_now"),
    path("execution/chases/<int:number>/", chased, name="execution_chased"),
    path("execution/reason/", reason, name="execution_reason"),
]

"""今天: what needs a person, first; what is fine, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from yutang.channels.webhook.queries import in_trouble
from yutang.console.counted import GAINED, LATE_NOW, LATE_THEN, Back
from yutang.console.pages import Page, page
from yutang.console.pond import POND, Ways
from yutang.execution.board import IDLE_DAYS, IDLE_TASKS, Owes, below, idle_stores, owing
from yutang.guard.accounts.queries import accounts_by_level
from yutang.guard.radar import queries as walls
from yutang.kernel.clock import business_now
from yutang.kernel.ids import SenderId
from yutang.kernel.shares import Estimate
from yutang.organisation.contracts import SenderFacts
from yutang.organisation.queries import node_names, senders
from yutang.profiles.beforehand import Counted
from yutang.profiles.queries import as_of
from yutang.reach import queries as reach
from yutang.reach.contracts import BatchFacts, PlanFacts, PlanState
from yutang.reach.tallies import Wanted, waiting

BUCKETS = ((14, 20), (21, 29), (30, 59), (60, None))
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Late:
    """Those who are so many days late now, and how many of such came back by themselves at the earlier cut."""

    first: int
    last: int | None
    now: int
    spend: float
    back: Estimate

    @property
    def span(self) -> str:
        """The days, such as 14–20 or 60+."""
        return f"{self.first}–{self.last}" if self.last else f"{self.first}+"

    @property
    def leave_alone(self) -> bool:
        """Whether more than half of such surely come back by themselves."""
        return (self.back.low or 0) > 0.5

    @property
    def speak(self) -> bool:
        """Whether surely fewer than half do."""
        return self.back.whole > 0 and (self.back.high or 1) < 0.5


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """How many are best left alone, how late they are, and how many of such came back."""

    now: int
    spans: tuple[str, ...]
    back: Estimate

    @property
    def late(self) -> str:
        """The spans of days in one text."""
        return " · ".join(self.spans)


@dataclass(frozen=True, slots=True)
class Overdue:
    """该来没来: the rows by lateness, and the cut at which coming back was counted."""

    rows: tuple[Late, ...]
    cut: date
    messaged: int

    @property
    def now(self) -> int:
        """How many are overdue now."""
        return sum(row.now for row in self.rows)

    @property
    def spend(self) -> float:
        """What they spent in the last 365 days."""
        return sum(row.spend for row in self.rows)

    @property
    def back(self) -> Estimate:
        """How many of all came back at the cut."""
        return Estimate(sum(row.back.part for row in self.rows), sum(row.back.whole for row in self.rows))

    @property
    def left_alone(self) -> LeftAlone:
        """Whom not to message."""
        rows = [row for row in self.rows if row.leave_alone and row.now]
        back = Estimate(sum(row.back.part for row in rows), sum(row.back.whole for row in rows))
        return LeftAlone(sum(row.now for row in rows), tuple(row.span for row in rows), back)


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A batch whose fate is not known."""

    batch: BatchFacts
    plan: PlanFacts
    guide: SenderFacts | None


@dataclass(frozen=True, slots=True)
class Owing:
    """A store whose guides have tasks to tap: whose, for how many people, and when the first deadline is."""

    store: str
    guides: tuple[SenderFacts, ...]
    people: int
    hours_left: float

    @property
    def first(self) -> tuple[SenderFacts, ...]:
        """The guides that are named; the rest are counted."""
        return self.guides[:3]

    @property
    def rest(self) -> int:
        """How many guides are not named."""
        return len(self.guides) - len(self.first)


@dataclass(frozen=True, slots=True)
class Coming:
    """A running plan: its next wave, if one is still to come, and when it can tell."""

    plan: PlanFacts
    wave_at: datetime | None
    tells_at: datetime | None


@page
@require_safe
def today(request: Page) -> HttpResponse:
    """The page."""
    known = POND.answer(request.warehouse) if as_of(request.warehouse) is not None else None
    reached = known.value.part(request.viewer) if known is not None else Ways({})
    ready = reached.everybody > 0
    running = reach.plans(request.viewer, PlanState.RUNNING, limit=20)
    tree = below(request.viewer)
    owing_all = owing(request.viewer, tree)
    doubtful = _doubtful(request, running)
    idle = idle_stores(request.warehouse, tree)
    gained = GAINED.answer(request.warehouse)
    levels = accounts_by_level(request.warehouse, request.viewer)
    late = overdue(request) if ready else None
    counted = [one for one in (known, idle, gained, levels, late) if one is not None]
    context = {
        "overdue": late.value if late is not None else None,
        "owing": _owing(request, owing_all[:SHOWN]),
        "owing_rest": max(len(owing_all) - SHOWN, 0),
        "waiting": sum(one.tasks for one in owing_all),
        "waiting_people": sum(one.people for one in owing_all),
        "idle_stores": idle.value,
        "idle_tasks": IDLE_TASKS,
        "idle_days": IDLE_DAYS,
        "doubtful": doubtful[:SHOWN],
        "coming": [_coming(plan) for plan in running],
        "posting": in_trouble() if request.viewer.may_operate and request.viewer.sees_all else [],
        "walls": walls.warnings(request.viewer) if request.viewer.may_operate and request.viewer.sees_all else [],
        "ways": reached,
        "gain": gained.value.part(request.viewer),
        "accounts": levels.value,
        "ready": ready,
        "as_of": min(one.as_of for one in counted),
    }
    return render(request, "console/today.html", context)


def overdue(request: Page) -> Counted[Overdue] | None:
    """The overdue by lateness; None where the segment was retired."""
    late, then = LATE_NOW.answer(request.warehouse), LATE_THEN.answer(request.warehouse)
    if late.value is None:
        return None
    days, spend = late.value.part(request.viewer)
    back = then.value.part(request.viewer)
    rows = []
    for first, last in BUCKETS:
        inside = (days >= first) & (days <= (last or 1_000_000))
        came = back.get(first, Back())
        estimate = Estimate(came.came, came.households)
        rows.append(Late(first, last, int(inside.sum()), float(spend[inside].sum()), estimate))
    messaged = sum(one.messaged for one in back.values())
    return Counted(Overdue(tuple(rows), then.value.cut, messaged), min(late.as_of, then.as_of))


def _doubtful(request: Page, running: Sequence[PlanFacts]) -> list[Doubtful]:
    """Batches of running plans of which nobody can say whether they are out, the nearest deadline first."""
    plans = {plan.id: plan for plan in running}
    found = reach.doubtful(request.viewer, list(plans))[:SHOWN]
    guides = {one.id: one for one in senders(request.viewer, {batch.sender for batch in found})} if found else {}
    return [Doubtful(batch, plans[batch.plan], guides.get(batch.sender)) for batch in found]


def _owing(request: Page, stores: Sequence[Owes]) -> list[Owing]:
    """The stores that are shown, with their guides and the first deadline of each."""
    accounts = [account for store in stores for account in store.accounts]
    if not accounts:
        return []
    now = business_now()
    first: dict[SenderId, datetime] = {}
    for task in waiting(request.viewer, Wanted(running=True), accounts, now):
        first.setdefault(task.sender, task.deadline)
    guides = {one.id: one for one in senders(request.viewer, accounts)}
    names = node_names([store.node for store in stores])
    return [
        Owing(
            names.get(store.node, ""),
            tuple({guides[one].staff: guides[one] for one in store.accounts if one in guides}.values()),
            store.people,
            max((min((first[one] for one in store.accounts if one in first), default=now) - now).total_seconds(), 0)
            / 3600,
        )
        for store in stores
    ]


def _coming(plan: PlanFacts) -> Coming:
    document = plan.document
    if plan.start is None:
        return Coming(plan, None, None)
    starts = [plan.start + timedelta(hours=document.wave_hours * wave) for wave in range(len(document.waves))]
    later = [start for start in starts if start > business_now()]
    return Coming(plan, min(later, default=None), starts[-1] + timedelta(days=document.horizon_days))


urls = [path("", today, name="today")]

"""触达计划: the list, and a plan from its first wave to what it earned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.manual.contracts import CHANNEL
from yutang.channels.manual.mass_send import number_of
from yutang.console import broadcasts
from yutang.console.figures import interval_figure
from yutang.console.pages import Page, operators_only, page
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.console.templatetags.console import signed_money
from yutang.console.words import OUTCOMES, REASONS, said
from yutang.kernel.clock import business_now
from yutang.organisation.contracts import NodeFacts, SenderFacts
from yutang.organisation.queries import nodes, senders
from yutang.reach import drafts, services
from yutang.reach import queries as reach
from yutang.reach.contracts import BatchFacts, BatchState, PlanCounts, PlanFacts, PlanState
from yutang.reach.ledger import plan_counts
from yutang.reach.lift import Lift, Verdict
from yutang.reach.limits import way_of
from yutang.reach.offgate import Contaminated
from yutang.tasks.cards import days_of

T = TypeVar("T")
PLANS_SHOWN = 20
BATCHES_SHOWN = 20
CONTAMINATED_SHOWN = 10
TELLING = (1.96 + 0.84) / 1.96
"""The effect that a plan shows in 80 % of cases, over the half-width of its 95 % interval (Bloom 1995)."""
STANDING = "standing"
"""In the address: the plans of what staff are asked to do day by day."""
STATUSES = ("issued", "tapped", "untapped", "planned", "doubtful")


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan in the list, with what became of its touches."""

    plan: PlanFacts
    counts: PlanCounts


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the ledger's equation: its word and number; `why` are the reasons of the suppressed."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch with whose it is and where; `status` is one of STATUSES, `list` the list that is worked by hand."""

    batch: BatchFacts
    guide: SenderFacts | None
    store: NodeFacts | None
    status: str
    list: int | None


@dataclass(frozen=True, slots=True)
class Telling:
    """What a plan's result says, in parts that the page words. `until`: when the last window of measurement ends."""

    lift: Lift | None
    verdict: str
    until: datetime | None
    measured: bool
    smallest: float | None


@page
@require_safe
def plans(request: Page) -> HttpResponseBase:
    """The list, newest first; `?state=` keeps those of one state, or the standing ones."""
    wanted = request.GET.get("state", "")
    state = PlanState(wanted) if wanted in list(PlanState) else None
    standing = wanted == STANDING
    pager = Pager(page_number(request), reach.how_many(request.viewer, state, standing=standing), PLANS_SHOWN)
    found = reach.plans(request.viewer, state, limit=pager.size, offset=pager.offset, standing=standing)
    counted = plan_counts(request.warehouse, [plan.id for plan in found]) if found else {}
    any_standing = standing or any(plan.standing for plan in found) or reach.how_many(request.viewer, standing=True) > 0
    context = {
        "rows": [PlanRow(plan, counted[plan.id]) for plan in found],
        "pager": pager,
        "state": wanted if state or standing else "",
        "states": [PlanState.RUNNING, PlanState.FINISHED, PlanState.STOPPED, *([STANDING] if any_standing else [])],
        "any": bool(found) or reach.how_many(request.viewer) > 0,
        "templates": broadcasts.templates(),
        "drafts": drafts.drafts(request.viewer) if request.viewer.may_operate else [],
    }
    return render(request, "console/plans.html", context)


@page
@require_safe
def verdict(request: Page, plan_id: int) -> HttpResponseBase:
    """The verdict alone, for a cell of the list."""
    telling = _telling(request, reach.plan(request.viewer, plan_id))
    return render(request, "console/_plans_verdict.html", {"telling": telling})


@page
@require_safe
def plan(request: Page, plan_id: int) -> HttpResponseBase:
    """One plan; `?batch=` and `?store=` filter its batches, `?export=` (csv, xlsx, parquet) gives them as a file."""
    facts = reach.plan(request.viewer, plan_id)
    rows = _batches(request, plan_id)
    shown = _filtered(request, rows)
    if wanted_format(request):
        return _export(request, plan_id, shown)
    pager = Pager(page_number(request), len(shown), BATCHES_SHOWN)
    telling = _telling(request, facts)
    context = {
        **_progress(request, facts),
        **_result(telling),
        "facts": facts,
        "rows": shown[pager.offset : pager.offset + pager.size],
        "pager": pager,
        "batches": len(rows),
        "statuses": [(status, sum(row.status == status for row in rows)) for status in STATUSES],
        "status": request.GET.get("batch", ""),
        "stores": sorted({row.store.code: row.store for row in rows if row.store}.items()),
        "store": request.GET.get("store", ""),
        "way": way_of(facts.document.channel),
        "at_large": reach.at_large(request.viewer, plan_id),
        "doubtful": [row for row in rows if row.batch.state in (BatchState.UNKNOWN, BatchState.AMBIGUOUS)],
        "runs": reach.runs(request.viewer, plan_id),
        "days": days_of(request.viewer, reach.run_numbers(request.viewer, plan_id)) if facts.standing else [],
        **_contamination(request, plan_id),
    }
    return render(request, "console/plans_one.html", context)


def _contamination(request: Page, plan_id: int) -> dict[str, object]:
    """How the hold-out was contaminated: in all, by store, and by the guide who would have spoken to them; the stores
    and guides with the most of it first, and only those with any."""
    found = reach.contamination(request.warehouse, request.viewer, plan_id)
    guides = {int(one.id): one for one in senders(request.viewer)}
    places = {node.id: node for node in nodes()}
    by_store: dict[NodeFacts | None, Contaminated] = defaultdict(Contaminated)
    by_guide: dict[SenderFacts | None, Contaminated] = defaultdict(Contaminated)
    for sender, part in found.by_sender.items():
        guide = guides.get(sender)
        by_guide[guide] += part
        by_store[None if guide is None else places.get(guide.store)] += part
    return {
        "contamination": found.total,
        "contaminated_stores": _most(by_store),
        "contaminated_guides": [(one, one and places.get(one.store), part) for one, part in _most(by_guide)],
    }


def _most(parts: Mapping[T, Contaminated]) -> list[tuple[T, Contaminated]]:
    some = [(one, part) for one, part in parts.items() if part.off_gate or part.could_see]
    return sorted(some, key=lambda item: (-item[1].off_gate, -item[1].could_see))[:CONTAMINATED_SHOWN]


@page
@require_safe
def progress(request: Page, plan_id: int) -> HttpResponseBase:
    """How far the plan is, for the page to ask again and again while it runs."""
    return render(request, "console/_plans_progress.html", _progress(request, reach.plan(request.viewer, plan_id)))


@page
@require_POST
def stop(request: Page, plan_id: int) -> HttpResponseBase:
    """Stop a running plan."""
    operators_only(request.viewer)
    facts = reach.plan(request.viewer, plan_id)
    services.stop(facts.id, request.viewer)
    messages.success(request, _("计划已停止：不再下发，已下发而未执行的任务会被取消。"))
    return redirect("plan", plan_id)


@page
@require_POST
def settle(request: Page, plan_id: int, batch_id: int) -> HttpResponseBase:
    """What a human decided of an ambiguous batch: `again=1` calls it again, `again=0` leaves it."""
    operators_only(request.viewer)
    reach.plan(request.viewer, plan_id)
    again = request.POST.get("again") == "1"
    services.settle_by_hand(request.warehouse, request.viewer, batch_id, again=again)
    messages.success(request, _("已记下，马上重新下发。") if again else _("已记下：这批人不会再发第二次。"))
    return redirect("plan", plan_id)


def _progress(request: Page, facts: PlanFacts) -> dict[str, object]:
    counts = reach.counts(request.warehouse, request.viewer, facts.id)
    names = ("sent", "pending", "failed", "expired", "unknown")
    terms = [Term(said(OUTCOMES, name), getattr(counts, name)) for name in names]
    terms.append(Term(said(OUTCOMES, "suppressed"), sum(counts.suppressed.values())))
    terms += [Term(said(OUTCOMES, name), getattr(counts, name)) for name in ("held_out", "globally_held_out")]
    intended = counts.sent + counts.pending + counts.failed + counts.expired + counts.unknown
    return {
        "facts": facts,
        "counts": counts,
        "cost": facts.unit_cost * counts.sent,
        "terms": [term for term in terms if term.count],
        "reasons": [(said(REASONS, reason), count) for reason, count in counts.suppressed.items()],
        "intended": intended,
        "refused": counts.failed + sum(counts.suppressed.values()),
        "left": counts.pending + counts.unknown,
        "running": facts.state is PlanState.RUNNING,
        "waits": facts.start if facts.start and facts.start > business_now() else None,
    }


def _telling(request: Page, facts: PlanFacts) -> Telling:
    lift = reach.lift(request.warehouse, request.viewer, facts.id)
    until = reach.measured_until(request.viewer, facts.id)
    effect = lift.per_person if lift else None
    return Telling(
        lift,
        _verdict(lift, facts.document.hold_out),
        until,
        until is not None and until <= business_now(),
        TELLING * (effect.high - effect.low) / 2 if effect else None,
    )


def _verdict(lift: Lift | None, hold_out: float) -> str:
    if hold_out == 0:
        return "no_hold_out"
    if lift is None:
        return "not_begun"
    if lift.verdict is Verdict.NOTHING_YET:
        return "nothing_yet"
    if lift.verdict is Verdict.TOO_SMALL or lift.per_person is None:
        return "too_small"
    if lift.verdict is Verdict.NOT_VISIBLE:
        return "not_visible"
    return "more" if lift.per_person.value > 0 else "less"


def _result(telling: Telling) -> dict[str, object]:
    effect = telling.lift.per_person if telling.lift else None
    figure = interval_figure(effect, signed_money, _("每人多带来的金额与 95% 区间")) if effect else ""
    return {"telling": telling, "figure": figure}


def _batches(request: Page, plan_id: int) -> list[BatchRow]:
    guides = {sender.id: sender for sender in senders(request.viewer)}
    stores = {node.id: node for node in nodes()}
    rows = []
    for batch in reach.batches(request.viewer, plan_id):
        guide = guides.get(batch.sender)
        by_hand = guide is not None and guide.channel == CHANNEL and batch.task
        number = number_of(batch.task) if by_hand else None
        rows.append(BatchRow(batch, guide, stores.get(guide.store) if guide else None, _status(batch), number))
    return rows


def _status(batch: BatchFacts) -> str:
    if batch.tapped_at is not None:
        return "tapped"
    match batch.state:
        case BatchState.ISSUED:
            return "issued"
        case BatchState.CLOSED:
            return "untapped"
        case BatchState.UNKNOWN | BatchState.AMBIGUOUS:
            return "doubtful"
    return "planned"


def _filtered(request: Page, rows: Sequence[BatchRow]) -> list[BatchRow]:
    status, store = request.GET.get("batch", ""), request.GET.get("store", "")
    return [
        row
        for row in rows
        if status in ("", row.status) and (not store or (row.store is not None and row.store.code == store))
    ]


def _export(request: Page, plan_id: int, rows: Sequence[BatchRow]) -> HttpResponseBase:
    head = [
        _("门店"),
        _("导购"),
        _("状态"),
        _("人数"),
        _("下发时间"),
        _("截止时间"),
        _("执行时间"),
        _("波次"),
        _("第几次"),
    ]
    return exported(
        request,
        f"plan-{plan_id}-batches",
        head,
        (
            (
                row.store.code if row.store else "",
                row.guide.name if row.guide else "",
                row.status,
                row.batch.size,
                row.batch.due_at,
                row.batch.deadline,
                row.batch.tapped_at,
                row.batch.occasion,
                row.batch.attempt,
            )
            for row in rows
        ),
    )


urls = [
    path("plans/", plans, name="plans"),
    *broadcasts.urls,
    path("plans/<int:plan_id>/", plan, name="plan"),
    path("plans/<int:plan_id>/progress/", progress, name="plan_progress"),
    path("plans/<int:plan_id>/verdict/", verdict, name="plan_verdict"),
    path("plans/<int:plan_id>/stop/", stop, name="plan_stop"),
    path("plans/<int:plan_id>/batches/<int:batch_id>/", settle, name="plan_settle"),
]

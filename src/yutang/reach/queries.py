"""Reading plans, batches and results, as far as a viewer may."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from django.db.models import Count, Q, QuerySet

from yutang.channels.ports.sent import ListedSend, SendKind
from yutang.kernel.calendars import naive
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import BatchId, PlanId, SenderId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import CorpFacts, Viewer
from yutang.reach.contracts import (
    AT_LARGE,
    AskedFacts,
    BatchFacts,
    BatchState,
    PlanCounts,
    PlanFacts,
    PlanState,
    Rival,
    RunFacts,
    RunState,
)
from yutang.reach.documents import BroadcastDocument
from yutang.reach.issuing import SEARCH
from yutang.reach.ledger import STAMP, committed, plan_counts
from yutang.reach.lift import Lift, balance_of, estimate_lift
from yutang.reach.models import Batch, Plan, Run
from yutang.reach.offgate import Contamination, contamination_of
from yutang.reach.planning import audience_of, document_of
from yutang.reach.saying import known_for, spoken
from yutang.warehouse.contracts import Warehouse, named


def visible_plans(viewer: Viewer) -> QuerySet[Plan]:
    """Plans that a viewer may see: those whose whole scope lies within theirs."""
    rows = Plan.objects.all()
    if viewer.nodes is None:
        return rows
    allowed = [plan.pk for plan in rows.exclude(scope=None) if viewer.nodes >= set(plan.scope or [])]
    return rows.filter(pk__in=allowed)


def facts_of(row: Plan) -> PlanFacts:
    return PlanFacts(
        id=PlanId(row.pk),
        document=document_of(row),
        author=row.author,
        state=PlanState(row.state),
        created_at=row.created_at,
        start=row.start,
        versions=row.versions,
        trouble=row.trouble,
        unit_cost=row.unit_cost,
        standing=row.standing,
    )


def plans(
    viewer: Viewer, state: PlanState | None = None, limit: int = 100, offset: int = 0, *, standing: bool = False
) -> list[PlanFacts]:
    """Plans, newest first; of one `state` (no standing ones), or the `standing` ones alone."""
    rows = _those(viewer, state, standing).order_by("-pk")
    return [facts_of(row) for row in rows[offset : offset + limit]]


def how_many(viewer: Viewer, state: PlanState | None = None, *, standing: bool = False) -> int:
    """How many plans a viewer may see, chosen as `plans` does."""
    return int(_those(viewer, state, standing).count())


def _those(viewer: Viewer, state: PlanState | None, standing: bool) -> QuerySet[Plan]:
    rows = visible_plans(viewer)
    if standing:
        return rows.filter(standing=True)
    return rows if state is None else rows.filter(state=state, standing=False)


def run_numbers(viewer: Viewer, plan_id: int) -> list[int]:
    """The numbers of a plan's committed passes. Raises NotFound."""
    facts = plan(viewer, plan_id)
    return list(Run.objects.filter(plan_id=facts.id, state=RunState.COMMITTED).values_list("pk", flat=True))


def plan(viewer: Viewer, plan_id: int) -> PlanFacts:
    """One plan. Raises NotFound, also for a plan outside the viewer's scope."""
    row = visible_plans(viewer).filter(pk=plan_id).first()
    if row is None:
        raise NotFound(f"没有编号为 {plan_id} 的计划。", f"There is no plan number {plan_id}.")
    return facts_of(row)


def said_contents(viewer: Viewer) -> dict[PlanId, str]:
    """The content that each plan named which named one."""
    rows = (
        visible_plans(viewer).filter(body__message__content__isnull=False).values_list("pk", "body__message__content")
    )
    return {PlanId(pk): str(name) for pk, name in rows if name}


def plans_saying(viewer: Viewer, content: str) -> list[PlanFacts]:
    """The plans that named a content, newest first."""
    return [facts_of(row) for row in visible_plans(viewer).filter(body__message__content=content).order_by("-pk")]


def plans_of_tasks(tasks: Sequence[str]) -> dict[str, PlanFacts]:
    """The plan that each task of a platform is of. (Unscoped: whoever may see a task may know what it is for.)"""
    rows = Batch.objects.filter(task__in=list(tasks)).exclude(task="").select_related("run__plan")
    return {row.task: facts_of(row.run.plan) for row in rows}


def ours_among(corp: CorpFacts, sends: Sequence[ListedSend]) -> set[str]:
    """Of the sends that a corp's platform lists, those that left through the gate: tasks that are bound to a batch, and
    such as may be a batch's of which nobody has said yet which task is its own: made by software, with its text, about
    when it was called. (Unscoped: it tells ours from others', and nothing of either.)"""
    refs = {one.ref for one in sends}
    ours = set(Batch.objects.filter(task__in=refs).values_list("task", flat=True))
    loose = [one for one in sends if one.ref not in ours and not one.creator and one.kind is SendKind.MASS]
    if not loose:
        return ours
    first, last = min(one.created_at for one in loose), max(one.created_at for one in loose)
    called = Batch.objects.filter(task="", called_at__gte=first - SEARCH, called_at__lte=last + SEARCH)
    accounts = [one.id for one in organisation.accounts(corp.channel, corp.corp)]
    said: dict[str, list[datetime]] = defaultdict(list)
    for batch in called.filter(sender__in=accounts).select_related("run__plan"):
        if batch.called_at is not None:
            said[document_of(batch.run.plan).message.text].append(batch.called_at)
    return ours | {one.ref for one in loose if any(abs(one.created_at - at) <= SEARCH for at in said.get(one.text, ()))}


def counts(warehouse: Warehouse, viewer: Viewer, plan_id: int) -> PlanCounts:
    """What became of a plan's touches. Raises NotFound."""
    facts = plan(viewer, plan_id)
    return plan_counts(warehouse, [facts.id])[facts.id]


def batches(viewer: Viewer, plan_id: int) -> list[BatchFacts]:
    """A plan's batches, the untapped ones first. A store's viewer sees those of their own senders."""
    return _batches(viewer, Batch.objects.filter(run__plan_id=plan_id).order_by("tapped_at", "pk"))


def doubtful(viewer: Viewer, plans: Sequence[PlanId]) -> list[BatchFacts]:
    """The batches of these plans of which the platform gave no clear word, the nearest deadline first."""
    states = (BatchState.UNKNOWN, BatchState.AMBIGUOUS)
    rows = Batch.objects.filter(run__plan_id__in=plans, state__in=states, tapped_at=None)
    return _batches(viewer, rows.order_by("deadline", "pk"))


def asked_of(senders: Collection[SenderId]) -> list[AskedFacts]:
    """What these accounts are asked to send and did not yet, within its time, the nearest deadline first. (Unscoped:
    they are the reader's own.)"""
    rows = Batch.objects.filter(
        sender__in=list(senders), state=BatchState.ISSUED, tapped_at=None, deadline__gt=business_now()
    )
    found = []
    accounts = {one.id: one for one in organisation.senders(organisation.OWNER, senders)}
    asked = list(rows.select_related("run__plan").order_by("deadline", "pk"))
    house = known_for((document_of(row.run.plan) for row in asked), accounts.values())
    for row in asked:
        document = document_of(row.run.plan)
        found.append(
            AskedFacts(
                BatchId(row.pk), PlanId(row.run.plan_id), document.title,
                spoken(document, accounts[SenderId(row.sender)], house).text, document.channel,
                SenderId(row.sender), row.size, row.due_at, row.deadline, row.task,
            )
        )  # fmt: skip
    return found


def _batches(viewer: Viewer, rows: QuerySet[Batch]) -> list[BatchFacts]:
    if viewer.nodes is not None:
        rows = rows.filter(sender__in=[one.sender for one in organisation.homes(viewer)])
    return [
        BatchFacts(
            BatchId(row.pk),
            PlanId(row.run.plan_id),
            SenderId(row.sender),
            row.size,
            BatchState(row.state),
            row.due_at,
            row.deadline,
            row.tapped_at,
            row.trouble,
            row.run.occasion,
            row.run.attempt,
            row.left,
            row.task,
        )
        for row in rows.select_related("run")
    ]


def tapping(since: datetime) -> dict[SenderId, tuple[int, int, int]]:
    """Of each account: tasks that wait for a tap, those that were closed since, and how many of these nobody tapped.
    (Unscoped: numbers without names, of accounts that the caller narrows.)"""
    waits = Q(state=BatchState.ISSUED, tapped_at=None)
    closed = Q(state=BatchState.CLOSED, closed_at__gte=since) & ~Q(task="")
    rows = (
        Batch.objects.filter(waits | closed)
        .values("sender")
        .annotate(
            waiting=Count("pk", filter=waits),
            closed=Count("pk", filter=closed),
            untapped=Count("pk", filter=closed & Q(tapped_at=None)),
        )
    )
    return {SenderId(row["sender"]): (row["waiting"], row["closed"], row["untapped"]) for row in rows}


def tasks_of(accounts: Collection[SenderId]) -> tuple[int, int]:
    """How many batches of these accounts are not asked for yet, and how many the platform has, or may have. (Unscoped:
    numbers of a whole corp's, for its owner.)"""
    found = Batch.objects.filter(sender__in=accounts).exclude(state=BatchState.CLOSED)
    planned = found.filter(state=BatchState.PLANNED).count()
    return planned, found.count() - planned


def at_large(viewer: Viewer, plan_id: int) -> int:
    """How many of a plan's batches are over and could not be withdrawn, whether it is still tried or was given up: a
    guide may still tap them. A store's viewer counts those of their own senders. Raises NotFound."""
    facts = plan(viewer, plan_id)
    refused = Q(withdrawals__gt=0) & ~Q(state=BatchState.CLOSED) | Q(state=BatchState.CLOSED, trouble=AT_LARGE)
    rows = Batch.objects.filter(refused, run__plan_id=facts.id)
    if viewer.nodes is not None:
        rows = rows.filter(sender__in=[row.id for row in organisation.senders(viewer)])
    return int(rows.count())


def runs(viewer: Viewer, plan_id: int) -> list[RunFacts]:
    """A plan's passes through the gate, in order. Raises NotFound."""
    facts = plan(viewer, plan_id)
    rows = Run.objects.filter(plan_id=facts.id, state=RunState.COMMITTED).order_by("decided_at", "pk")
    return [RunFacts(r.occasion, r.attempt, r.decided_at, r.candidates, r.granted, r.versions) for r in rows]


def measured_until(viewer: Viewer, plan_id: int) -> datetime | None:
    """When the last wave's window of measurement ends, if waves go as planned; None before a plan has a start, and of a
    standing one, which goes on."""
    facts = plan(viewer, plan_id)
    document = facts.document
    if facts.start is None or facts.standing:
        return None
    started = {row.occasion: row.decided_at for row in runs(viewer, plan_id) if row.attempt == 1}
    last = facts.start + timedelta(hours=document.wave_hours * (len(document.waves) - 1))
    return started.get(f"w{len(document.waves)}", last) + timedelta(days=document.horizon_days)


def rivals(warehouse: Warehouse, viewer: Viewer, document: BroadcastDocument) -> list[Rival]:
    """The running plans that speak to some of the persons whom a document is about, the largest overlap first."""
    running = {facts.id: facts for facts in plans(viewer, PlanState.RUNNING)}
    if not running:
        return []
    audience = audience_of(warehouse, document, viewer)
    wanted = pa.table({"plan": pa.array(list(running), pa.int64())})
    rows = warehouse.query(named("reach/rivals", tables={"audience": audience, "wanted": wanted})).to_pylist()
    return [Rival(running[row["plan"]], row["shared"]) for row in rows]


def contamination(warehouse: Warehouse, viewer: Viewer, plan_id: int) -> Contamination:
    """Who of the hold-out was spoken to all the same while the plan was measured. Raises NotFound."""
    facts = plan(viewer, plan_id)
    first = Run.objects.filter(plan_id=facts.id, state=RunState.COMMITTED, attempt=1).order_by("decided_at")
    return contamination_of(warehouse, facts.id, list(first), facts.document.horizon_days)


def lift(warehouse: Warehouse, viewer: Viewer, plan_id: int) -> Lift | None:
    """What the plan earned more than its hold-out says would have come anyway: intention to treat, by wave, each wave
    in its own window of `horizon_days`, adjusted by the half year before. None before anybody was decided."""
    facts = plan(viewer, plan_id)
    row = Plan.objects.get(pk=plan_id)
    days = timedelta(days=facts.document.horizon_days)
    runs = list(row.runs.filter(state=RunState.COMMITTED, attempt=1).order_by("decided_at"))
    if not runs:
        return None
    now = business_now()
    waves = pa.table(
        {
            "occasion": [run.occasion for run in runs],
            "start": pa.array([naive(run.decided_at) for run in runs], STAMP),
            "horizon": pa.array([naive(min(run.decided_at + days, now)) for run in runs], STAMP),
        }
    )
    params = {
        "plan": plan_id,
        "since": runs[0].decided_at - timedelta(days=183),
        "until": min(runs[-1].decided_at + days, now),
    }
    rows = warehouse.query(named("reach/outcomes", params, {"waves": waves, "committed": committed([facts.id])}))
    if rows.num_rows == 0:
        return None
    column: Mapping[str, np.ndarray] = {name: rows[name].to_numpy(zero_copy_only=False) for name in rows.column_names}
    held, before = column["held_out"], column["before"]
    wave = np.unique(column["occasion"], return_inverse=True)[1]
    found = estimate_lift(outcome=column["outcome"], pre=before, held_out=held, stratum=wave, sent=column["sent"])
    return replace(found, balance=balance_of(before, held, wave, facts.document.hold_out))

"""The use cases of reaching: preview, launch, stop, and the turn of the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from django.db import transaction
from django.db.models import Max, Min

from yutang.channels.contracts import CannotCarry
from yutang.content.rendering import longest
from yutang.documents import services as documents
from yutang.kernel.clock import business_now
from yutang.kernel.database import lock
from yutang.kernel.errors import NotFound, Refused, Unavailable
from yutang.kernel.ids import PlanId
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer
from yutang.reach import planning, returns
from yutang.reach.approach import price_of
from yutang.reach.contracts import BatchState, PlanState, Preview, RunState
from yutang.reach.documents import BroadcastDocument
from yutang.reach.gate import decide
from yutang.reach.gate.contracts import RuleName, TouchClass
from yutang.reach.issuing import GIVE_UP, Ports, issue_due, reopen_or_keep, resolve_unknown
from yutang.reach.lift import SmallestEffect, smallest_effect
from yutang.reach.limits import way_of
from yutang.reach.models import Batch, Plan
from yutang.reach.queries import plan as visible_plan
from yutang.reach.returns import expire, read_back
from yutang.reach.saying import resolved, unresolved, with_links
from yutang.segments import queries as segments
from yutang.warehouse.contracts import Statement, Warehouse, named

_log = structlog.get_logger(__name__)
SHARES = tuple(percent / 100 for percent in range(1, 51))


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the clock did."""

    runs: int
    issued: int
    read: int
    closed: int
    settled: int
    finished: int

    @property
    def quiet(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.runs or self.issued or self.closed or self.settled or self.finished)


def preview(warehouse: Warehouse, document: BroadcastDocument, viewer: Viewer) -> Preview:
    """What the plan would do if it were launched now, with the whole audience in one wave. Writes nothing.

    It speaks with the id that the plan would get, so that the arms drawn are those of a launch that follows at once.
    """
    document = resolved(document)
    now = max(business_now(), document.start) if document.start else business_now()
    book = planning.rulebook()
    plan_id = _next_number()
    audience = planning.audience_of(warehouse, document, viewer)
    terms = planning.terms_of(plan_id, document, now, book.rules)
    ghost = Plan(pk=plan_id, name=document.name, body=document.as_data(), author=viewer.name)
    item = planning.Due(ghost, terms, audience)
    rows = decide(planning.gather(warehouse, [item], book, now)).table
    outcomes = rows["outcome"].cast(pa.string())
    let = _count(outcomes, "send") + _count(outcomes, "held_out")
    pilot = _pilot(warehouse, document, viewer, item, rows, book)
    best = let / max(1, let + _count(rows["reason"].cast(pa.string()), RuleName.CAPACITY))
    effects = effect_points(warehouse, pilot, business_now(), document.horizon_days, let, best)
    chosen = _at(effects, document.hold_out)
    reasons = pc.value_counts(rows["reason"].cast(pa.string()).drop_null())
    sent = rows.filter(pc.equal(outcomes, "send"))
    return Preview(
        candidates=audience.num_rows,
        send=_count(outcomes, "send"),
        held_out=_count(outcomes, "held_out"),
        globally_held_out=_count(outcomes, "globally_held_out"),
        suppressed=dict(sorted(((r["values"], r["counts"]) for r in reasons.to_pylist()), key=lambda x: -x[1])),
        smallest_effect=chosen.per_person if chosen else None,
        smallest_effect_relative=chosen.relative if chosen else None,
        effects=effects,
        content_problem=terms.content_problem,
        batches=sent.group_by(["sender", "due", "deadline"]).aggregate([]).num_rows,
        guides=pc.count_distinct(sent["sender"]).as_py(),
        unit_cost=_price(document),
    )


def read_soon(task: str) -> None:
    """Let the results of a task be read at the next turn: whoever worked it says that all is written down."""
    Batch.objects.filter(task=task, state=BatchState.ISSUED).update(read_at=None)


def _price_of(document: BroadcastDocument) -> Decimal:
    marketing = document.touch_class is TouchClass.MARKETING
    return price_of(document.channel, longest(document.message.text), marketing=marketing)


def _price(document: BroadcastDocument) -> Decimal:
    """What a message costs; of a text that cannot be sent yet, what one costs at least."""
    try:
        return _price_of(document)
    except CannotCarry:
        return way_of(document.channel).cost


def _next_number() -> int:
    """The number of the next plan; it holds under the lock of `launch`."""
    return int(Plan.objects.aggregate(last=Max("pk"))["last"] or 0) + 1


def _count(outcomes: pa.ChunkedArray, name: str) -> int:
    return int(pc.sum(pc.equal(outcomes, name)).as_py() or 0)


def _pilot(
    warehouse: Warehouse,
    document: BroadcastDocument,
    viewer: Viewer,
    item: planning.Due,
    rows: pa.Table,
    book: planning.Rulebook,
) -> pa.Table:
    """From whose last `horizon_days` it is told what the plan can show: who would have got through the gate, had there
    been room and had it been launched then. `rows` are the gate's decisions of now.

    Who is in a segment today says nothing by their own last weeks if those weeks brought them there: who is 该来没来
    has just bought nothing, and half of them come back. So its members of `horizon_days` ago are taken.
    """
    if document.audience.segment is not None:
        hour = business_now().replace(minute=0, second=0, microsecond=0)  # so that the slider need not ask anew
        cut = hour - timedelta(days=document.horizon_days)
        chosen = segments.segment_named(document.audience.segment)
        members, _ = segments.members_at(warehouse, viewer, chosen, cut)
        then = replace(item, terms=replace(item.terms, at_most=None), audience=members)
        rows = decide(planning.gather(warehouse, [then], book, item.terms.start)).table
    let = pc.is_in(rows["outcome"].cast(pa.string()), pa.array(["send", "held_out"]))
    no_room = pc.fill_null(pc.equal(rows["reason"].cast(pa.string()), RuleName.CAPACITY), False)
    return rows.filter(pc.or_(let, no_room)).select(["person"])


def effect_points(
    warehouse: Warehouse,
    pilot: pa.Table,
    now: datetime,
    horizon_days: int,
    persons: int | None = None,
    best: float = 1.0,
) -> tuple[SmallestEffect, ...]:
    """The smallest effect that each share of hold-out can show for so many `persons` (default: as many as the pilot),
    from what the persons of `pilot` spent in the last `horizon_days`. Empty where it cannot be told: too few of them,
    no spend, or no orders from before.

    Where the gate has room for the share `best` only, it takes those of the highest value: so do we, by what they spent
    before.
    """
    start = now - timedelta(days=horizon_days)
    known = warehouse.query(Statement("SELECT count(*) > 0 FROM orders WHERE placed_at <= $at", {"at": start}))
    if not known.column(0)[0].as_py():
        return ()
    rows = warehouse.query(named("reach/history", {"window_start": start, "until": now}, {"audience": pilot}))
    if best < 1:
        rows = rows.sort_by([("before", "descending"), ("person", "ascending")]).slice(0, round(best * rows.num_rows))
    points = smallest_effect(rows["outcome"].to_numpy(), rows["before"].to_numpy(), SHARES, persons=persons)
    return tuple(point for point in points if point.per_person)  # where nobody bought anything, nothing can be told


def _at(points: tuple[SmallestEffect, ...], share: float) -> SmallestEffect | None:
    return min(points, key=lambda point: abs(point.share - share), default=None) if share > 0 else None


def launch(document: BroadcastDocument, viewer: Viewer) -> PlanId:
    """Keep the document and start its plan. Raises Refused or BadInput, and then nothing was kept.

    The same document launched again while its plan still runs is refused: nobody means to say it twice.
    """
    full = resolved(document)
    planning.launchable(full, viewer)
    body = with_links(full).as_data()
    with transaction.atomic():
        lock("reach")
        twin = Plan.objects.filter(name=document.name, state=PlanState.RUNNING, body=body).first()
        if twin is not None:
            raise Refused(
                f"同样的计划「{document.title.zh}」正在进行（编号 {twin.pk}），没有再次下发。",
                f"The same plan “{document.title.en}” already runs (number {twin.pk}); it was not launched again.",
            )
        stored = documents.save_document(unresolved(document), viewer.name)
        now = business_now()
        plan = Plan.objects.create(
            pk=_next_number(),  # not the database's: PostgreSQL leaves gaps, and arms drawn by it are not the preview's
            name=document.name,
            body=body,
            author=viewer.name,
            scope=None if viewer.nodes is None else sorted(viewer.nodes),
            state=PlanState.RUNNING,
            created_at=now,
            start=max(now, document.start) if document.start else now,
            versions={"broadcast": stored.version} | planning.content_version(full),
            unit_cost=_price_of(full),
        )
        organisation.audit(viewer, "launch", f"plan {plan.pk}", name=document.name)
    return PlanId(plan.pk)


def stop(plan_id: PlanId, viewer: Viewer) -> None:
    """Stop a running plan: nothing more is issued, and what is issued is cancelled at the next turn of the clock."""
    if not viewer.may_operate:
        raise Refused("你的角色不能停止计划，请找总部运营。", "Your role may not stop plans; ask headquarters.")
    visible_plan(viewer, plan_id)
    if not Plan.objects.filter(pk=plan_id, state=PlanState.RUNNING).update(state=PlanState.STOPPED):
        raise NotFound(f"没有正在进行的计划 {plan_id}。", f"There is no running plan {plan_id}.")
    organisation.audit(viewer, "stop", f"plan {plan_id}")


def settle_by_hand(warehouse: Warehouse, viewer: Viewer, batch_id: int, *, again: bool) -> None:
    """What a human decided of an ambiguous batch, having looked at the platform: it is not there, so it may be called
    `again`; or it is there, and then it waits for its guide's tap and its deadline like any other, and is not called
    again. Raises NotFound, also for a batch of a plan outside the viewer's scope."""
    if not viewer.may_operate:
        raise Refused("你的角色不能处理群发任务，请找总部运营。", "Your role may not settle batches; ask headquarters.")
    row = Batch.objects.filter(pk=batch_id, state=BatchState.AMBIGUOUS).select_related("run__plan").first()
    if row is None:
        raise NotFound(f"没有等待认领的群发任务 {batch_id}。", f"There is no ambiguous batch {batch_id}.")
    visible_plan(viewer, row.run.plan_id)
    reopen_or_keep(warehouse, row, again=again)
    organisation.audit(viewer, "settle_batch", f"batch {batch_id}", again=again)


def turn(warehouse: Warehouse, ports: Ports) -> Turn:
    """One turn of the clock: end what is over, plan what is due, issue, read back. Safe to run twice at once."""
    settled, closed, runs = decide_due(warehouse, ports)
    recall(warehouse, ports)
    issued, read = hand_out(warehouse, ports)
    return Turn(runs, issued, read, closed, settled, finish())


def decide_due(warehouse: Warehouse, ports: Ports) -> tuple[int, int, int]:
    """What time alone brings: calls nobody answered, batches that are over, plans that are due; how many of each."""
    return resolve_unknown(warehouse, ports), expire(warehouse, ports), _plan_all_due(warehouse)


def hand_out(warehouse: Warehouse, ports: Ports, *, all_due: bool = False) -> tuple[int, int]:
    """What is handed to the platforms and read back from them; how many batches of each.

    `all_due`: everything that is due now, however long it takes; else so much that other work need not wait long.
    """
    issued = issue_due(warehouse, ports)
    more = issued if all_due else 0
    while more:
        more = issue_due(warehouse, ports)
        issued += more
    return issued, read_back(warehouse, ports)


def recall(warehouse: Warehouse, ports: Ports) -> int:
    """Take back the tasks of those who have refused since theirs was handed out; how many (see `returns.recall`)."""
    return returns.recall(warehouse, ports)


def _plan_all_due(warehouse: Warehouse) -> int:
    """Plan until nothing is due: of each plan one wave or attempt is decided at a time, and two may be due at once."""
    runs = 0
    try:
        while decided := planning.plan_due(warehouse):
            runs += decided
    except Unavailable as busy:  # another process plans at this moment; the next turn looks again
        _log.info("planning put off", reason=busy.en)
    return runs


def finish() -> int:
    """Close the books of plans whose last window has passed; returns how many."""
    done = 0
    for plan in Plan.objects.filter(state=PlanState.RUNNING):
        document = planning.document_of(plan)
        horizon = horizon_end(plan, document)
        unfinished = Batch.objects.filter(run__plan=plan).exclude(state=BatchState.CLOSED).exists()
        waves = plan.runs.filter(state=RunState.COMMITTED, attempt=1).count()
        if waves == len(document.waves) and not unfinished and horizon <= business_now():
            done += Plan.objects.filter(pk=plan.pk, state=PlanState.RUNNING).update(state=PlanState.FINISHED)
    return done


def horizon_end(plan: Plan, document: BroadcastDocument) -> datetime:
    """When the last wave's window of measurement ends."""
    last = plan.runs.filter(state=RunState.COMMITTED, attempt=1).aggregate(last=Max("decided_at"))["last"] or plan.start
    assert last is not None
    planned = timedelta(days=document.horizon_days)
    end: datetime = last + planned
    return end


def next_instant(now: datetime) -> datetime | None:
    """The next instant after `now` at which a plan has something to do: a stepped clock must not jump over it."""
    instants: list[datetime] = []
    running = Batch.objects.filter(run__plan__state=PlanState.RUNNING)
    planned = running.filter(state=BatchState.PLANNED, due_at__gt=now).aggregate(first=Min("due_at"))["first"]
    put_off = Batch.objects.exclude(state=BatchState.CLOSED).filter(not_before__gt=now)
    waiting = put_off.aggregate(first=Min("not_before"))["first"]
    open_batches = running.exclude(state=BatchState.CLOSED).filter(deadline__gt=now)
    instants += [
        moment for moment in (planned, waiting, open_batches.aggregate(first=Min("deadline"))["first"]) if moment
    ]
    lost = running.filter(state=BatchState.UNKNOWN, called_at__gt=now - GIVE_UP)
    instants += [called_at + GIVE_UP for called_at in lost.values_list("called_at", flat=True) if called_at]
    for plan in Plan.objects.filter(state=PlanState.RUNNING):
        document = planning.document_of(plan)
        assert plan.start is not None
        starts = [plan.start + timedelta(hours=document.wave_hours * index) for index in range(len(document.waves))]
        instants += [*starts, horizon_end(plan, document)]
    return min((moment for moment in instants if moment > now), default=None)

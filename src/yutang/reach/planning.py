"""From a plan to committed decisions and batches.

Two stores act as one: a run's row is written first, its decisions are appended to the warehouse under its id, and only
then, in one operational transaction under the fencing token, does the run become committed and get its batches. Killed
anywhere before, the run is abandoned and its decisions are rows that nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from django.db import transaction

from yutang.content.checking import BrokenRules, Finding, check
from yutang.content.documents import ContentRules
from yutang.content.rendering import longest
from yutang.documents import queries as documents
from yutang.intake import pump
from yutang.intake.lease import Held, lease
from yutang.kernel import calendars
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.errors import BadInput, NotFound, Refused, Unavailable, YutangError
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import NodeId, PlanId, draw_array, salt
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import RoleName, Viewer
from yutang.people import bulk
from yutang.profiles import services as profiles
from yutang.profiles.queries import in_scope, select_traits
from yutang.reach import approach
from yutang.reach.contracts import BatchState, PlanState, RunState
from yutang.reach.documents import BroadcastDocument
from yutang.reach.gate import decide
from yutang.reach.gate.contracts import (
    CANDIDATES,
    RELATIONS,
    SENDERS,
    TASKS,
    Decisions,
    Hours,
    PlanTerms,
    Policy,
    Tick,
    TouchClass,
)
from yutang.reach.ledger import STAMP, committed, repeated
from yutang.reach.limits import narrowed, way_of
from yutang.reach.models import Batch, Plan, Run
from yutang.reach.policy import PolicyDocument
from yutang.reach.saying import digest_of, plain
from yutang.segments import queries as segments
from yutang.warehouse.contracts import Statement, Warehouse, named

_log = structlog.get_logger(__name__)
LEASE = "planning"
POLICY = "default"
RULES = "default"
TASK_LIMIT = 10_000  # recipients of one batch at most; of one WeCom task too (WeCom doc 92135)
DAILY = timedelta(days=2)  # what is asked person by person ends with its day, wherever that day is
WHOLE_TICK = -1  # the window that spans those of all plans of a tick


@dataclass(frozen=True, slots=True)
class Due:
    """One wave and attempt of one plan that is due, with the persons whom it is about."""

    plan: Plan
    terms: PlanTerms
    audience: pa.Table


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The versions of the documents that one tick decides by."""

    policy: PolicyDocument
    rules: ContentRules | None
    versions: dict[str, int]


def rulebook() -> Rulebook:
    """The current policy and content rules. Raises NotFound without a policy."""
    policy = documents.find(PolicyDocument, POLICY)
    versions = {"policy": policy.version}
    content = None
    with suppress(NotFound):  # a brand may go without
        rules = documents.find(ContentRules, RULES)
        versions["content_rules"], content = rules.version, rules.document
    assert isinstance(policy.document, PolicyDocument)
    assert isinstance(content, ContentRules | None)
    return Rulebook(policy.document, content, versions)


def document_of(plan: Plan) -> BroadcastDocument:
    """The very document that a plan runs."""
    return BroadcastDocument.model_validate(plan.body)


def viewer_of(plan: Plan) -> Viewer:
    """The author's view of the brand, as it was at launch: a plan reaches nobody whom its author may not see."""
    nodes = None if plan.scope is None else frozenset(NodeId(node) for node in plan.scope)
    return Viewer(plan.author, RoleName.OPERATOR, nodes)


def terms_of(
    plan_id: int,
    document: BroadcastDocument,
    start: datetime,
    rules: ContentRules | None,
    *,
    occasion: str = "w1",
    attempt: int = 1,
    granted: int = 0,
) -> PlanTerms:
    """What the gate must know of one attempt. Later attempts keep the arm of the first: they are not drawn again."""
    problems = checked(document, rules)
    return PlanTerms(
        plan=PlanId(plan_id),
        occasion=occasion,
        touch_class=document.touch_class,
        purpose=document.purpose,
        channel=document.channel,
        start=start,
        deadline=start + timedelta(hours=document.within_hours),
        priority=document.priority,
        value=document.value,
        content_problem=problems[0].rule if problems else None,
        hold_out=document.hold_out if attempt == 1 else 0.0,
        at_most=None if document.at_most is None else max(0, document.at_most - granted),
        attempt=attempt,
        topic=document.topic,
        addressed=way_of(document.channel).addressed_by is not None,
    )


def audience_of(warehouse: Warehouse, document: BroadcastDocument, viewer: Viewer) -> pa.Table:
    """The persons (column `person`) whom a document is about and whom its author may see."""
    at = segments.context(warehouse)
    if document.audience.segment is None:
        everyone = in_scope(select_traits((), at.moment), viewer)
        return warehouse.query(Statement(everyone, name="reach/everyone"))
    chosen = segments.segment_named(document.audience.segment)
    return warehouse.query(segments.statement(chosen, viewer, at))


def gather(warehouse: Warehouse, due: Sequence[Due], book: Rulebook, now: datetime) -> Tick:
    """One tick: the columns of everyone concerned, their friendships, and what their senders have left."""
    brand = organisation.brand()
    visible = committed()
    candidates, relations = [], []
    for index, item in enumerate(due):
        tables = {"audience": item.audience, "committed": visible}
        terms = item.terms
        params = {
            "start": terms.start,
            "deadline": terms.deadline,
            "channel": terms.channel,
            "purpose": terms.purpose,
            "topic": terms.topic or "",
            "zone": brand.zone,
        }
        rows = warehouse.query(named("reach/candidates", params, tables))
        candidates.append(rows.append_column("plan", pa.array(np.full(rows.num_rows, index, np.int32))))
        found, reached = approach.acquainted(warehouse, way_of(terms.channel), item.audience)
        relations.append(found)
        friends = pc.is_valid(rows["friend_since"]) if reached is None else pc.is_in(rows["person"], reached)
        candidates[-1] = candidates[-1].append_column("reachable", friends)
    rows = pa.concat_tables(candidates)
    encoded = pc.dictionary_encode(rows["zone"]).combine_chunks()
    zones = tuple(encoded.dictionary.to_pylist()) or (brand.zone,)
    rows = rows.set_column(rows.column_names.index("zone"), "zone", encoded.indices)
    rows = instants(rows, "friend_since")
    friendships = instants(instants(_distinct(relations), "added_at"), "last_talk_at")
    standing = _standing(warehouse, due, visible, brand.zone)
    return Tick(
        now=now,
        plans=tuple(item.terms for item in due),
        policy=policy_of(book, {item.terms.channel for item in due}, brand.country, now),
        zones=zones,
        candidates=rows.select(CANDIDATES.names).cast(CANDIDATES),
        relations=friendships.select(RELATIONS.names).cast(RELATIONS),
        senders=_senders(standing),
        tasks=_tasks(standing),
    )


def policy_of(book: Rulebook, channels: Iterable[str], country: str, now: datetime) -> Policy:
    """What the gate applies to plans on these channels, within the hours in which each platform takes anything."""
    policy = book.policy.policy(country, now)
    hours = dict(policy.channel_hours)
    for channel in channels:
        way, before = way_of(channel), policy.hours_of(channel)
        if way.hours is not None:
            hours[channel] = Hours(*narrowed(way, before.opens, before.closes))
    return replace(policy, channel_hours=hours)


def instants(table: pa.Table, name: str) -> pa.Table:
    """The warehouse's naive UTC as aware UTC."""
    return table.set_column(table.column_names.index(name), name, pc.assume_timezone(table[name], "UTC"))


def _distinct(relations: Sequence[pa.Table]) -> pa.Table:
    if len(relations) == 1:
        return relations[0]
    table = pa.concat_tables(relations)
    return (
        table.group_by(["person", "sender"])
        .aggregate([("store", "min"), ("added_at", "min"), ("last_talk_at", "max")])
        .rename_columns({"store_min": "store", "added_at_min": "added_at", "last_talk_at_max": "last_talk_at"})
    )


def _window(due: Sequence[Due], zone: str) -> tuple[datetime, datetime]:
    """The whole local days that the windows of a tick touch."""
    first = min(item.terms.start for item in due)
    last = max(item.terms.deadline for item in due)
    begin = calendars.day_start(calendars.local_day(first, zone), zone)
    return begin, calendars.day_start(calendars.local_day(last, zone) + timedelta(days=1), zone)


def _standing(warehouse: Warehouse, due: Sequence[Due], visible: pa.Table, zone: str) -> pa.Table:
    """What each sender has to do already (`people`, `tasks`) in each plan's window (`window`: its index), and in
    `WHOLE_TICK`'s: by the batches that were not closed untapped, and by those who were held out from being sent one."""
    spans = {WHOLE_TICK: _window(due, zone)} | {index: _window([item], zone) for index, item in enumerate(due)}
    begin, end = spans[WHOLE_TICK]
    names = ("run_id", "sender", "due_at", "deadline", "size", "state", "tapped_at")
    kept = list(Batch.objects.filter(deadline__gt=begin, due_at__lt=end).values_list(*names))
    run, sender, due_at, deadline, size, state, tapped = zip(*kept, strict=True) if kept else [()] * len(names)
    stands = [what != BatchState.CLOSED or when is not None for what, when in zip(state, tapped, strict=True)]
    number = pa.int64()
    batches = {
        "run": pa.array(run, number),
        "sender": pa.array(sender, number),
        "due_at": _naive(due_at),
        "deadline": _naive(deadline),
        "size": pa.array(size, number),
        "stands": pa.array(stands, pa.bool_()),
    }
    windows = {
        "window": pa.array(list(spans), pa.int32()),
        "begin": _naive([span[0] for span in spans.values()]),
        "end": _naive([span[1] for span in spans.values()]),
    }
    daily = Run.objects.filter(plan__standing=True, state=RunState.COMMITTED, decided_at__gt=begin - DAILY)
    tables = {
        "batches": pa.table(batches),
        "windows": pa.table(windows),
        "committed": visible,
        "daily": pa.table({"run": pa.array(list(daily.values_list("pk", flat=True)), number)}),
    }
    limit = task_limit(due[0].terms.channel)
    return warehouse.query(named("reach/standing", {"begin": begin, "end": end, "limit": limit}, tables))


def task_limit(channel: str) -> int:
    """How many recipients one task of a channel takes; of what needs no tap, as many as are handed over together."""
    way = way_of(channel)
    return min(TASK_LIMIT, way.recipients) if way.taps else TASK_LIMIT


def _naive(moments: Sequence[datetime]) -> pa.Array:
    """Instants as the warehouse keeps them."""
    return pa.array([calendars.naive(moment) for moment in moments], STAMP)


def _senders(standing: pa.Table) -> pa.Table:
    whole = standing.filter(pc.equal(standing["window"], WHOLE_TICK))
    taken = dict(zip(whole["sender"].to_pylist(), whole["people"].to_pylist(), strict=True))
    rows = organisation.quotas()
    return pa.table(
        {
            "sender": [row.sender for row in rows],
            "active": [row.active for row in rows],
            "quota_left": [max(0, row.daily - taken.get(row.sender, 0)) for row in rows],
        },
        schema=SENDERS,
    )


def _tasks(standing: pa.Table) -> pa.Table:
    rows = standing.filter(pc.not_equal(standing["window"], WHOLE_TICK))
    columns = {"sender": rows["sender"], "plan": rows["window"], "tasks_taken": rows["tasks"]}
    return pa.table(columns).select(TASKS.names).cast(TASKS)


def plan_due(warehouse: Warehouse, *, patience: float = 0.0) -> int:
    """Decide everything that is due now, in one tick; returns the number of runs committed.

    Plans due together on one channel compete in the gate. One process at a time plans; another that asks for longer
    than `patience` seconds gets Unavailable.
    """
    with lease(LEASE, patience) as held:
        Run.objects.filter(state=RunState.DECIDING).exclude(token=held.token).update(state=RunState.ABANDONED)
        if not _anything_due(business_now()):
            return 0
        pump.pump_until_empty(warehouse)
        now = profiles.refresh_now(warehouse).as_of
        book = rulebook()
        due = _due(warehouse, now, book)
        channels = sorted({item.terms.channel for item in due}, key=lambda name: _urgency(due, name))
        return sum(
            _tick(warehouse, [item for item in due if item.terms.channel == channel], held, now, book)
            for channel in channels
        )


def _urgency(due: Sequence[Due], channel: str) -> tuple[int, str]:
    """Channels are decided one after the other, the most important plan's first: the next sees what was granted."""
    return -max(item.terms.priority for item in due if item.terms.channel == channel), channel


def _tick(warehouse: Warehouse, due: Sequence[Due], held: Held, now: datetime, book: Rulebook) -> int:
    runs = _open_runs(due, held, now, book)
    failpoint("plan.runs_opened")
    decisions = decide(gather(warehouse, due, book, now))
    decided = [of_plan(decisions, item) for item in due]
    warehouse.write([decisions_statement(*each, now) for each in zip(due, runs, decided, strict=True)])
    failpoint("plan.decisions_written")
    return _commit(due, runs, decided, held)


def _anything_due(now: datetime) -> bool:
    return any(_next_attempt(plan, now) is not None for plan in Plan.objects.filter(state=PlanState.RUNNING))


def _next_attempt(plan: Plan, now: datetime) -> tuple[str, int, Run | None] | None:
    """The wave and attempt of a plan that is due at `now`, with the run whose expired touches it takes up."""
    document = document_of(plan)
    assert plan.start is not None
    runs = {(run.occasion, run.attempt): run for run in plan.runs.filter(state=RunState.COMMITTED)}
    for index in range(len(document.waves)):
        occasion = f"w{index + 1}"
        if (occasion, 1) not in runs:
            opens = plan.start + timedelta(hours=document.wave_hours * index)
            return (occasion, 1, None) if opens <= now else None
        attempt = max(number for name, number in runs if name == occasion)
        run = runs[occasion, attempt]
        if attempt < document.attempts and _came_back(run):
            return occasion, attempt + 1, run
    return None


def _came_back(run: Run) -> bool:
    """Whether all batches of a run are closed and one of them left people unreached."""
    batches = list(run.batches.all())
    return bool(batches) and all(b.state == BatchState.CLOSED for b in batches) and any(b.left for b in batches)


def _due(warehouse: Warehouse, now: datetime, book: Rulebook) -> list[Due]:
    due = []
    for plan in Plan.objects.filter(state=PlanState.RUNNING).order_by("pk"):
        found = _next_attempt(plan, now)
        if found is None:
            continue
        try:
            due.append(_due_of(warehouse, plan, found, now, book))
        except Unavailable:
            raise
        except YutangError as error:  # such as a segment that was retired: one plan must not hold up the others
            _log.warning("plan put off", plan=plan.pk, reason=error.en)
            Plan.objects.filter(pk=plan.pk).update(trouble=f"{error.zh} {error.en}"[:400])
        else:
            Plan.objects.filter(pk=plan.pk).exclude(trouble="").update(trouble="")
    return due


def _due_of(warehouse: Warehouse, plan: Plan, found: tuple[str, int, Run | None], now: datetime, book: Rulebook) -> Due:
    occasion, attempt, before = found
    granted = sum(run.granted for run in plan.runs.filter(state=RunState.COMMITTED, attempt=1))
    document = document_of(plan)
    terms = terms_of(plan.pk, document, now, book.rules, occasion=occasion, attempt=attempt, granted=granted)
    policy_of(book, [terms.channel], organisation.brand().country, now)  # one plan without hours holds up no other
    if before is None:
        _freeze(warehouse, plan)
        return Due(plan, terms, _wave(warehouse, plan, occasion))
    params = {"plan": plan.pk, "run": before.pk}
    audience = warehouse.query(named("reach/expired", params, {"committed": committed()}))
    return Due(plan, replace(terms, at_most=None), audience)


def _freeze(warehouse: Warehouse, plan: Plan) -> None:
    """Keep the audience as it was at launch, once: waves and lift speak of these people and no others."""
    if plan.audience_frozen:
        return
    audience = audience_of(warehouse, document_of(plan), viewer_of(plan))
    warehouse.write(
        [named("reach/freeze", {"plan": plan.pk, "at": plan.start}, {"audience": audience})],
        unless=Statement("SELECT count(*) > 0 FROM plan_audience WHERE plan = $plan", {"plan": plan.pk}),
    )
    failpoint("plan.audience_frozen")
    Plan.objects.filter(pk=plan.pk).update(audience_frozen=True)


def _wave(warehouse: Warehouse, plan: Plan, occasion: str) -> pa.Table:
    """The part of the frozen audience that this wave is about: drawn by hash, so that waves never overlap."""
    audience = warehouse.query(
        named("reach/audience", {"plan": plan.pk, "occasion": occasion}, {"committed": committed()})
    )
    shares = (0.0, *document_of(plan).waves)
    index = int(occasion.removeprefix("w"))
    draws = draw_array(audience["person"].to_numpy(), salt("wave", plan.pk))
    return audience.filter(pa.array((draws >= shares[index - 1]) & (draws < shares[index])))


def _open_runs(due: Sequence[Due], held: Held, now: datetime, book: Rulebook) -> list[Run]:
    return [
        Run.objects.create(
            plan=item.plan,
            occasion=item.terms.occasion,
            attempt=item.terms.attempt,
            token=held.token,
            decided_at=now,
            as_of=now,
            candidates=item.audience.num_rows,
            versions=book.versions | content_version(document_of(item.plan)),
        )
        for item in due
    ]


def decisions_statement(item: Due, run: Run, rows: pa.Table, now: datetime) -> Statement:
    """Writes one plan\'s rows (`of_plan`) as the decisions of a run."""
    size = rows.num_rows
    terms = item.terms
    constant = {
        "run": repeated(run.pk, pa.int64(), size),
        "touch_class": repeated(terms.touch_class.value, pa.string(), size),
        "channel": repeated(terms.channel, pa.string(), size),
        "value": repeated(terms.value, pa.bool_(), size),
        "decided_at": repeated(calendars.naive(now), STAMP, size),
    }
    for name, column in constant.items():
        rows = rows.append_column(name, column)
    return named("reach/write_decisions", tables={"new_decisions": rows})


def of_plan(decisions: Decisions, item: Due) -> pa.Table:
    """One plan's rows in the warehouse's types."""
    mine = pc.equal(decisions.table["plan"], item.plan.pk)
    rows = decisions.table if pc.all(mine).as_py() else decisions.table.filter(mine)
    plain = {
        "plan": rows["plan"],
        "person": rows["person"],
        "touch": rows["touch"],
        "outcome": rows["outcome"].cast(pa.string()),
        "reason": rows["reason"].cast(pa.string()),
        "sender": rows["sender"],
        "store": rows["store"],
        "due_at": rows["due"].cast(STAMP),
        "deadline": rows["deadline"].cast(STAMP),
        "occasion": rows["occasion"].cast(pa.string()),
        "attempt": rows["attempt"],
    }
    return pa.table(plain)


def _commit(due: Sequence[Due], runs: Sequence[Run], decided: Sequence[pa.Table], held: Held) -> int:
    """Make the runs exist, with their batches, if this process still holds the lease."""
    with transaction.atomic():
        held.renew()
        for item, run, rows in zip(due, runs, decided, strict=True):
            run.granted = int(pc.sum(pc.not_equal(rows["outcome"], "suppressed")).as_py() or 0)
            run.state = RunState.COMMITTED
            run.save(update_fields=["state", "granted"])
            _keep_batches(run, item, _batches(rows, task_limit(item.terms.channel)))
        failpoint("plan.before_commit")
    failpoint("plan.committed")
    return len(runs)


@dataclass(frozen=True, slots=True)
class Cut:
    """What one batch asks of a sender: of the run's recipients with this sender and window, `size` from `offset` on."""

    sender: int
    due_at: datetime
    deadline: datetime
    ordinal: int
    offset: int
    size: int


def _batches(rows: pa.Table, limit: int) -> list[Cut]:
    """The batches that a run's decisions imply: the same for the same decisions, in whatever process they are cut."""
    sent = rows.select(["sender", "due_at", "deadline"]).filter(pc.equal(rows["outcome"], "send"))
    groups = sent.group_by(["sender", "due_at", "deadline"]).aggregate([([], "count_all")])
    order = [("sender", "ascending"), ("due_at", "ascending"), ("deadline", "ascending")]
    columns = [groups.sort_by(order)[name].to_pylist() for name in ("sender", "due_at", "deadline", "count_all")]
    return [
        Cut(sender, due_at, deadline, ordinal, offset, min(limit, size - offset))
        for sender, due_at, deadline, size in zip(*columns, strict=True)
        for ordinal, offset in enumerate(range(0, size, limit))
    ]


def _keep_batches(run: Run, item: Due, cuts: Sequence[Cut]) -> None:
    """By rows and not by models: a plan of a chain has 10,000 batches, and models take longer than the gate."""
    same: dict[str, object] = {
        "run_id": run.pk,
        "digest": digest_of(document_of(item.plan).message.text),
        "state": BatchState.PLANNED.value,
        "created_at": bulk.stored_time(wall_now()),
        **dict.fromkeys(("task", "called_by", "trouble"), ""),
        **dict.fromkeys(("calls", "left"), 0),
    }
    own = ("sender", "due_at", "deadline", "ordinal", "offset", "size")
    rows = (
        (cut.sender, _stored(cut.due_at), _stored(cut.deadline), cut.ordinal, cut.offset, cut.size, *same.values())
        for cut in cuts
    )
    bulk.insert(Batch, (*own, *same), rows)


def _stored(at: datetime) -> object:
    """A naive UTC time of the warehouse as the operational store keeps it."""
    return bulk.stored_time(calendars.aware(at))


def checked(document: BroadcastDocument, rules: ContentRules | None) -> list[Finding]:
    """What may not be said in all that customers read of a broadcast."""
    said = plain(document)
    beside = {name: text for name, text in document.message.said().items() if name != "text"}
    linked = document.message.link is not None or document.message.mini_program is not None
    found = check(said.text, rules, linked=linked)
    for text in beside.values():
        found += check(text, rules)
    return found


def content_version(document: BroadcastDocument) -> dict[str, int]:
    """The version of the content that is said, as it stands among the versions of a run."""
    version = document.message.version
    return {} if version is None else {"content": version}


def launchable(document: BroadcastDocument, viewer: Viewer) -> None:
    """Raise Refused or BadInput if this viewer may not launch this document as it stands."""
    if not viewer.may_operate:
        raise Refused("你的角色不能下发计划，请找总部运营。", "Your role may not launch plans; ask headquarters.")
    if document.audience.segment is not None:
        segments.segment_named(document.audience.segment)
    book = rulebook()
    if document.topic is not None and document.topic not in book.policy.topics:
        known = ", ".join(book.policy.topics)
        raise BadInput(
            f"topic「{document.topic}」不在触达规则的 topics 里，可用：{known}。",
            f"The topic “{document.topic}” is none of the policy's; there are: {known}.",
        )
    marketing = document.touch_class is TouchClass.MARKETING
    approach.price_of(
        document.channel, longest(document.message.text), marketing=marketing
    )  # says what an account cannot carry
    problems = checked(document, book.rules)
    if problems:
        raise BrokenRules(problems)

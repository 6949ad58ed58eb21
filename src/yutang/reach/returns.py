"""Reading back what guides did, and ending what they did not do in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa
import structlog
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Greatest

from yutang.channels.contracts import (
    AnswerLost,
    Delivery,
    MassSendPort,
    RecipientResult,
    RefusedByPlatform,
    TaskNotReady,
    TryLater,
    UnexpectedAnswer,
)
from yutang.kernel.calendars import zone
from yutang.kernel.clock import business_now
from yutang.kernel.database import lock, rows_held
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import PersonId, SenderId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import SenderFacts
from yutang.reach.approach import addresses_of, at_hand
from yutang.reach.contracts import AT_LARGE, RECALLED, BatchState, PlanState, ReceiptState
from yutang.reach.issuing import (
    Member,
    NoChannel,
    Ports,
    bound_tasks,
    members_of,
    over,
    put_off,
    tasks_like,
)
from yutang.reach.ledger import receipts_of, still_open, write_receipts
from yutang.reach.limits import way_of
from yutang.reach.models import Batch, Run
from yutang.reach.planning import document_of
from yutang.warehouse.contracts import Warehouse, named

READ_EVERY = timedelta(minutes=10)
READ_LATE_EVERY, READ_LATE_FOR = timedelta(hours=6), timedelta(days=7)  # what could not be withdrawn
PARALLEL = 4  # calls under way at once; the platform refuses more than about five of one kind (WeCom doc 90313)
ROUND = 100  # batches whose receipts are kept in one write
FINAL = {
    Delivery.SENT: ReceiptState.SENT,
    Delivery.NOT_FRIEND: ReceiptState.FAILED,
    Delivery.CAPPED: ReceiptState.FAILED,
    Delivery.REFUSED: ReceiptState.FAILED,
    Delivery.BOUNCED: ReceiptState.FAILED,
    Delivery.NOT_REACHED: ReceiptState.FAILED,
    Delivery.WITHDRAWN: ReceiptState.SUPPRESSED,
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What is looked up once for a whole pass over batches: who speaks, who is spoken to, and of whom nothing final is
    known. `recipients` are the platform ids of each batch; `touches` has, by batch, the open touches of each of them
    (where two recipients became one person meanwhile, those of both under the id of either: which of them was called is
    no longer told apart). `bound` are the tasks of which is known whose they are."""

    senders: Mapping[SenderId, SenderFacts]
    by_userid: Mapping[tuple[str, str, str], SenderId]
    members: Mapping[int, Sequence[Member]]
    recipients: Mapping[int, set[str]]
    touches: Mapping[int, Mapping[str, Sequence[int]]]
    bound: frozenset[str]
    now: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What the platform said of one batch: receipts for what it has settled, when the first guide tapped, and whether
    each has. `refused`: it could not be withdrawn, and why. `doubtful` are touches that may have gone out, or not: they
    stay unknown, and are not taken up again."""

    batch: Batch
    receipts: Sequence[pa.Table]
    tapped_at: datetime | None
    all_tapped: bool
    refused: str = ""
    doubtful: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a batch could not be read back."""

    batch: Batch
    trouble: str


def read_back(warehouse: Warehouse, ports: Ports) -> int:
    """Read the results of issued batches that were not read for a while; returns how many were read.

    Those that could not be withdrawn are read for some days more: who was reached late was reached all the same.
    """
    now = business_now()
    issued = Q(state=BatchState.ISSUED, deadline__gt=now, run__plan__state=PlanState.RUNNING)
    unread = issued & (Q(read_at=None) | Q(read_at__lte=now - READ_EVERY))
    at_large = Q(state=BatchState.CLOSED, trouble=AT_LARGE, closed_at__gt=now - READ_LATE_FOR)
    unread_late = at_large & (Q(read_at=None) | Q(read_at__lte=now - READ_LATE_EVERY))
    return _rounds(warehouse, ports, Batch.objects.filter(unread | unread_late), closing=False)


def expire(warehouse: Warehouse, ports: Ports) -> int:
    """Close every batch whose deadline has come or whose plan was stopped.

    Cancel on the platform, **then** read, and only who is still unsent expires. What was never issued expires whole. Of
    a batch of which nobody said which task is its own, every task that may be is cancelled and read. What the platform
    does not cancel is read all the same: if every guide has tapped, nothing is left to be withdrawn; else it is put
    off. Returns how many were closed.
    """
    late = Batch.objects.filter(over())
    with rows_held(late.filter(state=BatchState.PLANNED).select_related("run__plan"), of=("self",)) as never:
        if never:  # held, lest one be issued by another process while its touches are told to be expired
            _close(warehouse, never, members_of(warehouse, never))
    out = late.filter(state__in=(BatchState.ISSUED, BatchState.AMBIGUOUS))
    asks = Q(not_before=None) | Q(not_before__lte=business_now())
    return len(never) + _rounds(warehouse, ports, out.filter(asks), closing=True)


def recall(warehouse: Warehouse, ports: Ports) -> int:
    """Take back every task that waits for a tap although one of its recipients has refused since it was handed out; and
    hand it out again to the others, at the next issue, in a batch of its own. Returns how many were taken back.

    A platform withdraws tasks, not recipients: so the task is cancelled, **then** read, and who is still unsent is
    asked for anew. Killed before that, the cancelled task is found again as long as the refusal stands, and expires at
    its deadline otherwise. One that the platform does not cancel is tried again at the next look.
    """
    now = business_now()
    out = Batch.objects.filter(state=BatchState.ISSUED, deadline__gt=now, run__plan__state=PlanState.RUNNING)
    out = out.exclude(task="")
    runs = Run.objects.filter(pk__in=out.values("run")).select_related("plan")
    documents = {run.pk: document_of(run.plan) for run in runs}
    documents = {run: one for run, one in documents.items() if way_of(one.channel).taps}  # others look at leaving
    if not documents:
        return 0
    wanted = pa.table(
        {
            "run": pa.array(list(documents), pa.int64()),
            "purpose": pa.array([one.purpose for one in documents.values()], pa.string()),
            "channel": pa.array([one.channel for one in documents.values()], pa.string()),
            "topic": pa.array([one.topic for one in documents.values()], pa.string()),
        }
    )
    refused = warehouse.query(named("reach/refusing", {"now": now}, {"wanted": wanted})).to_pylist()
    if not refused:
        return 0
    touches = {row["touch"] for row in refused}
    may_be = out.filter(run__in={row["run"] for row in refused}, sender__in={row["sender"] for row in refused})
    batches = list(may_be.select_related("run"))
    members = members_of(warehouse, batches)
    concerned = [one.pk for one in batches if any(member.touch in touches for member in members[one.pk])]
    return _rounds(warehouse, ports, Batch.objects.filter(pk__in=concerned), closing=True, again=True)


def _rounds(warehouse: Warehouse, ports: Ports, wanted: QuerySet[Batch], *, closing: bool, again: bool = False) -> int:
    batches = list(wanted.select_related("run__plan"))
    if not batches:
        return 0
    desk = _desk(warehouse, batches)
    done = 0
    with ThreadPoolExecutor(PARALLEL) as pool:
        for start in range(0, len(batches), ROUND):
            part = batches[start : start + ROUND]
            ours = [batch for batch in part if at_hand(_account(desk.senders, batch)[0])]
            theirs = [batch for batch in part if batch not in ours]
            asked = [_asked(ports, desk, batch, closing) for batch in ours]
            asked += pool.map(lambda one: _asked(ports, desk, one, closing), theirs)
            told = [item for item in asked if item is not None]
            if not again:
                _put_off(warehouse, desk, [item for item in told if isinstance(item, Trouble)], closing=closing)
            answers = [item for item in told if isinstance(item, Told)]
            _keep(warehouse, desk, answers, closing=closing, again=again)
            done += sum(not item.refused for item in answers)
    return done


def _put_off(warehouse: Warehouse, desk: Desk, troubled: Sequence[Trouble], *, closing: bool) -> None:
    for item in troubled:
        if closing:
            put_off(warehouse, item.batch, desk.members[item.batch.pk], item.trouble)
            continue
        same = Batch.objects.filter(pk=item.batch.pk, state=item.batch.state)
        at_large = item.batch.state == BatchState.CLOSED
        same.update(read_at=desk.now, trouble=AT_LARGE if at_large else item.trouble[:200])


def _desk(warehouse: Warehouse, batches: Sequence[Batch]) -> Desk:
    senders = {row.id: row for row in organisation.senders(organisation.OWNER)}
    members = members_of(warehouse, batches)
    open_touches = still_open(warehouse, [member.touch for part in members.values() for member in part])
    spoken_to: dict[tuple[str, str], set[PersonId]] = defaultdict(set)
    for batch in batches:
        spoken_to[_account(senders, batch)].update(member.person for member in members[batch.pk])
    ids = {account: addresses_of(persons, *account) for account, persons in spoken_to.items()}
    recipients: dict[int, set[str]] = {batch.pk: set() for batch in batches}
    touches: dict[int, dict[str, list[int]]] = {batch.pk: defaultdict(list) for batch in batches}
    for batch in batches:
        known = ids[_account(senders, batch)]
        for member in members[batch.pk]:
            recipients[batch.pk].update(known.get(member.person, ()))
            for recipient in known.get(member.person, ()) if member.touch in open_touches else ():
                touches[batch.pk][recipient].append(member.touch)
    by_userid = {(row.channel, row.corp, row.userid.casefold()): row.id for row in senders.values()}
    bound = frozenset() if all(batch.task for batch in batches) else bound_tasks()
    return Desk(senders, by_userid, members, recipients, touches, bound, business_now())


def _account(senders: Mapping[SenderId, SenderFacts], batch: Batch) -> tuple[str, str]:
    sender = senders[SenderId(batch.sender)]
    return sender.channel, sender.corp


def _asked(ports: Ports, desk: Desk, batch: Batch, closing: bool) -> Told | Trouble | None:
    """Ask the platform of one batch. None: not to be told now; the next turn of the clock asks again."""
    sender = desk.senders[SenderId(batch.sender)]
    port = ports.get((sender.channel, sender.corp))
    try:
        tasks = [batch.task] if batch.task else _candidates(port, desk, batch)
        if port is None:
            raise NoChannel
        refusals = [_cancelled(port, task) for task in tasks] if closing else []
        told = _told(port, desk, batch, sender, tasks)
    except TryLater:
        return None
    except (TaskNotReady, AnswerLost, NoChannel) as trouble:
        return Trouble(batch, str(trouble)) if closing else None
    except (RefusedByPlatform, UnexpectedAnswer) as refusal:
        _log.warning("cannot read back", batch=batch.pk, api=refusal.api)
        return Trouble(batch, str(refusal))
    refused = next((refusal for refusal in refusals if refusal), "")
    return replace(told, refused="" if told.all_tapped else refused)


def _candidates(port: MassSendPort | None, desk: Desk, batch: Batch) -> list[str]:
    """The tasks that may be a batch's, where nobody said which one is."""
    return [task.task_id for task in tasks_like(port, batch, desk.recipients[batch.pk], desk.bound)]


def _cancelled(port: MassSendPort, task: str) -> str:
    """Cancel a task. Returns why it could not be, or nothing."""
    try:
        port.cancel_task(task)
    except (RefusedByPlatform, UnexpectedAnswer) as refusal:
        _log.warning("cannot cancel", task=task, api=refusal.api)
        return str(refusal)
    failpoint("expire.cancelled")
    return ""


def _told(port: MassSendPort, desk: Desk, batch: Batch, sender: SenderFacts, tasks: Sequence[str]) -> Told:
    """The platform may have given a recipient to another guide, who talked to them last: so everyone who tapped is
    asked about, and whoever really spoke is kept. Before a guide's tap nothing of theirs is settled."""
    touches = desk.touches[batch.pk]
    receipts: list[pa.Table] = []
    doubtful: set[int] = set()
    asked = [(task, state) for task in tasks for state in port.read_task(task)]
    tapped = [(task, state) for task, state in asked if state.sent]
    for task, state in tapped:
        results = [row for row in port.read_results(task, state.sender) if row.recipient in touches]
        rows = [row for row in results if row.state in FINAL]
        lost = [touch for row in results if row.state is Delivery.UNKNOWN for touch in touches[row.recipient]]
        doubtful.update(lost)
        receipts.append(receipts_of(lost, ReceiptState.UNKNOWN, at=desk.now, key=task, batch=batch.pk))
        who = desk.by_userid.get((sender.channel, sender.corp, state.sender.casefold()))
        receipts += _receipts(batch, task, rows, touches, who, desk.now)
    first = min((state.sent_at or desk.now for _, state in tapped), default=None)
    return Told(batch, receipts, first, len(tapped) == len(asked), doubtful=frozenset(doubtful))


def _receipts(
    batch: Batch,
    task: str,
    rows: Sequence[RecipientResult],
    touches: Mapping[str, Sequence[int]],
    sender: int | None,
    now: datetime,
) -> Iterator[pa.Table]:
    for state in (ReceiptState.SENT, ReceiptState.FAILED, ReceiptState.SUPPRESSED):
        chosen = [(touch, row) for row in rows if FINAL[row.state] is state for touch in touches[row.recipient]]
        yield receipts_of(
            [touch for touch, _ in chosen],
            state,
            at=[row.sent_at or now for _, row in chosen],
            key=task,
            batch=batch.pk,
            sender=sender,
            reason=[None if state is ReceiptState.SENT else row.state.value for _, row in chosen],
        )


def _keep(warehouse: Warehouse, desk: Desk, told: Sequence[Told], *, closing: bool, again: bool) -> None:
    """Keep what was told, all receipts of the round in one write; then let the batches know."""
    receipts = [table for item in told for table in item.receipts if table.num_rows]
    if receipts:
        write_receipts(warehouse, pa.concat_tables(receipts))
    failpoint("expire.read" if closing else "read.receipts_written")
    tapped = [item.batch for item in told if item.tapped_at is not None]
    left = still_open(warehouse, [member.touch for batch in tapped for member in desk.members[batch.pk]])
    local = zone(organisation.brand().zone)
    for item in told:
        changes: dict[str, object] = {}
        if item.tapped_at is not None:
            waiting = sum(member.touch in left for member in desk.members[item.batch.pk])
            settled = Greatest(F("asked") - waiting, 0)  # of what was asked, counted from the ledger as it is now
            hour = item.tapped_at.astimezone(local).hour
            changes = {"tapped_at": item.tapped_at, "tapped_hour": hour, "done": settled}
        if item.batch.state == BatchState.CLOSED and item.all_tapped:
            changes["trouble"] = ""
        Batch.objects.filter(pk=item.batch.pk).update(read_at=business_now(), **changes)
    if again:
        _plan_again(warehouse, [item.batch for item in told if not item.refused], desk.members)
        return
    if closing:
        doubtful = {touch for item in told for touch in item.doubtful}
        _close(warehouse, [item.batch for item in told if not item.refused], desk.members, doubtful)
        refused = [Trouble(item.batch, item.refused) for item in told if item.refused]
        _put_off(warehouse, desk, refused, closing=True)
        return
    # of a batch whose task nobody could tell another may still wait for a tap: it stays until that one is withdrawn
    bound = [batch for batch in tapped if batch.task]
    done = [batch.pk for batch in bound if not any(member.touch in left for member in desk.members[batch.pk])]
    Batch.objects.filter(pk__in=done, state=BatchState.ISSUED).update(state=BatchState.CLOSED, closed_at=business_now())


def _plan_again(warehouse: Warehouse, batches: Sequence[Batch], members: Mapping[int, Sequence[Member]]) -> None:
    """Close batches that were taken back, and plan another of the same recipients in the place of each: whoever was
    reached, or has refused, is passed over when it is issued."""
    left = still_open(warehouse, [member.touch for batch in batches for member in members[batch.pk]])
    for batch in batches:
        with transaction.atomic():
            lock("reach")
            some = any(member.touch in left for member in members[batch.pk])
            same = Batch.objects.filter(pk=batch.pk, state=BatchState.ISSUED)
            trouble = RECALLED if some else ""
            if not same.update(state=BatchState.CLOSED, closed_at=business_now(), trouble=trouble) or not some:
                continue
            beside = Batch.objects.filter(
                run=batch.run, sender=batch.sender, due_at=batch.due_at, deadline=batch.deadline
            )
            last = beside.aggregate(last=Max("ordinal"))["last"]
            Batch.objects.create(
                run=batch.run,
                sender=batch.sender,
                due_at=batch.due_at,
                deadline=batch.deadline,
                ordinal=int(last or 0) + 1,
                offset=batch.offset,
                size=batch.size,
                digest=batch.digest,
            )


def _close(
    warehouse: Warehouse,
    batches: Sequence[Batch],
    members: Mapping[int, Sequence[Member]],
    doubtful: Set[int] = frozenset(),
) -> None:
    """Expire whoever is still open, but for the doubtful, and close the batches."""
    left = still_open(warehouse, [member.touch for batch in batches for member in members[batch.pk]]) - doubtful
    now = business_now()
    unreached = {batch.pk: [member.touch for member in members[batch.pk] if member.touch in left] for batch in batches}
    receipts = [
        receipts_of(touches, ReceiptState.EXPIRED, at=now, key=str(batch), batch=batch)
        for batch, touches in unreached.items()
    ]
    if left:
        write_receipts(warehouse, pa.concat_tables(receipts))
    failpoint("expire.receipts_written")
    for batch in batches:
        trouble = "not_issued" if batch.state == BatchState.PLANNED else "" if batch.withdrawals else batch.trouble
        Batch.objects.filter(pk=batch.pk, state=batch.state).update(
            state=BatchState.CLOSED, closed_at=now, left=len(unreached[batch.pk]), trouble=trouble
        )

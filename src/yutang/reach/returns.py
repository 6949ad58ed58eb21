"""Reading back what guides did, and ending what they did not do in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import structlog
from django.db.models import Q, QuerySet

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
from yutang.kernel.clock import business_now
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import SenderId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import SenderFacts
from yutang.people import queries as people
from yutang.reach.contracts import BatchState, PlanState, ReceiptState
from yutang.reach.issuing import Member, Ports, members_of
from yutang.reach.ledger import receipts_of, still_open, write_receipts
from yutang.reach.models import Batch
from yutang.warehouse.contracts import Warehouse

READ_EVERY = timedelta(minutes=10)
PARALLEL = 4  # calls under way at once; the platform refuses more than about five of one kind (WeCom doc 90313)
ROUND = 100  # batches whose receipts are kept in one write
FINAL = {
    Delivery.SENT: ReceiptState.SENT,
    Delivery.NOT_FRIEND: ReceiptState.FAILED,
    Delivery.CAPPED: ReceiptState.FAILED,
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What is looked up once for a whole pass over batches: who speaks, who is spoken to, and of whom nothing final is
    known. `touches` has, by batch, the open touches of each recipient's platform id (where two recipients became one
    person meanwhile, those of both under the id of either: which of them was called is no longer told apart)."""

    senders: Mapping[SenderId, SenderFacts]
    by_userid: Mapping[tuple[str, str, str], SenderId]
    members: Mapping[int, Sequence[Member]]
    touches: Mapping[int, Mapping[str, Sequence[int]]]
    now: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What the platform said of one batch: receipts for what it has settled, and when the first guide tapped."""

    batch: Batch
    receipts: Sequence[pa.Table]
    tapped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a batch cannot be read back until somebody changes something."""

    batch: Batch
    trouble: str


def read_back(warehouse: Warehouse, ports: Ports) -> int:
    """Read the results of issued batches that were not read for a while; returns how many were read."""
    now = business_now()
    issued = Batch.objects.filter(state=BatchState.ISSUED, deadline__gt=now, run__plan__state=PlanState.RUNNING)
    unread = issued.filter(Q(read_at=None) | Q(read_at__lte=now - READ_EVERY))
    return _rounds(warehouse, ports, unread, closing=False)


def expire(warehouse: Warehouse, ports: Ports) -> int:
    """Close every batch whose deadline has come or whose plan was stopped.

    Cancel on the platform, **then** read, and only who is still unsent expires. What was never issued expires whole.
    Returns how many were closed.
    """
    late = Batch.objects.filter(Q(deadline__lte=business_now()) | Q(run__plan__state=PlanState.STOPPED))
    never = list(late.filter(state=BatchState.PLANNED).select_related("run__plan"))
    if never:
        _close(warehouse, never, members_of(warehouse, never), BatchState.PLANNED)
    return len(never) + _rounds(warehouse, ports, late.filter(state=BatchState.ISSUED), closing=True)


def _rounds(warehouse: Warehouse, ports: Ports, wanted: QuerySet[Batch], *, closing: bool) -> int:
    batches = list(wanted.select_related("run__plan"))
    if not batches:
        return 0
    desk = _desk(warehouse, batches)
    done = 0
    with ThreadPoolExecutor(PARALLEL) as pool:
        for start in range(0, len(batches), ROUND):
            part = batches[start : start + ROUND]
            told = [item for item in pool.map(lambda one: _asked(ports, desk, one, closing), part) if item is not None]
            for batch, trouble in ((item.batch, item.trouble) for item in told if isinstance(item, Trouble)):
                Batch.objects.filter(pk=batch.pk).update(trouble=trouble)
            answers = [item for item in told if isinstance(item, Told)]
            _keep(warehouse, desk, answers, closing=closing)
            done += len(answers)
    return done


def _desk(warehouse: Warehouse, batches: Sequence[Batch]) -> Desk:
    senders = {row.id: row for row in organisation.senders(organisation.OWNER)}
    members = members_of(warehouse, batches)
    open_touches = still_open(warehouse, [member.touch for part in members.values() for member in part])
    corps = {senders[SenderId(batch.sender)].corp for batch in batches}
    persons = {member.person for part in members.values() for member in part}
    ids = {corp: people.all_identifiers_of(persons, "external_userid", corp) for corp in corps}
    touches: dict[int, dict[str, list[int]]] = {batch.pk: defaultdict(list) for batch in batches}
    for batch in batches:
        known = ids[senders[SenderId(batch.sender)].corp]
        for member in members[batch.pk]:
            for recipient in known.get(member.person, ()) if member.touch in open_touches else ():
                touches[batch.pk][recipient].append(member.touch)
    by_userid = {(row.channel, row.corp, row.userid.casefold()): row.id for row in senders.values()}
    return Desk(senders, by_userid, members, touches, business_now())


def _asked(ports: Ports, desk: Desk, batch: Batch, closing: bool) -> Told | Trouble | None:
    """Ask the platform of one batch. None: not to be told now; the next turn of the clock asks again."""
    sender = desk.senders[SenderId(batch.sender)]
    port = ports.get((sender.channel, sender.corp))
    if port is None:
        return None
    try:
        if closing:
            port.cancel_task(batch.task)
            failpoint("expire.cancelled")
        return _told(port, desk, batch, sender)
    except (TryLater, TaskNotReady, AnswerLost):
        return None
    except (RefusedByPlatform, UnexpectedAnswer) as refusal:
        _log.warning("cannot read back", batch=batch.pk, api=refusal.api)
        return Trouble(batch, str(refusal)[:200])


def _told(port: MassSendPort, desk: Desk, batch: Batch, sender: SenderFacts) -> Told:
    """The platform may have given a recipient to another guide, who talked to them last: so everyone who tapped is
    asked about, and whoever really spoke is kept. Before a guide's tap nothing of theirs is settled."""
    touches = desk.touches[batch.pk]
    receipts: list[pa.Table] = []
    tapped = [state for state in port.read_task(batch.task) if state.sent]
    for state in tapped:
        rows = [
            row
            for row in port.read_results(batch.task, state.sender)
            if row.state in FINAL and row.recipient in touches
        ]
        who = desk.by_userid.get((sender.channel, sender.corp, state.sender.casefold()))
        receipts += _receipts(batch, rows, touches, who, desk.now)
    return Told(batch, receipts, min((state.sent_at or desk.now for state in tapped), default=None))


def _receipts(
    batch: Batch,
    rows: Sequence[RecipientResult],
    touches: Mapping[str, Sequence[int]],
    sender: int | None,
    now: datetime,
) -> Iterator[pa.Table]:
    for state in (ReceiptState.SENT, ReceiptState.FAILED):
        chosen = [(touch, row) for row in rows if FINAL[row.state] is state for touch in touches[row.recipient]]
        yield receipts_of(
            [touch for touch, _ in chosen],
            state,
            at=[row.sent_at or now for _, row in chosen],
            key=batch.task,
            batch=batch.pk,
            sender=sender,
            reason=[None if state is ReceiptState.SENT else row.state.value for _, row in chosen],
        )


def _keep(warehouse: Warehouse, desk: Desk, told: Sequence[Told], *, closing: bool) -> None:
    """Keep what was told, all receipts of the round in one write; then let the batches know."""
    receipts = [table for item in told for table in item.receipts if table.num_rows]
    if receipts:
        write_receipts(warehouse, pa.concat_tables(receipts))
    failpoint("expire.read" if closing else "read.receipts_written")
    for item in told:
        changes = {} if item.tapped_at is None else {"tapped_at": item.tapped_at}
        Batch.objects.filter(pk=item.batch.pk).update(read_at=business_now(), **changes)
    if closing:
        _close(warehouse, [item.batch for item in told], desk.members, BatchState.ISSUED)
        return
    tapped = [item.batch for item in told if item.tapped_at is not None]
    left = still_open(warehouse, [member.touch for batch in tapped for member in desk.members[batch.pk]])
    over = [batch.pk for batch in tapped if not any(member.touch in left for member in desk.members[batch.pk])]
    Batch.objects.filter(pk__in=over, state=BatchState.ISSUED).update(state=BatchState.CLOSED, closed_at=business_now())


def _close(
    warehouse: Warehouse, batches: Sequence[Batch], members: Mapping[int, Sequence[Member]], expected: BatchState
) -> None:
    """Expire whoever is still open, and close the batches."""
    left = still_open(warehouse, [member.touch for batch in batches for member in members[batch.pk]])
    now = business_now()
    unreached = {batch.pk: [member.touch for member in members[batch.pk] if member.touch in left] for batch in batches}
    receipts = [
        receipts_of(touches, ReceiptState.EXPIRED, at=now, key=str(batch), batch=batch)
        for batch, touches in unreached.items()
    ]
    if left:
        write_receipts(warehouse, pa.concat_tables(receipts))
    failpoint("expire.receipts_written")
    trouble = {} if expected is BatchState.ISSUED else {"trouble": "not_issued"}
    for batch, touches in unreached.items():
        Batch.objects.filter(pk=batch, state=expected).update(
            state=BatchState.CLOSED, closed_at=now, left=len(touches), **trouble
        )

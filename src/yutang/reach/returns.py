"""Reading back what guides did, and ending what they did not do in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db.models import Q

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
FINAL = {
    Delivery.SENT: ReceiptState.SENT,
    Delivery.NOT_FRIEND: ReceiptState.FAILED,
    Delivery.CAPPED: ReceiptState.FAILED,
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Open:
    """A batch with all that is needed to speak of it to its platform."""

    batch: Batch
    port: MassSendPort
    sender: SenderFacts
    members: list[Member]


def read_back(warehouse: Warehouse, ports: Ports) -> int:
    """Read the results of issued batches that were not read for a while; returns how many were read."""
    now = business_now()
    issued = Batch.objects.filter(state=BatchState.ISSUED, deadline__gt=now, run__plan__state=PlanState.RUNNING)
    unread = issued.filter(Q(read_at=None) | Q(read_at__lte=now - READ_EVERY))
    return _each(warehouse, ports, list(unread.select_related("run__plan")), _read)


def expire(warehouse: Warehouse, ports: Ports) -> int:
    """Close every batch whose deadline has come or whose plan was stopped.

    Cancel on the platform, **then** read, and only who is still unsent expires. What was never issued expires whole.
    Returns how many were closed.
    """
    late = Batch.objects.filter(Q(deadline__lte=business_now()) | Q(run__plan__state=PlanState.STOPPED))
    never = list(late.filter(state=BatchState.PLANNED).select_related("run__plan"))
    members = members_of(warehouse, never) if never else {}
    for batch in never:
        _close(warehouse, batch, members[batch.pk], BatchState.PLANNED)
    issued = list(late.filter(state=BatchState.ISSUED).select_related("run__plan"))
    return len(never) + _each(warehouse, ports, issued, _cancel_and_read)


def _each(warehouse: Warehouse, ports: Ports, batches: Sequence[Batch], act: Callable[[Warehouse, Open], None]) -> int:
    if not batches:
        return 0
    senders = {row.id: row for row in organisation.senders(organisation.OWNER)}
    members = members_of(warehouse, batches)
    done = 0
    for batch in batches:
        sender = senders[SenderId(batch.sender)]
        port = ports.get((sender.channel, sender.corp))
        if port is None:
            continue
        try:
            act(warehouse, Open(batch, port, sender, members[batch.pk]))
            done += 1
        except (TryLater, TaskNotReady, AnswerLost):
            continue  # nothing changed here; the next turn of the clock asks again
        except (RefusedByPlatform, UnexpectedAnswer) as refusal:
            _log.warning("cannot read back", batch=batch.pk, api=refusal.api)
            Batch.objects.filter(pk=batch.pk).update(trouble=str(refusal)[:200])
    return done


def _read(warehouse: Warehouse, item: Open) -> None:
    """Take over what the platform says so far; a batch of which nothing is open any more is closed."""
    tapped_at = _take_over(warehouse, item)
    failpoint("read.receipts_written")
    changes: dict[str, object] = {"read_at": business_now()}
    if tapped_at is not None:
        changes["tapped_at"] = tapped_at
        if not still_open(warehouse, [member.touch for member in item.members]):
            changes |= {"state": BatchState.CLOSED, "closed_at": business_now()}
    Batch.objects.filter(pk=item.batch.pk, state=BatchState.ISSUED).update(**changes)


def _cancel_and_read(warehouse: Warehouse, item: Open) -> None:
    item.port.cancel_task(item.batch.task)
    failpoint("expire.cancelled")
    tapped_at = _take_over(warehouse, item)
    if tapped_at is not None:
        Batch.objects.filter(pk=item.batch.pk).update(tapped_at=tapped_at)
    failpoint("expire.read")
    _close(warehouse, item.batch, item.members, BatchState.ISSUED)


def _take_over(warehouse: Warehouse, item: Open) -> datetime | None:
    """Write the receipts for everything the platform has settled; returns when the first guide tapped.

    The platform may have given a recipient to another guide, who talked to them last: so everyone whom the task names
    is asked, and whoever really spoke is kept.
    """
    ids = people.identifiers_of([member.person for member in item.members], "external_userid", item.sender.corp)
    unsettled = still_open(warehouse, [member.touch for member in item.members])
    touches: dict[str, list[int]] = defaultdict(list)  # several where two recipients became one person meanwhile
    for member in item.members:
        if member.person in ids and member.touch in unsettled:
            touches[ids[member.person]].append(member.touch)
    states = item.port.read_task(item.batch.task)
    where = item.sender.channel, item.sender.corp
    accounts = [row for row in organisation.senders(organisation.OWNER) if (row.channel, row.corp) == where]
    by_userid = {row.userid.casefold(): row.id for row in accounts}
    for state in states:
        results = item.port.read_results(item.batch.task, state.sender)
        settled = [row for row in results if row.state in FINAL and row.recipient in touches]
        _write(warehouse, item.batch, settled, touches, by_userid.get(state.sender.casefold()))
    return min((state.sent_at or business_now() for state in states if state.sent), default=None)


def _write(
    warehouse: Warehouse,
    batch: Batch,
    rows: Sequence[RecipientResult],
    touches: Mapping[str, Sequence[int]],
    sender: int | None,
) -> None:
    for state in (ReceiptState.SENT, ReceiptState.FAILED):
        chosen = [(touch, row) for row in rows if FINAL[row.state] is state for touch in touches[row.recipient]]
        receipts = receipts_of(
            [touch for touch, _ in chosen],
            state,
            at=[row.sent_at or business_now() for _, row in chosen],
            key=batch.task,
            batch=batch.pk,
            sender=sender,
            reason=[None if state is ReceiptState.SENT else row.state.value for _, row in chosen],
        )
        write_receipts(warehouse, receipts)


def _close(warehouse: Warehouse, batch: Batch, members: Sequence[Member], expected: BatchState) -> None:
    """Expire whoever is still open, and close the batch."""
    left = sorted(still_open(warehouse, [member.touch for member in members]))
    now = business_now()
    write_receipts(warehouse, receipts_of(left, ReceiptState.EXPIRED, at=now, key=str(batch.pk), batch=batch.pk))
    failpoint("expire.receipts_written")
    Batch.objects.filter(pk=batch.pk, state=expected).update(
        state=BatchState.CLOSED,
        closed_at=now,
        left=len(left),
        trouble="" if expected is BatchState.ISSUED else "not_issued",
    )

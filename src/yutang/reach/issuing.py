"""From batches to tasks on the platform: each asked for once, whatever dies in between.

The attempt is kept before the platform is called. An answer that is lost leaves the batch `unknown`: it is looked for
among the platform's tasks by content, sender and time, and called again only when it is certainly not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import pyarrow as pa
import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from yutang.channels.contracts import (
    AnswerLost,
    MassSendPort,
    MessageContent,
    PlatformTask,
    RefusedByPlatform,
    TaskNotReady,
    TryLater,
    UnexpectedAnswer,
)
from yutang.intake.lease import lives, me
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import PersonId, SenderId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import SenderFacts
from yutang.people import queries as people
from yutang.people.contracts import Refusal
from yutang.reach.contracts import BatchState, PlanState, ReceiptState
from yutang.reach.ledger import receipts_of, still_open, write_receipts
from yutang.reach.models import Batch
from yutang.reach.planning import document_of
from yutang.warehouse.contracts import Warehouse, named

PART = 50  # batches whose recipients are looked up together
CALL_SECONDS = 120  # wall time after which a call that nobody finished is lost, whoever made it
SEARCH = timedelta(minutes=15)  # how far around the call its task may have been created
ASK_AGAIN = timedelta(minutes=5)  # after an answer that is none of the platform's
MERGED = "merged"  # the reason of a touch whose person turned out to be another recipient of the same batch
GIVE_UP = timedelta(minutes=5)  # a task that is still not listed so long after the call was never made
_log = structlog.get_logger(__name__)

Ports = Mapping[tuple[str, str], MassSendPort]


@dataclass(frozen=True, slots=True)
class Member:
    """One recipient of a batch: the touch, and who the person is today."""

    touch: int
    person: PersonId


@dataclass(frozen=True, slots=True)
class Looked:
    """What holds of the recipients now: whose touch is still open, who may not be touched, and the platform's ids."""

    open_touches: set[int]
    refusals: Mapping[PersonId, Refusal | None]
    ids: Mapping[PersonId, str]


def issue_due(warehouse: Warehouse, ports: Ports, limit: int = 200) -> int:
    """Hand every batch that is due to its platform; returns how many were accepted."""
    now = business_now()
    due = (
        Batch.objects.filter(state=BatchState.PLANNED, due_at__lte=now, deadline__gt=now)
        .filter(Q(not_before=None) | Q(not_before__lte=now))
        .filter(run__plan__state=PlanState.RUNNING)
        .select_related("run__plan")
        .order_by("due_at", "pk")[:limit]
    )
    batches = list(due)
    if not batches:
        return 0
    senders = {row.id: row for row in organisation.senders(organisation.OWNER)}
    members = members_of(warehouse, batches)
    accepted = 0
    for part in _parts(batches):
        looked = _look_up(warehouse, part, senders, members)
        for batch in part:
            accepted += _issue(warehouse, ports, batch, senders[SenderId(batch.sender)], members[batch.pk], looked)
    return accepted


def _parts(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """The batches of one run at a time, in which nobody stands twice, and few enough to be called within seconds."""
    for _, same_run in groupby(sorted(batches, key=lambda batch: batch.run_id), key=lambda batch: batch.run_id):
        rows = list(same_run)
        yield from (rows[start : start + PART] for start in range(0, len(rows), PART))


def _look_up(
    warehouse: Warehouse,
    batches: Sequence[Batch],
    senders: Mapping[SenderId, SenderFacts],
    members: Mapping[int, Sequence[Member]],
) -> Looked:
    """Look once more at consent and friendship, operationally, just before the platform is called."""
    purpose = document_of(batches[0].run.plan).purpose
    touches = [member.touch for batch in batches for member in members[batch.pk]]
    by_account: dict[tuple[str, str], dict[PersonId, SenderId | None]] = defaultdict(dict)
    for batch in batches:
        sender = senders[SenderId(batch.sender)]
        by_account[sender.channel, sender.corp] |= {member.person: sender.id for member in members[batch.pk]}
    refusals: dict[PersonId, Refusal | None] = {}
    ids: dict[PersonId, str] = {}
    for (channel, corp), asked in by_account.items():
        refusals |= people.may_be_touched(asked, purpose, channel)
        ids |= people.identifiers_of(asked, "external_userid", corp)
    return Looked(still_open(warehouse, touches), refusals, ids)


def members_of(warehouse: Warehouse, batches: Sequence[Batch]) -> dict[int, list[Member]]:
    """The recipients of batches, in the ledger's order, from the decisions of their runs."""
    wanted = pa.table({"run": pa.array(sorted({batch.run_id for batch in batches}), pa.int64())})
    rows = warehouse.query(named("reach/batch_members", tables={"wanted": wanted}))
    groups: dict[tuple[int, int, datetime, datetime], list[Member]] = defaultdict(list)
    columns = [rows[name].to_pylist() for name in ("run", "sender", "due_at", "deadline", "touch", "survivor")]
    for run, sender, due_at, deadline, touch, person in zip(*columns, strict=True):
        groups[run, sender, due_at, deadline].append(Member(touch, PersonId(person)))
    result = {}
    for batch in batches:
        key = (batch.run_id, batch.sender, batch.due_at.replace(tzinfo=None), batch.deadline.replace(tzinfo=None))
        result[batch.pk] = groups[key][batch.offset : batch.offset + batch.size]
    return result


def _issue(
    warehouse: Warehouse, ports: Ports, batch: Batch, sender: SenderFacts, members: list[Member], looked: Looked
) -> bool:
    document = document_of(batch.run.plan)
    port = ports.get((sender.channel, sender.corp))
    if port is None:
        Batch.objects.filter(pk=batch.pk).update(trouble="no_channel", not_before=business_now() + timedelta(hours=1))
        return False
    if not _claim(batch):
        return False
    failpoint("issue.claimed")
    recipients = _recipients(warehouse, batch, members, looked)
    if not recipients:
        _settle(batch, state=BatchState.CLOSED, closed_at=business_now())
        return False
    try:
        created = port.create_task(sender.userid, list(recipients.values()), MessageContent(document.message.text))
    except AnswerLost:
        _mark_unknown(warehouse, batch, members)
        return False
    except TryLater as later:
        delay = max(later.until - wall_now(), timedelta(seconds=1))
        _settle(batch, state=BatchState.PLANNED, not_before=business_now() + delay)
        return False
    except UnexpectedAnswer as odd:
        _settle(batch, state=BatchState.PLANNED, not_before=business_now() + ASK_AGAIN, trouble=str(odd)[:200])
        return False
    except RefusedByPlatform as refusal:
        _refused(warehouse, batch, list(recipients), refusal)
        return False
    failpoint("issue.answered")
    refused = [touch for touch, recipient in recipients.items() if recipient in created.refused]
    reasons = [created.refused[recipients[touch]] for touch in refused]
    _settle(batch, state=BatchState.ISSUED, task=created.task_id, trouble="")
    failpoint("issue.bound")
    write_receipts(
        warehouse,
        receipts_of(
            refused, ReceiptState.FAILED, at=business_now(), key=created.task_id, batch=batch.pk, reason=reasons
        ),
    )
    return True


def _claim(batch: Batch) -> bool:
    """Take a batch for calling, unless another call of the same content for the same sender is unanswered.

    Time and plan are looked at once more, in the same statement: whoever closes what is late or stopped looks for
    planned batches only, and one taken after that would be sent although its touches had been told to be expired.
    """
    now = business_now()
    running = Batch.objects.filter(deadline__gt=now, run__plan__state=PlanState.RUNNING)
    batch.called_by = me()
    try:
        with transaction.atomic():
            return bool(
                running.filter(pk=batch.pk, state=BatchState.PLANNED).update(
                    state=BatchState.CALLING,
                    called_at=now,
                    call_until=wall_now() + timedelta(seconds=CALL_SECONDS),
                    called_by=batch.called_by,
                    calls=F("calls") + 1,
                )
            )
    except IntegrityError:
        return False


def _settle(batch: Batch, **changes: object) -> bool:
    """End a call. False where it had been given up meanwhile: whoever calls now must not be ended by an older call."""
    call = Batch.objects.filter(pk=batch.pk, state=BatchState.CALLING, called_by=batch.called_by)
    return bool(call.update(**changes))


def _recipients(warehouse: Warehouse, batch: Batch, members: list[Member], looked: Looked) -> dict[int, str]:
    """The platform's ids by touch, of those who may still be touched; the others get their receipt at once.

    Whose touch has its final receipt is passed over: an earlier call of this batch may have told it. Two who became
    one person since they were planned get one message.
    """
    members = [member for member in members if member.touch in looked.open_touches]
    allowed: dict[int, str] = {}
    refused: dict[int, str] = {}
    taken: set[PersonId] = set()
    for member in members:
        reason = looked.refusals[member.person] or (None if member.person in looked.ids else "relation")
        if reason is None and member.person in taken:
            reason = MERGED
        taken.add(member.person)
        if reason is None:
            allowed[member.touch] = looked.ids[member.person]
        else:
            refused[member.touch] = reason
    receipts = receipts_of(
        list(refused),
        ReceiptState.SUPPRESSED,
        at=business_now(),
        key="issue",
        batch=batch.pk,
        reason=list(refused.values()),
    )
    write_receipts(warehouse, receipts)
    return allowed


def _mark_unknown(warehouse: Warehouse, batch: Batch, members: list[Member]) -> None:
    if not _settle(batch, state=BatchState.UNKNOWN, trouble="answer_lost"):
        return
    failpoint("issue.unknown")
    _tell(warehouse, batch, members, ReceiptState.UNKNOWN)


def _tell(warehouse: Warehouse, batch: Batch, members: list[Member], state: ReceiptState) -> None:
    touches = sorted(still_open(warehouse, [member.touch for member in members]))
    key = f"{batch.pk}:{batch.calls}"
    write_receipts(
        warehouse, receipts_of(touches, state, at=business_now(), key=key, batch=batch.pk, sender=batch.sender)
    )


def _refused(warehouse: Warehouse, batch: Batch, touches: list[int], refusal: RefusedByPlatform) -> None:
    _log.warning("batch refused", batch=batch.pk, plan=batch.run.plan_id, errcode=refusal.errcode)
    reason = f"platform_{refusal.errcode}"
    receipts = receipts_of(
        touches, ReceiptState.FAILED, at=business_now(), key=f"{batch.pk}", batch=batch.pk, reason=reason
    )
    write_receipts(warehouse, receipts)
    _settle(batch, state=BatchState.CLOSED, closed_at=business_now(), trouble=str(refusal)[:200])


def resolve_unknown(warehouse: Warehouse, ports: Ports) -> int:
    """Find out what became of calls without an answer; returns how many were settled.

    They are looked for by text, recipients and time among the platform's tasks that no batch is bound to.

    Found once: bound. Not there although the platform lists everything from that time: called again. Found more than
    once: left to a human, for whom it is listed.
    """
    for batch in Batch.objects.filter(state=BatchState.CALLING).select_related("run__plan"):
        if batch.call_until is not None and batch.call_until > wall_now() and lives(batch.called_by):
            continue
        _mark_unknown(warehouse, batch, members_of(warehouse, [batch])[batch.pk])
    senders = {row.id: row for row in organisation.senders(organisation.OWNER)}
    unknown = Batch.objects.filter(state=BatchState.UNKNOWN).select_related("run__plan")
    return sum(_resolve(warehouse, ports, batch, senders[SenderId(batch.sender)]) for batch in unknown)


def _resolve(warehouse: Warehouse, ports: Ports, batch: Batch, sender: SenderFacts) -> bool:
    port = ports.get((sender.channel, sender.corp))
    if port is None or batch.called_at is None:
        return False
    members = members_of(warehouse, [batch])[batch.pk]
    ids = people.all_identifiers_of([member.person for member in members], "external_userid", sender.corp)
    recipients = {recipient for known in ids.values() for recipient in known}
    try:
        found = port.find_tasks(batch.called_at - SEARCH, batch.called_at + SEARCH)
        matches = _matches(port, batch, recipients, found)
    except (AnswerLost, TryLater, TaskNotReady, RefusedByPlatform, UnexpectedAnswer):
        return False
    unknown = Batch.objects.filter(pk=batch.pk, state=BatchState.UNKNOWN, called_by=batch.called_by)
    if len(matches) > 1:
        return bool(unknown.update(state=BatchState.AMBIGUOUS, trouble="several_tasks_match"))
    if matches:
        if not unknown.update(state=BatchState.ISSUED, task=matches[0].task_id, trouble=""):
            return False
        failpoint("issue.found")
        _tell(warehouse, batch, members, ReceiptState.ISSUED)
        return True
    if business_now() - batch.called_at < GIVE_UP:
        return False
    _tell(warehouse, batch, members, ReceiptState.ISSUED)
    failpoint("issue.not_found")
    return bool(unknown.update(state=BatchState.PLANNED, trouble="", not_before=None))


def reopen_or_close(warehouse: Warehouse, batch: Batch, *, again: bool) -> None:
    """Settle an ambiguous batch as a human said: called again, or closed with its touches left unknown."""
    ambiguous = Batch.objects.filter(pk=batch.pk, state=BatchState.AMBIGUOUS)
    if not again:
        ambiguous.update(state=BatchState.CLOSED, closed_at=business_now())
        return
    _tell(warehouse, batch, members_of(warehouse, [batch])[batch.pk], ReceiptState.ISSUED)
    ambiguous.update(state=BatchState.PLANNED, trouble="", not_before=None)


def _matches(
    port: MassSendPort, batch: Batch, recipients: set[str], found: Sequence[PlatformTask]
) -> list[PlatformTask]:
    """The tasks that may be this batch: same text, a recipient in common, not bound to another batch.

    The sender tells nothing: the platform may have given every recipient to somebody else. Raises TaskNotReady while a
    task with that text is still being handed out: whom it is for cannot be told yet.
    """
    text = document_of(batch.run.plan).message.text
    bound = set(Batch.objects.exclude(task="").values_list("task", flat=True))
    same = [task for task in found if task.text == text and task.task_id not in bound]
    for task in same:
        if not task.senders:
            raise TaskNotReady(task.task_id)
    return [task for task in same if any(_has_one_of(port, task, name, recipients) for name in task.senders)]


def _has_one_of(port: MassSendPort, task: PlatformTask, sender: str, recipients: set[str]) -> bool:
    return any(row.recipient in recipients for row in port.read_results(task.task_id, sender))

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
    CannotCarry,
    MassSendPort,
    MessageContent,
    Permit,
    PlatformTask,
    RefusedByPlatform,
    TaskNotReady,
    TryLater,
    UnexpectedAnswer,
)
from yutang.intake import pump
from yutang.intake.lease import lives, me
from yutang.kernel.calendars import naive
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.errors import Unavailable
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import PersonId, SenderId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import SenderFacts
from yutang.people import queries as people
from yutang.people.contracts import Refusal
from yutang.reach.approach import addresses_of, friends_only, without_address
from yutang.reach.contracts import AT_LARGE, BatchState, PlanState, ReceiptState
from yutang.reach.crowding import Recipient, caps_of, crowded_out
from yutang.reach.documents import BroadcastDocument
from yutang.reach.gate.contracts import TouchClass
from yutang.reach.ledger import receipts_of, still_open, write_receipts
from yutang.reach.models import Batch, Run
from yutang.reach.planning import document_of, rulebook
from yutang.reach.policy import PolicyDocument
from yutang.reach.saying import Known, digest_of, known_for, spoken
from yutang.warehouse.contracts import Warehouse, named

_PLACE = pa.schema(
    [("run", pa.int64()), ("sender", pa.int64()), ("due_at", pa.timestamp("us")), ("deadline", pa.timestamp("us"))]
)
PART = 50  # batches whose recipients are looked up together
PUMPING = 5.0  # wall seconds for which another pump at work is waited for
AT_ONCE = 200  # batches handed out in one go
CALL_SECONDS = 120  # wall time after which a call that nobody finished is lost, whoever made it
SEARCH = timedelta(minutes=15)  # how far around the call its task may have been created
ASK_AGAIN = timedelta(minutes=5)  # after an answer that is none of the platform's
GIVE_UP = timedelta(minutes=5)  # a task that is still not listed so long after the call was never made
WITHDRAW_AGAIN = timedelta(minutes=1)  # after the first time that a batch could not be withdrawn; then twice as long …
WITHDRAW_AT_LEAST = timedelta(hours=6)  # … up to this
WITHDRAWALS = 20  # times, within three days or so, after which nobody tries any more
_log = structlog.get_logger(__name__)

Ports = Mapping[tuple[str, str], MassSendPort]


@dataclass(frozen=True, slots=True)
class Member:
    """One recipient of a batch: the touch, and who the person is today."""

    touch: int
    person: PersonId


@dataclass(frozen=True, slots=True)
class Looked:
    """What holds of the recipients now: whose touch is still open and has no room any more, who may not be touched, and
    the platform's ids."""

    open_touches: set[int]
    crowded: Mapping[int, str]
    refusals: Mapping[PersonId, Refusal | None]
    ids: Mapping[PersonId, str]


def issue_due(warehouse: Warehouse, ports: Ports) -> int:
    """Hand batches that are due to their platforms, AT_ONCE at most; returns how many were accepted."""
    now = business_now()
    due = (
        Batch.objects.filter(state=BatchState.PLANNED, due_at__lte=now, deadline__gt=now)
        .filter(Q(not_before=None) | Q(not_before__lte=now))
        .filter(run__plan__state=PlanState.RUNNING)
        .select_related("run__plan")
        .order_by("due_at", "pk")[:AT_ONCE]
    )
    batches = list(due)
    if not batches:
        return 0
    try:
        # whoever became one person since they were planned must be known as one
        pump.pump_until_empty(warehouse, patience=PUMPING)
    except Unavailable as busy:
        _log.info("issuing put off", reason=busy.en)
        return 0
    senders = {row.id: row for row in organisation.senders(organisation.OWNER)}
    members = members_of(warehouse, batches)
    policy = rulebook().policy
    plans = {batch.run.plan_id: batch.run.plan for batch in batches}
    house = known_for(map(document_of, plans.values()), [senders[SenderId(batch.sender)] for batch in batches])
    accepted = 0
    for part in _parts(batches):
        looked = _look_up(warehouse, part, senders, members, policy)
        for batch in part:
            accepted += _issue(
                warehouse, ports, batch, senders[SenderId(batch.sender)], members[batch.pk], looked, house
            )
    return accepted


def _parts(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """The batches of one run at a time, and few enough to be called within seconds."""
    for _, same_run in groupby(sorted(batches, key=lambda batch: batch.run_id), key=lambda batch: batch.run_id):
        rows = list(same_run)
        yield from (rows[start : start + PART] for start in range(0, len(rows), PART))


def _look_up(
    warehouse: Warehouse,
    batches: Sequence[Batch],
    senders: Mapping[SenderId, SenderFacts],
    members: Mapping[int, Sequence[Member]],
    policy: PolicyDocument,
) -> Looked:
    """Look once more at caps, consent and friendship, just before the platform is called. Of a person who stands in the
    part twice, only the touch that is to go out is asked about."""
    plan = batches[0].run.plan
    document = document_of(plan)
    touches = still_open(warehouse, [member.touch for batch in batches for member in members[batch.pk]])
    recipients = [
        Recipient(member.touch, member.person, batch.run_id, naive(batch.due_at), naive(batch.deadline))
        for batch in batches
        for member in members[batch.pk]
        if member.touch in touches
    ]
    marketing = document.touch_class is TouchClass.MARKETING
    caps = caps_of(policy, document)
    crowded = crowded_out(warehouse, plan.pk, document.channel, caps, recipients, marketing=marketing)
    by_account: dict[tuple[str, str], dict[PersonId, SenderId | None]] = defaultdict(dict)
    for batch in batches:
        sender = senders[SenderId(batch.sender)]
        by_account[sender.channel, sender.corp] |= {
            member.person: sender.id
            for member in members[batch.pk]
            if member.touch in touches and member.touch not in crowded
        }
    refusals: dict[PersonId, Refusal | None] = {}
    ids: dict[PersonId, str] = {}
    by_friendship = friends_only(document.channel)
    for (channel, corp), senders_of in by_account.items():
        asked = senders_of if by_friendship else dict.fromkeys(senders_of)
        refusals |= people.may_be_touched(asked, document.purpose, channel, document.topic)
        ids |= {person: known[0] for person, known in addresses_of(asked, channel, corp).items()}
    return Looked(touches, crowded, refusals, ids)


def members_of(warehouse: Warehouse, batches: Sequence[Batch]) -> dict[int, list[Member]]:
    """The recipients of batches, in the ledger's order, from the decisions of their runs."""
    keys = {batch.pk: (batch.run_id, batch.sender, naive(batch.due_at), naive(batch.deadline)) for batch in batches}
    wanted = pa.Table.from_pylist(
        [dict(zip(_PLACE.names, key, strict=True)) for key in sorted(set(keys.values()))], schema=_PLACE
    )
    rows = warehouse.query(named("reach/batch_members", tables={"wanted": wanted}))
    groups: dict[tuple[int, int, datetime, datetime], list[Member]] = defaultdict(list)
    columns = [rows[name].to_pylist() for name in (*_PLACE.names, "touch", "survivor")]
    for run, sender, due_at, deadline, touch, person in zip(*columns, strict=True):
        groups[run, sender, due_at, deadline].append(Member(touch, PersonId(person)))
    result = {}
    for batch in batches:
        result[batch.pk] = groups[keys[batch.pk]][batch.offset : batch.offset + batch.size]
    return result


def _issue(
    warehouse: Warehouse,
    ports: Ports,
    batch: Batch,
    sender: SenderFacts,
    members: list[Member],
    looked: Looked,
    house: Known,
) -> bool:
    document = document_of(batch.run.plan)
    port = ports.get((sender.channel, sender.corp))
    if port is None:
        Batch.objects.filter(pk=batch.pk).update(trouble="no_channel", not_before=business_now() + timedelta(hours=1))
        return False
    content = spoken(document, sender, house, _permit(document, batch))
    if content.attached and not _ready(batch, port, content):
        return False
    if not _claim(batch, digest_of(content.text, content.links, content.attached)):
        return False
    failpoint("issue.claimed")
    recipients = _recipients(warehouse, batch, members, looked)
    if not recipients:
        _settle(batch, state=BatchState.CLOSED, closed_at=business_now())
        return False
    try:
        created = port.create_task(sender.userid, list(recipients.values()), content)
    except AnswerLost:
        _mark_unknown(warehouse, batch, members)
        return False
    except TryLater as later:
        delay = max(later.until - wall_now(), timedelta(seconds=1))
        _settle(batch, state=BatchState.PLANNED, not_before=business_now() + delay)
        return False
    except (UnexpectedAnswer, CannotCarry) as odd:
        _settle(batch, state=BatchState.PLANNED, not_before=business_now() + ASK_AGAIN, trouble=str(odd)[:200])
        return False
    except RefusedByPlatform as refusal:
        _refused(warehouse, batch, list(recipients), refusal)
        return False
    failpoint("issue.answered")
    refused = [touch for touch, recipient in recipients.items() if recipient in created.refused]
    reasons = [created.refused[recipients[touch]] for touch in refused]
    asked = len(recipients) - len(refused)
    _settle(batch, state=BatchState.ISSUED, task=created.task_id, trouble="", asked=asked)
    failpoint("issue.bound")
    write_receipts(
        warehouse,
        receipts_of(
            refused, ReceiptState.FAILED, at=business_now(), key=created.task_id, batch=batch.pk, reason=reasons
        ),
    )
    return True


def _ready(batch: Batch, port: MassSendPort, content: MessageContent) -> bool:
    """Bring the files of a content to the platform, before the batch is taken: a call that lasted as long as a large
    upload would be taken for lost, and asked for once more by another. What stands against it is noted, and tried
    again later; at the deadline the batch is over as any other."""
    try:
        port.make_ready(content)
    except TryLater as later:
        wait, trouble = max(later.until - wall_now(), timedelta(seconds=1)), ""
    except (AnswerLost, UnexpectedAnswer) as odd:
        wait, trouble = ASK_AGAIN, str(odd)
    except (CannotCarry, RefusedByPlatform) as no:
        wait, trouble = timedelta(hours=1), str(no)
    else:
        failpoint("issue.ready")
        return True
    same = Batch.objects.filter(pk=batch.pk, state=BatchState.PLANNED)
    same.update(not_before=business_now() + wait, trouble=trouble[:200])
    return False


def _permit(document: BroadcastDocument, batch: Batch) -> Permit:
    """For what the gate let it through."""
    marketing = document.touch_class is TouchClass.MARKETING
    return Permit(document.purpose, document.topic, marketing=marketing, until=batch.deadline)


def _claim(batch: Batch, digest: str) -> bool:
    """Take a batch for calling, unless another call of the same content for the same sender is unanswered.

    `digest` stands for the very words that are about to be asked for. It is kept with the call: whoever looks for the
    call's task later must know it by these words, whatever the guide is called by then.

    Time and plan are looked at once more, in the same statement: whoever closes what is late or stopped looks for
    planned batches only, and one taken after that would be sent although its touches had been told to be expired.
    """
    now = business_now()
    # Conditions on the batch itself, not on a join: PostgreSQL looks at those once more where another process has just
    # changed the row, and would else let both have it.
    running = Run.objects.filter(plan__state=PlanState.RUNNING)
    planned = Batch.objects.filter(pk=batch.pk, state=BatchState.PLANNED, deadline__gt=now, run__in=running)
    batch.called_by = me()
    try:
        with transaction.atomic():
            claimed = planned.update(
                state=BatchState.CALLING,
                digest=digest,
                called_at=now,
                call_until=wall_now() + timedelta(seconds=CALL_SECONDS),
                called_by=batch.called_by,
                calls=F("calls") + 1,
            )
    except IntegrityError:
        return False
    if claimed:  # what is told of this call must bear its number, and not that of the one before
        batch.refresh_from_db(fields=["calls"])
    return bool(claimed)


def _settle(batch: Batch, **changes: object) -> bool:
    """End a call. False where it had been given up meanwhile: whoever calls now must not be ended by an older call."""
    call = Batch.objects.filter(pk=batch.pk, state=BatchState.CALLING, called_by=batch.called_by)
    return bool(call.update(**changes))


def _recipients(warehouse: Warehouse, batch: Batch, members: list[Member], looked: Looked) -> dict[int, str]:
    """The platform's ids by touch, of those who may still be touched; the others get their receipt at once.

    Whose touch has its final receipt is passed over: an earlier call of this batch may have told it.
    """
    members = [member for member in members if member.touch in looked.open_touches]
    allowed: dict[int, str] = {}
    refused: dict[int, str] = {}
    for member in members:
        reason = looked.crowded.get(member.touch) or looked.refusals[member.person]
        if reason is None and member.person not in looked.ids:
            reason = without_address(document_of(batch.run.plan).channel)
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
    """Say that a call is unanswered (`unknown`), or that it was found out about (`issued`), under the call's number."""
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
    once: left to a human, for whom it is listed, until the batch is over. One that is over and that the platform tells
    nothing of is put off, and given up at last.
    """
    for batch in Batch.objects.filter(state=BatchState.CALLING).select_related("run__plan"):
        if batch.call_until is not None and batch.call_until > wall_now() and lives(batch.called_by):
            continue
        _mark_unknown(warehouse, batch, members_of(warehouse, [batch])[batch.pk])
    senders = {row.id: row for row in organisation.senders(organisation.OWNER)}
    asks = Q(not_before=None) | Q(not_before__lte=business_now())
    unknown = Batch.objects.filter(asks, state=BatchState.UNKNOWN).select_related("run__plan")
    return sum(_resolve(warehouse, ports, batch, senders[SenderId(batch.sender)]) for batch in unknown)


def _resolve(warehouse: Warehouse, ports: Ports, batch: Batch, sender: SenderFacts) -> bool:
    port = ports.get((sender.channel, sender.corp))
    members = members_of(warehouse, [batch])[batch.pk]
    ids = addresses_of([member.person for member in members], sender.channel, sender.corp)
    recipients = {recipient for known in ids.values() for recipient in known}
    try:
        matches = tasks_like(port, batch, recipients, bound_tasks())
    except TryLater:
        return False
    except (AnswerLost, TaskNotReady, RefusedByPlatform, UnexpectedAnswer, NoChannel) as trouble:
        if is_over(batch):
            put_off(warehouse, batch, members, str(trouble))
        return False
    unknown = Batch.objects.filter(pk=batch.pk, state=BatchState.UNKNOWN, called_by=batch.called_by)
    if len(matches) > 1:
        return bool(unknown.update(state=BatchState.AMBIGUOUS, trouble="several_tasks_match"))
    if matches:
        asked = len(still_open(warehouse, [member.touch for member in members]))
        if not unknown.update(state=BatchState.ISSUED, task=matches[0].task_id, trouble="", asked=asked):
            return False
        failpoint("issue.found")
        _tell(warehouse, batch, members, ReceiptState.ISSUED)
        return True
    if batch.called_at is not None and business_now() - batch.called_at < GIVE_UP:
        return False
    _tell(warehouse, batch, members, ReceiptState.ISSUED)
    failpoint("issue.not_found")
    return bool(unknown.update(state=BatchState.PLANNED, trouble="", not_before=None))


def reopen_or_keep(warehouse: Warehouse, batch: Batch, *, again: bool) -> None:
    """Settle an ambiguous batch as a human said: called again; or it is out, although nobody says as which task.

    Then its touches stay unknown, and whatever may be its task is read, and withdrawn when it is over.
    """
    ambiguous = Batch.objects.filter(pk=batch.pk, state=BatchState.AMBIGUOUS)
    if not again:
        members = members_of(warehouse, [batch])[batch.pk]
        ambiguous.update(state=BatchState.ISSUED, asked=len(still_open(warehouse, [one.touch for one in members])))
        return
    _tell(warehouse, batch, members_of(warehouse, [batch])[batch.pk], ReceiptState.ISSUED)
    ambiguous.update(state=BatchState.PLANNED, trouble="", not_before=None)


class NoChannel(Unavailable):
    """The channel of a batch is gone: nobody can be asked about it."""

    def __init__(self) -> None:
        super().__init__(
            "这个群发任务所用的账号已经断开，请重新接上。",
            "The account that this batch was sent through is no longer connected; connect it again.",
        )


def bound_tasks() -> frozenset[str]:
    """The platform's tasks of which is known whose they are."""
    return frozenset(Batch.objects.exclude(task="").values_list("task", flat=True))


def tasks_like(
    port: MassSendPort | None, batch: Batch, recipients: set[str], bound: frozenset[str]
) -> list[PlatformTask]:
    """The tasks that may be this batch: same text, a recipient in common, not bound to another batch.

    The sender tells nothing: the platform may have given every recipient to somebody else. Raises NoChannel, what the
    platform's calls raise, and TaskNotReady while a task with that text is still being handed out: whom it is for
    cannot be told yet.
    """
    if port is None:
        raise NoChannel
    if batch.called_at is None:
        return []
    found = port.find_tasks(batch.called_at - SEARCH, batch.called_at + SEARCH)
    same = [task for task in found if _says(task) == batch.digest and task.task_id not in bound]
    for task in same:
        if not task.senders:
            raise TaskNotReady(task.task_id)
    return [task for task in same if any(_has_one_of(port, task, name, recipients) for name in task.senders)]


def _says(task: PlatformTask) -> str:
    return digest_of(task.text, task.links, task.attached)


def _has_one_of(port: MassSendPort, task: PlatformTask, sender: str, recipients: set[str]) -> bool:
    return any(row.recipient in recipients for row in port.read_results(task.task_id, sender))


def over() -> Q:
    """Batches that nobody may tap any more: their deadline has come, or their plan was stopped."""
    return Q(deadline__lte=business_now()) | Q(run__plan__state=PlanState.STOPPED)


def is_over(batch: Batch) -> bool:
    """Whether nobody may tap a batch any more."""
    return bool(batch.deadline <= business_now() or batch.run.plan.state == PlanState.STOPPED)


def put_off(warehouse: Warehouse, batch: Batch, members: Sequence[Member], trouble: str) -> None:
    """A batch that is over could not be withdrawn: try again after a while, each time a longer one.

    At last it is given up: closed, its touches unknown for ever, and listed as one that a guide may still tap.
    """
    tries = batch.withdrawals + 1
    same = Batch.objects.filter(pk=batch.pk, state=batch.state, withdrawals=batch.withdrawals)
    now = business_now()
    if tries < WITHDRAWALS:
        wait = min(WITHDRAW_AGAIN * 2**batch.withdrawals, WITHDRAW_AT_LEAST)
        same.update(withdrawals=tries, not_before=now + wait, trouble=trouble[:200])
        return
    _log.warning("batch given up", batch=batch.pk, plan=batch.run.plan_id, reason=trouble)
    left = sorted(still_open(warehouse, [member.touch for member in members]))
    key = f"{batch.pk}:{AT_LARGE}"
    write_receipts(warehouse, receipts_of(left, ReceiptState.UNKNOWN, at=now, key=key, batch=batch.pk))
    failpoint("expire.given_up")
    same.update(state=BatchState.CLOSED, closed_at=now, withdrawals=tries, trouble=AT_LARGE)

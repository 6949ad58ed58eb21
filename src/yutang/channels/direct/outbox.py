"""The outbox as the port of a mass send: a task is a mailing with its letters, written in one transaction of ours.

So its answer is never lost: whoever died between writing and hearing of it finds the task by `find_tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db import transaction

from yutang.channels.contracts import (
    CannotCarry,
    CreatedTask,
    Delivery,
    Link,
    MassSendLimits,
    MessageContent,
    Permit,
    PlatformTask,
    RecipientResult,
    SenderState,
    TaskNotReady,
)
from yutang.channels.direct.accounts import adapter_of, new_uid
from yutang.channels.direct.addresses import dead_among
from yutang.channels.direct.contracts import LetterState
from yutang.channels.direct.registry import kind_named
from yutang.channels.models import Letter, Mailing
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.errors import BadInput, NotFound
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import PersonId
from yutang.kernel.turns import my_turn
from yutang.organisation.contracts import ChannelAccountFacts
from yutang.organisation.queries import OWNER
from yutang.people.queries import all_identifiers_of, find_values

MOST = 10_000
BOUNCED = "bounced"
DELIVERY = {
    LetterState.QUEUED: Delivery.UNSENT,
    LetterState.SENDING: Delivery.UNSENT,
    LetterState.CANCELLED: Delivery.UNSENT,
    LetterState.SENT: Delivery.SENT,
    LetterState.DELIVERED: Delivery.SENT,
    LetterState.BOUNCED: Delivery.BOUNCED,
    LetterState.REFUSED: Delivery.REFUSED,
    LetterState.UNKNOWN: Delivery.UNKNOWN,
}
WITHDRAWN = "withdrawn:"
"""What the reason of a cancelled letter begins with whose recipient said stop after it was written."""


class _Link(msgspec.Struct, array_like=True):
    title: str
    url: str
    summary: str
    picture_url: str


class _Kept(msgspec.Struct):
    """A content as a mailing keeps it."""

    text: str
    links: list[_Link]
    purpose: str = ""
    topic: str | None = None


def packed(content: MessageContent) -> str:
    """A content as text; what its permit says of time and class stands in columns."""
    links = [_Link(one.title, one.url, one.summary, one.picture_url) for one in content.links]
    permit = content.permit or Permit("")
    return msgspec.json.encode(_Kept(content.text, links, permit.purpose, permit.topic)).decode()


def unpacked(mailing: Mailing) -> MessageContent:
    """The content of a mailing that was not emptied."""
    kept = msgspec.json.decode(mailing.content or '{"text":"","links":[]}', type=_Kept)
    links = tuple(Link(one.title, one.url, one.summary, one.picture_url) for one in kept.links)
    permit = Permit(kept.purpose, kept.topic, mailing.marketing, mailing.until)
    return MessageContent(kept.text, links, permit)


@dataclass(frozen=True, slots=True)
class Outbox:
    """The port of one account. The lane sends (`sending.work`); nobody taps."""

    account: ChannelAccountFacts

    @property
    def limits(self) -> MassSendLimits:
        """What one task may carry; what its text must look like the adapter says."""
        capabilities = kind_named(self.account.kind).capabilities
        size = capabilities.text * (4 if capabilities.characters else 1)
        return MassSendLimits(MOST, size, capabilities.links, reminders_per_day=0)

    def make_ready(self, content: MessageContent) -> None:
        """Nothing: letters carry what stands in them."""

    def create_task(self, sender: str, recipients: Sequence[str], content: MessageContent) -> CreatedTask:
        """Write the letters. `refused` are addresses at which nobody is reached any more. Raises CannotCarry."""
        if not recipients or len(recipients) > MOST or len(set(recipients)) != len(recipients):
            raise BadInput(
                f"收件人应有 1–{MOST} 位，且不重复。", f"There are 1–{MOST} recipients, and none of them twice."
            )
        if content.attached:
            zh, en = kind_named(self.account.kind).capabilities.zh, kind_named(self.account.kind).capabilities.en
            raise CannotCarry(
                f"「{zh}」带不了图片、小程序卡片、视频和文件。",
                f"{en} carries no pictures, mini programs, videos or files.",
            )
        adapter_of(self.account).size(content)
        kind, namespace = self._addressed_by()
        dead = dead_among(kind, namespace, recipients)
        persons = find_values(OWNER, kind, recipients)
        permit = content.permit
        with my_turn(), transaction.atomic():
            mailing = Mailing.objects.create(
                uid=new_uid(), channel=self.account.channel, corp=self.account.corp, sender=sender,
                content=packed(content), until=permit.until if permit else None,
                marketing=permit is None or permit.marketing, created_at=business_now(),
            )  # fmt: skip
            Letter.objects.bulk_create(
                [
                    Letter(mailing=mailing, uid=new_uid(), person=persons.get(one), recipient=one)
                    for one in recipients
                    if one not in dead
                ],
                batch_size=500,
            )
            failpoint("outbox.written")
        return CreatedTask(mailing.uid, dict.fromkeys(dead, BOUNCED))

    def find_tasks(self, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        """The mailings of this account in the span, by business time."""
        rows = Mailing.objects.filter(
            channel=self.account.channel, corp=self.account.corp, created_at__gte=since, created_at__lte=until
        ).order_by("created_at", "pk")
        return [
            PlatformTask(row.uid, row.created_at, content.text, (row.sender,), content.links)
            for row, content in ((row, unpacked(row)) for row in rows)
        ]

    def cancel_task(self, task_id: str) -> None:
        """Take back what is unsent; what a worker is just sending it goes on sending."""
        mailing = self._mailing(task_id)
        with my_turn(), transaction.atomic():
            Mailing.objects.filter(pk=mailing.pk).update(withdrawn=True)
            settle_unsent(mailing, "cancelled")

    def remind_task(self, task_id: str) -> None:
        """Nobody taps here, so nobody is nudged."""

    def read_task(self, task_id: str) -> Sequence[SenderState]:
        """The one sender; it has `tapped` once a letter is no longer waiting. Raises TaskNotReady while a letter of
        what was taken back is just being sent."""
        mailing = self._mailing(task_id)
        letters = Letter.objects.filter(mailing=mailing)
        over = mailing.withdrawn or (mailing.until is not None and mailing.until <= business_now())
        if over and letters.filter(state=LetterState.SENDING.value).exists():
            raise TaskNotReady(task_id)
        waiting = (LetterState.QUEUED.value, LetterState.SENDING.value)
        begun = over or letters.exclude(state__in=waiting).exists() or not letters.exists()
        first = letters.exclude(sent_at=None).order_by("sent_at").values_list("sent_at", flat=True).first()
        return [SenderState(mailing.sender, begun, first or (mailing.created_at if begun else None))]

    def read_results(self, task_id: str, sender: str) -> Sequence[RecipientResult]:
        """What became of the letters; of those that were emptied by whom they were for."""
        mailing = self._mailing(task_id)
        rows = list(Letter.objects.filter(mailing=mailing).order_by("pk"))
        emptied = [PersonId(row.person) for row in rows if row.recipient is None and row.person is not None]
        known: Mapping[PersonId, list[str]] = all_identifiers_of(emptied, *self._addressed_by()) if emptied else {}
        result = []
        for row in rows:
            found = [row.recipient] if row.recipient else known.get(PersonId(row.person or 0), [])
            result += [RecipientResult(one, mailing.sender, delivery_of(row), row.sent_at) for one in found]
        return result

    def _addressed_by(self) -> tuple[str, str]:
        capabilities = kind_named(self.account.kind).capabilities
        return capabilities.addressed_by or "", self.account.corp if capabilities.namespaced else ""

    def _mailing(self, task_id: str) -> Mailing:
        row = Mailing.objects.filter(uid=task_id, channel=self.account.channel, corp=self.account.corp).first()
        if row is None:
            raise NotFound(f"没有发送任务 {task_id[:40]}。", f"There is no mailing {task_id[:40]}.")
        return row


def delivery_of(row: Letter) -> Delivery:
    """What a letter's state means to whoever asked for it."""
    if row.state == LetterState.CANCELLED.value and row.reason.startswith(WITHDRAWN):
        return Delivery.WITHDRAWN
    return DELIVERY[LetterState(row.state)]


def settle_unsent(mailing: Mailing, reason: str) -> int:
    """End what waits of a mailing, in the caller's transaction; returns how many letters."""
    waiting = Letter.objects.filter(mailing=mailing, state=LetterState.QUEUED.value)
    return waiting.update(state=LetterState.CANCELLED.value, reason=reason, recipient=None, settled_at=wall_now())

"""The mass send of a brand that has no platform: a task is a list of ours, and its results what people wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from yutang.channels.capabilities import MANUAL
from yutang.channels.contracts import (
    Attached,
    AttachedKind,
    CreatedTask,
    Delivery,
    Link,
    MassSendLimits,
    MessageContent,
    PlatformTask,
    RecipientResult,
    RefusedByPlatform,
    SenderState,
)
from yutang.channels.manual.contracts import SETTLED, Result
from yutang.channels.manual.models import Line, WorkList
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound

OUT = 1
"""Why a list is not called back: a copy of it was taken along."""
_DELIVERED = {"": Delivery.UNSENT, Result.SENT.value: Delivery.SENT, Result.NOT_REACHED.value: Delivery.NOT_REACHED}


def task_of(number: int) -> str:
    """The name of a list as a task."""
    return f"list-{number}"


def number_of(task: str) -> int:
    """The list that a task is. Raises NotFound."""
    number = task.removeprefix("list-")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise NotFound("没有这份名单。", "There is no such list.")
    return int(number)


def attached_of(rows: Sequence[Mapping[str, str]]) -> tuple[Attached, ...]:
    """What stands beside the text of a list, as it is kept there."""
    return tuple(Attached(**{**row, "kind": AttachedKind(row["kind"])}) for row in rows)  # type: ignore[arg-type]


class ManualMassSend:
    """Lists for the staff of one corp, as a `MassSendPort`. Recipients are numbers of persons."""

    def __init__(self, corp: str = "") -> None:
        self._corp = corp

    @property
    def limits(self) -> MassSendLimits:
        """One list is no longer than somebody can work through."""
        return MassSendLimits(recipients=MANUAL.recipients, text_bytes=MANUAL.text, links=MANUAL.links)

    def make_ready(self, content: MessageContent) -> None:
        """Nothing: our own files lie here."""

    def create_task(self, sender: str, recipients: Sequence[str], content: MessageContent) -> CreatedTask:
        """Make the list, whole or not at all. Its answer is never lost: it lies in our own store."""
        permit = content.permit
        with transaction.atomic():
            made = WorkList.objects.create(
                corp=self._corp,
                userid=sender,
                text=content.text,
                links=[asdict(link) for link in content.links],
                attached=[asdict(one) for one in content.attached],
                purpose=permit.purpose if permit else "",
                topic=(permit.topic or "") if permit else "",
                created_at=business_now(),
                until=permit.until if permit else None,
            )
            persons = sorted({int(recipient) for recipient in recipients})
            Line.objects.bulk_create(
                [Line(list=made, number=number, person=person) for number, person in enumerate(persons, 1)],
                batch_size=1_000,
            )
        return CreatedTask(task_of(made.pk), {})

    def find_tasks(self, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        """The lists made in the span."""
        rows = WorkList.objects.filter(corp=self._corp, created_at__gte=since, created_at__lte=until)
        return [
            PlatformTask(
                task_of(row.pk), row.created_at, row.text, (row.userid,),
                tuple(Link(**link) for link in row.links), attached_of(row.attached),
            )
            for row in rows.order_by("created_at", "pk")
        ]  # fmt: skip

    def cancel_task(self, task_id: str) -> None:
        """Call the list back: nothing more is written on it. One that was taken along and not handed in stays out, as
        a task that the platform does not withdraw: nobody can say yet what was done."""
        with transaction.atomic():
            row = self._list(task_id, hold=True)
            if row.called_back_at is not None:
                return
            if row.taken_at is not None and row.handed_in_at is None:
                raise RefusedByPlatform(
                    "manual/cancel",
                    OUT,
                    "名单已导出带走，还没有交回，请让导购把做过的记下再交回",
                    "The list was taken along and is not handed in yet; have what was done written down and hand it in",
                )
            row.called_back_at = business_now()
            row.save(update_fields=["called_back_at"])

    def remind_task(self, task_id: str) -> None:
        """Say on the list that headquarters asks after it."""
        WorkList.objects.filter(pk=self._list(task_id).pk).update(reminded_at=business_now())

    def read_task(self, task_id: str) -> Sequence[SenderState]:
        """Whether anything was done, and when first."""
        row = self._list(task_id)
        told = self._told(row)
        first = min((line.at for line in told if line.at is not None), default=None)
        return [SenderState(row.userid, bool(told), first)]

    def read_results(self, task_id: str, sender: str) -> Sequence[RecipientResult]:
        """What is written down of each person, once it can no longer be taken back."""
        row = self._list(task_id)
        told = {line.pk for line in self._told(row)}
        return [
            RecipientResult(str(line.person), row.userid, _DELIVERED[line.result if line.pk in told else ""], line.at)
            for line in row.lines.order_by("number")
        ]

    def _list(self, task_id: str, *, hold: bool = False) -> WorkList:
        rows = WorkList.objects.select_for_update() if hold else WorkList.objects.all()
        row = rows.filter(pk=number_of(task_id), corp=self._corp).first()
        if row is None:
            raise NotFound("没有这份名单。", "There is no such list.")
        return row

    def _told(self, row: WorkList) -> list[Line]:
        """The lines of which something was said for good."""
        said = row.lines.exclude(result="")
        if row.called_back_at is None and row.handed_in_at is None:
            said = said.filter(noted_at__lte=business_now() - SETTLED)
        return list(said)

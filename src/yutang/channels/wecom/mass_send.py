"""WeCom's mass send (群发助手) behind the port. A task is confirmed by its member; the API itself sends nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from yutang.channels.contracts import (
    AnswerLost,
    CreatedTask,
    Delivery,
    MassSendLimits,
    MessageContent,
    PlatformTask,
    RecipientResult,
    RefusedByPlatform,
    SenderState,
    TaskNotReady,
    UnexpectedAnswer,
)
from yutang.channels.ports.sent import ListedSend, SendKind
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.attaching import WeComAttaching, check_parts, told
from yutang.channels.wecom.client import WeComClient, instant
from yutang.kernel.errors import BadInput

CREATE = "externalcontact/add_msg_template"
LIST = "externalcontact/get_groupmsg_list_v2"
CANCEL = "externalcontact/cancel_groupmsg_send"
REMIND = "externalcontact/remind_groupmsg_send"
TASK = "externalcontact/get_groupmsg_task"
RESULT = "externalcontact/get_groupmsg_send_result"

NOT_SENDABLE = "not_sendable"
LIST_SPAN = timedelta(days=28)  # “at most one month” (doc 93338), in the shortest month

T = TypeVar("T")

_SENT = {0: False, 2: True}
_DELIVERY = {0: Delivery.UNSENT, 1: Delivery.SENT, 2: Delivery.NOT_FRIEND, 3: Delivery.CAPPED}


class WeComMassSend:
    """`MassSendPort` on WeCom docs 92135, 93338, 97610 and 97611; recipients are `external_userid`s."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client
        self._attaching = WeComAttaching(client)

    @property
    def limits(self) -> MassSendLimits:
        return self._client.limits.mass_send

    def make_ready(self, content: MessageContent) -> None:
        """WeCom doc 90253: an id is good for three days, so it is made anew where that ends before the task does."""
        self._attaching.make_ready(content)

    def create_task(self, sender: str, recipients: Sequence[str], content: MessageContent) -> CreatedTask:
        """WeCom doc 92135. The platform names whom it leaves out, not why: every reason is `not_sendable`.

        A customer whom several members know is given to the one who chatted last, whatever `sender` says.
        """
        check(sender, recipients, content, self.limits)
        return self.ask({"chat_type": "single", "external_userid": list(recipients), "sender": sender}, content)

    def ask(self, whom: Mapping[str, object], content: MessageContent) -> CreatedTask:
        """`add_msg_template` itself, to customers or to groups. Not repeated on a lost answer."""
        body = {**whom, **self._attaching.said(content)}
        with self._attaching.known_to_the_platform(body, CREATE):
            answer = self._client.call(CREATE, body=body, repeatable=False)
        if not answer.get("msgid"):
            raise AnswerLost(CREATE, "no msgid")
        return CreatedTask(str(answer["msgid"]), dict.fromkeys(answer.get("fail_list") or [], NOT_SENDABLE))

    def find_tasks(self, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        """WeCom doc 93338: the corp's tasks without a `creator`, which only tasks made through the API lack.

        Costs one call per task found, to learn its senders.
        """
        return self.tasks_of("single", since, until)

    def tasks_of(self, chat_type: str, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        """As `find_tasks`, of tasks to customers (`single`) or to groups (`group`)."""
        if until < since:
            raise BadInput("查询时间段的结束早于开始。", "The span ends before it begins.")
        found: dict[str, Mapping[str, Any]] = {}
        for start, end in _spans(since, until):
            body = {"chat_type": chat_type, "start_time": start, "end_time": end, "filter_type": 0, "limit": 100}
            rows, _ = self._client.rows(LIST, body, "group_msg_list", lambda row: str(row["msgid"]))
            found.update({str(row["msgid"]): row for row in rows if not row.get("creator")})
        with ThreadPoolExecutor(self._client.limits.parallel) as pool:
            senders = list(pool.map(self._senders, found))
        tasks = [_platform_task(row, names) for row, names in zip(found.values(), senders, strict=True)]
        return sorted(tasks, key=lambda task: (task.created_at, task.task_id))

    def listed(self, kind: SendKind, since: datetime, until: datetime) -> Iterator[list[ListedSend]]:
        """WeCom doc 93338, page by page: every mass send made in the span, to customers (MASS) or to groups (GROUP),
        whoever made it. A page may come twice."""
        chat_type = "group" if kind is SendKind.GROUP else "single"
        for start, end in _spans(since, until):
            body = {"chat_type": chat_type, "start_time": start, "end_time": end, "filter_type": 2, "limit": 100}
            for page in self._client.pages(LIST, body):
                yield [_listed(row, kind) for row in page.get("group_msg_list") or []]

    def cancel_task(self, task_id: str) -> None:
        """WeCom doc 97611. 41093, the answer to a second cancelling, says that what was wanted is so."""
        try:
            with _about(task_id):
                self._client.call(CANCEL, body={"msgid": task_id})
        except RefusedByPlatform as refused:
            if refused.errcode != errcodes.CANCELLED:
                raise

    def remind_task(self, task_id: str) -> None:
        """WeCom doc 97610. Not repeated when the answer is lost: staff would be nudged twice, out of three a day."""
        with _about(task_id):
            self._client.call(REMIND, body={"msgid": task_id}, repeatable=False)

    def read_task(self, task_id: str) -> Sequence[SenderState]:
        """WeCom doc 93338, `get_groupmsg_task`."""
        rows = self.rows_of(task_id, TASK, {}, "task_list", "userid")
        return [
            SenderState(str(row["userid"]), _known(_SENT, row, TASK), instant(row.get("send_time"))) for row in rows
        ]

    def read_results(self, task_id: str, sender: str) -> Sequence[RecipientResult]:
        """WeCom doc 93338, `get_groupmsg_send_result`."""
        rows = self.rows_of(task_id, RESULT, {"userid": sender}, "send_list", "external_userid")
        return [
            RecipientResult(
                str(row["external_userid"]),
                str(row.get("userid") or sender),
                _known(_DELIVERY, row, RESULT),
                instant(row.get("send_time")),
            )
            for row in rows
        ]

    def rows_of(
        self, task_id: str, api: str, more: Mapping[str, str], listed: str, key: str
    ) -> Sequence[Mapping[str, Any]]:
        """All rows that the platform tells of a task."""
        body = {"msgid": task_id, **more, "limit": 1000}
        with _about(task_id):
            rows, _ = self._client.rows(api, body, listed, lambda row: str(row[key]))
        return rows

    def _senders(self, task_id: str) -> tuple[str, ...]:
        try:
            return tuple(state.sender for state in self.read_task(task_id))
        except TaskNotReady:
            return ()


def check(sender: str, recipients: Sequence[str], content: MessageContent, limits: MassSendLimits) -> None:
    """Refuse here what the platform would refuse, and what it would take for something else."""
    if not sender:
        raise BadInput("群发任务没有指定成员。", "The task names no sender.")
    if not recipients:  # the platform reads “nobody” as “all customers of this member”
        raise BadInput("群发任务没有收件人。", "The task has no recipients.")
    if len(recipients) > limits.recipients:
        raise BadInput(
            f"一个群发任务最多 {limits.recipients} 个收件人，现有 {len(recipients)} 个，请分批。",
            f"A task takes {limits.recipients} recipients at most and has {len(recipients)}; split it.",
        )
    if len(set(recipients)) != len(recipients):
        raise BadInput("群发任务里有重复的收件人。", "The task names a recipient twice.")
    if not content.text and not content.links and not content.attached:
        raise BadInput("群发内容是空的。", "The message is empty.")
    size = len(content.text.encode())
    if size > limits.text_bytes:
        raise BadInput(
            f"文案有 {size} 字节，平台上限是 {limits.text_bytes} 字节（一个汉字占 3 字节），请缩短。",
            f"The text is {size} bytes long and the platform takes {limits.text_bytes}; shorten it.",
        )
    check_parts(content, limits.links)


@contextmanager
def _about(task_id: str) -> Iterator[None]:
    """41063 of any call about a task means that the platform is still handing it out."""
    try:
        yield
    except RefusedByPlatform as refused:
        if refused.errcode == errcodes.BEING_HANDED_OUT:
            raise TaskNotReady(task_id) from refused
        raise


def _platform_task(row: Mapping[str, Any], senders: tuple[str, ...]) -> PlatformTask:
    created_at = instant(row.get("create_time"))
    if created_at is None:
        raise UnexpectedAnswer(LIST, "任务没有创建时间", "a task has no create_time")
    text = str((row.get("text") or {}).get("content", ""))
    return PlatformTask(str(row["msgid"]), created_at, text, senders, *told(row.get("attachments") or []))


def _listed(row: Mapping[str, Any], kind: SendKind) -> ListedSend:
    created_at = instant(row.get("create_time"))
    if created_at is None or not row.get("msgid"):
        raise UnexpectedAnswer(LIST, "有一行缺少编号或创建时间", "a row lacks its msgid or create_time")
    words = {name: row.get(name) for name in ("text", "attachments") if row.get(name)}
    return ListedSend(
        str(row["msgid"]),
        kind,
        str(row.get("creator") or ""),
        row.get("create_type") == 1,
        created_at,
        str((row.get("text") or {}).get("content", "")),
        json.dumps(words, ensure_ascii=False, sort_keys=True),
    )


def _known(states: Mapping[int, T], row: Mapping[str, Any], api: str) -> T:
    status = row.get("status")
    if not isinstance(status, int) or status not in states:
        raise UnexpectedAnswer(api, f"未知的状态 {status}", f"unknown status {status}")
    return states[status]


def _spans(since: datetime, until: datetime) -> Iterator[tuple[int, int]]:
    """The span in pieces that the platform takes, as Unix seconds, rounded outward."""
    start = since
    while True:
        end = min(start + LIST_SPAN, until)
        yield math.floor(start.timestamp()), math.ceil(end.timestamp())
        if end >= until:
            return
        start = end

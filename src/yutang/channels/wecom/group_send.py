"""WeCom's mass send to customer groups behind the port: an owner confirms it, for groups of their own alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from yutang.channels.contracts import CreatedTask, MassSendLimits, MessageContent, PlatformTask, SenderState
from yutang.channels.ports.groups import GroupResult
from yutang.channels.wecom.client import WeComClient, instant
from yutang.channels.wecom.mass_send import RESULT, WeComMassSend, check

GROUPS_A_TASK = 2_000


class WeComGroupSend:
    """`GroupSendPort` on WeCom docs 92135, 93338, 97610 and 97611; recipients are chat ids.

    The groups are fixed by what was asked only on a member's client from 4.1.10 on; on older ones the owner chooses by
    hand (doc 92135), so only the results say where it went.
    """

    def __init__(self, client: WeComClient) -> None:
        self._client = client
        self._tasks = WeComMassSend(client)

    @property
    def limits(self) -> MassSendLimits:
        return replace(self._client.limits.mass_send, recipients=GROUPS_A_TASK)

    def make_ready(self, content: MessageContent) -> None:
        """As of a task to customers."""
        self._tasks.make_ready(content)

    def create_task(self, owner: str, groups: Sequence[str], content: MessageContent) -> CreatedTask:
        """WeCom doc 92135. Left out are groups of others, unknown ones, and those that have had their share."""
        check(owner, groups, content, self.limits)
        return self._tasks.ask({"chat_type": "group", "chat_id_list": list(groups), "sender": owner}, content)

    def find_tasks(self, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        """WeCom doc 93338."""
        return self._tasks.tasks_of("group", since, until)

    def cancel_task(self, task_id: str) -> None:
        """WeCom doc 97611."""
        self._tasks.cancel_task(task_id)

    def remind_task(self, task_id: str) -> None:
        """WeCom doc 97610. Not repeated when the answer is lost."""
        self._tasks.remind_task(task_id)

    def read_task(self, task_id: str) -> Sequence[SenderState]:
        """WeCom doc 93338, `get_groupmsg_task`."""
        return self._tasks.read_task(task_id)

    def read_results(self, task_id: str, owner: str) -> Sequence[GroupResult]:
        """WeCom doc 93338, `get_groupmsg_send_result`: of groups only those that it was sent to."""
        rows = self._tasks.rows_of(task_id, RESULT, {"userid": owner}, "send_list", "chat_id")
        return [
            GroupResult(str(row["chat_id"]), str(row.get("userid") or owner), instant(row.get("send_time")))
            for row in rows
            if row.get("status") == 1
        ]

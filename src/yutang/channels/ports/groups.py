"""Customer groups at a platform: who is in them, what is sent to them, and the codes that lead in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from yutang.channels.contracts import (
    CreatedTask,
    MassSendLimits,
    MessageContent,
    PlatformTask,
    SenderState,
)


@dataclass(frozen=True, slots=True)
class GroupResult:
    """A group into which a message was sent, by whom and when."""

    group: str
    sender: str
    sent_at: datetime | None


class GroupSendPort(Protocol):
    """As `MassSendPort`, but what is sent goes into groups: asked of the one account that owns them all.

    The limits are its own: `limits.recipients` is how many groups a task takes. May raise as `MassSendPort` does.
    """

    @property
    def limits(self) -> MassSendLimits: ...

    def make_ready(self, content: MessageContent) -> None:
        """As `MassSendPort.make_ready`."""
        ...

    def create_task(self, owner: str, groups: Sequence[str], content: MessageContent) -> CreatedTask:
        """Ask `owner` to send. Not idempotent: on `AnswerLost` look with `find_tasks` before ever asking again."""
        ...

    def find_tasks(self, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        """The tasks to groups that software created in the span (both ends included), oldest first."""
        ...

    def cancel_task(self, task_id: str) -> None:
        """Stop what is unsent. Cancelling again is no error. May raise `TaskNotReady`."""
        ...

    def remind_task(self, task_id: str) -> None:
        """Nudge the owner who has not tapped; at most `limits.reminders_per_day` a day and task."""
        ...

    def read_task(self, task_id: str) -> Sequence[SenderState]:
        """Whether the owner has tapped. `TaskNotReady` while the task is being handed out."""
        ...

    def read_results(self, task_id: str, owner: str) -> Sequence[GroupResult]:
        """The groups that got it. Of the others the platform says nothing: the owner may have left some out."""
        ...


class GroupState(StrEnum):
    """How a group stands with its owner."""

    FOLLOWED = "followed"
    OWNER_LEFT = "owner_left"
    HANDING_OVER = "handing_over"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, slots=True)
class GroupMember:
    """Somebody in a group: one of the corp (`ours`), or an outsider by external id.

    `scene` is 1 for invited, 2 for by a link, 3 for by a code; other numbers may come. `inviter` is known only where
    one of the corp invited, `state` only of those who came by a join way. Of an outsider who is nobody's friend there
    may be no name.
    """

    id: str
    ours: bool
    joined_at: datetime
    scene: int
    inviter: str
    state: str
    unionid: str | None = None
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GroupChat:
    """A group with all who are in it. `version` changes with the membership, and is empty where none is told."""

    id: str
    name: str = field(repr=False)
    owner: str
    created_at: datetime
    notice: str = field(repr=False)
    admins: tuple[str, ...]
    version: str
    members: tuple[GroupMember, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class JoinWaySpec:
    """A join way as the platform is to have it: up to five groups, filled one after another.

    With `room_name` a new group of that name and a number (from `room_number` on) follows once all are full. `state`
    (≤ 30 characters) comes back with everyone who joins by it.
    """

    state: str
    remark: str
    groups: tuple[str, ...]
    room_name: str = ""
    room_number: int = 1


@dataclass(frozen=True, slots=True)
class PlatformJoinWay:
    """A join way as the platform has it. Groups that it created by itself stand in `groups` too."""

    config_id: str
    qr_code: str
    state: str
    groups: tuple[str, ...]


class JoinWayPort(Protocol):
    """A platform on which software makes QR codes that lead into groups. May raise as `MassSendPort` does."""

    def create_join_way(self, spec: JoinWaySpec) -> str:
        """Returns its config id. Not idempotent, and nothing lists join ways: on `AnswerLost` one may exist that
        nobody will ever see the code of, so asking again is right and costs one of the corp's 500,000."""
        ...

    def read_join_way(self, config_id: str) -> PlatformJoinWay | None:
        """None where the platform has it no more."""
        ...

    def update_join_way(self, config_id: str, spec: JoinWaySpec) -> None:
        """Make it so, groups created by itself included; again is no error."""
        ...

    def delete_join_way(self, config_id: str) -> None:
        """Its QR stops working at once. Deleting again is no error."""
        ...

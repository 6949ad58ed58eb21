"""What other rooms see of customer service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from yutang.channels.ports.service import ServicePort

ServicePorts = Mapping[tuple[str, str], ServicePort]
"""The corps whose customer service can be reached, by channel and corp."""

KF = "kf"
"""How this channel is called in events, consents and hints."""


class AnswerState(StrEnum):
    """What became of a message of ours. UNKNOWN: the answer was lost; it is sent again under the same id.

    SENT says that the platform took it; FAILED may follow, told by the platform afterwards. REFUSED: never taken.
    """

    DUE = "due"
    DOING = "doing"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SaidInService:
    """One message of a conversation. `ours`: the house sent it; else `origin` says who spoke. `text` is personal.

    `state` and `reason` are of ours only.
    """

    message_id: str
    account: str
    at: datetime
    origin: str
    ours: bool
    servicer: str
    kind: str
    text: str = field(repr=False)
    state: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAccountFacts:
    """An account as headquarters sees it: how far it was read, what waits, and what is wrong."""

    corp: str
    id: str
    name: str
    messages: int
    waiting: int
    failed: int
    read_at: datetime | None
    trouble: str


WINDOW = timedelta(hours=48)
ANSWERS = 5
"""Since the customer's last word the house may answer so long, and with so many messages (WeCom doc 94677)."""


@dataclass(frozen=True, slots=True)
class ConversationFacts:
    """A conversation as the desk shows it; see the model. `sent`: messages of ours since the customer last wrote.

    `hand`: 0 untreated, 1 with software, 2 waiting for staff, 3 with `servicer`, 4 ended.
    """

    id: int
    account: str
    account_name: str
    opened_at: datetime
    asked_at: datetime
    waiting_since: datetime | None
    first_answer_at: datetime | None
    answered_by: str
    assigned: str
    holder: str
    held_until: datetime | None
    hand: int
    servicer: str
    wish: int | None
    trouble: str
    closed_at: datetime | None
    closed_by: str
    solved: bool | None
    rating: int | None
    sent: int

    @property
    def closes_at(self) -> datetime:
        """Until when the platform takes answers."""
        return self.asked_at + WINDOW

    @property
    def left(self) -> int:
        """How many messages it still takes."""
        return max(ANSWERS - self.sent, 0)

    @property
    def with_staff(self) -> bool:
        """Whether staff have it at the platform, so that the desk cannot write."""
        return self.hand in (2, 3)

    @property
    def response(self) -> timedelta | None:
        """How long the customer waited for the first answer."""
        return None if self.first_answer_at is None else self.first_answer_at - self.opened_at

    @property
    def resolution(self) -> timedelta | None:
        """How long it took from the first word until it was closed."""
        return None if self.closed_at is None else self.closed_at - self.opened_at

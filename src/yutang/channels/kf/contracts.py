"""What other rooms see of customer service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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

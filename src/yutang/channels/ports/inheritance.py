"""Acquisition links, and customers who are handed over from one member to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from yutang.channels.contracts import ContactWayPort, RefusedByPlatform

ACQUISITION = "acquisition"
"""How acquisition links are called among the channels of contact ways."""


@dataclass(frozen=True, slots=True)
class AcquisitionQuota:
    """How many new friends may still come by acquisition links. `expiring`: how many of them until which day begins."""

    total: int
    balance: int
    expiring: tuple[tuple[datetime, int], ...]


@dataclass(frozen=True, slots=True)
class CameByLink:
    """Somebody who came by an acquisition link. `wrote` None: not known."""

    external_userid: str
    member: str
    state: str
    wrote: bool | None


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """How many opened a link and how many came by it, as the platform counts."""

    opened: int
    came: int


@runtime_checkable
class AcquisitionPort(ContactWayPort, Protocol):
    """A platform where links lead to staff, each new friend using up one of a quota that was bought."""

    def quota(self) -> AcquisitionQuota:
        """What is left of it."""
        ...

    def came_by(self, link_id: str) -> Sequence[CameByLink]:
        """Whoever came by a link."""
        ...


class TransferStatus(StrEnum):
    """How a transfer stands. FULL: the taker has as many customers as allowed; NONE: the platform knows of none."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    FULL = "full"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How it stands with one customer; `at`: when it was done, or will be of itself."""

    status: TransferStatus
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Unassigned:
    """A customer of a member who left, whom nobody has taken over."""

    handover: str
    external_userid: str
    left_at: datetime | None


class TransferPort(Protocol):
    """A platform on which a member's customers and groups can be given to another. May raise as `MassSendPort` does."""

    def unassigned(self) -> Sequence[Unassigned]:
        """The customers of members who left that wait for somebody."""
        ...

    def transfer(
        self, handover: str, takeover: str, customers: Sequence[str], *, resigned: bool, message: str = ""
    ) -> Mapping[str, int]:
        """Begin for at most a hundred; each one's code, 0 where it has begun. On `AnswerLost` read `results` first."""
        ...

    def results(self, handover: str, takeover: str, *, resigned: bool) -> Mapping[str, HandedOver]:
        """How it stands with every customer between these two."""
        ...

    def hand_over_groups(self, chats: Sequence[str], owner: str, *, on_job: bool) -> Mapping[str, RefusedByPlatform]:
        """Give at most a hundred groups a new owner; those that got none, each with why. On `AnswerLost` ask
        `owners_of` first. `on_job`: their owner is still with the corp."""
        ...

    def owners_of(self, chats: Sequence[str]) -> Mapping[str, str | None]:
        """Who owns each group now; None for one that was dissolved, or cannot be seen."""
        ...

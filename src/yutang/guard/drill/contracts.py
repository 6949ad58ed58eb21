"""What a drill tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from yutang.kernel.ids import NodeId, PersonId, SenderId, StaffId

SAME_CORP, OTHER_CORP = "same_corp", "other_corp"
"""Other ways by friendship: another account of the same corp, or one of another corp. All others are called by their
channel: sms, email, oa, miniprogram, webhook, manual."""


class UnitLevel(StrEnum):
    """What is imagined to be gone: one account, all of a corp at WeCom, or a whole channel."""

    ACCOUNT = "account"
    CORP = "corp"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing that may be gone. `of` is how addresses and commands call it: the account's number, the corp's id, the
    channel's name. `sender` and what follows it are told of accounts alone; `name` is personal: show it, never keep
    it."""

    level: UnitLevel
    of: str
    channel: str
    corp: str = ""
    accounts: frozenset[SenderId] = frozenset()
    sender: SenderId | None = None
    userid: str = ""
    name: str = ""
    store: NodeId | None = None
    staff: StaffId | None = None


@dataclass(frozen=True, slots=True)
class Risk:
    """How many persons a unit reaches, and how many of them nothing else does."""

    unit: Unit
    reached: int
    lost: int

    @property
    def still(self) -> int:
        """Who is reached by another way too."""
        return self.reached - self.lost


@dataclass(frozen=True, slots=True)
class Spared:
    """Of the persons of one store (None: of no store; or of all stores): how many the unit reaches, how many are lost,
    and how many are still reached by each other way; who has several ways is counted at each."""

    store: NodeId | None
    reached: int = 0
    lost: int = 0
    by_way: Mapping[str, int] = field(default_factory=dict)

    @property
    def still(self) -> int:
        """Who is reached by another way too."""
        return self.reached - self.lost

    @property
    def share(self) -> float | None:
        """Still reached, of all whom the unit reaches."""
        return self.still / self.reached if self.reached else None


@dataclass(frozen=True, slots=True)
class Drill:
    """One unit gone, as of an instant: in all, and by the persons' home store, the most lost first.

    `could`: of those lost, how many have an address and consented on a channel that nothing is connected to.
    """

    unit: Unit
    whole: Spared
    stores: tuple[Spared, ...]
    could: Mapping[str, int]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class LostPerson:
    """Somebody whom nothing else reaches, with what they are worth."""

    person: PersonId
    store: NodeId | None
    synthetic: bool
    orders_ever: int
    spend_365d: float


@dataclass(frozen=True, slots=True)
class Invitation:
    """What one click made: of how many persons a segment was made, and the draft that speaks to them."""

    segment: str
    draft: str
    persons: int

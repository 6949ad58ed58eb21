"""What other rooms see of the radar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Source(StrEnum):
    """Where a wall's number comes from: the platform said it by its API, we counted, or somebody wrote it down."""

    READ = "read"
    COUNTED = "counted"
    ENTERED = "entered"


class State(StrEnum):
    """HIT: nothing is left. WARNED: it may run out within WARN_DAYS. UNTOLD: too little history to say. FINE."""

    HIT = "hit"
    WARNED = "warned"
    UNTOLD = "untold"
    FINE = "fine"


WARN_DAYS = 45
"""A wall is warned of as soon as it may be hit within so many days (one case in ten): then a month is left to act even
where growth quickens."""
CALM_DAYS = 60
CALM_FOR = 14
"""A warning ends once the wall has been CALM_DAYS away for CALM_FOR days in a row, so that it does not flicker."""
NEARLY = Decimal("0.9")
"""The share from which a wall is warned of whatever the pace."""


@dataclass(frozen=True, slots=True)
class Wall:
    """A kind of wall. `unit` counts what is used; `then` says what happens at the wall; `clean` names a clean-up list.
    `moving`: what is used is that of the last 30 days, and goes down again by itself.

    All but `name` and `clean` in Chinese and in English.
    """

    name: str
    source: Source
    title: tuple[str, str]
    unit: tuple[str, str]
    then: tuple[str, str]
    clean: str = ""
    moving: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a wall stands at a moment, for one corp and, where there are several, one thing (`subject`).

    `counted`: a number that only use moves, by which the pace is told (None: `used` is such). `expiring`: what of the
    rest ends on which day. `more`: what the next look needs.
    """

    wall: str
    corp: str
    used: Decimal
    most: Decimal
    subject: str = ""
    title: str = ""
    counted: Decimal | None = None
    expiring: tuple[tuple[datetime, Decimal], ...] = ()
    price: Decimal | None = None
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def left(self) -> Decimal:
        """What is left."""
        return max(self.most - self.used, Decimal(0))


@dataclass(frozen=True, slots=True)
class WallFacts:
    """A wall as it was seen on a day: what is used and left, how long that lasts, what more costs.

    `low`, `middle`, `high`: days until it is hit, in one of ten cases earlier than `low`, in one later than `high`;
    None: not within a year. They are known exactly where `ends_on` says so. `price` is in the brand's currency, of the
    next step beyond; None: only the platform says it. `since`: the day since which it is warned of.
    """

    wall: Wall
    corp: str
    subject: str
    title: str
    day: date
    used: Decimal
    most: Decimal
    pace: float
    low: float | None
    middle: float | None
    high: float | None
    state: State
    since: date | None
    ends_on: date | None
    price: Decimal | None

    @property
    def left(self) -> Decimal:
        """What is left."""
        return max(self.most - self.used, Decimal(0))

    @property
    def share(self) -> float:
        """How much of it is used."""
        return float(self.used / self.most) if self.most else 1.0

    @property
    def urgent(self) -> bool:
        """Whether somebody must act."""
        return self.state in (State.HIT, State.WARNED)


class EntryKind(StrEnum):
    """What no API tells. CONTACTS: a bought size of contacts, until a day. BALANCE: what a provider's account holds.
    LICENCE: something that ends on a day. OTHER: any amount of a limit."""

    CONTACTS = "contacts"
    BALANCE = "balance"
    LICENCE = "licence"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """Something that was written down. `most` and `used` as its kind needs them; `price` of renewing."""

    id: int
    kind: EntryKind
    corp: str
    title: str
    most: Decimal
    used: Decimal
    ends_on: date | None
    price: Decimal | None
    note: str
    by: str
    at: datetime

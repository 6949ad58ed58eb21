"""What is said of addresses to which events are posted, and of what was posted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

PARCEL_EVENTS = 100
MOST_WAITING = 2_000
"""Parcels of one address that wait; with so many no more are cut, and its cursor over the log stands."""
MOST_TRIES = 12
KEPT = timedelta(days=30)
OLDEST = timedelta(days=3)
OFF_AFTER = timedelta(days=3)
"""A parcel that is older is dead, and an address that took nothing for so long is switched off."""
FIRST_WAIT, LONGEST_WAIT, LONGEST_ASKED = 5.0, 6 * 3600.0, 24 * 3600.0
TIMEOUT = 10.0
ALLOW_PRIVATE = "YUTANG_WEBHOOKS_PRIVATE"


class ParcelState(StrEnum):
    """DUE → DOING → SENT, or DUE again, and at last DEAD."""

    DUE = "due"
    DOING = "doing"
    SENT = "sent"
    DEAD = "dead"


class Off(StrEnum):
    """Why an address is switched off."""

    BY_HAND = "by_hand"
    FAILING = "failing"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """An address to which events are posted. `private`: it may have what is personal. `waiting` and `dead` parcels."""

    id: int
    name: str
    url: str
    types: tuple[str, ...]
    private: bool
    off: Off | None
    made_at: datetime
    last_ok_at: datetime | None
    failing_since: datetime | None
    waiting: int
    dead: int


@dataclass(frozen=True, slots=True)
class ParcelFacts:
    """Events that are posted together, without what is in them."""

    id: int
    uid: str
    endpoint: str
    events: int
    state: ParcelState
    tries: int
    status: int | None
    reason: str
    made_at: datetime
    not_before: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Posted:
    """What an address answered. `status` None: it could not be reached, and `reason` says why. `wait`: the seconds that
    it asked for before another try."""

    status: int | None
    reason: str = ""
    wait: float | None = None

    @property
    def taken(self) -> bool:
        """Whether it was taken."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Fresh:
    """An address with its secret, which is shown this once."""

    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Worked:
    """What a look at what waits did."""

    cut: int = 0
    sent: int = 0
    failed: int = 0

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.cut or self.sent or self.failed)

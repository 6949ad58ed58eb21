"""What other rooms see of contact ways."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from yutang.channels.acquisition.contracts import LOW, QuotaFacts
from yutang.connect.documents import ContactWay
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts
from yutang.people.contracts import CODE_FULL, GroupFacts

FEWEST = 30
"""Fewer persons than this tell nothing of a rate or a mean."""


PLATFORMS = ("wecom", "acquisition")
"""The channels whose ways stand at the platform, made and kept there by software."""


class CodeState(StrEnum):
    """WANTED → CALLING → LIVE. An answer that is lost makes UNKNOWN until the platform's list has been read. CLOSED: it
    was taken away because the way is closed; GONE: somebody deleted it at the platform."""

    WANTED = "wanted"
    CALLING = "calling"
    LIVE = "live"
    UNKNOWN = "unknown"
    CLOSED = "closed"
    GONE = "gone"


class GroupWayState(StrEnum):
    """WANTED → CALLING → LIVE; ENDING → ENDED once somebody ended it; GONE: the platform has it no more."""

    WANTED = "wanted"
    CALLING = "calling"
    LIVE = "live"
    ENDING = "ending"
    ENDED = "ended"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class GroupWayFacts:
    """A code that leads into groups, one after another. `groups` are the platform's, once it has told them.

    `room_name` empty: none is created when all are full. `created` of `groups` were created by themselves. `current`:
    the one into which people come now, None where all are full or nothing is known of them.
    """

    id: int
    title: str
    corp: str
    node: NodeId | None
    token: str
    groups: tuple[GroupFacts, ...]
    unknown: int
    room_name: str
    room_number: int
    created: int
    state: GroupWayState
    qr_code: str
    read_at: datetime | None
    trouble: str
    came: int

    @property
    def current(self) -> GroupFacts | None:
        """The first group that is not full."""
        return next((one for one in self.groups if not one.full and one.ended_at is None), None)

    @property
    def places(self) -> int:
        """How many more can come by this code before a new group is needed."""
        return sum(max(0, CODE_FULL - one.size) for one in self.groups if one.ended_at is None)


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """A QR code at the platform: of a whole way (`store` None), or of one store of a way that leads to the nearest.

    `qr_code` is its picture's address; of an acquisition link, the address itself.
    """

    store: NodeId | None
    state: CodeState
    qr_code: str
    users: tuple[str, ...]
    full: bool
    trouble: str


@dataclass(frozen=True, slots=True)
class WayFacts:
    """A contact way as its pages show it. `slug` is its public address; `picture`: one was uploaded."""

    document: ContactWay
    version: int
    node: NodeFacts
    slug: str
    picture: bool
    author: str
    created_at: datetime
    codes: tuple[CodeFacts, ...]

    @property
    def name(self) -> str:
        """The document's name."""
        return self.document.name

    @property
    def ready(self) -> bool:
        """Whether somebody who opens its page is shown a code."""
        return any(code.qr_code for code in self.codes) or self.picture or self.document.link is not None

    @property
    def trouble(self) -> str:
        """Why a code is not there yet, empty where nothing is wrong."""
        return next((code.trouble for code in self.codes if code.trouble), "")


@dataclass(frozen=True, slots=True)
class QuotaOutlook:
    """How long a corp's quota of acquisition links lasts. `per_day`: new friends by such links a day, of the last DAYS.

    `days`: how many days are left at that rate, None where nobody comes; `lost`: what will have expired unused.
    """

    quota: QuotaFacts
    per_day: float
    days: float | None
    lost: int

    DAYS: ClassVar[int] = 14

    @property
    def low(self) -> bool:
        """Whether somebody should buy more now: few are left, or they last a week at the most."""
        return self.quota.balance < LOW or (self.days is not None and self.days <= 7)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class WayResult:
    """What a way cost and brought so far.

    `joined` are persons who became friends by it; `kept` of them still somebody's friend, which is its net gain, since
    who was handed to another guide is not lost; `firsts` bought for the
    first time ever after they joined; `spent` is the net amount of their orders since. Rates are None where fewer than
    FEWEST persons joined: it cannot be told yet. `payback`: what came in for each unit of currency that went out.
    """

    scans: int
    joined: int
    kept: int
    firsts: int
    spent: Decimal
    cost: Decimal
    cost_per_head: Decimal | None
    first_rate: Interval | None
    payback: Interval | None

    @property
    def lost(self) -> int:
        """Who of them is nobody's friend any more."""
        return self.joined - self.kept

    @property
    def net(self) -> int:
        """净增好友 of this way: by persons."""
        return self.joined - self.lost


class HandoverState(StrEnum):
    """WANTED → CALLING → WAITING (a day, unless the customer refuses) → DONE. A lost answer makes UNKNOWN.

    REFUSED by the customer; FULL: the taker had too many; IMPOSSIBLE: the platform would not begin (`reason` says why).
    Of a group, which changes hands at once: WANTED → CALLING → DONE, or IMPOSSIBLE.
    """

    WANTED = "wanted"
    CALLING = "calling"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    FULL = "full"
    IMPOSSIBLE = "impossible"

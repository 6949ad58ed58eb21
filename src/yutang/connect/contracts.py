"""What other rooms see of contact ways."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from yutang.connect.documents import ContactWay
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts

FEWEST = 30
"""Fewer persons than this tell nothing of a rate or a mean."""


class CodeState(StrEnum):
    """WANTED → CALLING → LIVE. An answer that is lost makes UNKNOWN until the platform's list has been read."""

    WANTED = "wanted"
    CALLING = "calling"
    LIVE = "live"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """A QR code at the platform: of a whole way (`store` None), or of one store of a way that leads to the nearest."""

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
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class WayResult:
    """What a way cost and brought so far.

    `joined` are persons who became friends by it; `kept` of them still somebody's friend; `firsts` bought for the
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

"""What others see of how plans are carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from yutang.kernel.ids import NodeId, StaffId
from yutang.kernel.shares import Estimate
from yutang.organisation.contracts import NodeKind

BINS = (0.0, 0.5, 0.8, 1.0)
"""Where shares of executed tasks are told apart: none, less than half, up to 80 %, less than all, all."""


class Reason(StrEnum):
    """Why a task was not carried out, as the guide or their manager says."""

    ON_LEAVE = "on_leave"
    WRONG_CUSTOMERS = "wrong_customers"
    TEXT_NOT_FITTING = "text_not_fitting"
    TOO_MANY = "too_many"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Counts:
    """Batches by how they stand, and the people of those that were issued (`people`; `reached` of them are settled).

    已下发 `issued` = 已执行 (`executed` in time + `late`) + 未执行 (`waiting` + `expired`). Beside them: `planned`,
    `doubtful`, `withdrawn`, `unissued`.
    """

    planned: int = 0
    doubtful: int = 0
    waiting: int = 0
    executed: int = 0
    late: int = 0
    expired: int = 0
    withdrawn: int = 0
    unissued: int = 0
    people: int = 0
    reached: int = 0

    @property
    def issued(self) -> int:
        """What guides were asked to do."""
        return self.waiting + self.executed + self.late + self.expired

    @property
    def tapped(self) -> int:
        """What they did, in time or late."""
        return self.executed + self.late

    @property
    def untapped(self) -> int:
        """What they did not do: it waits, or is over."""
        return self.waiting + self.expired

    @property
    def over(self) -> int:
        """What was done or can no longer be done."""
        return self.executed + self.late + self.expired

    @property
    def people_left(self) -> int:
        """Of how many people nothing was told."""
        return self.people - self.reached

    @property
    def rate(self) -> float | None:
        """执行率: executed within the deadline ÷ issued."""
        return self.executed / self.issued if self.issued else None

    @property
    def estimate(self) -> Estimate:
        """The rate of what is over, with its interval."""
        return Estimate(self.executed, self.over)

    @property
    def bin(self) -> int | None:
        """How well, from 0 (none) to 4 (all), as the heat map colours it."""
        return None if self.rate is None else bin_of(self.rate)


def bin_of(rate: float) -> int:
    """The bin of a share."""
    if rate <= 0:
        return 0
    return 1 + sum(rate >= edge for edge in BINS[1:])


@dataclass(frozen=True, slots=True)
class Spot:
    """A node of the tree on the way from the top to what is shown."""

    id: NodeId
    kind: NodeKind
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the board: a node with all below it, or a member of staff who belongs to the node that is shown.

    `stores` of a node above stores: how many of them fall into each bin of execution. `days`: the counts by the local
    day on which batches were due.
    """

    counts: Counts
    spot: Spot | None = None
    staff: StaffId | None = None
    name: str = ""
    stores: tuple[int, ...] = ()
    days: Mapping[date, Counts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Board:
    """What stands below a node (None: below all that the viewer sees). `total` is the sum of all rows, also of those
    that are not shown. `idle_stores`: those where at least `IDLE_TASKS` are over and none was executed."""

    at: Spot | None
    trail: tuple[Spot, ...]
    total: Counts
    rows: tuple[Row, ...]
    size: int
    days: tuple[date, ...] = ()
    idle_stores: tuple[Spot, ...] = ()

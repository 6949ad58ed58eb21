"""The brand's business clock, kept in the database so that every process tells the same time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from yutang.kernel.clock import monotonic, wall_now
from yutang.organisation.models import Brand

READ_AGAIN = 0.2  # wall seconds after which the kept clock is read again


@dataclass(frozen=True, slots=True)
class ClockState:
    """`at` is None where business time is wall time. `until` ends a fast-forward.

    `heading`: a step to that instant was begun and not finished, and a sandbox may be there already.
    """

    at: datetime | None
    rate: float
    until: datetime | None
    heading: datetime | None = None


def clock_state() -> ClockState:
    """The clock as it is kept."""
    row = Brand.objects.filter(pk=1).values_list("clock_at", "clock_rate", "clock_until", "clock_heading").first()
    return ClockState(*row) if row else ClockState(None, 1.0, None)


class BrandClock:
    """Reads the kept clock, and keeps what it read for a moment; who moved it must let it `forget`."""

    def __init__(self) -> None:
        self._state = ClockState(None, 1.0, None)
        self._read_at = float("-inf")

    def __call__(self) -> datetime:
        now = monotonic()
        if now - self._read_at > READ_AGAIN:
            self._state = clock_state()
            self._read_at = now
        return self._state.at or wall_now()

    def forget(self) -> None:
        """Read again at the next call."""
        self._read_at = float("-inf")


def head_for(to: datetime) -> None:
    """Keep that a stepped clock is on its way to an instant, before a sandbox is told of it."""
    Brand.objects.filter(pk=1, clock_at__lt=to).update(clock_heading=to)


def move_clock(to: datetime) -> None:
    """Move a stepped clock on; it never goes back."""
    Brand.objects.filter(pk=1, clock_at__lt=to).update(clock_at=to, clock_heading=None)


def fast_forward(span: timedelta, rate: float) -> None:
    """Let a stepped clock run at `rate` business seconds per wall second until `span` has passed."""
    row = Brand.objects.get(pk=1)
    if row.clock_at is not None:
        Brand.objects.filter(pk=1).update(clock_rate=rate, clock_until=row.clock_at + span)


def end_fast_forward() -> None:
    """Let a stepped clock keep pace with the wall again."""
    Brand.objects.filter(pk=1).update(clock_rate=1.0, clock_until=None)

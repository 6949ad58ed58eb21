"""The two clocks, and the only places where `now` is read.

The wall clock drives tokens, leases and log-in. The business clock drives rules, windows and plans. In a real pond
both show the same time. In the demo the business clock is *stepped*: it stands still until the clock loop moves it
on, at most to the next instant at which anything is due, so that fast-forwarding skips nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def wall_now() -> datetime:
    """The wall clock, aware, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds since an arbitrary start; for durations only."""
    return time.monotonic()


_business: Clock = wall_now


def business_now() -> datetime:
    """The business clock, aware, UTC."""
    return _business()


def install_business_clock(clock: Clock) -> None:
    """Set the process's business clock. Called once, by `app`, at start."""
    global _business
    _business = clock


@contextmanager
def business_clock(clock: Clock | datetime) -> Iterator[None]:
    """Run with another business clock, or with time standing still at an instant."""
    global _business
    before = _business
    _business = (lambda: clock) if isinstance(clock, datetime) else clock
    try:
        yield
    finally:
        _business = before

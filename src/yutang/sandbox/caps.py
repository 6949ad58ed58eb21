"""How many mass messages one customer can receive in a natural month, week or day (WeCom doc 92135)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from yutang.kernel.calendars import day_start, days_in_month, local_day
from yutang.sandbox.store import Settings


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` messages received since `since` (unix seconds)."""

    since: int
    most: int


def cap_at(settings: Settings, at: int) -> Cap:
    """The cap that binds at an instant. Weeks start on Monday (unverified)."""
    day = local_day(datetime.fromtimestamp(at, UTC), settings.zone)
    if settings.cap == "monthly":
        first, most = day.replace(day=1), days_in_month(day)
    elif settings.cap == "weekly":
        first, most = day - timedelta(days=day.weekday()), 7
    else:
        first, most = day, 1
    return Cap(int(day_start(first, settings.zone).timestamp()), most)

"""When a member taps: drawn from (seed, member, msgid), so that the same world always taps the same.

Of the tasks that a member takes late, `LATE_SAME_DAY` are tapped two to ten hours after they were asked (what would
fall after 21:00 waits for the next morning, 08:00–10:00), so within a task's usual 24 hours. The others are tapped one
to three days later, between 10:00 and 18:00 local time, most of them after such a deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from math import log1p

from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.ids import draw, salt

LATE_SAME_DAY = 0.5
_HOUR = 3600


def choose_habit(weights: Mapping[str, float], seed: int, userid: str, msgid: str) -> str:
    """The habit that this member follows for this task."""
    left = draw(0, salt(seed, "habit", userid, msgid)) * sum(weights.values())
    for name in sorted(weights):
        left -= weights[name]
        if left < 0:
            return name
    return max(sorted(weights), key=lambda name: weights[name])


def choose_tap(habit: str, seed: int, userid: str, msgid: str, asked_at: int, zone: str) -> int | None:
    """When the member taps (unix seconds, after `asked_at`), or None for never.

    at_once: within 1–15 minutes; late: hours or days later, as told above; night: at the next 22:30–23:55, local time.
    """
    u = draw(1, salt(seed, "tap", userid, msgid))
    day = local_day(datetime.fromtimestamp(asked_at, UTC), zone)
    if habit == "at_once":
        return asked_at + 60 + int(u * 14 * 60)
    if habit == "late":
        when = draw(2, salt(seed, "tap", userid, msgid))
        if when < LATE_SAME_DAY:
            return _hours_later(asked_at, u, day, zone)
        days = 1 + int((when - LATE_SAME_DAY) / (1 - LATE_SAME_DAY) * 3)
        return _at(day + timedelta(days=days), zone, 10 * _HOUR + int(u * 8 * _HOUR))
    if habit == "night":
        seconds = 22 * _HOUR + 1800 + int(u * 85 * 60)
        tonight = _at(day, zone, seconds)
        return tonight if tonight > asked_at else _at(day + timedelta(days=1), zone, seconds)
    return None


def _hours_later(asked_at: int, u: float, day: date, zone: str) -> int:
    """Two to ten hours later, or early the next morning where that would be too late in the evening."""
    later = asked_at + int((2 + u * 8) * _HOUR)
    if later <= _at(day, zone, 21 * _HOUR):
        return max(later, _at(day, zone, 8 * _HOUR))
    return _at(day + timedelta(days=1), zone, 8 * _HOUR + int(u * 2 * _HOUR))


def reminded_tap(seed: int, userid: str, msgid: str, at: int) -> int:
    """When a member who is merely late taps after a reminder: within the hour."""
    return at + 300 + int(draw(3, salt(seed, "remind", userid, msgid)) * 55 * 60)


def offgate_sends(rate: float, seed: int, userid: str, day: date, zone: str) -> list[int]:
    """When the member sends on their own that local day."""
    return moments(rate, zone, day, seed, "offgate", userid)


def moments(rate: float, zone: str, day: date, *key: str | int) -> list[int]:
    """A Poisson number (mean `rate`) of instants between 09:00 and 21:00 of a local day, drawn by `key` and the day."""
    times: list[int] = []
    reached = 0.0
    own = salt(*key, day.isoformat())
    while True:
        # Exponential gaps over one day of `rate`; drawn one by one, since there are very few.
        reached += _exponential(draw(len(times), own))
        if rate <= 0 or reached > rate:
            return times
        times.append(_at(day, zone, 9 * _HOUR + int(reached / rate * 12 * _HOUR)))


def _exponential(u: float) -> float:
    return -log1p(-u)


def _at(day: date, zone: str, seconds: int) -> int:
    return int(day_start(day, zone).timestamp()) + seconds

"""When a member taps: drawn from (seed, member, msgid), so that the same world always taps the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from math import log1p

from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.ids import draw, salt

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

    at_once: within 1–15 minutes; late: one to three days later, between 10:00 and 18:00; night: at the next
    22:30–23:55, local time.
    """
    u = draw(1, salt(seed, "tap", userid, msgid))
    day = local_day(datetime.fromtimestamp(asked_at, UTC), zone)
    if habit == "at_once":
        return asked_at + 60 + int(u * 14 * 60)
    if habit == "late":
        days = 1 + int(draw(2, salt(seed, "tap", userid, msgid)) * 3)
        return _at(day + timedelta(days=days), zone, 10 * _HOUR + int(u * 8 * _HOUR))
    if habit == "night":
        seconds = 22 * _HOUR + 1800 + int(u * 85 * 60)
        tonight = _at(day, zone, seconds)
        return tonight if tonight > asked_at else _at(day + timedelta(days=1), zone, seconds)
    return None


def reminded_tap(seed: int, userid: str, msgid: str, at: int) -> int:
    """When a member who is merely late taps after a reminder: within the hour."""
    return at + 300 + int(draw(3, salt(seed, "remind", userid, msgid)) * 55 * 60)


def offgate_sends(rate: float, seed: int, userid: str, day: date, zone: str) -> list[int]:
    """When the member sends on their own that local day: a Poisson number of sends between 09:00 and 21:00."""
    times: list[int] = []
    reached = 0.0
    while True:
        # Exponential gaps over one day of `rate`; drawn one by one, since a member makes very few.
        reached += _exponential(draw(len(times), salt(seed, "offgate", userid, day.isoformat())))
        if rate <= 0 or reached > rate:
            return times
        times.append(_at(day, zone, 9 * _HOUR + int(reached / rate * 12 * _HOUR)))


def _exponential(u: float) -> float:
    return -log1p(-u)


def _at(day: date, zone: str, seconds: int) -> int:
    return int(day_start(day, zone).timestamp()) + seconds

"""To whom somebody new is led. Pure: no clock, no store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from typing import TypeVar

from yutang.connect.documents import Duty

EARTH_KM = 6371.0088  # mean radius (IUGG)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Led:
    """Whom a way leads to now. `full`: everyone on duty has had the day's share, so that others stand in."""

    users: tuple[str, ...]
    full: bool


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance of two places in degrees (haversine; Sinnott 1984)."""
    (lat1, lon1), (lat2, lon2) = ((radians(a), radians(b)) for a, b in (one, other))
    h = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(1.0, max(0.0, h))))


def nearest(place: tuple[float, float], spots: Iterable[tuple[T, tuple[float, float] | None]]) -> T | None:
    """What stands nearest; of two at one distance the first. None where no place is known."""
    placed = [(distance_km(place, spot), index, thing) for index, (thing, spot) in enumerate(spots) if spot is not None]
    return min(placed, key=lambda one: one[:2])[2] if placed else None


def on_duty(duty: Duty, local: datetime) -> tuple[str, ...]:
    """Who is on duty at a local time: the named staff, or those whose shift it is, each once."""
    if not duty.shifts:
        return tuple(dict.fromkeys(duty.staff))
    at = local.time().replace(tzinfo=None)
    now = [s for s in duty.shifts if local.isoweekday() in s.days and s.opens <= at < s.closes]
    return tuple(dict.fromkeys(one for shift in now for one in shift.staff))


def led(duty: Duty, home: Sequence[str], local: datetime, taken: Mapping[str, int]) -> Led:
    """Whom a way leads to: those on duty who are not full, else the overflow, else whoever there is.

    `home` stands in for staff that the way does not name (a store's own). `taken`: whom each was given on that local
    day already. A way never leads to nobody while it names anybody: a person at the door is worth more than a limit.
    """
    duty_now = on_duty(duty, local) or (() if duty.staff or duty.shifts else tuple(dict.fromkeys(home)))
    limit = duty.daily_limit
    free = tuple(one for one in duty_now if limit is None or taken.get(one, 0) < limit)
    if free:
        return Led(free, False)
    return Led(duty.overflow or duty_now or duty.everyone() or tuple(dict.fromkeys(home)), bool(duty_now))


def next_in_turn(led_to: Led, taken: Mapping[str, int]) -> str | None:
    """Of those, who was given fewest on that day; of equals the first named."""
    return min(led_to.users, key=lambda one: (taken.get(one, 0), led_to.users.index(one)), default=None)

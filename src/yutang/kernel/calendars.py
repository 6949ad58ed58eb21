"""Zones and public holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from yutang.kernel.errors import BadInput


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name. Raises BadInput when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(
            f"没有「{name}」这个时区，应类似 Asia/Shanghai。",
            f"There is no zone “{name}”; write one such as Asia/Shanghai.",
        ) from None


def aware(at: datetime) -> datetime:
    """An instant as the house says it: what has no zone is the warehouse's, and is UTC."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def naive(at: datetime) -> datetime:
    """An aware instant as the warehouse keeps it: UTC, without its zone."""
    return at.astimezone(UTC).replace(tzinfo=None)


def local_day(at: datetime, zone_name: str) -> date:
    """The calendar day of an aware instant in a zone."""
    return at.astimezone(zone(zone_name)).date()


def day_start(day: date, zone_name: str) -> datetime:
    """The first instant of a local day. A midnight that daylight saving skips gives the first instant after it."""
    return datetime.combine(day, time(), zone(zone_name))


@lru_cache(maxsize=64)
def _calendar(country: str, year: int) -> holidays.HolidayBase:
    return holidays.country_holidays(country, years=year)


def is_holiday(day: date, country: str) -> bool:
    """Whether `day` is a public holiday of a country (ISO 3166, such as CN). Unpublished future years give False."""
    return day in _calendar(country, day.year)


def is_workday(day: date, country: str) -> bool:
    """Whether people work on `day`: a weekday that is no holiday, or a make-up workday (调休) of that country."""
    return _calendar(country, day.year).is_working_day(day)


def days_in_month(day: date) -> int:
    """How many days the month of `day` has."""
    first = day.replace(day=1)
    return ((first + timedelta(days=32)).replace(day=1) - first).days

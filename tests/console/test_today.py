"""今天: who is overdue, and who of such came back by themselves, counted again by plain Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from html import unescape
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.console.pond import CUSTOMERS, NOW, order_times
from yutang.console.today import BUCKETS
from yutang.kernel.shares import Estimate

ZONE = ZoneInfo("Asia/Shanghai")
CUT = (NOW.astimezone(ZONE) - timedelta(days=31)).date()


def _days(times: Iterable[datetime]) -> list[date]:
    return [at.astimezone(ZONE).date() for at in times]


def _late(days: list[date], at: date) -> int | None:
    """How many days late somebody with these order days is at the start of a day; None who is not overdue."""
    before = [day for day in days if day < at]
    visits = sorted(set(before))
    gaps = [(b - a).days for a, b in pairwise(visits)]
    late = (at - visits[-1]).days
    return late if len(before) >= 12 and late >= 14 and late > 2 * median(gaps) else None


def _bucket(late: int) -> int:
    return next(index for index, (first, last) in enumerate(BUCKETS) if first <= late <= (last or 10_000))


def test_the_table_of_the_overdue_is_what_plain_python_counts(owner: httpx.Client) -> None:
    people = [_days(order_times(who)) for who in range(1, CUSTOMERS)]  # the first has one more, planted order
    now, then, came = [0] * 4, [0] * 4, [0] * 4
    for days in people:
        if (late := _late(days, NOW.astimezone(ZONE).date())) is not None:
            now[_bucket(late)] += 1
        if (late := _late(days, CUT)) is not None:
            then[_bucket(late)] += 1
            came[_bucket(late)] += any(CUT <= day < CUT + timedelta(days=14) for day in days)
    assert sum(now) > 10
    assert 0 < sum(came) < sum(then)

    shown = re.search(r'<table class="late">.*?<tbody>(.*?)</tbody>', owner.get("/").text, re.S)
    assert shown is not None
    rows = [re.findall(r"<td.*?>(.*?)</td>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", shown[1], re.S)]
    assert [int(row[1]) for row in rows] == now
    told = [re.search(r"(\d+)/(\d+)", unescape(row[3])) for row in rows]
    assert [(int(one[1]), int(one[2])) if one else (0, 0) for one in told] == list(zip(came, then, strict=True))


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"), [(64, 82, 0.6794, 0.8563), (0, 10, 0, 0.2775), (5, 5, 0.5655, 1)]
)
def test_an_interval_is_wilsons(part: int, whole: int, low: float, high: float) -> None:
    one = Estimate(part, whole)
    assert (one.low, one.high) == (pytest.approx(low, abs=2e-4), pytest.approx(high, abs=2e-4))


def test_nobody_gives_no_share() -> None:
    assert (Estimate(0, 0).value, Estimate(0, 0).low, Estimate(0, 0).high) == (None, None, None)

"""To whom somebody new is led: on duty, not full, and never to nobody."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, time
from math import cos, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yutang.connect.contracts import FEWEST
from yutang.connect.documents import Duty, Shift
from yutang.connect.routing import EARTH_KM, Led, distance_km, led, nearest, next_in_turn, on_duty
from yutang.connect.telling import payback, wilson

NAMES = tuple("abcdef")
SOME = [tuple(one for place, one in enumerate(NAMES) if mask >> place & 1) for mask in range(1 << len(NAMES))]
names = st.sampled_from(SOME)
places = st.tuples(st.floats(-89, 89), st.floats(-180, 180))
hours = st.sampled_from([(first, last) for first in range(23) for last in range(first + 1, 24)])
days = st.sampled_from([frozenset(range(1, 8)), frozenset(range(1, 6)), frozenset({6, 7}), frozenset({3})])
shifts = st.builds(
    lambda span, staff, days: Shift(days=days, opens=time(span[0]), closes=time(span[1]), staff=staff),
    hours,
    st.sampled_from(SOME[1:]),
    days,
)
duties = st.builds(
    lambda staff, rows, limit, over: Duty(staff=staff, shifts=tuple(rows), daily_limit=limit, overflow=over),
    names,
    st.lists(shifts, max_size=3),
    st.none() | st.integers(1, 3),
    names,
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31))
counts = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 4)).map(Counter)


@given(duties, names, moments, counts)
def test_a_way_leads_to_nobody_only_where_there_is_nobody(
    duty: Duty, home: tuple[str, ...], at: datetime, taken: Counter[str]
) -> None:
    found = led(duty, home, at, taken)
    assert bool(found.users) == bool(duty.everyone() or home)
    assert set(found.users) <= {*duty.everyone(), *home}


@given(duties, names, moments, counts)
def test_nobody_full_is_led_to_while_somebody_on_duty_is_free(
    duty: Duty, home: tuple[str, ...], at: datetime, taken: Counter[str]
) -> None:
    here = on_duty(duty, at) or (() if duty.staff or duty.shifts else home)
    free = [one for one in here if duty.daily_limit is None or taken[one] < duty.daily_limit]
    found = led(duty, home, at, taken)
    if free:
        assert set(found.users) == set(free)
        assert not found.full
    elif here:
        assert found.full


@given(duties, moments)
def test_who_is_on_duty_has_a_shift_then_or_needs_none(duty: Duty, at: datetime) -> None:
    naive = {
        one
        for shift in duty.shifts
        if at.isoweekday() in shift.days and shift.opens <= at.time() < shift.closes
        for one in shift.staff
    }
    assert set(on_duty(duty, at)) == (naive if duty.shifts else set(duty.staff))


@given(st.integers(1, 40), st.integers(1, 5))
def test_turns_are_shared_out_evenly(people: int, staff: int) -> None:
    taken: Counter[str] = Counter()
    for _ in range(people):
        one = next_in_turn(Led(NAMES[:staff], False), taken)
        assert one is not None
        taken[one] += 1
    assert max(taken.values()) - min(taken.get(one, 0) for one in NAMES[:staff]) <= 1


@given(places, places)
def test_distances_are_those_of_a_sphere(one: tuple[float, float], other: tuple[float, float]) -> None:
    found = distance_km(one, other)
    assert found == pytest.approx(distance_km(other, one))
    assert 0 <= found <= EARTH_KM * 3.1416
    assert distance_km(one, one) == pytest.approx(0, abs=1e-6)


def test_a_known_distance() -> None:
    shanghai, beijing = (31.2304, 121.4737), (39.9042, 116.4074)
    assert distance_km(shanghai, beijing) == pytest.approx(1067, abs=3)
    east = (31.2304, 121.4737 + 0.1)
    assert distance_km(shanghai, east) == pytest.approx(radians(0.1) * EARTH_KM * cos(radians(31.2304)), rel=1e-4)


def test_places_that_are_no_places_have_a_distance_all_the_same() -> None:
    """Rounding may carry the haversine of opposite places past 1, and a wrong place below 0."""
    for one, other in (((90.0, 0.0), (-90.0, 0.0)), ((0.0, 0.0), (0.0, 180.0)), ((1e9, 1e9), (-1e9, 3.0))):
        assert 0 <= distance_km(one, other) <= EARTH_KM * 3.15


@given(places, st.lists(st.none() | places, max_size=8))
def test_the_nearest_is_the_nearest(place: tuple[float, float], spots: list[tuple[float, float] | None]) -> None:
    found = nearest(place, list(enumerate(spots)))
    placed = {index: distance_km(place, spot) for index, spot in enumerate(spots) if spot is not None}
    assert found == (min(placed, key=lambda index: (placed[index], index)) if placed else None)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval(pair: tuple[int, int]) -> None:
    found = wilson(*pair)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value <= found.high + 1e-12 <= 1 + 1e-9


def test_what_came_back_is_not_told_of_few_or_for_nothing_spent() -> None:
    assert payback(FEWEST - 1, 100.0, 900.0, 50.0) is None
    assert payback(FEWEST, 100.0, 900.0, 0.0) is None
    found = payback(100, 1000.0, 10_000.0, 500.0)  # everybody spent ten: no doubt at all
    assert found is not None
    assert (found.low, found.value, found.high) == pytest.approx((2.0, 2.0, 2.0))
    wide = payback(100, 1000.0, 100_000.0, 500.0)
    assert wide is not None
    assert wide.low < 2.0 < wide.high

"""When a wall is hit: what grows evenly is told to the day, what is flat is never warned of, what is too young is not
told at all, and the interval holds the truth about as often as it says."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yutang.guard.radar.forecasting import FEWEST_DAYS, HORIZON, WINDOW, days_until


def even(pace: float, days: int) -> list[tuple[int, float]]:
    return [(day, pace * day) for day in range(days)]


def test_an_even_pace_is_told_to_the_day() -> None:
    told = days_until(even(4, 60), 200)
    assert (told.pace, told.low, told.middle, told.high) == pytest.approx((4, 50, 50, 50))


def test_too_little_history_is_not_told() -> None:
    assert not days_until(even(4, FEWEST_DAYS), 200).told
    assert days_until(even(4, FEWEST_DAYS + 1), 200).told
    assert not days_until([], 200).told
    assert not days_until(even(4, FEWEST_DAYS + WINDOW), 200, moving=True).told


def test_what_is_flat_or_falls_is_never_hit() -> None:
    for history in ([(day, 100.0) for day in range(70)], [(day, 100.0 - day) for day in range(70)]):
        told = days_until(history, 50)
        assert (told.told, told.low, told.middle, told.high) == (True, None, None, None)


def test_a_quickening_pace_is_hit_earlier_than_an_even_one() -> None:
    quicker = [(day, 0.05 * day * day) for day in range(70)]
    pace = quicker[-1][1] - quicker[-2][1]
    told = days_until(quicker, 300)
    assert told.middle is not None
    assert told.middle < 300 / pace


def test_what_expires_unused_is_lost() -> None:
    told = days_until(even(1, 60), 400, [(60.0, 200.0), (300.0, 200.0)])
    assert told.middle == pytest.approx(260)  # 60 of the first, then 200 of the second
    all_ends = days_until(even(1, 60), 400, [(30.0, 400.0)])
    assert (all_ends.low, all_ends.high) == (30.0, 30.0)
    assert days_until(even(0, 60), 400, [(30.0, 300.0)]).low is None  # the other hundred do not end
    idle = [(day, float(min(day, 5))) for day in range(70)]  # nobody uses it any more: it lasts until its day
    assert days_until(idle, 400, [(200.0, 400.0)]).low == 200.0


def test_nothing_left_is_now() -> None:
    assert days_until(even(4, 60), 0).high == 0
    assert days_until(even(4, 5), -3).high == 0


def test_a_window_that_moves_goes_up_and_down_without_growing() -> None:
    rng = random.Random(3)
    steady = [(day, 15.0 + rng.choice((-1, 0, 1))) for day in range(120)]
    assert days_until(steady, 13, moving=True).low is None
    rising = [(day, 10.0 + day / 10) for day in range(120)]
    told = days_until(rising, 4, moving=True)
    assert told.low is not None
    assert 40 <= told.low <= 48  # 40, were it not damped


@given(
    history=st.lists(st.floats(0, 1e6), min_size=2, max_size=90),
    left=st.floats(-10, 1e7),
    moving=st.booleans(),
    ends=st.lists(st.tuples(st.floats(0, 400), st.floats(0, 1e5)), max_size=3),
)
def test_any_history_is_told_in_order(
    history: list[float], left: float, moving: bool, ends: list[tuple[float, float]]
) -> None:
    told = days_until(list(enumerate(history)), left, ends, moving=moving)
    edges = [HORIZON + 1 if edge is None else edge for edge in (told.low, told.middle, told.high)]
    assert edges == sorted(edges)
    assert all(edge >= 0 for edge in edges)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        rng, used = random.Random(seed), [0.0]
        while used[-1] < 900:
            used.append(used[-1] + rng.expovariate(1 / 6) * (0.6, 1, 1, 1, 1, 1.5, 0.9)[len(used) % 7])
        then = 80
        told = days_until(list(enumerate(used[: then + 1]))[-71:], 900 - used[then])
        held += (told.low or HORIZON) <= len(used) - 1 - then <= (told.high or HORIZON)
    assert 40 <= held <= 56  # of 60, where 48 are expected

"""How often somebody comes, and what they will need next."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from yutang.tasks.rhythm import DUE, GONE, LEAST, next_need, rhythm_of

DAY = date(2026, 3, 1)


def every(gap: int, times: int, last: date = DAY) -> list[date]:
    return [last - timedelta(days=gap * back) for back in range(times)]


def test_three_gaps_are_the_least_that_tell_anything() -> None:
    assert rhythm_of(every(14, LEAST)) is None
    told = rhythm_of(every(14, LEAST + 1))
    assert told is not None
    assert (told.usual, told.low, told.high, told.gaps) == (14, 14, 14, 3)
    assert told.expected == (DAY + timedelta(days=14), DAY + timedelta(days=14))


def test_gaps_that_differ_too_much_are_no_rhythm() -> None:
    days = [DAY - timedelta(days=back) for back in (0, 2, 4, 34, 36, 90)]
    told = rhythm_of(days)
    assert told is not None
    assert not told.steady


@given(st.sets(st.integers(0, 500), max_size=40))
def test_a_rhythm_hangs_on_distinct_days_alone_and_its_middle_lies_in_its_middle_half(back: set[int]) -> None:
    days = [DAY - timedelta(days=ago) for ago in back]
    told = rhythm_of(days)
    assert told == rhythm_of([*reversed(days), *days])
    assert (told is None) == (len(back) <= LEAST)
    if told is not None:
        assert 1 <= told.low <= told.usual <= told.high
        assert told.last == max(days)
        assert told.late_by(told.expected[1]) == 0
        assert told.late_by(told.expected[1] + timedelta(days=3)) == 3


def test_the_next_need_is_what_is_most_due_and_not_what_they_stopped_buying() -> None:
    today = DAY
    bought = {
        "纸尿裤": every(30, 6, today - timedelta(days=33)),
        "奶粉": every(28, 6, today - timedelta(days=10)),
        "玩具": every(10, 6, today - timedelta(days=200)),
        "零食": every(5, LEAST, today - timedelta(days=6)),
    }
    need = next_need(bought, today)
    assert need is not None
    assert (need.category, need.rhythm.usual) == ("纸尿裤", 30)
    assert next_need({name: days for name, days in bought.items() if name != "纸尿裤"}, today) is None


@given(st.integers(1, 60), st.integers(0, 300))
def test_a_need_is_due_within_its_bounds_and_at_no_other_time(gap: int, ago: int) -> None:
    need = next_need({"茶": every(gap, 8, DAY - timedelta(days=ago))}, DAY)
    assert (need is not None) == (DUE <= ago / gap <= GONE)

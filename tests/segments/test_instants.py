"""Random segments at random instants equal the naive oracle, on DuckDB and on ClickHouse's engine at once.

`YUTANG_INSTANTS=1000 python -m pytest -m long tests/segments/test_instants.py` asks at a thousand of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.profiles.brand import brands, read_traits
from tests.segments.oracle import Oracle
from tests.segments.worlds import INSTANTS, NODES, ZONE, leaves, own_leaves, ponds, put_pond, segment, trees
from tests.warehouse.clickhouse import fresh_clickhouse
from tests.warehouse.fixtures import fresh_duckdb
from yutang.profiles.contracts import Moment
from yutang.profiles.registry import learn_these
from yutang.profiles.services import rebuild
from yutang.segments.compile import compile_memberships
from yutang.segments.contracts import Context
from yutang.segments.fitting import fit
from yutang.warehouse.contracts import Statement, Warehouse

COMMITTED = Path(__file__).parents[1] / "bench" / "segments.yaml"
TEN: dict[str, dict[str, Any]] = {one["name"]: one["where"] for one in yaml.safe_load(COMMITTED.read_text())}
RANDOM = 20
PER_POND = 5
"""Instants asked of each random pond."""

ASKED = max(int(os.environ.get("YUTANG_INSTANTS", "25")) // PER_POND, 1)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Warehouse]]:
    with (
        closing(fresh_duckdb(tmp_path_factory.mktemp("instants"))) as duckdb,
        closing(fresh_clickhouse()) as clickhouse,
    ):
        yield {"DuckDB": duckdb, "ClickHouse": clickhouse}


@pytest.mark.long
@settings(
    max_examples=ASKED, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck), database=None
)
@given(st.data(), st.sampled_from(INSTANTS))
def test_thirty_segments_at_any_instant_equal_the_oracle_on_both_engines(
    engines: dict[str, Warehouse], data: st.DataObject, around: Any
) -> None:
    pond, brand = data.draw(ponds(around)), data.draw(brands())
    learn_these(read_traits(brand))
    others = {"other": data.draw(trees(own_leaves)), "another": {"not": {"segment": "other"}}, **TEN}
    drawn = data.draw(st.lists(trees(leaves), min_size=RANDOM, max_size=RANDOM))
    rules = {**TEN, **{f"s{n}": rule for n, rule in enumerate(drawn)}}
    documents = [segment(rule, name) for name, rule in rules.items()]
    for warehouse in engines.values():
        warehouse.write(put_pond(pond))
    micros = st.integers(0, 30 * 86_400_000_000).map(lambda n: around - timedelta(microseconds=n))
    for at in data.draw(st.lists(micros, min_size=PER_POND, max_size=PER_POND)):
        expected = Oracle(pond, at, ZONE, others, brand)
        told = {name: expected.members(rule) for name, rule in rules.items()}
        for engine, warehouse in engines.items():
            rebuild(warehouse, at, zone=ZONE)
            model = partial(fit, warehouse)
            context = Context(Moment(at, ZONE), NODES, lambda name: segment(others[name], name), model)
            rows = warehouse.query(Statement(compile_memberships(documents, context))).to_pylist()
            found = {name: {row["person"] for row in rows if row[name]} for name in rules}
            assert found == told, (engine, at)
    learn_these(())

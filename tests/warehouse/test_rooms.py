"""The rooms above the warehouse hold on ClickHouse's engine as they do on DuckDB (the soak runs this)."""

from __future__ import annotations

import pytest

from tests.on_clickhouse import ROOMS, run


@pytest.mark.long
@pytest.mark.parametrize("room", [room for room in ROOMS if room != "warehouse"])
def test_a_rooms_own_tests_hold_on_clickhouse(room: str) -> None:
    assert run("-q", "-x", f"tests/{room}").returncode == 0

"""The rooms above the warehouse hold on ClickHouse's engine as they do on DuckDB. The soak runs those that were seen
green there whole; `make test-clickhouse` runs all."""

from __future__ import annotations

import pytest

from tests.on_clickhouse import run


@pytest.mark.long
@pytest.mark.parametrize("room", ["profiles", "segments", "review"])
def test_a_rooms_own_tests_hold_on_clickhouse(room: str) -> None:
    assert run("-q", "-x", f"tests/{room}").returncode == 0

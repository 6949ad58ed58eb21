"""From one engine to the other: all of it, once, proven; killed in the middle it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.warehouse.clickhouse import fresh_clickhouse
from tests.warehouse.fixtures import fresh_duckdb, insert
from yutang.kernel.errors import Refused
from yutang.warehouse import moving
from yutang.warehouse.contracts import Statement, Warehouse

NOON = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC).replace(tzinfo=None)


def full(warehouse: Warehouse) -> None:
    """Rows of every type, nulls, negative and very large numbers, texts that need care."""
    events = [
        {
            "event_id": f"茶's \\ {n}", "type": "page.viewed", "person": None if n % 5 == 0 else n - 30,
            "occurred_at": NOON + timedelta(microseconds=n), "amount": Decimal(n) / 100 - 1, "props": '{"a": "b"}',
        }
        for n in range(60)
    ]  # fmt: skip
    decisions = [{"touch": (-1) ** n * (2**63 - 1 - n * 2**57), "plan": 1, "value": n % 2 == 0} for n in range(40)]
    profiles = [
        {"person": n, "median_gap_days": n / 3, "first_visit_day": NOON.date(), "spend_ever": Decimal("0.10")}
        for n in range(10)
    ]
    warehouse.write([insert("events", events), insert("decisions", decisions), insert("profiles", profiles)])
    warehouse.write([insert("profile_state", [{"name": "x", "value": ""}]), insert("nodes", [{"node": 7}])])
    warehouse.write([Statement("DELETE FROM events WHERE person = 3"), Statement("UPDATE nodes SET zone = 'UTC'")])


@pytest.fixture(scope="module")
def duckdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with closing(fresh_duckdb(tmp_path_factory.mktemp("from"))) as opened:
        full(opened)
        yield opened


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "PART", 12)


def silent(stage: str, done: int, of: int) -> None:
    assert 0 <= done <= of, stage


class Died(BaseException):
    """As if the process had been killed."""


@pytest.mark.long
def test_there_and_back_again_is_equal_and_a_kill_in_the_middle_loses_nothing(
    duckdb: Warehouse, tmp_path: Path
) -> None:
    carried = 0

    def killed(stage: str, done: int, of: int) -> None:
        nonlocal carried
        carried = done
        if done > of // 2:
            raise Died

    with closing(fresh_clickhouse()) as there, closing(fresh_duckdb(tmp_path)) as back:
        with pytest.raises(Died):
            moving.move(duckdb, there, killed)
        seen: list[int] = []
        found = moving.move(duckdb, there, lambda stage, done, of: seen.append(done))
        assert {one.table: one.rows for one in found if one.rows} == {
            "events": 59, "decisions": 40, "profiles": 10, "profile_state": 1, "nodes": 1
        }  # fmt: skip
        assert all(one.equal for one in found)
        assert there.query(Statement("SELECT count(*) AS n FROM moved"))["n"].to_pylist() == [0]
        assert all(one.equal for one in moving.move(there, back, silent))
    assert carried > 50


def test_only_into_an_empty_warehouse(duckdb: Warehouse, tmp_path: Path) -> None:
    with closing(fresh_duckdb(tmp_path)) as target:
        target.write([insert("slices", [{"slice": 1}])])
        with pytest.raises(Refused, match="slices"):
            moving.move(duckdb, target, silent)


@pytest.mark.long
@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO events (event_id, person) VALUES ('late', 4)",
        "DELETE FROM events WHERE person = 4",
        "UPDATE events SET amount = 1 WHERE person = 4",
        "INSERT INTO events (event_id, person) VALUES ('elsewhere', 9999)",
    ],
)
def test_what_somebody_wrote_meanwhile_is_found(duckdb: Warehouse, tmp_path: Path, change: str) -> None:
    with closing(fresh_duckdb(tmp_path)) as target:

        def meddled(stage: str, done: int, of: int) -> None:
            if stage == "moving" and done == of and not meddling:
                meddling.append(stage)
                target.write([Statement(change)])

        meddling: list[str] = []
        found = moving.move(duckdb, target, meddled)
        assert [one.table for one in found if not one.equal] == ["events"]

"""Numbered migrations: forward only, backed up, all or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.intake.tables import told_otherwise
from tests.warehouse.fixtures import insert, schemas
from yutang.kernel.errors import BadInput, Refused
from yutang.warehouse.contracts import Statement
from yutang.warehouse.engine import FILE, open_warehouse
from yutang.warehouse.schema import Migration, backup_path, shipped

NEXT = Migration(
    len(shipped()) + 1, "next", "CREATE TABLE next_table (a BIGINT); ALTER TABLE slices ADD COLUMN b BIGINT"
)
BROKEN = Migration(NEXT.number, "broken", "CREATE TABLE half (a BIGINT); ALTER TABLE no_such_table ADD COLUMN b BIGINT")


def test_a_new_warehouse_has_the_tables_of_the_first_migration() -> None:
    assert {"events", "orders", "order_lines", "facts", "decisions", "receipts", "segment_changes"} <= set(schemas())
    assert [step.number for step in shipped()] == list(range(1, len(shipped()) + 1))


def test_data_written_by_newer_code_are_refused(tmp_path: Path) -> None:
    open_warehouse(tmp_path, migrations=[*shipped(), NEXT]).close()
    with pytest.raises(Refused, match=f"version {NEXT.number}.*newer Yutang"):
        open_warehouse(tmp_path)
    open_warehouse(tmp_path, migrations=[*shipped(), NEXT]).close()


def test_older_code_beside_a_newer_owner_is_refused(tmp_path: Path) -> None:
    owner = open_warehouse(tmp_path, migrations=[*shipped(), NEXT])
    with pytest.raises(Refused, match="same version"):
        open_warehouse(tmp_path)
    owner.close()


def test_an_upgrade_keeps_the_data_and_a_copy_of_the_file_before_it(tmp_path: Path) -> None:
    before = open_warehouse(tmp_path)
    before.write([insert("slices", [{"slice": 7}])])
    before.close()
    assert not list(tmp_path.glob("*.backup*")), "a new file needs no backup"
    after = open_warehouse(tmp_path, migrations=[*shipped(), NEXT])
    assert after.query(Statement("SELECT slice, b FROM slices")).to_pylist() == [{"slice": 7, "b": None}]
    after.close()
    with duckdb.connect(backup_path(tmp_path / FILE, len(shipped())), read_only=True) as copy:
        assert copy.execute("SELECT * FROM slices").fetchall() == [(7, None)]


def test_of_orders_that_stood_before_it_is_told_whose_lines_name_another(tmp_path: Path) -> None:
    before = open_warehouse(tmp_path, migrations=shipped()[:10])
    for order, person, lines_of in (("a", 1, 2), ("b", 1, 1), ("c", None, None), ("d", 1, None)):
        said = {"order": order, "person": person, "lines_of": lines_of}
        for table, column in (("orders", "$person"), ("order_lines", "$lines_of")):
            text = f"INSERT INTO {table} (source, order_id, person) VALUES ('till', $order, {column})"
            before.write([Statement(text, {"order": order, column[1:]: said[column[1:]]})])
    before.close()
    after = open_warehouse(tmp_path)
    strayed = after.query(Statement("SELECT order_id FROM orders WHERE strayed ORDER BY order_id"))
    assert strayed.column(0).to_pylist() == ["a", "d"]
    after.close()


def test_of_lines_that_stood_before_it_is_told_whose_they_are_and_which_are_void(tmp_path: Path) -> None:
    before = open_warehouse(tmp_path, migrations=shipped()[:12])
    day = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    texts = (
        "INSERT INTO orders (source, order_id, person, store, placed_at, lines_at, cancelled_at) "
        "VALUES ('till', $order, 1, 7, $day, $day, $cancelled)",
        "INSERT INTO order_lines (source, order_id, person, store, revised_at) VALUES ('till', $order, 2, 8, $revised)",
    )
    for order, cancelled, revised in (("a", None, day), ("b", day, day), ("c", None, day - timedelta(hours=1))):
        before.write([Statement(texts[0], {"order": order, "day": day, "cancelled": cancelled})])
        before.write([Statement(texts[1], {"order": order, "revised": revised})])
    before.close()
    after = open_warehouse(tmp_path)
    assert told_otherwise(after) == []
    found = "SELECT order_id, void, person, store, placed_at FROM order_lines ORDER BY order_id"
    assert [tuple(row.values()) for row in after.query(Statement(found)).to_pylist()] == [
        (order, void, 1, 7, day.replace(tzinfo=None)) for order, void in (("a", False), ("b", True), ("c", True))
    ]
    after.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    open_warehouse(tmp_path).close()
    with pytest.raises(BadInput, match="no_such_table"):
        open_warehouse(tmp_path, migrations=[*shipped(), BROKEN])
    warehouse = open_warehouse(tmp_path)
    tables = warehouse.query(Statement("SELECT table_name FROM duckdb_tables()")).column(0).to_pylist()
    assert "half" not in tables
    warehouse.close()

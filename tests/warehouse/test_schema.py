"""Numbered migrations: forward only, backed up, all or nothing."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

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


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    open_warehouse(tmp_path).close()
    with pytest.raises(BadInput, match="no_such_table"):
        open_warehouse(tmp_path, migrations=[*shipped(), BROKEN])
    warehouse = open_warehouse(tmp_path)
    tables = warehouse.query(Statement("SELECT table_name FROM duckdb_tables()")).column(0).to_pylist()
    assert "half" not in tables
    warehouse.close()

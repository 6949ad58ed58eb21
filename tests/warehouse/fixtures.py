"""Warehouses and tables for any room's tests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.engine import FILE, open_warehouse

ON_CLICKHOUSE = os.environ.get("YUTANG_TEST_WAREHOUSE") == "clickhouse"
"""Whether this run is on ClickHouse's engine (`make test-clickhouse`)."""


def fresh_warehouse(tmp_path: Path) -> Warehouse:
    """An empty, migrated warehouse of one's own; of the same path, the same one. The caller closes it."""
    if ON_CLICKHOUSE:
        from tests.warehouse.clickhouse import warehouse_of

        return warehouse_of(tmp_path)
    return fresh_duckdb(tmp_path)


def fresh_duckdb(tmp_path: Path) -> Warehouse:
    """As `fresh_warehouse`, on DuckDB whatever this run is on."""
    return open_warehouse(prepared(tmp_path / "warehouse"), threads=2, memory_limit="2GB")


def prepared(folder: Path) -> Path:
    """The folder, for `open_warehouse`: with the file of a warehouse that was migrated, unless it holds one. So many
    tests ask for one, and migrating takes longer than all else."""
    if not (folder / FILE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_bytes(_migrated())
    return folder


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        open_warehouse(Path(folder)).close()
        return (Path(folder) / FILE).read_bytes()


@cache
def schemas() -> Mapping[str, pa.Schema]:
    """The Arrow schema of every stored table."""
    with TemporaryDirectory() as folder:
        warehouse = fresh_duckdb(Path(folder))
        names = warehouse.query(Statement("SELECT table_name FROM duckdb_tables()")).column(0).to_pylist()
        found = {name: warehouse.query(Statement(f"SELECT * FROM {name} LIMIT 0")).schema for name in names}
        warehouse.close()
    return found


@cache
def empty(table: str) -> pa.Table:
    """A stored table without rows."""
    return schemas()[table].empty_table()


def rows(table: str, *records: Mapping[str, object]) -> pa.Table:
    """An Arrow table in the shape of a stored one; columns that a record leaves out are null."""
    schema = schemas()[table]
    unknown = {name for record in records for name in record} - set(schema.names)
    assert not unknown, f"{table} has no column {sorted(unknown)}"
    return pa.Table.from_pylist([dict(record) for record in records], schema=schema)


def insert(table: str, records: pa.Table | Sequence[Mapping[str, object]]) -> Statement:
    """The statement that appends rows to a stored table."""
    given = records if isinstance(records, pa.Table) else rows(table, *records)
    return Statement(f"INSERT INTO {table} BY NAME SELECT * FROM given_rows", tables={"given_rows": given})

"""The warehouse's numbered migrations, and the rule that older code refuses newer data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from yutang.kernel.clock import wall_now
from yutang.kernel.errors import Refused

Connect = Callable[[], duckdb.DuckDBPyConnection]

VERSIONS = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER, name VARCHAR, applied_at TIMESTAMP)"
"""The table of the migrations that were applied: on every engine the same, and no migration itself."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; `sql` may hold several statements."""

    number: int
    name: str
    sql: str


@cache
def shipped() -> tuple[Migration, ...]:
    """The migrations of this version of the code, in order, numbered from 1 without a gap."""
    folder = resources.files("yutang.warehouse") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    found = tuple(Migration(int(f.name[:4]), f.name[5:-4], f.read_text(encoding="utf-8")) for f in files)
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise RuntimeError(f"warehouse migrations are not numbered 1, 2, 3 …: {[f.name for f in files]}")
    return found


def moves(step: Migration) -> list[exp.Expr]:
    """What of a step moves data: another engine makes the tables from DuckDB's, and runs only these."""
    found = [one for one in sqlglot.parse(step.sql, dialect="duckdb", error_level=sqlglot.ErrorLevel.IGNORE) if one]
    return [one for one in found if isinstance(one, exp.Insert | exp.Update | exp.Delete)]


def version_of(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last migration applied; 0 for an empty file."""
    try:  # to ask `duckdb_tables()` for it first would make DuckDB write down all it knows: 8 ms of an opening's 30
        rows = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()
    except duckdb.CatalogException:
        return 0
    return int(rows[0][0])


def backup_path(path: Path, version: int) -> Path:
    """Where the copy of the file stands that was taken before it was upgraded from `version`."""
    return path.with_name(f"{path.stem}.v{version}.backup{path.suffix}")


def migrate(path: Path, connect: Connect, migrations: Sequence[Migration]) -> duckdb.DuckDBPyConnection:
    """Open the file and bring it to the last of `migrations`, in one transaction, after a copy if it held data.

    Raises Refused if the file was written by newer code.
    """
    connection = connect()
    have, want = version_of(connection), len(migrations)
    if have > want:
        connection.close()
        raise newer(have, want)
    if have == want:
        return connection
    if have:
        connection.execute("CHECKPOINT")
        connection.close()
        _copy(path, backup_path(path, have))
        connection = connect()
    _apply(connection, migrations[have:])
    return connection


def newer(have: int, want: int) -> Refused:
    """The sentence for data that newer code wrote."""
    return Refused(
        f"数据仓库是第 {have} 版，本程序只认识到第 {want} 版。请安装更新的 Yutang，或恢复升级前的备份。",
        f"The warehouse is at version {have}, and this Yutang knows only up to {want}. "
        "Install a newer Yutang, or restore the backup taken before the upgrade.",
    )


def _apply(connection: duckdb.DuckDBPyConnection, steps: Sequence[Migration]) -> None:
    connection.begin()
    try:
        connection.execute(VERSIONS)
        for step in steps:
            connection.execute(step.sql)
            applied_at = wall_now().replace(tzinfo=None)
            connection.execute("INSERT INTO schema_version VALUES (?, ?, ?)", [step.number, step.name, applied_at])
        connection.commit()
    except duckdb.Error:
        connection.close()  # an open transaction is undone with its connection
        raise


def _copy(source: Path, target: Path) -> None:
    """Copy whole or not at all: a copy cut short must never pass for a backup."""
    partial = target.with_name(target.name + ".partial")
    try:
        shutil.copyfile(source, partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)

"""Which warehouse this house has, and moving from one to another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from yutang.cli.context import Shell, command, headquarters_only, table
from yutang.kernel import database
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import Viewer

if TYPE_CHECKING:
    from yutang.warehouse.contracts import Warehouse

Answer = tuple[object, list[object]]
DUCKDB = "duckdb"


def open_where_said(url: str, directory: Path, *, after_you: float = 0.0) -> Warehouse:
    """The warehouse at `url` (`YUTANG_WAREHOUSE_URL`), or, where that is empty, DuckDB's file in the data directory."""
    if url:
        from yutang.warehouse.clickhouse import open_clickhouse

        return open_clickhouse(url, alone=_alone)
    from yutang.warehouse.engine import open_warehouse
    from yutang.warehouse.lasting import Lasting

    return Lasting(lambda: open_warehouse(directory, after_you=after_you))


def said() -> str:
    """`YUTANG_WAREHOUSE_URL`."""
    return os.environ.get("YUTANG_WAREHOUSE_URL", "")


@contextmanager
def _alone() -> Iterator[None]:
    """While no other process of this installation writes to ClickHouse."""
    database.refresh_connection()
    with database.one_by_one("warehouse"):
        yield


@click.group("warehouse")
def warehouse_group() -> None:
    """数据仓库 / the warehouse"""


@command(warehouse_group, "move")
@click.option(
    "--from",
    "origin",
    envvar="YUTANG_WAREHOUSE_FROM",
    default=DUCKDB,
    show_default=True,
    help="duckdb，或 clickhouse://… / the data directory's DuckDB, or an address",
)
def move(shell: Shell, viewer: Viewer, origin: str) -> Answer:
    """把另一个仓库搬进现在的仓库并核对相等；再运行即继续 / copy another warehouse into this one, prove both equal"""
    from yutang.warehouse import moving

    headquarters_only(viewer)
    url = "" if origin == DUCKDB else origin
    if url == said():
        raise BadInput(
            "要搬的就是现在的仓库。请把 YUTANG_WAREHOUSE_URL 设为新仓库，再用 --from 说明从哪里搬。",
            "That is this very warehouse. Let YUTANG_WAREHOUSE_URL name the new one, and say with --from the old one.",
        )
    last = -1

    def told(stage: str, done: int, of: int) -> None:
        nonlocal last
        percent = 100 * done // max(of, 1)
        if percent != last:
            click.echo(f"{_STAGES[stage]} {done:,} / {of:,} ({percent} %)", err=True)
            last = percent

    with closing(open_where_said(url, _directory())) as source:
        found = moving.move(source, shell.warehouse, told)
    shell.failed = not all(one.equal for one in found)
    rows = [(one.table, f"{one.rows:,}", f"{one.rows_there:,}", "✓" if one.equal else "✗") for one in found]
    lines: list[object] = [table(("table", "rows", "there", "equal"), rows)]
    if shell.failed:
        lines.append(
            shell.said(
                "有表不相等：搬的时候有人在写入。请停下所有进程，换一个空库重搬。",
                "Some tables differ: somebody wrote meanwhile. Stop every process, and move into an empty database.",
            )
        )
    return found, lines


@command(warehouse_group, "compact")
def compact(shell: Shell, viewer: Viewer) -> Answer:
    """重写仓库，删掉的不再留在磁盘上 / rewrite the warehouse without what was deleted"""
    headquarters_only(viewer)
    shell.warehouse.compact()
    return {"compacted": True}, [shell.said("已重写。", "rewritten")]


_STAGES = {"moving": "搬运 / moving", "proving": "核对 / proving"}


def _directory() -> Path:
    from yutang.app import house

    return house.data_directory()

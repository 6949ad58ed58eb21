"""ClickHouse's own engine, in process (chdb): to show that one SQL text serves both, and as a warehouse.

chdb opens one directory per process, so all warehouses of a process are databases in it.
"""

from __future__ import annotations

import atexit
import itertools
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import chdb
import pyarrow as pa
from chdb.state.sqlitelike import Connection
from sqlglot import exp

from tests.warehouse.fixtures import empty, fresh_duckdb, schemas
from yutang.warehouse import dialects
from yutang.warehouse.clickhouse import Alone, ClickHouse, alone_here, open_clickhouse
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.layout import sendable, type_of
from yutang.warehouse.schema import Migration


def run_on_clickhouse(statement: Statement, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run one SELECT on ClickHouse's engine over these tables; stored tables that are not given are empty."""
    session = _session()
    for name, wanted in _asked(statement, tables).items():
        if _loaded.get(name) is not wanted:
            _create(session, name, wanted)
            _loaded[name] = wanted
    answer = session.query(dialects.to_clickhouse(statement), "ArrowStream")
    return pa.ipc.open_stream(answer.bytes()).read_all()


# A cluster of one shard, this process: nothing in it speaks to another machine, and there is no Keeper.
CLUSTER = """<clickhouse><tcp_port>9000</tcp_port><remote_servers><pond>
<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
</pond></remote_servers></clickhouse>"""


def url_of(database: str, cluster: str = "") -> str:
    """The address of a warehouse in this process's ClickHouse."""
    clustered = f"&cluster={cluster}" if cluster else ""
    return f"chdb://{_directory()}?database={database}&config={_directory()}/cluster.xml{clustered}"


def fresh_clickhouse(migrations: Sequence[Migration] | None = None, cluster: str = "") -> ClickHouse:
    """An empty, migrated warehouse of one's own on ClickHouse's engine. The caller closes it."""
    return open_clickhouse(url_of(f"pond_{next(_numbers)}", cluster), migrations=migrations)


def emptied_clickhouse() -> ClickHouse:
    """A connection of one's own to a warehouse that tests share, emptied: to make its tables takes half a second."""
    opened = beside(_shared(), alone=alone_here)
    for name in opened.tables:
        if name != "schema_version":
            opened.tell(f"TRUNCATE TABLE {opened.place.named(name)} SYNC")
    return opened


@cache
def _shared() -> ClickHouse:
    made = fresh_clickhouse()
    atexit.register(made.close)
    return made


def warehouse_of(path: Path) -> ClickHouse:
    """The warehouse that stands for a directory; empty at first."""
    return open_clickhouse(url_of(f"of_{sha256(str(path).encode()).hexdigest()[:16]}"))


def beside(
    other: ClickHouse, migrations: Sequence[Migration] | None = None, *, alone: Alone = nullcontext
) -> ClickHouse:
    """Another connection to the same warehouse, as another process has it; by itself it waits for nobody."""
    return open_clickhouse(url_of(other.place.database, other.place.cluster), alone=alone, migrations=migrations)


def _asked(statement: Statement, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables that a statement names, as given, or empty if stored ones were not given."""
    given = {**tables, **statement.tables}
    names = {table.name for table in dialects.parse(statement.text()).find_all(exp.Table)}
    return {
        name: given[name] if name in given else empty(name) for name in sorted(names & (set(given) | set(schemas())))
    }


def assert_equal_on_both_engines(statement: Statement, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Both engines answer with the same columns and the same rows (in order, if the outermost SELECT orders them).

    Floats may differ by 1e-9 of their size; numbers of different types are equal if their values are; a day equals
    its midnight. Returns DuckDB's answer, so that a test can also say what it ought to be.
    """
    given = Statement(statement.sql, statement.params, _asked(statement, tables), statement.name)
    ours = _warehouse().query(given)
    theirs = run_on_clickhouse(statement, tables)
    assert ours.column_names == theirs.column_names, f"DuckDB {ours.column_names}, ClickHouse {theirs.column_names}"
    left, right = _rows(ours), _rows(theirs)
    if dialects.parse(statement.text()).args.get("order") is None:
        left, right = sorted(left, key=_place), sorted(right, key=_place)
    assert len(left) == len(right), f"{len(left)} rows on DuckDB, {len(right)} on ClickHouse"
    for mine, other in zip(left, right, strict=True):
        assert all(map(_equal, mine, other)), f"DuckDB {mine}, ClickHouse {other}"
    return ours


NUMBER = (int, float, Decimal)
_loaded: dict[str, pa.Table] = {}  # what stands in the session, so that it is not loaded again


_numbers = itertools.count(1)


@cache
def _directory() -> str:
    folder = tempfile.TemporaryDirectory(prefix="chdb-")
    atexit.register(folder.cleanup)
    directory = os.path.realpath(folder.name)  # chdb compares names of directories as they are written
    (Path(directory) / "cluster.xml").write_text(CLUSTER)
    return directory


@cache
def _session() -> Connection:
    options = urlencode({"config-file": f"{_directory()}/cluster.xml"})
    session = chdb.connect(f"{_directory()}?{options}")
    for name, value in dialects.CLICKHOUSE_SETTINGS.items():
        session.query(f"SET {name} = '{value}'")
    session.query("CREATE DATABASE pond")
    session.query("USE pond")
    atexit.register(session.close)
    return session


@cache
def _warehouse() -> Warehouse:
    folder = tempfile.TemporaryDirectory()
    warehouse = fresh_duckdb(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(warehouse.close)
    return warehouse


def _create(session: Connection, name: str, given: pa.Table) -> None:
    columns = ", ".join(f"`{field.name}` {type_of(field.type)}" for field in given.schema)
    session.query(f"DROP TABLE IF EXISTS pond.`{name}`")
    session.query(f"CREATE TABLE pond.`{name}` ({columns}) ENGINE = Memory")
    arrow_table = sendable(given)
    if arrow_table.num_rows:  # chdb finds `arrow_table` among the variables of its caller
        session.query(f"INSERT INTO pond.`{name}` SELECT * FROM Python(arrow_table)")


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(_plain(value) for value in row.values()) for row in table.to_pylist()]


def _plain(value: object) -> object:
    """One form for equal values of different types."""
    match value:
        case datetime():
            return value.replace(tzinfo=None)
        case date():
            return datetime.combine(value, time())
        case list() | tuple():
            return tuple(_plain(item) for item in value)
    return value


def _equal(mine: object, other: object) -> bool:
    if isinstance(mine, float) or isinstance(other, float):
        if not (isinstance(mine, NUMBER) and isinstance(other, NUMBER)):
            return False
        left, right = float(mine), float(other)
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(left) and math.isnan(right))
    return mine == other


def _place(row: tuple[Any, ...]) -> tuple[tuple[str, Any], ...]:
    """A row's place among others, the same for rows that count as equal."""
    return tuple(
        ("number", float(f"{value:.6g}")) if isinstance(value, NUMBER) else (type(value).__name__, str(value))
        for value in row
    )

"""ClickHouse's own engine, in process (chdb): to show that one SQL text serves both, and as a warehouse.

chdb opens one directory per process, so all warehouses of a process are databases in it.
"""

from __future__ import annotations

import atexit
import itertools
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pyarrow as pa
from sqlglot import exp

from tests.warehouse.fixtures import empty, fresh_duckdb, schemas
from yutang.warehouse import dialects, layout
from yutang.warehouse.clickhouse import Alone, ClickHouse, _settings, address_of, alone_here, open_clickhouse
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.layout import SCRATCH, WRITES, Place, sendable, type_of
from yutang.warehouse.schema import Migration, shipped
from yutang.warehouse.versions import View

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection


def run_on_clickhouse(statement: Statement, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run one SELECT on ClickHouse's engine over these tables; stored tables that are not given are empty."""
    session = _session()
    for name, wanted in _asked(statement, tables).items():
        if _loaded.get(name) is not wanted:
            _create(session, name, wanted)
            _loaded[name] = wanted
    answer = session.query(dialects.to_clickhouse(statement), "ArrowStream")
    return pa.ipc.open_stream(answer.bytes()).read_all()


# Clusters of one shard and of two, all of them this process: nothing speaks to another machine, and there is no Keeper.
_SHARD = "<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>"
CLUSTER = f"""<clickhouse><tcp_port>9000</tcp_port><remote_servers>
<one>{_SHARD}</one><two>{_SHARD * 2}</two>
</remote_servers></clickhouse>"""


class TwoShards(ClickHouse):
    """A warehouse on two shards that are one process with one table: each shard sees the rows that would be its own.

    A table of a moment is seen only by the machine that is asked, as it would be.
    """

    def _filters(self, view: View, read: set[str]) -> dict[str, str]:
        if not read:
            return {}
        return _seen(self.place, {table: f"({view.condition(table)}) AND {self._own(table)}" for table in read})

    def _own(self, table: str) -> str:
        return f"{layout.shard_of(self._shape.tables[table])} % 2 = shardNum() - 1"

    def _rows(self, text: str) -> pa.Table:
        if WRITES in text:
            text += _settings(_seen(self.place, {WRITES: "shardNum() = 1"}))
        return super()._rows(self._strictly(text))

    def tell(self, text: str) -> None:
        # What goes to the second shard would look like the first one's said again: it comes to the same table.
        once = re.sub("insert_deduplication_token = '[^']*'", "insert_deduplicate = 0", text)
        super().tell(self._strictly(once))

    def _strictly(self, text: str) -> str:
        sent = sorted(set(re.findall(rf"`({SCRATCH}\w+)`", text)))
        only = "".join(f"'{self.place.database}.{name}': 'shardNum() = 0', " for name in sent)
        return text.replace("additional_table_filters = {", f"additional_table_filters = {{{only}", 1)


def _seen(place: Place, conditions: Mapping[str, str]) -> dict[str, str]:
    said = ", ".join(f"'{place.database}.{place.local(name)}': '{one}'" for name, one in sorted(conditions.items()))
    return {"additional_table_filters": f"{{{said}}}"}


SHARDED = os.environ.get("YUTANG_TEST_CLUSTER", "")
"""The cluster on which a run of tests has its warehouses: none, `one` or `two`."""


def url_of(database: str, cluster: str = "") -> str:
    """The address of a warehouse in this process's ClickHouse."""
    clustered = f"&cluster={cluster}" if cluster else ""
    return f"chdb://{_directory()}?database={database}&config={_directory()}/cluster.xml{clustered}"


def fresh_clickhouse(migrations: Sequence[Migration] | None = None, cluster: str = "") -> ClickHouse:
    """An empty, migrated warehouse of one's own on ClickHouse's engine. The caller closes it."""
    return _opened(url_of(f"pond_{next(_numbers)}", cluster or SHARDED), migrations=migrations)


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
    url = url_of(f"of_{sha256(str(path).encode()).hexdigest()[:16]}", SHARDED)
    if url not in _copied:
        _copy(_untouched(), address_of(url).place)
        _copied.add(url)
    return _opened(url)


@cache
def _untouched() -> ClickHouse:
    made = fresh_clickhouse()
    atexit.register(made.close)
    return made


def _copy(first: ClickHouse, place: Place) -> None:
    """A database as migrations left it: to take each of them again would cost more than most tests."""
    tables = {name: first._shape.tables[name] for name in first.tables}
    texts = [f"CREATE DATABASE `{place.database}`", *layout.writes_table(place)]
    texts += [text for name, columns in tables.items() for text in layout.creations(place, name, columns)]
    versions = ", ".join([*tables["schema_version"].names, "born", "gone"])
    for name, columns in ((WRITES, "said, number, state, at"), ("schema_version", versions)):
        local = place.local(name)
        texts.append(f"INSERT INTO {place.named(local)} ({columns}) SELECT {columns} FROM {first.place.named(local)}")
    for text in texts:
        first.tell(text)


def beside(
    other: ClickHouse, migrations: Sequence[Migration] | None = None, *, alone: Alone = nullcontext
) -> ClickHouse:
    """Another connection to the same warehouse, as another process has it; by itself it waits for nobody."""
    return _opened(url_of(other.place.database, other.place.cluster), alone, migrations)


def _opened(url: str, alone: Alone = alone_here, migrations: Sequence[Migration] | None = None) -> ClickHouse:
    address = address_of(url)
    if address.place.cluster == "two":
        return TwoShards(address, alone, shipped() if migrations is None else tuple(migrations))
    return open_clickhouse(url, alone=alone, migrations=migrations)


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
_copied: set[str] = set()


@cache
def _directory() -> str:
    folder = tempfile.TemporaryDirectory(prefix="chdb-")
    atexit.register(folder.cleanup)
    directory = os.path.realpath(folder.name)  # chdb compares names of directories as they are written
    (Path(directory) / "cluster.xml").write_text(CLUSTER)
    return directory


def connected() -> Connection:
    """The engine itself, as whoever speaks for a server has it. The caller closes it."""
    options = urlencode({"config-file": f"{_directory()}/cluster.xml"})
    import chdb  # 0.3 s, and most processes of the suite never ask it

    return chdb.connect(f"{_directory()}?{options}")


@cache
def _session() -> Connection:
    session = connected()
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

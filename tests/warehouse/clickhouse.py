"""ClickHouse's own engine, in process (chdb), for showing that one SQL text serves both."""

from __future__ import annotations

import atexit
import math
import tempfile
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from chdb.session import Session
from sqlglot import exp

from tests.warehouse.fixtures import empty, fresh_warehouse, schemas
from yutang.warehouse import dialects
from yutang.warehouse.contracts import Statement, Warehouse


def run_on_clickhouse(statement: Statement, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run one SELECT on ClickHouse's engine over these tables; stored tables that are not given are empty."""
    session = _session()
    for name, wanted in _asked(statement, tables).items():
        if _loaded.get(name) is not wanted:
            _create(session, name, wanted)
            _loaded[name] = wanted
    answer = session.query(dialects.to_clickhouse(statement), "ArrowStream")
    return pa.ipc.open_stream(answer.bytes()).read_all()


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


@cache
def _session() -> Session:
    session = Session()
    for name, value in dialects.CLICKHOUSE_SETTINGS.items():
        session.query(f"SET {name} = '{value}'")
    session.query("CREATE DATABASE pond")
    session.query("USE pond")
    return session


@cache
def _warehouse() -> Warehouse:
    folder = tempfile.TemporaryDirectory()
    warehouse = fresh_warehouse(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(warehouse.close)
    return warehouse


def _create(session: Session, name: str, arrow_table: pa.Table) -> None:
    columns = ", ".join(f"`{field.name}` {_type(field.type)}" for field in arrow_table.schema)
    session.query(f"DROP TABLE IF EXISTS pond.`{name}`")
    session.query(f"CREATE TABLE pond.`{name}` ({columns}) ENGINE = Memory")
    if arrow_table.num_rows:  # chdb finds `arrow_table` among the variables of its caller
        session.query(f"INSERT INTO pond.`{name}` SELECT * FROM Python(arrow_table)")


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"Array({_type(kind.value_type)})"
    if pa.types.is_decimal(kind):
        return f"Nullable(Decimal({kind.precision}, {kind.scale}))"
    if pa.types.is_timestamp(kind):
        return "Nullable(DateTime64(6, 'UTC'))"
    names = {"string": "String", "bool": "Bool", "double": "Float64", "float": "Float32", "date32[day]": "Date32"}
    return f"Nullable({names.get(str(kind)) or str(kind).replace('uint', 'UInt').replace('int', 'Int')})"


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

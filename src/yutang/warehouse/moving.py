"""From one warehouse into another, on whatever engines: part by part, each once, and then proven equal.

The parts of a table are ranges of one of its numbers, so that they are the same when the move is taken up again; each
is written with its own marker. The proof reads both warehouses whole: of every part the number of rows, and the sum of
their hashes, which does not mind their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from yutang.kernel.errors import Refused
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.schema import shipped
from yutang.warehouse.shape import shape_of

PART = 200_000
"""About how many rows are carried at once."""

BUCKETS = 4_096
NOT_MOVED = ("schema_version", "moved")
_BY = ("person", "birth", "touch", "plan", "slice", "import_id", "node")
_BEGUN = "begun"

Progress = Callable[[str, int, int], None]
"""Told of a stage (`moving`, `proving`), how many rows are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a table's rows: a range of a number, those that have none, or all."""

    table: str
    column: str = ""
    low: int | None = None
    high: int | None = None

    @property
    def name(self) -> str:
        """The marker that says it was moved."""
        return f"{self.table}:{self.column}:{self.low}:{self.high}"

    def rows(self) -> Statement:
        """The question for its rows."""
        text = f"SELECT * FROM {self.table}"
        if not self.column:
            return Statement(text, name=f"move {self.table}")
        if self.low is None:
            return Statement(f"{text} WHERE {self.column} IS NULL", name=f"move {self.table}")
        bounds = {"low": self.low, "high": self.high}
        return Statement(f"{text} WHERE {self.column} >= $low AND {self.column} <= $high", bounds, {}, self.table)


@dataclass(frozen=True, slots=True)
class Moved:
    """A table as both warehouses hold it: rows here and there, and whether every part is equal."""

    table: str
    rows: int
    rows_there: int
    equal: bool


def move(source: Warehouse, target: Warehouse, told: Progress) -> list[Moved]:
    """Copy every table into an empty warehouse, or go on where that was broken off, and prove that both are equal.

    Nothing may write to either meanwhile; what was written all the same is found by the proof, and named. Raises
    Refused where the target holds something else.
    """
    shape = shape_of(shipped())
    tables = [name for name in shape.tables if name not in NOT_MOVED]
    _begin(target, tables)
    parts = {table: list(_parts(source, table, shape.tables[table])) for table in tables}
    total = sum(rows for several in parts.values() for _part, rows in several)
    done = 0
    for several in parts.values():
        for part, rows in several:
            _carry(source, target, part, rows)
            done += rows
            told("moving", done, total)
    result, done = [], 0
    for table, several in parts.items():
        equal, here, there = True, 0, _count(target, table)
        for part, rows in several:
            left, right = _digest(source.query(part.rows())), _digest(target.query(part.rows()))
            equal, here, done = equal and left == right, here + left[0], done + rows
            told("proving", done, total)
        result.append(Moved(table, here, there, equal and here == there))
    if all(one.equal for one in result):
        target.write([Statement("DELETE FROM moved")])
    return result


def _begin(target: Warehouse, tables: list[str]) -> None:
    marked = Statement("SELECT EXISTS (SELECT 1 FROM moved WHERE part = $part)", {"part": _BEGUN})
    if target.query(marked).column(0)[0].as_py():
        return
    full = [table for table in tables if _count(target, table)]
    if full:
        raise Refused(
            f"目标仓库里已有数据（{'、'.join(full)}），只能搬进空的仓库。请换一个数据库，或先清空它。",
            f"The warehouse to move into is not empty ({', '.join(full)}). Name another database, or empty it first.",
        )
    target.write([Statement("INSERT INTO moved VALUES ($part, 0)", {"part": _BEGUN})], unless=marked)


def _count(warehouse: Warehouse, table: str) -> int:
    return int(warehouse.query(Statement(f"SELECT count(*) AS n FROM {table}"))["n"][0].as_py())


def _parts(source: Warehouse, table: str, columns: pa.Schema) -> Iterator[tuple[Part, int]]:
    """The parts of a table, and about how many rows each has."""
    rows = _count(source, table)
    column = next((name for name in _BY if name in columns.names), "")
    if rows <= PART or not column:
        yield Part(table), rows
        return
    asked = f"SELECT min({column}) AS low, max({column}) AS high, count({column}) AS known FROM {table}"
    found = source.query(Statement(asked)).to_pylist()[0]
    if found["known"] < rows:
        yield Part(table, column), rows - found["known"]
    if not found["known"]:
        return
    low, high = found["low"], found["high"]
    width = (high - low) // BUCKETS + 1
    counted = (
        f"SELECT CAST(floor(CAST({column} AS DOUBLE) / $width) AS BIGINT) AS bucket, count(*) AS n "
        f"FROM {table} WHERE {column} IS NOT NULL GROUP BY bucket ORDER BY bucket"
    )
    begins, held = low, 0
    for row in source.query(Statement(counted, {"width": float(width)})).to_pylist():
        n, edge = row["n"], row["bucket"] * width
        if held and held + n > PART and begins < edge <= high:
            yield Part(table, column, begins, edge - 1), held
            begins, held = edge, 0
        held += n
    yield Part(table, column, begins, high), held


def _carry(source: Warehouse, target: Warehouse, part: Part, rows: int) -> None:
    if not rows:
        return
    marked = Statement("SELECT EXISTS (SELECT 1 FROM moved WHERE part = $part)", {"part": part.name})
    if target.query(marked).column(0)[0].as_py():
        return
    found = source.query(part.rows())
    insert = f"INSERT INTO {part.table} BY NAME SELECT * FROM moved_rows"
    target.write(
        [
            Statement(insert, tables={"moved_rows": found}),
            Statement("INSERT INTO moved VALUES ($part, $rows)", {"part": part.name, "rows": found.num_rows}),
        ],
        unless=marked,
    )


def _digest(rows: pa.Table) -> tuple[int, int]:
    """How many rows, and the sum of their hashes."""
    with duckdb.connect(":memory:", config={"threads": 1, "python_enable_replacements": False}) as connection:
        connection.register("moved_rows", rows)
        names = ", ".join(f'"{name}"' for name in rows.column_names)
        text = f"SELECT count(*), coalesce(sum(CAST(hash(row({names})) AS HUGEINT)), 0) FROM moved_rows"
        count, total = connection.execute(text).fetchall()[0]
        return int(count), int(total)

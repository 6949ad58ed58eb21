"""The warehouse's tables without a row, in DuckDB's memory: what a statement is, before another engine runs it.

DuckDB's migrations are the one source of tables and columns. By running a statement on the empty tables first, another
engine knows its parameters, the types of its answer and what is wrong with it, in DuckDB's own words.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import cache

import duckdb
import pyarrow as pa

from yutang.warehouse import schema
from yutang.warehouse.contracts import Statement
from yutang.warehouse.duck import bilingual, execute, select

MOST_REMEMBERED = 1_000
"""Texts whose answers' types are remembered: those of a page come again and again."""


class Shape:
    """Safe to call from any thread."""

    def __init__(self, migrations: Sequence[schema.Migration]) -> None:
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": 1,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
            },
        )
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self._connection.execute(schema.VERSIONS)
        self._guard = threading.Lock()
        self._answers: dict[object, pa.Schema] = {}
        self.steps = [_tables(self._connection)]
        """The tables before the first migration, and after each."""
        for step in migrations:
            self._connection.execute(step.sql)
            self.steps.append(_tables(self._connection))
        self.tables = self.steps[-1]

    def answer(self, statement: Statement) -> pa.Schema:
        """The columns that DuckDB would answer with. Raises BadInput for what is no SELECT."""
        key = (
            statement.text(),
            tuple((name, _kind(value)) for name, value in statement.params.items()),
            tuple(
                (name, tuple(zip(t.schema.names, t.schema.types, strict=True))) for name, t in statement.tables.items()
            ),
        )
        found = self._answers.get(key)
        if found is None:
            with self._cursor() as cursor, bilingual(statement):
                found = select(cursor, _without_rows(statement)).schema
            with self._guard:
                if len(self._answers) >= MOST_REMEMBERED:
                    self._answers.clear()
                self._answers[key] = found
        return found

    @contextmanager
    def rehearsal(self) -> Iterator[Rehearsal]:
        """A write of which nothing stays."""
        with self._cursor() as cursor:
            cursor.begin()
            try:
                yield Rehearsal(cursor)
            finally:
                cursor.rollback()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


@cache
def shape_of(migrations: tuple[schema.Migration, ...]) -> Shape:
    """The shape after these migrations, made once."""
    return Shape(migrations)


class Rehearsal:
    """One statement of a write after the other, on tables without rows."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.made: set[str] = set()
        """The temporary tables that it made."""

    def answer(self, statement: Statement) -> pa.Schema:
        """The columns of a SELECT inside the write."""
        empty = _without_rows(statement)
        with bilingual(statement):
            found = select(self._cursor, empty).schema
            for name in empty.tables:
                self._cursor.unregister(name)
        return found

    def run(self, statement: Statement) -> None:
        """The statement itself, so that the next one finds the tables that it makes."""
        with bilingual(statement):
            execute(self._cursor, _without_rows(statement))

    def columns(self, table: str) -> pa.Schema:
        """The columns of a table as it stands now, one of this write's own included."""
        return _schema(self._cursor, table)


def _schema(connection: duckdb.DuckDBPyConnection, table: str) -> pa.Schema:
    return connection.sql(f'SELECT * FROM "{table}" LIMIT 0').to_arrow_table().schema  # noqa: S608 – a name of ours


def _tables(connection: duckdb.DuckDBPyConnection) -> Mapping[str, pa.Schema]:
    names = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
    return {name: _schema(connection, name) for (name,) in names}


def _without_rows(statement: Statement) -> Statement:
    return replace(statement, tables={name: table.slice(0, 0) for name, table in statement.tables.items()})


def _kind(value: object) -> object:
    """What of a parameter the types of an answer hang on: a Decimal's width comes from its digits."""
    match value:
        case Decimal():
            return value
        case list() | tuple():
            return (list, *{_kind(item) for item in value})
    return type(value)

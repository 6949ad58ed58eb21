"""Rows in and out of the operational store by the hundred thousand: one statement per batch, never one per row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any

import pyarrow as pa
from django.db import connection, models
from django.db.models.constants import OnConflict

_NAIVE = pa.timestamp("us")
CHUNK = 20_000  # values in one IN list; SQLite takes 32,766 parameters by default


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """The values in lists of at most `size`."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


@lru_cache(maxsize=1)
def vendor() -> str:
    """Which database this is. Asked once: to ask the connection costs as much as to insert a row."""
    return str(connection.vendor)


@lru_cache(maxsize=4096)  # bulk loads say the same few times again and again
def stored_time(at: datetime | None) -> Any:
    """An aware time as this database keeps it."""
    if at is not None and at.tzinfo is UTC and vendor() == "sqlite":
        return str(at.replace(tzinfo=None))  # what Django comes to, in a tenth of the time
    return connection.ops.adapt_datetimefield_value(at)


def insert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    key: Sequence[str] = (),
    update: Sequence[str] = (),
) -> None:
    """Insert rows of values prepared for the database. A row whose `key` exists has `update` set, or is passed over."""
    quote = connection.ops.quote_name
    head = connection.ops.insert_statement(on_conflict=OnConflict.IGNORE if key and not update else None)
    text = (
        f"{head} {quote(model._meta.db_table)} ({', '.join(map(quote, columns))}) "
        f"VALUES ({', '.join(['%s'] * len(columns))})"
    )
    if update:
        changes = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in update)
        text += f" ON CONFLICT ({', '.join(map(quote, key))}) DO UPDATE SET {changes}"
    elif key:
        text += " " + connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
    with connection.cursor() as cursor:
        for part in chunks(rows):
            cursor.executemany(text, part)


def insert_returning(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    key: Sequence[str],
    fill: str,
    returning: Sequence[str],
) -> Iterator[tuple[Any, ...]]:
    """Insert rows; one whose `key` exists has its column `fill` set where that was null. Gives those that changed."""
    quote = connection.ops.quote_name
    table, filled = quote(model._meta.db_table), quote(fill)
    head = f"INSERT INTO {table} ({', '.join(map(quote, columns))}) VALUES "  # noqa: S608 – names of ours
    tail = (
        f" ON CONFLICT ({', '.join(map(quote, key))}) DO UPDATE SET {filled} = excluded.{filled} "
        f"WHERE {table}.{filled} IS NULL RETURNING {', '.join(map(quote, returning))}"
    )
    row = f"({', '.join(['%s'] * len(columns))})"
    with connection.cursor() as cursor:
        for part in chunks(rows, CHUNK // len(columns)):
            cursor.execute(head + ", ".join([row] * len(part)) + tail, [value for one in part for value in one])
            yield from cursor.fetchall()


def update(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Set the columns of rows by id; each row is the columns' values, prepared for the database, and then the id."""
    quote = connection.ops.quote_name
    changes = ", ".join(f"{quote(name)} = %s" for name in columns)
    with connection.cursor() as cursor:
        for part in chunks(rows):
            cursor.executemany(f"UPDATE {quote(model._meta.db_table)} SET {changes} WHERE id = %s", part)  # noqa: S608


def select(
    model: type[models.Model], columns: Sequence[str], column: str, wanted: Iterable[Any]
) -> Iterator[tuple[Any, ...]]:
    """The columns of rows whose `column` is among `wanted`, as the database keeps them (times are text in SQLite)."""
    quote = connection.ops.quote_name
    table, wanted_column = quote(model._meta.db_table), quote(column)
    head = f"SELECT {', '.join(map(quote, columns))} FROM {table} WHERE {wanted_column} IN "  # noqa: S608
    with connection.cursor() as cursor:
        for part in chunks(wanted):
            cursor.execute(f"{head}({', '.join(['%s'] * len(part))})", part)
            yield from cursor.fetchall()


def delete(model: type[models.Model], column: str, wanted: Iterable[Any]) -> None:
    """Delete the rows whose `column` is among `wanted`. Nothing that refers to them is looked after."""
    quote = connection.ops.quote_name
    head = f"DELETE FROM {quote(model._meta.db_table)} WHERE {quote(column)} IN "  # noqa: S608 – names of ours
    with connection.cursor() as cursor:
        for part in chunks(wanted):
            cursor.execute(f"{head}({', '.join(['%s'] * len(part))})", part)


def table(
    model: type[models.Model],
    fields: Sequence[tuple[str, pa.DataType]],
    wanted: Iterable[int] | None,
    key: str = "person_id",
) -> pa.Table:
    """The columns of rows whose `key` is among `wanted` (None: of all), by that key. Times come as aware UTC."""
    quote = connection.ops.quote_name
    names = [name for name, _ in fields]
    given = ", ".join(_plain(quote(name), kind) for name, kind in fields)
    head = f"SELECT {given} FROM {quote(model._meta.db_table)}"  # noqa: S608 – names of ours
    rows: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        if wanted is None:
            cursor.execute(f"{head} ORDER BY {quote(key)}")
            rows = cursor.fetchall()
        else:
            for part in chunks(sorted(wanted)):
                cursor.execute(
                    f"{head} WHERE {quote(key)} IN ({', '.join(['%s'] * len(part))}) ORDER BY {quote(key)}", part
                )
                rows += cursor.fetchall()
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    return pa.table([_typed(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)], names=names)


def _plain(column: str, kind: pa.DataType) -> str:
    """A column as it is read: Django's converter for SQLite makes a datetime of every time, one by one."""
    times_are_text = pa.types.is_timestamp(kind) and vendor() == "sqlite"
    return f"CAST({column} AS TEXT)" if times_are_text else column


def _typed(column: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind) and vendor() == "sqlite":
        return pa.array(column, pa.string()).cast(_NAIVE).cast(kind)
    return pa.array(column, kind)

"""Rows in and out of the operational store by the hundred thousand: one statement per batch, never one per row.

SQLite runs one prepared statement over many rows faster than anything else. PostgreSQL is given each column as one
array (`unnest`), since every row of a prepared statement costs it a message each way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa
from django.db import connection, models

from yutang.kernel.database import is_shared

T = TypeVar("T")
_NAIVE = pa.timestamp("us")
CHUNK = 20_000  # values in one IN list; SQLite takes 32,766 parameters by default


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The values in lists of at most `size`."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


@lru_cache(maxsize=4096)  # bulk loads say the same few times again and again
def stored_time(at: datetime | None) -> Any:
    """An aware time as this database keeps it."""
    if at is not None and at.tzinfo is UTC and not is_shared():
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
    """Insert rows of values prepared for the database. A row whose `key` exists has `update` set, or is passed over;
    of two rows with one key the last counts."""
    quote = connection.ops.quote_name
    table = f"INTO {quote(model._meta.db_table)} ({', '.join(map(quote, columns))})"
    conflict = ""
    if update:
        changes = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in update)
        conflict = f" ON CONFLICT ({', '.join(map(quote, key))}) DO UPDATE SET {changes}"
    elif key:
        conflict = " ON CONFLICT DO NOTHING"
    if is_shared():
        text = f"INSERT {table} SELECT * FROM {_unnest(model, columns)}{conflict}"  # noqa: S608 – names of ours
        if update:  # else PostgreSQL refuses to set one row twice in one statement
            places = [columns.index(name) for name in key]
            rows = {tuple(row[place] for place in places): row for row in rows}.values()
        _by_columns(text, rows)
        return
    text = f"INSERT {table} VALUES ({', '.join(['%s'] * len(columns))}){conflict}"  # noqa: S608
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


def update(
    model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]], *, key: str = "id"
) -> None:
    """Set the columns of rows by id; each row is the columns' values, prepared for the database, and then the id."""
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    if is_shared():
        names = (*columns, key)
        changes = ", ".join(f"{quote(name)} = given.{quote(name)}" for name in columns)
        given = f"{_unnest(model, names)} AS given ({', '.join(map(quote, names))})"
        text = f"UPDATE {table} SET {changes} FROM {given} WHERE {table}.{quote(key)} = given.{quote(key)}"  # noqa: S608
        _by_columns(text, {row[-1]: row for row in rows}.values())
        return
    changes = ", ".join(f"{quote(name)} = %s" for name in columns)
    with connection.cursor() as cursor:
        for part in chunks(rows):
            cursor.executemany(f"UPDATE {table} SET {changes} WHERE {quote(key)} = %s", part)  # noqa: S608


def _by_columns(text: str, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        for part in chunks(rows):
            cursor.execute(text, [_array(column) for column in zip(*part, strict=True)])


def _unnest(model: type[models.Model], columns: Sequence[str]) -> str:
    return f"unnest({', '.join(f'%s::{_kind(model, name)}[]' for name in columns)})"


@lru_cache(maxsize=256)
def _kind(model: type[models.Model], column: str) -> str:
    """A column's type in PostgreSQL. Texts without their length: a cast cuts them, where an insert refuses them."""
    field = next(one for one in model._meta.concrete_fields if one.column == column)
    kind = str(field.db_type(connection))
    return "text" if kind.startswith("varchar") else kind


def _array(values: Iterable[Any]) -> str:
    """The values as PostgreSQL writes an array, which the driver would be ten times longer about."""
    return "{" + ",".join([_ELEMENTS.get(type(value), _wrapped)(value) for value in values]) + "}"


def _wrapped(value: Any) -> str:
    """Bytes that a field has made ready for the driver (`Binary`)."""
    return _ELEMENTS[type(value.obj)](value.obj)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_ELEMENTS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "NULL",
    bool: lambda value: "t" if value else "f",
    int: str,
    float: repr,
    str: _quoted,
    bytes: lambda value: f'"\\\\x{value.hex()}"',
    memoryview: lambda value: f'"\\\\x{value.hex()}"',
    datetime: lambda value: f'"{value.isoformat()}"',
}


def among(model: type[models.Model], column: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """The condition that a column is one of the values, and its parameters."""
    name = connection.ops.quote_name(column)
    if is_shared():
        return f"{name} = ANY(%s::{_kind(model, column)}[])", [_array(values)]
    return f"{name} IN ({', '.join(['%s'] * len(values))})", list(values)


def select(
    model: type[models.Model], columns: Sequence[str], column: str, wanted: Iterable[Any]
) -> Iterator[tuple[Any, ...]]:
    """The columns of rows whose `column` is among `wanted`, as the database keeps them (times are text in SQLite)."""
    quote = connection.ops.quote_name
    head = f"SELECT {', '.join(map(quote, columns))} FROM {quote(model._meta.db_table)} WHERE "  # noqa: S608
    with connection.cursor() as cursor:
        for part in chunks(wanted):
            condition, values = among(model, column, part)
            cursor.execute(head + condition, values)
            yield from cursor.fetchall()


def delete(model: type[models.Model], column: str, wanted: Iterable[Any]) -> None:
    """Delete the rows whose `column` is among `wanted`. Nothing that refers to them is looked after."""
    head = f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)} WHERE "  # noqa: S608 – names of ours
    with connection.cursor() as cursor:
        for part in chunks(wanted):
            condition, values = among(model, column, part)
            cursor.execute(head + condition, values)


def table(
    model: type[models.Model],
    fields: Sequence[tuple[str, pa.DataType]],
    wanted: Iterable[int] | None,
    key: str = "person_id",
    only: tuple[str, Sequence[str]] | None = None,
) -> pa.Table:
    """The columns of rows whose `key` is among `wanted` (None: of all), by that key; `only` those in which a column has
    one of some values. Times come as aware UTC."""
    quote = connection.ops.quote_name
    names = [name for name, _ in fields]
    given = ", ".join(_plain(quote(name), kind) for name, kind in fields)
    head = f"SELECT {given} FROM {quote(model._meta.db_table)}"  # noqa: S608 – names of ours
    few, kept = among(model, *only) if only else ("", [])
    rows: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        if wanted is None:
            cursor.execute(f"{head}{few and f' WHERE {few}'} ORDER BY {quote(key)}", kept)
            rows = cursor.fetchall()
        else:
            for part in chunks(sorted(wanted)):
                condition, values = among(model, key, part)
                cursor.execute(f"{head} WHERE {condition}{few and f' AND {few}'} ORDER BY {quote(key)}", values + kept)
                rows += cursor.fetchall()
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    return pa.table([_typed(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)], names=names)


def _plain(column: str, kind: pa.DataType) -> str:
    """A column as it is read: both drivers would make a datetime of every time, one by one."""
    if not pa.types.is_timestamp(kind):
        return column
    return f"(extract(epoch FROM {column}) * 1000000)::bigint" if is_shared() else f"CAST({column} AS TEXT)"


def _typed(column: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_timestamp(kind):
        return pa.array(column, kind)
    if is_shared():
        return pa.array(column, pa.int64()).cast(_NAIVE).cast(kind)
    return pa.array(column, pa.string()).cast(_NAIVE).cast(kind)

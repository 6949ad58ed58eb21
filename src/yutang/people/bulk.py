"""Rows in and out of the operational store by the hundred thousand: one statement per batch, never one per row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db import connection, models
from django.db.models.constants import OnConflict

CHUNK = 20_000  # values in one IN list; SQLite takes 32,766 parameters by default


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """The values in lists of at most `size`."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


@lru_cache(maxsize=4096)  # bulk loads say the same few times again and again
def stored_time(at: datetime | None) -> Any:
    """An aware time as this database keeps it."""
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

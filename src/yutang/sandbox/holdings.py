"""What a corp's file holds, by family of calls, read from the files of the schema: a new family shows by itself.

A family is called as the first line of its file says (`-- 中文 / English`), or as the file is.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from functools import cache

from yutang.sandbox.store import schema_files

SHOWN = 50
#: What is nobody's to read on a page: it opens something.
SECRET = frozenset({"secret", "token", "ticket", "key", "code", "value"})

_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
_TITLE = re.compile(r"-- (\S[^/\n]*) / (\S[^\n]*)\n")


@dataclass(frozen=True, slots=True)
class Family:
    """A family and its tables."""

    zh: str
    en: str
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The last rows of a table, what opens something hidden."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@cache
def families() -> tuple[Family, ...]:
    """Every family that has tables, in the order of the files."""
    found = []
    for name, text in schema_files():
        stem = name.removesuffix(".sql").lstrip("0123456789_")
        title = _TITLE.match(text)
        zh, en = (title[1], title[2]) if title else (stem, stem)
        if tables := tuple(_TABLE.findall(text)):
            found.append(Family(zh, en, tables))
    return tuple(found)


def counted(con: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table: int(con.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # named in our own schema
        for family in families()
        for table in family.tables
    }


def last_rows(con: sqlite3.Connection, table: str) -> Rows | None:
    """The last rows of a table by its key; None for one that is not there."""
    if not any(table in family.tables for family in families()):
        return None
    cursor = con.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608  # named in our own schema
    columns = tuple(column[0] for column in cursor.description)
    key = [row["name"] for row in con.execute(f"PRAGMA table_info({table})") if row["pk"]]
    order = f" ORDER BY {', '.join(f'{name} DESC' for name in key)}" if key else ""
    rows = con.execute(f"SELECT * FROM {table}{order} LIMIT ?", (SHOWN,)).fetchall()  # noqa: S608
    return Rows(columns, tuple(tuple(_cell(name, row[name]) for name in columns) for row in rows))


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in SECRET:
        return "•••"
    text = str(value)
    return text if len(text) <= 120 else f"{text[:120]}…"

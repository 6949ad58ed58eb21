"""The operational store of a data directory, whichever of the two the suite runs on (`make test-postgres`).

Whoever starts a process of the house asks `environment` for its surroundings: on PostgreSQL each data directory has a
database of its own.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

_DATABASE = {"db", "transactional_db", "django_db"}
SERVER = os.environ.get("YUTANG_DATABASE", "")


def on_postgres() -> bool:
    """Whether this run is on PostgreSQL."""
    return "://" in SERVER


def environment(directory: Path) -> dict[str, str]:
    """What a process needs in order to work on a data directory; its database is made where it is not there."""
    directory = directory.resolve()
    if not on_postgres():
        return {"YUTANG_DATA": str(directory)}
    name = _name(directory)
    with connected(SERVER) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(f"CREATE DATABASE {name}")
    return {"YUTANG_DATA": str(directory), "YUTANG_DATABASE": address(directory)}


@lru_cache(maxsize=1024)
def touches(item: Any) -> bool:
    """Whether a test touches the operational store: by a database fixture, or by a process that it starts on one.

    Who starts such a process asks `environment`: so its module, or one whose things it uses, has this module.
    """
    if _DATABASE & {*item.fixturenames, *(mark.name for mark in item.iter_markers())}:
        return True
    fixtures = [found for several in item._fixtureinfo.name2fixturedefs.values() for found in several]
    ours = [found for found in fixtures if found.func.__module__.startswith("tests.")]
    if any("django_db_blocker" in found.argnames for found in ours):
        return True
    modules = {item.module.__name__, *(found.func.__module__ for found in ours)} - {"tests.conftest"}
    return any(_starts_processes(name) for name in modules)


@lru_cache(maxsize=1024)
def _starts_processes(name: str) -> bool:
    seen: set[str] = set()
    waiting = {name}
    while waiting:
        one = waiting.pop()
        seen.add(one)
        for value in vars(sys.modules[one]).values() if one.startswith("tests.") and one in sys.modules else ():
            other = str(getattr(value, "__module__", "") if not isinstance(value, ModuleType) else value.__name__)
            waiting |= {other} - seen
    return __name__ in seen


def copy(directory: Path, to: Path) -> None:
    """On PostgreSQL: let `to` have the database of `directory` as it is now. (SQLite's is a file among the others.)"""
    if on_postgres():
        with connected(SERVER) as connection:
            left = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(left, [_name(directory.resolve())])  # of processes just killed
            connection.execute(f"DROP DATABASE IF EXISTS {_name(to.resolve())} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {_name(to.resolve())} TEMPLATE {_name(directory.resolve())}")


def address(directory: Path) -> str:
    """Where the database of a data directory is."""
    if not on_postgres():
        return ""
    return urlsplit(SERVER)._replace(path=f"/{_name(directory.resolve())}").geturl()


def _name(directory: Path) -> str:
    return f"pond_{hashlib.sha256(str(directory).encode()).hexdigest()[:20]}"


@contextmanager
def connected(where: str) -> Iterator[Any]:
    """A connection to PostgreSQL of the test's own, each statement for itself."""
    import psycopg

    with closing(psycopg.connect(where, autocommit=True)) as connection:
        yield connection


def rows(directory: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """What the house's store answers (`?` stands for a value), read beside whoever runs."""
    if on_postgres():
        with connected(address(directory)) as connection:
            found: list[tuple[Any, ...]] = connection.execute(sql.replace("?", "%s"), values).fetchall()
            return found
    with closing(sqlite3.connect(directory / "yutang.sqlite3", timeout=20)) as connection:
        return connection.execute(sql, values).fetchall()


def dump(directory: Path) -> dict[str, str]:
    """Every table of the house's store as text. Read only: a WAL that was left stays."""
    if on_postgres():
        with connected(address(directory)) as connection:
            names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            return {name: _text(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for (name,) in names}
    uri = (directory.resolve() / "yutang.sqlite3").as_uri()
    with closing(sqlite3.connect(f"{uri}?mode=ro", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: _text(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for (name,) in names}


def _text(found: list[tuple[Any, ...]]) -> str:
    return "\n".join(
        f"{bytes(value).decode('utf-8', 'replace')} {bytes(value).hex()}"  # by the digits hashes are found
        if isinstance(value, bytes | memoryview)
        else str(value)
        for row in found
        for value in row
    )

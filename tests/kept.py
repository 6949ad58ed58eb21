"""Worlds that many tests begin with: made once a process through the real services, and copied for each test.

To found a brand takes a tenth of a second, and to copy what was kept of it a hundredth.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.db import connection

from tests import stores

NAMES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


@dataclass(frozen=True, slots=True)
class _World:
    rows: tuple[str, ...]
    files: dict[Path, bytes]
    value: Any


_worlds: dict[Hashable, _World] = {}


def made_once(name: Hashable, directory: Path | None, build: Callable[[Path], Any]) -> Any:
    """Have in the operational store, which is empty, and in `directory` what `build` makes there; returns its answer.

    `build` is called once for each `name`, closes what it opens, and makes nothing that depends on where it is. On
    PostgreSQL it is called each time: numbers that are given out there are not those of rows put in by hand.
    """
    if stores.on_postgres():
        return build(directory or Path())
    world = _worlds.get(name)
    if world is None:
        before = _counts()
        with TemporaryDirectory() as folder:
            value = build(Path(folder))
            files = {file.relative_to(folder): file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}
        world = _worlds[name] = _World(_rows(before), files, value)
    else:
        for row in world.rows:
            _execute(row)
    for file, content in world.files.items() if directory else ():
        (directory / file).parent.mkdir(parents=True, exist_ok=True)  # type: ignore[operator]
        (directory / file).write_bytes(content)  # type: ignore[operator]
    return world.value


def _execute(sql: str) -> list[tuple[Any, ...]]:
    """By SQLite's own connection: what Django would make of a value on its way is not what stands there."""
    connection.ensure_connection()
    found: list[tuple[Any, ...]] = connection.connection.execute(sql).fetchall()
    return found


def _counts() -> dict[str, int]:
    return {name: _execute(f'SELECT count(*) FROM "{name}"')[0][0] for (name,) in _execute(NAMES)}


def _rows(before: dict[str, int]) -> tuple[str, ...]:
    """Statements that put in, as they stand, the rows of every table that was empty `before`."""
    rows = []
    for name, count in _counts().items():
        if before[name]:
            assert count == before[name], f"{name} was not empty when a world was begun"
        elif count:
            columns = [row[1] for row in _execute(f'PRAGMA table_info("{name}")')]
            quoted = " || ',' || ".join(f'quote("{column}")' for column in columns)
            values = [f"({row})" for (row,) in _execute(f'SELECT {quoted} FROM "{name}"')]
            rows.append(f'INSERT INTO "{name}" VALUES {",".join(values)}')
    return tuple(rows)

"""What every command shares: the open house, who is asking, and how answers are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import update_wrapper
from typing import Any, Protocol, TypeVar

import click
from rich.console import Console
from rich.table import Table

from yutang.kernel.errors import YutangError
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER, viewer_named
from yutang.warehouse.contracts import Warehouse

F = TypeVar("F", bound=Callable[..., Any])


class OpenHouse(Protocol):
    """What a command sees of the house."""

    warehouse: Warehouse

    def close(self) -> None: ...


@dataclass(slots=True)
class Shell:
    """Set by the composition as the root context's object: how to open the house, and the reader's language."""

    open: Callable[[], OpenHouse]
    language: str
    house: OpenHouse | None = None

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse of the house, opened at first use."""
        if self.house is None:
            self.house = self.open()
        return self.house.warehouse

    def viewer(self, username: str | None) -> Viewer:
        """The viewer that a command acts as: the owner, unless `--as` names a user."""
        _ = self.warehouse
        return viewer_named(username) if username else OWNER


def command(group: click.Group, name: str | None = None, **settings: Any) -> Callable[[F], click.Command]:
    """A command with `--json` and `--as`. The function gets `shell`, `viewer` and its own parameters, and returns
    `(data, lines)`: what `--json` prints, and what people read (a list of lines or rich tables)."""

    def wrap(function: F) -> click.Command:
        @click.option("--json", "as_json", is_flag=True, help="以 JSON 输出 / print JSON")
        @click.option("--as", "as_user", metavar="USER", help="以某个用户的身份 / act as a user")
        @click.pass_obj
        def run(shell: Shell, /, as_json: bool, as_user: str | None, **parameters: Any) -> None:
            try:
                data, lines = function(shell, shell.viewer(as_user), **parameters)
            except YutangError as error:
                fail(error, as_json, shell.language)
            finally:
                if shell.house is not None:
                    shell.house.close()
                    shell.house = None
            show(data, lines, as_json)

        return group.command(name, **settings)(update_wrapper(run, function))

    return wrap


def show(data: object, lines: Sequence[object], as_json: bool) -> None:
    """Print a command's answer."""
    if as_json:
        click.echo(json.dumps(plain(data), ensure_ascii=False, indent=1))
        return
    console = Console(highlight=False)
    for line in lines:
        console.print(line)


def fail(error: YutangError, as_json: bool, language: str) -> None:
    """Print an error's one sentence and exit with 1."""
    if as_json:
        click.echo(json.dumps({"error": {"zh": error.zh, "en": error.en}}, ensure_ascii=False))
    else:
        click.echo(error.sentence(language), err=True)
    sys.exit(1)


def plain(value: object) -> object:
    """Anything as JSON takes it: money as text, times in ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A plain table for people."""
    grid = Table(box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column)
    for row in rows:
        grid.add_row(*[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row])
    return grid

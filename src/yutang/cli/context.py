"""What every command shares: the open house, who is asking, and how answers are printed."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import update_wrapper
from pathlib import Path, PurePath
from typing import Any, Protocol, TypeVar

import click
from django.db import DatabaseError, transaction
from rich.console import Console
from rich.table import Table

from yutang.intake.reports import BadRows
from yutang.kernel import database
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, OutOfSpace, Refused, Unavailable, YutangError
from yutang.kernel.files import TYPES, written
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER, brand, viewer_named
from yutang.organisation.services import audit, presume_brand
from yutang.warehouse.contracts import Warehouse

F = TypeVar("F", bound=Callable[..., Any])


class OpenHouse(Protocol):
    """What a command sees of the house."""

    warehouse: Warehouse

    def close(self) -> None: ...


AS_JSON = click.option("--json", "as_json", is_flag=True, help="以 JSON 输出 / print JSON")
AS_USER = click.option("--as", "as_user", metavar="USER", help="以某个用户的身份 / act as a user")
LISTS = ("list", "members", "deliveries", "letters")
"""What commands are called that answer with a list: it can be written into a file."""

LISTED = (
    click.option(
        "--format", "file_format", type=click.Choice(tuple(TYPES)), help="写成文件 / write a file of this format"
    ),
    click.option(
        "--output", "file_output", type=click.Path(path_type=Path, dir_okay=False), help="写到哪里 / where to"
    ),
)
Opener = Callable[[], OpenHouse]
"""Opens the house. Decides nothing: an empty data directory is not set up by it."""


@dataclass(slots=True)
class Shell:
    """Set by the composition as the root context's object: how to open the house, and the reader's language.

    `failed`: the answer tells of something that is not in order, so the command ends with 1.
    """

    opener: Opener
    language: str
    house: OpenHouse | None = None
    failed: bool = False

    def said(self, zh: str, en: str) -> str:
        """The one of two sentences that the reader reads."""
        return zh if self.language == "zh" else en

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse of the open house."""
        if self.house is None:
            raise Unavailable("数据目录还没有打开。", "The data directory is not open yet.")
        return self.house.warehouse


def command(
    group: click.Group, name: str | None = None, *, brand_needed: bool = True, **settings: Any
) -> Callable[[F], click.Command]:
    """A command with `--json` and `--as`. The function gets `shell`, `viewer` and its own parameters, and returns
    `(data, lines)`: what `--json` prints, and what people read (a list of lines or rich tables).

    The viewer is the owner, unless `--as` names a user. `brand_needed`: before set-up it is refused. Ends with 0 when
    all is well, with 1 for an error or where `shell.failed` was set, with 2 for words that make no command.
    """

    def wrap(function: F) -> click.Command:
        def run(
            shell: Shell,
            /,
            as_json: bool,
            as_user: str | None,
            file_format: str | None = None,
            file_output: Path | None = None,
            **parameters: Any,
        ) -> None:
            with answering(as_json, shell.language):
                shell.house = shell.opener()
                try:
                    if brand_needed:
                        brand()
                    viewer = viewer_named(as_user) if as_user else OWNER
                    data, lines = function(shell, viewer, **parameters)
                    if file_format is not None:
                        data, lines = _into_file(name or "", data, viewer, file_format, file_output)
                finally:
                    shell.house.close()
                    shell.house = None
            show(data, lines, as_json)
            if shell.failed:
                raise SystemExit(1)

        wrapped = click.pass_obj(update_wrapper(run, function))  # first, since it brings the function's own parameters
        for option in (*(LISTED if name in LISTS else ()), AS_USER, AS_JSON):
            wrapped = option(wrapped)
        return group.command(name, **settings)(wrapped)

    return wrap


def presume() -> None:
    """For commands that begin something: set an empty data directory up with defaults, and say so."""
    from yutang.playbooks.services import keep_shipped

    with transaction.atomic():
        if not presume_brand():
            return
        keep_shipped()
    facts = brand()
    click.echo(
        f"数据目录是空的，已按默认设置（{facts.currency}，{facts.zone}）建好；"
        "运行 yutang up，可在设置页（/set-up/）更正。 "
        f"The data directory was empty; it was set up with defaults ({facts.currency}, {facts.zone}). "
        "Run yutang up to correct them on the set-up page (/set-up/).",
        err=True,
    )


@contextmanager
def answering(as_json: bool, language: str) -> Iterator[None]:
    """Turn every error that a person can put right into its one sentence, and exit with 1."""
    try:
        with _said():
            yield
    except YutangError as error:
        if as_json:
            click.echo(json.dumps(_error_data(error), ensure_ascii=False))
        else:
            click.echo(error.sentence(language), err=True)
        raise SystemExit(1) from None


@contextmanager
def _said() -> Iterator[None]:
    """What the disk and the database say, said as ours."""
    try:
        yield
    except DatabaseError as error:
        found = database.sentence(error)
        if found is None:
            raise
        raise found from error
    except OSError as error:
        text = str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space" in text:
            raise OutOfSpace(
                "磁盘已满，这次写入已全部撤销。请腾出空间后再试。",
                "The disk is full and this write was undone whole. Free some space and try again.",
            ) from error
        if isinstance(error, PermissionError):
            raise Refused(
                f"数据目录不能读写（{text}），请检查磁盘、属主和权限。",
                f"The data directory cannot be read or written ({text}); check the disk, its owner and its mode.",
            ) from error
        raise


def _error_data(error: YutangError) -> dict[str, object]:
    """An error as scripts read it; of a file with bad rows, also how many and where they are told."""
    data: dict[str, object] = {"error": {"zh": error.zh, "en": error.en}}
    if isinstance(error, BadRows):
        data["report"] = plain(error.report)
    return data


def _into_file(
    name: str, data: object, viewer: Viewer, format: str, output: Path | None
) -> tuple[object, list[object]]:
    """A list written into a file, and noted in the audit."""
    if output is None:
        raise BadInput("请用 --output 说明写到哪个文件。", "Say with --output which file to write.")
    rows: Any = plain(data)
    if isinstance(rows, Mapping):
        rows = next((value for value in rows.values() if isinstance(value, list)), [])
    flat = [{key: _flat(value) for key, value in row.items()} for row in rows]
    head = list(dict.fromkeys(key for row in flat for key in row))
    mark = f"{name} · {viewer.name} · {wall_now():%Y-%m-%d %H:%M} UTC"
    audit(viewer, "export", f"{name} (shell)", rows=len(flat), format=format)
    with output.open("wb") as file:
        file.writelines(written(format, head, [[row.get(key) for key in head] for row in flat], mark))
    return {"file": str(output), "rows": len(flat)}, [f"{output} ({len(flat):,})"]


def _flat(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def headquarters_only(viewer: Viewer) -> None:
    """Raise Refused for a viewer who does not run the whole brand: the act concerns all of it."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused(
            "这个命令涉及整个品牌，请用总部运营或所有者的账号。",
            "This command concerns the whole brand; act as its owner or as an operator at headquarters.",
        )


def show(data: object, lines: Sequence[object], as_json: bool) -> None:
    """Print a command's answer."""
    if as_json:
        click.echo(json.dumps(plain(data), ensure_ascii=False, indent=1))
        return
    console = Console(highlight=False)
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


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
    if isinstance(value, Decimal | PurePath):
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

"""What other rooms see of the warehouse: statements, and the two verbs that run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Protocol

import pyarrow as pa
from sqlglot import exp

from yutang.kernel.calendars import naive
from yutang.kernel.errors import BadInput, NotFound


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement in DuckDB's dialect, or a sqlglot expression, with what it needs.

    `params` fill `$name` in the text: int, str, bool, Decimal, float, date, aware datetime (stored as naive UTC
    TIMESTAMP), None, and lists of these. `tables` are Arrow tables that the text may name as if they were the
    warehouse's own; one that bears the name of a stored table hides it. `name` is said in errors.
    """

    sql: str | exp.Expr
    params: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    name: str = ""

    def text(self) -> str:
        """The statement in DuckDB's dialect."""
        return self.sql if isinstance(self.sql, str) else self.sql.sql(dialect="duckdb", identify=True)

    def title(self) -> str:
        """How errors call it: its name, else the start of its text."""
        return self.name or " ".join(self.text().split())[:80]


class Warehouse(Protocol):
    """The columnar store. Safe to call from any thread."""

    def query(self, statement: Statement) -> pa.Table:
        """Run one SELECT beside the writer; it sees one snapshot. TIMESTAMP columns come back naive UTC."""
        ...

    def write(self, statements: Sequence[Statement], *, unless: Statement | None = None) -> bool:
        """Run all statements in one transaction on the one writer thread: all is kept, or nothing.

        `unless` is a SELECT of one boolean, asked in the same transaction: if true, nothing is written and False is
        returned. That is how a thing is written exactly once. Raises OutOfSpace with nothing half-written, and
        Unavailable when the owner process died: whether it was kept is then unknown, and repeating it with its
        `unless` is right.
        """
        ...

    def compact(self) -> None:
        """Write the file anew with what is in it now, so that nothing deleted can be read there. Readers wait for the
        moment in which the files change places."""
        ...

    def close(self) -> None:
        """Let go of the warehouse; calls after this raise Unavailable."""
        ...


def named(
    name: str, params: Mapping[str, object] | None = None, tables: Mapping[str, pa.Table] | None = None
) -> Statement:
    """The statement kept in `src/yutang/<room>/sql/<query>.sql`; `name` is `room/query`. Raises NotFound."""
    return Statement(load_sql(name), params or {}, tables or {}, name)


def sentence(name: str) -> str:
    """What a named query says of itself: its first line, a comment."""
    return load_sql(name).partition("\n")[0].removeprefix("--").strip()


@cache
def load_sql(name: str, dialect: str = "") -> str:
    """The text of a named query. With `dialect`, the text of `<query>.<dialect>.sql`, or "" where none stands."""
    room, _, query = name.rpartition("/")
    try:
        file = resources.files(f"yutang.{room.replace('/', '.')}") / "sql" / f"{query}{dialect and '.' + dialect}.sql"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
    except ModuleNotFoundError:
        text = ""
    if not text and not dialect:
        raise NotFound(f"没有名为「{name}」的查询，请检查名称。", f"There is no query named “{name}”; check the name.")
    if text and not text.startswith("--"):
        raise BadInput(
            f"查询「{name}」的第一行必须是一句注释，说明它回答什么。",
            f"The first line of query “{name}” must be a comment that says what it answers.",
        )
    return text


def bindable(statement: Statement) -> dict[str, object]:
    """The parameters as engines take them: aware datetimes become naive UTC. Raises BadInput naming the parameter."""
    return {name: _bindable(statement, name, value) for name, value in statement.params.items()}


def _bindable(statement: Statement, name: str, value: object) -> object:
    match value:
        case None | bool() | float() | Decimal():
            return value
        case int():  # enumerations too: engines know plain values only
            return int(value)
        case str():
            return str.__str__(value)
        case datetime() if value.tzinfo is not None:
            return naive(value)
        case date() if not isinstance(value, datetime):
            return value
        case list() | tuple():
            return [_bindable(statement, name, item) for item in value]
    raise BadInput(
        f"查询「{statement.title()}」的参数 ${name} 不能是 {type(value).__name__}；时间必须带时区。",
        f"Parameter ${name} of “{statement.title()}” cannot be a {type(value).__name__}; a time must carry its zone.",
    )

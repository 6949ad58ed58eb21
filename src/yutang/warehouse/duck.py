"""One statement on a connection of DuckDB, and what DuckDB says when it cannot."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from yutang.kernel.errors import BadInput, OutOfSpace, Refused, Unavailable
from yutang.warehouse.contracts import Statement, bindable

# DuckDB advises `sql`, which hands over its rows without a copy of them, but binds a statement twice: once to say what
# it answers. Pages ask small questions of many words: a fifth of their time went into that, while a copy of a million
# rows takes a hundredth of a second.
warnings.filterwarnings("ignore", "Arrow output on a DB-API result makes an extra copy")


KEPT = 256  # texts whose statements are kept: to read one of the longer takes 3 ms, as long as many an answer
_known: dict[str, tuple[duckdb.Statement, ...]] = {}


def _parsed(cursor: duckdb.DuckDBPyConnection, text: str) -> tuple[duckdb.Statement, ...]:
    """The statements of a text. They know neither parameters nor connection, and DuckDB copies what it runs of them."""
    found = _known.get(text)
    if found is None:
        found = tuple(cursor.extract_statements(text))
        if len(_known) >= KEPT:
            _known.clear()
        _known[text] = found
    return found


def _prepare(cursor: duckdb.DuckDBPyConnection, statement: Statement) -> tuple[duckdb.Statement, dict[str, object]]:
    """Parse the one statement, and say by name which parameters are missing or unknown."""
    parsed = _parsed(cursor, statement.text())
    if len(parsed) != 1:
        raise BadInput(
            f"「{statement.title()}」应当只有一条语句，实有 {len(parsed)} 条，请分开。",
            f"“{statement.title()}” must be one statement and is {len(parsed)}; split it.",
        )
    wanted = parsed[0].named_parameters
    missing, unknown = sorted(wanted - set(statement.params)), sorted(set(statement.params) - wanted)
    if missing or unknown:
        raise BadInput(
            f"「{statement.title()}」的参数不对：缺少 {_dollars(missing)}，多出 {_dollars(unknown)}。",
            f"“{statement.title()}” has wrong parameters: missing {_dollars(missing)}, unknown {_dollars(unknown)}.",
        )
    for name, table in statement.tables.items():
        cursor.register(name, table)
    return parsed[0], bindable(statement)


def _dollars(names: Sequence[str]) -> str:
    return ", ".join(f"${name}" for name in names) or "—"


def select(cursor: duckdb.DuckDBPyConnection, statement: Statement) -> pa.Table:
    """Run one SELECT. Raises BadInput for anything else."""
    prepared, params = _prepare(cursor, statement)
    if prepared.type != duckdb.StatementType.SELECT:
        raise BadInput(
            f"「{statement.title()}」不是查询；要写入请用 write。",
            f"“{statement.title()}” is not a SELECT; use `write` to write.",
        )
    return cursor.execute(prepared, params).to_arrow_table()


def execute(cursor: duckdb.DuckDBPyConnection, statement: Statement) -> None:
    """Run one statement of a write; its tables are forgotten afterwards."""
    prepared, params = _prepare(cursor, statement)
    if prepared.type == duckdb.StatementType.TRANSACTION:
        raise BadInput(
            "write 自己就是一个事务，语句里不能再有 BEGIN、COMMIT 或 ROLLBACK，请去掉。",
            "`write` is one transaction already; remove BEGIN, COMMIT and ROLLBACK from its statements.",
        )
    cursor.execute(prepared, params)
    for name in statement.tables:
        cursor.unregister(name)


def is_true(marker: Statement, answer: pa.Table) -> bool:
    """What a statement used as `unless` answered. Raises BadInput unless that is one boolean."""
    if answer.num_rows != 1 or answer.num_columns != 1 or not isinstance(answer.column(0)[0].as_py(), bool):
        raise BadInput(
            f"「{marker.title()}」用作 unless，必须只返回一个真假值。",
            f"“{marker.title()}” is used as `unless` and must return exactly one boolean.",
        )
    return bool(answer.column(0)[0].as_py())


@contextmanager
def bilingual(statement: Statement) -> Iterator[None]:
    """Turn DuckDB's errors into ours."""
    try:
        yield
    except PermissionError as error:
        raise Refused(
            f"没有权限写入「{error.filename}」，请检查数据目录的属主和权限。",
            f"“{error.filename}” may not be written; check the owner and mode of the data directory.",
        ) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise out_of_space() from error
    except duckdb.Error as error:
        said = str(error).strip()
        if "No space left" in said or "Disk quota exceeded" in said:
            raise out_of_space() from error
        if isinstance(error, duckdb.OutOfMemoryException):
            raise Unavailable(
                f"「{statement.title()}」需要的内存超过限额，请调高 memory_limit 或缩小范围：{said}",
                f"“{statement.title()}” needs more memory than its limit; raise memory_limit or ask for less: {said}",
            ) from error
        if isinstance(error, duckdb.FatalException | duckdb.InternalException | duckdb.IOException):
            raise Unavailable(
                f"数据仓库出错，请稍后再试；若仍出错请运行 yutang doctor：{said}",
                f"The warehouse failed; try again, and run `yutang doctor` if it goes on: {said}",
            ) from error
        raise cannot_run(statement, said) from error


def cannot_run(statement: Statement, said: str) -> BadInput:
    """The sentence for a statement that an engine does not take."""
    return BadInput(
        f"「{statement.title()}」不能执行，请检查语句与参数：{said}",
        f"“{statement.title()}” cannot run; check its text and parameters: {said}",
    )


def out_of_space() -> OutOfSpace:
    """The sentence for a full disk."""
    return OutOfSpace(
        "磁盘已满，这次写入已全部撤销。请腾出空间后再试。",
        "The disk is full and this write was undone whole. Free some space and try again.",
    )

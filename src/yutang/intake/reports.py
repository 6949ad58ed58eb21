"""What became of a file, and why it was not taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from yutang.kernel.errors import BadInput, YutangError

Progress = Callable[[str, int, int], None]
"""Told now and then: the stage (reading, writing, appending), how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file. `rows` = `accepted` + `refused`; `events` is what the accepted rows are (an order is one).

    Of those events `already_there` had come before (a dry run makes none, and says 0 of both). `persons` counts the
    people of the accepted rows: `persons_known` were in the pond before, `persons_new` were not. `chunks` is in how
    many parts the file was appended. `columns` is which column was which field, `guessed` those told by their name
    alone; `header` the row that named them (0: none did), `sheet` and `encoding` what was read.
    """

    import_id: int
    rows: int = 0
    accepted: int = 0
    refused: int = 0
    events: int = 0
    already_there: int = 0
    persons: int = 0
    persons_new: int = 0
    persons_known: int = 0
    chunks: int = 0
    unknown_stores: tuple[str, ...] = ()
    seconds: float = 0.0
    error_file: Path | None = None
    dry_run: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    header: int = 0
    sheet: str = ""
    encoding: str = ""


class BadRows(BadInput):
    """Some rows of a file cannot be used, and nothing of it was kept. `report` names the error file."""

    def __init__(self, report: ImportReport, first: tuple[int, str, str, str]) -> None:
        row, column, zh, en = first
        where_zh, where_en = (f"的 {column}", f", {column}") if column else ("", "")
        super().__init__(
            f"{report.rows} 行中有 {report.refused} 行不能导入，因此什么都没有导入。第 {row} 行{where_zh}：{zh}。"
            f"逐行原因见 {report.error_file}；改正后再导入，或跳过坏行。",
            f"{report.refused} of {report.rows} rows cannot be used, so nothing was imported. "
            f"Row {row}{where_en}: {en}. "
            f"Every reason is in {report.error_file}; correct them, or skip bad rows.",
        )
        self.report = report


class Cancelled(YutangError):
    """Somebody cancelled an import before anything of it was kept."""

    def __init__(self) -> None:
        super().__init__("导入已取消，什么都没有导入。", "The import was cancelled; nothing was imported.")

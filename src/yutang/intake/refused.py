"""Rows that cannot be used: noted in an error file, where nothing personal is readable."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TextIO

from yutang.intake.parsing import Why

HEADER = ("row", "column", "value", "reason_zh", "reason_en")
SHOWN = 1_000_000


class RefusedRows:
    """Writes the error file of one import. `rows` are the refused rows; a row may be refused for several reasons."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: set[int] = set()
        self.first: tuple[int, str, str, str] | None = None
        self._file: TextIO | None = None
        self._written = 0

    def add(self, row: int, column: str, value: str, zh: str, en: str) -> None:
        """Refuse a row for a column's value."""
        self.rows.add(row)
        if self.first is None or row < self.first[0]:
            self.first = (row, column, zh, en)
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8-sig", newline="")
            csv.writer(self._file).writerow(HEADER)
        if self._written < SHOWN:
            csv.writer(self._file).writerow((row, column, hidden(value), zh, en))
            self._written += 1

    def add_all(self, rows: Iterable[int], column: str, values: Iterable[str], why: Callable[[str], Why]) -> None:
        """Refuse rows, each for the reason that its value gives."""
        for row, value in zip(rows, values, strict=True):
            self.add(row, column, value, *why(value))

    def __enter__(self) -> RefusedRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def hidden(value: str) -> str:
    """A value's first character and its length: any column may hold a name or a phone number by mistake."""
    return value if len(value) < 2 else f"{value[0]}{'*' * min(len(value) - 1, 12)}"

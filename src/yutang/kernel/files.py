"""Rows as a file that people take with them: CSV, Excel, Parquet.

A cell that a spreadsheet could take for a formula is text (OWASP, "CSV Injection"). Nothing is written to disk on the
way: rows may be personal.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from asgiref.sync import sync_to_async

from yutang.kernel.calendars import aware, naive
from yutang.kernel.errors import BadInput

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
"""The formats and their media types."""

MOST_EXCEL_ROWS = 1_048_575
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST_CELL = 32_767
_PORTION = 2_000

Row = Sequence[object]


def written(format: str, head: Row, rows: Iterable[Row], mark: str) -> Iterator[bytes]:
    """The file, in portions. `mark` says who took it and when; it stands where the format has a place for it: in the
    properties of a workbook and in the footer of its prints, in the metadata of Parquet.

    Raises BadInput for more rows than a sheet holds.
    """
    match format:
        case "csv":
            return _csv(head, rows)
        case "xlsx":
            return iter([_xlsx(head, rows, mark)])
        case "parquet":
            return iter([_parquet(head, rows, mark)])
    wrong, known = format[:20], ", ".join(TYPES)
    raise BadInput(f"不能导出成「{wrong}」，可用：{known}。", f"There is no format “{wrong}”; there are {known}.")


async def later(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Portions made in a thread, one when the one before was taken: an ASGI server would otherwise gather them all."""

    def following() -> bytes | None:
        return next(parts, None)

    while (part := await sync_to_async(following)()) is not None:
        yield part


def _csv(head: Row, rows: Iterable[Row]) -> Iterator[bytes]:
    """UTF-8 with its mark, so that Excel opens it as it is."""
    source = iter(rows)
    portion: list[Row] = [head]
    first = True
    while portion:
        text = io.StringIO()
        csv.writer(text).writerows([_cell(cell) for cell in row] for row in portion)
        yield (("\ufeff" if first else "") + text.getvalue()).encode()
        first = False
        portion = list(islice(source, _PORTION))


def _cell(value: object) -> str:
    value = _plain(value)
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case int() | float() | Decimal():
            return str(value)
        case datetime() | date():
            return value.isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def _xlsx(head: Row, rows: Iterable[Row], mark: str) -> bytes:
    """A workbook, row by row; texts are written as texts, whatever they begin with."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(
        buffer, {"constant_memory": True, "in_memory": True, "default_date_format": "yyyy-mm-dd"}
    )
    book.set_properties({"comments": mark})
    sheet: Any = book.add_worksheet()
    sheet.set_footer(f"&C{mark.replace('&', '&&')}")
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    _xlsx_row(sheet, 0, [str(name) for name in head], moment)
    for number, row in enumerate(rows, 1):
        if number > MOST_EXCEL_ROWS:
            raise BadInput(
                f"Excel 一张表至多 {MOST_EXCEL_ROWS:,} 行，请改用 CSV 或 Parquet。",
                f"An Excel sheet holds at most {MOST_EXCEL_ROWS:,} rows; use CSV or Parquet.",
            )
        _xlsx_row(sheet, number, row, moment)
    book.close()
    return buffer.getvalue()


def _xlsx_row(sheet: Any, number: int, row: Row, moment: Any) -> None:
    for column, given in enumerate(row):
        value = _plain(given)
        match value:
            case None:
                continue
            case bool():
                sheet.write_boolean(number, column, value)
            case int() | float() | Decimal() if -(10**15) < value < 10**15:  # 15 digits is what Excel holds, and no NaN
                sheet.write_number(number, column, value)
            case datetime():
                sheet.write_datetime(number, column, naive(aware(value)), moment)
            case date():
                sheet.write_datetime(number, column, datetime.combine(value, datetime.min.time()))
            case _:
                sheet.write_string(number, column, str(value)[:_LONGEST_CELL])


def _parquet(head: Row, rows: Iterable[Row], mark: str) -> bytes:
    """A table with its columns typed where one type fits all of a column's values, else as text."""
    names = _distinct([str(name) for name in head])
    columns = list(zip(*rows, strict=True)) or [() for _ in names]
    table = pa.table({name: _column([_plain(v) for v in values]) for name, values in zip(names, columns, strict=True)})
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"yutang": mark}), buffer, compression="zstd")
    return buffer.getvalue()


def _distinct(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return found


def _column(values: list[object]) -> pa.Array:
    times = [aware(value).astimezone(UTC) if isinstance(value, datetime) else value for value in values]
    try:
        return pa.array(times)
    except pa.ArrowException:
        return pa.array([None if value is None else str(value) for value in values], pa.string())

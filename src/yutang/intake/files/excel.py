"""Excel workbooks, new (.xlsx) and old (.xls): the first sheet in which something stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import python_calamine

from yutang.intake.files.archive import damaged, refuse_bombs
from yutang.intake.files.contracts import HEAD_ROWS, Block, File, Known, Source
from yutang.intake.files.header import find_header, refuse_many_columns
from yutang.intake.files.trial import refuse_what_cannot_be_opened
from yutang.kernel.errors import BadInput

MOST_BYTES = 100 << 20
_ROWS = 16_384
_ZIP = b"PK\x03\x04"


def open_excel(file: File, known: Known) -> Source:
    """The rows of a workbook's first visible sheet with a table. Raises BadInput as `open_source` says.

    The sheet stands in memory whole: `archive` refuses what would not fit.
    """
    if file.size > MOST_BYTES:
        raise BadInput(
            f"{file.name} 超过 100 MB，请另存为 CSV 后再导入。",
            f"{file.name} is larger than 100 MB; save it as CSV and import that.",
        )
    with file.open() as opened:
        if opened.read(4) == _ZIP:
            opened.seek(0)
            refuse_bombs(opened, file.name)
        opened.seek(0)
        refuse_what_cannot_be_opened(opened.read(), file.name)
        opened.seek(0)
        sheet = _sheet(opened, file.name)
    top = (sheet.start or (0, 0))[0]  # rows above the first filled one are not given
    head = [_ended([_text(cell) for cell in row]) for row in islice(sheet.iter_rows(), HEAD_ROWS + 1)]
    refuse_many_columns(max(map(len, head), default=0), file.name)
    header = find_header(head, known, file.name)
    source = Source(header.columns, max(sheet.height - header.row, 0), lambda names: iter(()), "excel",
                    sheet=sheet.name, header=header.row + top)  # fmt: skip
    source.read = lambda names: _blocks(sheet, source, names, header.row)
    return source


def _ended(row: list[str]) -> list[str]:
    """The row without the empty cells at its end: a sheet is as wide as its widest format."""
    width = next((place for place in range(len(row), 0, -1) if row[place - 1].strip()), 0)
    return row[:width]


def _sheet(opened: Any, name: str) -> python_calamine.CalamineSheet:
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(opened)
        for told in book.sheets_metadata:
            if told.typ == python_calamine.SheetTypeEnum.WorkSheet and told.visible == _VISIBLE:
                sheet = book.get_sheet_by_name(told.name)
                if sheet.height > 1 or (sheet.height == 1 and sheet.width > 1):
                    return sheet
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise damaged(name) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how the reader ends on a file that it did not expect
            raise
        raise damaged(name) from error
    raise BadInput(f"{name} 里没有一张有内容的表。", f"No sheet of {name} holds a table.")


_VISIBLE = python_calamine.SheetVisibleEnum.Visible


def _blocks(sheet: python_calamine.CalamineSheet, source: Source, names: Sequence[str], skip: int) -> Iterator[Block]:
    places = [source.columns.index(name) for name in names]
    rows = islice(sheet.iter_rows(), skip, None)
    first = source.header + 1
    while part := list(islice(rows, _ROWS)):
        columns = list(zip(*part, strict=True))
        chosen = [pa.array(list(map(_text, columns[place])), pa.string()) for place in places]
        yield np.arange(first, first + len(part), dtype=np.int64), pa.record_batch(chosen, names=list(names))
        first += len(part)


def _text(cell: Any) -> str:
    """A cell as it would stand in a CSV file: numbers in the 15 digits that Excel keeps, times in ISO form."""
    kind = type(cell)
    if kind is str:
        return str(cell)
    if kind is float:
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.15g}"
    if kind is datetime:
        return str(cell.isoformat(" "))
    if kind is date:
        return str(cell.isoformat())
    if isinstance(cell, time | timedelta | bool | int):
        return str(cell)
    return "" if cell is None else str(cell)

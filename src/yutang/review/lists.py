"""A list of who was targeted when, as people keep it in Excel and save it as CSV. Pure: bytes in, rows out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from yutang.kernel.errors import BadInput, Problem

MOST_BYTES = 20_000_000
MOST_ROWS = 500_000
_NAMES = {
    "member": (
        "member",
        "member_id",
        "member_no",
        "household",
        "household_id",
        "会员号",
        "会员编号",
        "会员",
        "会员卡号",
    ),
    "phone": ("phone", "mobile", "phone_number", "手机号", "手机", "手机号码", "电话"),
    "date": ("date", "day", "sent_at", "targeted_at", "日期", "触达日期", "发送日期", "时间", "发送时间"),
}
_DAY = re.compile(r"(\d{4})[-/.年]\s?(\d{1,2})[-/.月]\s?(\d{1,2})日?(?:[ T].*)?|(\d{4})(\d\d)(\d\d)")


@dataclass(frozen=True, slots=True)
class Listed:
    """One good row: the number of its line in the file, who, and when (None where the file has no date column)."""

    row: int
    value: str
    day: date | None


@dataclass(frozen=True, slots=True)
class TargetList:
    """A list that was read: `kind` is `member` or `phone`; `problems` name the rows that cannot be used."""

    kind: str
    dated: bool
    rows: tuple[Listed, ...]
    problems: tuple[Problem, ...]


def read_list(content: bytes) -> TargetList:
    """The list in a CSV file: UTF-8, UTF-16 or GB18030; commas, semicolons or tabs; a head that names its columns.

    Raises BadInput, with what to do, for a file of another kind or without a usable column.
    """
    table = _rows(_text(content))
    head: list[str] = next(table, [])
    columns = _columns(head)
    kind = "member" if "member" in columns else "phone"
    rows: list[Listed] = []
    problems: list[Problem] = []
    for number, cells in enumerate(table, start=2):
        if number > MOST_ROWS + 1:
            raise BadInput(
                f"名单超过 {MOST_ROWS:,} 行，请拆开。", f"The list has more than {MOST_ROWS:,} rows; split it."
            )
        if not any(cell.strip() for cell in cells):
            continue
        found = _row(number, cells, columns, kind)
        if isinstance(found, Listed):
            rows.append(found)
        else:
            problems.append(found)
    if not rows and not problems:
        raise BadInput("名单里没有数据行，请检查文件。", "The list has no rows; check the file.")
    return TargetList(kind, "date" in columns, tuple(rows), tuple(problems))


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise BadInput(
            f"文件超过 {MOST_BYTES // 1_000_000} MB，请拆开。",
            f"The file is larger than {MOST_BYTES // 1_000_000} MB; split it.",
        )
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadInput(
            "这是 Excel 文件，请在 Excel 里另存为 CSV（UTF-8）再上传。",
            "This is an Excel workbook; save it in Excel as CSV (UTF-8) and upload that.",
        )
    encodings = ["utf-16"] if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise BadInput(
        "看不懂文件的编码，请在 Excel 里另存为 CSV（UTF-8）再上传。",
        "The file's encoding is unknown; save it in Excel as CSV (UTF-8) and upload that.",
    )


def _rows(text: str) -> Iterator[list[str]]:
    line = text.partition("\n")[0]
    delimiter = max(",;\t", key=line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from reader
    except csv.Error:
        raise BadInput(
            f"第 {reader.line_num} 行读不了：某一格太长，或引号没有配对。请修正后再上传。",
            f"Line {reader.line_num} cannot be read: a cell is too long, or a quote is not closed. Put it right first.",
        ) from None


def _columns(head: Sequence[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for index, title in enumerate(head):
        plain = title.strip().casefold().replace(" ", "_")
        for name, known in _NAMES.items():
            if plain in known:
                columns.setdefault(name, index)
    if "member" not in columns and "phone" not in columns:
        shown = "、".join(title.strip()[:20] for title in head[:8]) or "—"
        raise BadInput(
            f"第一行要有「会员号」或「手机号」一列；现在的列是：{shown}。",
            f"The first line needs a column “member” or “phone”; it has: {shown}.",
        )
    return columns


def _row(number: int, cells: Sequence[str], columns: dict[str, int], kind: str) -> Listed | Problem:
    def cell(name: str) -> str:
        spot = columns.get(name, len(cells))
        return cells[spot].strip() if spot < len(cells) else ""

    value = cell(kind)
    if not value or len(value) > 100:
        return Problem(kind, value[:20], "没有会员号或手机号", "there is no member or phone number", number)
    if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", value):
        return Problem(
            kind,
            value,
            "被 Excel 改成了科学计数法，请把这一列设为文本",
            "Excel turned it into scientific notation; format the column as text",
            number,
        )
    if "date" not in columns:
        return Listed(number, value, None)
    day = _day(cell("date"))
    if day is None:
        return Problem(
            "date", cell("date")[:20], "不是日期，应类似 2017-10-30", "it is no date such as 2017-10-30", number
        )
    return Listed(number, value, day)


def _day(text: str) -> date | None:
    found = _DAY.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups() if part is not None)
    try:
        return date(year, month, day)
    except ValueError:
        return None

"""Zip archives that unpack to more than they seem: refused before anything is unpacked into memory."""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import BinaryIO

from yutang.kernel.errors import BadInput

MOST_ENTRIES = 2_000
MOST_BYTES = 1 << 30
MOST_RATIO = 250
"""Sheets are repetitive text: twenty to sixty times smaller is usual, and deflate can do no more than 1,032."""
MOST_CELLS = 24_000_000
"""A sheet stands in memory as a full rectangle, of about 30 bytes a cell, however few of its cells are filled."""
_SMALL = 4 << 20
_PART = 1 << 20
_CELL = re.compile(rb'<(?:\w{1,20}:)?c\s[^>]{0,40}?\br\s{0,8}=\s{0,8}["\']([A-Za-z]{1,3})(\d{1,7})["\']')
_LONGEST = 120  # bytes in which a cell's place stands


def refuse_bombs(opened: BinaryIO, name: str) -> None:
    """Look at what the archive says of itself, then unpack it a part at a time and throw it away. Raises BadInput."""
    try:
        entries = zipfile.ZipFile(opened).infolist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise damaged(name) from error
    said = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES or said > MOST_BYTES:
        raise _bomb(name)
    for entry in entries:
        if entry.file_size > _SMALL and entry.file_size > MOST_RATIO * max(entry.compress_size, 1):
            raise _bomb(name)
    left = MOST_BYTES
    for entry in entries:
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise damaged(name)
        left -= _unpacked(opened, entry, name, left)


def damaged(name: str) -> BadInput:
    """What is said of a file that is no workbook."""
    return BadInput(
        f"{name} 不是 Excel 文件，或已损坏、加了密码。请用 Excel 打开并另存后再导入。",
        f"{name} is no Excel file, or is damaged or has a password. Open it in Excel, save it again, and import that.",
    )


def _unpacked(opened: BinaryIO, entry: zipfile.ZipInfo, name: str, most: int) -> int:
    """How many bytes an entry really is; what it says of itself need not be true."""
    opened.seek(entry.header_offset)
    head = opened.read(30)
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        raise damaged(name)
    opened.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), 1)
    deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    size, left, extent = 0, entry.compress_size, _Extent(name, "worksheets/" in entry.filename)
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while left > 0 and (part := opened.read(min(_PART, left))):
            left -= len(part)
            while part:
                plain = unpack.decompress(part, _PART) if deflated else part
                part = unpack.unconsumed_tail if deflated else b""
                size += len(plain)
                extent.look(plain)
                if size > most or (size > _SMALL and size > MOST_RATIO * max(entry.compress_size, 1)):
                    raise _bomb(name)
    except zlib.error as error:
        raise damaged(name) from error
    return size


class _Extent:
    """How far a sheet reaches, from the places that its cells name."""

    def __init__(self, name: str, of_sheet: bool) -> None:
        self._name, self._of_sheet = name, of_sheet
        self._rows = self._columns = 0
        self._rest = b""

    def look(self, part: bytes) -> None:
        """Look at the next part. Raises BadInput for a sheet that would not fit into memory."""
        if not self._of_sheet:
            return
        text = self._rest + part
        found = _CELL.findall(text)
        if found:
            self._rows = max(self._rows, max(int(row) for _, row in found))
            self._columns = max(self._columns, max(_number(letters) for letters in {column for column, _ in found}))
        if self._rows * self._columns > MOST_CELLS:
            raise BadInput(
                f"{self._name} 的表有 {self._rows:,} 行 × {self._columns:,} 列，太大。请删去空列，或另存为 CSV。",
                f"A sheet of {self._name} reaches over {self._rows:,} rows × {self._columns:,} columns, which is too "
                "large. Remove empty columns, or save it as CSV and import that.",
            )
        self._rest = text[-_LONGEST:]


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + (letter & 31)
    return number


def _bomb(name: str) -> BadInput:
    return BadInput(
        f"{name} 解压后会大得不正常，没有打开。请用 Excel 另存为新文件或 CSV 后再导入。",
        f"{name} would unpack to far more than a workbook holds, and was not opened. "
        "Save it anew from Excel, or as CSV, and import that.",
    )

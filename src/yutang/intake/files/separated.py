"""CSV and TSV in the encodings they come in, whatever stands above the header."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from yutang.intake.files.contracts import (
    BLOCK_BYTES,
    HEAD_ROWS,
    LINE_BYTES,
    Block,
    BrokenRow,
    File,
    Known,
    Rows,
    Source,
)
from yutang.intake.files.header import Header, find_header, refuse_many_columns
from yutang.kernel.errors import BadInput

SEPARATORS = (",", "\t", ";")
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\x84\x31\x95\x33": "gb18030"}


def open_separated(file: File, encoding: str | None, known: Known) -> Source:
    """The rows of a CSV or TSV file. Raises BadInput as `open_source` says."""
    found = encoding or sniff(file)
    with file.open() as opened:
        head = opened.read(LINE_BYTES)
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    records = list(_records(head, len(mark), file.name))
    separator, header = _header(file, [_decoded(file, head[start:end], found) for start, end in records], known)
    begin = records[header.row - 1][1]
    source = Source(header.columns, file.size // 64 + 1, lambda names: iter(()), "csv", found, header=header.row)
    source.read = lambda names: _blocks(file, source, names, separator, begin)
    return source


def sniff(file: File) -> str:
    """`utf-8` or `gb18030`. Raises BadInput for what is neither, and for a line longer than 1 MB."""
    for encoding in ("utf-8", "gb18030"):
        if _decodes(file, encoding):
            return encoding
    raise BadInput(
        f"{file.name} 的编码既不是 UTF-8 也不是 GB18030，请另存为 UTF-8 后再导入。",
        f"{file.name} is neither UTF-8 nor GB18030; save it as UTF-8 and import it again.",
    )


def _decodes(file: File, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    line, length = 1, 0
    with file.open() as opened:
        try:
            while part := opened.read(LINE_BYTES):
                last = part.rfind(b"\n")
                length = length + len(part) if last < 0 else len(part) - last - 1
                line += part.count(b"\n")
                if length > LINE_BYTES:
                    raise _too_long(file, line)
                if b"\0" in part:
                    return False
                if not part.isascii() or decoder.getstate()[0]:  # plain text needs no decoding to be known as such
                    decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _too_long(file: File, line: int) -> BadInput:
    return BadInput(
        f"{file.name} 的第 {line} 行超过 1 MB，不像一张表，请检查换行符。",
        f"Line {line} of {file.name} is longer than 1 MB, which no table is; check its line ends.",
    )


def _records(head: bytes, begin: int, name: str) -> Iterator[tuple[int, int]]:
    """Where the first records stand. A line end within quotes ends none; in neither encoding is a quote or a line end
    part of another character."""
    end_mark = b"\n" if b"\n" in head else b"\r"
    start, looked, quotes, count = begin, begin, 0, 0
    while start < len(head) and count <= HEAD_ROWS:
        end = head.find(end_mark, looked) + 1 or len(head)
        quotes += head.count(b'"', looked, end)
        looked = end
        if quotes % 2 and end < len(head):
            continue
        if quotes % 2:
            raise BadInput(
                f"{name} 的开头有一个引号没有结束，请检查引号。",
                f"A quote at the beginning of {name} is not closed; check its quotes.",
            )
        yield start, end
        start, quotes = end, 0
        count += 1


def _decoded(file: File, record: bytes, encoding: str) -> str:
    try:
        return record.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise BadInput(
            f"{file.name} 不能按 {encoding} 解码，请换一种编码。",
            f"{file.name} cannot be read as {encoding}; name another encoding.",
        ) from None


def _header(file: File, lines: Sequence[str], known: Known) -> tuple[str, Header]:
    """The separator under which most names mean something (else: under which there are most columns), and the header
    under it."""
    tables = {separator: [_cells(line, separator) for line in lines] for separator in SEPARATORS}
    for rows in tables.values():
        refuse_many_columns(max(map(len, rows), default=0), file.name)

    def meaning(separator: str) -> tuple[int, int]:
        rows = tables[separator]
        return max((len({cell.strip() for cell in row if known(cell.strip())}), len(row)) for row in rows)

    separator = max(SEPARATORS, key=meaning)
    return separator, find_header(tables[separator], known, file.name)


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line, newline=""), delimiter=separator), [])
    except csv.Error:  # a cell that is longer than any name
        return [line]


def _blocks(file: File, source: Source, names: Sequence[str], separator: str, begin: int) -> Iterator[Block]:
    first = source.header + 1
    left_out: list[int] = []

    def ragged(row: pa.csv.InvalidRow) -> str:
        number = row.number + source.header
        left_out.append(number)
        found, expected = row.actual_columns, row.expected_columns
        source.broken.append(
            BrokenRow(number, f"应有 {expected} 列，实有 {found} 列", f"it has {found} columns instead of {expected}")
        )
        return "skip"

    try:
        with file.open() as opened:
            opened.seek(begin)
            if not _anything_left(opened, begin):
                return
            reader = pa.csv.open_csv(
                opened,
                read_options=pa.csv.ReadOptions(
                    use_threads=False, block_size=BLOCK_BYTES, encoding=source.encoding, column_names=source.columns
                ),
                parse_options=pa.csv.ParseOptions(
                    delimiter=separator, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=ragged
                ),
                convert_options=pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(source.columns, pa.string()),
                    include_columns=list(names),
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                yield _around(first, batch.num_rows, left_out), batch
                first += batch.num_rows
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise BadInput(
            f"{file.name} 不能按 CSV 读取，请检查引号与分隔符：{type(error).__name__}",
            f"{file.name} cannot be read as CSV; check its quotes and separators ({type(error).__name__}).",
        ) from error


def _anything_left(opened: BinaryIO, begin: int) -> bool:
    there = bool(opened.read(1))
    opened.seek(begin)
    return there


def _around(first: int, count: int, skipped: Sequence[int]) -> Rows:
    """The rows' own numbers, where rows that were left out stand between them. `first` counts without those."""
    rows = np.arange(first, first + count, dtype=np.int64)
    if not skipped:
        return rows
    # Each row left out pushes on what follows: the n-th of them stands before n rows fewer than its number says.
    before = np.sort(np.array(skipped, dtype=np.int64)) - np.arange(len(skipped))
    result: Rows = rows + np.searchsorted(before, rows, side="right")
    return result

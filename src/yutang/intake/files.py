"""Files that people send: CSV in the encodings they come in, and Parquet, read in blocks with row numbers."""

from __future__ import annotations

import codecs
import csv
import errno
import hashlib
import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from django.db import OperationalError

from yutang.kernel.errors import BadInput, NotFound, OutOfSpace

BLOCK_BYTES = 8 << 20
LINE_BYTES = 1 << 20
BLOCK_ROWS = 131_072
Rows = npt.NDArray[np.int64]
Block = tuple[Rows, pa.RecordBatch]


@dataclass(slots=True)
class Source:
    """Rows to be read. `rows` is an estimate. A CSV's rows are numbered as a spreadsheet does (the header is row 1)."""

    columns: list[str]
    rows: int
    blocks: Iterator[Block]
    ragged: list[tuple[int, int, int]] = field(default_factory=list)  # row, columns expected, columns found


def open_source(given: Path | pa.RecordBatchReader, encoding: str | None) -> Source:
    """Open a file by its ending (`.parquet`, else CSV), or a stream of Arrow batches.

    Raises BadInput with one sentence for a file that is empty, not text, in an unknown encoding, with a header that
    names a column twice, or with a line longer than 1 MB; NotFound if it is not there.
    """
    if not isinstance(given, Path):
        return Source(_unique(given.schema.names), 0, _numbered(given, 1))
    if not given.is_file():
        raise NotFound(f"没有文件 {given}。", f"There is no file {given}.")
    if given.stat().st_size == 0:
        raise BadInput(f"文件 {given.name} 是空的。", f"The file {given.name} is empty.")
    return _parquet(given) if given.suffix.lower() in (".parquet", ".pq") else _csv(given, encoding)


def digest(given: Path | pa.RecordBatchReader) -> str:
    """What identifies a file's content; empty for a stream."""
    if not isinstance(given, Path):
        return ""
    with given.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:64]


def _parquet(path: Path) -> Source:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(
            f"{path.name} 不是 Parquet 文件，或已损坏。", f"{path.name} is no Parquet file, or is damaged."
        ) from error
    batches = file.iter_batches(batch_size=BLOCK_ROWS)
    return Source(_unique(file.schema_arrow.names), file.metadata.num_rows, _numbered(batches, 1))


def _numbered(batches: Iterator[pa.RecordBatch], first: int) -> Iterator[Block]:
    for batch in batches:
        yield np.arange(first, first + batch.num_rows, dtype=np.int64), batch
        first += batch.num_rows


def _csv(path: Path, encoding: str | None) -> Source:
    found = encoding or sniff(path)
    names = _header(path, found)
    source = Source(names, path.stat().st_size // 64 + 1, iter(()))
    source.blocks = _csv_blocks(path, found, source)
    return source


def _csv_blocks(path: Path, encoding: str, source: Source) -> Iterator[Block]:
    def ragged(row: pa.csv.InvalidRow) -> str:
        source.ragged.append((row.number, row.expected_columns, row.actual_columns))
        return "skip"

    try:
        reader = pa.csv.open_csv(
            path,
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, encoding=encoding),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=ragged),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(source.columns, pa.string()), strings_can_be_null=False
            ),
        )
        first = 2
        for batch in reader:
            yield _around(first, batch.num_rows, [row for row, _, _ in source.ragged]), batch
            first += batch.num_rows
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise BadInput(
            f"{path.name} 不能按 CSV 读取，请检查引号与分隔符：{type(error).__name__}",
            f"{path.name} cannot be read as CSV; check its quotes and separators ({type(error).__name__}).",
        ) from error


def _around(first: int, count: int, skipped: list[int]) -> Rows:
    """The rows' own numbers, where rows that were left out stand between them. `first` counts without those."""
    rows = np.arange(first, first + count, dtype=np.int64)
    for row in sorted(skipped):
        rows[rows >= row] += 1
    return rows


def _header(path: Path, encoding: str) -> list[str]:
    with path.open("rb") as file:
        line = file.readline(LINE_BYTES)
    text = line.decode("utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding)
    names = next(csv.reader(io.StringIO(text)), [])
    if not any(name.strip() for name in names):
        raise BadInput(f"{path.name} 的第一行应为列名。", f"The first line of {path.name} must name the columns.")
    return _unique(names)


def _unique(names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(
            f"列名「{twice[0]}」出现了两次，请改掉一个。", f"The column “{twice[0]}” stands there twice; rename one."
        )
    return names


def sniff(path: Path) -> str:
    """`utf-8` or `gb18030`. Raises BadInput for what is neither, and for a line longer than 1 MB."""
    _refuse_long_lines(path)
    for encoding in ("utf-8", "gb18030"):
        if _decodes(path, encoding):
            return encoding
    raise BadInput(
        f"{path.name} 的编码既不是 UTF-8 也不是 GB18030，请另存为 UTF-8 后再导入。",
        f"{path.name} is neither UTF-8 nor GB18030; save it as UTF-8 and import it again.",
    )


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while part := file.read(LINE_BYTES):
                if b"\0" in part:
                    return False
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _refuse_long_lines(path: Path) -> None:
    line, length = 1, 0
    with path.open("rb") as file:
        while part := file.read(LINE_BYTES):
            last = part.rfind(b"\n")
            length = length + len(part) if last < 0 else len(part) - last - 1
            line += part.count(b"\n")
            if length > LINE_BYTES:
                raise BadInput(
                    f"{path.name} 的第 {line} 行超过 1 MB，不像一张表，请检查换行符。",
                    f"Line {line} of {path.name} is longer than 1 MB, which no table is; check its line ends.",
                )


def ahead(blocks: Iterator[Block], depth: int = 2) -> Iterator[Block]:
    """The same blocks, the next few read in a thread of its own while one is looked at."""
    with ThreadPoolExecutor(1, thread_name_prefix="import-reader") as reader:
        waiting = deque(reader.submit(next, blocks, None) for _ in range(depth))
        while (block := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(next, blocks, None))
            yield block


@contextmanager
def full_disk_is_said() -> Iterator[None]:
    """Turn every store's way of saying that the disk is full into OutOfSpace."""
    try:
        yield
    except (OSError, OperationalError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if not full and "disk is full" not in str(error) and "No space left" not in str(error):
            raise
        raise OutOfSpace(
            "磁盘已满，这次导入已全部撤销。请腾出空间后再导入。",
            "The disk is full and this import was undone whole. Free some space and import again.",
        ) from error

"""One way to open whatever file was sent."""

from __future__ import annotations

import errno
import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db import OperationalError

from yutang.intake.files.columnar import open_parquet, open_stream
from yutang.intake.files.contracts import Block, File, Known, PlainFile, Source
from yutang.intake.files.json_lines import open_json_lines
from yutang.intake.files.separated import open_separated
from yutang.kernel.database import is_full
from yutang.kernel.errors import BadInput, NotFound, OutOfSpace

ENDINGS = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".parquet", ".pq", ".jsonl", ".ndjson")
Given: TypeAlias = Path | File | pa.RecordBatchReader
_EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def open_source(given: Given, encoding: str | None, known: Known) -> Source:
    """Open a file by its ending (without a known one as CSV), or a stream of Arrow batches.

    Raises BadInput with one sentence for a file that is empty, not of its format, in an unknown encoding, without a
    header, with one that names a column twice, or with a line longer than 1 MB; NotFound if it is not there.
    """
    if isinstance(given, pa.RecordBatchReader):
        return open_stream(given)
    file = as_file(given)
    if file.size == 0:
        raise BadInput(f"文件 {file.name} 是空的。", f"The file {file.name} is empty.")
    ending = Path(file.name).suffix.lower()
    if ending in (".parquet", ".pq"):
        return open_parquet(file)
    if ending in (".jsonl", ".ndjson"):
        return open_json_lines(file)
    if ending in (".xlsx", ".xlsm", ".xls") or _begins(file) in _EXCEL:
        from yutang.intake.files.excel import open_excel  # the reader is loaded by who needs it

        return open_excel(file, known)
    return open_separated(file, encoding, known)


def as_file(given: Path | File) -> File:
    """A path as a file. Raises NotFound."""
    if not isinstance(given, Path):
        return given
    if not given.is_file():
        raise NotFound(f"没有文件 {given}。", f"There is no file {given}.")
    return PlainFile(given)


def digest(given: Given) -> str:
    """What identifies a file's content; empty for a stream."""
    if isinstance(given, pa.RecordBatchReader):
        return ""
    sum_ = hashlib.sha256()
    with as_file(given).open() as opened:
        while part := opened.read(1 << 20):
            sum_.update(part)
    return sum_.hexdigest()


def _begins(file: File) -> bytes:
    with file.open() as opened:
        return opened.read(4)


def filled(block: Block) -> Block:
    """The block without the rows in which nothing stands: a spreadsheet often ends with such."""
    rows, batch = block
    keep = np.zeros(len(rows), dtype=bool)
    for column in batch.columns:
        there = pc.not_equal(column, "") if pa.types.is_string(column.type) else column.is_valid()
        keep |= pc.fill_null(there, False).to_numpy(zero_copy_only=False)
        if keep.all():
            return block
    return rows[keep], batch.filter(pa.array(keep))


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
        if not full and not is_full(error):
            raise
        raise OutOfSpace(
            "磁盘已满，这次导入已全部撤销。请腾出空间后再导入。",
            "The disk is full and this import was undone whole. Free some space and import again.",
        ) from error

"""Parquet files, and streams of Arrow batches from rooms of our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from yutang.intake.files.contracts import BLOCK_ROWS, Block, File, Source
from yutang.intake.files.header import named_apart
from yutang.kernel.errors import BadInput

MOST_BYTES = 1 << 30
"""A row group stands in memory while it is read."""


def open_parquet(file: File) -> Source:
    """The rows of a Parquet file. Raises BadInput for one that is none."""
    opened = file.open()
    try:
        parquet = pq.ParquetFile(opened)
    except (pa.ArrowException, OSError, ValueError) as error:
        opened.close()
        raise _damaged(file) from error

    sizes = (parquet.metadata.row_group(index).total_byte_size for index in range(parquet.num_row_groups))
    if max(sizes, default=0) > MOST_BYTES:
        opened.close()
        raise BadInput(
            f"{file.name} 的一个行组解压后超过 1 GB，请用较小的行组重新写出。",
            f"A row group of {file.name} unpacks to more than 1 GB; write it again with smaller ones.",
        )

    def read(names: Sequence[str]) -> Iterator[Block]:
        with opened:
            try:
                yield from _numbered(parquet.iter_batches(batch_size=BLOCK_ROWS, columns=list(names)))
            except (pa.ArrowException, OSError) as error:
                raise _damaged(file) from error

    return Source(_once(parquet.schema_arrow.names), parquet.metadata.num_rows, read, "parquet")


def open_stream(given: pa.RecordBatchReader) -> Source:
    """Batches as they come."""

    def read(names: Sequence[str]) -> Iterator[Block]:
        yield from _numbered(batch.select(list(names)) for batch in given)

    return Source(_once(given.schema.names), 0, read, "stream")


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[Block]:
    first = 1
    for batch in batches:
        yield np.arange(first, first + batch.num_rows, dtype=np.int64), batch
        first += batch.num_rows


def _once(names: Sequence[str]) -> list[str]:
    """The names as they are: a column is asked for by its name, so each stands there once."""
    return named_apart(names, lambda name: True)


def _damaged(file: File) -> BadInput:
    return BadInput(f"{file.name} 不是 Parquet 文件，或已损坏。", f"{file.name} is no Parquet file, or is damaged.")

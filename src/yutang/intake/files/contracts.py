"""What a file is to whoever reads its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.sealed import open_sealed

BLOCK_BYTES = 8 << 20
BLOCK_ROWS = 131_072
LINE_BYTES = 1 << 20
MOST_COLUMNS = 1_000
HEAD_ROWS = 20
"""A header is looked for in so many rows from the top."""
Rows = npt.NDArray[np.int64]
Block = tuple[Rows, pa.RecordBatch]
Known = Callable[[str], bool]
"""Whether a column of that name means something to whoever reads the file."""


class File(Protocol):
    """A file by its name, its size in bytes, and a way to read it from any place."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def open(self) -> BinaryIO: ...


@dataclass(frozen=True, slots=True)
class PlainFile:
    """A file on the disk of whoever runs the shell."""

    path: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """For reading."""
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file that was uploaded: sealed on the disk, clear only in memory. `name` is what its sender called it."""

    path: Path
    name: str
    size: int
    context: str

    def open(self) -> BinaryIO:
        """For reading, in clear."""
        return open_sealed(self.path, self.context)


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that has no columns to speak of: too many, too few, or no row at all."""

    row: int
    zh: str
    en: str


@dataclass(slots=True)
class Source:
    """Rows to be read. `rows` is an estimate, `header` the row that names the columns (0: the format does that itself).

    Rows are numbered as a spreadsheet does, or from 1 where there is no header. `read` gives the blocks of the columns
    asked for; rows in which nothing stands are no rows. Those in `broken` (known when all was read) are in no block.
    """

    columns: list[str]
    rows: int
    read: Callable[[Sequence[str]], Iterator[Block]]
    format: str = "csv"
    encoding: str = ""
    sheet: str = ""
    header: int = 0
    broken: list[BrokenRow] = field(default_factory=list)

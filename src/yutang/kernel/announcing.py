"""Where the house of a data directory answers, told by the process that answers to commands that run beside it.

The address stands in a file that the process holds a lock on for as long as it lives: a file that nobody holds is what
a killed process left behind, and says nothing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "address"


@contextmanager
def announced(directory: Path, address: str) -> Iterator[None]:
    """Tell the address for as long as this lasts. Of several processes the one that began last is told."""
    with os.fdopen(os.open(directory / NAME, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        file.truncate()
        file.write(address)
        file.flush()
        yield


def told(directory: Path) -> str | None:
    """Where the house answers now; None where nobody does."""
    with suppress(OSError), (directory / NAME).open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read() or None
    return None

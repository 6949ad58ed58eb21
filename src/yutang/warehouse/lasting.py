"""The warehouse of a process that may outlive the owner of the file: when the owner ends, another takes over.

Whoever notices first that the owner is gone opens the file anew: as its owner, or as a client of whoever was quicker.
A question is asked again; a write is not, since nobody can say whether it was kept: it is raised as Unavailable, and
repeated with its marker by whoever wanted it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pyarrow as pa

from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.wire import OwnerGone


class Lasting:
    """A warehouse that opens itself again by `opener` when its owner has gone. Satisfies `Warehouse`."""

    def __init__(self, opener: Callable[[], Warehouse]) -> None:
        self._opener = opener
        self._guard = threading.Lock()
        self._closed = False
        self._now = opener()

    def query(self, statement: Statement) -> pa.Table:
        asked = self._now
        try:
            return asked.query(statement)
        except OwnerGone:
            return self._instead_of(asked).query(statement)

    def write(self, statements: Sequence[Statement], *, unless: Statement | None = None) -> bool:
        asked = self._now
        try:
            return asked.write(statements, unless=unless)
        except OwnerGone:
            self._instead_of(asked)
            raise

    def compact(self) -> None:
        asked = self._now
        try:
            asked.compact()
        except OwnerGone:
            self._instead_of(asked).compact()

    def _instead_of(self, gone: Warehouse) -> Warehouse:
        with self._guard:
            if self._now is gone and not self._closed:
                self._now = self._opener()
            return self._now

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._now.close()

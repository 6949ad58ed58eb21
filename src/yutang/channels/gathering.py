"""Whoever arrives while one writes is written with the next: one commit for all who wait, and one writer at a time.

A hundred callbacks a second that each fought for SQLite's one write lock would stand in one another's way, and in the
pump's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """`write` takes all that wait, in the order of arrival, in one transaction, and returns a result for each.

    Where it fails for several, each is tried alone, so that one bad item spoils no other. `linger`: seconds for which
    whoever writes waits for others first.
    """

    def __init__(self, write: Callable[[Sequence[T]], Sequence[R]], linger: float = 0.0) -> None:
        self._write = write
        self._linger = linger
        self._leading = threading.Lock()
        self._guard = threading.Lock()
        self._waiting: list[tuple[T, Future[R]]] = []

    def __call__(self, item: T) -> R:
        """The item's result once it is written. Raises what writing it raised."""
        mine: Future[R] = Future()
        with self._guard:
            self._waiting.append((item, mine))
        with self._leading:
            if not mine.done():
                time.sleep(self._linger)
                with self._guard:
                    batch, self._waiting = self._waiting, []
                self._write_all(batch)
        return mine.result()

    def _write_all(self, batch: list[tuple[T, Future[R]]]) -> None:
        try:
            results = self._write([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  # raised again by whom it concerns
            if len(batch) > 1:
                for one in batch:
                    self._write_all([one])
            else:
                batch[0][1].set_exception(error)
        else:
            for (_, answer), result in zip(batch, results, strict=True):
                answer.set_result(result)

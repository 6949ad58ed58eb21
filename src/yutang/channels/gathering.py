"""Whoever arrives while one writes is written with the next: one commit for all who wait, and one writer at a time.

A hundred callbacks a second that each fought for SQLite's one write lock would stand in one another's way, and in the
pump's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Slot(Generic[T, R]):
    item: T
    done: bool = False
    result: R | None = None
    error: Exception | None = None


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
        self._waiting: list[_Slot[T, R]] = []

    def __call__(self, item: T) -> R:
        """The item's result once it is written. Raises what writing it raised."""
        mine: _Slot[T, R] = _Slot(item)
        with self._guard:
            self._waiting.append(mine)
        with self._leading:
            if not mine.done:
                time.sleep(self._linger)
                with self._guard:
                    batch, self._waiting = self._waiting, []
                self._write_all(batch)
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # set with `done`, by whoever led

    def _write_all(self, batch: list[_Slot[T, R]]) -> None:
        try:
            results = self._write([slot.item for slot in batch])
        except Exception as error:  # noqa: BLE001  # raised again by whom it concerns
            if len(batch) > 1:
                for slot in batch:
                    self._write_all([slot])
                return
            batch[0].error = error
        else:
            for slot, result in zip(batch, results, strict=True):
                slot.result = result
        for slot in batch:
            slot.done = True

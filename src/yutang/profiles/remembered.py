"""What was asked since profiles were last computed, so that a page opened again does not ask it again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from yutang.profiles.queries import kept_state, parse_refresh
from yutang.warehouse.contracts import Warehouse

T = TypeVar("T")


class Remembered(Generic[T]):
    """The last answers to one question, each for a key, in this process; forgotten when profiles are computed anew.

    For what follows from purchases, events and who is whom: all that changes by nothing but what a refresh takes up.
    Whatever else an answer depends on (the viewer's nodes, a day) belongs in the key.
    """

    def __init__(self, size: int = 64) -> None:
        self._size = size
        self._lock = Lock()
        self._refresh = ""
        self._answers: OrderedDict[Hashable, T] = OrderedDict()

    def answer(self, warehouse: Warehouse, key: Hashable, ask: Callable[[], T]) -> T:
        """The answer kept for a key, or what `ask` says. Before the first refresh nothing is kept."""
        refresh = parse_refresh(kept_state(warehouse))
        with self._lock:
            if refresh != self._refresh:
                self._refresh = refresh
                self._answers.clear()
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        found = ask()
        with self._lock:
            if refresh and refresh == self._refresh:
                self._answers[key] = found
                while len(self._answers) > self._size:
                    self._answers.popitem(last=False)
        return found

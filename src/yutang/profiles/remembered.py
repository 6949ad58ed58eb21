"""What was asked since profiles were last computed, so that a page opened again does not ask it again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from yutang.kernel.clock import monotonic
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


@dataclass(frozen=True, slots=True)
class _Paced(Generic[T]):
    key: Hashable
    refresh: str
    until: float  # by this process's monotonic clock
    value: T


class Paced(Generic[T]):
    """The last answer to one dear question, of each warehouse. Asked anew for another key, and when profiles are
    computed anew; but then only after 20 times as long as it took, or a busy pond would do nothing else. One thread
    asks at a time; the others wait for what it finds.
    """

    REST = 20.0

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: WeakKeyDictionary[Warehouse, _Paced[T]] = WeakKeyDictionary()

    def answer(self, warehouse: Warehouse, key: Hashable, ask: Callable[[], T]) -> T:
        """The answer kept for the key, or what `ask` says."""
        refresh = parse_refresh(kept_state(warehouse))
        with self._lock:
            kept, start = self._kept.get(warehouse), monotonic()
            if kept is not None and kept.key == key and (start < kept.until or (refresh and kept.refresh == refresh)):
                return kept.value
            value = ask()
            end = monotonic()
            self._kept[warehouse] = _Paced(key, refresh, end + self.REST * (end - start), value)
            return value

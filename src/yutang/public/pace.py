"""How often one visitor may ask: a bucket per visitor, in this process's memory, and nothing kept of who they are."""

from __future__ import annotations

import threading
from collections import OrderedDict

from yutang.kernel.clock import monotonic

MOST = 10_000
"""Visitors remembered at once; the one who asked longest ago is forgotten first."""


class Pace:
    """`burst` requests at once, and then `per_minute`."""

    def __init__(self, burst: int, per_minute: float) -> None:
        self._burst, self._rate = float(burst), per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, visitor: str) -> bool:
        """Whether this visitor may ask now; it counts as asked."""
        now = monotonic()
        with self._lock:
            left, at = self._buckets.pop(visitor, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._rate)
            allowed = left >= 1
            self._buckets[visitor] = (left - 1 if allowed else left, now)
            if len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        return allowed

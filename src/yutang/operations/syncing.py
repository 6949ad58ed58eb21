"""Threads that read platforms anew: one for syncs, which may take minutes, and one for hints, which cannot wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from yutang.channels.sync import services as sync
from yutang.channels.sync.contracts import Connections
from yutang.kernel.clock import monotonic, wall_now
from yutang.operations.lanes import until

DUE = 30.0  # wall seconds between two looks at what time alone brings


class SyncLane:
    """Begins syncs when it is time, does those that are asked for, and reads again what callbacks hint at."""

    def __init__(self, connections: Callable[[], Connections]) -> None:
        self._connections = connections
        self._since: datetime = wall_now()
        self._looked = float("-inf")

    def syncs(self, stop: threading.Event) -> None:
        """Do syncs until stopped; one that is under way then stops too, and is gone on with at the next start."""
        until(stop, "syncs", self._one_sync)

    def hints(self, stop: threading.Event) -> None:
        """Work through hints until stopped."""
        until(stop, "hints", lambda stop: not sync.work_hints(self._connections()).idle)

    def _one_sync(self, stop: threading.Event) -> bool:
        if monotonic() - self._looked >= DUE:
            sync.begin_due(self._since)
            self._looked = monotonic()
        return sync.work(self._connections(), stop)

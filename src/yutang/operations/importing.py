"""The importers' lane: what was uploaded is read and kept beside the requests and beside the turn of the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable

from yutang.intake import uploads
from yutang.kernel.clock import monotonic
from yutang.operations.lanes import until
from yutang.warehouse.contracts import Warehouse

TIDY = 3_600.0  # wall seconds between two looks for files that nobody imports


class ImportLane:
    """Imports what was uploaded, one file after another, until stopped. `came` is called after each."""

    def __init__(self, warehouse: Warehouse, came: Callable[[], None]) -> None:
        self._warehouse = warehouse
        self._came = came
        self._tidied = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Import until stopped: the row of what was being done says where it stood."""
        until(stop, "imports", self.once)

    def once(self, stop: threading.Event | None = None) -> bool:
        """Do what waits; nothing is left then."""
        while not (stop is not None and stop.is_set()) and uploads.turn(self._warehouse):
            self._came()
        if monotonic() - self._tidied >= TIDY:
            uploads.forget_old_uploads()
            self._tidied = monotonic()
        return False

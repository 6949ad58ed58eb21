"""The importers' lane: what was uploaded is read and kept beside the requests and beside the turn of the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from django.db import close_old_connections

from yutang.intake import uploads
from yutang.kernel.clock import monotonic
from yutang.kernel.errors import YutangError
from yutang.organisation.queries import is_set_up
from yutang.warehouse.contracts import Warehouse

LOOK = 0.5  # wall seconds between two looks
TIDY = 3_600.0  # wall seconds between two looks for files that nobody imports
_log = structlog.get_logger(__name__)


class ImportLane:
    """Imports what was uploaded, one file after another, until stopped. `came` is called after each."""

    def __init__(self, warehouse: Warehouse, came: Callable[[], None]) -> None:
        self._warehouse = warehouse
        self._came = came
        self._tidied = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """An error is logged and the next look tries again: the row of what was being done says where it stood."""
        while not stop.wait(LOOK):
            try:
                if is_set_up():
                    self.once(stop)
            except YutangError as error:
                _log.warning("imports put off", reason=error.en)
            except Exception:  # noqa: BLE001  # the lane must go on, whatever one file met
                _log.exception("imports failed")
            finally:
                close_old_connections()

    def once(self, stop: threading.Event | None = None) -> None:
        """Do what waits."""
        while not (stop is not None and stop.is_set()) and uploads.turn(self._warehouse):
            self._came()
        if monotonic() - self._tidied >= TIDY:
            uploads.forget_old_uploads()
            self._tidied = monotonic()

"""Threads that read platforms anew: one for syncs, which may take minutes, and one for hints, which cannot wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import close_old_connections

from yutang.channels.sync import services as sync
from yutang.channels.sync.contracts import Connections
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.errors import YutangError
from yutang.organisation.queries import is_set_up

LOOK = 0.5  # wall seconds between two looks
DUE = 30.0  # wall seconds between two looks at what time alone brings
_log = structlog.get_logger(__name__)


class SyncLane:
    """Begins syncs when it is time, does those that are asked for, and reads again what callbacks hint at."""

    def __init__(self, connections: Callable[[], Connections]) -> None:
        self._connections = connections
        self._since: datetime = wall_now()
        self._looked = float("-inf")

    def syncs(self, stop: threading.Event) -> None:
        """Do syncs until stopped; one that is under way then stops too, and is gone on with at the next start."""
        _until(stop, self._one_sync)

    def hints(self, stop: threading.Event) -> None:
        """Work through hints until stopped."""
        _until(stop, lambda stop: not sync.work_hints(self._connections()).idle)

    def _one_sync(self, stop: threading.Event) -> bool:
        if monotonic() - self._looked >= DUE:
            sync.begin_due(self._since)
            self._looked = monotonic()
        return sync.work(self._connections(), stop)


def _until(stop: threading.Event, once: Callable[[threading.Event], bool]) -> None:
    """Do it until stopped, at once again while there was something to do. An error is logged and the next look tries
    again: what was claimed is given up after a while."""
    while not stop.wait(LOOK):
        try:
            if is_set_up():
                while not stop.is_set() and once(stop):
                    pass
        except YutangError as error:
            _log.warning("syncs put off", reason=error.en)
        except Exception:  # noqa: BLE001  # the lane must go on, whatever one look met
            _log.exception("syncs failed")
        finally:
            close_old_connections()

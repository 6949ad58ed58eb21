"""The fast lane's thread: woken by what arrives in this process, looking by itself for what arrived in others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from yutang.kernel import database
from yutang.kernel.errors import YutangError
from yutang.organisation.queries import is_set_up
from yutang.reflex import services as reflex
from yutang.reflex.contracts import WelcomePorts

LINGER = 0.05  # wall seconds for which more is waited for, since ten acts at once cost little more than one
LOOK = 0.25  # wall seconds between two looks when nobody wakes us
_log = structlog.get_logger(__name__)


class ReflexLane:
    """Does what reflex rules want, until stopped. `begin` is called once, in this thread, before the first look."""

    def __init__(self, ports: Callable[[], WelcomePorts], begin: Callable[[], None] | None = None) -> None:
        self._ports = ports
        self._begin = begin

    def run(self, stop: threading.Event) -> None:
        """An error is logged and the next look tries again: what was claimed is given up after a while."""
        begun = self._begin is None
        while not stop.is_set():
            try:
                if is_set_up():
                    if not begun and self._begin is not None:
                        self._begin()
                        begun = True
                    while not stop.is_set() and not (worked := reflex.work(self._ports())).idle:
                        if worked.claimed < reflex.CLAIM:
                            time.sleep(LINGER)
            except YutangError as error:
                _log.warning("reflexes put off", reason=error.en)
            except Exception:  # noqa: BLE001  # the lane must go on, whatever one event met
                _log.exception("reflexes failed")
            finally:
                database.refresh_connection()
            reflex.wait(LOOK)
            time.sleep(LINGER)

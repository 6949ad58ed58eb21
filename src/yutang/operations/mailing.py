"""The thread that sends the letters of the outbox: a slow provider keeps neither the pump nor the clock waiting."""

from __future__ import annotations

import threading

import structlog
from django.db import close_old_connections

from yutang.channels.direct import sending
from yutang.kernel.errors import YutangError
from yutang.organisation.queries import is_set_up

LOOK = 0.5  # wall seconds between two looks
_log = structlog.get_logger(__name__)


def run(stop: threading.Event) -> None:
    """Send until stopped. An error is logged and the next look tries again: what was claimed is given up after a
    while."""
    while not stop.wait(LOOK):
        try:
            if is_set_up():
                while not stop.is_set() and not sending.work().idle:
                    pass
        except YutangError as error:
            _log.warning("letters put off", reason=error.en)
        except Exception:  # noqa: BLE001  # the lane must go on, whatever one letter met
            _log.exception("letters failed")
        finally:
            close_old_connections()

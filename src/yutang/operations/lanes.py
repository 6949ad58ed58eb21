"""Lanes: threads that look again and again for work of one kind, so that none keeps the pump or the clock waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from yutang.channels.direct import sending
from yutang.channels.webhook import services as webhooks
from yutang.kernel import database
from yutang.kernel.errors import YutangError
from yutang.organisation.queries import is_set_up

LOOK = 0.5  # wall seconds between two looks
_log = structlog.get_logger(__name__)


def until(stop: threading.Event, what: str, once: Callable[[threading.Event], bool], pause: float = LOOK) -> None:
    """Do it until stopped, at once again while it says that there was something to do, else after `pause` wall seconds.
    An error is logged and the next look tries again: what was claimed is given up after a while."""
    ready = False
    while not stop.wait(pause):
        try:
            ready = ready or is_set_up()
            if ready:
                while not stop.is_set() and once(stop):
                    pass
        except YutangError as error:
            _log.warning("a lane is put off", lane=what, reason=error.en)
        except Exception:  # noqa: BLE001  # the lane must go on, whatever one look met
            _log.exception("a lane failed", lane=what)
        finally:
            database.refresh_connection()


def letters(stop: threading.Event) -> None:
    """Send what is in the outbox, until stopped."""
    until(stop, "letters", lambda _: not sending.work().idle)


def parcels(stop: threading.Event) -> None:
    """Post events to addresses outside, until stopped."""
    until(stop, "webhooks", lambda _: not webhooks.work().idle)

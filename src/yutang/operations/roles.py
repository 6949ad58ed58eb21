"""What a process of the house does: everything (`up`), or one of the shares that several processes divide it into."""

from __future__ import annotations

import threading
from enum import Enum

import structlog
from django.db import DatabaseError

from yutang.intake import pulses
from yutang.intake.lease import me
from yutang.kernel import database

_log = structlog.get_logger(__name__)


class Share(Enum):
    """`web` answers requests and takes events in. `worker` pumps, hands out and reads back, keeps contact ways and
    profiles, does what reflex rules want, and imports what was uploaded (from the same data directory). `clock` does
    what time alone brings: it moves a stepped clock, decides plans that are due, ends what is over, finds out about
    calls that nobody answered, and tidies."""

    ALL = "up"
    WEB = "web"
    WORKER = "worker"
    CLOCK = "clock"


class Heart:
    """Notes every few seconds that this process is alive, in a thread of its own."""

    def __init__(self, *shares: Share) -> None:
        self._shares = shares
        self._holder = me()

    def run(self, stop: threading.Event) -> None:
        """Beat until stopped, then say so. A beat that fails is logged; the next one tells."""
        while True:
            try:
                for share in self._shares:
                    pulses.beat(self._holder, share.value)
            except DatabaseError as error:
                _log.warning("pulse not noted", reason=str(error))
            finally:
                database.refresh_connection()
            if stop.wait(pulses.EVERY):
                break
        try:
            pulses.fell_silent(self._holder)
        except DatabaseError as error:
            _log.warning("end not noted", reason=str(error))

"""Whose turn it is to write: the threads of this process that write often take turns, first come first served.

SQLite lets one write at a time, and lets the others find out by trying again after a sleep, which is neither fair nor
quick. Whoever waits here sleeps until it is their turn. It is courtesy, not safety: the database's own lock holds.
PostgreSQL lets many write, and nobody waits here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from yutang.kernel.database import is_shared

_guard = threading.Lock()
_waiting: deque[threading.Event] = deque()
_busy = False


@contextmanager
def my_turn() -> Iterator[None]:
    """Hold the turn for one short transaction. Not to be nested."""
    global _busy
    if is_shared():
        yield
        return
    with _guard:
        mine = None
        if _busy:
            mine = threading.Event()
            _waiting.append(mine)
        _busy = True
    if mine is not None:
        mine.wait()
    try:
        yield
    finally:
        with _guard:
            if _waiting:
                _waiting.popleft().set()
            else:
                _busy = False

"""Who is told of events as they arrive, before any pump: the rooms above that must act at once.

A listener runs in the transaction that keeps the events, so what it writes stands or falls with them. It is called for
every event of every door and must look at the type first: most events concern nobody here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from yutang.log.contracts import Event

Listener = Callable[[Sequence[Event]], None]
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have a function called with all events that arrive from now on. Twice is once."""
    if listener not in _listeners:
        _listeners.append(listener)


def announce(events: Sequence[Event]) -> None:
    """Tell the listeners. Every door that writes envelopes calls this in the same transaction."""
    for listener in _listeners:
        listener(events)

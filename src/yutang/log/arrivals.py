"""Who is told of events as they arrive, before any pump: the rooms above that must act at once.

A listener runs in the transaction that keeps the events, so what it writes stands or falls with them. It is called with
the events of the types for which it waits, and of others if they concern another listener: most events concern nobody,
and are never made into objects.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from yutang.log.contracts import Event

Listener = Callable[[Sequence[Event]], None]
Types = Callable[[], Collection[str]]
_listeners: dict[Listener, Types] = {}


def listen(listener: Listener, types: Types) -> None:
    """Have a function called with events that arrive from now on. Twice is once. `types` is asked in every transaction
    that keeps events: for which types of event the function waits now."""
    _listeners[listener] = types


def wanted() -> frozenset[str]:
    """The types of event for which anybody waits."""
    return frozenset().union(*(types() for types in _listeners.values()))


def announce(events: Sequence[Event]) -> None:
    """Tell the listeners. Every door that writes envelopes calls this in the same transaction."""
    if events:
        for listener in _listeners:
            listener(events)

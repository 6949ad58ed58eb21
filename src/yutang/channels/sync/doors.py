"""By which door somebody came. Our contact ways are known by a room above, which says at the start how to ask it."""

from __future__ import annotations

from collections.abc import Callable

WayOf = Callable[[str], str | None]
"""The name of our contact way by the state that the platform says; None for a state that is none of ours."""

_way_of: WayOf | None = None


def install_ways(way_of: WayOf | None) -> None:
    """Ask this for contact ways from now on."""
    global _way_of
    _way_of = way_of


def way_named(state: str | None) -> str | None:
    """The contact way of a state."""
    return _way_of(state) if state and _way_of is not None else None

"""What a sync must ask of rooms above, which say at the start how: by which of our contact ways somebody came, and
which of the sends that a platform lists are ours, or are counted by us already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from yutang.channels.ports.sent import ListedSend
from yutang.organisation.contracts import CorpFacts

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


Ours = Callable[[CorpFacts, Sequence[ListedSend]], Collection[str]]
"""Of the sends that a corp's platform lists, the refs of those that left through the gate, or may have."""

_ours: tuple[Ours, ...] = ()


def install_ours(*ours: Ours) -> None:
    """Ask these rooms for what is theirs from now on."""
    global _ours
    _ours = ours


def ours_among(corp: CorpFacts, sends: Sequence[ListedSend]) -> set[str]:
    """The refs of those of the sends that some room of ours says are its own."""
    return {ref for asked in _ours for ref in asked(corp, sends)} if sends else set()


Counted = Callable[[CorpFacts, str, Sequence[tuple[str, datetime]]], Collection[str]]
"""Of those whom a member reached on their own, and when, the recipients whom we had asked them to contact then: what
they did is in the ledger."""

_counted: tuple[Counted, ...] = ()


def install_counted(*counted: Counted) -> None:
    """Ask these rooms for what they have asked staff to do from now on."""
    global _counted
    _counted = counted


def counted_among(corp: CorpFacts, member: str, reached: Sequence[tuple[str, datetime]]) -> set[str]:
    """Those of the recipients of whom some room of ours says that it counted this touch."""
    return {one for asked in _counted for one in asked(corp, member, reached)} if reached else set()

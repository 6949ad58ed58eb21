"""What somebody's words about consent come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from yutang.people.contracts import ALL_CHANNELS


class Word(NamedTuple):
    """A birth person said yes or no to a purpose on a channel at a time."""

    birth: int
    purpose: str
    channel: str
    granted: bool
    at: datetime


Standing = tuple[bool, datetime]


def effective(words: Iterable[Word]) -> dict[tuple[str, str], Standing]:
    """What counts per (purpose, channel) for one survivor: granted or not, and since when.

    Of a birth person's words on a channel or on `*` the latest counts (of two at one instant, the no). Every birth
    person who said anything must have said yes. A channel that nobody named stands as `*` does.
    """
    latest: dict[str, dict[int, dict[str, Standing]]] = defaultdict(lambda: defaultdict(dict))
    for birth, purpose, channel, granted, at in words:
        said = latest[purpose][birth]
        if channel not in said or _order(granted, at) > _order(*said[channel]):
            said[channel] = (granted, at)
    result: dict[tuple[str, str], Standing] = {}
    for purpose, by_birth in latest.items():
        for channel in {channel for said in by_birth.values() for channel in said}:
            standing = [
                max((said[name] for name in (channel, ALL_CHANNELS) if name in said), key=lambda one: _order(*one))
                for said in by_birth.values()
                if channel in said or ALL_CHANNELS in said
            ]
            refused = [at for granted, at in standing if not granted]
            result[purpose, channel] = (not refused, max(refused or [at for _, at in standing]))
    return result


def _order(granted: bool, at: datetime) -> tuple[datetime, bool]:
    return at, not granted


def consents(standing: dict[tuple[str, str], Standing], purpose: str, channel: str) -> bool:
    """Whether a survivor with these standing words consents to this purpose on this channel."""
    said = standing.get((purpose, channel)) or standing.get((purpose, ALL_CHANNELS))
    return said is not None and said[0]

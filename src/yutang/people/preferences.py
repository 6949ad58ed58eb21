"""What persons said of how they want to be spoken to, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from yutang.people import identity
from yutang.people.contracts import Wish
from yutang.people.models import Preference

_COLUMNS = ("person_id", "topics", "channels", "week", "month", "opens", "closes")


def together(wishes: Iterable[Wish]) -> Wish:
    """The most restrictive of several: what one of them refuses is refused."""
    result = Wish()
    for one in wishes:
        result = Wish(
            result.topics | one.topics,
            result.channels | one.channels,
            _tighter(min, result.week, one.week),
            _tighter(min, result.month, one.month),
            _tighter(max, result.opens, one.opens),
            _tighter(min, result.closes, one.closes),
        )
    return result


def _tighter(choose: Any, one: int | None, other: int | None) -> int | None:
    given = [value for value in (one, other) if value is not None]
    return choose(given) if given else None


def wishes_of(births: Mapping[int, int] | None) -> dict[int, Wish]:
    """What counts for each survivor who said anything; `births` maps birth persons to survivors (None: everybody,
    each by their own number)."""
    said: dict[int, list[Wish]] = defaultdict(list)
    for person, topics, channels, *rest in identity.rows_of(Preference, _COLUMNS, births):
        wish = Wish(frozenset(topics), frozenset(channels), *rest)
        said[person if births is None else births[person]].append(wish)
    return {survivor: together(several) for survivor, several in said.items()}

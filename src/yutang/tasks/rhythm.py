"""How often somebody comes, and what they will need next, from the days on which they bought. Pure.

Everything is said with how much it rests on. Nothing is said of fewer than `LEAST` gaps: the middle of two numbers is
no habit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

LEAST = 3
"""Gaps between days with an order, below which no rhythm is told."""
STEADY = 1.0
"""A rhythm whose middle half of gaps is wider than so many times the usual gap is none."""
DUE, GONE = 0.8, 3.0
"""A need is due from so many usual gaps after the last time on; after so many they rather stopped buying it."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The usual gap in days (the median) and the middle half of `gaps` of them (quartiles, between the two nearest)."""

    usual: float
    low: float
    high: float
    gaps: int
    last: date

    @property
    def steady(self) -> bool:
        """Whether gaps are alike enough to expect the next day from them."""
        return self.high - self.low <= STEADY * self.usual

    @property
    def expected(self) -> tuple[date, date]:
        """Between which days half of the next visits would fall."""
        return self.last + timedelta(days=round(self.low)), self.last + timedelta(days=round(self.high))

    def days_since(self, today: date) -> int:
        """Days since the last time."""
        return (today - self.last).days

    def late_by(self, today: date) -> int:
        """How many days they are later than three in four times; 0 if they are not."""
        return max(0, (today - self.expected[1]).days)


@dataclass(frozen=True, slots=True)
class Need:
    """A category that somebody buys in a rhythm, and that is due."""

    category: str
    rhythm: Rhythm


def rhythm_of(days: Collection[date]) -> Rhythm | None:
    """The rhythm of distinct days, in any order; None of too few."""
    ordered = sorted(set(days))
    gaps = [(later - earlier).days for earlier, later in pairwise(ordered)]
    if len(gaps) < LEAST:
        return None
    low, usual, high = (float(part) for part in np.quantile(gaps, (0.25, 0.5, 0.75)))
    return Rhythm(usual, low, high, len(gaps), ordered[-1])


def next_need(bought: Mapping[str, Collection[date]], today: date) -> Need | None:
    """The category that is most due of those with a steady rhythm of their own; None where none is."""
    due: list[tuple[float, int, Need]] = []
    for category, days in sorted(bought.items()):
        rhythm = rhythm_of(days)
        if rhythm is None or not rhythm.steady:
            continue
        share = rhythm.days_since(today) / rhythm.usual
        if DUE <= share <= GONE:
            due.append((share, rhythm.gaps, Need(category, rhythm)))
    return max(due, key=lambda one: one[:2])[2] if due else None

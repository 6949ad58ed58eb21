"""What numbers of people can tell: rates and returns with their intervals. Pure."""

from __future__ import annotations

from math import sqrt

from yutang.connect.contracts import FEWEST, Interval

Z = 1.96  # 95 %


def wilson(hits: int, of: int) -> Interval:
    """A share with its 95 % score interval (Wilson 1927). `of` is positive."""
    share = hits / of
    centre = (share + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z / (1 + Z * Z / of) * sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def payback(persons: int, spent: float, squares: float, cost: float) -> Interval | None:
    """What came in for each unit that went out, with the interval of the mean spent per person (normal, n ≥ FEWEST).

    None where nothing was spent on the way, or too few came: then it cannot be told.
    """
    if cost <= 0 or persons < FEWEST:
        return None
    variance = max(0.0, (squares - spent * spent / persons) / (persons - 1))
    half = Z * sqrt(variance * persons)
    return Interval(spent / cost, max(0.0, spent - half) / cost, (spent + half) / cost)

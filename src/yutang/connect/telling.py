"""What numbers of people can tell: rates and returns with their intervals, and how a way is told to scripts. Pure."""

from __future__ import annotations

from decimal import Decimal
from math import sqrt

from yutang.connect.contracts import FEWEST, Interval, WayFacts, WayResult

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


def shown(facts: WayFacts, result: WayResult, currency: str) -> dict[str, object]:
    """A way as scripts read it."""
    document = facts.document
    return {
        "name": facts.name,
        "title": {"zh": document.title.zh, "en": document.title.en},
        "version": facts.version,
        "source": document.source,
        "at": document.at,
        "ready": facts.ready,
        "address": f"/w/{facts.slug}/",
        "scans": result.scans,
        "joined": result.joined,
        "kept": result.kept,
        "first_orders": result.firsts,
        "spent": result.spent,
        "cost": result.cost.quantize(Decimal("0.01")),
        "cost_per_head": result.cost_per_head,
        "first_rate": _interval(result.first_rate),
        "payback": _interval(result.payback),
        "currency": currency,
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}

"""What numbers of people can tell: rates and returns with their intervals, and how a way is told to scripts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from math import sqrt

from yutang.channels.ports.inheritance import ACQUISITION
from yutang.connect.contracts import FEWEST, Interval, QuotaOutlook, WayFacts, WayResult

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


def lasts(
    balance: int, expiring: Sequence[tuple[datetime, int]], per_day: float, now: datetime
) -> tuple[float | None, int]:
    """For how many days a quota lasts at so many a day, and how much of it expires unused on the way.

    What expires first is used first, as the platform does; what is in no part does not expire.
    """
    days, lost, rest = 0.0, 0, balance
    for until, count in sorted(expiring):
        open_for = max(0.0, (until - now).total_seconds() / 86_400)
        used = min(count, int((open_for - days) * per_day)) if open_for > days else 0
        lost += count - used
        rest -= count
        if per_day > 0:
            days = max(days, open_for) if used < count else days + count / per_day
    if per_day <= 0:
        return None, lost
    return days + max(0, rest) / per_day, lost


def shown(facts: WayFacts, result: WayResult, currency: str) -> dict[str, object]:
    """A way as scripts read it."""
    document = facts.document
    return {
        "name": facts.name,
        "title": {"zh": document.title.zh, "en": document.title.en},
        "version": facts.version,
        "source": document.source,
        "at": document.at,
        "channel": document.channel,
        "closed": document.closed,
        "ready": facts.ready,
        "links": [code.qr_code for code in facts.codes if code.qr_code and document.channel == ACQUISITION],
        "address": f"/w/{facts.slug}/",
        "scans": result.scans,
        "joined": result.joined,
        "kept": result.kept,
        "lost": result.lost,
        "net": result.net,
        "first_orders": result.firsts,
        "spent": result.spent,
        "cost": result.cost.quantize(Decimal("0.01")),
        "cost_per_head": result.cost_per_head,
        "first_rate": _interval(result.first_rate),
        "payback": _interval(result.payback),
        "currency": currency,
    }


def quota_shown(one: QuotaOutlook) -> dict[str, object]:
    """A quota as scripts read it."""
    return {
        "corp": one.quota.corp,
        "total": one.quota.total,
        "balance": one.quota.balance,
        "expiring": [{"until": until, "count": count} for until, count in one.quota.expiring],
        "read_at": one.quota.read_at,
        "per_day": round(one.per_day, 2),
        "days": None if one.days is None else round(one.days, 1),
        "lost": one.lost,
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}

"""The growth tree and the category advisor as API and shell tell them."""

from __future__ import annotations

from typing import Any

from yutang.review.advisor import Advice
from yutang.review.growth_tree import Branch
from yutang.review.growth_tree_queries import Tree


def told_tree(found: Tree) -> dict[str, Any]:
    """A place's two months, its change by factor, and the places and sources below it."""
    return {
        "at": found.place.code,
        "month": f"{found.month:%Y-%m}",
        "before": f"{found.before:%Y-%m}",
        "running": found.running,
        "as_of": found.as_of.isoformat(),
        "heads": found.heads,
        "total": told_branch(found.root),
        "below": [told_branch(one) for one in found.root.below],
        "sources": [told_branch(one) for one in found.sources],
    }


def told_branch(one: Branch) -> dict[str, Any]:
    """Amounts as text, exact to the cent."""
    return {
        "name": one.name,
        "sales_before": str(one.before.sales),
        "sales": str(one.after.sales),
        "buyers": one.after.buyers,
        "change": str(one.change),
        "parts": {cause.value: str(part) for cause, part in one.parts.items()},
        "new": str(one.new_change),
        "repeat": str(one.repeat_change),
    }


def told_advice(one: Advice) -> dict[str, Any]:
    """What a category is, with the figures and bounds that it came of."""
    measured = one.measured
    return {
        "category": measured.category,
        "kind": one.kind.letter if one.kind else None,
        "exact": one.exact,
        "unknown": one.unknown.value if one.unknown else None,
        "one_off": one.one_off,
        "buyers": measured.buyers,
        "rate": round(measured.rate, 3),
        "rate_low": round(measured.low, 3),
        "rate_high": round(measured.high, 3),
        "price": round(measured.price, 2),
        "again_share": measured.again_share,
        "consulted": measured.consulted,
        "evidence": [
            {"name": row.name, "value": row.value, "bound": row.bound, "level": row.level.value, "close": row.close}
            for row in one.evidence
        ],
    }

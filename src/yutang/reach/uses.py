"""How a content was used, and what the plans that said it brought: read from the ledger, as far as a viewer may."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import sqrt

from yutang.kernel.ids import PlanId
from yutang.organisation.contracts import Viewer
from yutang.reach.contracts import PlanFacts
from yutang.reach.ledger import plan_counts
from yutang.reach.lift import Interval, Lift
from yutang.reach.queries import lift, plans_saying, said_contents
from yutang.warehouse.contracts import Warehouse

MEASURED = 30
"""Plans of one content whose lift is looked at, the newest: each is a query of its own."""


@dataclass(frozen=True, slots=True)
class Use:
    """Which plans used a content, the newest first, and how often it was sent."""

    plans: tuple[PlanId, ...]
    sent: int


@dataclass(frozen=True, slots=True)
class PlanEffect:
    """A plan that said the content; `version` is the one that it said."""

    plan: PlanFacts
    version: int | None
    sent: int
    lift: Lift | None


@dataclass(frozen=True, slots=True)
class Effect:
    """`total` is what all measured plans brought together more than their hold-outs; None where none can tell."""

    plans: tuple[PlanEffect, ...]
    sent: int
    total: Interval | None
    measured: int

    @property
    def tells(self) -> bool:
        """Whether the total is above or below nothing."""
        return self.total is not None and not self.total.low <= 0 <= self.total.high


def uses(warehouse: Warehouse, viewer: Viewer) -> dict[str, Use]:
    """Of every content that a plan named: its plans and how often it was sent, in one query of the ledger."""
    named = said_contents(viewer)
    if not named:
        return {}
    counted = plan_counts(warehouse, list(named))
    found: dict[str, list[PlanId]] = defaultdict(list)
    for plan in sorted(named, reverse=True):
        found[named[plan]].append(plan)
    return {name: Use(tuple(plans), sum(counted[plan].sent for plan in plans)) for name, plans in found.items()}


def effects_of(warehouse: Warehouse, viewer: Viewer, name: str) -> Effect:
    """What the plans that said a content brought, each measured against its own hold-out, and all of them together."""
    found = plans_saying(viewer, name)
    if not found:
        return Effect((), 0, None, 0)
    counted = plan_counts(warehouse, [plan.id for plan in found])
    rows = tuple(
        PlanEffect(
            plan,
            plan.document.message.version,
            counted[plan.id].sent,
            lift(warehouse, viewer, plan.id) if index < MEASURED else None,
        )
        for index, plan in enumerate(found)
    )
    totals = [row.lift.total for row in rows if row.lift is not None and row.lift.total is not None]
    return Effect(rows, sum(row.sent for row in rows), together(totals), len(totals))


def together(totals: list[Interval]) -> Interval | None:
    """The sum of what plans brought. Arms are drawn plan by plan, so their errors are independent and half-widths add
    up in squares."""
    if not totals:
        return None
    value = sum(one.value for one in totals)
    below = sqrt(sum((one.value - one.low) ** 2 for one in totals))
    above = sqrt(sum((one.high - one.value) ** 2 for one in totals))
    return Interval(value, value - below, value + above)

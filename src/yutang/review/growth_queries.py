"""Sales by local month at the stores that a viewer sees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa

from yutang.kernel.calendars import aware, day_start, days_in_month, local_day, naive
from yutang.kernel.clock import business_now
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, Viewer
from yutang.organisation.queries import OWNER, brand
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.review.growth import MonthSales
from yutang.warehouse.contracts import Warehouse, named


def monthly_sales(
    warehouse: Warehouse, viewer: Viewer, tree: Sequence[NodeFacts], place: NodeFacts | None = None
) -> list[MonthSales]:
    """Every local month (the brand's zone) from the first with an order to the current one, none left out.

    `place` narrows to a store, or to the stores of a region; `tree` is the whole tree, parents first. Scope is by where
    an order was placed, not by whose it is: a store's sales are its own, whoever came. Orders at no store, or at one
    that the tree does not know, count only for who sees everything, and only without a `place`.
    """
    everywhere = viewer.sees_all and place is None
    chosen = [] if everywhere else sorted(node for node in inside(tree, place) if viewer.sees(node))
    tables = {"chosen": pa.table({"node": pa.array(chosen, pa.int64())}), "months": months_table(warehouse)}
    params = {"now": business_now(), "everywhere": everywhere}
    rows = warehouse.query(named("review/growth_months", params, tables)).to_pylist()
    known = {row["month"]: MonthSales(**row) for row in rows}
    return [
        known.get(month) or MonthSales(month, 0, 0, Decimal(0))
        for month in tables["months"]["month"].to_pylist()
        if known and month >= min(known)
    ]


def sales_kept(
    warehouse: Warehouse, viewer: Viewer, tree: Sequence[NodeFacts], place: NodeFacts | None = None
) -> Counted[list[MonthSales]]:
    """What `monthly_sales` tells; of the whole brand, which takes long, as it was counted beforehand."""
    if viewer.sees_all and place is None:
        return MONTHS.answer(warehouse)
    return Counted(monthly_sales(warehouse, viewer, tree, place), business_now())


def _this_month() -> date:
    return local_day(business_now(), brand().zone).replace(day=1)


MONTHS: Beforehand[list[MonthSales]] = Beforehand(lambda warehouse: monthly_sales(warehouse, OWNER, ()), _this_month)


def months_table(warehouse: Warehouse) -> pa.Table:
    """Each local month from the first order's to the current one: its first day, and its instants as naive UTC."""
    zone = brand().zone
    first_at = warehouse.query(named("review/first_order")).column(0)[0].as_py()
    current = local_day(business_now(), zone).replace(day=1)
    firsts = [current + timedelta(days=days_in_month(current))]
    while first_at and firsts[-1] > local_day(aware(first_at), zone):
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    firsts.reverse()
    edges = [naive(day_start(first, zone)) for first in firsts]
    instant = pa.timestamp("us")
    columns = {
        "month": pa.array(firsts[:-1], pa.date32()),
        "start": pa.array(edges[:-1], instant),
        "until": pa.array(edges[1:], instant),
    }
    return pa.table(columns)


def inside(tree: Sequence[NodeFacts], place: NodeFacts | None) -> frozenset[NodeId]:
    """A place and every node below it; of no place, the whole tree."""
    if place is None:
        return frozenset(node.id for node in tree)
    found = {place.id}
    for node in tree:
        if node.parent in found:
            found.add(node.id)
    return frozenset(found)

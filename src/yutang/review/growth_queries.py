"""Sales by local month at the stores that a viewer sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa

from yutang.kernel.calendars import local_day
from yutang.kernel.clock import business_now
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, Viewer
from yutang.organisation.queries import brand
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
    params = {"zone": brand().zone, "until": business_now(), "everywhere": everywhere}
    table = pa.table({"node": pa.array(chosen, pa.int64())})
    rows = warehouse.query(named("review/growth_months", params, {"chosen": table})).to_pylist()
    known = {row["month"]: MonthSales(**row) for row in rows}
    month = MonthSales(local_day(business_now(), brand().zone).replace(day=1), 0, 0, Decimal(0))
    found = []
    while known and month.month >= min(known):
        found.append(known.get(month.month, month))
        month = replace(month, month=month.before)
    return found[::-1]


def inside(tree: Sequence[NodeFacts], place: NodeFacts | None) -> frozenset[NodeId]:
    """A place and every node below it; of no place, the whole tree."""
    if place is None:
        return frozenset(node.id for node in tree)
    found = {place.id}
    for node in tree:
        if node.parent in found:
            found.add(node.id)
    return frozenset(found)

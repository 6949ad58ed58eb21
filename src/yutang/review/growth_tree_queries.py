"""The growth tree of what a viewer sees: counted beforehand for every place, cut by who looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from yutang.kernel.calendars import local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, NodeKind, Viewer
from yutang.organisation.queries import OWNER, brand, nodes, posts, roots
from yutang.profiles.beforehand import Beforehand
from yutang.profiles.remembered import Remembered
from yutang.review.growth_queries import inside, months_table
from yutang.review.growth_tree import Branch, Sold, branch
from yutang.warehouse.contracts import Warehouse, named

VISITS = (
    *("page.viewed", "screen.viewed", "product.viewed", "product.clicked", "product.added", "list.viewed"),
    *("goods.searched", "cart.viewed", "checkout.started"),
)
"""Events by which somebody is seen to have come, bought or not."""
MONTHS = 14
NOWHERE = -1
"""The place of orders at no store."""
Sales = Mapping[tuple[date, int], Sold]


@dataclass(frozen=True, slots=True)
class Tree:
    """A place's months and what its change came of. `running`: the month is not over. `heads`: its staff now. `as_of`:
    when it was counted."""

    root: Branch
    place: NodeFacts
    month: date
    before: date
    months: tuple[date, ...]
    running: bool
    heads: int
    as_of: datetime
    sources: tuple[Branch, ...] = ()


def _counted(warehouse: Warehouse) -> Sales:
    """Every place in the last months. (Unscoped: each viewer's places are cut from it.)"""
    tree = nodes()
    above = {node.id: node.parent for node in tree}
    stores, places = [], []
    for node in tree:
        if node.kind is NodeKind.STORE:
            at: NodeId | None = node.id
            while at is not None:
                stores.append(int(node.id))
                places.append(int(at))
                at = above[at]
    root = next(node.id for node in tree if node.parent is None)
    stores += [NOWHERE, NOWHERE]
    places += [NOWHERE, int(root)]
    tables = {
        "places": pa.table({"store": pa.array(stores, pa.int64()), "place": pa.array(places, pa.int64())}),
        "months": months_table(warehouse)[-MONTHS:],
    }
    params = {"now": business_now(), "visits": list(VISITS)}
    rows = warehouse.query(named("review/growth_places", params, tables)).to_pylist()
    return {(row["month"], row["place"]): _sold(row) for row in rows}


def _sold(row: Mapping[str, Any]) -> Sold:
    return Sold(
        int(row["visitors"]) if row.get("visits") else None,
        int(row["buyers"]),
        int(row["orders"]),
        row["sales"],
        int(row["new_buyers"]),
        row["new_sales"] or Decimal(0),
    )


def _this_month() -> date:
    return local_day(business_now(), brand().zone).replace(day=1)


GROWTH: Beforehand[Sales] = Beforehand(_counted, lambda: (_this_month(), tuple(nodes())))
_SOURCES: Remembered[tuple[Branch, ...]] = Remembered()


def growth_tree(
    warehouse: Warehouse, viewer: Viewer, at: str = "", month: str = "", *, by_source: bool = True
) -> Tree | None:
    """A place (by code; else the first root that the viewer sees) in a month (`2017-12`; else the last that is over)
    beside the month before. None where nobody bought there in two months that follow one another.

    Scope is by where an order was placed: a store's sales are its own. Raises NotFound for a place outside the
    viewer's scope, or a month of which nothing is known.
    """
    tree = nodes()
    place = _place(viewer, tree, at)
    if place is None:
        return None
    counted = GROWTH.answer(warehouse)
    sales, this = counted.value, _this_month()
    months = tuple(sorted({one for one, _ in sales}))
    if len(months) < 2:
        return None
    chosen, before = _months(months, month, this)
    below = [node for node in tree if node.parent == place.id and viewer.sees(node.id)]

    def told(node: NodeFacts, under: Sequence[Branch] = ()) -> Branch:
        old, new = (sales.get((one, int(node.id)), Sold()) for one in (before, chosen))
        return branch(node.name, old, new, under)

    branches = [told(node) for node in below]
    if place.parent is None:
        nowhere = [sales.get((one, NOWHERE), Sold()) for one in (before, chosen)]
        if any(one.orders for one in nowhere):
            branches.append(branch("", nowhere[0], nowhere[1]))
    root = told(place, [one for one in branches if one.before.orders or one.after.orders])
    sources = _by_source(warehouse, place, tree, before, chosen) if by_source else ()
    running = chosen >= this
    there = inside(tree, place)
    heads = sum(node in there for node in posts(OWNER).values())
    return Tree(root, place, chosen, before, months, running, heads, counted.as_of, sources)


def _place(viewer: Viewer, tree: Sequence[NodeFacts], at: str) -> NodeFacts | None:
    if not at:
        return next(iter(roots(viewer, tree)), None)
    for node in tree:
        if node.code == at and viewer.sees(node.id):
            return node
    raise NotFound(f"没有编号为「{at[:40]}」的门店或区域。", f"There is no store or region with the code “{at[:40]}”.")


def _months(months: Sequence[date], wanted: str, this: date) -> tuple[date, date]:
    over = [one for one in months[1:] if one < this] or list(months[1:])
    chosen = over[-1]
    if wanted:
        found = [one for one in months[1:] if f"{one:%Y-%m}" == wanted]
        if not found:
            raise NotFound(
                f"没有「{wanted[:20]}」这个月可比，请从列表里选一个月。",
                f"“{wanted[:20]}” cannot be compared with a month before it; choose one from the list.",
            )
        chosen = found[0]
    return chosen, months[months.index(chosen) - 1]


def _by_source(
    warehouse: Warehouse, place: NodeFacts, tree: Sequence[NodeFacts], before: date, after: date
) -> tuple[Branch, ...]:
    """A place's change by where its people once came from; the most sales first."""
    everywhere = place.parent is None
    chosen = [] if everywhere else sorted(int(node) for node in inside(tree, place))
    months = months_table(warehouse)
    kept = months.filter(pa.array([one in (before, after) for one in months["month"].to_pylist()]))
    tables = {"chosen": pa.table({"node": pa.array(chosen, pa.int64())}), "months": kept}
    asked = named("review/growth_sources", {"now": business_now(), "everywhere": everywhere}, tables)

    def ask() -> tuple[Branch, ...]:
        rows = {(row["source"], row["month"]): _sold(row) for row in warehouse.query(asked).to_pylist()}
        names = sorted({source for source, _ in rows})
        found = [branch(name, rows.get((name, before), Sold()), rows.get((name, after), Sold())) for name in names]
        return tuple(sorted(found, key=lambda one: -one.after.sales))

    key = (place.id, before, after, tuple(chosen), local_day(business_now(), brand().zone))
    return _SOURCES.answer(warehouse, key, ask)

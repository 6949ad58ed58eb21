"""Small ponds in memory: what stands in the warehouse's tables, and the statements that put it there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.warehouse.fixtures import insert
from yutang.warehouse.contracts import Statement, Warehouse

TABLES = (
    "events", "orders", "order_lines", "facts", "fact_relations", "fact_consents", "fact_tags", "fact_scopes",
    "fact_ways", "person_overrides", "nodes", "slices", "import_chunks", "profile_state", "profiles", "profile_touched",
    "profile_work", "profile_more", "profile_more_touched", "profile_more_work", "profile_touches", "decisions",
    "receipts", "profile_slices", "profile_chunks", "profile_overrides", "segment_changes", "ladder_moves",
    "person_values", "value_models", "value_quarters", "invites",
)  # fmt: skip
REVISED = timedelta(hours=1)
STALE = (("what was corrected away", Decimal(99)),)


@dataclass(frozen=True)
class Order:
    """An order as it stands; `lines`, (category, amount) each, are its last revision, an hour after the first."""

    id: str
    person: int
    store: int | None
    placed_at: datetime
    amount: Decimal
    discount: Decimal
    lines: tuple[tuple[str | None, Decimal], ...] = ()
    cancelled: bool = False
    costed: Decimal | None = None
    margin: Decimal | None = None

    def changed(self, **changes: object) -> Order:
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass
class World:
    """Survivors (`persons`), merged births (`overrides`: birth → survivor), orders by id; other events as rows of
    theirs, and touches that were sent (`touch`, `person`, `at`, `channel`, `touch_class`, `plan`)."""

    persons: set[int] = field(default_factory=set)
    overrides: dict[int, int] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    touches: list[dict[str, Any]] = field(default_factory=list, kw_only=True)

    gone: set[int] = field(default_factory=set, kw_only=True)
    numbers: set[int] = field(default_factory=set, kw_only=True)  # of touches, also of those who were erased since
    moved: set[str] = field(default_factory=set, kw_only=True)  # orders that turned out to be another's

    @property
    def alive(self) -> set[int]:
        """Every birth that was not erased."""
        return (self.persons | set(self.overrides)) - self.gone

    def survivor(self, birth: int) -> int:
        return self.overrides.get(birth, birth)


def naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def emptied() -> list[Statement]:
    """Statements that empty every table that these tests fill."""
    return [Statement(f"DELETE FROM {table}") for table in TABLES]


def put_orders(orders: list[Order], slice_: int | None = None, import_id: int | None = None) -> list[Statement]:
    """Statements that make these orders stand as they are, told by one event each, as pump and import do."""
    ids = [order.id for order in orders]
    clear = [
        Statement(f"DELETE FROM {table} WHERE list_contains($ids, order_id)", {"ids": ids})
        for table in ("orders", "order_lines")
    ]
    return [*clear, *fill_orders(orders), *told(orders, slice_, import_id)]


def fill_orders(orders: list[Order]) -> list[Statement]:
    rows = [
        {
            "source": "shop", "order_id": o.id, "person": o.person, "store": o.store, "placed_at": naive(o.placed_at),
            "net_amount": o.amount, "discount": o.discount, "costed": o.costed,
            "margin": o.margin, "lines_at": naive(o.placed_at + REVISED),
            "cancelled_at": naive(o.placed_at) if o.cancelled else None,
        }
        for o in orders
    ]  # fmt: skip
    lines = [
        {
            "source": "shop", "order_id": o.id, "ordinal": n, "person": o.person, "placed_at": naive(o.placed_at),
            "category": category, "sku": f"sku of {category}", "amount": amount, "revised_at": naive(revised_at),
            "void": o.cancelled or revision is STALE,
        }
        for o in orders
        for revised_at, revision in ((o.placed_at, STALE), (o.placed_at + REVISED, o.lines))
        for n, (category, amount) in enumerate(revision)
    ]  # fmt: skip
    return [insert("orders", rows), insert("order_lines", lines)]


def told(orders: list[Order], slice_: int | None, import_id: int | None) -> list[Statement]:
    rows = [
        {
            "event_id": f"{o.id}-{slice_}-{import_id}", "type": "order.corrected", "occurred_at": naive(o.placed_at),
            "person": o.person, "source": "shop", "props": json.dumps({"order_id": o.id}),
            "slice": slice_, "import_id": import_id,
        }
        for o in orders
    ]  # fmt: skip
    return [insert("events", rows)]


def put_touches(touches: list[dict[str, Any]]) -> list[Statement]:
    """Statements that put touches into the ledger, each with the receipt that it was sent."""
    decided = [
        {name: touch[name] for name in ("touch", "person", "channel", "touch_class", "plan")} for touch in touches
    ]
    told = [
        {"touch": touch["touch"], "state": state, "at": naive(touch["at"]), "receipt_key": state}
        for touch in touches
        for state in ("issued", "sent")
    ]
    return [insert("decisions", decided), insert("receipts", told)]


def put_people(world: World) -> list[Statement]:
    """Statements that make facts and overrides stand as in the world."""
    merged = [{"birth": birth, "survivor": survivor} for birth, survivor in world.overrides.items()]
    return [
        Statement("DELETE FROM facts"),
        insert("facts", [{"person": person} for person in sorted(world.persons)]),
        Statement("DELETE FROM person_overrides"),
        insert("person_overrides", merged),
    ]


def stored(warehouse: Warehouse) -> dict[int, dict[str, object]]:
    """Every row of `profiles`, by person."""
    return {row.pop("person"): row for row in warehouse.query(Statement("SELECT * FROM profiles")).to_pylist()}

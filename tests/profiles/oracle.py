"""Every stored trait, computed the slow and obvious way: one person, one order at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from tests.profiles.worlds import Order, World, naive

WINDOWS = {"30d": 30, "90d": 90, "365d": 365, "ever": None}


def profiles(world: World, as_of: datetime, zone: str) -> dict[int, dict[str, Any]]:
    """What must stand in `profiles` at `as_of`, by person."""
    result = {}
    for person in world.persons:
        valid = [o for o in world.orders.values() if world.survivor(o.person) == person and not o.cancelled]
        result[person] = one(valid, as_of, zone)
    for name, key in (("recency", "last_order_at"), ("frequency", "orders_365d"), ("monetary", "spend_365d")):
        bought = sorted((p for p in result if result[p]["orders_ever"]), key=lambda p: (result[p][key], p))
        for person in result:
            result[person][f"{name}_score"] = 5 * bought.index(person) // len(bought) + 1 if person in bought else None
    return result


def one(orders: list[Order], as_of: datetime, zone: str) -> dict[str, Any]:
    past = sorted((o for o in orders if o.placed_at <= as_of), key=lambda o: o.placed_at)
    row: dict[str, Any] = {}
    for name, days in WINDOWS.items():
        inside = [o for o in past if days is None or o.placed_at > as_of - timedelta(days=days)]
        row[f"orders_{name}"] = len(inside)
        row[f"spend_{name}"] = sum((o.amount for o in inside), Decimal(0))
        row[f"visit_days_{name}"] = len({local(o, zone) for o in inside})
        row[f"categories_{name}"] = len({c for o in inside for c, _ in o.lines if c is not None})
        if name in ("365d", "ever"):
            for what in ("margin", "costed"):
                known = [v for o in inside if (v := getattr(o, what)) is not None]
                row[f"{what}_{name}"] = sum(known, Decimal(0)) if known else None
        if name in ("90d", "365d"):
            row[f"discount_{name}"] = sum((o.discount for o in inside), Decimal(0))
    row["first_order_at"] = naive(past[0].placed_at) if past else None
    row["last_order_at"] = naive(past[-1].placed_at) if past else None
    days = sorted({local(o, zone) for o in past})
    row["first_visit_day"] = days[0] if days else None
    row["last_visit_day"] = days[-1] if days else None
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    row["median_gap_days"] = float(median(gaps)) if gaps else None
    row["home_store"] = home(past)
    edges = [o.placed_at for o in orders if o.placed_at > as_of]
    edges += [o.placed_at + timedelta(days=n) for o in past for n in (30, 90, 365)]
    row["next_edge_at"] = min((naive(edge) for edge in edges if edge > as_of), default=None)
    return row


def local(order: Order, zone: str) -> Any:
    return order.placed_at.astimezone(ZoneInfo(zone)).date()


def home(past: list[Order]) -> int | None:
    best, best_key = None, None
    for store in {o.store for o in past if o.store is not None}:
        here = [o for o in past if o.store == store]
        key = (len(here), sum(o.amount for o in here), max(o.placed_at for o in here), -store)
        if best_key is None or key > best_key:
            best, best_key = store, key
    return best

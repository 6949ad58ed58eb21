"""Ponds whose orders come as the models say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from tests.profiles.values.pools import CHARACTERS
from tests.profiles.worlds import emptied, naive
from tests.warehouse.fixtures import insert
from yutang.warehouse.contracts import Statement


def timelines(
    persons: int, character: str, days: int, *, seed: int = 1, together: bool = False
) -> dict[int, list[tuple[int, Decimal]]]:
    """Of each person (from 1) the days of their purchases, from the first day of the history, with amounts."""
    chance = np.random.default_rng(seed)
    r, alpha, a, b, p, q, v = CHARACTERS[character]
    found = {}
    for person in range(1, persons + 1):
        rate, leaves, money = chance.gamma(r, 1 / alpha), chance.beta(a, b), chance.gamma(q, 1 / v)
        at, bought = float(chance.uniform(0, 1 if together else days * 0.8)), {}
        while at < days:
            bought[int(at)] = Decimal(str(round(max(0.01, chance.gamma(p, 1 / money)), 2)))
            if len(bought) > 1 and chance.random() < leaves:
                break
            at += float(chance.exponential(1 / rate))
        found[person] = sorted(bought.items())
    return found


def put(
    bought: Mapping[int, list[tuple[int, Decimal]]],
    until: datetime,
    days: int,
    *,
    category: str | None = "milk",
    cost: Callable[[int, Decimal], Decimal | None] = lambda person, amount: None,
) -> list[Statement]:
    """Statements that leave these persons with their orders, and nothing else, in the warehouse; the history ends at
    `until`. `cost` says what a person's order cost the brand."""
    start = until - timedelta(days=days)
    rows: list[dict[str, Any]] = [
        {
            "source": "shop",
            "order_id": f"{person}-{day}",
            "person": person,
            "placed_at": naive(start + timedelta(days=day, hours=12)),
            "net_amount": amount,
            "lines_at": naive(start),
            "cost": cost(person, amount),
        }
        for person, times in bought.items()
        for day, amount in times
    ]
    for row in rows:
        if row["cost"] is not None:
            row |= {"costed": row["net_amount"], "margin": row["net_amount"] - row["cost"]}
    lines = [
        {
            "source": "shop",
            "order_id": row["order_id"],
            "ordinal": 1,
            "person": row["person"],
            "placed_at": row["placed_at"],
            "revised_at": row["lines_at"],
            "category": category,
            "amount": row["net_amount"],
            "cost": row["cost"],
        }
        for row in rows
    ]
    people = pa.table({"person": pa.array(sorted(bought), pa.int64())})
    return [*emptied(), insert("orders", rows), insert("order_lines", lines), insert("facts", people)]

"""A pond of any size from a seed: orders with lines, messages, campaigns, coupons, and the facts of its people."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tests.warehouse.fixtures import insert
from tests.ways import ways_told
from yutang.warehouse.contracts import Statement, Warehouse

AS_OF = datetime(2026, 5, 17, 9, 41, 13, tzinfo=UTC)
ZONE = "Asia/Shanghai"
STORES = np.arange(100, 400)
CATEGORIES = [f"category {n}" for n in range(60)]
CHUNK = 1_000_000
_DAY = 86_400_000_000

Ints = npt.NDArray[np.int64]


def fill(warehouse: Warehouse, persons: int = 100_000, events: int = 5_000_000, seed: int = 7) -> None:
    """Fill an empty warehouse: 30 % of the events are orders, with two lines each on average; 1 % of births merged.

    Activity is heavy-tailed over two years up to AS_OF; 2 % of orders are cancelled. Nothing is corrected.
    """
    random = np.random.default_rng(seed)
    weights = random.gamma(0.6, 1.0, persons)
    ladder = np.cumsum(weights / weights.sum())
    warehouse.write(_people(random, persons))
    for first in range(0, events, CHUNK):
        size = min(CHUNK, events - first)
        who = np.searchsorted(ladder, random.random(size)).clip(0, persons - 1) + 1
        ago = (random.random(size) ** 1.3 * 730 * _DAY).astype(np.int64)
        at = pa.array(int(AS_OF.timestamp() * 1e6) - ago, pa.int64()).cast(pa.timestamp("us"))
        warehouse.write(_chunk(random, np.arange(first, first + size), who, at))
    slices = [Statement("INSERT INTO slices SELECT DISTINCT slice, max(received_at) FROM events GROUP BY slice")]
    warehouse.write(slices)


def _chunk(random: np.random.Generator, ids: Ints, who: Ints, at: pa.Array) -> list[Statement]:
    kinds = random.choice(4, len(ids), p=[0.3, 0.45, 0.2, 0.05])
    orders = kinds == 0
    names = pa.array(["order.placed", "message.sent", "campaign.targeted", "coupon.redeemed"]).take(pa.array(kinds))
    text = pc.cast(pa.array(ids), pa.string())
    campaigns = pa.array([f'{{"campaign": "c{n}", "coupon": "k{n}"}}' for n in range(30)])
    order_props = pc.binary_join_element_wise('{"order_id": "', text, '"}', "")
    props = pc.if_else(pa.array(orders), order_props, campaigns.take(pa.array(random.integers(0, 30, len(ids)))))
    amounts = _money(random.gamma(2.0, 30.0, len(ids)))
    stores = pa.array(STORES[(who * 7 + random.integers(0, 2, len(ids))) % len(STORES)])
    channels = pa.array(["wecom", "sms"]).take(pa.array((random.random(len(ids)) < 0.2).astype(np.int64)))
    told = {
        "event_id": text, "type": names, "occurred_at": at, "received_at": at, "person": pa.array(who), "store": stores,
        "source": pa.array(["pos", "mall"]).take(pa.array(ids % 2)), "channel": channels, "amount": amounts,
        "currency": pa.array(["CNY"]).take(pa.array(ids * 0)), "props": props, "slice": pa.array(ids // 50_000),
    }  # fmt: skip
    table = pa.table(told)
    return [insert("events", table), *_orders(random, table.filter(pa.array(orders)))]


def _orders(random: np.random.Generator, placed: pa.Table) -> list[Statement]:
    size = placed.num_rows
    cancelled = pa.array(random.random(size) < 0.02)
    keys = {"source": placed["source"], "order_id": placed["event_id"], "person": placed["person"]}
    when = placed["occurred_at"]
    arrival = pc.cast(placed["event_id"], pa.int64())
    orders = pa.table(
        {
            **keys, "store": placed["store"], "placed_at": when, "placed_amount": placed["amount"],
            "cancelled_at": pc.if_else(cancelled, when, pa.scalar(None, pa.timestamp("us"))), "lines_at": when,
            "discount": _money(random.gamma(0.5, 8.0, size)), "currency": placed["currency"],
            "net_amount": pc.if_else(cancelled, pa.scalar(0, pa.decimal128(18, 2)), placed["amount"]),
            "arrival": arrival,
        }
    )  # fmt: skip
    of = pa.array(np.repeat(np.arange(size), random.integers(1, 4, size)))
    goods = (random.random(len(of)) ** 2 * len(CATEGORIES)).astype(np.int64)
    lines = pa.table(
        {
            **{name: column.take(of) for name, column in keys.items()}, "store": placed["store"].take(of),
            "placed_at": when.take(of), "revised_at": when.take(of), "arrival": arrival.take(of),
            "void": cancelled.take(of),
            "category": pa.array(CATEGORIES).take(pa.array(goods)),
            "sku": pa.array([f"sku {n}" for n in range(len(CATEGORIES) * 10)]).take(pa.array(goods * 10)),
            "amount": _money(random.gamma(2.0, 12.0, len(of))),
        }
    )  # fmt: skip
    return [insert("orders", orders), insert("order_lines", lines)]


def _people(random: np.random.Generator, persons: int) -> list[Statement]:
    births = np.arange(1, persons + 1)
    merged = births[births % 100 == 0]
    living = births[births % 100 != 0]
    stores = STORES[living * 7 % len(STORES)]
    region = 10 + stores % 10
    scopes = {"person": np.tile(living, 2), "node": np.concatenate([stores, region])}
    some = living[random.random(len(living)) < 0.7]
    channel = pa.array(["wecom"]).take(pa.array(some * 0))
    consents = {
        "person": some, "purpose": pa.array(["marketing"]).take(pa.array(some * 0)), "channel": channel,
        "granted": random.random(len(some)) < 0.9,
    }  # fmt: skip
    relations = {"person": some, "channel": channel, "live": random.random(len(some)) < 0.85}
    tags = {
        "person": some,
        "tag": pa.array([f"tag {n}" for n in range(20)]).take(pa.array(random.integers(0, 20, len(some)))),
    }
    flags = random.random(len(living)) < 0.01
    return [
        insert("facts", pa.table({"person": living, "home_node": stores, "blocked": flags, "silent": flags})),
        insert("person_overrides", pa.table({"birth": merged, "survivor": merged - 1})),
        insert("fact_scopes", pa.table(scopes)),
        insert("fact_consents", pa.table(consents)),
        insert("fact_relations", pa.table(relations)),
        insert("fact_tags", pa.table(tags)),
        *ways_told(),
    ]


def _money(amounts: npt.NDArray[np.float64]) -> pa.Array:
    return pc.round(pa.array(amounts), 2).cast(pa.decimal128(18, 2), safe=False)

"""One number of a store against stores of its size: net new friends for every hundred orders.

Turnover tells large stores from small ones, and friends alone tell busy ones from quiet ones; how many of those who buy
become friends, and stay, is what a store's people can change. Nobody is told of another store by name: only where one's
own number stands among so many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np

from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER, brand, posts
from yutang.profiles.friends import by_node, net_friends
from yutang.warehouse.contracts import Warehouse, named

DAYS, SIZE_DAYS = 28, 91
"""The number is of so many whole days; a store's size is its orders in so many."""
TIERS = 4
LEAST_PEERS, LEAST_ORDERS = 5, 20
"""Fewer peers, or fewer orders of one's own, tell nothing yet."""


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What a store did in the window: its orders, the friends it gained, less those it lost, and its size."""

    orders: int
    net: int
    size: int

    @property
    def rate(self) -> float:
        """Net new friends for every hundred orders."""
        return 100 * self.net / self.orders


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a store stands among those of its tier (1: the smallest quarter of stores; 4: the largest).

    `peers` are the others of the tier with orders enough; `below` of them have a lower number, `even` the same.
    `middle` is their median; None where there are too few to tell.
    """

    own: StoreFigures
    tier: int
    peers: int
    below: int
    even: int
    middle: float | None

    @property
    def told(self) -> bool:
        """Whether anything can be told: orders enough, and peers enough."""
        return self.own.orders >= LEAST_ORDERS and self.peers >= LEAST_PEERS

    @property
    def percentile(self) -> int:
        """How many of a hundred peers have a lower number; who has the same counts half."""
        return round(100 * (self.below + self.even / 2) / self.peers) if self.peers else 0


def standing(stores: Mapping[NodeId, StoreFigures], store: NodeId) -> Standing:
    """Where a store stands. Pure. Raises KeyError for a store that is not among them."""
    tiers = tiers_of({one: figures.size for one, figures in stores.items()})
    own = stores[store]
    others = [
        figures.rate
        for one, figures in stores.items()
        if one != store and tiers[one] == tiers[store] and figures.orders >= LEAST_ORDERS
    ]
    rates = np.array(others, dtype=np.float64)
    rate = own.rate if own.orders else 0.0
    return Standing(
        own,
        tiers[store],
        len(others),
        int(np.count_nonzero(rates < rate)),
        int(np.count_nonzero(rates == rate)),
        float(np.median(rates)) if len(others) >= LEAST_PEERS else None,
    )


def tiers_of(sizes: Mapping[NodeId, int]) -> dict[NodeId, int]:
    """The tier of each store by its rank: quarters, and stores of one size in one tier."""
    given = np.fromiter(sizes.values(), dtype=np.int64, count=len(sizes))
    rank = np.searchsorted(np.sort(given), given)
    tiers = 1 + np.minimum(TIERS - 1, TIERS * rank // max(len(given), 1))
    return dict(zip(sizes, tiers.tolist(), strict=True))


def peers(warehouse: Warehouse, viewer: Viewer, store: NodeId) -> Standing:
    """Where a store stands in the last 28 whole days. Raises NotFound for a store outside the viewer's scope."""
    if not viewer.sees(store):
        raise NotFound("没有这家门店。", "There is no such store.")
    found = _figures(warehouse)
    return standing(found if store in found else {**found, store: StoreFigures(0, 0, 0)}, store)


_kept: WeakKeyDictionary[Warehouse, tuple[date, dict[NodeId, StoreFigures]]] = WeakKeyDictionary()
_lock = Lock()


def _figures(warehouse: Warehouse) -> dict[NodeId, StoreFigures]:
    """Every store's figures, worked out once a day in each process: three thousand managers ask for the same."""
    zone = brand().zone
    today = local_day(business_now(), zone)
    with _lock:
        kept = _kept.get(warehouse)
        if kept is None or kept[0] != today:
            kept = _kept[warehouse] = (today, _asked(warehouse, today, zone))
        return kept[1]


def _asked(warehouse: Warehouse, today: date, zone: str) -> dict[NodeId, StoreFigures]:
    until, recent, since = (day_start(today - timedelta(days=ago), zone) for ago in (0, DAYS, SIZE_DAYS))
    params = {"until": until, "recent": recent, "since": since}
    rows = warehouse.query(named("review/peers", params)).to_pylist()
    gained = by_node(net_friends(warehouse, OWNER, recent, until), posts(OWNER))
    return {
        NodeId(row["store"]): StoreFigures(
            row["orders"], gained[NodeId(row["store"])].net if NodeId(row["store"]) in gained else 0, row["size"]
        )
        for row in rows
    }

"""A world of guides whose true effect is known, told as events and orders, with all that makes raw figures lie.

Losses follow a Weibull hazard (steep at first), which is none of the score's four steps. Stores have effects of their
own and different doors; guides have very unequal numbers of friends; some friends are handed over, have two accounts,
are lost and regained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tests.warehouse.fixtures import schemas
from yutang.kernel.ids import NodeId, StaffId

Numbers = npt.NDArray[np.float64]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
LATEST = 1e9
DOORS = ("way:poster", "way:card", "way:live", "sync")
DOOR_LOSS = np.array([1.0, 1.7, 1.3, 0.8])  # friends won by a package card leave more
BEFORE = (0, 1, 3)  # orders before, and how often such buy in a day
BUYING = np.array([0.0015, 0.004, 0.009])
WEIGHTS = np.array([-0.4, 0.2, 0.4])


@dataclass(slots=True)
class TrustWorld:
    """The tables, where every guide stands, and what is true: the effects, and the score that they come to."""

    tables: dict[str, pa.Table]
    at: dict[StaffId, NodeId]
    effects: Numbers
    truth: Numbers
    friends: npt.NDArray[np.int64]
    days: dict[str, list[Any]] = field(default_factory=dict)


def trust_world(
    seed: int, guides: int = 360, stores: int = 60, friends: float = 80, spread: float = 0.4, alike: float = 0.6
) -> TrustWorld:
    """`friends` is the median of a guide's; `spread` the standard deviation of true effects among guides and of stores'
    (logarithms of rates); `alike` how much the three components of a guide go together."""
    draw = np.random.default_rng(seed)
    store = np.concatenate([np.arange(stores), draw.integers(0, stores, guides - stores)])
    shared = draw.normal(size=(guides, 1))
    own = np.sqrt(alike) * shared + np.sqrt(1 - alike) * draw.normal(size=(guides, 3))
    effects = spread * own * np.array([-1, 1, 1])
    places = spread * draw.normal(size=(stores, 3))
    number = np.clip(np.exp(np.log(friends) + 0.9 * draw.normal(size=guides)), 3, 1500).astype(np.int64)
    whole = _Telling(draw, store, np.exp(effects + places[store]), draw.dirichlet(np.full(4, 2.0), size=stores))
    for guide in range(guides):
        whole.befriend(guide, int(number[guide]))
    together = np.array([[1, -alike, -alike], [-alike, 1, alike], [-alike, alike, 1]])
    z = (effects / spread) @ WEIGHTS / np.sqrt(WEIGHTS @ together @ WEIGHTS)
    normal = NormalDist()
    at = {StaffId(guide + 1): NodeId(int(store[guide]) + 1) for guide in range(guides)}
    truth = np.array([100 * normal.cdf(one) for one in z.tolist()])
    return TrustWorld(whole.tables(), at, effects, truth, number)


@dataclass(slots=True)
class _Telling:
    """What happens, day by day of the last year, as columns of events and orders."""

    draw: np.random.Generator
    store: npt.NDArray[np.int64]
    rates: Numbers
    doors: Numbers
    persons: int = 0
    events: list[tuple[Numbers, ...]] = field(default_factory=list)
    orders: list[tuple[Numbers, ...]] = field(default_factory=list)
    doubles: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def befriend(self, guide: int, count: int) -> None:
        """One guide's year."""
        draw = self.draw
        person = self.persons + 1 + np.arange(count)
        self.persons += count
        added = draw.uniform(0, 365, count)
        door = draw.choice(4, count, p=self.doors[self.store[guide]])
        lost = added + self._until_lost(guide, door)
        taker = draw.integers(0, len(self.store), count)
        handed = np.where(draw.random(count) < 0.08, added + draw.uniform(1, 120, count), LATEST)
        given = (handed < lost) & (handed < 365) & (taker != guide)
        lost_here = np.where(given, handed, lost)
        told = given & (draw.random(count) < 0.5)  # at the losing end; the others at the gaining one
        self._say("relation.added", person, added, guide, door=door)
        by = np.where(told, 3, np.where(draw.random(count) < 0.3, 2, 1))
        self._say("relation.lost", person, lost_here, guide, by=np.where(given & ~told, 2, by))
        silent = np.where(told, 0, 3)
        self._say("relation.added", person[given], handed[given], taker[given], by=silent[given])
        left = (
            handed + np.array([self._until_lost(int(one), np.array([2]))[0] for one in taker]) if given.any() else lost
        )
        self._say("relation.lost", person[given], left[given], taker[given], by=np.ones(int(given.sum())))
        back = ~given & (draw.random(count) < 0.1)
        self._say("relation.added", person[back], lost[back] + draw.uniform(1, 20, int(back.sum())), guide)
        self._double(person, added, lost_here, guide, draw.random(count) < 0.03)
        answered = added + draw.exponential(1 / (0.018 * self.rates[guide, 1]), count)
        wrote = answered < lost_here
        self._say("message.received", person[wrote], answered[wrote], guide)
        self._buy(guide, person, added)

    def _until_lost(self, guide: int, door: npt.NDArray[np.int64]) -> Numbers:
        ease = 0.35 * self.rates[guide, 0] * DOOR_LOSS[door]
        until: Numbers = 90 * (self.draw.exponential(1, len(door)) / ease) ** 2
        return until

    def _double(self, person: Any, added: Numbers, lost: Numbers, guide: int, chosen: Any) -> None:
        """A second account of some persons, which comes a little later, and goes when the first does, or before."""
        births = 10_000_000 + person[chosen]
        self.doubles.append(np.stack([births, person[chosen]], axis=1))
        later = added[chosen] + self.draw.uniform(0.1, 3, len(births))
        end = lost[chosen]
        here = later < end
        self._say("relation.added", births[here], later[here], guide)
        short = np.where(
            self.draw.random(int(here.sum())) < 0.5, later[here] + 0.4 * (end[here] - later[here]), end[here]
        )
        self._say("relation.lost", births[here], short, guide, by=np.ones(int(here.sum())))

    def _buy(self, guide: int, person: Any, added: Numbers) -> None:
        kind = self.draw.choice(3, len(person), p=[0.5, 0.3, 0.2])
        for times in range(max(BEFORE)):
            had = np.array(BEFORE)[kind] > times
            self.orders.append(
                (person[had], added[had] - self.draw.uniform(1, 300, int(had.sum())), np.full(int(had.sum()), guide))
            )
        rate = BUYING[kind] * self.rates[guide, 2]
        at = added + self.draw.exponential(1 / rate)
        for _ in range(3):
            done = at < 365
            self.orders.append((person[done], at[done], np.full(int(done.sum()), guide)))
            at = at + self.draw.exponential(1 / rate)

    def _say(self, kind: str, person: Any, day: Any, guide: Any, *, door: Any = 3, by: Any = 0) -> None:
        shape = np.asarray(person, dtype=np.int64)
        columns = [np.broadcast_to(np.asarray(one, dtype=np.float64), shape.shape) for one in (day, guide, door, by)]
        code = float(("relation.added", "relation.lost", "message.received").index(kind))
        day, guide, door, by = columns
        seen = day < 365
        self.events.append((np.full(int(seen.sum()), code), shape[seen], day[seen], guide[seen], door[seen], by[seen]))

    def tables(self) -> dict[str, pa.Table]:
        """The tables of the warehouse."""
        code, person, day, guide, door, by = (np.concatenate(one) for one in zip(*self.events, strict=True))
        types = np.array(["relation.added", "relation.lost", "message.received"])[code.astype(int)]
        props = np.array(["{}", '{"by":"customer"}', '{"by":"member"}', '{"by":"transfer"}'])[by.astype(int)]
        events = {
            "event_id": [f"e{number}" for number in range(len(code))],
            "type": types,
            "occurred_at": _instants(day),
            "person": person.astype(np.int64),
            "store": self.store[guide.astype(int)] + 1,
            "staff": guide.astype(np.int64) + 1,
            "source": np.array(DOORS)[door.astype(int)],
            "props": props,
        }
        buyer, at, seller = (np.concatenate(one) for one in zip(*self.orders, strict=True))
        orders = {
            "source": np.full(len(buyer), "till"),
            "order_id": [f"o{number}" for number in range(len(buyer))],
            "person": buyer.astype(np.int64),
            "store": self.store[seller.astype(int)] + 1,
            "placed_at": _instants(at),
            "net_amount": pa.repeat(pa.scalar(Decimal("9.90"), pa.decimal128(18, 2)), len(buyer)),
        }
        doubles = np.concatenate(self.doubles)
        overrides = {"birth": doubles[:, 0], "survivor": doubles[:, 1]}
        return {
            name: _shaped(name, columns)
            for name, columns in (("events", events), ("orders", orders), ("person_overrides", overrides))
        }


def _instants(day: Numbers) -> npt.NDArray[np.datetime64]:
    start = np.datetime64((NOW - timedelta(days=365)).replace(tzinfo=None), "us")
    return start + (day * 86_400_000_000).astype("timedelta64[us]")


def _shaped(name: str, columns: dict[str, Any]) -> pa.Table:
    schema = schemas()[name]
    rows = len(next(iter(columns.values())))
    made = [
        pa.array(columns[one.name], one.type) if one.name in columns else pa.nulls(rows, one.type) for one in schema
    ]
    return pa.table(made, schema=schema)

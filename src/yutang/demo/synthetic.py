"""The invented half of the demo: guides, friendships, consent, prospects, and how everybody goes on buying.

Each draw is a hash of (person, purpose) under one seed, so the same on every machine and in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.ids import draw_array, salt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Where the business clock starts: 2018-01-01 00:00 in the stores' zone.
BUSINESS_START = datetime(2018, 1, 1, 5, tzinfo=UTC)
#: A home store is at least so many households' store of most baskets.
HOME_HOUSEHOLDS = 20
PROSPECTS = 600
#: The mean relative lift of a person's daily rate while a received message works.
MEAN_LIFT = 0.4

INSTANT = pa.timestamp("us", "UTC")

_SEED = 20180101
_END = int(BUSINESS_START.timestamp())
_DAY = 86_400
_EXTRA_GUIDE_STORES = 6
_HABITS = (("at_once", 0.55), ("late", 0.25), ("night", 0.10), ("never", 0.10))
_SOURCES = (("store_poster", 0.35), ("package_card", 0.25), ("live_room", 0.15), ("ad", 0.15), ("invite", 0.10))


@dataclass(frozen=True, slots=True)
class Trade:
    """The purchases that the invented people are built around.

    `household, store, seconds, cents` are columns of baskets by (household, time), and `first[i]` is the row of
    household i's first. `home` is each household's store; `households[j]` counts those of `stores[j]`. `spend` is cents
    per household and category, `off` the cents that the loyalty card took off per household. Instants are unix seconds.
    """

    members: Ints
    household: Ints
    store: Ints
    seconds: Ints
    cents: Ints
    first: Ints
    visits: Ints
    home: Ints
    stores: Ints
    households: Ints
    categories: list[str]
    spend: Floats
    off: Floats

    def basket(self, person: Ints, share: Floats) -> Ints:
        """The instant of the basket that stands at `share` (0–1) of a person's baskets."""
        nth = np.minimum((share * self.visits[person]).astype(np.int64), self.visits[person] - 1)
        return self.seconds[self.first[person] + nth]


@dataclass(frozen=True, slots=True)
class Synthetic:
    """The tables of `DemoWorld` that are invented; their columns are described there."""

    guides: pa.Table
    friendships: pa.Table
    consents: pa.Table
    prospects: pa.Table
    population: pa.Table


def invent(trade: Trade) -> Synthetic:
    """The synthetic people around the purchases; the same at every call."""
    crowd = _crowd(trade)
    return Synthetic(
        crowd.guides, _friendships(trade, crowd), _consents(trade, crowd), _prospects(crowd), _population(trade, crowd)
    )


def instants(seconds: Ints, present: Bools | None = None) -> pa.Array:
    """Unix seconds as UTC instants, null where not present."""
    return pa.array(seconds * 1_000_000, mask=None if present is None else ~present).cast(INSTANT)


def codes(numbers: Ints) -> list[str]:
    """Numbers as the text by which the pond knows them."""
    return [str(number) for number in numbers.tolist()]


def members_of(keys: Ints) -> pa.Array:
    """Member numbers of persons by key (the household's number, or minus a prospect's); null for prospects."""
    return pa.array([str(key) if key > 0 else None for key in keys.tolist()], pa.string())


def external_ids(keys: Ints) -> list[str]:
    """The WeCom ids of persons by key; also of who is nobody's friend, as the sandbox's population has them."""
    return [f"wm-demo-{key:04d}" if key > 0 else f"wm-prospect-{-key:03d}" for key in keys.tolist()]


def names_of(keys: Ints) -> list[str]:
    """The labels of persons by key."""
    return [f"家庭 {key}" if key > 0 else f"潜客 {-key:03d}" for key in keys.tolist()]


def favourites(household: Ints, shops: Ints) -> Ints:
    """Of every household the store of most baskets, ties to the lower number; -1 for a household without a row."""
    stores, shop = np.unique(shops, return_inverse=True)
    pairs, counts = np.unique(household * len(stores) + shop, return_counts=True)
    order = np.lexsort((-pairs, counts))  # of a household's stores, the last one written wins
    best = np.full(int(household.max()) + 1, -1)
    best[pairs[order] // len(stores)] = stores[pairs[order] % len(stores)]
    return best


def _draw(people: Ints, *purpose: str) -> Floats:
    return draw_array(people, salt("demo", _SEED, *purpose))


def _choose(people: Ints, purpose: str, weights: tuple[tuple[str, float], ...]) -> list[str]:
    edges = np.cumsum([weight for _, weight in weights])[:-1]
    return [weights[index][0] for index in np.searchsorted(edges, _draw(people, purpose), side="right").tolist()]


@dataclass(frozen=True, slots=True)
class _Crowd:
    """The guides, and whose customer each person is: `at` indexes `shops`, the stores with guides.

    `keys` holds everybody: households' numbers, then prospects -1, -2 …
    """

    guides: pa.Table
    shops: Ints
    staffed: Ints
    first_guide: Ints
    keys: Ints
    at: Ints
    prospects: Ints
    added: Ints


def _crowd(trade: Trade) -> _Crowd:
    """Guides stand in the home stores and the next few by households; who visits none of them is dealt to those few."""
    count = int((trade.households >= HOME_HOUSEHOLDS).sum())
    shops = trade.stores[np.lexsort((trade.stores, -trade.households))][: count + _EXTRA_GUIDE_STORES]
    prospects = -np.arange(1, PROSPECTS + 1)
    keys = np.append(trade.members, prospects)
    inside = np.isin(trade.store, shops)
    wish = np.full(len(keys), -1)
    favourite = favourites(trade.household[inside], trade.store[inside])
    wish[: len(favourite)] = favourite
    dealt = count + (_draw(keys, "store") * _EXTRA_GUIDE_STORES).astype(np.int64)
    everywhere = (_draw(keys, "store") * len(shops)).astype(np.int64)
    place = {shop: index for index, shop in enumerate(shops.tolist())}
    found = np.array([place.get(shop, -1) for shop in wish.tolist()])
    at = np.where(found >= 0, found, np.where(keys < 0, everywhere, dealt))
    staffed = np.clip(np.bincount(at, minlength=len(shops)) // 12, 2, 8)
    first = np.cumsum(staffed) - staffed
    days = 1 + (_draw(prospects, "added") * 120).astype(np.int64)
    added = _END - days * _DAY + ((10 + 10 * _draw(prospects, "hour")) * 3600).astype(np.int64)
    return _Crowd(_guides(shops, staffed, first), shops, staffed, first, keys, at, prospects, added)


def _guides(shops: Ints, staffed: Ints, first: Ints) -> pa.Table:
    shop_of = np.repeat(np.arange(len(shops)), staffed)
    numbers = np.arange(len(shop_of))
    labels = [
        f"{shop + 1:02d}-{nth + 1}"
        for shop, nth in zip(shop_of.tolist(), (numbers - first[shop_of]).tolist(), strict=True)
    ]
    return pa.table(
        {
            "userid": [f"guide-{label}" for label in labels],
            "label": [f"导购 {label}" for label in labels],
            "store": codes(shops[shop_of]),
            "habit": _choose(numbers, "habit", _HABITS),
            "offgate_per_day": np.where(_draw(numbers, "offgate") < 0.1, 0.2, 0.0),
            "synthetic": np.ones(len(labels), bool),
        }
    )


def _friendships(trade: Trade, crowd: _Crowd) -> pa.Table:
    """94 % of households have a live friend, 3 % only lost ones, 3 % none; 12 % of those have two guides."""
    has = _draw(trade.members, "friend")
    lost = has < 0.03
    first = np.flatnonzero(has < 0.97)
    second = first[_draw(trade.members[first], "two guides") < 0.12]
    parted = lost[second] | (_draw(trade.members[second], "parted") < 0.1)
    pool = np.flatnonzero(crowd.keys < 0)
    parts = [_bonds(trade, crowd, first, lost[first], 0), _bonds(trade, crowd, second, parted, 1)]
    gone = _draw(crowd.prospects, "friend") < 0.05
    never = np.zeros(len(pool), np.int64)
    parts.append(_bond_table(crowd, pool, _guide_of(crowd, pool, 0), crowd.added, never, gone))
    return pa.concat_tables(parts)


def _bonds(trade: Trade, crowd: _Crowd, who: Ints, gone: Bools, nth: int) -> pa.Table:
    """Households' friendships with their nth guide: added at the till, just after a basket, rather early than late."""
    keys = crowd.keys[who]
    share = _draw(keys, "added", str(nth)) ** 1.5
    added = trade.basket(who, share) + 120
    talk = np.maximum(trade.basket(who, share + (1 - share) * _draw(keys, "talk", str(nth))) + 600, added)
    talked = _draw(keys, "talked", str(nth)) < 0.75
    return _bond_table(crowd, who, _guide_of(crowd, who, nth), added, np.where(talked, talk, 0), gone)


def _guide_of(crowd: _Crowd, who: Ints, nth: int) -> Ints:
    keys, at = crowd.keys[who], crowd.at[who]
    others = crowd.staffed[at] - 1
    start = (_draw(keys, "guide") * crowd.staffed[at]).astype(np.int64)
    step = 1 + (_draw(keys, "other guide") * others).astype(np.int64) if nth else np.zeros(len(who), np.int64)
    return crowd.first_guide[at] + (start + step) % crowd.staffed[at]


def _bond_table(crowd: _Crowd, who: Ints, guide: Ints, added: Ints, talk: Ints, gone: Bools) -> pa.Table:
    """Friendships as rows; `talk` is 0 where they never talked. Of the lost, 7 in 10 were deleted by the customer."""
    keys = crowd.keys[who]
    since = np.maximum(added, talk)
    ended = since + (_draw(keys, "ended") * (_END - since)).astype(np.int64)
    by_customer = _draw(keys, "who deleted") < 0.7
    return pa.table(
        {
            "userid": crowd.guides["userid"].combine_chunks().take(pa.array(guide)),
            "external_userid": external_ids(keys),
            "added_at": instants(added),
            "last_talk_at": instants(talk, talk > 0),
            "customer_deleted_at": instants(ended, gone & by_customer),
            "member_deleted_at": instants(ended, gone & ~by_customer),
        }
    )


def _consents(trade: Trade, crowd: _Crowd) -> pa.Table:
    """95 % said yes to marketing, of whom 3 in 100 took it back later; 3 % said no; 2 % were never asked."""
    said = _draw(crowd.keys, "consent")
    asked = np.append(trade.seconds[trade.first], crowd.added)
    took_back = (said < 0.95) & (_draw(crowd.keys, "took back") < 0.03)
    later = asked + (_draw(crowd.keys, "took back when") * (_END - asked)).astype(np.int64)
    answered, again = np.flatnonzero(said < 0.98), np.flatnonzero(took_back)
    who = np.append(answered, again)
    granted = np.append(said[answered] < 0.95, np.zeros(len(again), bool))
    keys = crowd.keys[who]
    proofs = ["合成：入会登记表" if key > 0 else "合成：加好友后的问卷" for key in keys[: len(answered)].tolist()]
    return pa.table(
        {
            "external_userid": external_ids(keys),
            "member": members_of(keys),
            "purpose": ["marketing"] * len(who),
            "channel": ["*"] * len(who),
            "granted": granted,
            "at": instants(np.append(asked[answered], later[again])),
            "proof": proofs + ["合成：聊天中回复退订"] * len(again),
            "synthetic": np.ones(len(who), bool),
        }
    )


def _prospects(crowd: _Crowd) -> pa.Table:
    return pa.table(
        {
            "external_userid": external_ids(crowd.prospects),
            "name": names_of(crowd.prospects),
            "store": codes(crowd.shops[crowd.at[crowd.keys < 0]]),
            "source": _choose(crowd.prospects, "source", _SOURCES),
            "added_at": instants(crowd.added),
            "synthetic": np.ones(PROSPECTS, bool),
        }
    )


# How the sandbox's people buy ---------------------------------------------------------------------------------------


def _population(trade: Trade, crowd: _Crowd) -> pa.Table:
    """Purchase parameters fitted from 2017; prospects buy rarely, and then as everybody does.

    The daily rate weighs the last 90 days and the year 2 : 1. Basket amounts match the household's own mean and
    coefficient of variation, each shrunk towards everybody's by 5 baskets: sigma² = ln(1 + cv²),
    mu = ln(mean) − sigma²/2. The categories are the 8 of most spend, 5 dollars of everybody's mix added.
    A quarter of the people have no lift; the others' is gamma distributed with shape 2. The discount is the share that
    the loyalty card took off the household's list prices, 5 baskets of everybody's added.
    """
    recent = np.bincount(trade.household[trade.seconds >= _END - 90 * _DAY], minlength=len(trade.members))
    rate = (2 * recent / 90 + trade.visits / 365) / 3
    mu, sigma = _basket_fit(trade)
    keys = crowd.keys
    strength = -np.log1p(-_draw(keys, "lift", "1")) - np.log1p(-_draw(keys, "lift", "2"))
    lift = np.where(_draw(keys, "moved") < 0.25, 0.0, strength / 2 * MEAN_LIFT / 0.75)
    weights = _category_weights(trade)
    stores = np.append(trade.home, crowd.shops[crowd.at[keys < 0]])
    return pa.table(
        {
            "external_userid": external_ids(keys),
            "name": names_of(keys),
            "member_no": members_of(keys),
            "daily_rate": np.append(rate, np.full(PROSPECTS, 0.01)).round(5),
            "basket_mu": np.append(mu, np.full(PROSPECTS, mu.mean())).round(4),
            "basket_sigma": np.append(sigma, np.full(PROSPECTS, sigma.mean())).round(4),
            "store_code": codes(stores),
            "category_weights": pa.array(weights, pa.map_(pa.string(), pa.float64())),
            "lift": lift.round(4),
            "discount": _discounts(trade).round(4),
            "synthetic": np.ones(len(keys), bool),
        }
    )


def _basket_fit(trade: Trade) -> tuple[Floats, Floats]:
    count, dollars = trade.visits.astype(np.float64), trade.cents / 100
    total, squares = (np.bincount(trade.household, values) for values in (dollars, dollars**2))
    mean = (total + 5 * total.sum() / count.sum()) / (count + 5)
    own = np.divide(squares * count, total**2, out=np.ones_like(total), where=total > 0) - 1
    spread = (own * count + 5 * np.average(own, weights=count)) / (count + 5)
    sigma = np.sqrt(np.log1p(spread))
    return np.log(mean) - sigma**2 / 2, sigma


def _discounts(trade: Trade) -> Floats:
    paid = trade.spend.sum(axis=1)
    baskets = 5 / trade.visits.sum()
    off = np.append(trade.off + baskets * trade.off.sum(), np.full(PROSPECTS, trade.off.sum()))
    listed: Floats = off + np.append(paid + baskets * paid.sum(), np.full(PROSPECTS, paid.sum()))
    return off / listed


def _category_weights(trade: Trade) -> list[list[tuple[str, float]]]:
    mix = trade.spend.sum(axis=0) / trade.spend.sum()
    spend = np.vstack([trade.spend + 500 * mix, np.tile(mix, (PROSPECTS, 1))])
    top = np.argsort(-spend, axis=1, kind="stable")[:, :8]
    best = np.take_along_axis(spend, top, axis=1)
    shares = (best / best.sum(axis=1, keepdims=True)).round(4)
    return [
        [(trade.categories[code], share) for code, share in zip(*row, strict=True)]
        for row in zip(top.tolist(), shares.tolist(), strict=True)
    ]

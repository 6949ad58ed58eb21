"""导购信任分 and the store league: all guides at once, by sets over the warehouse; then what a viewer may see of them.

A score compares a guide with all of the brand's, so it is the same for whoever looks. It is of this morning, and is
computed anew when profiles are (at most a twentieth of the time), or the document of weights changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa

from yutang.documents import queries as documents
from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, StaffId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER, brand, posts
from yutang.profiles.beforehand import Beforehand
from yutang.profiles.friends import NetFriends, by_node, net_friends_of_each, with_friendships
from yutang.review.documents import TrustDocument
from yutang.review.trust import Component, Counts, Score, scores
from yutang.warehouse.contracts import Warehouse, named

DAYS = (1, 7, 30, 90)
RECENT = timedelta(days=30)
SPANS = {"span": [0, 1, 2, 3], "from_day": [0.0, 1.0, 7.0, 30.0], "until_day": [1.0, 7.0, 30.0, 90.0]}
FEWEST_KNOWN = 5
"""Of fewer friends of whom we know whether they stayed so long, no share is shown."""
DEFAULT = "default"


class Standing(StrEnum):
    """What a score says: surely above the middle, surely below, neither; of too few friends, or of nobody, nothing."""

    ABOVE = "above"
    BELOW = "below"
    UNCLEAR = "unclear"
    TOO_FEW = "too_few"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Kept:
    """Of the friends won: how many, how many of them were lost, and the share that stays 1, 7, 30 and 90 days (None
    where we know of too few)."""

    friends: int
    lost: int
    shares: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class GuideTrust:
    """A guide. `store` is where she stands now; `judged_at` the store whose location was allowed for: where most of her
    friends were won."""

    staff: StaffId
    store: NodeId
    judged_at: NodeId
    kept: Kept
    standing: Standing
    score: Score | None


@dataclass(frozen=True, slots=True)
class StoreLeague:
    """A store of the league. `net`, `orders` and `sales` are of the last 30 days; `above` and `below` of its guides are
    surely better and worse than the middle."""

    store: NodeId
    guides: int
    above: int
    below: int
    kept: Kept | None
    net: NetFriends
    orders: int
    sales: Decimal

    @property
    def friends_per_hundred_orders(self) -> float | None:
        """新增好友 ÷ 订单: how many new friends a hundred orders bring; None without orders."""
        return 100 * self.net.added / self.orders if self.orders else None


@dataclass(frozen=True, slots=True)
class Whole:
    """Every guide who won friends, and every store where somebody did."""

    guides: dict[StaffId, GuideTrust]
    stores: dict[NodeId, Kept]


EMPTY = Kept(0, 0, (None,) * len(DAYS))


def trust_document() -> TrustDocument:
    """The weights in force: the brand's document `default`, and what ships where it was retired."""
    try:
        return documents.document_named(TrustDocument, DEFAULT)
    except NotFound:
        return shipped_trust()


def shipped_trust() -> TrustDocument:
    """The document as it is where a brand says nothing."""
    title = {"zh": "导购信任分", "en": "Guide trust score"}
    return TrustDocument.model_validate({"kind": TrustDocument.KIND, "name": DEFAULT, "title": title})


def guides(warehouse: Warehouse, viewer: Viewer) -> list[GuideTrust]:
    """The guides whom the viewer sees and who won friends in the time that counts; surest above the middle first."""
    at = posts(viewer)
    found = [one for staff, one in WHOLE.answer(warehouse).value.guides.items() if staff in at]
    return sorted(found, key=lambda one: (one.score is None, -(one.score.value if one.score else 0), one.staff))


def league(warehouse: Warehouse, viewer: Viewer) -> list[StoreLeague]:
    """The stores whom the viewer sees and where somebody of the staff stands, the most net friends first."""
    at, now, whole = posts(viewer), business_now(), WHOLE.answer(warehouse).value
    gained = by_node(net_friends_of_each(warehouse, at, now - RECENT, now), at)
    sold = {
        row["store"]: row
        for row in warehouse.query(named("review/league", {"since": now - RECENT, "until": now})).to_pylist()
    }
    standings: dict[NodeId, list[Standing]] = {store: [] for store in at.values()}
    for staff, store in at.items():
        standings[store].append(whole.guides[staff].standing if staff in whole.guides else Standing.TOO_FEW)
    found = [
        StoreLeague(
            store,
            len(several),
            several.count(Standing.ABOVE),
            several.count(Standing.BELOW),
            whole.stores.get(store),
            gained.get(store, NetFriends()),
            int(sold.get(store, {}).get("orders", 0)),
            sold.get(store, {}).get("sales") or Decimal(0),
        )
        for store, several in standings.items()
    ]
    return sorted(found, key=lambda one: (-one.net.net, one.store))


def judge(warehouse: Warehouse, document: TrustDocument, at: Mapping[StaffId, NodeId], now: datetime) -> Whole:
    """All of these members of staff, each standing at a store, and these stores, by what was known until `now`.

    (Unscoped: a guide is compared with all others; `guides` and `league` show what a viewer may see.)
    """
    params = {"since": now - timedelta(days=document.days), "now": now}
    cohort = warehouse.query(with_friendships(named("review/trust_cohort", params), at))
    staff = pa.array(list(at), pa.int64())
    own = _kept(warehouse, cohort, now, pa.table({"staff": staff, "place": staff}))
    stores = _kept(warehouse, cohort, now, pa.table({"staff": staff, "place": pa.array(list(at.values()), pa.int64())}))
    counted = warehouse.query(
        named("review/trust_counts", {"now": now}, {"cohort": cohort, "spans": pa.table(SPANS)})
    ).to_pylist()
    scored, places = _scored(counted, own, document)
    found = {}
    for number, kept in own.items():
        guide = StaffId(number)
        score = scored.get(guide)
        few = kept.friends < document.fewest_friends
        standing = Standing.TOO_FEW if few else Standing.NOBODY if score is None else _standing(score)
        found[guide] = GuideTrust(guide, at[guide], places.get(guide, at[guide]), kept, standing, score)
    return Whole(found, {NodeId(store): kept for store, kept in stores.items()})


def _key() -> tuple[object, ...]:
    return (_today(), trust_document().as_yaml(), tuple(posts(OWNER).items()))


def _today() -> date:
    return local_day(business_now(), brand().zone)


def _judged(warehouse: Warehouse) -> Whole:
    return judge(warehouse, trust_document(), posts(OWNER), day_start(_today(), brand().zone))


WHOLE = Beforehand(_judged, _key)


def _standing(score: Score) -> Standing:
    return Standing.ABOVE if score.above else Standing.BELOW if score.below else Standing.UNCLEAR


def _kept(warehouse: Warehouse, cohort: pa.Table, now: datetime, places: pa.Table) -> dict[int, Kept]:
    rows = warehouse.query(named("review/trust_kept", {"now": now}, {"cohort": cohort, "places": places})).to_pylist()
    return {
        row["place"]: Kept(
            row["friends"],
            int(row["lost"]),
            tuple(row[f"kept_{day}"] if row[f"known_{day}"] >= FEWEST_KNOWN else None for day in DAYS),
        )
        for row in rows
    }


def _scored(
    counted: list[dict[str, Any]], kept: Mapping[int, Kept], document: TrustDocument
) -> tuple[dict[StaffId, Score], dict[StaffId, NodeId]]:
    """The scores of guides with enough friends, each at the store where most of hers were won; and that store. All are
    fitted, since the few friends of some tell of how guides differ too."""
    most: dict[int, tuple[float, int]] = {}
    for row in counted:
        if row["component"] == Component.RETENTION.value and row["store"] is not None:
            most[row["staff"]] = max(most.get(row["staff"], (-1.0, 0)), (float(row["expected"]), row["store"]))
    index = {staff: number for number, staff in enumerate(most)}
    stores = {store: number for number, store in enumerate(sorted({store for _, store in most.values()}))}
    columns = {component.value: number for number, component in enumerate(Component)}
    observed = np.zeros((len(index), len(columns)))
    expected = np.zeros_like(observed)
    for row in counted:
        if row["staff"] in most and most[row["staff"]][1] == row["store"]:
            place = index[row["staff"]], columns[row["component"]]
            observed[place], expected[place] = float(row["observed"]), float(row["expected"])
    store = np.array([stores[most[staff][1]] for staff in index], dtype=np.int64)
    found = scores(Counts(store, observed, expected), document.by_component()) or []
    enough = {
        StaffId(staff): score
        for staff, score in zip(index, found, strict=False)
        if kept[staff].friends >= document.fewest_friends
    }
    return enough, {StaffId(staff): NodeId(place) for staff, (_, place) in most.items()}

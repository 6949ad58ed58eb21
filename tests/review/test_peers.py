"""Where a store stands among those of its size, and when that cannot be told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import fresh_warehouse, insert, rows
from yutang.kernel.clock import business_clock
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.queries import OWNER, senders
from yutang.organisation.services import NewNode, NewSender, add_nodes, add_senders, set_up_brand
from yutang.review.peers import LEAST_ORDERS, LEAST_PEERS, TIERS, StoreFigures, peers, standing, tiers_of
from yutang.warehouse.contracts import Warehouse, named

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
DAY = timedelta(days=1)
stores = st.dictionaries(
    st.integers(1, 60).map(NodeId),
    st.builds(StoreFigures, st.integers(0, 200), st.integers(-30, 60), st.integers(1, 500)),
    min_size=1,
)


@given(stores)
def test_everybody_is_told_of_their_own_tier_and_percentiles_go_from_none_to_all(
    known: dict[NodeId, StoreFigures],
) -> None:
    tiers = tiers_of({store: one.size for store, one in known.items()})
    for store in known:
        found = standing(known, store)
        alike = [one for one in known if tiers[one] == tiers[store] and known[one].orders >= LEAST_ORDERS]
        assert found.peers == len([one for one in alike if one != store])
        assert 0 <= found.below + found.even <= found.peers
        assert 0 <= found.percentile <= 100
        assert found.told == (known[store].orders >= LEAST_ORDERS and found.peers >= LEAST_PEERS)
        assert (found.middle is None) == (found.peers < LEAST_PEERS)


@given(st.dictionaries(st.integers(1, 99).map(NodeId), st.integers(0, 50), min_size=1))
def test_tiers_follow_sizes(sizes: dict[NodeId, int]) -> None:
    tiers = tiers_of(sizes)
    assert all(1 <= tier <= TIERS for tier in tiers.values())
    ordered = sorted(sizes, key=lambda store: sizes[store])
    assert all(tiers[one] <= tiers[two] for one, two in pairwise(ordered))
    assert all(tiers[one] == tiers[two] for one in sizes for two in sizes if sizes[one] == sizes[two])


STORES = 24  # six in each tier


@pytest.fixture
def warehouse(tmp_path: Path, db: None) -> Iterator[Warehouse]:
    """Stores of growing size, whose one guide gained half as many friends as their number says, and lost one."""
    found = fresh_warehouse(tmp_path)
    with business_clock(NOW):
        yield found
    found.close()


@pytest.fixture
def place(warehouse: Warehouse) -> dict[str, NodeId]:
    set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    codes = [f"s{number:02}" for number in range(1, STORES + 1)]
    nodes = add_nodes([NewNode(code, code, NodeKind.STORE) for code in codes])
    add_senders(NewSender(code, f"导购{code}", "wecom", "ww", f"u-{code}") for code in codes)
    staff = {one.store: one.staff for one in senders(OWNER)}
    orders, friends, lost = [], [], []
    for number, code in enumerate(codes, 1):
        common = {"store": nodes[code], "net_amount": Decimal(9), "synthetic": False, "person": 1}
        times = [NOW - (1 + one % 25) * DAY for one in range(20 * number)]
        times += [NOW - timedelta(hours=1), NOW - 40 * DAY, NOW - 120 * DAY]  # today, of size only, and too old
        orders += [
            common | {"order_id": f"{code}-{n}", "placed_at": at.replace(tzinfo=None)} for n, at in enumerate(times)
        ]
        for one in range(number // 2 + 1):
            at = (NOW - 9 * DAY).replace(tzinfo=None)
            who = {"person": 1000 * number + one, "staff": staff[nodes[code]], "store": nodes[code]}
            friends.append(who | {"channel": "wecom", "added_at": at, "live": True})
        gone = {"person": 1000 * number + 900, "staff": staff[nodes[code]], "store": nodes[code]}
        lost.append(gone | {"type": "relation.lost", "event_id": code, "occurred_at": at})
    given = {"orders": orders, "fact_relations": friends, "events": lost}
    warehouse.write([insert(table, rows(table, *records)) for table, records in given.items()])
    return nodes


def test_a_store_is_told_of_its_number_and_its_place_and_of_no_other_store(
    warehouse: Warehouse, place: dict[str, NodeId]
) -> None:
    viewer = Viewer("manager", RoleName.MANAGER, frozenset({place["s12"]}))
    found = peers(warehouse, viewer, place["s12"])
    assert found.own == StoreFigures(orders=240, net=6, size=241)
    assert (found.tier, found.peers, found.told, found.own.rate) == (2, 5, True, 2.5)
    rates = {number: 100 * (number // 2) / (20 * number) for number in range(7, 13)}
    assert found.below == sum(rates[other] < 2.5 for other in range(7, 12))
    assert found.percentile == round(100 * (found.below + found.even / 2) / 5)
    with pytest.raises(NotFound):
        peers(warehouse, viewer, place["s11"])
    new = add_nodes([NewNode("s99", "新店", NodeKind.STORE)])["s99"]
    assert not peers(warehouse, OWNER, new).told, "no order yet"


def test_both_engines_count_orders_alike(warehouse: Warehouse) -> None:
    at = NOW.replace(tzinfo=None)
    given = [
        {"store": store, "net_amount": Decimal(amount), "placed_at": at - days * DAY, "cancelled_at": cancelled}
        for store, amount, days, cancelled in (
            (1, 5, 2, None), (1, 5, 40, None), (1, 0, 2, None), (2, 5, 2, at), (None, 5, 2, None), (3, 7, 91, None),
        )
    ]  # fmt: skip
    params = {"until": NOW, "recent": NOW - 28 * DAY, "since": NOW - 91 * DAY}
    found = assert_equal_on_both_engines(named("review/peers", params), {"orders": rows("orders", *given)})
    assert found.to_pylist() == [{"store": 1, "orders": 1, "size": 2}, {"store": 3, "orders": 0, "size": 1}]

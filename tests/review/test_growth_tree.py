"""The growth tree: parts and places add up to the change to the cent, whatever happened; each viewer their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.layers.conftest import tables_of
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import fresh_warehouse, insert, rows
from yutang.kernel.clock import business_clock
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.queries import OWNER, nodes
from yutang.organisation.services import NewNode, NewSender, add_nodes, add_senders, set_up_brand
from yutang.review.growth import MonthSales, split_change
from yutang.review.growth_queries import months_table
from yutang.review.growth_tree import OPERATED, SHORT, WHOLE, Cause, Sold, branch, split, to_the_cent, what_if
from yutang.review.growth_tree_queries import NOWHERE, VISITS, Tree, growth_tree
from yutang.warehouse.contracts import Warehouse, named

ZONE = "America/New_York"
NOW = datetime(2018, 1, 20, 12, tzinfo=UTC)
Place = dict[str, NodeId]
VISITED = ((1, datetime(2017, 11, 2)), (4, datetime(2017, 11, 2)), (5, datetime(2017, 12, 2)))
cents = some.integers(-5_000_000, 500_000_000).map(lambda n: Decimal(n) / 100)
sold = some.builds(
    lambda buyers, more, others, sales: Sold(
        buyers + others, buyers, buyers + more if buyers else 0, sales if buyers else Decimal(0)
    ),
    some.integers(0, 5_000),
    some.integers(0, 9_000),
    some.integers(0, 50_000),
    cents,
)


@given(sold, sold)
def test_the_parts_add_up_to_the_cent(before: Sold, after: Sold) -> None:
    parts = split(before, after)
    assert sum(parts.values()) == after.sales - before.sales
    assert tuple(parts) in (WHOLE, SHORT)
    assert all(part == part.quantize(Decimal("0.01")) for part in parts.values())
    one = branch("", before, after)
    assert one.operated + one.set_by_category == one.new_change + one.repeat_change == one.change


@given(sold, sold)
def test_it_turns_round_with_time(before: Sold, after: Sold) -> None:
    there, back = split(before, after), split(after, before)
    for cause, part in there.items():
        size = abs(float(before.sales)) + abs(float(after.sales)) + 1
        assert float(part) == pytest.approx(-float(back[cause]), abs=0.05 + 1e-9 * size)


def test_without_traffic_it_is_the_formula_that_stood_before() -> None:
    before = Sold(None, 2061, 12_734, Decimal("386027.21"))
    after = Sold(None, 2062, 13_097, Decimal("421720.45"))
    old = split_change(*(MonthSales(date(2017, 12, 1), one.buyers, one.orders, one.sales) for one in (before, after)))
    assert old is not None
    found = split(before, after)
    assert [round(part) for part in found.values()] == [196, 11_149, 24_349]
    assert [float(part) for part in found.values()] == pytest.approx(
        [old.customers, old.frequency, old.basket], abs=0.01
    )


def test_a_place_that_opened_or_closed_is_all_of_who_came() -> None:
    one = Sold(None, 3, 4, Decimal("9.99"))
    assert split(Sold(), one) == {Cause.BUYERS: Decimal("9.99"), Cause.FREQUENCY: 0, Cause.BASKET: 0}
    assert split(one, Sold())[Cause.BUYERS] == Decimal("-9.99")
    refunded = Sold(None, 3, 4, Decimal("-5.00"))
    assert split(one, refunded) == {Cause.BUYERS: 0, Cause.FREQUENCY: 0, Cause.BASKET: Decimal("-14.99")}


def test_conversion_is_told_apart_where_visits_are_known() -> None:
    before, after = Sold(100, 10, 10, Decimal(100)), Sold(100, 20, 20, Decimal(200))
    assert split(before, after)[Cause.CONVERSION] == Decimal(100)
    assert split(Sold(50, 10, 10, Decimal(100)), after)[Cause.TRAFFIC] == pytest.approx(Decimal(100), abs=1)
    assert {Cause.TRAFFIC, Cause.CONVERSION, Cause.BUYERS} == OPERATED


def test_rounding_leaves_nothing_over() -> None:
    assert to_the_cent([1 / 3, 1 / 3, 1 / 3], Decimal("1.00")) == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]


def test_what_if_multiplies_what_is_moved() -> None:
    now = Sold(None, 10, 20, Decimal("1000.00"))
    assert what_if(now, {}) == Decimal("1000.00")
    assert what_if(now, {Cause.BUYERS: 0.1, Cause.BASKET: -0.5}) == Decimal("550.00")


# The tree of a brand ------------------------------------------------------------------------------------------------


@pytest.fixture
def place(db: None) -> Place:
    set_up_brand("鱼", "USD", ZONE)
    near = [NewNode("s1", "一店", NodeKind.STORE, "north"), NewNode("s2", "二店", NodeKind.STORE, "north")]
    far = [NewNode("south", "南", NodeKind.REGION), NewNode("s3", "三店", NodeKind.STORE, "south")]
    made = add_nodes([NewNode("north", "北", NodeKind.REGION), *near, *far])
    add_senders([NewSender("s1", "甲", "wecom", "ww", "a"), NewSender("s3", "乙", "wecom", "ww", "b")])
    return made


@pytest.fixture
def warehouse(tmp_path: Path, place: Place) -> Iterator[Warehouse]:
    one = fresh_warehouse(tmp_path)
    given_: list[tuple[str | None, int, datetime, str]] = [
        ("s1", 1, datetime(2017, 11, 3), "10.00"),
        ("s1", 2, datetime(2017, 11, 4), "20.00"),
        ("s2", 1, datetime(2017, 11, 9), "5.00"),
        ("s1", 1, datetime(2017, 12, 3), "11.11"),
        ("s1", 9, datetime(2017, 12, 8), "7.00"),  # 9 is 2 by another name
        ("s3", 3, datetime(2017, 12, 9), "33.00"),
        (None, 3, datetime(2017, 12, 10), "2.00"),
        ("s3", 3, datetime(2018, 1, 4), "1.00"),
    ]
    orders = [
        {"store": place[s] if s else None, "person": p, "placed_at": at, "net_amount": Decimal(net), "synthetic": False}
        for s, p, at, net in given_
    ]
    seen = [
        {"event_id": f"v{n}", "type": "page.viewed", "occurred_at": at, "person": p, "store": place["s1"]}
        for n, (p, at) in enumerate(VISITED)
    ]
    friends = [
        {"event_id": "f1", "type": "relation.added", "occurred_at": datetime(2017, 1, 1), "person": 1, "source": "ad"},
        {"event_id": "f2", "type": "relation.added", "occurred_at": datetime(2017, 2, 1), "person": 1, "source": "x"},
    ]
    first = [(1, datetime(2017, 11, 3)), (2, datetime(2017, 11, 4)), (3, datetime(2017, 12, 9))]
    one.write(
        [
            insert("orders", rows("orders", *orders)),
            insert("events", rows("events", *seen, *friends)),
            insert("profiles", [{"person": p, "first_order_at": at, "orders_ever": 1} for p, at in first]),
            insert("person_overrides", [{"birth": 9, "survivor": 2}]),
        ]
    )
    with business_clock(NOW):
        yield one
    one.close()


def told(warehouse: Warehouse, viewer: Viewer = OWNER, **asked: str) -> Tree:
    found = growth_tree(warehouse, viewer, **asked)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_places_below_add_up_to_the_cent(warehouse: Warehouse) -> None:
    found = told(warehouse)
    assert (found.month, found.before, found.running) == (date(2017, 12, 1), date(2017, 11, 1), False)
    assert (found.root.before.sales, found.root.after.sales) == (Decimal("35.00"), Decimal("53.11"))
    assert sum(one.change for one in found.root.below) == found.root.change == Decimal("18.11")
    assert [one.name for one in found.root.below] == ["北", "南", ""]
    assert sum(one.change for one in found.sources) == found.root.change
    north = told(warehouse, at="north")
    assert sum(one.change for one in north.root.below) == north.root.change == found.root.below[0].change
    assert (north.root.before.buyers, [one.before.buyers for one in north.root.below]) == (2, [2, 1])
    assert found.heads == 2
    assert told(warehouse, at="s3").heads == 1


def test_who_is_new_and_who_came_again(warehouse: Warehouse) -> None:
    root = told(warehouse).root
    assert (root.before.new_buyers, root.before.new_sales) == (2, Decimal("35.00"))
    assert (root.after.new_buyers, root.after.new_sales, root.after.buyers) == (1, Decimal("35.00"), 3)
    assert root.repeat_change == Decimal("18.11")
    sources = {one.name: (one.before.sales, one.after.sales) for one in told(warehouse).sources}
    assert sources == {"ad": (Decimal("15.00"), Decimal("11.11")), "": (Decimal("20.00"), Decimal("42.00"))}


def test_traffic_is_counted_where_visits_are_known(warehouse: Warehouse) -> None:
    store = told(warehouse, at="s1").root
    assert (store.before.visitors, store.before.buyers) == (3, 2)
    assert (store.after.visitors, store.after.buyers) == (3, 2)
    assert store.causes == WHOLE
    assert told(warehouse, at="s2").root.causes == SHORT


def test_a_viewer_begins_at_their_own_place(warehouse: Warehouse, place: Place) -> None:
    mine = Viewer("manager", RoleName.MANAGER, frozenset({place["s1"]}))
    assert told(warehouse, mine).place.code == "s1"
    with pytest.raises(NotFound):
        growth_tree(warehouse, mine, "north")
    with pytest.raises(NotFound):
        growth_tree(warehouse, OWNER, month="2017-11")
    assert told(warehouse, month="2018-01").running
    assert growth_tree(warehouse, Viewer("nobody", RoleName.MANAGER, frozenset())) is None


def test_both_engines_count_alike(warehouse: Warehouse, place: Place) -> None:
    names = ("orders", "events", "profiles", "person_overrides")
    tables = tables_of(warehouse, *names)
    stores = [int(place["s1"]), int(place["s1"]), int(place["s3"]), NOWHERE]
    more = {
        "months": months_table(warehouse),
        "places": pa.table({"store": stores, "place": [int(place["s1"]), 1, 1, NOWHERE]}),
        "chosen": pa.table({"node": [int(place["s1"])]}),
    }
    params = {"now": NOW, "visits": list(VISITS)}
    assert assert_equal_on_both_engines(named("review/growth_places", params), {**tables, **more}).num_rows > 3
    sources = {"now": NOW, "everywhere": False}
    assert assert_equal_on_both_engines(named("review/growth_sources", sources), {**tables, **more}).num_rows == 4
    assert len(nodes()) == 6

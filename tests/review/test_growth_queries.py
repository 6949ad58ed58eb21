"""Sales by month: whose, where and when they count; and no store's figures for who does not see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import fresh_warehouse, insert, rows
from yutang.kernel.clock import business_clock
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.queries import OWNER, node_by_code, nodes
from yutang.organisation.services import NewNode, add_nodes, set_up_brand
from yutang.review.growth import MonthSales
from yutang.review.growth_queries import monthly_sales
from yutang.warehouse.contracts import Warehouse, named

pytestmark = pytest.mark.django_db
ZONE = "America/New_York"
NOW = datetime(2018, 2, 3, 12, tzinfo=UTC)
Place = dict[str, NodeId]


@pytest.fixture
def place() -> Place:
    set_up_brand("鱼", "USD", ZONE)
    stores = [NewNode("s1", "一店", NodeKind.STORE, "north"), NewNode("s2", "二店", NodeKind.STORE, "north")]
    far = [NewNode("south", "南", NodeKind.REGION), NewNode("s3", "三店", NodeKind.STORE, "south")]
    return add_nodes([NewNode("north", "北", NodeKind.REGION), *stores, *far])


def orders(place: Place) -> pa.Table:
    """Store, person, UTC instant, net, and what else is known."""
    given: list[tuple[str, int | None, datetime, str, dict[str, object]]] = [
        ("s1", 1, datetime(2017, 11, 30, 23), "10.00", {}),
        ("s1", 1, datetime(2017, 12, 1, 4, 59, 59, 999_999), "5.00", {}),  # November still, there
        ("s1", 1, datetime(2017, 12, 1, 5), "7.00", {}),
        ("s2", 2, datetime(2017, 12, 9), "0.00", {}),  # a free basket is a visit
        ("s2", 3, datetime(2017, 12, 9), "4.00", {"synthetic": True}),
        ("s3", 9, datetime(2017, 12, 9), "1.00", {}),  # 9 is 2 by another name
        ("s3", 4, datetime(2017, 12, 9), "0.00", {"cancelled_at": datetime(2017, 12, 10)}),
        ("s1", None, datetime(2017, 12, 9), "99.00", {}),  # nobody known
        ("s1", 1, datetime(2018, 2, 2), "3.00", {}),
        ("s1", 1, datetime(2018, 2, 4), "50.00", {}),  # not yet
    ]
    nowhere = {"person": 5, "placed_at": datetime(2017, 12, 24), "net_amount": Decimal("2.00"), "synthetic": False}
    known = [
        {"store": place[s], "person": p, "placed_at": at, "net_amount": Decimal(net), "synthetic": False, **more}
        for s, p, at, net, more in given
    ]
    return rows("orders", *known, nowhere)


@pytest.fixture
def warehouse(tmp_path: Path, place: Place) -> Iterator[Warehouse]:
    one = fresh_warehouse(tmp_path)
    one.write([insert("orders", orders(place)), insert("person_overrides", [{"birth": 9, "survivor": 2}])])
    with business_clock(NOW):
        yield one
    one.close()


def manager(place: Place, *codes: str) -> Viewer:
    return Viewer("manager", RoleName.MANAGER, frozenset(place[code] for code in codes))


def seen(warehouse: Warehouse, viewer: Viewer, code: str = "") -> list[tuple[int, int, int, str]]:
    """Month, customers, orders, sales."""
    found = monthly_sales(warehouse, viewer, nodes(), node_by_code(code) if code else None)
    return [(one.month.month, one.customers, one.orders, str(one.sales)) for one in found]


def test_a_month_is_local_and_a_person_counts_once(warehouse: Warehouse) -> None:
    assert monthly_sales(warehouse, OWNER, nodes()) == [
        MonthSales(date(2017, 11, 1), 1, 2, Decimal("15.00"), 0),
        MonthSales(date(2017, 12, 1), 4, 5, Decimal("14.00"), 1),
        MonthSales(date(2018, 1, 1), 0, 0, Decimal(0), 0),
        MonthSales(date(2018, 2, 1), 1, 1, Decimal("3.00"), 0),
    ]


def test_a_place_has_its_own_sales(warehouse: Warehouse) -> None:
    north = [(11, 1, 2, "15.00"), (12, 3, 3, "11.00"), (1, 0, 0, "0"), (2, 1, 1, "3.00")]
    assert seen(warehouse, OWNER, "north") == north
    assert seen(warehouse, OWNER, "s2") == [(12, 2, 2, "4.00"), (1, 0, 0, "0"), (2, 0, 0, "0")]
    assert (
        seen(warehouse, OWNER, "south")
        == seen(warehouse, OWNER, "s3")
        == [(12, 1, 1, "1.00"), *north[2:3], (2, 0, 0, "0")]
    )


def test_a_viewer_sees_their_own_stores_only(warehouse: Warehouse, place: Place) -> None:
    assert seen(warehouse, manager(place, "north", "s1", "s2")) == seen(warehouse, OWNER, "north")
    assert seen(warehouse, manager(place, "s2")) == seen(warehouse, OWNER, "s2")
    assert seen(warehouse, manager(place, "s2"), "north") == seen(warehouse, OWNER, "s2")
    assert seen(warehouse, manager(place, "s2"), "s3") == []
    assert seen(warehouse, manager(place)) == []


def test_both_engines_count_alike(warehouse: Warehouse, place: Place) -> None:
    stamp = pa.timestamp("us")
    months = {
        "month": pa.array([date(2017, 12, 1), date(2018, 1, 1)]),
        "start": pa.array([datetime(2017, 12, 1, 5), datetime(2018, 1, 1, 5)], stamp),
        "until": pa.array([datetime(2018, 1, 1, 5), datetime(2018, 2, 1, 5)], stamp),
    }
    chosen = pa.table({"node": pa.array([place["s2"], place["s3"]], pa.int64())})
    stored = {"orders": orders(place), "person_overrides": rows("person_overrides", {"birth": 9, "survivor": 2})}
    for everywhere, customers in ((True, 4), (False, 2)):
        params = {"now": NOW, "everywhere": everywhere}
        asked = named("review/growth_months", params, {"months": pa.table(months), "chosen": chosen})
        assert assert_equal_on_both_engines(asked, stored)["customers"].to_pylist() == [customers]

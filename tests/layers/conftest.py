"""A small pond with three stores, whose people the layers are told of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.kept import made_once
from tests.profiles.worlds import Order
from tests.segments.worlds import ZONE, Pond, put_pond
from tests.warehouse.fixtures import fresh_warehouse, rows
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.queries import node_by_code
from yutang.organisation.services import NewNode, add_nodes, set_up_brand
from yutang.playbooks.services import keep_shipped
from yutang.profiles.services import rebuild
from yutang.warehouse.contracts import Statement, Warehouse

AS_OF = datetime(2018, 1, 1, 5, tzinfo=UTC)
CATEGORIES = ("milk", "bread", "beef", "tea")


def bought(name: str, person: int, days_ago: float, amount: str = "5.00", store: int = 7, *lines: str) -> Order:
    goods = tuple((category, Decimal(amount)) for category in lines or (CATEGORIES[person % 4],))
    return Order(name, person, store, AS_OF - timedelta(days=days_ago), Decimal(amount), Decimal(0), goods)


@pytest.fixture
def stores(db: None) -> dict[str, int]:
    """Ids of the stores s7, s8 (north) and s9 (south), by code."""

    def build(_: Path) -> dict[str, int]:
        set_up_brand("鱼", "CNY", ZONE)
        keep_shipped()
        add_nodes([NewNode("north", "北", NodeKind.REGION), NewNode("south", "南", NodeKind.REGION)])
        add_nodes(
            [NewNode(code, code, NodeKind.STORE, "south" if code == "s9" else "north") for code in ("s7", "s8", "s9")]
        )
        return {code: int(node_by_code(code).id) for code in ("s7", "s8", "s9", "north", "south")}

    return dict(made_once("layers", None, build))


@pytest.fixture
def pond(stores: dict[str, int]) -> Pond:
    """Forty persons: person n bought n mod 9 times, the last time n days ago, at s7, s8 or s9 in turn. Every third may
    be reached."""
    at = [stores["s7"], stores["s8"], stores["s9"]]
    orders = [
        bought(f"{person}-{number}", person, person + 11 * number, f"{person + number}.50", at[person % 3])
        for person in range(1, 41)
        for number in range(person % 9)
    ]
    persons = set(range(1, 41))
    friends = [
        {"person": person, "sender": 1, "staff": 1, "channel": "wecom", "live": True} for person in range(3, 41, 3)
    ]
    said = [{"person": person, "purpose": "marketing", "channel": "*", "granted": True} for person in range(3, 41, 3)]
    scopes = [{"person": person, "node": at[person % 3]} for person in persons]
    flags = {person: {"blocked": False, "silent": False} for person in persons}
    return Pond(persons, {}, {o.id: o for o in orders}, facts=flags, relations=friends, consents=said, scopes=scopes)


@pytest.fixture
def warehouse(tmp_path: Path, pond: Pond) -> Iterator[Warehouse]:
    one = fresh_warehouse(tmp_path)
    one.write(put_pond(pond))
    rebuild(one, AS_OF)
    yield one
    one.close()


def manager(*nodes: int) -> Viewer:
    return Viewer("manager", RoleName.MANAGER, frozenset(NodeId(n) for n in nodes))


def tables_of(warehouse: Warehouse, *names: str) -> dict[str, pa.Table]:
    """What stands in these tables, for the other engine. Made anew from its values: what DuckDB leaves below a null is
    no day to ClickHouse."""
    return {name: rows(name, *warehouse.query(Statement(f"SELECT * FROM {name}")).to_pylist()) for name in names}

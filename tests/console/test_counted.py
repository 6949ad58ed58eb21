"""What Today counts beforehand: each viewer's part is what counting for that viewer alone would say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.console import pond_by_hand
from tests.warehouse.fixtures import fresh_warehouse, insert
from tests.ways import ways_told
from yutang.console.pond import NOWHERE, POND, Ways
from yutang.kernel.clock import monotonic
from yutang.layers.flow import with_steps
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.profiles import beforehand as room
from yutang.profiles.beforehand import keep_up
from yutang.profiles.queries import with_reachable
from yutang.profiles.services import rebuild
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.dialects import beside

NOW = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
DAYS_100 = timedelta(days=100)
VIEWERS = [
    Viewer("someone", RoleName.MANAGER, frozenset(nodes))  # type: ignore[arg-type]
    for nodes in ((), (1,), (2,), (1, 3), (1, 2, 3), (9,))
]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    made = fresh_warehouse(tmp_path)
    dice = random.Random(5)
    persons = range(1, 241)
    facts = [{"person": who, "blocked": dice.random() < 0.1, "silent": dice.random() < 0.1,
              "synthetic": dice.random() < 0.2, "bucket": 0} for who in persons]  # fmt: skip
    known = [{"person": who, "node": node} for who in persons for node in (1, 2, 3) if dice.random() < 0.4]
    friends = [{"person": who, "sender": 1, "channel": "wecom", "live": dice.random() < 0.8}
               for who in persons if dice.random() < 0.8]  # fmt: skip
    agreed = [{"person": who, "purpose": "marketing", "channel": dice.choice(("*", "wecom")),
               "granted": dice.random() < 0.7} for who in persons if dice.random() < 0.7]  # fmt: skip
    for table, rows in (("facts", facts), ("fact_scopes", known), ("fact_relations", friends),
                        ("fact_consents", agreed)):  # fmt: skip
        made.write([insert(table, pa.Table.from_pylist(rows))])
    made.write(ways_told())
    yield made
    made.close()


def seen_by(viewer: Viewer, text: str, **params: object) -> Statement:
    seen = pa.table({"node": pa.array(sorted(viewer.nodes or ()), pa.int64())})
    return Statement(text, {**params, "sees_all": viewer.sees_all}, {"seen": seen})


def ways(warehouse: Warehouse, viewer: Viewer) -> Ways:
    asked = beside(seen_by(viewer, pond_by_hand.WAYS), "reachability", "console/reachability")
    rows = warehouse.query(asked).to_pylist()
    return Ways({(row["bought"], row["synthetic"], row["way"]): row["persons"] for row in rows})


def test_steps_and_stores_are_what_three_queries_by_hand_say(warehouse: Warehouse) -> None:
    dice = random.Random(6)
    orders, lines = [], []
    for number in range(900):
        who, at = dice.randrange(1, 200), NOW.replace(tzinfo=None) - timedelta(hours=dice.randrange(-50, 4_000))
        same = {"source": "till", "order_id": str(number), "person": who, "placed_at": at}
        orders.append({**same, "store": dice.choice((1, 2, 3, None)), "placed_amount": Decimal("9.90"),
                       "net_amount": Decimal(dice.randrange(1, 9_999)) / 100, "currency": "CNY", "synthetic": False,
                       "lines_at": at, "cancelled_at": NOW if dice.random() < 0.1 else None})  # fmt: skip
        lines += [{**same, "ordinal": 0, "revised_at": at, "category": dice.choice("abc"), "amount": Decimal("1.00"),
                   "void": orders[-1]["cancelled_at"] is not None}]  # fmt: skip
    merged = [{"birth": birth, "survivor": 200 + birth} for birth in (1, 2, 3)]
    joined = [
        {"event_id": str(number), "person": number, "inviter": 200 + number % 30, "at": NOW} for number in range(9, 90)
    ]
    for table, rows in (("invites", joined), ("orders", orders), ("order_lines", lines), ("person_overrides", merged)):
        warehouse.write([insert(table, pa.Table.from_pylist(rows))])
    warehouse.write([Statement("UPDATE facts SET home_node = person % 4, born_at = $at", {"at": NOW - DAYS_100})])
    rebuild(warehouse, NOW, zone="UTC")
    whole = POND.answer(warehouse).value
    spans = {f"from_{days}": NOW - timedelta(days=days) for days in (30, 60, 90)}
    for viewer in (OWNER, *VIEWERS):
        asked = with_steps(seen_by(viewer, pond_by_hand.POOL_STEPS, as_of=NOW, **spans))
        by_hand = {(name, row["synthetic"]): count for row in warehouse.query(asked).to_pylist()
                   for name, count in row.items() if name != "synthetic" and count}  # fmt: skip
        assert {key: count for key, count in whole.took(viewer).items() if count} == by_hand
        assert bool(by_hand) == bool(viewer.nodes is None or {1, 2, 3} & viewer.nodes)
        stores = warehouse.query(with_reachable(seen_by(viewer, pond_by_hand.POOL_STORES))).to_pylist()
        told = {one.store: (one.customers, one.prospects, one.reachable, one.repeat, one.active, one.spend)
                for one in whole.at_home(viewer)}  # fmt: skip
        assert told == {
            NOWHERE if row["store"] is None else row["store"]: tuple(
                float(row[name]) if name == "spend" else row[name]
                for name in ("customers", "prospects", "reachable", "repeat", "active", "spend")
            )
            for row in stores
        }


def test_each_viewer_is_told_of_their_own(warehouse: Warehouse) -> None:
    whole = POND.answer(warehouse).value
    for viewer in (OWNER, *VIEWERS):
        assert whole.part(viewer) == ways(warehouse, viewer)
    assert {way for _, _, way in whole.part(OWNER).heads} == {
        *("blocked", "never_friend", "lost", "silent", "reachable", "unasked", "refused")
    }
    assert not whole.part(VIEWERS[0]).everybody


def test_what_is_kept_is_what_stood_and_then_what_stands(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild(warehouse, NOW, zone="UTC")
    keep_up(warehouse, [POND])
    before = ways(warehouse, VIEWERS[1])
    warehouse.write([Statement("UPDATE facts SET blocked = TRUE"), Statement("DELETE FROM fact_scopes WHERE node = 3")])
    assert POND.answer(warehouse).value.part(VIEWERS[1]) == before
    rebuild(warehouse, NOW, zone="UTC")
    monkeypatch.setattr(room, "monotonic", lambda: monotonic() + 3_600)
    assert keep_up(warehouse, [POND]) == 1
    for viewer in (OWNER, *VIEWERS):
        assert POND.answer(warehouse).value.part(viewer) == ways(warehouse, viewer)
    assert {way for _, _, way in POND.answer(warehouse).value.part(OWNER).heads} == {"blocked"}

"""What Today counts beforehand: each viewer's part is what counting for that viewer alone would say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.console.counted import REACHED
from yutang.console.pool import ways
from yutang.kernel.clock import monotonic
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.profiles import beforehand as room
from yutang.profiles.beforehand import keep_up
from yutang.profiles.services import rebuild
from yutang.warehouse.contracts import Statement, Warehouse

NOW = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
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
    yield made
    made.close()


def test_each_viewer_is_told_of_their_own(warehouse: Warehouse) -> None:
    whole = REACHED.answer(warehouse).value
    for viewer in (OWNER, *VIEWERS):
        assert whole.part(viewer) == ways(warehouse, viewer)
    assert {way for _, _, way in whole.part(OWNER).heads} == {
        *("blocked", "never_friend", "lost", "silent", "reachable", "unasked", "refused")
    }
    assert not whole.part(VIEWERS[0]).everybody


def test_what_is_kept_is_what_stood_and_then_what_stands(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild(warehouse, NOW, zone="UTC")
    keep_up(warehouse, [REACHED])
    before = ways(warehouse, VIEWERS[1])
    warehouse.write([Statement("UPDATE facts SET blocked = TRUE"), Statement("DELETE FROM fact_scopes WHERE node = 3")])
    assert REACHED.answer(warehouse).value.part(VIEWERS[1]) == before
    rebuild(warehouse, NOW, zone="UTC")
    monkeypatch.setattr(room, "monotonic", lambda: monotonic() + 3_600)
    assert keep_up(warehouse, [REACHED]) == 1
    for viewer in (OWNER, *VIEWERS):
        assert REACHED.answer(warehouse).value.part(viewer) == ways(warehouse, viewer)
    assert {way for _, _, way in REACHED.answer(warehouse).value.part(OWNER).heads} == {"blocked"}

"""What is counted beforehand: as of when it stands, when it is counted again, and whose part of it is whose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.kernel.clock import business_clock
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.profiles import beforehand as room
from yutang.profiles.beforehand import Beforehand, Counted, Known, keep_up
from yutang.profiles.services import rebuild
from yutang.warehouse.contracts import Warehouse

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path) -> Iterator[Warehouse]:  # type: ignore[no-untyped-def]
    made = fresh_warehouse(tmp_path)
    yield made
    made.close()


class Slow:
    """A question that takes three seconds of a clock of its own, and counts how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.asked, self.key = 0.0, 0, "a"
        monkeypatch.setattr(room, "monotonic", lambda: self.now)
        self.question = Beforehand(self._ask, lambda: self.key)

    def _ask(self, _warehouse: Warehouse) -> int:
        self.now += 3
        self.asked += 1
        return self.asked


def test_where_no_lane_runs_everybody_counts(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    rebuild(warehouse, NOW, zone="UTC")
    with business_clock(NOW):
        assert [slow.question.answer(warehouse) for _ in range(2)] == [Counted(1, NOW), Counted(2, NOW)]


def test_the_lane_counts_so_that_nobody_else_does(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    with business_clock(NOW):
        assert keep_up(warehouse, [slow.question]) == 0  # nothing came in yet
    rebuild(warehouse, NOW, zone="UTC")
    with business_clock(NOW):
        assert keep_up(warehouse, [slow.question]) == 1
    with business_clock(NOW + timedelta(minutes=1)):
        assert keep_up(warehouse, [slow.question]) == 0
        assert slow.question.answer(warehouse) == Counted(1, NOW)
        rebuild(warehouse, NOW, zone="UTC")
        slow.now += 59
        assert (keep_up(warehouse, [slow.question]), slow.asked) == (0, 1)  # something is new, but it has not rested
        assert slow.question.answer(warehouse) == Counted(1, NOW)  # as of then, and nobody waits
        slow.now += 2
        assert (keep_up(warehouse, [slow.question]), slow.asked) == (1, 2)
        assert slow.question.answer(warehouse) == Counted(2, NOW + timedelta(minutes=1))
        slow.now += 599
        assert (keep_up(warehouse, [slow.question]), slow.asked) == (0, 2)
        slow.now += 2
        assert (keep_up(warehouse, [slow.question]), slow.asked) == (
            1,
            3,
        )  # ten minutes old


def test_another_key_is_never_answered_with_the_old_one(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    rebuild(warehouse, NOW, zone="UTC")
    keep_up(warehouse, [slow.question])
    slow.key = "b"
    assert [slow.question.answer(warehouse).value for _ in range(2)] == [2, 2]
    slow.key = "c"
    assert keep_up(warehouse, [slow.question]) == 1  # at once, rested or not
    assert slow.question.answer(warehouse).value == 3


@pytest.mark.parametrize("few", [1, 100_000])
def test_a_viewer_sees_whom_they_know_at_one_of_their_nodes(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(room, "MANY", few)
    scopes = [(1, 10), (1, 20), (2, 20), (4, 30), (5, 30), (9, 10)]
    person, node = (pa.array(column, pa.int64()) for column in zip(*scopes, strict=True))
    warehouse.write([insert("fact_scopes", pa.table({"person": person, "node": node}))])
    known = Known.of(warehouse, np.array([1, 2, 3, 5, 7], dtype=np.int64))
    for nodes in ((), (10,), (20,), (30,), (10, 30), (40, 1_000), (10, 20, 30)):
        viewer = Viewer("someone", RoleName.MANAGER, frozenset(nodes))  # type: ignore[arg-type]
        expected = [any((who, one) in scopes for one in nodes) for who in (1, 2, 3, 5, 7)]
        assert known.seen_by(viewer).tolist() == expected
    assert known.seen_by(OWNER).all()
    assert Known.of(warehouse, np.array([], dtype=np.int64)).seen_by(OWNER).tolist() == []

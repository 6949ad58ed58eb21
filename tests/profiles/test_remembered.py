"""What is remembered holds exactly until profiles are computed anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.profiles import remembered as room
from yutang.profiles.remembered import Paced, Remembered
from yutang.profiles.services import rebuild, refresh

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_an_answer_is_kept_until_something_is_computed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    warehouse = fresh_warehouse(tmp_path)
    asked: list[str] = []
    remembered: Remembered[int] = Remembered(size=2)

    def answer(key: str) -> int:
        return remembered.answer(warehouse, key, lambda: asked.append(key) or len(asked))

    assert (answer("a"), answer("a")) == (1, 2)  # nothing was computed yet, so nothing is kept
    rebuild(warehouse, NOW, zone="UTC")
    assert (answer("a"), answer("a"), answer("b")) == (3, 3, 4)
    refresh(warehouse, NOW + timedelta(minutes=1), zone="UTC")  # the clock went on, and nothing was to be computed
    assert answer("a") == 3
    warehouse.write([insert("facts", pa.table({"person": pa.array([7], pa.int64())}))])
    refresh(warehouse, NOW + timedelta(minutes=1), zone="UTC")  # the same instant, another person
    assert answer("a") == 5
    rebuild(warehouse, NOW + timedelta(minutes=1), zone="UTC")
    assert answer("a") == 6
    assert [answer(key) for key in "abcca"] == [6, 7, 8, 8, 9]  # two are kept: the last asked for
    warehouse.close()


def test_a_dear_question_is_asked_for_a_twentieth_of_the_time(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    warehouse, other = fresh_warehouse(tmp_path / "one"), fresh_warehouse(tmp_path / "other")
    clock = [0.0]
    monkeypatch.setattr(room, "monotonic", lambda: clock[0])
    paced: Paced[int] = Paced()
    asked: list[str] = []

    def ask(key: str) -> int:
        clock[0] += 3  # it takes three seconds
        asked.append(key)
        return len(asked)

    def answer(key: str = "a", of=warehouse) -> int:  # type: ignore[no-untyped-def]
        return paced.answer(of, key, lambda: ask(key))

    assert (answer(), answer()) == (1, 1)
    rebuild(warehouse, NOW, zone="UTC")
    clock[0] += 59
    assert answer() == 1  # profiles were computed anew, but it is too early
    clock[0] += 2
    assert (answer(), answer()) == (2, 2)
    clock[0] += 1_000
    assert answer() == 2  # nothing was computed since
    assert answer("b") == 3
    assert (answer("b", other), answer("b")) == (4, 3)  # each warehouse has its own
    for one in (warehouse, other):
        one.close()

"""What is remembered holds exactly until profiles are computed anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.profiles.remembered import Remembered
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

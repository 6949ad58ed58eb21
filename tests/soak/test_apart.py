"""Web, workers and clock apart on PostgreSQL: killed -9, others take over, nothing is lost or done twice (`make soak`
kills more)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import stores
from tests.soak.apart import killed_in_turn


@pytest.mark.skipif(not stores.on_postgres(), reason="with SQLite one process does everything")
@pytest.mark.long
def test_each_process_is_killed_once_and_the_books_agree_with_the_world(tmp_path: Path) -> None:
    found = killed_in_turn(tmp_path / "pond", 4, seed=3, roles=("worker", "worker", "clock", "web"))
    assert found["killed"] == {"worker": 2, "clock": 1, "web": 1}
    books = found["books"]
    assert isinstance(books, dict)
    assert books["sent"] > 0
    assert books["purchases"] > 0

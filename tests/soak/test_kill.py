"""The house dies where it hurts most, and the books still agree with the world (all places: `make soak`)."""

from __future__ import annotations

from pathlib import Path

from tests.soak.kill import every_place

WORST = ("plan.decisions_written", "issue.answered")


def test_nothing_is_lost_or_doubled_when_the_house_dies_at_the_worst_places(tmp_path: Path) -> None:
    found = every_place(tmp_path / "pond", WORST)
    books = found["books"]
    assert isinstance(books, dict)
    assert books["sent"] > 0
    assert books["purchases"] > 0

"""The house dies where it hurts most, and its books still agree with the world (every place: `make soak`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.intake import kill as intake
from tests.operations import rotate
from tests.soak import erasing, kill, ways
from yutang.kernel.failpoints import FAILPOINTS


@pytest.mark.long
def test_nothing_is_lost_or_doubled_when_the_house_dies_between_the_platforms_answer_and_its_own_note(
    tmp_path: Path,
) -> None:
    books = kill.one_place(tmp_path / "pond", "issue.answered")["books"]
    assert isinstance(books, dict)
    assert books["sent"] > 0
    assert books["purchases"] > 0


def test_the_soak_dies_at_every_place_that_has_a_name() -> None:
    there = {*kill.PLACES, kill.NOT_WITHDRAWN, *intake.PLACES, *ways.PLACES, *rotate.PLACES, *erasing.PLACES}
    assert there == set(FAILPOINTS)

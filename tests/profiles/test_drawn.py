"""What a sample says of everybody."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from yutang.kernel.ids import draw_array, salt
from yutang.profiles.drawn import Drawn, Told


def drawn(some: int, everybody: int) -> Drawn:
    persons = np.arange(some, dtype=np.int64)
    return Drawn(pa.table({"birth": persons, "person": persons}), persons, everybody)


@pytest.mark.parametrize(
    ("some", "everybody", "found", "told"),
    [
        (0, 0, 0, Told(0, 0, 0)),
        (0, 10, 0, Told(0, 0, 10, 0.0)),
        (40, 40, 7, Told(7, 7, 7)),
        (50, 1000, 0, Told(0, 0, 68, 0.05)),
        (50, 1000, 50, Told(1000, 932, 1000, 0.05)),
        (999, 1000, 3, Told(3, 3, 3, 0.999)),
        (50_000, 1_000_000, 5_000, Told(100_000, 97_466, 102_592, 0.05)),
    ],
)
def test_a_share_of_a_sample_says_how_many_there_are(some: int, everybody: int, found: int, told: Told) -> None:
    assert drawn(some, everybody).told(found) == told


def test_its_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    everybody = np.arange(20_000, dtype=np.int64)
    held = 0
    for turn in range(200):
        so = draw_array(everybody, salt(f"so {turn}")) < 0.004 * (1 + turn % 50)
        chosen = draw_array(everybody, salt(f"chosen {turn}")) < 0.1
        told = drawn(int(chosen.sum()), len(everybody)).told(int((so & chosen).sum()))
        held += told.low <= int(so.sum()) <= told.high
    assert 184 <= held <= 197

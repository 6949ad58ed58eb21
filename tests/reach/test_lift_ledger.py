"""Simulated plans through the real gate and ledger: what the page says of a plan keeps its word.

Sixty here, to be quick; `make bench` reads a thousand, against the bounds themselves.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reach.through_ledger import read_all
from tests.warehouse.fixtures import fresh_warehouse


@pytest.mark.long
@pytest.mark.django_db
def test_intervals_read_from_the_ledger_cover_the_true_effect_by_intention_to_treat(tmp_path: Path) -> None:
    warehouse = fresh_warehouse(tmp_path)
    try:
        seen = read_all(warehouse, plans=60, seed=1)
    finally:
        warehouse.close()
    assert seen.plans == 60
    # The bounds of a thousand plans, less two standard errors of sixty (of some 20 for silent and visible).
    assert seen.covered >= 0.87
    assert seen.silent_at_none >= 0.81
    assert seen.visible_at_three >= 0.62
    assert seen.half_width <= 1.1

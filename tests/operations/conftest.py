"""A small brand with a real warehouse and a real sandbox, whose clock the loop turns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.reach.conftest import Stage, staged


@pytest.fixture
def stage(db: None, tmp_path: Path, settings: Settings, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A brand of a dozen people and 3 guides who tap at once (or another, by `indirect` parameters), at half past eight
    in the morning."""
    with staged(tmp_path, settings, whole=True, **{"persons": 12, **getattr(request, "param", {})}) as built:
        yield built

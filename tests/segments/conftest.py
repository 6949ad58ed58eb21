"""What a process knows of the brand's traits does not stay from one test to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from yutang.profiles.registry import close_traits, learn_these


@pytest.fixture(autouse=True)
def _no_brand() -> Iterator[None]:
    close_traits()
    learn_these(())
    yield
    close_traits()
    learn_these(())

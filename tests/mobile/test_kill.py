"""Killed by the system, and gone on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mobile import kill


@pytest.mark.long
def test_what_the_phone_did_happens_once_however_often_the_house_dies(tmp_path: Path) -> None:
    assert kill.every_place(tmp_path) == dict.fromkeys(kill.PLACES, 1)

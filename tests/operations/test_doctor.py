"""The doctor finds what is wrong, and says what to do in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reach.conftest import Stage
from yutang.operations import doctor
from yutang.organisation.models import Brand
from yutang.warehouse.contracts import Statement

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key file as it should be."""
    path = tmp_path / "own.key"
    path.write_bytes(b"key")
    path.chmod(0o600)
    monkeypatch.setenv("YUTANG_KEY_FILE", str(path))
    return path


def wrong(stage: Stage) -> dict[str, doctor.Finding]:
    return {found.name: found for found in doctor.examine(stage.warehouse, stage.directory) if not found.ok}


def test_a_sound_installation_has_nothing_wrong(stage: Stage, key: Path) -> None:
    assert wrong(stage) == {}
    found = doctor.examine(stage.warehouse, stage.directory)
    assert len({one.name for one in found}) == len(found)
    assert all(one.zh and one.en for one in found)


def test_a_key_that_others_can_read_is_wrong(stage: Stage, key: Path) -> None:
    key.chmod(0o644)
    (found,) = wrong(stage).values()
    assert f"chmod 600 {key}" in found.en
    assert f"chmod 600 {key}" in found.zh


def test_profiles_that_never_were_computed_are_wrong(stage: Stage, key: Path) -> None:
    stage.warehouse.write([Statement("DELETE FROM profile_state")])
    (found,) = wrong(stage).values()
    assert "yutang rebuild profiles" in found.en


def test_no_brand_is_wrong_and_one_that_was_presumed_is_to_be_confirmed(stage: Stage, key: Path) -> None:
    Brand.objects.update(presumed=True)
    assert wrong(stage) == {}
    said = {found.name: found.en for found in doctor.examine(stage.warehouse, stage.directory)}
    assert "/set-up/" in said["set_up"]
    Brand.objects.all().delete()
    assert "yutang up" in wrong(stage)["set_up"].en

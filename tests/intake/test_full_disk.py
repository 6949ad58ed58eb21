"""A full disk is said in one sentence, and nothing is half-done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.intake.tables import one
from yutang.intake import imports
from yutang.intake.models import Import
from yutang.kernel.errors import OutOfSpace
from yutang.people.models import Person
from yutang.warehouse.contracts import Warehouse

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_disk(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """A data directory of 256 kB."""
    if os.geteuid() != 0:
        pytest.skip("a small tmpfs needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    settings.DATA = disk
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_an_import_on_a_full_disk_is_undone_whole(warehouse: Warehouse, data: Path, small_disk: Path) -> None:
    path = data / "orders.csv"
    lines = (f"o{n},m{n},2026-03-01 09:30:00,sku{n},1,1.00\n" for n in range(20_000))
    path.write_text("order_id,member,placed_at,sku,quantity,amount\n" + "".join(lines))
    with pytest.raises(OutOfSpace) as caught:
        imports.import_orders(warehouse, path, source="till")
    assert "Free some space" in caught.value.en
    assert not Person.objects.exists()
    assert one(warehouse, "SELECT count(*) FROM events") == 0
    assert list((small_disk / "imports").iterdir()) == []
    assert Import.objects.get().state == imports.REFUSED

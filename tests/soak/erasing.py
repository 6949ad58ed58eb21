"""Dying at every place of an erasure: it goes on, and afterwards nothing of the person is left in any file or table."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from tests import stores
from tests.house import test_secrets as secrets

PLACES = (
    "erase.begun",
    "erase.people",
    "erase.traces",
    "erase.inbox_part",
    "erase.inbox",
    "erase.rewritten",
    "erase.warehouse",
    "erase.unsealed",
    "erase.let_go",
)


def every_place(template: Path, folder: Path) -> dict[str, object]:
    """Die once at each of PLACES, on a copy of `template` each time. Raises AssertionError for what is left."""
    for place in PLACES:
        shutil.copytree(template, folder / "data", ignore=shutil.ignore_patterns("*.sock"))
        stores.copy(template, folder / "data")
        killed = secrets.run_erase(folder / "data", place)
        assert killed.returncode == -signal.SIGKILL, (place, killed.stdout, killed.stderr)
        done = secrets.run_erase(folder / "data", "", "again")
        assert done.stdout.endswith("0, 0, 0, 1]\n"), (place, done.stdout, done.stderr)
        left = {one: secrets.places(folder / "data", one) for person in secrets.ERASED for one in person}
        assert not any(left.values()), (place, left)
        shutil.rmtree(folder / "data")
    return dict.fromkeys(PLACES, 1)

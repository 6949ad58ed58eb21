"""No event is lost or counted twice, wherever pump and import die (every place, and often at random: `make soak`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.intake import kill

ROOT = Path(__file__).resolve().parents[2]
WORST = ("pump.after_append", "import.after_append")  # the warehouse has it, and nobody has noted that it has


@pytest.mark.long
def test_pump_and_import_survive_a_kill_before_they_note_what_they_wrote() -> None:
    options = ["--random", "0", "--places", *WORST]
    command = [sys.executable, "-W", "ignore", "-m", kill.__name__, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["failpoints"] == dict.fromkeys(WORST, 1)

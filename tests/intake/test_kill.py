"""No event is lost or counted twice: every named place hit once, and kills at random instants."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from yutang.kernel.failpoints import FAILPOINTS

ROOT = Path(__file__).resolve().parents[2]


def test_pump_and_import_survive_a_kill_at_every_failpoint_and_at_random() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.intake.kill", "--random", "3", "--seed", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    mine = [name for name in FAILPOINTS if name.split(".")[0] in ("pump", "import", "mirror")]
    assert said["failpoints"] == dict.fromkeys(mine, 1)
    assert said["random"] == 3

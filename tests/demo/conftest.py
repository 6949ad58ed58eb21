"""The demo, loaded once by the real door in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import stores

ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, Any]


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """What our rooms say of the demo in a fresh data directory; costly, so one worker only asks."""
    directory = tmp_path_factory.mktemp("demo") / "pond"
    environment = {**os.environ, **stores.environment(directory), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-m", "tests.demo.figures", str(directory)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1_800)
    assert done.returncode == 0, done.stderr[-4000:]
    found: Figures = json.loads(done.stdout)
    return found

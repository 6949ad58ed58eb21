"""The rooms above the warehouse once more, on ClickHouse's engine: `python -m tests.on_clickhouse [pytest's options]`.

Every warehouse that a test asks for is then a database of ClickHouse in the test's process (chdb), so no server is
needed. What a test says of DuckDB's file (its owner, its socket, its disk) it says of DuckDB there too.
`YUTANG_TEST_CLUSTER=one` or `two` before it lets each be spread over a cluster of so many shards, all in that process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = (
    "warehouse",
    "profiles",
    "segments",
    "layers",
    "reach",
    "review",
    "intake",
    "guard",
    "connect",
    "tasks",
    "execution",
)


def run(*given: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with what was given, or with everything of `ROOMS`."""
    places = [one for one in given if one.startswith("tests/")] or [f"tests/{room}" for room in ROOMS]
    options = [one for one in given if not one.startswith("tests/")]
    environment = {**os.environ, "YUTANG_TEST_WAREHOUSE": "clickhouse"}
    command = [sys.executable, "-m", "pytest", "-m", "not long and not browser", *options, *places]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, text=True)


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]).returncode)

"""Other processes that open the same warehouse, for tests that kill them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPEN = """
import sys
from pathlib import Path
from tests.warehouse.slices import *
from yutang.warehouse.engine import open_warehouse
w = open_warehouse(Path(sys.argv[1]))
"""


@contextmanager
def another_process(directory: Path, code: str) -> Iterator[str]:
    """A process with the warehouse open as `w`, which runs `code`; it is killed -9 at the end.

    Waits for its first line and yields it.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, "-c", OPEN + code, str(directory)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            heard = process.stdout.readline()
            assert heard, "the other process ended early"
            yield heard
        finally:
            process.kill()

"""`make bench`: every bench beside its baseline, each in a process of its own so that none warms another's memory.

`python -m tests.bench plan segments` runs only those named. `python -m tests.postgres --disk -- python -m tests.bench
collect pump` runs those on PostgreSQL, each in a database of its own, with everything durable before it is answered.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import stores

HERE = Path(__file__).parent


def main(wanted: list[str]) -> int:
    """Run the benches, in order of their names; returns how many failed."""
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    strange = sorted(set(wanted) - set(known))
    if strange:
        raise SystemExit(f"there is no bench {strange[0]}; there are {', '.join(known)}")
    failed = 0
    for name in wanted or known:
        print(f"— {name}", flush=True)
        environment = dict(os.environ)
        if stores.on_postgres():
            environment |= stores.environment(Path(tempfile.gettempdir()) / f"bench-{name}-{os.getpid()}")
        command = [sys.executable, "-m", f"tests.bench.bench_{name}"]
        failed += subprocess.run(command, env=environment, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

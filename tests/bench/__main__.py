"""`make bench`: every bench beside its baseline, each in a process of its own so that none warms another's memory.

`python -m tests.bench plan segments` runs only those named.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
        failed += subprocess.run([sys.executable, "-m", f"tests.bench.bench_{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

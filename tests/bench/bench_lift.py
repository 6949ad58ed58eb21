"""A thousand simulated plans through the real gate and ledger: how the intervals on plans' pages keep their word.

Heavy-tailed spend, batches that guides never tap, waves with windows of their own; the true effect is stated by
intention to treat. `tests/reach/test_lift_ledger.py` reads a hundred of them in every run of the tests.

Run: python -m tests.bench.bench_lift
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from yutang.app import house

PLANS = 1_000


def main(plans: int = PLANS) -> None:
    """Print the shares beside their bounds."""
    with tempfile.TemporaryDirectory() as folder:
        opened = house.open_house(Path(folder))
        from tests.reach.through_ledger import read_all

        start = time.perf_counter()
        seen = read_all(opened.warehouse, plans, seed=1)
        took = time.perf_counter() - start
        opened.close()
    print(
        f"{seen.plans:,} plans through gate and ledger in {took:.0f} s: covered {seen.covered:.1%} (93.5–96.5 %), "
        f"silent at no effect {seen.silent_at_none:.1%} (≥ 93 %), visible at three standard errors "
        f"{seen.visible_at_three:.1%} (≥ 80 %), half-width {seen.half_width:.3f} of an oracle's (≤ 1.1)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PLANS)

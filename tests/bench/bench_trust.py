"""Guides whose true effect is known: does the trust score find them, and do its intervals keep their word?

Events and orders of a year go into a warehouse, and the score is computed by the very queries of the page: 360 guides
in 60 stores with effects of their own, 3 to 1,500 friends a guide, friends handed over, with two accounts, lost and
regained. Beside it stands what most systems show: the share of a guide's friends that are still there after 30 days.

Run: python -m tests.bench.bench_trust [seeds]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import tests.bench.environment  # noqa: F401

SEEDS = 6


def main(seeds: int = SEEDS) -> None:
    """Print a line per seed, and the worst."""
    import numpy as np
    from scipy.stats import spearmanr

    from tests.review.trust_world import NOW, trust_world
    from tests.warehouse.fixtures import fresh_warehouse, insert
    from yutang.review.trust_queries import judge, shipped_trust

    lines = []
    for seed in range(1, seeds + 1):
        world = trust_world(seed)
        with tempfile.TemporaryDirectory() as folder:
            warehouse = fresh_warehouse(Path(folder))
            warehouse.write([insert(name, table) for name, table in world.tables.items()])
            start = time.process_time()
            found = judge(warehouse, shipped_trust(), world.at, NOW).guides
            took = time.process_time() - start
            warehouse.close()
        rows = [(found[staff], world.truth[place]) for place, staff in enumerate(world.at) if staff in found]
        scored = [(one.score, truth) for one, truth in rows if one.score is not None]
        raw = [
            (one.kept.shares[2], truth)
            for one, truth in rows
            if one.score is not None and one.kept.shares[2] is not None
        ]
        rank = spearmanr([score.value for score, _ in scored], [truth for _, truth in scored]).statistic
        naive = spearmanr([share for share, _ in raw], [truth for _, truth in raw]).statistic
        covered = np.mean([score.low <= truth <= score.high for score, truth in scored])
        lines.append((rank, covered, naive))
        print(
            f"seed {seed}: {len(scored)} of {len(world.at)} guides, {int(world.friends.sum()):,} friends; rank "
            f"correlation with the truth {rank:.3f} (raw 30-day retention {naive:.3f}); "
            f"90 % intervals cover {covered:.1%}; {took:.1f} s of CPU"
        )
    ranks, coverages, naives = zip(*lines, strict=True)
    print(
        f"worst of {seeds}: rank correlation {min(ranks):.3f} (≥ 0.8), coverage {min(coverages):.1%}–"
        f"{max(coverages):.1%} (85–95 %), raw retention at best {max(naives):.3f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)

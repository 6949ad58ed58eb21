"""Whether the 80 % intervals of potential value hold 80 times in 100: pools that behave as the models say, with what
their persons did in the year after.

Every pool is fitted anew, so that its parameters are as unsure as a brand's of its size. Counted are persons whose
interval has a width (for whom nothing at all is likelier than four in five, the interval is 0 to 0, and holds more
often); beside it, everybody.

Run: python -m tests.soak.coverage [--pools 1000] [--persons 1000] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict

import numpy as np

from tests.profiles.values.pools import CHARACTERS, draw

LOWEST, HIGHEST = 0.77, 0.83


def run(pools: int, persons: int, seed: int) -> dict[str, object]:
    """Draw, fit, tell and compare. Raises AssertionError where the intervals do not hold."""
    from yutang.profiles.values import bgnbd, gammagamma
    from yutang.profiles.values.bgnbd import Histories
    from yutang.profiles.values.gammagamma import Spends
    from yutang.profiles.values.predictive import Model, Persons

    chance = np.random.default_rng(seed)
    names = sorted(CHARACTERS)
    held: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
    silent = 0
    for index in range(pools):
        character = names[index % len(names)]
        pool = draw(chance, persons, character)
        buying = bgnbd.fit(Histories.of(pool.x, pool.t_x, pool.T))
        spending = gammagamma.fit(Spends.of(pool.x, pool.m))
        if not (buying.converged and spending.converged) or spending.params[1] <= 1:
            silent += 1  # no number is told of such a pool
            continue
        told = Model.of(buying, spending).tell(Persons(pool.x, pool.t_x, pool.T, pool.m), 365.0)
        inside = (told.low <= pool.spent) & (pool.spent <= told.high)
        wide = told.high > 0
        held[character].append((int(inside[wide].sum()), int(wide.sum()), int(inside.sum()), persons))
    found: dict[str, object] = {"pools": pools, "persons": persons, "silent": silent}
    every = np.array([one for several in held.values() for one in several])
    for name, several in {**held, "all": every}.items():
        inside, of, inside_all, all_ = np.array(several).sum(axis=0)
        found[name] = {"wide": round(inside / of, 4), "everybody": round(inside_all / all_, 4)}
    shares = every[:, 0] / every[:, 1]
    found["pools from 5 to 95 in 100"] = [round(float(one), 3) for one in np.quantile(shares, (0.05, 0.95))]
    whole = every.sum(axis=0)
    assert LOWEST <= whole[0] / whole[1] <= HIGHEST, found
    assert whole[2] / whole[3] >= LOWEST, found  # who most likely brings nothing has an interval of 0–0: it covers more
    return found


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pools", type=int, default=1000)
    parser.add_argument("--persons", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print(json.dumps(run(chosen.pools, chosen.persons, chosen.seed)))


if __name__ == "__main__":
    main()

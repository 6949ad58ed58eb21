"""What everybody is worth: BG/NBD and Gamma-Gamma fitted and 1,000,000 persons scored with intervals, beside lifetimes.

Persons are drawn as the models say (`tests/profiles/values/pools.py`), watched for two years in days. Ours: grouped,
fitted from several starts, standard errors, and of everybody expected orders, value with its 80 % interval, chance to
be a customer, churn, next order (aim: ≤ 2 s, the likelihood of the peer's maximum to 1e-6). With `--journey`, Complete
Journey: the first nine months learned, the last three foretold, by decile.

lifetimes is no dependency of ours: `--peer PYTHON` names an interpreter of an environment of its own that has it
(`python -m venv peers && peers/bin/pip install lifetimes==0.11.3`); without it only our own figures are printed.

Run: python -m tests.bench.bench_values [--persons 1000000] [--journey] [--peer PYTHON]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

AIM = 2.0
HORIZON = 365.0
PEER = """
import json, sys, time
import numpy as np
from lifetimes import BetaGeoFitter, GammaGammaFitter
given, horizon, out = np.load(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
x, t_x, T, m = (given[name] for name in ("x", "t_x", "T", "m"))
start, cpu = time.perf_counter(), time.process_time()
buying = BetaGeoFitter().fit(x, t_x, T)
again = x > 0
spending = GammaGammaFitter().fit(x[again], m[again])
fit = time.perf_counter() - start
orders = np.asarray(buying.predict(horizon, x, t_x, T))
alive = buying.conditional_probability_alive(x, t_x, T)
value = orders * np.asarray(spending.conditional_expected_average_profit(x, m))
np.savez(out, orders=orders, value=value)
scaled = float(-buying._negative_log_likelihood_ * len(x))
print(json.dumps({"fit": fit, "all": time.perf_counter() - start, "cpu": time.process_time() - cpu,
    "buying": list(map(float, buying.params_)), "spending": list(map(float, spending.params_))}))
"""


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--journey", action="store_true")
    parser.add_argument("--peer", type=Path, help="an interpreter that has lifetimes")
    asked = parser.parse_args()
    large(asked.persons, asked.peer)
    if asked.journey:
        journey(asked.peer)


def large(persons: int, peer: Path | None) -> None:
    """Many persons: time, and the maximum that was found."""
    from tests.profiles.values.pools import draw
    from yutang.profiles.values import bgnbd, gammagamma

    pool = draw(np.random.default_rng(7), persons, "grocer", history=730)
    given = {"x": pool.x, "t_x": np.floor(pool.t_x), "T": pool.T, "m": np.round(pool.m, 2)}
    ours, took = timed(lambda: told(given, HORIZON))
    fits, found, parts = ours
    groups = f"{parts['groups']:,} groups of (x, t_x, T)"
    print(
        f"{persons:,} persons, {groups}: fitted in {parts['fit']:.2f} s and scored with intervals in "
        f"{parts['score']:.2f} s; {took[0]:.2f} s in all (aim ≤ {AIM}), {took[1]:.2f} s of CPU"
    )
    if peer is None:
        print("lifetimes: not asked for (--peer)")
        return
    theirs, values = asked_of(peer, given, HORIZON)
    histories = bgnbd.Histories.of(given["x"], given["t_x"], given["T"])
    spends = gammagamma.Spends.of(given["x"], given["m"])
    gaps = []
    for mine, of, params in (
        (fits[0].log_likelihood, lambda at: bgnbd.log_likelihood(histories, at)[0], theirs["buying"]),
        (fits[1].log_likelihood, lambda at: gammagamma.log_likelihood(spends, at)[0], theirs["spending"]),
    ):
        other = of(np.log(params))
        gaps.append((mine - other) / abs(other))
    print(
        f"lifetimes: {theirs['all']:.2f} s ({theirs['fit']:.2f} s of it the fit, no intervals), {theirs['cpu']:.2f} s "
        f"of CPU: {theirs['cpu'] / took[1]:.1f} × ours; our log-likelihoods are above theirs by "
        f"{gaps[0]:.1e} and {gaps[1]:.1e} of them; expected value differs by "
        f"{abs(values['value'].sum() / found.value.sum() - 1):.1e}"
    )
    if min(gaps) < -1e-6:
        raise SystemExit("lifetimes found a higher likelihood")


def told(given: dict[str, Any], horizon: float) -> Any:
    """Ours: both fits, what is told, and what the parts took."""
    from yutang.profiles.values import bgnbd, gammagamma
    from yutang.profiles.values.predictive import Model, Persons

    start = time.perf_counter()
    histories = bgnbd.Histories.of(given["x"], given["t_x"], given["T"])
    buying = bgnbd.fit(histories)
    spending = gammagamma.fit(gammagamma.Spends.of(given["x"], given["m"]))
    fitted = time.perf_counter()
    found = Model.of(buying, spending).tell(Persons(given["x"], given["t_x"], given["T"], given["m"]), horizon)
    scored = time.perf_counter()
    parts = {"fit": fitted - start, "score": scored - fitted, "groups": len(histories.x)}
    return (buying, spending), found, parts


def timed(act: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    """What it gives, and its seconds by the wall and of CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    found = act()
    return found, (time.perf_counter() - start, time.process_time() - cpu)


def asked_of(peer: Path, given: dict[str, Any], horizon: float) -> tuple[dict[str, Any], Any]:
    """The same of lifetimes, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder) / "given.npz", Path(folder) / "told.npz"
        np.savez(there, **given)
        command = [str(peer), "-W", "ignore", "-c", PEER, str(there), str(horizon), str(back)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        with np.load(back) as kept:
            values = {name: kept[name] for name in kept.files}
    return json.loads(said.strip().splitlines()[-1]), values


def journey(peer: Path | None) -> None:
    """Complete Journey: nine months learned, three foretold."""
    given, orders, amount = split()
    days = float((date(2018, 1, 1) - date(2017, 10, 1)).days)
    fits, found, _ = told(given, days)
    inside = (found.low <= amount) & (amount <= found.high)
    print(f"Complete Journey, {len(amount):,} households: r, α, a, b = {rounded(fits[0].params)}; p, q, v = "
          f"{rounded(fits[1].params)}; 80 % intervals held for {inside.mean():.1%}")  # fmt: skip
    report("ours", found.orders, found.value, orders, amount)
    if peer is not None:
        _, values = asked_of(peer, given, days)
        report("lifetimes", values["orders"], values["value"], orders, amount)
    report("as before", given["x"] / given["T"] * days, given["x"] * given["m"] / given["T"] * days, orders, amount)
    parts = np.array_split(np.argsort(found.value, kind="stable"), 10)
    for number, part in enumerate(parts, 1):
        print(f"  decile {number}: predicted {found.value[part].mean():8.2f}, came {amount[part].mean():8.2f}")


def rounded(values: Any) -> str:
    """Numbers, short."""
    return ", ".join(f"{value:.3f}" for value in values)


def report(name: str, orders: Any, value: Any, came_orders: Any, came: Any) -> None:
    """How far off: in all, and per household."""
    print(
        f"  {name}: orders {orders.sum() / came_orders.sum() - 1:+.1%}, "
        f"mean error {np.abs(orders - came_orders).mean():.2f}; "
        f"value {value.sum() / came.sum() - 1:+.1%}, mean error {np.abs(value - came).mean():.2f}, "
        f"root mean square {np.sqrt(np.mean((value - came) ** 2)):.2f}"
    )


def split() -> tuple[dict[str, Any], Any, Any]:
    """Of each household what was known on 2017-10-01 (New York), and its days of shopping and spend after it."""
    import pandas as pd

    from yutang.demo import dataset

    lines = pd.concat(batch.to_pandas() for batch in dataset.order_lines())
    at = lines["occurred_at"].dt.tz_localize("UTC") if lines["occurred_at"].dt.tz is None else lines["occurred_at"]
    lines["day"] = at.dt.tz_convert(dataset.ZONE).dt.normalize().dt.tz_localize(None)
    days = lines.assign(amount=lines["amount"].astype(float)).groupby(["member", "day"])["amount"].sum().reset_index()
    days = days[days["amount"] > 0]
    cut = pd.Timestamp("2017-10-01")
    known, after = days[days["day"] < cut], days[days["day"] >= cut]
    one = known.groupby("member").agg(
        first=("day", "min"), last=("day", "max"), n=("day", "size"), all=("amount", "sum")
    )
    opening = known.sort_values("day").groupby("member")["amount"].first()
    later = after.groupby("member").agg(n=("day", "size"), all=("amount", "sum")).reindex(one.index).fillna(0)
    x = (one["n"] - 1).to_numpy(float)
    given = {
        "x": x,
        "t_x": (one["last"] - one["first"]).dt.days.to_numpy(float),
        "T": (cut - one["first"]).dt.days.to_numpy(float),
        "m": (one["all"] - opening).to_numpy(float) / np.maximum(x, 1),
    }
    return given, later["n"].to_numpy(float), later["all"].to_numpy(float)


if __name__ == "__main__":
    main()

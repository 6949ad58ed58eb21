"""What everybody is worth: BG/NBD and Gamma-Gamma fitted and 1,000,000 persons scored with intervals, beside peers.

Persons are drawn as the models say (`tests/profiles/values/pools.py`), watched for two years in days. Ours: grouped,
fitted from several starts, standard errors, and of everybody expected orders, value with its 80 % interval, chance to
be a customer, churn, next order (aim: ≤ 2 s, the likelihood of the peer's maximum to 1e-6). With `--journey`, Complete
Journey: the first nine months learned, the last three foretold, by decile.

The peers are no dependencies of ours: `--peer PYTHON`, as often as wanted, names an interpreter of an environment of
its own that has lifetimes or pymc-marketing (`python -m venv peers && peers/bin/pip install lifetimes==0.11.3`; another
for pymc-marketing==0.19.2); without it only our own figures are printed. pymc-marketing is fitted to its maximum a
posteriori under its own default priors, so its likelihood is a little below the maximum; its time holds the compiling
of the model.

Run: python -m tests.bench.bench_values [--persons 1000000] [--journey] [--peer PYTHON]...
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
LIFETIMES = """
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
print(json.dumps({"name": "lifetimes", "fit": fit, "all": time.perf_counter() - start, "cpu": time.process_time() - cpu,
    "buying": list(map(float, buying.params_)), "spending": list(map(float, spending.params_))}))
"""
PYMC = """
import json, logging, sys, time
logging.disable(logging.WARNING)
import numpy as np, pandas as pd
from pymc_marketing.clv import BetaGeoModel, GammaGammaModel
given, horizon, out = np.load(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
of = pd.DataFrame({"customer_id": np.arange(len(given["x"])), "frequency": given["x"], "recency": given["t_x"],
    "T": given["T"], "monetary_value": given["m"]})
start, cpu = time.perf_counter(), time.process_time()
buying = BetaGeoModel(data=of)
buying.fit(method="map", progressbar=False)
spending = GammaGammaModel(data=of[of.frequency > 0])
spending.fit(method="map", progressbar=False)
fit = time.perf_counter() - start
orders = buying.expected_purchases(of, future_t=horizon).to_numpy().ravel()
value = orders * spending.expected_customer_spend(of).to_numpy().ravel()
np.savez(out, orders=orders, value=value)
at = lambda model, names: [float(model.fit_result[name].to_numpy().ravel()[0]) for name in names]
print(json.dumps({"name": "pymc-marketing (MAP)", "fit": fit, "all": time.perf_counter() - start,
    "cpu": time.process_time() - cpu, "buying": at(buying, ("r", "alpha", "a", "b")),
    "spending": at(spending, ("p", "q", "v"))}))
"""
PEER = f"""
import importlib.util
exec({LIFETIMES!r} if importlib.util.find_spec("lifetimes") else {PYMC!r})
"""


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--journey", action="store_true")
    parser.add_argument(
        "--peer", type=Path, action="append", default=[], help="an interpreter that has lifetimes or pymc-marketing"
    )
    asked = parser.parse_args()
    large(asked.persons, asked.peer)
    if asked.journey:
        journey(asked.peer)


def large(persons: int, peers: list[Path]) -> None:
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
    if not peers:
        print("no peer was asked (--peer)")
    histories = bgnbd.Histories.of(given["x"], given["t_x"], given["T"])
    spends = gammagamma.Spends.of(given["x"], given["m"])
    for peer in peers:
        theirs, values = asked_of(peer, given, HORIZON)
        likelihoods = []
        for mine, of, params in (
            (fits[0].log_likelihood, lambda at: bgnbd.log_likelihood(histories, at)[0], theirs["buying"]),
            (fits[1].log_likelihood, lambda at: gammagamma.log_likelihood(spends, at)[0], theirs["spending"]),
        ):
            likelihoods.append((mine, of(np.log(params))))
        above = [(mine - other) / abs(other) for mine, other in likelihoods]
        print(
            f"{theirs['name']}: {theirs['all']:.2f} s ({theirs['fit']:.2f} s of it the fit, no intervals), "
            f"{theirs['cpu']:.2f} s of CPU: {theirs['cpu'] / took[1]:.1f} × ours; log-likelihoods "
            + ", ".join(f"{mine:,.2f} ours and {other:,.2f} theirs" for mine, other in likelihoods)
            + f": ours above theirs by {above[0]:.1e} and {above[1]:.1e} of them; expected value differs by "
            f"{abs(values['value'].sum() / found.value.sum() - 1):.1e}"
        )
        if min(above) < -1e-6:
            raise SystemExit(f"{theirs['name']} found a higher likelihood")


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
    """The same of a peer, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder) / "given.npz", Path(folder) / "told.npz"
        np.savez(there, **given)
        command = [str(peer), "-W", "ignore", "-c", PEER, str(there), str(horizon), str(back)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        with np.load(back) as kept:
            values = {name: kept[name] for name in kept.files}
    return json.loads(said.strip().splitlines()[-1]), values


def journey(peers: list[Path]) -> None:
    """Complete Journey: nine months learned, three foretold."""
    given, orders, amount = split()
    days = float((date(2018, 1, 1) - date(2017, 10, 1)).days)
    fits, found, _ = told(given, days)
    inside = (found.low <= amount) & (amount <= found.high)
    print(f"Complete Journey, {len(amount):,} households: r, α, a, b = {rounded(fits[0].params)}; p, q, v = "
          f"{rounded(fits[1].params)}; 80 % intervals held for {inside.mean():.1%}")  # fmt: skip
    report("ours", found.orders, found.value, orders, amount)
    for peer in peers:
        theirs, values = asked_of(peer, given, days)
        report(theirs["name"], values["orders"], values["value"], orders, amount)
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

"""Who is there, and what they buy. Every draw is keyed by (seed, customer, day), so any replay is exactly the same.

Baseline baskets are a Poisson number a day at `daily_rate`. A message's effect is a second, separately keyed stream of
candidate baskets at `daily_rate × lift`, of which only those take place that fall while a received message works
(thinning of a Poisson process; Lewis & Shedler 1979). So being messaged changes no baseline basket, and both
potential outcomes of every customer are known. Messages that overlap do not add up.

Beside those who were seeded, a Poisson number of new people a day scan a member's code (`arrive`): each comes to the
member and the store of a seeded friendship drawn at random, takes after that friend's baskets and lift, says yes to
marketing with a chance of `CONSENTING`, and buys rarely. `DISCOUNTED` of all lines are sold below their list price, so
much that a customer's `discount` is what they get off on average. When members tap is told in `habits`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from yutang.kernel.calendars import day_start
from yutang.kernel.ids import draw, draw_array, mix_array, salt
from yutang.sandbox.habits import moments
from yutang.sandbox.store import Settings
from yutang.sandbox.walls import is_full

BASELINE, EXTRA = 0, 1
CONSENTING = 0.95
DISCOUNTED = 0.5
OPEN_SECONDS, CLOSE_SECONDS = 8 * 3600, 22 * 3600  # shops open 08:00–22:00 local time
_MOST_CENTS = 10**9

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Population:
    """Customers as columns of equal length; `keys` are their hashes, `since` the unix second from which they buy."""

    ids: list[str]
    keys: Ints
    rate: Floats
    mu: Floats
    sigma: Floats
    lift: Floats
    since: Ints


@dataclass(frozen=True, slots=True)
class Baskets:
    """Baskets as columns: row of the customer, ordinal within customer and day, unix seconds, cents."""

    customer: Ints
    k: Ints
    at: Ints
    cents: Ints

    def where(self, mask: npt.NDArray[np.bool_]) -> Baskets:
        """Only those of a mask."""
        return Baskets(self.customer[mask], self.k[mask], self.at[mask], self.cents[mask])


def load_population(con: sqlite3.Connection, only: Sequence[str] | None = None) -> Population:
    """All customers, or those of `only` that exist, ordered by id."""
    rows = con.execute(
        "SELECT external_userid, daily_rate, basket_mu, basket_sigma, lift, coalesce(at, 0) AS since "
        "FROM customers LEFT JOIN arrivals USING (external_userid) ORDER BY external_userid"
    ).fetchall()
    if only is not None:
        wanted = set(only)
        rows = [row for row in rows if row["external_userid"] in wanted]
    ids = [str(row["external_userid"]) for row in rows]
    hashes = np.array([salt("customer", one) for one in ids], dtype=np.uint64)
    rate, mu, sigma, lift = (
        np.array([row[name] for row in rows], dtype=np.float64)
        for name in ("daily_rate", "basket_mu", "basket_sigma", "lift")
    )
    since = np.array([row["since"] for row in rows], dtype=np.int64)
    return Population(ids, hashes.view(np.int64), rate, mu, sigma, lift, since)


def arrive(con: sqlite3.Connection, settings: Settings, day: date, after: int, until: int) -> int:
    """Let those come who come on `day` in (after, until]; returns how many."""
    friends = con.execute(
        "SELECT userid, external_userid FROM relations "
        "WHERE external_userid NOT IN (SELECT external_userid FROM arrivals) "
        "AND (userid, external_userid) NOT IN (SELECT userid, external_userid FROM doors) "
        "ORDER BY userid, external_userid"
    ).fetchall()
    came = 0
    for k, at in enumerate(moments(settings.arrivals_per_day, settings.zone, day, settings.seed, "arrivals")):
        if not friends or not after < at <= until or is_full(con, settings):
            continue
        own = salt(settings.seed, "arrival", day.isoformat(), k)
        friend = friends[int(draw(0, own) * len(friends))]
        newcomer = f"wm-scan-{day.isoformat()}-{k}"
        con.execute(
            "INSERT INTO customers SELECT ?, ?, NULL, ?, basket_mu, basket_sigma, store_code, category_weights, lift, "
            "discount FROM customers WHERE external_userid = ?",
            (newcomer, f"新客 {day.isoformat()}-{k}", settings.arrival_rate, friend["external_userid"]),
        )
        con.execute("INSERT INTO relations VALUES (?, ?, ?, NULL, NULL, NULL)", (friend["userid"], newcomer, at))
        con.execute(
            "INSERT INTO arrivals VALUES (?, ?, ?, ?, 0)", (newcomer, friend["userid"], at, draw(1, own) < CONSENTING)
        )
        came += 1
    return came


def draw_baskets(people: Population, seed: int, day: date, zone: str, kind: int) -> Baskets:
    """All baskets of one local day: the baseline's, or the candidates of a message's effect. None before one came."""
    name = ("baseline", "extra")[kind]
    rate = people.rate if kind == BASELINE else people.rate * people.lift
    counts = _poisson(draw_array(people.keys, salt(seed, name, "count", day.isoformat())), rate)
    customer = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    k = np.arange(len(customer), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    own = mix_array(mix_array(people.keys[customer], salt(seed, name, day.isoformat())).view(np.int64) + k, 0).view(
        np.int64
    )
    moment = draw_array(own, salt("moment"))
    radius = np.sqrt(-2 * np.log1p(-draw_array(own, salt("radius"))))  # Box & Muller 1958
    normal = radius * np.cos(2 * np.pi * draw_array(own, salt("angle")))
    amount = np.exp(np.minimum(people.mu[customer] + people.sigma[customer] * normal, 16.0))
    cents = np.clip(np.rint(amount * 100), 1, _MOST_CENTS).astype(np.int64)
    start = int(day_start(day, zone).timestamp()) + OPEN_SECONDS
    at = start + (moment * (CLOSE_SECONDS - OPEN_SECONDS)).astype(np.int64)
    return Baskets(customer, k, at, cents).where(at > people.since[customer])


def buy(
    con: sqlite3.Connection,
    people: Population,
    seed: int,
    day: date,
    zone: str,
    effect_seconds: int,
    after: int,
    until: int,
) -> tuple[int, int]:
    """Make the purchases of `day` in (after, until]; extra ones only where a received message works then.

    Returns how many baseline and extra purchases were made.
    """
    made = []
    for kind in (BASELINE, EXTRA):
        baskets = draw_baskets(people, seed, day, zone, kind)
        due = baskets.where((baskets.at > after) & (baskets.at <= until))
        rows = [
            (purchase_id(people.ids[customer], day, kind, k), people.ids[customer], day.toordinal(), k, kind, at, cents)
            for customer, k, at, cents in zip(
                due.customer.tolist(), due.k.tolist(), due.at.tolist(), due.cents.tolist(), strict=True
            )
        ]
        before = con.total_changes
        if kind == BASELINE:
            con.executemany("INSERT OR IGNORE INTO purchases VALUES (?, ?, ?, ?, ?, ?, ?, 0)", rows)
        else:
            con.executemany(
                "INSERT OR IGNORE INTO purchases SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0 WHERE EXISTS ("
                "SELECT 1 FROM recipients WHERE external_userid = ?2 AND status = 1 "
                "AND send_time <= ?6 AND send_time > ?6 - ?8)",
                [(*row, effect_seconds) for row in rows],
            )
        made.append(con.total_changes - before)
    return made[0], made[1]


def purchase_id(external_userid: str, day: date, kind: int, k: int) -> str:
    """`sandbox:<customer>:<day>:<k>`, with x before k for extra purchases."""
    return f"sandbox:{external_userid}:{day.isoformat()}:{'x' if kind == EXTRA else ''}{k}"


def spend_by_customer(
    people: Population, seed: int, zone: str, kind: int, days: Sequence[date], since: int, until: int
) -> tuple[Ints, Ints]:
    """Baskets and cents per customer of one stream in [since, until), whether or not the clock has been there."""
    counts, cents = np.zeros(len(people.ids), np.int64), np.zeros(len(people.ids), np.int64)
    for day in days:
        baskets = draw_baskets(people, seed, day, zone, kind)
        inside = baskets.where((baskets.at >= since) & (baskets.at < until))
        np.add.at(counts, inside.customer, 1)
        np.add.at(cents, inside.customer, inside.cents)
    return counts, cents


def days_between(first: date, last: date) -> list[date]:
    """The local days from first to last, both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _poisson(u: Floats, rate: Floats) -> Ints:
    """Poisson counts by inversion of uniform draws."""
    counts = np.zeros(len(u), np.int64)
    term = np.exp(-rate)
    reached = term.copy()
    for k in range(1, 400):
        over = u >= reached
        if not over.any():
            break
        counts[over] = k
        term = term * rate / k
        reached = reached + term
    return counts

"""The sandbox's business clock, and everything that happens when it moves."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from yutang.kernel.calendars import day_start, local_day
from yutang.sandbox.acquisition import expire
from yutang.sandbox.callbacks import Postman
from yutang.sandbox.contracts import bad
from yutang.sandbox.habits import offgate_sends
from yutang.sandbox.moments import due_moments, next_moment, publish, publish_own
from yutang.sandbox.outbox import Outbox, money
from yutang.sandbox.population import (
    BASELINE,
    EXTRA,
    Population,
    arrive,
    buy,
    days_between,
    load_population,
    spend_by_customer,
)
from yutang.sandbox.store import Settings, Store, put, settings_of
from yutang.sandbox.tasks import Tap, release, send_offgate
from yutang.sandbox.transfers import finish_due, next_transfer
from yutang.sandbox.ways import end_chats, scan_now_and_then

Taps = list[tuple[int, str, str]]
"""(at, msgid, member); without a msgid it is the member's own."""


class Engine:
    """Moves the world on. One advance at a time; calls of the platform go on between its steps."""

    def __init__(self, store: Store, outbox: Outbox, postman: Postman) -> None:
        self._store = store
        self._outbox = outbox
        self._postman = postman
        self._lock = threading.Lock()
        self._population: tuple[tuple[str, int], Population] | None = None

    def advance(self, to: datetime) -> dict[str, object]:
        """Move the business clock to `to` (whole seconds, never back) and do all that is due in (now, to].

        Each step of at most one local day is one transaction: a kill leaves the clock at a step's end, and going on
        from there does exactly what would have been done. Purchases are posted after each step; once the door
        refuses, the rest waits for the next advance.
        """
        with self._lock:
            done = Counter[str]()
            posted, posting = 0, None
            while (step := self._step(int(to.timestamp()))) is not None:
                done += Counter(step)
                self._postman.wake()
                if posting is None or not posting.trouble:
                    posting = self._outbox.post()
                    posted += posting.posted
            if posting is None:
                posting = self._outbox.post()
                posted = posting.posted
            told = {"posted": posted, "waiting": self._outbox.waiting(), "trouble": posting.trouble}
            return {**_NOTHING, **done, **told, **self.clock()}

    def clock(self) -> dict[str, object]:
        """`now`, and `next_at`: the next tap, off-gate send, or local midnight, by which a day's purchases are made."""
        with self._store.read() as con:
            settings = settings_of(con)
            due = self._next(con, settings)
        return {"now": _iso(settings.now), "next_at": None if due is None else _iso(due)}

    def next_at(self, con: sqlite3.Connection, settings: Settings) -> str | None:
        """When something is due next, as `clock` says it."""
        due = self._next(con, settings)
        return None if due is None else _iso(due)

    def truth(self, ids: Sequence[str] | None, since: datetime, until: datetime) -> dict[str, object]:
        """Per customer in [since, until): what they spend anyway, what messages added, and what one would add.

        `baseline` is known for any window, past or future. `extra` is what happened so far. `extra_if_reached` is what
        a message received at `since`, and no other, adds: the difference of the two potential outcomes.
        """
        start, end = int(since.timestamp()), int(until.timestamp())
        if not 0 <= end - start <= 400 * 86_400:
            raise bad("until", "窗口应在 0–400 天", "the window must be 0–400 days long")
        with self._store.read() as con:
            settings = settings_of(con)
            people = load_population(con, ids)
            happened = {
                row[0]: (row[1], row[2])
                for row in con.execute(
                    "SELECT external_userid, count(*), sum(cents) FROM purchases WHERE kind = 1 "
                    "AND occurred_at >= ? AND occurred_at < ? GROUP BY external_userid",
                    (start, end),
                )
            }
        days = days_between(local_day(since, settings.zone), local_day(until, settings.zone))
        baskets, cents = spend_by_customer(people, settings.seed, settings.zone, BASELINE, days, start, end)
        reach = min(end, start + _effect(settings))
        _, added = spend_by_customer(people, settings.seed, settings.zone, EXTRA, days, start, reach)
        rows = []
        for index, one in enumerate(people.ids):
            extra_baskets, extra = happened.get(one, (0, 0))
            rows.append(
                {
                    "external_userid": one,
                    "baskets": int(baskets[index]),
                    "baseline": money(int(cents[index])),
                    "extra_baskets": extra_baskets,
                    "extra": money(extra),
                    "extra_if_reached": money(int(added[index])),
                }
            )
        return {
            "customers": rows,
            "total": {
                "baseline": money(int(cents.sum())),
                "extra": money(sum(happened.get(one, (0, 0))[1] for one in people.ids)),
                "extra_if_reached": money(int(added.sum())),
            },
        }

    def _step(self, target: int) -> dict[str, int] | None:
        with self._store.write() as con:
            settings = settings_of(con)
            if settings.now >= target:
                return None
            today = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
            stop = min(target, int(day_start(today + timedelta(days=1), settings.zone).timestamp()))
            done = Counter[str]()
            taps = sorted([*_taps(con, settings.now, stop), *_offgate(con, settings, stop)])
            for at, moment_id, userid in sorted(due_moments(con, settings, stop)):
                taps = _tap_until(con, settings, taps, at, done)
                done["moments"] += 1
                if moment_id:
                    done["shown"] += publish(con, settings, moment_id, userid, at)
                else:
                    publish_own(con, settings, userid, at, OWN)
            _tap_until(con, settings, taps, stop, done)
            came = arrive(con, settings, today, settings.now, stop)
            baseline, extra = buy(
                con,
                self._people(con, settings),
                settings.seed,
                today,
                settings.zone,
                _effect(settings),
                settings.now,
                stop,
            )
            end_chats(con, stop)
            expire(con, settings, stop)
            finish_due(con, stop)
            done["scans"] += scan_now_and_then(con, settings, settings.now, stop)
            put(con, now=stop)
            return {**done, "arrivals": came, "purchases": baseline + extra, "extra_purchases": extra}

    def _people(self, con: sqlite3.Connection, settings: Settings) -> Population:
        came = int(con.execute("SELECT count(*) FROM arrivals").fetchone()[0])
        mark = settings.digest, settings.scans + came  # whoever scanned or came is one of them
        if self._population is None or self._population[0] != mark:
            self._population = (mark, load_population(con))
        return self._population[1]

    def _next(self, con: sqlite3.Connection, settings: Settings) -> int | None:
        today = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
        midnight = int(day_start(today + timedelta(days=1), settings.zone).timestamp())
        tap = con.execute(
            "SELECT min(tap_at) FROM member_tasks WHERE tapped_at IS NULL AND tap_at IS NOT NULL"
        ).fetchone()[0]
        published = next_moment(con)
        own = [at for at, _, _ in [*_offgate(con, settings, midnight), *due_moments(con, settings, midnight)]]
        taken = next_transfer(con)
        alive = con.execute(
            "SELECT EXISTS (SELECT 1 FROM customers WHERE daily_rate > 0) "
            "OR EXISTS (SELECT 1 FROM members WHERE offgate_per_day > 0) "
            "OR EXISTS (SELECT 1 FROM moment_habits WHERE per_day > 0)"
        ).fetchone()[0]
        alive = alive or settings.arrivals_per_day > 0
        soon = [at for at in (tap, published, taken) if at is not None]
        return min([*soon, *own, *([midnight] if alive else [])], default=None)


_NOTHING = dict.fromkeys(
    (
        "taps",
        "scans",
        "sent",
        "not_friend",
        "capped",
        "offgate",
        "moments",
        "shown",
        "arrivals",
        "purchases",
        "extra_purchases",
    ),
    0,
)
OWN = "合成：导购自发朋友圈"


def _tap_until(con: sqlite3.Connection, settings: Settings, taps: Taps, until: int, done: Counter[str]) -> Taps:
    """Make the taps up to an instant, which stand in order of time; returns those after it."""
    for place, (at, msgid, userid) in enumerate(taps):
        if at > until:
            return taps[place:]
        tap = release(con, settings, msgid, userid, at) if msgid else send_offgate(con, settings, userid, at)
        done.update(_counted(tap, "taps" if msgid else "offgate"))
    return []


def _taps(con: sqlite3.Connection, after: int, until: int) -> list[tuple[int, str, str]]:
    rows = con.execute(
        "SELECT tap_at, msgid, userid FROM member_tasks WHERE tapped_at IS NULL AND tap_at IS NOT NULL "
        "AND tap_at > ? AND tap_at <= ?",
        (after, until),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _offgate(con: sqlite3.Connection, settings: Settings, until: int) -> list[tuple[int, str, str]]:
    today = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
    rows = con.execute("SELECT userid, offgate_per_day FROM members WHERE offgate_per_day > 0").fetchall()
    return [
        (at, "", row["userid"])
        for row in rows
        for at in offgate_sends(row["offgate_per_day"], settings.seed, row["userid"], today, settings.zone)
        if settings.now < at <= until
    ]


def _counted(tap: Tap | None, what: str) -> Counter[str]:
    if tap is None:
        return Counter()
    return Counter({what: 1, "sent": tap.sent, "not_friend": tap.not_friend, "capped": tap.capped})


def _effect(settings: Settings) -> int:
    return int(settings.effect_days * 86_400)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()

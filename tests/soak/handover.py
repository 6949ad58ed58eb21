"""A leaver's customers and groups go to others against the sandbox, with faults on: lost answers, busy answers,
customers who refuse, a taker who is full, dissolved groups, a house that is killed before or after the platform did it.

In the end every customer and every group is accounted for: what changed hands did so once on the platform, what did not
is named with what helps, friendships here are the platform's, and no limit was passed.

Run: python -m tests.soak.handover --customers 5000 --groups 30
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

LEAVER, TAKERS = "guide00", ("guide01", "guide02", "guide03", "guide04")
REFUSING, FULL_OF = 50, 5  # one in so many customers refuses; the last taker has room for a fifth of their share
KILLED = 0.04  # of the calls that give something away, before them or after them


class Killed(BaseException):
    """The house dies here, as far as its own books know."""


def main() -> None:
    """Run and print what was done; an AssertionError says what did not agree."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=5000)
    parser.add_argument("--groups", type=int, default=30)
    parser.add_argument("--groups-a-day", type=int, default=3, help="the platform's 300, made small to be met")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-handover-") as folder:
        found = run(Path(folder), chosen.customers, chosen.groups, chosen.groups_a_day, chosen.seed)
    print(json.dumps(found, ensure_ascii=False))


def run(directory: Path, customers: int, groups: int, groups_a_day: int, seed: int) -> dict[str, object]:
    """The whole of it; what it came to."""
    from yutang.app import house

    house.configure(directory)
    opened = house.open_house(directory)
    try:
        return _Leaving(directory, opened.warehouse, customers, groups, groups_a_day, seed).through()
    finally:
        opened.close()


class _Leaving:
    def __init__(self, directory: Path, warehouse: Any, customers: int, groups: int, a_day: int, seed: int) -> None:
        from tests.soak import pond
        from yutang.connect import group_handover, handovers
        from yutang.people.models import Relation
        from yutang.sandbox import groups as at_platform

        self.directory, self.warehouse, self.customers, self.random = (
            directory,
            warehouse,
            customers,
            random.Random(seed),
        )
        self.chats = [f"wr{number:03}" for number in range(groups)]
        self.a_day, self.kills = a_day, 0
        self.log: Counter[str] = Counter()
        at_platform.HANDED_A_DAY = group_handover.A_DAY = handovers.A_DAY = a_day
        pond.build(directory, pond.Pond(persons=customers, guides=len(TAKERS) + 1, daily_rate=0.0))
        Relation.objects.update(sender=self._sender(LEAVER))
        with closing(sqlite3.connect(directory / "sandbox" / "sandbox.sqlite3")) as file:
            file.execute("UPDATE relations SET userid = ?", (LEAVER,))
            file.commit()

    def _sender(self, userid: str) -> int:
        from yutang.organisation.queries import OWNER, senders

        return next(int(one.id) for one in senders(OWNER) if one.userid == userid)

    def through(self) -> dict[str, object]:
        from tests.sandbox.conftest import serving
        from yutang.intake import mirror
        from yutang.kernel.clock import business_clock, business_now
        from yutang.organisation.clock import BrandClock
        from yutang.profiles import services as profiles
        from yutang.sandbox.asgi import create_app

        started, self.clock = time.process_time(), BrandClock()
        app = create_app(self.directory / "sandbox", events_url=None, events_token=None)
        with business_clock(self.clock), serving(app) as self.address:
            mirror.mirror_nodes(self.warehouse)
            mirror.mirror_facts(self.warehouse)
            profiles.rebuild(self.warehouse, business_now())
            told = self._leave()
        spent = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        return {**told, "cpu_seconds": round(spent, 1), "peak_mib": peak}

    def _leave(self) -> dict[str, object]:
        from yutang.connect import handovers
        from yutang.organisation.queries import OWNER

        self._begin()
        offer = handovers.start(self.warehouse, OWNER, LEAVER, takers=TAKERS)
        assert (offer.customers.customers, len(offer.groups.groups)) == (self.customers, len(self.chats))
        foreseen = offer.days
        first = self._until_done()
        self._read_again()  # as the lane of hints does beside it
        full = self._named("full", "impossible")
        again = handovers.start(self.warehouse, OWNER, LEAVER, takers=TAKERS[:3])
        assert again.customers.customers == full["customers"], (again.customers, full)
        assert again.customers.unwilling == self.refused
        second = self._until_done()
        self._read_again()
        return {
            "customers": self.customers, "groups": len(self.chats), "days_foreseen": foreseen, "days": first,
            "days_of_the_rest": second, **self._agree(), "killed": self.kills, "calls": dict(self.log),
        }  # fmt: skip

    def _begin(self) -> None:
        from yutang.app.channels import Channels
        from yutang.connect import inheritance
        from yutang.kernel.clock import business_now, wall_now
        from yutang.people.groups import GroupTold, keep_groups

        self.channels = Channels(self.address)
        self._ask("groups", do="rules", detail_lag=0)
        for chat in self.chats:
            self._ask("groups", do="create", owner=LEAVER, name=f"群 {chat}", chat_id=chat)
        now = business_now()
        rows = [GroupTold(one, f"群 {one}", LEAVER, "followed", now, "", (), (LEAVER,), "", ()) for one in self.chats]
        keep_groups("ww-pond", rows, read_at=wall_now(), now=now, synthetic=True)
        self._ask("transfers", do="leave", userid=LEAVER)
        self._ask("transfers", do="member", userid=TAKERS[-1], most=self.customers // len(TAKERS) // FULL_OF)
        self.dissolved = self.chats[:1]
        for chat in self.dissolved:
            self._ask("groups", do="dismiss", chat_id=chat)
        assert inheritance.learn_who_left(self.channels.transfers()) == self.customers
        every = "externalcontact/"
        faults = [
            {"api": f"{every}resigned/transfer_customer", "kind": "drop_answer", "probability": 0.15},
            {"api": f"{every}resigned/transfer_customer", "kind": "refuse", "errcode": -1, "probability": 0.1},
            {"api": f"{every}resigned/transfer_result", "kind": "refuse", "errcode": -1, "probability": 0.1},
            {"api": f"{every}groupchat/transfer", "kind": "drop_answer", "probability": 0.3},
            {"api": f"{every}groupchat/get", "kind": "refuse", "errcode": -1, "probability": 0.1},
        ]
        self._ask("faults", faults=faults)
        self.refused = 0

    def _until_done(self) -> int:
        """Hour by hour until nothing is under way; how many days that took."""
        from yutang.connect import handovers
        from yutang.organisation.queries import OWNER

        hours = 0
        while handovers.progress_of(OWNER, "ww-pond", LEAVER).ends_at is not None:
            for _ in range(6):
                self._turn()
            if hours == 2 and not self.refused:
                self._some_refuse()
            hours += 1
            assert hours < 24 * 30, handovers.progress_of(OWNER, "ww-pond", LEAVER)
            self._on(timedelta(hours=1))
        return -(-hours // 24)

    def _turn(self) -> None:
        """One turn of the house, which may die in it; then its claims run out."""
        from yutang.connect import inheritance
        from yutang.connect.models import GroupHandover, Handover
        from yutang.kernel.clock import wall_now

        ports = {key: _Mortal(port, self) for key, port in self.channels.transfers().items()}
        try:
            inheritance.turn(ports)  # type: ignore[arg-type]  # as the port, but for dying
        except Killed:
            self.kills += 1
            for model in (Handover, GroupHandover):
                model.objects.filter(state="calling").update(claim_until=wall_now() - timedelta(seconds=1))

    def _some_refuse(self) -> None:
        waiting = self._platform("SELECT external_userid FROM transfers WHERE status = 2 ORDER BY id")
        for (external,) in waiting[::REFUSING]:
            self._ask("transfers", do="refuse", external_userid=external)
            self.refused += 1

    def _on(self, span: timedelta) -> None:
        from yutang.app.serve import sandbox_clock
        from yutang.kernel.clock import business_now
        from yutang.organisation import clock as brand_clock

        to = business_now() + span
        sandbox_clock(self.address)(to - timedelta(microseconds=1))
        brand_clock.move_clock(to)
        self.clock.forget()

    def _read_again(self) -> None:
        """What is hinted at is read, so that friendships here follow."""
        from yutang.channels.sync import services as sync
        from yutang.channels.sync.models import SyncHint
        from yutang.intake.pump import pump_until_empty

        while SyncHint.objects.exists():
            SyncHint.objects.update(not_before="2000-01-01T00:00:00Z")
            sync.work_hints(self.channels.syncs())
        pump_until_empty(self.warehouse)

    def _named(self, *states: str) -> dict[str, int]:
        """How many failures of these states are told one by one; each names somebody, and what helps."""
        from yutang.connect import handovers
        from yutang.organisation.queries import OWNER

        total, rows = handovers.failures(OWNER, "ww-pond", LEAVER, limit=1_000_000)
        assert total == len(rows)
        assert all((row.person or row.group) and row.name and all(row.reason) for row in rows)
        kept = [row for row in rows if row.state.value in states]
        return {"customers": sum(not row.group for row in kept), "groups": sum(bool(row.group) for row in kept)}

    def _agree(self) -> dict[str, object]:
        """The books of the house and of the platform, compared."""
        from yutang.connect import handovers
        from yutang.organisation.queries import OWNER
        from yutang.warehouse.contracts import Statement

        done = self._platform("SELECT external_userid, count(*) FROM transfers WHERE status = 1 GROUP BY 1")
        assert all(count == 1 for _, count in done), "somebody was handed over twice"
        told = handovers.progress_of(OWNER, "ww-pond", LEAVER)
        assert told.customers.done == len(done) == self.customers - self.refused
        assert self._named("refused") == {"customers": self.refused, "groups": 0}
        assert told.customers.failed == self.refused
        moved = self._platform("SELECT chat_id, count(*) FROM chat_transfers GROUP BY chat_id")
        assert sorted(moved) == [(chat, 1) for chat in self.chats if chat not in self.dissolved]
        per_day = self._platform(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM chat_transfers GROUP BY new_owner, (at + 28800) / 86400)"
        )[0][0]
        assert per_day <= self.a_day
        assert (told.groups.done, told.groups.failed) == (len(moved), len(self.dissolved))
        theirs = Counter(dict(self._platform("SELECT userid, count(*) FROM visible GROUP BY userid")))
        events = self.warehouse.query(
            Statement(
                "SELECT count(*) AS n, count(DISTINCT person) AS p FROM events WHERE type = 'relation.handed_over'"
            )
        ).to_pylist()[0]
        assert (events["n"], events["p"]) == (len(done), len(done))
        ours = Counter(
            {
                row["sender"]: row["n"]
                for row in self.warehouse.query(
                    Statement("SELECT sender, count(*) AS n FROM fact_relations WHERE live GROUP BY sender")
                ).to_pylist()
            }
        )
        assert ours == Counter({self._sender(userid): n for userid, n in theirs.items()}), (ours, theirs)
        return {
            "handed_over": len(done), "refused": self.refused, "groups_handed_over": len(moved),
            "groups_gone": len(self.dissolved), "most_groups_of_a_taker_a_day": per_day, "by_taker": dict(theirs),
        }  # fmt: skip

    def _platform(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.directory / "sandbox" / "sandbox.sqlite3", timeout=20)) as file:
            return file.execute(sql).fetchall()

    def _ask(self, door: str, **body: object) -> None:
        import httpx

        httpx.post(f"{self.address}/control/{door}", json=body, timeout=60).raise_for_status()


class _Mortal:
    """A port in a house that may die before a call that gives something away, or after it and before it is kept."""

    def __init__(self, port: Any, leaving: _Leaving) -> None:
        self._port, self._leaving = port, leaving

    def transfer(self, *given: Any, **more: Any) -> Mapping[str, int]:
        return self._done("transfer", lambda: self._port.transfer(*given, **more))

    def hand_over_groups(self, *given: Any, **more: Any) -> Mapping[str, Any]:
        return self._done("hand_over_groups", lambda: self._port.hand_over_groups(*given, **more))

    def results(self, *given: Any, **more: Any) -> Any:
        self._leaving.log["results"] += 1
        return self._port.results(*given, **more)

    def owners_of(self, chats: Sequence[str]) -> Any:
        self._leaving.log["owners_of"] += 1
        return self._port.owners_of(chats)

    def _done(self, name: str, act: Callable[[], Any]) -> Any:
        self._leaving.log[name] += 1
        fate = self._leaving.random.random()
        if fate < KILLED / 2:
            raise Killed
        found = act()
        if fate < KILLED:
            raise Killed
        return found


if __name__ == "__main__":
    sys.exit(main())

"""A chain at its real size against the sandbox: a full sync, then a broadcast to all, issued, tapped and read back.

The sandbox stands in a process of its own. The house is the process whose memory is told. Members tap at once or never,
so that four of five have done so; everybody must be accounted for: each friend on the platform is a friend here, and
each decision ends in one way, sent exactly where the platform sent.

Run: python -m tests.soak.chain --persons 1000000 --senders 6000 --stores 3000 --groups 4400
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.soak.pond import CHANNEL, CORP, SECRET, START, ZONE, broadcast
from tests.soak.scene import free_port, python

TAPS = 0.8
GROUP_SIZE = 60


def seed(directory: Path, persons: int, senders: int, stores: int, groups: int) -> None:
    """The platform: every customer is one member's friend, every twentieth another's too."""
    from yutang.sandbox.contracts import Customer, Member, Relation, Spec
    from yutang.sandbox.world import seed as plant

    names = [f"wm{index:07}" for index in range(persons)]
    added = START - timedelta(days=60)
    every = range(0, persons, 20)
    plant(
        directory,
        Spec(
            corp_id=CORP,
            secret=SECRET,
            seed=7,
            start_at=START,
            members=tuple(
                Member(f"guide{g:05}", f"导购 {g:05}", "at_once" if g % 5 < 5 * TAPS else "never")
                for g in range(senders)
            ),
            customers=tuple(
                Customer(name, f"顾客 {name}", store_code=f"s{i % stores}") for i, name in enumerate(names)
            ),
            relations=(
                *(Relation(f"guide{i % senders:05}", name, added) for i, name in enumerate(names)),
                *(Relation(f"guide{(i + 1) % senders:05}", names[i], added) for i in every),
            ),
            zone=ZONE,
            dispatch_seconds=0.0,
        ),
    )
    found_groups(directory, names, senders, groups, int(added.timestamp()))


def found_groups(directory: Path, names: Sequence[str], senders: int, groups: int, at: int) -> None:
    """Groups of customers who follow one another in the list, each owned by one member."""
    from yutang.sandbox.store import Store

    store = Store(directory)
    with store.write() as con:
        con.executemany(
            "INSERT INTO chats (chat_id, name, owner, created_at, notice, admins) VALUES (?, ?, ?, ?, '', '[]')",
            ((f"wr{g:06}", f"群 {g}", f"guide{g % senders:05}", at) for g in range(groups)),
        )
        con.executemany(
            "INSERT INTO chat_members VALUES (?, ?, 2, ?, 3, '', 'way', '', NULL)",
            (
                (f"wr{g:06}", names[(g * GROUP_SIZE + one) % len(names)], at + one)
                for g in range(groups)
                for one in range(min(GROUP_SIZE, len(names)))
            ),
        )
    store.close()


def house(directory: Path, sandbox: str, senders: int, stores: int, persons: int) -> dict[str, object]:
    """Everything that the house does, in this process; what it took, step by step."""
    from yutang.app import house as opening

    opening.configure(directory)

    from yutang.app.serve import ports_at, sandbox_clock
    from yutang.intake import mirror
    from yutang.kernel.clock import business_now
    from yutang.operations.loop import Loop
    from yutang.organisation import services as organisation
    from yutang.organisation.contracts import NodeKind
    from yutang.organisation.queries import OWNER
    from yutang.organisation.services import NewNode, NewSender
    from yutang.people import services as people
    from yutang.people.models import GroupMember
    from yutang.playbooks.services import keep_shipped
    from yutang.profiles import services as profiles
    from yutang.reach import queries, services
    from yutang.warehouse.contracts import Statement

    told: dict[str, object] = {}
    opened = opening.open_house(directory)

    def timed(name: str, part: Callable[[], Any]) -> Any:
        start = time.monotonic()
        found = part()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        told[name] = {"seconds": round(time.monotonic() - start, 1), "peak_mib": peak}
        print(name, told[name], file=sys.stderr, flush=True)
        return found

    def one(sql: str) -> int:
        return int(opened.warehouse.query(Statement(sql)).column(0)[0].as_py())

    def build() -> None:
        organisation.set_up_brand("连锁", "CNY", ZONE)
        organisation.connect_corp(CHANNEL, CORP, SECRET)
        organisation.step_clock(START)
        opened.clock.forget()
        keep_shipped()
        organisation.add_nodes([NewNode(f"s{index}", f"门店 {index}", NodeKind.STORE) for index in range(stores)])
        organisation.add_senders(
            NewSender(f"s{g % stores}", f"导购 {g:05}", CHANNEL, CORP, f"guide{g:05}", synthetic=True)
            for g in range(senders)
        )
        mirror.mirror_nodes(opened.warehouse)

    timed("stores and staff", build)
    told["synced"] = timed("full sync", lambda: sync(opened, sandbox))

    def consent() -> None:
        ids = pa.array([f"wm{index:07}" for index in range(persons)])
        who = people.resolve_column("external_userid", CORP, ids)
        at = pa.array([START - timedelta(days=60)] * persons, pa.timestamp("us", "UTC"))
        people.load_consents(
            pa.table(
                {
                    "person": who,
                    "purpose": ["marketing"] * persons,
                    "channel": [CHANNEL] * persons,
                    "granted": [True] * persons,
                    "at": at,
                    "proof": ["chain"] * persons,
                }
            )
        )
        mirror.mirror_facts(opened.warehouse)

    timed("consents", consent)
    timed("profiles", lambda: profiles.rebuild(opened.warehouse, business_now()))
    told["memberships"] = GroupMember.objects.filter(left_at=None).count()
    told["friends"] = one("SELECT count(*) FROM fact_relations WHERE live")
    plan = timed("launch", lambda: services.launch(broadcast("all", text="本周新品到店。", hold_out=0.1), OWNER))
    loop = Loop(opened.warehouse, ports_at(sandbox), opened.clock, sandbox_clock(sandbox))
    timed("planned and issued", lambda: loop.step_to(START + timedelta(hours=2)))
    timed("tapped and read back", lambda: loop.step_to(START + timedelta(hours=30)))
    timed("expired and over", lambda: loop.step_to(START + timedelta(days=4)))
    counts = timed("report", lambda: queries.counts(opened.warehouse, OWNER, plan))
    told["counts"] = {
        "decided": counts.decided, "sent": counts.sent, "pending": counts.pending, "unknown": counts.unknown,
        "balances": counts.balances(),
    }  # fmt: skip
    told["sent"] = one("SELECT count(DISTINCT touch) FROM receipts WHERE state = 'sent'")
    opened.close()
    return told


def sync(opened: Any, sandbox: str) -> dict[str, object]:
    """Every customer and group of the corp by the house's own full sync, with the pump beside it; what it found."""
    from yutang.app.channels import Channels
    from yutang.channels.sync import registry
    from yutang.channels.sync import services as syncs
    from yutang.channels.sync.queries import last_runs
    from yutang.intake.pump import pump_until_empty
    from yutang.organisation.queries import OWNER, corps

    (corp,) = corps()
    stop = threading.Event()

    def pump() -> None:
        while not stop.wait(0.1):
            pump_until_empty(opened.warehouse)

    beside = threading.Thread(target=pump)
    beside.start()
    try:
        for kind in registry.KINDS:
            syncs.begin(kind.name, corp, "chain")
        connections = Channels(sandbox).syncs()
        while syncs.work(connections):
            pass
    finally:
        stop.set()
        beside.join()
    pump_until_empty(opened.warehouse)
    runs = last_runs(OWNER)
    assert all(run.state == "done" for run in runs), runs
    return {run.kind: f"read {run.found.read}, new {run.found.missed}" for run in runs}


def main() -> None:
    """Print what every step took and how the books stand beside the platform's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--senders", type=int, default=6_000)
    parser.add_argument("--stores", type=int, default=3_000)
    parser.add_argument("--groups", type=int, default=4_400)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-chain-") as folder:
        directory = Path(folder)
        child = os.fork()
        if not child:  # the spec of a million customers is a gigabyte of Python, which must not stay
            seed(directory / "sandbox", chosen.persons, chosen.senders, chosen.stores, chosen.groups)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        port = free_port()
        sandbox = python("-m", "yutang.sandbox", "--dir", str(directory / "sandbox"), "--port", str(port), env={})
        assert sandbox.stdout is not None
        assert "ready" in sandbox.stdout.readline()
        try:
            address = f"http://127.0.0.1:{port}"
            os.environ["YUTANG_SANDBOX_URL"] = address
            told = house(directory, address, chosen.senders, chosen.stores, chosen.persons)
            with closing(sqlite3.connect(directory / "sandbox" / "sandbox.sqlite3", timeout=20)) as platform:
                told["platform"] = dict(
                    zip(
                        ("friends", "memberships", "tasks", "reached", "twice"),
                        platform.execute(
                            "SELECT (SELECT count(*) FROM relations), (SELECT count(*) FROM chat_members),"
                            " (SELECT count(*) FROM tasks),"
                            " (SELECT count(*) FROM recipients WHERE status = 1),"
                            " (SELECT count(*) FROM (SELECT 1 FROM recipients WHERE status = 1"
                            " GROUP BY external_userid HAVING count(*) > 1))"
                        ).fetchone(),
                        strict=True,
                    )
                )
        finally:
            sandbox.kill()
        print(json.dumps(told, ensure_ascii=False))
        assert told["friends"] == told["platform"]["friends"], "a friendship is missing, or too many"
        assert told["memberships"] == told["platform"]["memberships"], "a membership is missing, or too many"
        assert told["sent"] == told["platform"]["reached"], "sent and reached differ"
        assert told["platform"]["twice"] == 0, "somebody got it twice"
        assert told["counts"]["balances"]
        assert not told["counts"]["pending"]
        assert not told["counts"]["unknown"]


if __name__ == "__main__":
    main()

"""The first and a nightly sync of many groups: `python -m tests.bench.bench_groups --groups 4400 --members 200`.

Our connector asks the running sandbox over HTTP, four at a time; the rest is ours: persons found or made, memberships,
events. Said per group, and beside how long the sandbox alone takes to tell as many, which is no work of ours.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def main() -> None:
    """Fill a sandbox, sync it twice, and say what it took."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--groups", type=int, default=4400)
    asked.add_argument("--members", type=int, default=200)
    asked.add_argument("--directory", type=Path)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as made:
        _run(given.directory or Path(made), given.groups, given.members)


def _run(directory: Path, groups: int, members: int) -> None:
    os.environ["YUTANG_DATA"] = str(directory)
    from yutang.app.house import open_house

    open_house()
    _timed(directory, groups, members)


def _timed(directory: Path, groups: int, members: int) -> None:
    from tests.sandbox.conftest import serving
    from yutang.channels.sync import services
    from yutang.channels.sync.contracts import Connection
    from yutang.channels.sync.queries import run_numbered
    from yutang.channels.wecom.client import WeComClient
    from yutang.channels.wecom.tokens import MemoryTokenStore
    from yutang.organisation.contracts import CorpFacts, NodeKind
    from yutang.organisation.queries import OWNER
    from yutang.organisation.services import NewNode, NewSender, add_nodes, add_senders, connect_corp, set_up_brand
    from yutang.sandbox.asgi import create_app

    _fill(directory / "sandbox", groups, members)
    set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    add_nodes([NewNode("s1", "一店", NodeKind.STORE)])
    add_senders([NewSender("s1", "导购", "wecom", "ww-bench", f"u{number}") for number in range(OWNERS)])
    connect_corp("wecom", "ww-bench", "secret")
    app = create_app(directory / "sandbox", events_url=None, events_token=None)
    with serving(app) as address:
        client = WeComClient(f"{address}/cgi-bin/", "ww-bench", "secret", token_store=MemoryTokenStore())
        corp = CorpFacts("wecom", "ww-bench", "secret", address)
        start = time.perf_counter()
        with ThreadPoolExecutor(4) as pool:
            body = [{"chat_id": f"wr{number:06d}", "need_name": 1} for number in range(groups)]
            list(pool.map(lambda one: len(str(client.call("externalcontact/groupchat/get", body=one))), body))
        alone = time.perf_counter() - start
        print(f"asking alone: {alone:.1f} s")
        for name in ("first", "nightly"):
            start, cpu = time.perf_counter(), time.process_time()
            run = services.begin("groups", corp)
            services.work({("wecom", "ww-bench"): Connection(corp, client)})
            found = run_numbered(OWNER, run.id)
            took, spent = time.perf_counter() - start, time.process_time() - cpu
            assert found is not None
            assert found.found.read == groups, found
            print(
                f"{name}: {groups:,} groups, {groups * members:,} memberships in {took:.1f} s ({spent:.1f} s of CPU, "
                f"the sandbox's too), {took / alone:.2f} × asking alone; added {found.found.added:,}"
            )


OWNERS = 88


def _fill(directory: Path, groups: int, members: int) -> None:
    from tests.sandbox.conftest import START
    from yutang.sandbox.contracts import Member, Spec
    from yutang.sandbox.store import Store
    from yutang.sandbox.world import seed

    people = tuple(Member(f"u{number}", f"导购 {number}") for number in range(OWNERS))
    seed(directory, Spec("ww-bench", "secret", 7, START, members=people, customers=(), relations=()))
    store, at = Store(directory), int(START.timestamp())
    with store.write() as con:
        con.executemany(
            "INSERT INTO chats (chat_id, name, owner, created_at, notice, admins) VALUES (?, ?, ?, ?, '', '[]')",
            ((f"wr{number:06d}", f"群 {number}", f"u{number % OWNERS}", at) for number in range(groups)),
        )
        con.executemany(
            "INSERT INTO chat_members VALUES (?, ?, 2, ?, 3, '', 'yt1', '', NULL)",
            (
                (f"wr{group:06d}", f"wm{(group * members * 3 // 4 + one):08d}", at + one)
                for group in range(groups)
                for one in range(members)
            ),
        )
    store.close()


if __name__ == "__main__":
    main()

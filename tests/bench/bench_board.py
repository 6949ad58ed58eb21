"""The execution board of a large chain: `python -m tests.bench.bench_board` (small), or `--stores 3000 --plans 60`.

Plans, runs and batches are put straight into the store: two guides a store, each with a batch of every plan, a fifth of
them twice; the newest plans still run. Then pages are asked for through the whole of Django, in the same process, and
what each took is said with its share of CPU.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
RUNNING = 1 / 6  # of the plans run now
PEOPLE = 165  # whom one batch is for: a million persons and 6,000 accounts


def main() -> None:
    """Seed, ask, and say what it took."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--stores", type=int, default=300)
    asked.add_argument("--plans", type=int, default=12)
    asked.add_argument("--rounds", type=int, default=20)
    asked.add_argument("--directory", type=Path, help="kept, and used again where it was seeded")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as made:
        _run(given.directory or Path(made), given.stores, given.plans, given.rounds)


def _run(directory: Path, stores: int, plans: int, rounds: int) -> None:
    os.environ["YUTANG_DATA"] = str(directory)
    from yutang.app import house

    house.configure(directory)
    opened = house.open_house(directory)
    try:
        from yutang.kernel.clock import business_clock
        from yutang.organisation.queries import is_set_up

        with business_clock(NOW):
            if not is_set_up():
                seed(stores, plans)
            _ask(stores, plans, rounds)
    finally:
        opened.close()


def seed(stores: int, plans: int) -> None:
    """A brand of regions of a hundred stores, and what became of its plans in the last sixty days."""
    from yutang.organisation import services as organisation
    from yutang.organisation.contracts import NodeKind, RoleName
    from yutang.organisation.models import Node, SenderAccount, Staff
    from yutang.organisation.services import NewNode
    from yutang.playbooks.services import keep_shipped

    organisation.set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    organisation.connect_corp("wecom", "ww-bench", "secret")
    keep_shipped()
    regions = [NewNode(f"r{number}", f"大区 {number}", NodeKind.REGION) for number in range(max(stores // 100, 2))]
    organisation.add_nodes(
        regions
        + [
            NewNode(f"s{number}", f"门店 {number}", NodeKind.STORE, f"r{number % len(regions)}")
            for number in range(stores)
        ]
    )
    organisation.add_user("owner", "bench", RoleName.OWNER)
    organisation.add_user("region", "bench", RoleName.MANAGER, "r1")
    organisation.add_user("keeper", "bench", RoleName.MANAGER, "s1")
    nodes = dict(Node.objects.values_list("code", "pk"))
    guides = [Staff(node_id=nodes[f"s{number // 2}"], name=f"导购 {number}") for number in range(2 * stores)]
    made = Staff.objects.bulk_create(guides, batch_size=1_000)
    SenderAccount.objects.bulk_create(
        [
            SenderAccount(staff=one, channel="wecom", corp="ww-bench", userid=f"u{number}")
            for number, one in enumerate(made)
        ],
        batch_size=1_000,
    )
    _batches(list(SenderAccount.objects.order_by("pk").values_list("pk", flat=True)), plans)


def _batches(accounts: list[int], plans: int) -> None:
    from django.db import transaction

    from yutang.people.bulk import insert, stored_time
    from yutang.reach.contracts import BatchState, PlanState, RunState
    from yutang.reach.models import Batch, Plan, Run

    dice = random.Random(7)
    willing = {account: dice.betavariate(3, 1.2) if dice.random() > 0.05 else 0.0 for account in accounts}
    names = (
        "run_id", "sender", "due_at", "deadline", "ordinal", "offset", "size", "digest", "state", "task", "called_by",
        "calls", "left", "trouble", "created_at", "asked", "done", "tapped_at", "tapped_hour", "closed_at",
    )  # fmt: skip
    for number in range(plans):
        running = number >= plans - max(int(plans * RUNNING), 1)
        start = (
            NOW - timedelta(days=60) + timedelta(days=60 * number / plans) if not running else NOW - timedelta(hours=9)
        )
        body = {
            "kind": "broadcast", "name": f"plan_{number}", "title": {"zh": f"计划 {number}", "en": f"Plan {number}"},
            "audience": {"everyone": True}, "purpose": "marketing", "message": {"text": f"第 {number} 次"},
        }  # fmt: skip
        plan = Plan.objects.create(
            name=f"plan_{number}", body=body, author="owner", created_at=start, start=start,
            state=PlanState.RUNNING if running else PlanState.FINISHED,
        )  # fmt: skip
        for attempt, part in ((1, accounts), (2, [one for one in accounts if dice.random() < 0.2])):
            if running and attempt == 2:
                continue
            due = start + timedelta(days=attempt - 1)
            run = Run.objects.create(
                plan=plan, occasion="w1", attempt=attempt, state=RunState.COMMITTED, token=1, decided_at=due, as_of=due
            )
            rows = []
            for account in part:
                tapped = due + timedelta(hours=dice.expovariate(0.25)) if dice.random() < willing[account] else None
                if tapped is not None and (tapped > NOW or tapped > due + timedelta(hours=24)):
                    tapped = None
                people = dice.randint(PEOPLE // 2, PEOPLE * 3 // 2)
                state = BatchState.ISSUED if running and tapped is None else BatchState.CLOSED
                rows.append(
                    (
                        run.pk, account, stored_time(due), stored_time(due + timedelta(hours=24)), 0, 0, people,
                        f"{number}", state.value, f"msg-{run.pk}-{account}", "", 1, 0, "", stored_time(due), people,
                        people if tapped else 0, stored_time(tapped), (tapped.hour + 8) % 24 if tapped else None,
                        None if state is BatchState.ISSUED else stored_time(tapped or due + timedelta(hours=24)),
                    )
                )  # fmt: skip
            with transaction.atomic():
                insert(Batch, names, rows)


def _ask(stores: int, plans: int, rounds: int) -> None:
    from django.conf import settings
    from django.test import Client

    from yutang.organisation.models import User
    from yutang.reach.models import Batch, Plan

    settings.ALLOWED_HOSTS = ["*"]
    last = Plan.objects.order_by("-pk").values_list("pk", flat=True)[0]
    pages = {
        "owner": (
            "/execution/", f"/execution/?plan={last}", "/execution/?days=7", "/execution/?days=28",
            "/execution/?at=r1&days=28", "/execution/?at=s1&days=28", "/execution/tasks/?days=28&state=expired",
            "/execution/tasks/", "/execution/over-time/", "/execution/over-time/?at=r1", "/execution/chase/?at=r1",
            "/execution/chase/?at=s1", "/execution/chase/", "/",
        ),
        "region": ("/execution/", "/execution/?days=28", "/execution/over-time/"),
        "keeper": ("/execution/", "/execution/?days=28", "/execution/over-time/", "/execution/chase/"),
    }  # fmt: skip
    print(f"{stores:,} stores, {2 * stores:,} accounts, {plans} plans, {Batch.objects.count():,} batches")
    everything: list[float] = []
    for username, paths in pages.items():
        client = Client(raise_request_exception=True)
        client.force_login(User.objects.get(username=username), "allauth.account.auth_backends.AuthenticationBackend")
        for path in paths:
            took, spent = [], []
            for _ in range(rounds):
                start, cpu = time.perf_counter(), time.process_time()
                answer = client.get(path)
                took.append(1_000 * (time.perf_counter() - start))
                spent.append(1_000 * (time.process_time() - cpu))
                assert answer.status_code == 200, (path, answer.status_code)
            if path != "/":
                everything += took
            print(
                f"{username:>6} {path:<40} p50 {statistics.median(took):6.1f} ms, p95 {_p95(took):6.1f} ms, "
                f"CPU {statistics.median(spent):6.1f} ms, {len(answer.content) / 1000:6.1f} kB"
            )
    print(f"all pages of the board: p50 {statistics.median(everything):.1f} ms, p95 {_p95(everything):.1f} ms")


def _p95(values: list[float]) -> float:
    return sorted(values)[min(int(len(values) * 0.95), len(values) - 1)]


if __name__ == "__main__":
    main()

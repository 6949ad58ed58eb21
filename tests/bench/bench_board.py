"""Headquarters' pages of a large chain: Today, the board, the ban drill, off-gate touches; `python -m
tests.bench.bench_board` (small), or `--stores 3000 --plans 60 --persons 1000000`. `--directory` keeps what was seeded.

Everything is put straight into the two stores: the pond of `large_pond`; two guides a store, each with a batch of every
plan, a fifth of them twice; the newest plans still run; four touches of a month beside the gate for each person. What
is counted beforehand is counted first, as the lane does, and what that took is said. Then pages are asked for through
the whole of Django, in the same process, and what each took is said with its share of CPU.
"""

from __future__ import annotations

import gc
import random
import time
from datetime import timedelta
from typing import Any

import numpy as np

from tests.bench import large_pond
from tests.bench.pages import CORP, NOW, arguments, ask, chain, client_of, plan_body

RUNNING = 1 / 6  # of the plans run now
PEOPLE = 165  # whom one batch is for: a million persons and 6,000 accounts
OFF_GATE = """
    INSERT INTO events BY NAME
    SELECT
        concat('offgate:', n.n, ':', f.person) AS event_id, 'offgate.sent' AS type, t.at AS occurred_at,
        t.at AS received_at, f.person, r.staff, f.home_node AS store,
        CASE WHEN n.n = 0 THEN 'offgate:mass' ELSE 'offgate:moments' END AS source,
        concat('{"kind": "', CASE WHEN n.n = 0 THEN 'mass' ELSE 'moments' END, '", "send": "s', r.staff, '-', n.n, '-',
               f.person % 10, '", "content": "ab"}') AS props
    FROM facts f
    JOIN fact_relations r ON r.person = f.person, range(4) n(n),
        LATERAL (SELECT TIMESTAMP '2026-03-02 01:00:00'
                        - to_minutes(CAST((f.person * 7 + n.n * 9973) % 40000 AS INTEGER)) AS at) t
    ORDER BY occurred_at
"""


def main() -> None:
    """Seed, ask, and say what it took."""
    given = arguments(stores=300, plans=12, persons=20_000, rounds=20)
    with chain(given.directory, lambda opened: seed(opened.warehouse, given.stores, given.plans, given.persons)) as one:
        _count(one.warehouse)
        _ask(given.stores, given.plans, given.rounds)


def seed(warehouse: Any, stores: int, plans: int, persons: int) -> None:
    """The chain, what became of its plans in the last sixty days, and what its guides sent on their own."""
    from yutang.organisation.models import SenderAccount
    from yutang.warehouse.contracts import Statement

    large_pond.seed(warehouse, stores, persons)
    _batches(list(SenderAccount.objects.order_by("pk").values_list("pk", flat=True)), plans)
    warehouse.write([Statement(OFF_GATE)])


def _count(warehouse: Any) -> None:
    """What the lane counts beforehand, as it does at the start."""
    from yutang.operations.figures import FIGURES
    from yutang.profiles.beforehand import keep_up

    busy = time.process_time()
    for one in FIGURES:
        keep_up(warehouse, [one])
    print(f"counted beforehand: {len(FIGURES)} figures, {time.process_time() - busy:.1f} s of CPU", flush=True)
    gc.collect()
    gc.freeze()  # as where pages are served


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
        body = plan_body(f"plan_{number}", f"{number}")
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
    from yutang.organisation.models import SenderAccount, User
    from yutang.reach.models import Batch, Plan

    account = SenderAccount.objects.order_by("pk").values_list("pk", flat=True)[0]
    last = Plan.objects.order_by("-pk").values_list("pk", flat=True)[0]
    pages = {
        "owner": (
            "/execution/", f"/execution/?plan={last}", "/execution/?days=7", "/execution/?days=28",
            "/execution/?at=r1&days=28", "/execution/?at=s1&days=28", "/execution/tasks/?days=28&state=expired",
            "/execution/tasks/", "/execution/over-time/", "/execution/over-time/?at=r1", "/execution/chase/?at=r1",
            "/execution/chase/?at=s1", "/execution/chase/", "/", "/guard/drill/", "/guard/drill/?level=corp",
            f"/guard/drill/of/?level=account&of={account}", f"/guard/drill/of/?level=corp&of={CORP}", "/offgate/",
            "/offgate/?by=store&days=90", "/offgate/?by=send&days=30",
        ),
        "region": ("/", "/execution/", "/execution/?days=28", "/execution/over-time/", "/guard/drill/"),
        "keeper": ("/", "/execution/", "/execution/?days=28", "/execution/over-time/", "/execution/chase/"),
    }  # fmt: skip
    print(f"{stores:,} stores, {2 * stores:,} accounts, {plans} plans, {Batch.objects.count():,} batches")
    everything: list[float] = []
    for username, paths in pages.items():
        client = client_of(User.objects.get(username=username))
        for path in paths:
            took = ask([lambda path=path, client=client: client.get(path)] * rounds)
            everything += took.cpus
            print(f"{username:>6} {path:<40} {took}", flush=True)
    half, late = np.quantile(everything, [0.5, 0.95])
    print(f"all pages, of CPU: p50 {half:.1f} ms, p95 {late:.1f} ms")


if __name__ == "__main__":
    main()

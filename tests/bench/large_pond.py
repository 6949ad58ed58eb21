"""A chain of any size put straight into the two stores: stores, guides, persons, friendships, orders, a ledger.

For benches of pages: two guides a store; each person is friends with one of them.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa

from tests.bench.pages import CHANNEL, CORP, NOW, plan_body, stores_and_guides

CHUNK = 100_000
CATEGORIES = 40
ORDERS, LINES = 6, 3  # a person's, and an order's, on average
DECIDED = 3  # runs of the gate over everybody


def external(person: int) -> str:
    """The id at the platform of the person with this place in the seed, from 0."""
    return f"wm{person:08d}"


def seed(warehouse, stores: int, persons: int) -> None:  # type: ignore[no-untyped-def]  # needs Django
    """Everything. Asks for an empty house; the business clock must stand at NOW."""
    from yutang.intake.mirror import mirror_nodes
    from yutang.intake.pump import pump_until_empty
    from yutang.profiles.services import rebuild

    stores_and_guides(stores)
    mirror_nodes(warehouse)
    _persons(stores, persons)
    pump_until_empty(warehouse)
    _orders(warehouse)
    rebuild(warehouse, NOW)
    _ledger(warehouse)


def _persons(stores: int, persons: int) -> None:
    from yutang.organisation.models import SenderAccount
    from yutang.people import services as people

    accounts = np.array(list(SenderAccount.objects.order_by("pk").values_list("pk", flat=True)), np.int64)
    stamp = pa.timestamp("us", "UTC")
    for first in range(0, persons, CHUNK):
        who = np.arange(first, min(first + CHUNK, persons))
        guide = who % (2 * stores)
        days = 2 + who * 7 % 600
        added = pa.array([NOW - timedelta(days=int(day)) for day in days], stamp)
        given = {
            "external_userid": [external(one) for one in who], "name": [f"客户 {one}" for one in who],
            "home_store": [f"s{one // 2}" for one in guide], "born_at": added,
        }  # fmt: skip
        births = people.load_persons(pa.table(given), source="till", corp=CORP)
        people.load_relations(pa.table({"person": births, "sender": accounts[guide], "added_at": added}))
        agreed = births[who % 10 > 0]
        size = len(agreed)
        words = {
            "person": agreed, "purpose": ["marketing"] * size, "channel": [CHANNEL] * size, "granted": [True] * size,
            "at": pa.array([NOW - timedelta(days=2)] * size, stamp), "proof": ["bench"] * size,
        }  # fmt: skip
        people.load_consents(pa.table(words))


def _orders(warehouse) -> None:  # type: ignore[no-untyped-def]
    """By SQL in the warehouse itself: each person's orders in a rhythm of their own, over thirteen months."""
    from yutang.warehouse.contracts import Statement

    now = NOW.replace(tzinfo=None).isoformat()
    warehouse.write(
        [
            Statement(f"""
                INSERT INTO orders BY NAME
                SELECT 'till' AS source, concat(f.person, '-', n.n) AS order_id, f.person, f.home_node AS store,
                       t.at AS placed_at, a.amount AS placed_amount, a.amount AS net_amount,
                       CAST(0 AS DECIMAL(18,2)) AS discount,
                       'CNY' AS currency, FALSE AS synthetic, t.at AS lines_at,
                       row_number() OVER (ORDER BY t.at) AS arrival
                FROM facts f, range({ORDERS}) n(n),
                     LATERAL (SELECT TIMESTAMP '{now}' - INTERVAL 1 DAY * (f.person % 20 + n.n * (7 + f.person % 50))
                                     - INTERVAL 1 MINUTE * (f.person % 700) AS at) t,
                     LATERAL (SELECT CAST(20 + (f.person * 31 + n.n * 17) % 300 AS DECIMAL(18,2)) AS amount) a
                WHERE f.person % 5 > 0
                ORDER BY placed_at
            """),
            Statement(f"""
                INSERT INTO order_lines BY NAME
                SELECT o.source, o.order_id, n.n AS ordinal, o.person, o.store, o.placed_at, o.placed_at AS revised_at,
                       concat('sku', (o.person + n.n) % {CATEGORIES}) AS sku,
                       concat('品类 ', (o.person + n.n) % {CATEGORIES}) AS category,
                       CAST(1 AS DECIMAL(18,3)) AS quantity, CAST(o.net_amount / {LINES} AS DECIMAL(18,2)) AS amount,
                       CAST(0 AS DECIMAL(18,2)) AS discount, o.arrival, FALSE AS void
                FROM orders o, range({LINES}) n(n)
                ORDER BY o.placed_at
            """),
            Statement("""
                INSERT INTO events BY NAME
                SELECT concat('e', o.order_id) AS event_id, 'order.placed' AS type, o.placed_at AS occurred_at,
                       o.placed_at AS received_at, o.person, o.store, r.staff, 'till' AS source, o.net_amount AS amount,
                       'CNY' AS currency, concat('{"order_id": "', o.order_id, '"}') AS props
                FROM orders o LEFT JOIN fact_relations r ON r.person = o.person
                ORDER BY o.placed_at
            """),
        ]
    )


def _ledger(warehouse) -> None:  # type: ignore[no-untyped-def]
    """Plans of the last weeks whose gate decided everybody: half were sent to, a tenth held out, the rest refused."""
    from yutang.reach.contracts import BatchState, PlanState, RunState
    from yutang.reach.models import Batch, Plan, Run
    from yutang.warehouse.contracts import Statement

    for number in range(DECIDED):
        at = NOW - timedelta(days=9 * (number + 1))
        body = plan_body(f"plan_{number}", f"{number}")
        plan = Plan.objects.create(
            name=f"plan_{number}", body=body, author="owner", created_at=at, start=at, state=PlanState.FINISHED
        )
        run = Run.objects.create(
            plan=plan, occasion="w1", attempt=1, state=RunState.COMMITTED, token=1, decided_at=at, as_of=at
        )
        params = {
            "run": run.pk,
            "plan": plan.pk,
            "at": at,
            "end": at + timedelta(days=1),
            "base": number * 10_000_000_000,
        }
        warehouse.write(
            [
                Statement(
                    """
                    INSERT INTO decisions BY NAME
                    SELECT $base + f.person AS touch, $run AS run, $plan AS plan, 'w1' AS occasion, f.person,
                           1 AS attempt, 'marketing' AS touch_class, 'wecom' AS channel, FALSE AS value,
                           CASE WHEN f.person % 10 < 5 THEN 'send' WHEN f.person % 10 = 5 THEN 'held_out'
                                ELSE 'suppressed' END AS outcome,
                           CASE WHEN f.person % 10 > 5 THEN 'caps' END AS reason, r.sender, r.store,
                           $at AS due_at, $end AS deadline, $at AS decided_at
                    FROM facts f LEFT JOIN fact_relations r ON r.person = f.person
                    ORDER BY f.person
                    """,
                    params,
                ),
                Statement(
                    """
                    INSERT INTO receipts BY NAME
                    SELECT d.touch, s.state, $at AS "at", $at AS recorded_at, concat(s.state, ':x') AS receipt_key
                    FROM decisions d, (VALUES ('issued'), ('sent')) s(state)
                    WHERE d.run = $run AND d.outcome = 'send'
                    """,
                    {"run": run.pk, "at": at},
                ),
            ]
        )
    from yutang.organisation.models import SenderAccount

    same = {"due_at": NOW - timedelta(hours=1), "deadline": NOW + timedelta(hours=9), "ordinal": 0, "offset": 0}
    plan = Plan.objects.create(
        name="running", body=body, author="owner", created_at=NOW, start=NOW, state=PlanState.RUNNING
    )
    run = Run.objects.create(
        plan=plan, occasion="w1", attempt=1, state=RunState.COMMITTED, token=1, decided_at=NOW, as_of=NOW
    )
    Batch.objects.bulk_create(
        [
            Batch(run=run, sender=account, size=100, state=BatchState.ISSUED, task=f"msg{account}", **same)
            for account in SenderAccount.objects.values_list("pk", flat=True)
        ],
        batch_size=1_000,
    )

"""What is asked of the ledger while plans run is answered alike by both engines."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.reach.conftest import HOUR, START, naive
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import rows
from yutang.reach.ledger import with_latest
from yutang.warehouse.contracts import Statement, named
from yutang.warehouse.dialects import beside

pytestmark = pytest.mark.long  # both engines; the soak runs it

NOW = naive(START)
PERSONS, MERGED = 20, 10  # the last so many persons are the first ones by another number
OWN: list[dict[str, str]] = [
    {},
    {"source": "offgate:mass", "props": '{"kind": "mass", "send": "m1", "content": "ab"}'},
    {"source": "offgate:group", "props": '{"kind": "group", "send": "g1", "content": "ab"}'},
    {"source": "offgate:moments", "props": '{"kind": "moments", "send": "s1", "content": "cd"}'},
]


def ledger(chance: random.Random) -> dict[str, pa.Table]:
    decisions: list[dict[str, Any]] = []
    receipts: list[dict[str, Any]] = []
    for touch in range(150):
        due = NOW + chance.randint(-200, 60) * HOUR
        plan, run = chance.choice([(1, 1), (1, 1), (2, 2), (2, 9)])  # 9 was never committed
        decisions.append(
            {
                "touch": touch, "run": run, "plan": plan, "occasion": "w1", "attempt": chance.randint(1, 2),
                "person": chance.randint(1, PERSONS + MERGED), "touch_class": chance.choice(["marketing", "service"]),
                "channel": chance.choice(["wecom", "sms"]), "sender": chance.randint(1, 3), "due_at": due,
                "outcome": chance.choice(["send", "send", "held_out", "suppressed"]), "deadline": due + 12 * HOUR,
                "decided_at": due,
            }
        )  # fmt: skip
        told = {f"{chance.choice(['unknown', 'issued'])}:{chance.randint(0, 1)}" for _ in range(chance.randint(0, 2))}
        told |= {chance.choice(["sent", "failed", "expired", "suppressed"])} if chance.random() < 0.5 else set()
        for key in sorted(told):
            receipts.append({"touch": touch, "state": key.partition(":")[0], "at": due + HOUR, "receipt_key": key})
    own = [
        {
            "event_id": str(at), "type": "offgate.sent", "occurred_at": NOW - at * HOUR,
            "person": chance.randint(1, 30), "staff": chance.choice([1, 2, None]), **chance.choice(OWN),
        }
        for at in range(40)
    ]  # fmt: skip
    words = [("sidebar", '{"class": "marketing"}'), ("sidebar", '{"class": "reply"}'), ("reflex", None)]
    own += [
        row | {"type": "message.sent", "source": words[at % 3][0], "props": words[at % 3][1], "event_id": f"chat-{at}",
               "occurred_at": NOW - at * HOUR - HOUR / 2}
        for at, row in enumerate(own[:20])
    ]  # fmt: skip
    overrides = [{"birth": PERSONS + other, "survivor": other} for other in range(1, MERGED + 1)]
    wishes = [
        {"person": person, "kind": "cap", "name": chance.choice(["week", "month"]), "value": chance.randint(1, 4)}
        for person in chance.sample(range(1, PERSONS + 1), 6)
    ]
    filled = {"decisions": decisions, "receipts": receipts, "events": own, "person_overrides": overrides}
    filled["fact_preferences"] = wishes
    filled["facts"] = [{"person": one, "silent": one % 7 == 0, "blocked": one % 11 == 0} for one in range(1, PERSONS)]
    filled["fact_consents"] = [
        {"person": one, "purpose": "marketing", "channel": chance.choice(["wecom", "*"]), "granted": one % 3 > 0}
        for one in range(1, PERSONS + 1)
    ]
    return {name: rows(name, *given) for name, given in filled.items()}


def questions() -> list[Statement]:
    number = pa.int64()
    committed = pa.table({"run": pa.array([1, 2], number)})
    everyone = pa.array(range(1, PERSONS + 1), number)
    until = pa.array([NOW + timedelta(hours=10)] * PERSONS, pa.timestamp("us"))
    members = pa.table({"touch": everyone, "person": everyone, "deadline": until})
    caps = {"day": 1, "week": 3, "month": 8, "channel_day": 1_000_000, "channel_month": 3}
    stamp = pa.timestamp("us")
    waves = pa.table({"occasion": ["w1"], "horizon": pa.array([NOW], stamp)})
    measured = pa.table({"plan": pa.array([1], number), "occasion": ["w1"], "until": pa.array([NOW], stamp)})
    starts = pa.array([NOW - timedelta(days=1), NOW - timedelta(days=2)], stamp)
    windows = pa.table({"days": pa.array([1, 2], number), "since": starts})
    window = {"since": START - timedelta(days=2), "until": START}
    wanted = pa.table({"run": pa.array([1, 2], number), "purpose": ["marketing"] * 2, "channel": ["wecom"] * 2,
                       "topic": pa.array(["tips", None], pa.string())})  # fmt: skip
    return [
        named("reach/refusing", {"now": START}, {"wanted": wanted}),
        named("reach/contamination", {"plan": 1, **window}, {"committed": committed, "waves": waves}),
        *(
            beside(
                named(
                    f"reach/{name}",
                    {**window, "day": 1, "week": 2, "month": 3},
                    {"committed": committed, "measured": measured, **more},
                ),
                "said",
                "reach/offgate_said",
            )
            for name, more in (("offgate_pairs", {}), ("offgate_sends", {"windows": windows}))
        ),
        with_latest(named("reach/plan_counts", tables={"wanted": pa.table({"plan": [1, 2]}), "committed": committed})),
        with_latest(named("reach/touches_of", {"person": 5, "limit": 50}, {"committed": committed})),
        named("reach/expired", {"plan": 1, "run": 1}, {"committed": committed}),
        named(
            "reach/crowded",
            {"plan": 2, "channel": "wecom", "now": START, "wishes": True, **caps},
            {"members": members, "committed": committed},
        ),
    ]


def test_both_engines_say_the_same_of_the_ledger() -> None:
    ledgers = [ledger(random.Random(seed)) for seed in range(3)]
    for statement in questions():
        found = [assert_equal_on_both_engines(statement, given).num_rows for given in ledgers]
        assert any(found), f"nothing was compared by {statement.name}"

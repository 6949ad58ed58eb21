"""Random small worlds for the gate: few people, many plans, everything scarce, and instants where clocks misbehave."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from yutang.kernel.ids import PlanId
from yutang.reach.gate.contracts import (
    CANDIDATES,
    RELATIONS,
    SENDERS,
    TASKS,
    ChannelCaps,
    Hours,
    PlanTerms,
    Policy,
    Tick,
    TouchClass,
)

ZONES = ("Asia/Shanghai", "America/New_York", "Asia/Kolkata")
CHANNELS = ("wecom", "sms")
# The changes of daylight saving in New York, which come at 02:00 and not at midnight, and some plain days.
INSTANTS = (
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 2, 28, 16, tzinfo=UTC),
    datetime(2026, 5, 20, 3, tzinfo=UTC),
    datetime(2026, 12, 31, 18, 30, tzinfo=UTC),
)
HOURS = (
    Hours(time(9), time(21, 30)),
    Hours(time(9), time(21)),
    Hours(time(2, 30), time(14)),  # skipped in March
    Hours(time(1, 30), time(10, 15)),  # twice in November
    Hours(time(0), time(1, 30)),
    Hours(time(12), time(12, 45)),
)
Rows = list[dict[str, Any]]


def world(seed: int, crowd: int = 1) -> Tick:
    """The world of that number; always the same. `crowd` multiplies the people, and what there is for them."""
    chance = random.Random(seed)
    # streams of their own: the worlds stay what they were before anybody asked for anything, or had an address
    wish, place = random.Random(~seed), random.Random(f"address {seed}")
    now = INSTANTS[seed % len(INSTANTS)] + timedelta(seconds=chance.gauss(0, 30_000))
    policy = random_policy(chance, now.date())
    plans = tuple(random_plan(chance, index, now, crowd) for index in range(chance.randint(3, 5)))
    people = chance.sample(range(40 * crowd), chance.randint(12 * crowd, 20 * crowd))
    if chance.random() < 0.3:
        people = [person * 982_451_653_001 + 7 for person in people]
    senders: Rows = [
        {"sender": sender, "active": chance.random() < 0.75, "quota_left": chance.randint(0, 13 * crowd)}
        for sender in chance.sample(range(90), chance.randint(4, 6))
    ]
    relations = [row for person in people for row in random_relations(chance, person, senders, now, policy)]
    since: dict[int, datetime] = {}
    for row in relations:
        since[row["person"]] = min(row["added_at"], since.get(row["person"], row["added_at"]))
    candidates = [
        random_candidate(chance, wish, place, plans[index], index, person, since.get(person))
        for index in range(len(plans))
        for person in people
        if chance.random() < 0.95
    ]
    tasks = [
        {"sender": sender["sender"], "plan": index, "tasks_taken": chance.randint(1, 2)}
        for sender in senders
        for index in range(len(plans))
        if chance.random() < 0.2
    ]
    return Tick(
        now,
        plans,
        policy,
        ZONES,
        candidates=shuffled(chance, candidates, CANDIDATES),
        relations=shuffled(chance, relations, RELATIONS),
        senders=shuffled(chance, senders, SENDERS),
        tasks=shuffled(chance, tasks, TASKS),
    )


def shuffled(chance: random.Random, rows: Rows, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(chance.sample(rows, len(rows)), schema=schema)


def some_cap(chance: random.Random, low: int, high: int) -> int | None:
    return None if chance.random() < 0.15 else chance.randrange(low, high)


def random_policy(chance: random.Random, today: date) -> Policy:
    near = [today + timedelta(days=days) for days in range(-1, 4)]
    return Policy(
        hours=chance.choice(HOURS),
        channel_hours={"sms": chance.choice(HOURS)} if chance.random() < 0.5 else {},
        closed_weekdays=frozenset({5, 6}) if chance.random() < 0.3 else frozenset(),
        closed_dates=frozenset(day for day in near if chance.random() < 0.15),
        open_dates=frozenset(day for day in near if chance.random() < 0.15),
        max_risk=chance.randint(1, 2),
        grace=timedelta(days=chance.randint(1, 3)),
        promotions_free=chance.randint(0, 2),
        promotions_per_value=chance.randint(1, 3),
        day_cap=some_cap(chance, 1, 3),
        week_cap=some_cap(chance, 2, 4),
        month_cap=some_cap(chance, 3, 6),
        channel_caps={
            channel: ChannelCaps(some_cap(chance, 1, 3), some_cap(chance, 2, 6))
            for channel in CHANNELS
            if chance.random() < 0.6
        },
        tap_budget=chance.randint(1, 3),
        global_hold_out=chance.choice([0.0, 0.05, 0.07, 0.2]),
    )


def random_plan(chance: random.Random, index: int, now: datetime, crowd: int) -> PlanTerms:
    start = now + timedelta(hours=chance.gauss(0, 8))
    length = timedelta(minutes=chance.choices([0.5, 25.3, 400, 1500, 6000], [5, 10, 20, 35, 30])[0])
    kind = chance.choices(tuple(TouchClass), [70, 14, 8, 8])[0]
    return PlanTerms(
        plan=PlanId(chance.randrange(1, 10_000) * 10 + index),
        occasion=f"w{chance.randint(1, 2)}",
        touch_class=kind,
        purpose="promotion",
        channel=(channel := CHANNELS[int(chance.random() < 0.35)]),
        start=start,
        deadline=max(start, now) + length,
        priority=chance.randint(0, 2),
        value=chance.random() < 0.25,
        content_problem="absolute_claim" if chance.random() < 0.13 else None,
        hold_out=chance.choice([0.0, 0.1, 0.3]),
        at_most=chance.randint(1, 8 * crowd) if chance.random() < 0.5 else None,
        attempt=chance.randint(1, 2),
        addressed=channel == "sms",
    )


def random_relations(chance: random.Random, person: int, senders: Rows, now: datetime, policy: Policy) -> Rows:
    """Some near the edge of the grace period, some on it; additions and talks on few instants, so that they tie."""
    known = chance.sample(senders, chance.choices(range(5), [7, 40, 30, 15, 8])[0])
    long_ago = [now - timedelta(days=int(days)) for days in (40, 90, 90)]
    fresh = [now - policy.grace, now - policy.grace + timedelta(microseconds=1), now - timedelta(hours=5)]
    talks = [None, now - timedelta(days=2), now - timedelta(hours=1)]
    new = chance.random() < 0.15
    return [
        {
            "person": person,
            "sender": sender["sender"],
            "store": chance.randint(1, 4),
            "added_at": chance.choice(fresh if new else long_ago),
            "last_talk_at": chance.choice(talks),
        }
        for sender in known
    ]


def random_candidate(
    chance: random.Random,
    wish: random.Random,
    place: random.Random,
    terms: PlanTerms,
    plan: int,
    person: int,
    since: datetime | None,
) -> dict[str, Any]:
    """Some are reached by an address only, some by somebody in the store whose friend they are not."""
    return {
        "plan": plan,
        "person": person,
        "expected_value": chance.choice([0.0, 1.5, 1.5, chance.gammavariate(2, 10), -1.0]),
        "consent": chance.random() < 0.92,
        "preference": chance.random() < 0.92,
        "own_week": wish.choice([1, 2]) if wish.random() < 0.1 else None,
        "own_month": wish.choice([0, 1, 2, 4]) if wish.random() < 0.1 else None,
        "own_opens": wish.choice([0, 9 * 60, 12 * 60 + 15]) if wish.random() < 0.12 else None,
        "own_closes": wish.choice([10 * 60, 12 * 60 + 30, 24 * 60]) if wish.random() < 0.12 else None,
        "risk": chance.choices(range(4), [70, 20, 4, 6])[0],
        "reachable": place.random() < 0.9 if terms.addressed else since is not None or place.random() < 0.05,
        "friend_since": since,
        "zone": chance.randrange(len(ZONES)),
        "bucket": chance.randrange(chance.choice([1000, 10_000])),
        "touches_day": chance.choices(range(3), [86, 12, 2])[0],
        "touches_week": chance.choices(range(4), [74, 20, 5, 1])[0],
        "touches_month": chance.choices(range(5), [55, 30, 10, 4, 1])[0],
        "channel_day": chance.choices(range(3), [86, 12, 2])[0],
        "channel_month": chance.choices(range(5), [60, 28, 8, 3, 1])[0],
        "value_30d": chance.randint(0, 2),
        "promo_30d": chance.choices([0, 1, 2, 3, 6], [60, 20, 10, 5, 5])[0],
    }

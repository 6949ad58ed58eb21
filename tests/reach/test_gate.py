"""The gate, rule by rule: what it lets out, what it refuses, and what it says."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from tests.reach.worlds import shuffled, world
from yutang.kernel.ids import PlanId
from yutang.reach.gate import decide
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

NOON = datetime(2026, 5, 20, 4, tzinfo=UTC)  # a Wednesday, 12:00 in Shanghai
LONG_AGO = NOON - timedelta(days=100)
GUIDE, OTHER_GUIDE = 11, 12


def plan(number: int = 1, **terms: Any) -> PlanTerms:
    usual: dict[str, Any] = {
        "occasion": "w1",
        "touch_class": TouchClass.MARKETING,
        "purpose": "promotion",
        "channel": "wecom",
        "start": NOON,
        "deadline": NOON + timedelta(days=2),
    }
    return PlanTerms(plan=PlanId(number), **(usual | terms))


def candidate(person: int, plan_index: int = 0, **columns: Any) -> dict[str, Any]:
    counts = dict.fromkeys(CANDIDATES.names[CANDIDATES.get_field_index("touches_day") :], 0)
    usual = {
        "plan": plan_index,
        "person": person,
        "expected_value": 1.0,
        "consent": True,
        "preference": True,
        "risk": 0,
        "reachable": True,
        "friend_since": LONG_AGO,
        "zone": 0,
        "bucket": 5000,
    }
    return usual | counts | columns


def relation(person: int, sender: int = GUIDE, **columns: Any) -> dict[str, Any]:
    return {"person": person, "sender": sender, "store": 7, "added_at": LONG_AGO, "last_talk_at": None} | columns


def sender(number: int = GUIDE, quota: int = 100, active: bool = True) -> dict[str, Any]:
    return {"sender": number, "active": active, "quota_left": quota}


def outcomes(
    candidates: list[dict[str, Any]],
    plans: tuple[PlanTerms, ...] = (),
    relations: list[dict[str, Any]] | None = None,
    senders: list[dict[str, Any]] | None = None,
    tasks: list[dict[str, Any]] | None = None,
    now: datetime = NOON,
    **policy: Any,
) -> list[dict[str, Any]]:
    people = sorted({row["person"] for row in candidates})
    tick = Tick(
        now,
        plans or (plan(),),
        Policy(**policy),
        ("Asia/Shanghai", "America/New_York"),
        pa.Table.from_pylist(candidates, schema=CANDIDATES),
        pa.Table.from_pylist([relation(one) for one in people] if relations is None else relations, schema=RELATIONS),
        pa.Table.from_pylist(senders or [sender(), sender(OTHER_GUIDE)], schema=SENDERS),
        pa.Table.from_pylist(tasks or [], schema=TASKS),
    )
    decided: list[dict[str, Any]] = decide(tick).table.to_pylist()
    return decided


def said(rows: list[dict[str, Any]]) -> list[str]:
    return [row["reason"] or row["outcome"] for row in rows]


def test_whom_no_rule_forbids_is_sent_to_by_the_guide_who_knows_her():
    (row,) = outcomes([candidate(1)])
    assert (row["outcome"], row["reason"], row["sender"], row["store"]) == ("send", None, GUIDE, 7)
    assert row["due"] == NOON


def test_a_suppressed_touch_has_a_reason_and_no_sender_and_no_window():
    (row,) = outcomes([candidate(1, consent=False)])
    assert (row["outcome"], row["reason"]) == ("suppressed", "consent")
    assert [row[name] for name in ("sender", "store", "due", "deadline")] == [None] * 4


@pytest.mark.parametrize(
    ("columns", "terms", "reason"),
    [
        ({"reachable": False}, {}, "relation"),
        ({"consent": False}, {}, "consent"),
        ({"preference": False}, {}, "preference"),
        ({}, {"content_problem": "absolute_claim"}, "content"),
        ({"risk": 2}, {}, "risk"),
        ({"friend_since": NOON - timedelta(days=2)}, {}, "grace_period"),
        ({"promo_30d": 2}, {}, "value_ratio"),
        ({"touches_day": 1}, {}, "caps"),
        ({"touches_week": 3}, {}, "caps"),
        ({"touches_month": 8}, {}, "caps"),
        ({}, {"at_most": 0}, "capacity"),
    ],
)
def test_each_rule_refuses_in_its_own_name(columns: dict[str, Any], terms: dict[str, Any], reason: str):
    assert said(outcomes([candidate(1, **columns)], (plan(**terms),))) == [reason]


def test_a_receipt_needs_neither_consent_nor_caps_nor_open_hours():
    night = plan(
        touch_class=TouchClass.TRANSACTIONAL, start=NOON + timedelta(hours=12), deadline=NOON + timedelta(hours=13)
    )
    (row,) = outcomes([candidate(1, consent=False, preference=False, risk=9, touches_day=5)], (night,))
    assert (row["outcome"], row["due"], row["deadline"]) == ("send", night.start, night.deadline)


def test_value_given_earns_promotions_and_is_itself_not_counted_as_one():
    assert said(outcomes([candidate(1, promo_30d=3, value_30d=1)])) == ["send"]
    assert said(outcomes([candidate(1, promo_30d=9)], (plan(value=True),))) == ["send"]


def test_a_touch_at_night_moves_to_the_morning_and_must_be_done_by_the_evening():
    night = plan(start=NOON + timedelta(hours=11), deadline=NOON + timedelta(days=2))
    (row,) = outcomes([candidate(1)], (night,))
    shanghai = ZoneInfo("Asia/Shanghai")
    assert row["due"] == datetime(2026, 5, 21, 9, tzinfo=shanghai)
    assert row["deadline"] == datetime(2026, 5, 21, 21, 30, tzinfo=shanghai)


def test_a_night_without_a_morning_before_the_deadline_is_suppressed():
    night = plan(start=NOON + timedelta(hours=11), deadline=NOON + timedelta(hours=21))
    assert said(outcomes([candidate(1)], (night,))) == ["quiet_hours"]


def test_less_than_an_open_minute_is_none():
    last = plan(start=datetime(2026, 5, 20, 13, 29, 1, tzinfo=UTC))
    (row,) = outcomes([candidate(1)], (last,))
    assert row["due"] == datetime(2026, 5, 21, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "hours", "opens", "closes"),
    [
        # 02:30 does not exist on 8 March: until 03:30 summer time nobody can be sure that it is open.
        (date(2026, 3, 8), Hours(time(2, 30), time(12)), (7, 30), (16, 0)),
        (date(2026, 3, 8), Hours(time(1), time(2, 30)), (6, 0), (6, 30)),
        # 01:30 comes twice on 1 November: it opens with the second, and closes with the first.
        (date(2026, 11, 1), Hours(time(1, 30), time(12)), (6, 30), (17, 0)),
        (date(2026, 11, 1), Hours(time(0, 30), time(1, 30)), (4, 30), (5, 30)),
        (date(2026, 11, 1), Hours(time(9), time(21, 30)), (14, 0), (2, 30)),
    ],
)
def test_hours_are_right_where_clocks_change(day: date, hours: Hours, opens: tuple[int, int], closes: tuple[int, int]):
    midnight = datetime.combine(day, time(0), ZoneInfo("America/New_York"))
    days = plan(start=midnight, deadline=midnight + timedelta(days=3))
    friend = candidate(1, zone=1, friend_since=midnight - timedelta(days=9))
    (row,) = outcomes([friend], (days,), now=midnight, hours=hours)
    assert (row["due"].hour, row["due"].minute) == opens
    assert (row["deadline"].hour, row["deadline"].minute) == closes


def test_whenever_the_guide_taps_it_is_open_hours_for_the_customer():
    tapped = 0
    for seed in range(120):
        tick = world(seed)
        plans = {terms.plan: terms for terms in tick.plans}
        chance = random.Random(seed)
        for asked, row in zip(tick.candidates.to_pylist(), decide(tick).table.to_pylist(), strict=True):
            terms = plans[row["plan"]]
            if row["due"] is None or terms.touch_class not in ("marketing", "service"):
                continue
            span = row["deadline"] - row["due"]
            assert max(tick.now, terms.start) <= row["due"]
            assert row["deadline"] <= terms.deadline
            for part in (0.0, chance.random(), chance.random()):
                local = (row["due"] + span * part).astimezone(ZoneInfo(tick.zones[asked["zone"]]))
                hours = tick.policy.hours_of(terms.channel)
                assert hours.opens <= local.time() < hours.closes
                assert not tick.policy.closed(local.date())
                tapped += 1
    assert tapped > 1000


def test_a_friend_hears_from_who_talked_to_her_last_then_from_who_knows_her_longest():
    yesterday, earlier = NOON - timedelta(days=1), LONG_AGO - timedelta(days=1)
    people = [candidate(person) for person in (1, 2, 3)]
    rows = outcomes(
        people,
        relations=[
            relation(1, GUIDE),
            relation(1, OTHER_GUIDE, last_talk_at=yesterday),
            relation(2, GUIDE),
            relation(2, OTHER_GUIDE, added_at=earlier),
            relation(3, OTHER_GUIDE),
            relation(3, GUIDE),
        ],
    )
    assert [row["sender"] for row in rows] == [OTHER_GUIDE, OTHER_GUIDE, GUIDE]


def test_who_knows_only_inactive_accounts_has_no_sender():
    assert said(outcomes([candidate(1)], senders=[sender(active=False)])) == ["sender_choice"]


def test_a_full_account_passes_its_people_on_and_says_so_when_nobody_is_left():
    people = [candidate(person, expected_value=float(10 - person)) for person in (1, 2, 3)]
    both = [relation(person, known) for person in (1, 2) for known in (GUIDE, OTHER_GUIDE)]
    rows = outcomes(people, relations=[*both, relation(3)], senders=[sender(quota=1), sender(OTHER_GUIDE)])
    assert [(row["sender"], row["reason"]) for row in rows] == [
        (GUIDE, None),
        (OTHER_GUIDE, None),
        (None, "platform_quota"),
    ]


def test_a_fourth_acquaintance_is_not_asked():
    guides = [sender(number, quota=0) for number in (1, 2, 3)] + [sender(4)]
    known = [relation(1, number, last_talk_at=NOON - timedelta(days=number)) for number in (1, 2, 3, 4)]
    assert said(outcomes([candidate(1)], relations=known, senders=guides)) == ["platform_quota"]


def test_the_higher_priority_wins_the_person_whatever_the_other_is_worth():
    plans = (plan(1, priority=1), plan(2, priority=2))
    rows = outcomes([candidate(1, 0, expected_value=99.0), candidate(1, 1, expected_value=0.5)], plans)
    assert said(rows) == ["caps", "send"]


def test_the_dearer_person_gets_the_last_place():
    rows = outcomes([candidate(1, expected_value=1.0), candidate(2, expected_value=2.0)], (plan(at_most=1),))
    assert said(rows) == ["capacity", "send"]


def test_channel_caps_count_every_class_and_spare_replies():
    plans = (
        plan(1, touch_class=TouchClass.TRANSACTIONAL, priority=3),
        plan(2, touch_class=TouchClass.SERVICE, priority=2),
        plan(3, touch_class=TouchClass.REPLY, priority=1),
    )
    people = [candidate(1, index) for index in range(3)]
    assert said(outcomes(people, plans, channel_caps={"wecom": ChannelCaps(day=1)}, tap_budget=9)) == [
        "send",
        "caps",
        "send",
    ]


def test_a_held_out_touch_uses_up_what_a_sent_one_would():
    plans = (plan(1, priority=1, hold_out=1.0), plan(2))
    assert said(outcomes([candidate(1, 0), candidate(1, 1)], plans)) == ["held_out", "caps"]


def test_a_guide_gets_two_tasks_a_day_and_a_task_has_room_for_many():
    plans = tuple(plan(number, priority=10 - number) for number in (1, 2, 3))
    people = [candidate(person, index) for index in range(3) for person in (10 * index + 1, 10 * index + 2)]
    assert said(outcomes(people, plans)) == ["send"] * 4 + ["tap_budget"] * 2


def test_tasks_taken_earlier_count_for_the_guide():
    taken = [{"sender": GUIDE, "plan": 0, "tasks_taken": 2}]
    assert said(outcomes([candidate(1)], tasks=taken)) == ["tap_budget"]


def test_the_global_hold_out_is_nobodys_control_and_binds_marketing_only():
    held = {"global_hold_out": 0.01}
    control = plan(hold_out=1.0)
    assert said(outcomes([candidate(1, bucket=99), candidate(2, bucket=100)], (control,), **held)) == [
        "globally_held_out",
        "held_out",
    ]
    assert said(outcomes([candidate(1, bucket=99)], (plan(touch_class=TouchClass.SERVICE),), **held)) == ["send"]


def test_the_order_of_the_rows_changes_nothing():
    for seed in range(20):
        tick = world(seed)
        chance = random.Random(seed)
        before = {(row["plan"], row["person"]): row for row in decide(tick).table.to_pylist()}
        tables = {
            name: shuffled(chance, getattr(tick, name).to_pylist(), schema)
            for name, schema in (
                ("candidates", CANDIDATES),
                ("relations", RELATIONS),
                ("senders", SENDERS),
                ("tasks", TASKS),
            )
        }
        again = decide(replace(tick, **tables)).table.to_pylist()
        assert {(row["plan"], row["person"]): row for row in again} == before


def test_counts_add_up_to_the_candidates():
    tick = world(5)
    decisions = decide(tick)
    assert sum(decisions.counts().values()) == len(tick.candidates) == len(decisions.table)


def test_nobody_is_an_audience_too():
    assert outcomes([]) == []


def broken(**changes: Any) -> Tick:
    tick = world(1)
    return replace(tick, **{name: change(getattr(tick, name)) for name, change in changes.items()})


def with_column(name: str, value: Any):
    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        return pa.Table.from_pylist([{**rows[0], name: value}, *rows[1:]], schema=table.schema)

    return change


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"now": lambda now: now + timedelta(days=365)}, "its deadline has passed"),
        ({"now": lambda now: now.replace(tzinfo=None)}, "must know its zone"),
        ({"candidates": with_column("consent", None)}, "candidates.consent has nulls"),
        ({"candidates": with_column("expected_value", float("nan"))}, "must be numbers"),
        ({"candidates": with_column("zone", 3)}, "candidates.zone must lie in 0–2"),
        ({"candidates": with_column("plan", -1)}, "candidates.plan must lie in"),
        ({"candidates": lambda table: pa.concat_tables([table, table.slice(0, 1)])}, "stands twice"),
        ({"relations": with_column("sender", 12345)}, "sender 12345 is not among the senders"),
    ],
)
def test_a_tick_that_does_not_hold_together_is_refused(changes: dict[str, Any], says: str):
    with pytest.raises(ValueError, match=says):
        decide(broken(**changes))


def test_a_plan_must_end_after_it_starts_and_hours_must_open_before_they_close():
    with pytest.raises(ValueError, match="after the start"):
        plan(deadline=NOON)
    with pytest.raises(ValueError, match="open before they close"):
        Hours(time(21), time(9))


# Channels that reach people by an address -------------------------------------------------------------------------


def test_an_address_stands_for_a_friend_and_whoever_has_none_is_told_so():
    terms = (plan(channel="sms", addressed=True),)
    told = outcomes([candidate(1, friend_since=None), candidate(2, friend_since=None, reachable=False)], terms)
    assert said(told) == ["send", "no_address"]


def test_whoever_is_reached_through_their_store_is_no_new_friend():
    assert said(outcomes([candidate(1, friend_since=None)])) == ["send"]


def test_what_is_written_to_an_address_needs_no_tap_and_takes_none():
    rows = [candidate(1, 0), candidate(2, 1), candidate(3, 2)]
    sms = [plan(2, channel="sms", addressed=True, priority=9), plan(3, channel="sms", addressed=True, priority=9)]
    told = outcomes(rows, (plan(1), *sms), [relation(one) for one in (1, 2, 3)], tap_budget=1)
    assert said(told) == ["send"] * 3
    taken = [{"sender": GUIDE, "plan": 0, "tasks_taken": 1}]
    assert said(outcomes([candidate(1)], (plan(channel="sms", addressed=True),), tasks=taken, tap_budget=1)) == ["send"]
    assert said(outcomes([candidate(1)], tasks=taken, tap_budget=1)) == ["tap_budget"]

"""From a plan to committed decisions and batches: what is decided, once, about whom."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import stores
from tests.reach.conftest import CREATE, HOUR, START, Stage
from tests.reach.twin import Planned, standing_naively
from tests.soak import pond
from yutang.intake import mirror
from yutang.kernel import failpoints
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import PersonId, draw, salt
from yutang.log.contracts import IdentifierValue
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.models import SenderAccount
from yutang.organisation.queries import OWNER, node_by_code
from yutang.people import services as people
from yutang.reach import planning, queries, services
from yutang.reach.contracts import BatchState, RunState
from yutang.reach.ledger import committed, with_latest
from yutang.reach.models import Batch, Plan, Run
from yutang.warehouse.contracts import named

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
OPENED, CLOSES = 0.5, 13.0  # hours after 08:30: 09:00 and 21:30 in Shanghai


# What is decided --------------------------------------------------------------------------------------------------


def test_everybody_is_decided_once_and_the_preview_said_so(stage: Stage) -> None:
    seen = services.preview(stage.warehouse, pond.broadcast("hello"), OWNER)
    assert seen.candidates == 60 == seen.send + seen.held_out + seen.globally_held_out + sum(seen.suppressed.values())
    assert queries.plans(OWNER) == [], "a preview keeps nothing"
    plan = stage.launch("hello")
    stage.to(0)
    decided = stage.decided(plan)
    assert set(decided) == set(stage.persons.values())
    assert len(stage.with_outcome(plan, "send")) == seen.send
    assert len(stage.with_outcome(plan, "held_out")) == seen.held_out
    assert len(stage.batches(plan)) == seen.batches
    assert sum(batch.size for batch in stage.batches(plan)) == seen.send


def test_planning_again_decides_nothing_anew(stage: Stage) -> None:
    stage.launch("hello")
    assert planning.plan_due(stage.warehouse) == 1
    before = stage.rows("SELECT * FROM decisions ORDER BY ALL")
    assert planning.plan_due(stage.warehouse) == 0
    assert stage.rows("SELECT * FROM decisions ORDER BY ALL") == before


@pytest.mark.long
@pytest.mark.parametrize(
    "stage",
    [{"habit": {"at_once": 0.3, "late": 0.3, "night": 0.2, "never": 0.2}, "guides": 6}],
    indirect=True,
)
def test_the_equation_holds_at_every_step_however_the_clock_strides(stage: Stage) -> None:
    strides = random.Random(4)
    plans = [stage.launch("one", attempts=2, waves=[0.4, 1.0]), stage.launch("two", text="会员日。", priority=80)]
    kinds = [("drop_answer", -1), ("refuse", 48002), ("drop_answer", -1)]
    hours = 0.0
    while hours < 40:
        if kinds and strides.random() < 0.5:
            kind, errcode = kinds.pop()
            stage.faults({"api": CREATE, "kind": kind, "times": 1, "errcode": errcode})
        stride = strides.choice([0.013, 0.31, 2.7, 5.03, 11.1])
        hours += stride
        if strides.random() < 0.5:
            stage.to(hours)
        else:
            stage.jump(hours)  # past every deadline and start in between
        for plan in plans:
            stage.counts(plan)  # checks the equation
    stage.to(90)
    for plan in plans:
        counts = stage.counts(plan)
        assert (counts.decided, counts.pending, counts.unknown) == (60, 0, 0)
    assert sum(stage.counts(plan).sent for plan in plans) == len(stage.reached())


def test_the_audience_is_frozen_at_launch(stage: Stage) -> None:
    plan = stage.launch("hello", waves=[0.5, 1.0], wave_hours=24)
    stage.to(1)
    newcomer = people.resolve_column("external_userid", pond.CORP, pa.array(["wm-new"]), seen_at=START)
    added = pa.array([START - timedelta(days=30)], pa.timestamp("us", "UTC"))
    people.load_relations(pa.table({"person": newcomer, "sender": [stage.sender("guide00")], "added_at": added}))
    people.give_consent(PersonId(int(newcomer[0])), "marketing", pond.CHANNEL, at=START, proof="")
    mirror.mirror_facts(stage.warehouse)
    stage.to(24)
    both = set(stage.decided(plan, occasion="w1")) | set(stage.decided(plan, occasion="w2"))
    assert both == set(stage.persons.values())


@pytest.mark.long
def test_waves_partition_the_audience_and_follow_the_hash(stage: Stage) -> None:
    plan = stage.launch("hello", waves=[0.2, 0.5, 1.0], wave_hours=5)
    stage.to(11)
    waves = [set(stage.decided(plan, occasion=f"w{number}")) for number in (1, 2, 3)]
    assert sum(len(wave) for wave in waves) == 60
    assert set.union(*waves) == set(stage.persons.values())
    for low, high, wave in zip((0, 0.2, 0.5), (0.2, 0.5, 1.0), waves, strict=True):
        assert wave == {one for one in stage.persons.values() if low <= draw(one, salt("wave", plan)) < high}


@pytest.mark.long
def test_somebody_who_a_merge_carries_into_a_later_wave_is_not_spoken_to_twice(stage: Stage) -> None:
    plan = stage.launch("hello", waves=[0.5, 1.0], wave_hours=24, hold_out=0.0)
    stage.to(0)
    first = set(stage.decided(plan))
    ids = {person: name for name, person in stage.persons.items()}
    survivor = min(set(ids) - first)  # the older of two becomes the survivor
    gone = min(one for one in first if one > survivor)
    pair = [IdentifierValue("external_userid", pond.CORP, ids[one]) for one in (survivor, gone)]
    assert people.resolve([pair], seen_at=business_now()) == [survivor]
    stage.to(25)
    assert survivor not in stage.decided(plan, occasion="w2")


def test_two_waves_that_are_due_at_once_are_decided_in_one_turn(stage: Stage) -> None:
    plan = stage.launch("hello", waves=[0.2, 0.5, 1.0], wave_hours=1)
    stage.jump(5)
    assert stage.turn().runs == 3
    assert stage.counts(plan).decided == 60


def test_the_start_waits_and_a_stepped_clock_does_not_jump_over_it(stage: Stage) -> None:
    start = START + 3 * HOUR
    plan = stage.launch("hello", start=start.isoformat())
    stage.to(2.9)
    assert stage.decided(plan) == {}
    assert services.next_instant(business_now()) == start
    stage.to(48)
    assert [run.decided_at for run in Run.objects.filter(plan=plan)] == [start]


# Caps and competition ---------------------------------------------------------------------------------------------


def test_the_held_out_use_up_their_caps_exactly_as_the_sent(stage: Stage) -> None:
    first = stage.launch("hello", hold_out=0.5)
    stage.to(23.9)
    second = stage.launch("again", text="新的一天。")
    stage.to(24)
    capped = {person for person, (_, reason) in stage.decided(second).items() if reason == "caps"}
    assert capped == stage.with_outcome(first, "send") | stage.with_outcome(first, "held_out")
    assert stage.with_outcome(first, "held_out")


@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_a_touch_that_expired_frees_its_place_in_the_caps_and_a_held_out_one_does_not(stage: Stage) -> None:
    first = stage.launch("hello", hold_out=0.5, attempts=1)
    stage.to(CLOSES)
    second = stage.launch("again", text="新的一天。", hold_out=0.0)
    stage.to(CLOSES + 0.1)
    capped = {person for person, (_, reason) in stage.decided(second).items() if reason == "caps"}
    assert capped == stage.with_outcome(first, "held_out")
    assert stage.with_outcome(second, "send") == stage.with_outcome(first, "send")


def test_two_plans_due_at_once_compete_by_priority(stage: Stage) -> None:
    weak = stage.launch("weak", text="随便看看。", priority=10, hold_out=0.0)
    strong = stage.launch("strong", priority=90, hold_out=0.0, at_most=20)
    stage.to(0)
    assert len(stage.with_outcome(strong, "send")) == 20
    lost = {person for person, (_, reason) in stage.decided(weak).items() if reason == "caps"}
    assert lost == stage.with_outcome(strong, "send")
    assert stage.with_outcome(weak, "send") == {
        person for person, (_, reason) in stage.decided(strong).items() if reason == "capacity"
    }


QUOTA = 30


@pytest.mark.long
def test_the_held_out_use_up_their_senders_quota_against_later_plans(stage: Stage) -> None:
    SenderAccount.objects.update(daily_quota=QUOTA)
    first = stage.launch("hello", hold_out=0.5)
    stage.to(1)
    second = stage.launch("again", text="新的一天。", hold_out=0.5, **{"class": "service"})
    stage.to(2)
    granted = "SELECT sender, count(*) FROM decisions WHERE plan = $plan AND outcome <> 'suppressed' GROUP BY sender"
    before, after = (dict(stage.rows(granted, plan=plan)) for plan in (first, second))
    assert set(before.values()) == {18}, "of 20 friends of each guide, two gave no consent"
    assert after == {sender: QUOTA - people for sender, people in before.items()}


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"guides": 20}], indirect=True)
def test_a_task_that_only_the_hold_out_saved_takes_its_tap_from_later_plans(stage: Stage) -> None:
    service = {"class": "service", "hold_out": 0.5}
    plans = [stage.launch(f"plan{number}", text=f"第 {number} 句。", **service) for number in (1, 2)]
    stage.to(1)
    assert any(len({batch.sender for batch in stage.batches(plan)}) < 20 for plan in plans), "all friends held out"
    third = stage.launch("third", text="第三句。", **service)
    stage.to(2)
    assert set(stage.decided(third).values()) == {("suppressed", "tap_budget"), ("suppressed", "consent")}


FEW = 3  # recipients of one task in this test
SHANGHAI = ZoneInfo(pond.ZONE)
planned_work = st.lists(
    st.builds(
        Planned,
        run=st.sampled_from([1, 1, 2, 3]),  # 3 was never committed
        sender=st.integers(1, 3),
        due=st.integers(-40, 60).map(lambda hours: START + hours * HOUR),
        hours=st.integers(1, 30),
        send=st.integers(0, 7),
        held_out=st.integers(0, 4),
        globally_held_out=st.integers(0, 2),
        closed_untapped=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: (one.run, one.sender, one.due, one.hours),
)
plan_windows = st.lists(st.tuples(st.integers(-10, 20), st.integers(1, 40)), min_size=1, max_size=3)


@pytest.mark.long
@settings(max_examples=25)
@given(planned=planned_work, windows=plan_windows)
def test_what_senders_have_to_do_equals_a_naive_count_and_is_the_same_without_a_hold_out(
    ledger: Any, planned: list[Planned], windows: list[tuple[int, int]]
) -> None:
    due = [due_between(START + at * HOUR, hours) for at, hours in windows]
    found = standing(ledger, planned, due)
    spans = {index: (item.terms.start, item.terms.deadline) for index, item in enumerate(due)}
    spans[planning.WHOLE_TICK] = min(one for one, _ in spans.values()), max(other for _, other in spans.values())
    kept = [one for one in planned if one.run < 3]
    assert found == {
        (window, sender): told
        for window, (first, last) in spans.items()
        for sender, told in standing_naively(kept, midnight(first), midnight(last) + 24 * HOUR, FEW).items()
    }
    all_sent = [
        replace(one, send=one.everyone, held_out=0, globally_held_out=0, closed_untapped=not one.stands)
        for one in planned
    ]
    assert standing(ledger, all_sent, due) == found


def due_between(start: datetime, hours: int) -> planning.Due:
    """A plan with this window, about nobody."""
    nobody = pa.table({"person": pa.array([], pa.int64())})
    return planning.Due(Plan(), planning.terms_of(1, pond.broadcast("one", within_hours=hours), start, None), nobody)


def midnight(at: datetime) -> datetime:
    """When the local day of an instant began."""
    return at.astimezone(SHANGHAI).replace(hour=0, minute=0).astimezone(UTC)


def standing(ledger: Any, planned: list[Planned], due: list[planning.Due]) -> dict[tuple[int, int], tuple[int, int]]:
    """Keep what was planned, then ask as the planner does."""
    Batch.objects.all().delete()
    Run.objects.all().delete()
    plan = Plan.objects.create(name="one", body={}, author="test", created_at=START)
    states = {1: RunState.COMMITTED, 2: RunState.COMMITTED, 3: RunState.ABANDONED}
    for run, state in states.items():
        Run.objects.create(pk=run, plan=plan, state=state, occasion=f"w{run}", token=1, decided_at=START, as_of=START)
    alike = {"touch_class": "marketing", "channel": "wecom", "value": False, "receipts": []}
    touches = [
        {"due": (one.due - START) // HOUR, "run": one.run, "person": 1, "sender": one.sender, "hours": one.hours}
        | {"outcome": outcome, **alike}
        for one in planned
        for outcome in ("send", "held_out", "globally_held_out")
        for _ in range(getattr(one, outcome))
    ]
    ledger.fill(touches)
    Batch.objects.bulk_create(
        Batch(
            run_id=one.run, sender=one.sender, due_at=one.due, deadline=one.deadline, ordinal=ordinal, offset=offset,
            size=min(FEW, one.send - offset), digest=str(offset),
            state=BatchState.CLOSED if one.closed_untapped else BatchState.ISSUED,
        )
        for one in planned
        for ordinal, offset in enumerate(range(0, one.send if one.run < 3 else 0, FEW))
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(planning, "TASK_LIMIT", FEW)
        rows = planning._standing(ledger.warehouse, due, committed(), pond.ZONE).to_pylist()
    return {(row["window"], row["sender"]): (row["people"], row["tasks"]) for row in rows}


STARTS = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
CLASSES = st.sampled_from(["marketing", "marketing", "service"])
touches = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.integers(1, 4),
            "due": st.integers(-40 * 24, 40 * 24),
            "hours": st.integers(1, 48),
            "touch_class": CLASSES,
            "channel": st.sampled_from(["wecom", "sms"]),
            "value": st.booleans(),
            "outcome": st.sampled_from(["send", "held_out", "globally_held_out", "suppressed"]),
            "receipts": st.lists(
                st.sampled_from(["sent", "failed", "expired", "suppressed", "unknown", "issued"]), max_size=2
            ).filter(lambda told: len([state for state in told if state not in ("unknown", "issued")]) < 2),
            "run": st.sampled_from([1, 1, 1, 2]),  # 2 was never committed
        }
    ),
    max_size=14,
)
offgate = st.lists(st.tuples(st.integers(1, 4), st.integers(-40 * 24, 40 * 24)), max_size=4)


@pytest.mark.long
@settings(max_examples=40)
@given(touches=touches, offgate=offgate, within=st.integers(1, 72), merged=st.booleans())
def test_what_the_gate_counts_equals_a_naive_count(
    ledger: Any, touches: list[dict[str, Any]], offgate: list[tuple[int, int]], within: int, merged: bool
) -> None:
    """Person 4 may have become person 3; each window is [due, deadline] widened on both sides by the cap's length."""
    survivor = {one: 3 if merged and one == 4 else one for one in range(1, 5)}
    ledger.fill(touches, offgate, {4: 3} if merged else {})
    end = STARTS + within * HOUR
    tables = {
        "audience": pa.table({"person": pa.array([1, 2, 3], pa.int64())}),
        "committed": pa.table({"run": pa.array([1], pa.int64())}),
    }
    params = {"start": STARTS, "deadline": end, "channel": "wecom", "purpose": "marketing", "zone": "Asia/Shanghai"}
    params["topic"] = ""
    found = ledger.warehouse.query(named("reach/candidates", params, tables)).to_pylist()
    assert [row["person"] for row in found] == [1, 2, 3]
    for row in found:
        counts = naive_counts(touches, offgate, survivor, row["person"], end)
        assert {name: row[name] for name in counts} == counts


def until(touch: dict[str, Any]) -> datetime:
    """How long a touch counts: to its deadline; sent after it, until then; nobody knows, until now for a week."""
    deadline: datetime = STARTS + (touch["due"] + touch["hours"]) * HOUR
    if touch["outcome"] != "send":
        return deadline
    if "sent" in touch["receipts"]:
        told = START + timedelta(seconds=touch["receipts"].index("sent"))
        return max(deadline, told) if deadline > STARTS - timedelta(days=38) else deadline
    return max(deadline, STARTS) if deadline > STARTS - timedelta(days=7) else deadline


def naive_counts(
    touches: list[dict[str, Any]], offgate: list[tuple[int, int]], survivor: dict[int, int], person: int, end: datetime
) -> dict[str, int]:
    spent = [
        (STARTS + t["due"] * HOUR, until(t), t["touch_class"], t["channel"], t["value"])
        for t in touches
        if survivor[t["person"]] == person
        and t["run"] == 1
        and t["outcome"] != "suppressed"
        and not {"failed", "expired", "suppressed"} & set(t["receipts"])
    ]
    spent += [
        (STARTS + at * HOUR, STARTS + at * HOUR, "marketing", "wecom", False)
        for one, at in offgate
        if survivor[one] == person
    ]
    names = ("touches_day", "touches_week", "touches_month", "channel_day", "channel_month", "value_30d", "promo_30d")
    counts = dict.fromkeys(names, 0)
    for due, deadline, touch_class, channel, value in spent:
        near = {
            days: deadline > STARTS - timedelta(days=days) and due < end + timedelta(days=days) for days in (1, 7, 30)
        }
        marketing = touch_class == "marketing"
        counts["touches_day"] += marketing and near[1]
        counts["touches_week"] += marketing and near[7]
        counts["touches_month"] += marketing and near[30]
        counts["channel_day"] += channel == "wecom" and near[1]
        counts["channel_month"] += channel == "wecom" and near[30]
        counts["value_30d"] += marketing and value and near[30]
        counts["promo_30d"] += marketing and not value and near[30]
    return counts


# Batches ----------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    sizes=st.lists(st.sampled_from([1, 2, 9_999, 10_000, 10_001, 25_000]), min_size=1, max_size=3),
    seed=st.integers(0, 9),
)
def test_batches_are_cut_alike_from_the_same_decisions_and_within_the_platforms_limit(
    sizes: list[int], seed: int
) -> None:
    sender = np.repeat(np.arange(len(sizes)), sizes)
    stamp = pa.timestamp("us")
    columns = {
        "outcome": pa.array(np.where(np.arange(len(sender)) % 50 == 49, "held_out", "send")),
        "sender": pa.array(sender),
        "due_at": pa.array([STARTS.replace(tzinfo=None)] * len(sender), stamp),
        "deadline": pa.array([(STARTS + HOUR).replace(tzinfo=None)] * len(sender), stamp),
    }
    rows = pa.table(columns)

    def cut(table: pa.Table) -> list[tuple[int, int, int, int]]:
        return [(b.sender, b.ordinal, b.offset, b.size) for b in planning._batches(table, planning.TASK_LIMIT)]

    batches = cut(rows)
    assert cut(rows.take(np.random.default_rng(seed).permutation(len(sender)))) == batches
    assert all(0 < size <= 10_000 for *_, size in batches)
    for number in range(len(sizes)):
        own = [(offset, size) for one, _, offset, size in batches if one == number]
        ends = [offset + size for offset, size in own]
        assert [offset for offset, _ in own] == [0, *ends][:-1], "no gap, no overlap"
        sent = int(((sender == number) & (np.arange(len(sender)) % 50 != 49)).sum())
        assert ends[-1:] == ([sent] if sent else [])


# Launching and stopping -------------------------------------------------------------------------------------------


def test_the_same_document_launched_twice_is_refused_until_the_first_has_ended(stage: Stage) -> None:
    plan = stage.launch("hello")
    with pytest.raises(Refused, match="already runs"):
        stage.launch("hello")
    assert Plan.objects.count() == 1
    assert stage.launch("hello", text="别的话。") != plan
    services.stop(plan, OWNER)
    assert stage.launch("hello") != plan


def test_who_may_not_operate_neither_launches_nor_stops(stage: Stage) -> None:
    guide = Viewer("小王", RoleName.GUIDE, frozenset())
    plan = stage.launch("hello")
    with pytest.raises(Refused):
        services.launch(pond.broadcast("mine"), guide)
    with pytest.raises(Refused):
        services.stop(plan, guide)
    with pytest.raises(NotFound):
        services.stop(type(plan)(plan + 1), OWNER)


def test_a_text_that_breaks_a_content_rule_is_refused_with_the_word_and_nothing_is_kept(stage: Stage) -> None:
    with pytest.raises(BadInput, match="全城最 佳"):
        stage.launch("hello", text="全城最 佳 的衣服")
    assert not Plan.objects.exists()


def test_a_plan_reaches_only_whom_its_author_may_see(stage: Stage) -> None:
    own = frozenset({node_by_code("s0").id})
    plan = services.launch(pond.broadcast("ours"), Viewer("一店运营", RoleName.OPERATOR, own))
    stage.to(0)
    seen = {person for (person,) in stage.rows("SELECT person FROM fact_scopes WHERE node = $node", node=min(own))}
    assert set(stage.decided(plan)) == seen
    assert 0 < len(seen) < 60


# Dying in between, and racing -------------------------------------------------------------------------------------


class Died(BaseException):
    """Stands for kill -9: nothing may catch it."""


@pytest.mark.parametrize(
    "place", ["plan.audience_frozen", "plan.runs_opened", "plan.decisions_written", "plan.before_commit"]
)
def test_a_run_that_died_before_its_commit_is_never_seen_and_is_decided_anew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    plan = stage.launch("hello")

    def die(name: str) -> None:
        if name == place:
            raise Died

    monkeypatch.setattr(planning, "failpoint", die)
    with pytest.raises(Died):
        planning.plan_due(stage.warehouse)
    assert place in failpoints.FAILPOINTS
    written = stage.rows("SELECT count(*) FROM decisions")[0][0]
    assert written == (60 if place in ("plan.decisions_written", "plan.before_commit") else 0)
    assert stage.counts(plan).decided == 0
    assert committed().num_rows == 0
    assert stage.batches(plan) == []
    monkeypatch.undo()
    assert planning.plan_due(stage.warehouse) == 1
    assert stage.counts(plan).decided == 60
    assert Run.objects.filter(state=RunState.COMMITTED).count() == 1
    assert not Run.objects.filter(state=RunState.DECIDING).exists()
    stage.to(1)
    assert stage.counts(plan).sent == len(stage.reached()) == sum(batch.size for batch in stage.batches(plan))


def test_a_run_opened_by_another_process_after_the_reader_looked_is_not_seen(stage: Stage) -> None:
    stage.launch("hello")
    planning.plan_due(stage.warehouse)
    seen = committed()
    late = stage.launch("late", text="晚一步。", **{"class": "service"})
    planning.plan_due(stage.warehouse)
    wanted = pa.table({"plan": pa.array([late], pa.int64())})
    asked = named("reach/plan_counts", tables={"wanted": wanted, "committed": seen})
    rows = stage.warehouse.query(with_latest(asked))
    assert rows.num_rows == 0


RACE = """
import json, sys, threading
from pathlib import Path
from yutang.app import house
directory = Path(sys.argv[1])
opened = house.open_house(directory)
from tests.soak import pond
from yutang.intake import mirror
from yutang.kernel.clock import business_now
from yutang.organisation.queries import OWNER, node_by_code
from yutang.profiles import services as profiles
from yutang.reach import planning, queries, services
from yutang.reach.models import Batch, Run
pond.build(directory, pond.Pond(persons=60, guides=3))
opened.clock.forget()
mirror.mirror_nodes(opened.warehouse)
mirror.mirror_facts(opened.warehouse)
profiles.rebuild(opened.warehouse, business_now())
plans = [services.launch(pond.broadcast(name, text=name), OWNER) for name in ("one", "two")]
runs, barrier = [], threading.Barrier(4)
def plan():
    barrier.wait()
    for _ in range(2):
        runs.append(planning.plan_due(opened.warehouse, patience=30))
threads = [threading.Thread(target=plan) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
counts = [queries.counts(opened.warehouse, OWNER, plan) for plan in plans]
print(json.dumps({
    "runs": sorted(runs), "states": sorted(Run.objects.values_list("state", flat=True)),
    "decided": [one.decided for one in counts], "balances": all(one.balances() for one in counts),
    "sizes": sum(Batch.objects.values_list("size", flat=True)), "pending": sum(one.pending for one in counts),
}))
opened.close()
"""


@pytest.mark.long
def test_four_planners_at_once_commit_each_run_once(tmp_path: Path) -> None:
    env = {**os.environ, **stores.environment(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    env.pop("YUTANG_FAILPOINT", None)
    done = subprocess.run(
        [sys.executable, "-c", RACE, str(tmp_path)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["runs"] == [0] * 7 + [2], "one of them planned both, the others found nothing left"
    assert told["states"] == ["committed", "committed"]
    assert (told["decided"], told["balances"]) == ([60, 60], True)
    assert told["sizes"] == told["pending"]


def test_one_plan_that_cannot_be_planned_holds_up_no_other_and_says_why(stage: Stage) -> None:
    broken = services.launch(pond.broadcast("broken"), OWNER)
    Plan.objects.filter(pk=broken).update(body=pond.broadcast("broken", audience={"segment": "gone"}).as_data())
    healthy = services.launch(pond.broadcast("healthy", text="另一句话"), OWNER)
    planning.plan_due(stage.warehouse)
    assert queries.counts(stage.warehouse, OWNER, healthy).decided > 0
    assert queries.counts(stage.warehouse, OWNER, broken).decided == 0
    assert "gone" in queries.plan(OWNER, broken).trouble


def test_a_plan_for_a_segment_that_does_not_exist_is_not_launched(stage: Stage) -> None:
    with pytest.raises(NotFound, match="gone"):
        services.launch(pond.broadcast("lost", audience={"segment": "gone"}), OWNER)
    assert not Plan.objects.filter(name="lost").exists()

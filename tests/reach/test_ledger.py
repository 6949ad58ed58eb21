"""The ledger: what is told twice is kept once, and every touch is counted once, by its last attempt."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reach.conftest import START, Ledger, Stage
from yutang.kernel.ids import PersonId, PlanId
from yutang.organisation.queries import OWNER
from yutang.reach import queries
from yutang.reach.contracts import PlanCounts, ReceiptState
from yutang.reach.ledger import _counts, receipts_of, still_open, touches_of, with_latest, write_receipts
from yutang.warehouse.contracts import Statement, named

FINAL = {"sent", "failed", "expired", "suppressed"}

facts = st.tuples(st.integers(1, 6), st.sampled_from(list(ReceiptState)), st.sampled_from(["a", "b"]))


@pytest.mark.long
@settings(max_examples=20)
@given(told=st.lists(facts, max_size=8), again=st.randoms(use_true_random=False))
def test_a_touch_has_one_end_and_telling_a_receipt_again_in_any_order_changes_nothing(
    ledger: Ledger, told: list[Any], again: Any
) -> None:
    def tell(one: tuple[int, ReceiptState, str]) -> None:
        touch, state, key = one
        write_receipts(ledger.warehouse, receipts_of([touch], state, at=START, key=key, batch=1))

    def kept() -> list[tuple[Any, ...]]:
        rows = ledger.warehouse.query(
            Statement("SELECT touch, receipt_key, count(*) FROM receipts GROUP BY ALL ORDER BY ALL")
        )
        return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    ledger.fill([])
    for one in told:
        tell(one)
    once = kept()
    expected: set[tuple[int, str, int]] = set()
    ended: set[int] = set()
    for touch, state, key in told:
        if touch not in ended:
            expected.add((touch, f"{state.value}:{key}", 1))
        ended |= {touch} if state.value in FINAL else set()
    assert once == sorted(expected)
    for one in again.sample(told, len(told)):
        tell(one)
    assert kept() == once
    assert still_open(ledger.warehouse, [1, 2, 3, 4, 5, 6]) == {1, 2, 3, 4, 5, 6} - ended


calls = st.lists(st.booleans(), max_size=3)
ends = st.sampled_from([None, *sorted(FINAL)])


def story(answered: list[bool], end: str | None) -> list[str]:
    """What is told of a touch whose calls' answers were lost, and of which of them something was found out later."""
    told = [f"unknown:{call}" for call in range(len(answered))]
    told += [f"issued:{call}" for call, found in enumerate(answered) if found]
    return told + ([end] if end else [])


decided = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.integers(1, 5),
            "occasion": st.sampled_from(["w1", "w2"]),
            "attempt": st.integers(1, 3),
            "plan": st.sampled_from([1, 1, 2]),
            "run": st.sampled_from([1, 1, 1, 9]),  # 9 was never committed
            "outcome": st.sampled_from(["send", "send", "send", "held_out", "globally_held_out", "suppressed"]),
            "receipts": st.builds(story, calls, ends).flatmap(st.permutations),
            "due": st.just(0),
            "hours": st.just(3),
        }
    ),
    max_size=12,
    unique_by=lambda touch: (touch["plan"], touch["occasion"], touch["person"], touch["attempt"]),
)


@settings(max_examples=40)
@given(touches=decided)
def test_every_touch_is_counted_once_by_its_last_attempt_and_the_equation_holds(
    ledger: Ledger, touches: list[Any]
) -> None:
    for touch in touches:
        touch["reason"] = "caps" if touch["outcome"] == "suppressed" else None
        touch["receipts"] = touch["receipts"] if touch["outcome"] == "send" else []
    ledger.fill(touches)
    tables = {
        "wanted": pa.table({"plan": pa.array([1], pa.int64())}),
        "committed": pa.table({"run": pa.array([1], pa.int64())}),
    }
    rows = ledger.warehouse.query(with_latest(named("reach/plan_counts", tables=tables))).to_pylist()
    found = Counter({(row["state"], row["reason"]): row["touches"] for row in rows})
    assert found == naive(touches)
    reasons: dict[str, int] = {reason: n for (state, reason), n in found.items() if state == "suppressed"}
    states = {state: n for (state, _), n in found.items() if state != "suppressed"}
    counts = _counts(states, reasons)
    assert counts.balances()
    assert counts.decided == found.total()


def naive(touches: list[Any]) -> Counter[tuple[str, str | None]]:
    last: dict[tuple[str, int], Any] = {}
    for touch in sorted(touches, key=lambda one: one["attempt"]):
        if touch["plan"] == 1 and touch["run"] == 1:
            last[touch["occasion"], touch["person"]] = touch
    counts: Counter[tuple[str, str | None]] = Counter()
    for touch in last.values():
        state, reason = touch["outcome"], touch["reason"]
        if state == "send":
            state = state_of(touch["receipts"])
            reason = "told suppressed" if state == "suppressed" else None
        counts[state, reason] += 1
    return counts


def state_of(told: list[str]) -> str:
    """A touch's end; else unknown while one of its calls is. In whichever order it was told."""
    ended = FINAL & set(told)
    if ended:
        return ended.pop()
    unanswered = {one for one in told if one.startswith("unknown") and one.replace("unknown", "issued") not in told}
    return "unknown" if unanswered else "pending"


@pytest.mark.long
@settings(max_examples=30)
@given(told=st.builds(story, calls, ends), again=st.randoms(use_true_random=False))
def test_what_became_of_a_touch_does_not_hang_on_the_order_in_which_it_was_told_nor_on_the_wall_clock(
    ledger: Ledger, told: list[str], again: Any
) -> None:
    def said(receipts: list[str]) -> Any:
        ledger.fill(
            [{"person": 1, "run": 1, "outcome": "send", "reason": None, "due": 0, "hours": 3, "receipts": receipts}]
        )
        run = pa.table({"run": pa.array([1], pa.int64())})
        wanted = pa.table({"plan": pa.array([1], pa.int64())})
        tables = {"wanted": wanted, "committed": run}
        counts = ledger.warehouse.query(with_latest(named("reach/plan_counts", tables=tables)))
        asked = named("reach/touches_of", {"person": 1, "limit": 5}, {"committed": run})
        fact = ledger.warehouse.query(with_latest(asked))
        return counts["state"].to_pylist(), fact["state"].to_pylist()

    state = state_of(told)
    expected = ([state], [None if state == "pending" else state])
    assert said(told) == expected
    assert said(again.sample(told, len(told))) == expected


def test_counts_that_do_not_add_up_are_told_from_those_that_do() -> None:
    assert PlanCounts(decided=4, sent=1, pending=1, held_out=1, suppressed={"caps": 1}).balances()
    assert not PlanCounts(decided=5, sent=1, pending=1, held_out=1, suppressed={"caps": 1}).balances()


@pytest.mark.django_db
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_why_was_she_not_reached_is_told_in_full_newest_first(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=2)
    stage.to(24 + 13)
    sent, silent = (PersonId(min(stage.with_outcome(plan, outcome))) for outcome in ("send", "suppressed"))
    told = touches_of(stage.warehouse, sent)
    assert [(fact.plan, fact.attempt, fact.outcome, fact.state) for fact in told] == [
        (plan, 2, "send", "expired"),
        (plan, 1, "send", "expired"),
    ]
    assert [(fact.outcome, fact.reason) for fact in touches_of(stage.warehouse, silent)] == [("suppressed", "consent")]
    assert touches_of(stage.warehouse, PersonId(10**9)) == []


@pytest.mark.django_db
def test_a_plan_without_decisions_counts_nothing_and_balances(stage: Stage) -> None:
    plan = stage.launch("hello")
    assert queries.counts(stage.warehouse, OWNER, plan) == PlanCounts()
    assert queries.lift(stage.warehouse, OWNER, PlanId(plan)) is None

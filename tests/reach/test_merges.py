"""People who turn out to be one person while a plan runs: one arm, one message, and the truth read back."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reach.conftest import HOUR, START, Stage, naive
from tests.soak import pond
from tests.warehouse.fixtures import insert
from yutang.intake import pump
from yutang.kernel.clock import business_now
from yutang.kernel.ids import PlanId
from yutang.log.contracts import IdentifierValue
from yutang.organisation import queries as organisation
from yutang.people import services as people
from yutang.reach import planning
from yutang.reach.contracts import BatchState
from yutang.reach.crowding import most_at_once
from yutang.reach.issuing import _look_up, members_of
from yutang.reach.models import Batch

pytestmark = pytest.mark.django_db
OPENED, ISSUED, CLOSES = 0.5, 1.0, 13.0  # hours after 08:30: 09:00, 09:30 and 21:30 in Shanghai


def merge(stage: Stage, one: int, other: int) -> None:
    """Let two persons be one: the older survives."""
    ids = {person: name for name, person in stage.persons.items()}
    group = [IdentifierValue("external_userid", pond.CORP, ids[person]) for person in (one, other)]
    assert people.resolve([group], seen_at=business_now()) == [min(one, other)]


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_somebody_held_out_is_not_taken_up_again_because_she_became_one_with_somebody_who_expired(
    stage: Stage,
) -> None:
    plan = stage.launch("hello", attempts=2, hold_out=0.3)
    stage.to(ISSUED)
    held, sent = stage.with_outcome(plan, "held_out"), stage.with_outcome(plan, "send")
    survivor = min(held)
    merge(stage, survivor, min(one for one in sent if one > survivor))
    stage.to(CLOSES)
    second = stage.decided(plan, attempt=2)
    assert len(second) == len(sent) - 1
    assert survivor not in second
    told = stage.counts(plan)
    assert (told.decided, told.held_out, told.expired) == (60, len(held), 1)


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_somebody_who_expired_and_is_taken_up_under_another_number_is_counted_once(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=2, hold_out=0.0)
    stage.to(ISSUED)
    one, other = sorted(stage.with_outcome(plan, "send"))[:2]
    merge(stage, one, other)
    stage.to(CLOSES)
    assert other not in stage.decided(plan, attempt=2)
    told = stage.counts(plan)
    assert (told.pending, told.expired) == (len(stage.decided(plan, attempt=2)), 0)


@pytest.mark.long
def test_a_message_that_went_to_the_other_id_of_a_merged_person_is_read_back(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=2, hold_out=0.0)
    stage.to(OPENED)
    assert stage.counts(plan).sent == 0
    chosen = stage.with_outcome(plan, "send")
    one = min(chosen)
    name, other = next((name, person) for name, person in stage.persons.items() if person in chosen - {one})
    merge(stage, one, other)
    stage.to(24 + CLOSES)
    reached = Counter(customer for customer, _ in stage.reached())
    assert reached[name] == 1
    assert {one, other} <= set(stage.told(plan, "sent"))
    assert max(reached.values()) == 1
    assert stage.counts(plan).sent == reached.total()


@pytest.mark.long
def test_a_lost_task_is_found_although_its_only_recipient_became_somebody_else(stage: Stage) -> None:
    for name in stage.persons:
        if name != "wm00001":
            people.set_blocked(stage.persons[name], True)
    plan = stage.launch("hello", hold_out=0.0)
    stage.to(0)
    stage.faults({"api": "externalcontact/add_msg_template", "kind": "drop_answer", "times": 9})
    stage.jump(OPENED)
    stage.turn()
    assert Batch.objects.filter(run__plan=plan, state=BatchState.UNKNOWN).count() == 1
    people.set_blocked(stage.persons["wm00000"], False)  # else the task would be taken back from both
    merge(stage, stage.persons["wm00000"], stage.persons["wm00001"])
    stage.faults()
    stage.to(ISSUED)
    assert len(stage.tasks()) == 1, "it was not called again"
    assert [customer for customer, _ in stage.reached()] == ["wm00001"]
    assert stage.counts(plan).sent == 1


# Caps, once more, at issue ----------------------------------------------------------------------------------------


def two_plans(stage: Stage) -> tuple[PlanId, PlanId, int, int]:
    """Two plans decided and not issued, and somebody of each whom the other does not speak to."""
    first = stage.launch("first", hold_out=0.0, at_most=20, priority=60)
    second = stage.launch("second", text="明天见。", hold_out=0.0)
    stage.to(0)
    one, other = min(stage.with_outcome(first, "send")), max(stage.with_outcome(second, "send"))
    assert one not in stage.with_outcome(second, "send")
    assert other not in stage.with_outcome(first, "send")
    return first, second, one, other


def times_reached(stage: Stage, *persons: int) -> int:
    return sum(stage.persons[customer] in persons for customer, _ in stage.reached())


def test_two_of_two_batches_who_turn_out_to_be_one_person_get_one_message(stage: Stage) -> None:
    plan = stage.launch("hello", hold_out=0.0)
    stage.to(0)
    ids = [stage.persons[name] for name in ("wm00000", "wm00001")]  # of two guides
    assert set(ids) <= stage.with_outcome(plan, "send")
    merge(stage, *ids)
    stage.to(ISSUED)
    assert times_reached(stage, *ids) == 1
    assert list(stage.told(plan, "suppressed").values()) == ["merged"]
    assert stage.counts(plan).sent == 53


@pytest.mark.long
def test_two_of_two_plans_who_turn_out_to_be_one_person_get_what_their_cap_allows(stage: Stage) -> None:
    first, second, one, other = two_plans(stage)
    merge(stage, one, other)
    stage.to(ISSUED)
    assert times_reached(stage, one, other) == 1
    assert (stage.told(first, "suppressed"), stage.told(second, "suppressed")) == ({}, {other: "caps"})
    assert (stage.counts(first).sent, stage.counts(second).sent) == (20, 33)


@pytest.mark.long
def test_who_was_reached_and_then_became_somebody_still_to_be_reached_gets_nothing_more(stage: Stage) -> None:
    first, second, one, other = two_plans(stage)
    Batch.objects.filter(run__plan=first).update(not_before=START + 2 * HOUR)  # due first, and issued last
    stage.to(ISSUED)
    assert times_reached(stage, other) == 1
    merge(stage, one, other)
    stage.to(3)
    assert times_reached(stage, one, other) == 1
    assert stage.told(first, "suppressed") == {one: "caps"}
    assert stage.counts(second).sent == 34


def test_of_two_processes_that_issue_two_plans_at_once_exactly_one_lets_go(stage: Stage) -> None:
    first, second, one, other = two_plans(stage)
    merge(stage, one, other)
    pump.pump_until_empty(stage.warehouse)
    stage.jump(OPENED)
    senders = {row.id: row for row in organisation.senders(organisation.OWNER)}
    dropped = []
    for plan in (second, first):  # both have looked before either has called
        batches = list(Batch.objects.filter(run__plan=plan).select_related("run__plan"))
        members = members_of(stage.warehouse, batches)
        dropped.append(_look_up(stage.warehouse, batches, senders, members, planning.rulebook().policy).crowded)
    assert [list(crowded.values()) for crowded in dropped] == [["caps"], []]


def test_whom_a_guide_spoke_to_since_it_was_planned_is_over_her_cap(stage: Stage) -> None:
    plan = stage.launch("hello", hold_out=0.0)
    stage.to(0)
    one = min(stage.with_outcome(plan, "send"))
    spoken = {"event_id": "own", "type": "offgate.sent", "occurred_at": naive(business_now()), "person": one}
    stage.warehouse.write([insert("events", [spoken])])
    stage.to(ISSUED)
    assert stage.told(plan, "suppressed") == {one: "caps"}
    assert times_reached(stage, one) == 0


@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_who_becomes_one_with_somebody_held_out_of_the_same_plan_is_not_sent_to(stage: Stage) -> None:
    plan = stage.launch("hello", hold_out=0.3)
    stage.to(0)
    held, sent = min(stage.with_outcome(plan, "held_out")), min(stage.with_outcome(plan, "send"))
    merge(stage, held, sent)
    stage.to(ISSUED)
    assert stage.told(plan, "suppressed") == {sent: "merged"}


spans = st.tuples(st.integers(0, 20), st.integers(0, 6)).map(lambda pair: (2 * pair[0], 2 * (pair[0] + pair[1])))


@given(own=spans, others=st.lists(spans, max_size=5), length=st.integers(1, 8))
def test_the_most_touches_that_may_fall_together_are_counted_as_by_trying_every_stretch(
    own: tuple[int, int], others: list[tuple[int, int]], length: int
) -> None:
    def at(hours: tuple[int, int]) -> tuple[datetime, datetime]:
        return START + hours[0] * HOUR, START + hours[1] * HOUR

    stretches = [(begin / 2, begin / 2 + 2 * length) for begin in range(-40, 120)]
    met = [[first < end and begin < last for begin, end in (own, *others)] for first, last in stretches]
    expected = max((sum(row) for row in met if row[0]), default=1)
    found = most_at_once(at(own), [at(one) for one in others], timedelta(hours=2 * length))
    assert found == expected

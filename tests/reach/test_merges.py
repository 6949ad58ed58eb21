"""People who turn out to be one person while a plan runs: one arm, one message, and the truth read back."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.reach.conftest import Stage
from tests.soak import pond
from yutang.kernel.clock import business_now
from yutang.log.contracts import IdentifierValue
from yutang.people import services as people
from yutang.reach.contracts import BatchState
from yutang.reach.models import Batch

pytestmark = pytest.mark.django_db
OPENED, ISSUED, CLOSES = 0.5, 1.0, 13.0  # hours after 08:30: 09:00, 09:30 and 21:30 in Shanghai


def merge(stage: Stage, one: int, other: int) -> None:
    """Let two persons be one: the older survives."""
    ids = {person: name for name, person in stage.persons.items()}
    group = [IdentifierValue("external_userid", pond.CORP, ids[person]) for person in (one, other)]
    assert people.resolve([group], seen_at=business_now()) == [min(one, other)]


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
    merge(stage, stage.persons["wm00000"], stage.persons["wm00001"])
    stage.faults()
    stage.to(ISSUED)
    assert len(stage.tasks()) == 1, "it was not called again"
    assert [customer for customer, _ in stage.reached()] == ["wm00001"]
    assert stage.counts(plan).sent == 1

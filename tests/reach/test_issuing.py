"""From batches to tasks on the platform: each asked for once, whatever is lost on the way."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import timedelta

import pytest

from tests.reach.conftest import CREATE, HOUR, START, Stage
from tests.soak import pond
from yutang.app.serve import ports_at
from yutang.channels.contracts import MessageContent
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId, PlanId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.people import services as people
from yutang.people.services import RelationWord
from yutang.reach import services
from yutang.reach.contracts import BatchState
from yutang.reach.issuing import _claim, _settle
from yutang.reach.models import Batch

pytestmark = pytest.mark.django_db
TEXT = "本周新品到店。"
PLANNED, OPENED, ISSUED, CLOSES = 0.0, 0.5, 1.0, 13.0  # hours after 08:30; the day is open from 09:00 to 21:30


def drop_answer(times: int = 1) -> dict[str, object]:
    return {"api": CREATE, "kind": "drop_answer", "times": times}


def refuse(errcode: int, times: int | None = 1) -> dict[str, object]:
    return {"api": CREATE, "kind": "refuse", "errcode": errcode, "times": times}


def planned(stage: Stage, name: str = "hello", **changes: object) -> PlanId:
    """A plan that is decided but not issued: half an hour before the day opens."""
    plan = stage.launch(name, **changes)
    stage.to(PLANNED)
    assert {batch.state for batch in stage.batches(plan)} == {BatchState.PLANNED}
    return plan


def test_each_guide_gets_one_task_and_only_who_is_to_be_sent_gets_the_message(stage: Stage) -> None:
    plan = planned(stage)
    assert stage.tasks() == []
    stage.to(ISSUED)
    assert [text for text, _ in stage.tasks()] == [TEXT] * 3
    assert {batch.state for batch in stage.batches(plan)} == {BatchState.CLOSED}
    reached = {stage.persons[customer] for customer, _ in stage.reached()}
    assert reached == stage.with_outcome(plan, "send") == set(stage.told(plan, "sent"))


def test_consent_withdrawn_after_planning_is_suppressed_with_its_reason_and_not_sent(stage: Stage) -> None:
    plan = planned(stage)
    person = min(stage.with_outcome(plan, "send"))
    people.withdraw_consent(PersonId(person), "marketing", pond.CHANNEL, at=business_now(), proof="said so")
    stage.to(ISSUED)
    assert stage.told(plan, "suppressed") == {person: "consent"}
    assert person not in {stage.persons[customer] for customer, _ in stage.reached()}
    before = sum(reason == "consent" for _, reason in stage.decided(plan).values())
    assert stage.counts(plan).suppressed == {"consent": before + 1}


def test_a_friend_lost_after_planning_is_suppressed_with_its_reason_and_not_sent(stage: Stage) -> None:
    plan = planned(stage)
    person = min(stage.with_outcome(plan, "send"))
    sender = stage.rows("SELECT sender FROM decisions WHERE person = $person", person=person)[0][0]
    people.apply_relations([RelationWord(PersonId(person), sender, "lost", business_now())])
    stage.to(ISSUED)
    assert stage.told(plan, "suppressed") == {person: "relation"}
    assert person not in {stage.persons[customer] for customer, _ in stage.reached()}


def test_who_asked_for_silence_after_planning_is_suppressed(stage: Stage) -> None:
    plan = planned(stage)
    person = min(stage.with_outcome(plan, "send"))
    people.set_silent(PersonId(person), True)
    stage.to(ISSUED)
    assert stage.told(plan, "suppressed") == {person: "silent"}


def test_two_who_turn_out_to_be_one_person_get_one_message(stage: Stage) -> None:
    plan = planned(stage, hold_out=0.0)
    (first, second), *_ = [
        ids for ids in (("wm00000", "wm00003"), ("wm00001", "wm00004"))
        if {stage.persons[name] for name in ids} <= stage.with_outcome(plan, "send")
    ]  # fmt: skip
    group = [IdentifierValue("external_userid", pond.CORP, name) for name in (first, second)]
    people.resolve([group], seen_at=business_now())
    stage.to(ISSUED)
    assert list(stage.told(plan, "suppressed").values()) == ["merged"]
    assert sum(customer in (first, second) for customer, _ in stage.reached()) == 1
    assert stage.counts(plan).pending == 0


def test_nobody_left_closes_the_batch_without_a_task(stage: Stage) -> None:
    plan = planned(stage)
    for person in stage.persons.values():
        people.set_blocked(person, True)
    stage.to(ISSUED)
    assert stage.tasks() == []
    assert {batch.state for batch in stage.batches(plan)} == {BatchState.CLOSED}
    assert stage.counts(plan).pending == 0


# Lost answers -----------------------------------------------------------------------------------------------------


def test_a_lost_answer_is_unknown_until_the_task_is_found_and_bound(stage: Stage) -> None:
    plan = planned(stage)
    stage.faults(drop_answer())
    stage.jump(OPENED)
    stage.turn()
    assert [batch.state for batch in stage.batches(plan)].count(BatchState.UNKNOWN) == 1
    unknown = stage.counts(plan).unknown
    assert unknown == next(batch.size for batch in stage.batches(plan) if batch.state is BatchState.UNKNOWN)
    stage.turn()
    assert stage.counts(plan).unknown == 0
    assert len(stage.tasks()) == 3
    assert {task for _, task in stage.tasks()} == set(Batch.objects.values_list("task", flat=True))
    stage.to(ISSUED)
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send")) == len(stage.reached())


@pytest.mark.long
def test_every_answer_lost_and_still_each_task_exists_once(stage: Stage) -> None:
    plan = planned(stage)
    stage.faults(drop_answer(times=100))
    stage.to(CLOSES + 1)
    assert len(stage.tasks()) == len(stage.batches(plan)) == 3
    assert stage.counts(plan).sent == len(stage.reached()) == len(stage.with_outcome(plan, "send"))


def test_a_lost_task_is_found_although_the_platform_gave_all_its_recipients_to_another_guide(stage: Stage) -> None:
    for index in range(0, 60, 3):
        stage.relation("guide01", f"wm{index:05}", last_talk_at=START.isoformat())
    plan = planned(stage)
    stage.faults(drop_answer())  # the batches are called in the order of their senders: guide00's first
    stage.jump(OPENED)
    stage.turn()
    stage.jump(OPENED + 0.2)  # longer than it takes to give up a task that is not found
    stage.turn()
    assert len(stage.tasks()) == 3
    stage.to(ISSUED)
    assert len(stage.tasks()) == 3
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send"))


def test_a_suppressed_touch_stays_so_when_the_answer_about_the_others_is_lost(stage: Stage) -> None:
    plan = planned(stage)
    person = min(stage.with_outcome(plan, "send"))
    people.set_blocked(PersonId(person), True)
    stage.faults(drop_answer(times=100))
    stage.jump(OPENED)
    stage.turn()
    assert stage.counts(plan).suppressed["blocked"] == 1
    stage.to(ISSUED)
    assert stage.counts(plan).suppressed["blocked"] == 1
    assert stage.counts(plan).pending == 0


def leave_unanswered(plan: PlanId) -> Batch:
    """What a process killed between its claim and its call leaves behind."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    batch = Batch.objects.filter(run__plan=plan).order_by("pk")[0]
    batch.state, batch.called_at, batch.calls = BatchState.CALLING, business_now(), 1
    batch.call_until = business_now() + timedelta(days=9000)
    batch.called_by = f"{socket.gethostname()}:{dead.pid}:0"
    batch.save()
    return batch


def test_a_call_that_was_never_made_is_searched_not_found_and_made_once(stage: Stage) -> None:
    plan = planned(stage)
    batch = leave_unanswered(plan)
    stage.turn()
    assert stage.counts(plan).unknown == batch.size
    stage.jump(OPENED)
    stage.turn()
    assert len(stage.tasks()) == 3
    assert stage.counts(plan).unknown == 0
    stage.to(ISSUED)
    assert len(stage.tasks()) == 3
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send"))


def test_a_call_that_was_not_made_and_is_made_and_lost_is_unknown_again(stage: Stage) -> None:
    plan = planned(stage)
    batch = leave_unanswered(plan)
    stage.turn()
    stage.faults(drop_answer(times=3))
    stage.jump(OPENED)
    stage.turn()
    assert stage.counts(plan).unknown == sum(row.size for row in stage.batches(plan)), "each by its latest call"
    batch.refresh_from_db()
    assert batch.calls == 2


def test_a_call_that_is_under_way_is_left_alone(stage: Stage) -> None:
    plan = planned(stage)
    batch = leave_unanswered(plan)
    Batch.objects.filter(pk=batch.pk).update(called_by="another-machine:1:0")
    stage.jump(ISSUED)
    stage.turn()
    batch.refresh_from_db()
    assert batch.state == BatchState.CALLING
    assert len(stage.tasks()) == 2


@pytest.mark.long
def test_several_tasks_that_may_be_the_one_are_left_to_a_human_who_finds_it_listed(stage: Stage) -> None:
    plan = planned(stage)
    batch = leave_unanswered(plan)
    port = next(iter(stage.loop.ports().values()))
    chosen = [name for name, person in stage.persons.items() if person in stage.with_outcome(plan, "send")]
    own = [name for name in chosen if int(name[2:]) % 3 == 0]
    for _ in range(2):
        port.create_task("guide00", own, MessageContent(TEXT))
    stage.turn()
    (listed,) = [row for row in stage.batches(plan) if row.state is BatchState.AMBIGUOUS]
    assert (listed.id, listed.trouble) == (batch.pk, "several_tasks_match")
    stage.to(ISSUED)
    assert len(stage.tasks()) == 4, "the platform must not be asked a third time"
    assert stage.counts(plan).unknown == batch.size


# Refusals ---------------------------------------------------------------------------------------------------------


def test_a_refusal_closes_the_batch_with_a_sentence_and_its_touches_fail(stage: Stage) -> None:
    plan = planned(stage)
    stage.faults(refuse(48002))
    stage.to(ISSUED)
    (closed,) = [row for row in stage.batches(plan) if row.trouble]
    assert closed.state is BatchState.CLOSED
    assert "48002" in closed.trouble
    assert set(stage.told(plan, "failed").values()) == {"platform_48002"}
    assert stage.counts(plan).failed == closed.size
    stage.to(CLOSES + 24)
    assert stage.decided(plan, attempt=2) == {}, "what the platform refuses is not tried again"


def test_try_later_waits_until_then_and_nothing_was_done(stage: Stage) -> None:
    plan = planned(stage)
    stage.faults(refuse(45009, times=None))
    stage.jump(OPENED)
    stage.turn()
    waiting = list(Batch.objects.filter(run__plan=plan))
    assert {(batch.state, batch.task) for batch in waiting} == {(BatchState.PLANNED, "")}
    assert all(batch.not_before is not None and batch.not_before > business_now() for batch in waiting)
    assert services.next_instant(business_now()) == min(batch.not_before for batch in waiting if batch.not_before)
    stage.faults()
    stage.loop.ports = ports_at(stage.sandbox)  # as after a restart: the client too remembers the block for a minute
    assert stage.turn().issued == 0, "not yet"
    stage.jump(ISSUED)
    assert stage.turn().issued == 3
    stage.to(2)
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send"))


def test_a_channel_that_is_gone_is_said_and_asked_again(stage: Stage) -> None:
    plan = planned(stage)
    ports, stage.loop.ports = stage.loop.ports, dict
    stage.to(ISSUED)
    assert {batch.trouble for batch in stage.batches(plan)} == {"no_channel"}
    stage.loop.ports = ports
    stage.to(ISSUED + 1)
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send"))


def test_a_batch_that_was_stopped_or_is_late_when_it_is_taken_is_not_called(stage: Stage) -> None:
    """Two processes: one has listed a batch as due, the other has meanwhile closed it or is about to."""
    plan = planned(stage)
    first, second, third = Batch.objects.filter(run__plan=plan)
    stage.jump(CLOSES - 1)
    assert _claim(first, first.digest)
    stage.jump(CLOSES)
    assert not _claim(second, second.digest)
    Batch.objects.filter(pk=third.pk).update(deadline=business_now() + HOUR)
    services.stop(plan, OWNER)
    assert not _claim(third, third.digest)


def test_a_call_that_comes_back_late_ends_no_other_call_of_its_batch(stage: Stage) -> None:
    """Given up as lost, not found, called again: then the first call's answer must not free the batch for a third."""
    plan = planned(stage)
    batch = leave_unanswered(plan)
    late = Batch.objects.get(pk=batch.pk)
    Batch.objects.filter(pk=batch.pk).update(called_by="another-machine:1:0", calls=2)
    assert not _settle(late, state=BatchState.PLANNED)
    batch.refresh_from_db()
    assert batch.state == BatchState.CALLING


def test_a_human_settles_only_batches_of_plans_in_sight(stage: Stage) -> None:
    plan = planned(stage)
    batch = leave_unanswered(plan)
    Batch.objects.filter(pk=batch.pk).update(state=BatchState.AMBIGUOUS)
    elsewhere = Viewer("regional", RoleName.OPERATOR, frozenset())
    with pytest.raises(NotFound):
        services.settle_by_hand(stage.warehouse, elsewhere, batch.pk, again=True)
    with pytest.raises(NotFound):
        services.stop(plan, elsewhere)
    batch.refresh_from_db()
    assert batch.state == BatchState.AMBIGUOUS
    services.settle_by_hand(stage.warehouse, OWNER, batch.pk, again=False)
    batch.refresh_from_db()
    assert batch.state == BatchState.ISSUED

"""Reading back what guides did; ending what they did not do in time."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tests.reach.conftest import HOUR, START, Stage
from tests.reach.test_issuing import leave_unanswered
from tests.soak import pond
from yutang.channels.contracts import MessageContent
from yutang.kernel import failpoints
from yutang.kernel.clock import business_now
from yutang.kernel.ids import PlanId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.people import services as people
from yutang.reach import issuing, queries, services
from yutang.reach.contracts import AT_LARGE, BatchState, PlanState
from yutang.reach.issuing import WITHDRAWALS
from yutang.reach.models import Batch
from yutang.reach.returns import expire, read_back
from yutang.sandbox.store import Store, put

pytestmark = pytest.mark.django_db
OPENED, ISSUED, CLOSES = 0.5, 1.0, 13.0  # hours after 08:30: 09:00, 09:30 and 21:30 in Shanghai
SAID = 'SELECT touch, state, "at", sender FROM receipts ORDER BY ALL'


@pytest.mark.parametrize("stage", [{"habit": "night"}], indirect=True)
def test_a_guide_who_taps_at_night_reaches_nobody(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=2)
    stage.to(CLOSES - 0.1)
    assert len(stage.tasks()) == 3
    stage.to(24 + CLOSES)
    assert stage.reached() == []
    told = stage.counts(plan)
    assert told.expired == len(stage.with_outcome(plan, "send"))
    assert (told.sent, told.pending) == (0, 0)


@pytest.mark.parametrize(
    "stage", [{"habit": {"at_once": 0.3, "late": 0.3, "night": 0.2, "never": 0.2}, "guides": 12}], indirect=True
)
def test_nobody_is_reached_outside_the_window_of_their_batch_or_twice(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=2, hold_out=0.0)
    stage.to(CLOSES)
    assert 0 < stage.counts(plan).sent < stage.counts(plan).decided, "some tapped and some did not"
    stage.to(24 + CLOSES)
    stage.jump(120)  # whatever is still waiting for a tap would be tapped by then
    stage.turn()
    reached = stage.reached()
    assert max(Counter(customer for customer, _ in reached).values()) == 1
    local = [at + timedelta(hours=8) for _, at in reached]
    assert all(9 * HOUR <= at - at.replace(hour=0, minute=0, second=0) < 21.5 * HOUR for at in local)
    touched = set(stage.told(plan, "sent"))
    assert touched == {stage.persons[customer] for customer, _ in reached}
    assert stage.counts(plan).sent == len(reached)


def test_at_the_deadline_it_is_cancelled_and_then_read(stage: Stage) -> None:
    """The taps of the last minutes count: whoever reads first and cancels then would send those people a second one."""
    plan = stage.launch("hello")
    stage.to(OPENED)
    stage.jump(CLOSES)  # the guides tap, and nobody reads back meanwhile
    assert stage.counts(plan).sent == 0
    stage.turn()
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send")) == len(stage.reached())
    assert stage.counts(plan).expired == 0
    assert stage.decided(plan, attempt=2) == {}


@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_attempt_two_keeps_the_arms_and_takes_up_exactly_the_expired(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=2)
    stage.to(CLOSES)
    first = stage.decided(plan)
    expired = {person for person, (outcome, _) in first.items() if outcome == "send"}
    assert set(stage.told(plan, "expired")) == expired
    second = stage.decided(plan, attempt=2)
    assert set(second) == expired
    assert {outcome for outcome, _ in second.values()} == {"send"}
    counts = stage.counts(plan)
    assert counts.decided == 60, "each touch counts once, by its last attempt"
    assert (counts.pending, counts.held_out) == (len(expired), len(stage.with_outcome(plan, "held_out")))
    stage.to(24 + CLOSES)
    assert stage.counts(plan).expired == len(expired)
    stage.jump(72)
    stage.turn()
    assert stage.decided(plan, attempt=3) == {}


def test_reading_back_again_changes_nothing(stage: Stage) -> None:
    plan = stage.launch("hello")
    stage.to(ISSUED)
    before = stage.rows(SAID)
    Batch.objects.update(state=BatchState.ISSUED, read_at=None)
    assert read_back(stage.warehouse, stage.loop.ports()) == 3
    Batch.objects.update(state=BatchState.ISSUED, deadline=business_now())
    assert expire(stage.warehouse, stage.loop.ports()) == 3
    assert stage.rows(SAID) == before
    assert stage.counts(plan).sent == len(before)


def test_who_really_sent_is_what_is_kept(stage: Stage) -> None:
    stage.relation("guide01", "wm00000", last_talk_at=START.isoformat())
    plan = stage.launch("hello", hold_out=0.0)
    stage.to(ISSUED)
    sql = "SELECT d.sender, r.sender FROM receipts r JOIN decisions d USING (touch) WHERE person = $person"
    person = stage.persons["wm00000"]
    assert stage.rows(sql, person=person) == [(stage.sender("guide00"), stage.sender("guide01"))]
    assert stage.counts(plan).sent == 54


def test_no_friend_any_more_fails_with_its_reason(stage: Stage) -> None:
    deleted = (START - HOUR).isoformat()
    stage.relation("guide00", "wm00000", customer_deleted_at=deleted)
    stage.relation("guide00", "wm00003", member_deleted_at=deleted)
    plan = stage.launch("hello", hold_out=0.0)
    stage.to(ISSUED)
    assert stage.told(plan, "failed") == {
        stage.persons["wm00000"]: "not_friend",  # still shown by the platform: the message bounces
        stage.persons["wm00003"]: "not_sendable",  # refused when the task is made
    }
    assert stage.counts(plan).failed == 2


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"seed": 8}], indirect=True)  # a world in which ours is not always tapped first
def test_whoever_the_platform_has_capped_fails_with_its_reason(stage: Stage) -> None:
    store = Store(stage.directory / "sandbox")
    with store.write() as connection:
        put(connection, cap="daily")
    store.close()
    plan = stage.launch("hello", hold_out=0.0)
    stage.to(OPENED)
    port = next(iter(stage.loop.ports().values()))
    for guide in range(3):  # other systems ask the same guides for something else at the same minute
        own = [f"wm{index:05}" for index in range(guide, 60, 3)]
        for number in range(3):
            port.create_task(f"guide{guide:02}", own, MessageContent(f"别的 {number}"))
    stage.to(ISSUED)
    failed = stage.told(plan, "failed")
    assert failed
    assert set(failed.values()) == {"capped"}
    assert stage.counts(plan).sent + len(failed) == len(stage.with_outcome(plan, "send"))
    assert len(stage.reached()) == 60


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "late"}], indirect=True)
def test_stopping_a_plan_cancels_what_is_issued_and_ends_what_is_not(stage: Stage) -> None:
    plan = stage.launch("hello", within_hours=96)
    other = stage.launch("later", text="明天见。", start=(START + 2 * HOUR).isoformat(), **{"class": "service"})
    stage.to(ISSUED)
    services.stop(plan, OWNER)
    services.stop(other, OWNER)
    stage.turn()
    stage.jump(120)
    stage.turn()
    assert stage.reached() == []
    assert stage.counts(plan).expired == len(stage.with_outcome(plan, "send"))
    assert stage.decided(other) == {}, "a plan that was stopped before it began decides nothing"
    assert {batch.state for batch in stage.batches(plan)} == {BatchState.CLOSED}
    assert queries.plan(OWNER, plan).state is PlanState.STOPPED


def test_a_stopped_plan_whose_batches_were_never_issued_expires_whole(stage: Stage) -> None:
    plan = stage.launch("hello")
    stage.to(0)
    services.stop(plan, OWNER)
    stage.to(ISSUED)
    assert stage.tasks() == []
    assert {batch.trouble for batch in stage.batches(plan)} == {"not_issued"}
    assert stage.counts(plan).expired == len(stage.with_outcome(plan, "send"))


def test_two_recipients_who_become_one_person_before_reading_back_are_both_settled(stage: Stage) -> None:
    plan = stage.launch("hello", hold_out=0.0)
    stage.to(OPENED)
    names = ("wm00000", "wm00003")
    people.resolve([[IdentifierValue("external_userid", pond.CORP, name) for name in names]], seen_at=business_now())
    stage.to(ISSUED)
    assert len(stage.reached()) == stage.counts(plan).sent == 54


@pytest.mark.long
def test_a_plan_finishes_when_its_last_window_has_been_measured(stage: Stage) -> None:
    plan = stage.launch("hello", waves=[0.5, 1.0], wave_hours=24, horizon_days=2)
    stage.to(24 + ISSUED)
    stage.jump(24 + 48 - 1)
    stage.turn()
    assert queries.plan(OWNER, plan).state is PlanState.RUNNING
    stage.to(24 + 48)
    assert queries.plan(OWNER, plan).state is PlanState.FINISHED


# What cannot be withdrawn -----------------------------------------------------------------------------------------

CANCEL, LIST = "externalcontact/cancel_groupmsg_send", "externalcontact/get_groupmsg_list_v2"


def refused(api: str = CANCEL, times: int | None = None) -> dict[str, object]:
    return {"api": api, "kind": "refuse", "errcode": 48002, "times": times}


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_a_refused_cancel_is_tried_again_ever_less_often_and_said_meanwhile(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=1)
    stage.to(ISSUED)
    stage.faults(refused())
    stage.to(CLOSES)
    assert queries.at_large(OWNER, plan) == 3
    assert stage.counts(plan).pending == len(stage.with_outcome(plan, "send"))
    waits = []
    for _ in range(4):
        (put_off,) = set(Batch.objects.filter(run__plan=plan).values_list("not_before", flat=True))
        assert put_off is not None
        assert services.next_instant(business_now()) == put_off
        waits.append(put_off - business_now())
        assert stage.turn().closed == 0, "not yet"
        stage.jump((put_off - START) / HOUR)
        stage.turn()
    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert all("48002" in batch.trouble for batch in stage.batches(plan))
    stage.faults()
    stage.to(CLOSES + 1)
    assert {(batch.state, batch.trouble) for batch in stage.batches(plan)} == {(BatchState.CLOSED, "")}
    assert stage.counts(plan).expired == len(stage.with_outcome(plan, "send"))
    assert queries.at_large(OWNER, plan) == 0


def test_what_every_guide_has_tapped_needs_no_withdrawing(stage: Stage) -> None:
    plan = stage.launch("hello")
    stage.to(OPENED)
    stage.faults(refused())
    stage.jump(CLOSES)  # the guides tap, and nobody reads back meanwhile
    stage.turn()
    assert {batch.state for batch in stage.batches(plan)} == {BatchState.CLOSED}
    assert stage.counts(plan).sent == len(stage.reached()) == len(stage.with_outcome(plan, "send"))
    assert queries.at_large(OWNER, plan) == 0


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "night"}], indirect=True)
def test_who_is_reached_after_the_deadline_because_the_platform_did_not_cancel_is_read_back(stage: Stage) -> None:
    plan = stage.launch("hello")
    stage.faults(refused())
    stage.to(24 + OPENED)
    assert stage.reached()
    assert stage.counts(plan).sent == len(stage.reached()) == len(stage.with_outcome(plan, "send"))
    assert {batch.state for batch in stage.batches(plan)} == {BatchState.CLOSED}


def given_up(stage: Stage) -> PlanId:
    """A plan of which the platform cancelled nothing, however often it was asked."""
    plan = stage.launch("hello", attempts=2)
    stage.to(ISSUED)
    stage.faults(refused())
    stage.to(CLOSES)
    Batch.objects.update(withdrawals=WITHDRAWALS - 1, not_before=None)
    return plan


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_what_can_never_be_withdrawn_is_given_up_unknown_and_the_plan_finishes_and_says_so(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=2)
    stage.faults(refused())
    stage.to(24 * 4)
    assert {(batch.state, batch.trouble) for batch in stage.batches(plan)} == {(BatchState.CLOSED, AT_LARGE)}
    assert stage.counts(plan).unknown == len(stage.with_outcome(plan, "send"))
    assert stage.decided(plan, attempt=2) == {}, "who may still be reached is not spoken to again"
    assert queries.plan(OWNER, plan).state is PlanState.FINISHED
    assert queries.at_large(OWNER, plan) == 3


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_dying_while_giving_up_loses_and_doubles_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = given_up(stage)

    def die(name: str) -> None:
        assert name in failpoints.FAILPOINTS
        if name == "expire.given_up":
            raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(issuing, "failpoint", die)
        with pytest.raises(KeyboardInterrupt):
            stage.turn()
    stage.turn()
    stage.turn()
    sent = len(stage.with_outcome(plan, "send"))
    assert stage.counts(plan).unknown == sent == len(stage.rows(SAID))
    assert {(batch.state, batch.trouble) for batch in stage.batches(plan)} == {(BatchState.CLOSED, AT_LARGE)}


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_a_tap_long_after_it_was_given_up_is_read_all_the_same(stage: Stage) -> None:
    plan = given_up(stage)
    stage.turn()
    assert stage.counts(plan).unknown == len(stage.with_outcome(plan, "send"))
    store = Store(stage.directory / "sandbox")
    with store.write() as connection:
        connection.execute("UPDATE recipients SET status = 1, send_time = ?", (int(business_now().timestamp()),))
        connection.execute("UPDATE member_tasks SET tapped_at = ?", (int(business_now().timestamp()),))
    store.close()
    stage.to(CLOSES + 7)
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send"))
    assert queries.at_large(OWNER, plan) == 0


def ambiguous(stage: Stage, **changes: object) -> tuple[PlanId, Batch]:
    """A plan one of whose batches may be either of two tasks on the platform."""
    plan = stage.launch("hello", hold_out=0.0, **changes)
    stage.to(0)
    batch = leave_unanswered(plan)
    chosen = stage.with_outcome(plan, "send")
    own = [name for name, person in stage.persons.items() if person in chosen and int(name[2:]) % 3 == 0]
    port = next(iter(stage.loop.ports().values()))
    for _ in range(2):
        port.create_task("guide00", own, MessageContent("本周新品到店。"))
    stage.turn()
    batch.refresh_from_db()
    assert batch.state == BatchState.AMBIGUOUS
    return plan, batch


def cancelled(stage: Stage) -> int:
    """How many tasks are cancelled on the platform."""
    return int(stage._platform("SELECT count(*) FROM tasks WHERE cancelled_at IS NOT NULL")[0][0])


@pytest.mark.long
@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_at_its_deadline_every_task_that_may_be_an_ambiguous_batchs_is_cancelled(stage: Stage, by_hand: bool) -> None:
    plan, batch = ambiguous(stage, attempts=2)
    if by_hand:
        services.settle_by_hand(stage.warehouse, OWNER, batch.pk, again=False)
    stage.to(CLOSES - 0.1)
    assert (cancelled(stage), stage.counts(plan).unknown) == (0, batch.size)
    stage.to(CLOSES)
    batch.refresh_from_db()
    assert (batch.state, batch.left) == (BatchState.CLOSED, batch.size)
    assert cancelled(stage) == len(stage.tasks()) == 4
    assert set(stage.decided(plan, attempt=2)) == stage.with_outcome(plan, "send"), "now they may be spoken to again"


@pytest.mark.long
def test_who_was_reached_by_one_of_the_tasks_that_may_be_an_ambiguous_batchs_was_sent_to(stage: Stage) -> None:
    plan, batch = ambiguous(stage, attempts=2)
    stage.to(CLOSES)
    batch.refresh_from_db()
    assert (batch.state, batch.left) == (BatchState.CLOSED, 0)
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send"))
    assert stage.decided(plan, attempt=2) == {}


@pytest.mark.long
@pytest.mark.parametrize("api", [CANCEL, LIST])
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_an_ambiguous_batch_that_cannot_be_withdrawn_is_given_up_and_said(
    stage: Stage, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "WITHDRAWALS", 3)
    plan, batch = ambiguous(stage, attempts=1)
    stage.to(ISSUED)
    stage.faults(refused(api))
    stage.to(49)
    batch.refresh_from_db()
    assert (batch.state, batch.trouble) == (BatchState.CLOSED, AT_LARGE)
    assert queries.plan(OWNER, plan).state is PlanState.FINISHED
    assert queries.at_large(OWNER, plan) == (3 if api == CANCEL else 1)
    assert stage.counts(plan).unknown >= batch.size


@pytest.mark.long
@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_a_call_that_is_never_found_out_about_does_not_hold_up_its_plan_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "WITHDRAWALS", 3)
    plan = stage.launch("hello", attempts=1)
    stage.to(0)
    batch = leave_unanswered(plan)
    stage.faults(refused(LIST))
    stage.to(49)
    batch.refresh_from_db()
    assert (batch.state, batch.trouble) == (BatchState.CLOSED, AT_LARGE)
    assert queries.plan(OWNER, plan).state is PlanState.FINISHED
    assert stage.counts(plan).unknown == batch.size

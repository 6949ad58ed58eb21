"""Who refuses after their message was handed out is reached by no late tap, and all others are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reach.conftest import Stage
from yutang.kernel.clock import business_now
from yutang.people import services as people
from yutang.people.contracts import Wish
from yutang.reach import returns
from yutang.reach.contracts import RECALLED, BatchState
from yutang.reach.models import Batch

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("stage", [{"habit": "late"}], indirect=True)]
LONG = {"hold_out": 0.0, "within_hours": 96, "attempts": 1}
HER = "wm00004"


def withdraw(stage: Stage) -> None:
    people.withdraw_consent(stage.persons[HER], "marketing", "wecom", at=business_now(), proof="said so")


def silence(stage: Stage) -> None:
    people.set_silent(stage.persons[HER], True)


def no_more_wecom(stage: Stage) -> None:
    people.prefer(stage.persons[HER], Wish(channels=frozenset({"wecom"})), at=business_now())


@pytest.mark.parametrize(
    "refuse",
    [withdraw, *(pytest.param(one, marks=pytest.mark.long) for one in (silence, no_more_wecom))],
)
def test_a_task_with_somebody_who_refused_is_taken_back_and_handed_out_without_them(
    stage: Stage, refuse: Callable[[Stage], None]
) -> None:
    plan = stage.launch("p", **LONG)
    stage.to(1)
    assert len(stage.tasks()) == 3
    refuse(stage)
    stage.loop.turn(stepped=True)
    assert len(stage.tasks()) == 4, "only the task that names them"
    assert Batch.objects.filter(trouble=RECALLED, state=BatchState.CLOSED).count() == 1
    (reason,) = stage.told(plan, "suppressed").values()
    assert reason in ("consent", "silent", "preference")
    stage.loop.turn(stepped=True)
    assert len(stage.tasks()) == 4
    (port,) = stage.loop.ports().values()
    for batch in Batch.objects.filter(state=BatchState.ISSUED):
        port.remind_task(batch.task)  # and so the guide taps within the hour
    stage.to(4)
    reached = [who for who, _ in stage.reached()]
    assert HER not in reached
    assert len(reached) == len(set(reached)) == stage.counts(plan).sent > 0
    assert {int(who[2:]) % 3 for who in reached} >= {int(HER[2:]) % 3}, "others of the same guide were reached"


@pytest.mark.long
def test_killed_after_the_cancelling_it_goes_on_and_nobody_is_asked_for_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.launch("p", **LONG)
    stage.to(1)
    withdraw(stage)
    stage.loop._pump()

    def die(name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(returns, "failpoint", die)
        with pytest.raises(KeyboardInterrupt):
            returns.recall(stage.warehouse, stage.loop.ports())
    assert returns.recall(stage.warehouse, stage.loop.ports()) == 1
    assert returns.recall(stage.warehouse, stage.loop.ports()) == 0
    stage.loop.turn(stepped=True)
    assert len(stage.tasks()) == 4


@pytest.mark.long
def test_a_platform_that_does_not_take_it_back_is_asked_again(stage: Stage) -> None:
    stage.launch("p", **LONG)
    stage.to(1)
    withdraw(stage)
    cancel = "externalcontact/cancel_groupmsg_send"
    stage.faults({"api": cancel, "kind": "refuse", "times": 1, "errcode": 48002})
    stage.loop.turn(stepped=True)
    assert len(stage.tasks()) == 3
    stage.loop.turn(stepped=True)
    assert len(stage.tasks()) == 4

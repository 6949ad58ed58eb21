"""The turn of the clock: skips nothing, stops at once, and no part of it keeps another from its work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.people.pond import event
from tests.reach.conftest import CREATE, DAY, HOUR, START, Stage
from tests.soak import pond
from yutang.channels.models import Callback
from yutang.channels.services import KEPT
from yutang.intake.lease import lease
from yutang.intake.mirror import LEASE as PUMP_LEASE
from yutang.kernel.clock import business_now, monotonic, wall_now
from yutang.kernel.errors import Unavailable
from yutang.log import queries as log
from yutang.log.contracts import IdentifierValue
from yutang.log.services import record
from yutang.operations import loop
from yutang.operations.loop import BREATH, MOMENT, STALE, STRIDE, TIDY
from yutang.organisation import clock as brand_clock
from yutang.organisation.models import Brand, Node
from yutang.organisation.services import step_clock
from yutang.profiles import queries as profiles
from yutang.reach import issuing
from yutang.reach.issuing import Ports, bound_tasks
from yutang.warehouse.contracts import Statement

pytestmark = pytest.mark.django_db


def arrives(name: str = "wm-new") -> None:
    """Somebody becomes known at the door."""
    who = IdentifierValue("external_userid", pond.CORP, name)
    record([event("person.seen", who, id=f"seen-{name}", at=business_now())])


def silent() -> Ports:
    raise Unavailable("平台没有回音。", "The platform does not answer.")


def watched(stage: Stage, then: Callable[[datetime], None] = lambda to: None) -> list[tuple[datetime, datetime]]:
    """What time it was, each time that the sandbox was told of a new one."""
    told: list[tuple[datetime, datetime]] = []
    tell = stage.loop.advance
    assert tell is not None

    def advance(to: datetime) -> None:
        told.append((business_now(), to))
        then(to)
        tell(to)

    stage.loop.advance = advance
    return told


@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_a_stepped_clock_stops_wherever_something_is_due_and_the_sandbox_is_there_first(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=1, horizon_days=1)
    told = watched(stage)
    stage.to(48)
    steps = [to + MOMENT for _, to in told]
    assert all(before < step for (before, _), step in zip(told, steps, strict=True))
    assert [before for before, _ in told[1:]] == steps[:-1]
    assert max(step - before for (before, _), step in zip(told, steps, strict=True)) <= STRIDE
    due = {batch.due_at for batch in stage.batches(plan)} | {batch.deadline for batch in stage.batches(plan)}
    assert due <= set(steps)
    assert business_now() == steps[-1] == START + 48 * HOUR


@pytest.mark.parametrize("stage", [{"habit": "never"}], indirect=True)
def test_a_stepped_clock_stands_until_all_that_is_due_is_handed_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "AT_ONCE", 1)
    plan = stage.launch("hello", attempts=1)
    stage.to(2)
    due = [batch for batch in stage.batches(plan) if batch.due_at <= business_now()]
    assert len(due) > 1
    assert {batch.state for batch in due} == {"issued"}


def test_a_fast_forward_goes_exactly_as_far_as_asked_and_then_keeps_pace_with_the_wall(stage: Stage) -> None:
    brand_clock.fast_forward(3 * DAY, 1e9)
    stage.loop.last = monotonic() - 1
    stage.loop.once()
    state = brand_clock.clock_state()
    assert (state.at, state.rate, state.until) == (START + 3 * DAY, 1.0, None)


@pytest.mark.long
def test_stopped_in_the_middle_of_a_fast_forward_it_goes_on_to_its_end_later(stage: Stage) -> None:
    """It was noted as over, however far it had come: a restart in the middle lost the rest of it."""
    stop = threading.Event()
    told = watched(stage, lambda to: stop.set() if to > START + DAY else None)
    brand_clock.fast_forward(6 * DAY, 1e9)
    stage.loop.last = monotonic() - 1
    stage.loop.once(stop)
    state = brand_clock.clock_state()
    assert state.at is not None
    assert state.at <= START + DAY + STRIDE
    assert state.until == START + 6 * DAY
    assert len(told) == 3
    stage.loop.last = monotonic() - 1
    stage.loop.once()
    assert brand_clock.clock_state().at == START + 6 * DAY
    assert brand_clock.clock_state().until is None


def test_without_a_stepped_clock_the_sandbox_is_told_the_walls_time(stage: Stage) -> None:
    step_clock(None)
    stage.loop.clock.forget()
    told = watched(stage)
    began = wall_now()
    stage.loop.once()
    ((_, to),) = told
    assert began <= to <= wall_now()


def test_a_silent_platform_keeps_no_event_out_and_no_profile_back(stage: Stage) -> None:
    arrives()
    stage.loop.ports = silent
    with pytest.raises(Unavailable, match="does not answer"):
        stage.loop.once()
    assert log.waiting() == 0
    assert stage.rows("SELECT count(*) FROM events WHERE event_id = 'seen-wm-new'") == [(1,)]
    assert stage.rows("SELECT count(*) FROM profiles") == [(13,)]


def test_while_another_process_pumps_what_guides_did_is_still_read(stage: Stage) -> None:
    """One part of a turn that failed stopped all that came after it."""
    plan = stage.launch("hello", attempts=1)
    stage.to(0.5)
    assert len(stage.tasks()) == 3
    stage.jump(2)  # they tapped meanwhile
    assert stage.counts(plan).sent == 0
    stage.loop.patience = 0.0
    with lease(PUMP_LEASE), pytest.raises(Unavailable, match="Another process"):
        stage.loop.once()
    assert stage.counts(plan).sent == len(stage.reached()) > 0


def test_a_sandbox_that_does_not_answer_holds_up_nothing_but_a_stepped_clock(stage: Stage) -> None:
    def gone(to: datetime) -> None:
        raise Unavailable("沙盒没有响应。", "The sandbox does not answer.")

    stage.loop.advance = gone
    arrives("wm-1")
    with pytest.raises(Unavailable, match="sandbox"):
        stage.to(5)
    assert business_now() == START
    step_clock(None)
    stage.loop.clock.forget()
    arrives("wm-2")
    with pytest.raises(Unavailable, match="sandbox"):
        stage.loop.once()
    assert log.waiting() == 0


def test_a_house_that_died_on_its_way_goes_where_the_sandbox_is_before_it_does_anything(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It issued a batch hours behind the sandbox; the answer was lost, the task was looked for where it had not been
    made, and not found: three people had a message that no book knew of."""

    tell = stage.loop.advance
    assert tell is not None

    def told_and_died(to: datetime) -> None:
        tell(to)
        raise KeyboardInterrupt

    stage.to(1)
    stage.loop.advance = told_and_died
    with pytest.raises(KeyboardInterrupt):
        stage.to(10)
    assert business_now() == START + HOUR
    stage.loop.advance = tell
    stage.launch("hello", attempts=1, horizon_days=1)
    stage.faults({"api": CREATE, "kind": "drop_answer", "times": 1})
    monkeypatch.setattr(brand_clock, "READ_AGAIN", 60)  # a turn that is quick reads no clock again by itself
    stage.to(48)
    assert {task for _, task in stage.tasks()} == bound_tasks()


def test_a_stepped_clock_stands_until_the_whole_turn_was_done(stage: Stage) -> None:
    """Or what was due at that instant would be done late, and nobody would see it."""
    ports, stage.loop.ports = stage.loop.ports, silent
    with pytest.raises(Unavailable):
        stage.to(5)
    assert business_now() == START
    stage.loop.ports = ports
    stage.to(5)
    assert business_now() == START + 5 * HOUR


def test_it_goes_on_turning_whatever_a_turn_met_and_stops_at_once(stage: Stage) -> None:
    stop = threading.Event()
    turns: list[datetime] = []

    def advance(to: datetime) -> None:
        turns.append(to)
        if len(turns) == 1:
            raise ZeroDivisionError("nobody thought of this")
        stop.set()

    stage.loop.advance = advance
    brand_clock.fast_forward(28 * DAY, 1e9)
    stage.loop.run(stop)
    assert len(turns) == 2
    assert business_now() <= START + STRIDE


def test_told_to_stop_before_it_began_it_does_nothing(stage: Stage) -> None:
    told = watched(stage)
    stop = threading.Event()
    stop.set()
    stage.loop.run(stop)
    assert told == []


def test_before_set_up_there_is_nothing_to_turn(stage: Stage) -> None:
    Brand.objects.all().delete()
    told = watched(stage)
    stop = threading.Event()
    timer = threading.Timer(0.8, stop.set)
    timer.start()
    stage.loop.run(stop)
    timer.join()
    assert told == []


def test_profiles_follow_what_came_in_but_not_at_every_turn(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    now = monotonic()
    monkeypatch.setattr(loop, "monotonic", lambda: now)  # turns take no time, however slow the machine is
    stage.loop.once()  # the first turn brings them up to date, whatever there is
    arrives("wm-1")
    stage.loop.once()
    assert log.waiting() == 0
    assert stage.rows("SELECT count(*) FROM profiles") == [(12,)], f"refreshed again within {BREATH} seconds"
    now += BREATH
    stage.loop.once()
    assert stage.rows("SELECT count(*) FROM profiles") == [(13,)], "owed since the turn before"


def test_profiles_grow_no_older_than_an_hour_though_nothing_comes(stage: Stage) -> None:
    stage.loop.once()
    stood = profiles.as_of(stage.warehouse)
    for minutes, refreshed in ((30, False), (90, True)):
        stage.loop.refreshed -= BREATH
        stage.to(minutes / 60)
        now = profiles.as_of(stage.warehouse)
        assert (now != stood) is refreshed
    assert now is not None
    assert business_now() - now < STALE + timedelta(minutes=1)


def test_the_warehouse_follows_the_stores_that_a_directory_made(stage: Stage) -> None:
    def zones() -> set[str]:
        return set(stage.warehouse.query(Statement("SELECT zone FROM nodes WHERE kind = 'store'"))["zone"].to_pylist())

    Node.objects.filter(kind="store").update(zone="Asia/Tokyo")
    stage.loop.once()
    assert "Asia/Tokyo" not in zones(), "nobody said that a directory did it"
    Brand.objects.update(tree=1)
    stage.loop.once()
    assert zones() == {"Asia/Tokyo"}


def test_callbacks_kept_too_long_are_forgotten_once_a_day(stage: Stage) -> None:
    old = Callback.objects.filter(received_at__lt=wall_now() - KEPT)
    came(KEPT + HOUR)
    came(KEPT - HOUR)
    stage.loop.once()
    assert (old.count(), Callback.objects.count()) == (0, 1)
    came(KEPT + DAY)
    stage.loop.once()
    assert old.count() == 1, "looked again within a day"
    stage.loop.tidied -= TIDY
    stage.loop.once()
    assert (old.count(), Callback.objects.count()) == (0, 1)


def came(ago: timedelta) -> None:
    """A callback came so long ago."""
    Callback.objects.create(
        channel="wecom", corp=pond.CORP, digest=str(ago).encode(), kind="x", sealed=b"", received_at=wall_now() - ago
    )

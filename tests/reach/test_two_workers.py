"""Two workers on PostgreSQL never do one job twice: a batch is called by one, and an act is claimed by one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from tests import stores
from tests.intake.test_out_of_order import Slow
from tests.reach.conftest import Stage
from yutang.kernel.clock import business_now
from yutang.reach import issuing, planning
from yutang.reach.contracts import BatchState
from yutang.reach.models import Batch
from yutang.reach.returns import expire

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not stores.on_postgres(), reason="with SQLite one process does everything"),
]


def somebody_waits() -> bool:
    """Whether a connection waits for another's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_of_two_who_want_to_call_one_batch_one_does_even_where_the_other_looked_before(stage: Stage) -> None:
    stage.launch("hello")
    planning.plan_due(stage.warehouse)
    number = Batch.objects.order_by("pk").first().pk  # type: ignore[union-attr]
    slow = Slow(lambda: issuing._claim(Batch.objects.get(pk=number), "d"))

    def other() -> bool:
        try:
            return issuing._claim(Batch.objects.get(pk=number), "d")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other)
        while not somebody_waits():
            assert not waiting.done(), "it must wait for what the first one decides"
        slow.commit()
        assert (slow.found, waiting.result(300)) == (True, False)
    row = Batch.objects.get(pk=number)
    assert (row.state, row.calls) == (BatchState.CALLING, 1)


def test_what_is_being_called_is_not_told_to_be_expired(stage: Stage) -> None:
    plan = stage.launch("hello", attempts=1)
    planning.plan_due(stage.warehouse)
    batch = stage.batches(plan)[0]
    slow = Slow(lambda: issuing._claim(Batch.objects.get(pk=batch.id), "d"))
    stage.jump(24 * 30)
    assert batch.deadline < business_now()
    expire(stage.warehouse, stage.loop.ports())
    slow.commit()
    states = set(Batch.objects.exclude(pk=batch.id).values_list("state", flat=True))
    assert states == {BatchState.CLOSED}
    assert Batch.objects.get(pk=batch.id).state == BatchState.CALLING
    told = stage.told(plan, "expired")
    assert len(told) == sum(one.size for one in stage.batches(plan) if one.id != batch.id)


def test_one_clock_turns_while_another_stands_by_without_falling_behind(stage: Stage) -> None:
    from yutang.kernel import database

    turning = threading.Event()
    slow = Slow(lambda: database._advisory("advisory_lock", "clock"))  # another process's clock
    before = business_now()
    stage.loop.last -= 3600
    stage.loop._in_turn(turning)
    assert business_now() == before
    slow.commit()
    stage.loop._in_turn(turning)
    assert (business_now() - before).total_seconds() < 60, "the hour in which it stood by was the other's to turn"


def test_rows_are_held_only_as_long_as_the_transaction(stage: Stage) -> None:
    from yutang.kernel.database import rows_held

    stage.launch("hello")
    planning.plan_due(stage.warehouse)
    everything = Batch.objects.order_by("pk")
    slow = Slow(lambda: list(everything.select_for_update()[:1]))
    with rows_held(everything) as rest:
        assert len(rest) == everything.count() - 1
    slow.commit()
    with transaction.atomic(), rows_held(everything) as rest:
        assert len(rest) == everything.count()

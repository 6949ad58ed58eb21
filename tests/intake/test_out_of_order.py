"""On PostgreSQL a row's id says nothing of when it can be seen: a slow transaction's lower one appears later."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from tests import stores
from tests.intake.tables import rows
from tests.people.pond import event, member
from yutang.intake import pump
from yutang.intake.lease import lease
from yutang.log.services import record
from yutang.reach.planning import LEASE as PLANNING
from yutang.warehouse.contracts import Warehouse

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not stores.on_postgres(), reason="SQLite shows rows in the order of their ids"),
]


class Slow:
    """A transaction in a thread of its own that stays open until it is told to end."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act, self._done, self._end = act, threading.Event(), threading.Event()
        self.found: object = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._done.wait(300)

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self.found = self._act()
                self._done.set()
                assert self._end.wait(300)
        finally:
            self._done.set()
            connection.close()

    def commit(self) -> None:
        """Let it commit."""
        self._end.set()
        self._thread.join(300)


def arrives(name: str) -> None:
    record([event("tag.added", member("1"), id=name, props={"tag": name})])


def there(warehouse: Warehouse) -> list[str]:
    return [name for (name,) in rows(warehouse, "SELECT event_id FROM events ORDER BY slice")]


def test_what_a_slow_transaction_brings_under_a_lower_number_is_pumped_when_it_can_be_seen(
    warehouse: Warehouse,
) -> None:
    slow = Slow(lambda: arrives("slow"))
    arrives("quick")
    head = pump.inbox_head()
    pump.pump_until_empty(warehouse)
    assert there(warehouse) == ["quick"]
    assert pump.pumped_to(head)
    slow.commit()
    assert not pump.pumped_to(head), "who asks again is told that something below the head came late"
    assert pump.pump_until_empty(warehouse).events == 1
    assert there(warehouse) == ["quick", "slow"]
    assert pump.pumped_to(head)


def test_planning_sees_all_that_was_durable_when_it_began_and_nothing_arriving_is_lost_to_it(
    warehouse: Warehouse,
) -> None:
    arrives("before")
    slow = Slow(lambda: arrives("slow"))
    arrives("after")
    with lease(PLANNING):
        head = pump.inbox_head()
        pump.pump_until_empty(warehouse)
        assert pump.pumped_to(head)
    assert sorted(there(warehouse)) == ["after", "before"]
    slow.commit()
    pump.pump_until_empty(warehouse)
    assert sorted(there(warehouse)) == ["after", "before", "slow"]


def test_two_who_claim_at_once_take_different_envelopes(warehouse: Warehouse) -> None:
    from yutang.intake.models import Slice
    from yutang.log.services import claim, envelopes

    arrives("one")
    arrives("two")
    first, second = Slice.objects.create(), Slice.objects.create()
    slow = Slow(lambda: claim(first.pk, 1))
    with transaction.atomic():
        assert claim(second.pk, 1) == 1
    slow.commit()
    assert slow.found == 1
    assert len(envelopes(first.pk)) == len(envelopes(second.pk)) == 1

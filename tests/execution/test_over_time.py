"""Execution by day and hour, and who never executes, equal what the batches say one by one."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.execution.chain import DAY, HOUR, NOW, batch, chain, draw, plan, run_of, tapped
from tests.execution.test_board import standing
from tests.warehouse.fixtures import fresh_warehouse
from yutang.execution.board import below, idle_stores, owing, total
from yutang.execution.queries import over_time
from yutang.kernel.clock import business_clock
from yutang.organisation.models import SenderAccount
from yutang.organisation.queries import OWNER
from yutang.reach.contracts import BatchState
from yutang.reach.models import Batch
from yutang.reach.tallies import Wanted

pytestmark = pytest.mark.django_db
WANTED = Wanted(since=NOW - 20 * DAY, until=NOW + DAY)
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("code", ["", "north", "s1"])
def test_days_and_hours_are_those_of_the_batches(code: str) -> None:
    accounts = chain()
    draw(random.Random(11), accounts)
    tree = below(OWNER, code)
    found = over_time(OWNER, WANTED, tree)
    mine = {home.sender for home in tree.homes}
    days: dict[date, Counter[str]] = {}
    hours: Counter[int] = Counter()
    for row in Batch.objects.all():
        if row.sender in mine and WANTED.since <= row.due_at < WANTED.until:  # type: ignore[operator]
            days.setdefault(row.due_at.astimezone(SHANGHAI).date(), Counter())[standing(row)] += 1
            if row.tapped_hour is not None:
                hours[row.tapped_hour] += 1
    assert {step.first for step in found.steps} == set(days)
    for step in found.steps:
        assert {name: getattr(step.counts, name) for name in days[step.first]} == dict(days[step.first])
    assert {hour: count for hour, count in enumerate(found.hours) if count} == dict(hours)
    assert found.total == total(OWNER, WANTED, tree)


def test_who_never_executes_is_named_with_how_much_that_may_be_chance(tmp_path: Path) -> None:
    chain()
    guide = {home.userid: home.sender for home in below(OWNER).homes}
    run = run_of(plan("weekly"))
    gone = {"state": BatchState.CLOSED, "closed_at": NOW + 12 * HOUR}
    for number in range(5):
        batch(run, guide["guide-0"], ordinal=number, digest=f"a{number}", **gone)
        batch(run, guide["guide-1"], ordinal=number, digest=f"b{number}", **(tapped(HOUR) if number == 1 else gone))
    for number in range(2):
        batch(run, guide["guide-2"], ordinal=number, digest=f"c{number}", **gone)
    tree = below(OWNER)
    found = over_time(OWNER, WANTED, tree)
    assert [(one.name, one.tasks, round(one.upper, 3)) for one in found.guides] == [("导购0", 5, 0.434)]  # Wilson 1927
    assert [one.spot.code for one in found.stores if one.spot] == ["s1"]
    with business_clock(NOW + DAY), closing(fresh_warehouse(tmp_path)) as warehouse:
        assert [spot.code for spot in idle_stores(warehouse, tree).value] == ["s1"]


def test_who_owes_is_who_has_tasks_that_wait() -> None:
    chain()
    guide = {home.userid: home.sender for home in below(OWNER).homes}
    run = run_of(plan("weekly"))
    for name in ("guide-0", "guide-5", "guide-2"):
        batch(run, guide[name], done=1 if name == "guide-2" else 0)
    node = {row.pk: row.staff.node.code for row in SenderAccount.objects.select_related("staff__node")}
    found = owing(OWNER, below(OWNER))
    assert [(node[one.accounts[0]], one.tasks, one.people) for one in found] == [("s1", 2, 20), ("s3", 1, 9)]

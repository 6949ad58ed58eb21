"""What is kept of settled batches changes nothing that the board tells, whatever becomes of the others."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.execution.chain import DAY, HOUR, NOW, batch, chain, draw, plan, run_of
from tests.warehouse.fixtures import fresh_warehouse
from yutang.execution.board import below, board
from yutang.execution.queries import over_time
from yutang.kernel.clock import business_clock
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER, node_by_code
from yutang.profiles.beforehand import keep_up, let_go
from yutang.reach.contracts import BatchState
from yutang.reach.models import Batch
from yutang.reach.settled import SETTLED
from yutang.reach.tallies import Wanted, course, tallies

pytestmark = pytest.mark.django_db
PERIODS = [
    Wanted(since=NOW - 80 * DAY, until=NOW + DAY),
    Wanted(since=NOW - 40 * DAY),
    Wanted(since=NOW - 55 * DAY, until=NOW - 50 * DAY),
    Wanted(since=NOW - 3 * DAY, until=NOW),
    Wanted(since=NOW - 500 * DAY, until=NOW),
    Wanted(until=NOW),
    Wanted(running=True),
]


def told() -> list[object]:
    """All that is added up of the whole brand and of a region, for every period."""
    region = Viewer("north", OWNER.role, frozenset({node_by_code("north").id}))
    found: list[object] = []
    for wanted in PERIODS:
        for viewer in (OWNER, region):
            sums = tallies(viewer, wanted, None)
            columns = (sums.sender, sums.standing, sums.batches, sums.asked, sums.done)
            found.append(sorted(zip(*(column.tolist() for column in columns), strict=True)))
            found.append(course(viewer, wanted, None))
            found.append(board(viewer, wanted))
        tree = below(OWNER)
        found += [course(OWNER, wanted, None, without=[tree.homes[0].sender]), over_time(OWNER, wanted, tree)]
    return found


@pytest.mark.long
def test_what_is_kept_changes_nothing_that_is_told(tmp_path: Path) -> None:
    accounts = chain()
    dice = random.Random(3)
    draw(dice, accounts)
    old = run_of(plan("old"), at=NOW - 60 * DAY)
    for number in range(120):
        due = NOW - dice.randint(15, 70) * DAY
        tap = due + dice.randint(1, 20) * HOUR if dice.random() < 0.5 else None
        batch(
            old, dice.choice(accounts), ordinal=number, digest=f"x{number}", due_at=due, state=BatchState.CLOSED,
            closed_at=due + 12 * HOUR, tapped_at=tap, tapped_hour=None if tap is None else 9, done=8 if tap else 0,
        )  # fmt: skip
    Batch.objects.exclude(run=old).filter(due_at__lt=NOW - 12 * DAY).delete()  # those were left open
    with business_clock(NOW), closing(fresh_warehouse(tmp_path)) as warehouse:
        live = told()
        assert SETTLED.kept() is None
        keep_up(warehouse, [SETTLED])
        kept = SETTLED.kept()
        assert kept is not None
        assert len(kept.due) == 120
        assert told() == live
        late = Batch.objects.exclude(run=old).exclude(due_at__lt=kept.until).first()
        assert late is not None
        Batch.objects.filter(pk=late.pk).update(tapped_at=NOW, tapped_hour=10, done=7)
        batch(run_of(plan("new")), accounts[0], due_at=NOW - HOUR)
        now = told()
        let_go(warehouse)
        assert SETTLED.kept() is None
        assert now == told() != live


def test_nothing_is_kept_after_the_first_that_may_still_change(tmp_path: Path) -> None:
    accounts = chain()
    run = run_of(plan("old"), at=NOW - 60 * DAY)
    gone = {"state": BatchState.CLOSED}
    batch(run, accounts[0], due_at=NOW - 40 * DAY, closed_at=NOW - 39 * DAY, digest="a", **gone)
    batch(run, accounts[1], due_at=NOW - 30 * DAY, closed_at=NOW - 7 * DAY, digest="b", **gone)  # read back for a week
    batch(run, accounts[2], due_at=NOW - 20 * DAY, closed_at=NOW - 19 * DAY, digest="c", **gone)
    with business_clock(NOW), closing(fresh_warehouse(tmp_path)) as warehouse:
        keep_up(warehouse, [SETTLED])
        kept = SETTLED.kept()
        assert kept is not None
        assert (kept.until, len(kept.due)) == (NOW - 30 * DAY, 1)
        let_go(warehouse)

"""The board says of every line what its batches say one by one, and every level is the sum of the one below."""

from __future__ import annotations

import random
from dataclasses import asdict

import pytest

from tests.execution.chain import DAY, HOUR, NOW, batch, chain, draw, plan, run_of, tapped
from yutang.execution.board import below, board
from yutang.execution.contracts import Counts
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, PlanId
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.models import Node, SenderAccount
from yutang.organisation.queries import OWNER
from yutang.reach.contracts import AT_LARGE, BatchState, PlanState
from yutang.reach.models import Batch
from yutang.reach.tallies import Wanted, plan_on_board, plans_on_board

pytestmark = pytest.mark.django_db


def one_by_one(wanted: Wanted, keep: object) -> Counts:
    """The naive twin: every batch is looked at by itself, without tree, index or generated column."""
    found = Counts()
    by_id = {account.pk: account for account in SenderAccount.objects.select_related("staff__node")}
    for row in Batch.objects.select_related("run__plan"):
        account = by_id[row.sender]
        if account.channel not in ("wecom", "manual") or not keep(account):  # type: ignore[operator]
            continue
        if wanted.plan is not None and row.run.plan_id != wanted.plan:
            continue
        if wanted.running and row.run.plan.state != PlanState.RUNNING:
            continue
        if (wanted.since is not None and row.due_at < wanted.since) or (
            wanted.until is not None and row.due_at >= wanted.until
        ):
            continue
        name = standing(row)
        issued = name in ("waiting", "executed", "late", "expired")
        people, reached = (row.asked, row.done) if issued else (0, 0)
        sums = {"people": found.people + people, "reached": found.reached + reached}
        found = Counts(**{**asdict(found), name: getattr(found, name) + 1, **sums})
    return found


def standing(row: Batch) -> str:
    if row.tapped_at is not None:
        return "executed" if row.tapped_at <= row.deadline else "late"
    if row.state in (BatchState.PLANNED, BatchState.CALLING):
        return "planned"
    if row.state in (BatchState.UNKNOWN, BatchState.AMBIGUOUS):
        return "doubtful"
    if row.state == BatchState.ISSUED:
        return "waiting"
    if row.asked == 0:
        return "doubtful" if row.trouble == AT_LARGE else "unissued"
    return "withdrawn" if row.closed_at < row.deadline else "expired"


def path_of(code: str) -> str:
    return str(Node.objects.get(code=code).path)


@pytest.mark.parametrize("seed", [0, *(pytest.param(more, marks=pytest.mark.long) for more in range(1, 6))])
def test_every_line_equals_the_twin_and_levels_add_up(seed: int) -> None:
    dice = random.Random(seed)
    accounts = chain()
    plans = draw(dice, accounts)
    for wanted in (
        Wanted(running=True),
        Wanted(plan=plans[0]),
        Wanted(since=NOW - 4 * DAY, until=NOW + DAY),
        Wanted(since=NOW - 9 * DAY),
    ):
        whole = board(OWNER, wanted)
        assert whole.total == one_by_one(wanted, lambda account: True)
        seen = Counts()
        for code in ("", "north", "harbour", "south", *(f"s{number}" for number in range(1, 6))):
            found = board(OWNER, wanted, at=code)
            top = path_of(code or "brand")
            assert found.total == one_by_one(wanted, lambda account, top=top: account.staff.node.path.startswith(top))
            for row in found.rows:
                if row.spot is not None:
                    inside = path_of(row.spot.code)
                    assert row.counts == one_by_one(
                        wanted, lambda account, inside=inside: account.staff.node.path.startswith(inside)
                    )
                    assert row.counts == board(OWNER, wanted, at=row.spot.code).total
                else:
                    assert row.counts == one_by_one(wanted, lambda account, who=row.staff: account.staff_id == who)
                    seen = Counts(*(getattr(seen, name) + getattr(row.counts, name) for name in asdict(seen)))
                if row.days and len(found.days) < 14:
                    assert sum(cell.issued for cell in row.days.values()) == row.counts.issued
        assert seen == whole.total  # each guide stands below exactly one node


def test_sorting_paging_and_one_channel_choose_lines_and_change_no_sum() -> None:
    accounts = chain()
    draw(random.Random(5), accounts)
    wanted = Wanted(since=NOW - 9 * DAY)
    whole = board(OWNER, wanted, at="north")
    rates = [row.counts.rate for row in whole.rows if row.counts.issued]
    assert rates == sorted(rates)
    parts = [board(OWNER, wanted, at="north", limit=2, offset=offset) for offset in (0, 2)]
    assert [row.name for part in parts for row in part.rows] == [row.name for row in whole.rows][:4]
    assert {part.total for part in parts} == {whole.total}
    by_way = [board(OWNER, wanted, channel=channel).total for channel in ("wecom", "manual")]
    total = board(OWNER, wanted).total
    assert sum(one.issued for one in by_way) == total.issued
    assert by_way[1].issued + by_way[1].unissued + by_way[1].planned > 0


def viewer(*codes: str, role: RoleName = RoleName.MANAGER) -> Viewer:
    nodes = {
        NodeId(node.pk) for node in Node.objects.all() if any(node.path.startswith(path_of(code)) for code in codes)
    }
    return Viewer("somebody", role, frozenset(nodes))


def test_a_regions_viewer_sees_their_part_and_nothing_of_the_rest() -> None:
    accounts = chain()
    plans = draw(random.Random(6), accounts)
    wanted = Wanted(since=NOW - 9 * DAY)
    north = viewer("north")
    mine = board(north, wanted)
    assert mine.at is not None
    assert mine.at.code == "north"
    assert mine.total == board(OWNER, wanted, at="north").total
    for code in ("south", "s4", "s5", "brand", "nowhere"):
        with pytest.raises(NotFound):
            board(north, wanted, at=code)
    two = board(viewer("s1", "s4"), wanted)
    assert two.at is None
    assert {row.name for row in two.rows} == {"s1 店", "s4 店"}
    hidden = plan("of_the_south", scope=[Node.objects.get(code="south").pk])
    batch(run_of(hidden), next(one.sender for one in below(OWNER, "s4").homes))
    assert PlanId(hidden.pk) not in {one.id for one in plans_on_board(north)}
    assert {one.id for one in plans_on_board(north)} <= set(plans)
    with pytest.raises(NotFound):
        plan_on_board(north, hidden.pk)
    assert plan_on_board(viewer("s4"), hidden.pk).id == hidden.pk


def test_stores_that_never_execute_are_named_once_enough_is_over() -> None:
    chain()
    guide = {home.userid: home.sender for home in below(OWNER).homes}
    run = run_of(plan("weekly"))
    gone = {"state": BatchState.CLOSED, "closed_at": NOW + 12 * HOUR}
    for number in range(3):
        batch(run, guide["guide-0"], ordinal=number, digest=f"a{number}", **gone)  # s1: three over, nothing done
        batch(run, guide["guide-3"], ordinal=number, digest=f"b{number}", **(tapped(HOUR) if number == 1 else gone))
    for number in range(2):
        batch(run, guide["guide-2"], ordinal=number, digest=f"c{number}", **gone)  # s3: too few to say so
    assert [spot.code for spot in board(OWNER, Wanted(running=True)).idle_stores] == ["s1"]
    north = next(row for row in board(OWNER, Wanted(running=True)).rows if row.name == "北区")
    assert north.stores == (2, 0, 0, 0, 0)
    assert north.spot is not None
    assert north.spot.kind is NodeKind.REGION


def test_the_share_of_execution_says_how_surely_it_is_known() -> None:
    counts = Counts(executed=9, late=1, expired=2, waiting=4)
    assert (counts.issued, counts.tapped, counts.untapped) == (16, 10, 6)
    assert counts.rate == 9 / 16
    assert counts.estimate.value == 9 / 12
    assert Counts().rate is None
    assert Counts().bin is None
    assert [Counts(executed=part, expired=10 - part).bin for part in (0, 1, 5, 8, 10)] == [0, 1, 2, 3, 4]

"""The board as the API and the shell tell it."""

from __future__ import annotations

from datetime import date, timedelta

from yutang.execution.contracts import Counts, Row
from yutang.kernel.calendars import day_start
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import PlanId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand
from yutang.reach.tallies import Wanted, plan_on_board


def wanted(viewer: Viewer, plan: int | None, since: date | None, until: date | None) -> Wanted:
    """The batches of a plan (of the plans that run now, where nothing is said), due on local days from `since` to
    `until`, both included. Raises BadInput, NotFound for a plan that is not the viewer's."""
    if since is not None and until is not None and until < since:
        raise BadInput("时间段应从早到晚。", "A period goes from earlier to later.")
    if plan is not None:
        plan_on_board(viewer, plan)
    zone = brand().zone
    if until is not None and since is None and plan is None:
        since = until - timedelta(days=27)
    return Wanted(
        None if plan is None else PlanId(plan),
        plan is None and since is None,
        None if since is None else day_start(since, zone),
        None if until is None else day_start(until + timedelta(days=1), zone),
    )


def told(counts: Counts) -> dict[str, object]:
    """Counts as plain data; `rate` is executed in time ÷ issued."""
    return {
        "issued": counts.issued, "executed": counts.executed, "late": counts.late, "waiting": counts.waiting,
        "expired": counts.expired, "planned": counts.planned, "doubtful": counts.doubtful,
        "withdrawn": counts.withdrawn, "unissued": counts.unissued, "people": counts.people,
        "people_settled": counts.reached, "rate": counts.rate,
    }  # fmt: skip


def told_row(row: Row) -> dict[str, object]:
    """A line as plain data."""
    return {
        "code": row.spot.code if row.spot else None,
        "staff": row.staff,
        "name": row.name,
        **told(row.counts),
    }

"""流转: the loop met → bought → bought again → bought of another category, day by day, with its rates.

A stage holds at the start of a day who has taken its step and not yet the next; a rate is how many of them took the
next on that day. Everybody known counts, whether they can be reached now or not. The loop's last step (老带新) is told
by `profiles.values`, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from yutang.kernel.calendars import day_start
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import nodes
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.profiles.queries import as_of, moment
from yutang.warehouse.contracts import Warehouse, named

DAYS = 60
EVERYBODY = -1
STEPS = ("met", "bought", "again", "wider")
Taken = Mapping[tuple[int, int, date | None], int]


@dataclass(frozen=True, slots=True)
class DayFlow:
    """A local day: who stood at each stage when it began (met and not bought; bought once; bought again and of nothing
    else), and who took each step that day."""

    day: date
    standing: tuple[int, int, int]
    taken: tuple[int, int, int, int]

    @property
    def rates(self) -> tuple[float | None, float | None, float | None]:
        """The share of each stage that took the next step that day."""
        first, second, third = (
            moved / stood if stood else None for stood, moved in zip(self.standing, self.taken[1:], strict=True)
        )
        return first, second, third


def _counted(warehouse: Warehouse) -> Taken:
    """Steps by node and day. (Unscoped: each viewer's node is cut from it.)"""
    at = as_of(warehouse)
    if at is None:
        return {}
    now = moment(warehouse)
    since = day_start(now.today - timedelta(days=DAYS), now.zone)
    rows = warehouse.query(named("layers/flow", {"as_of": at, "zone": now.zone, "since": since})).to_pylist()
    return {(row["node"], row["step"], row["day"]): row["persons"] for row in rows}


FLOW: Beforehand[Taken] = Beforehand(_counted)


def flow(warehouse: Warehouse, viewer: Viewer) -> Counted[list[DayFlow]]:
    """The last days of whom the viewer sees, the latest first; today is not over. Of a viewer of several separate
    places, of the first of them."""
    counted = FLOW.answer(warehouse)
    if as_of(warehouse) is None:
        return Counted([], counted.as_of)
    seen = {node.id for node in nodes() if viewer.sees(node.id)}
    top = next((int(node.id) for node in nodes() if node.id in seen and node.parent not in seen), None)
    node = EVERYBODY if viewer.sees_all else top
    if node is None:
        return Counted([], counted.as_of)
    return Counted(days(counted.value, node, moment(warehouse).today), counted.as_of)


def days(taken: Taken, node: int, today: date) -> list[DayFlow]:
    """Each day of one node, the latest first."""
    sums = [taken.get((node, step, None), 0) for step in range(len(STEPS))]
    found = []
    for back in range(DAYS, -1, -1):
        day = today - timedelta(days=back)
        mine = tuple(taken.get((node, step, day), 0) for step in range(len(STEPS)))
        standing = (sums[0] - sums[1], sums[1] - sums[2], sums[2] - sums[3])
        found.append(DayFlow(day, standing, (mine[0], mine[1], mine[2], mine[3])))
        sums = [before + now for before, now in zip(sums, mine, strict=True)]
    return found[::-1]


def over(found: list[DayFlow], span: int = 30) -> tuple[tuple[int, int, int], tuple[int, int, int, int]]:
    """Who stood where `span` days ago, and who took each step since; the day that is not over counts for neither."""
    whole = found[1 : span + 1]
    if not whole:
        return (0, 0, 0), (0, 0, 0, 0)
    taken = [sum(one.taken[step] for one in whole) for step in range(len(STEPS))]
    return whole[-1].standing, (taken[0], taken[1], taken[2], taken[3])

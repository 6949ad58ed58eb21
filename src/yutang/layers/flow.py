"""流转: the loop met → bought → bought again → bought of another category → brought somebody, by day, with its rates.

A stage holds at the start of a day who has taken its step and not yet the next; a rate is how many of them took the
next on that day. Everybody known counts, whether they can be reached now or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from yutang.kernel.calendars import day_start
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import nodes
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.profiles.queries import as_of, moment
from yutang.warehouse.contracts import Statement, Warehouse, named
from yutang.warehouse.dialects import beneath

DAYS = 60
EVERYBODY = -1
STEPS = ("met", "bought", "again", "wider", "brought")
Standing = tuple[int, int, int, int]
Steps = tuple[int, int, int, int, int]
Taken = Mapping[tuple[int, int, date | None], int]


@dataclass(frozen=True, slots=True)
class DayFlow:
    """A local day: who stood at each stage when it began (met and not bought; bought once; bought again and of nothing
    else; of something else and brought nobody), and who took each step that day."""

    day: date
    standing: Standing
    taken: Steps

    @property
    def rates(self) -> tuple[float | None, float | None, float | None, float | None]:
        """The share of each stage that took the next step that day."""
        first, second, third, fourth = (
            moved / stood if stood else None for stood, moved in zip(self.standing, self.taken[1:], strict=True)
        )
        return first, second, third, fourth


def with_steps(statement: Statement) -> Statement:
    """The SELECT (of parameter `as_of`) with tables `seconds` (`person`, `second_at`) and `inviters` (`person`,
    `brought_at`) below its others: who bought again, and who brought somebody, said in one place."""
    return beneath(beneath(statement, "seconds", "layers/seconds"), "inviters", "layers/inviters")


def _counted(warehouse: Warehouse) -> Taken:
    """Steps by node and day. (Unscoped: each viewer's node is cut from it.)"""
    at = as_of(warehouse)
    if at is None:
        return {}
    now = moment(warehouse)
    since = day_start(now.today - timedelta(days=DAYS), now.zone)
    rows = warehouse.query(
        with_steps(named("layers/flow", {"as_of": at, "zone": now.zone, "since": since}))
    ).to_pylist()
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
        mine = [taken.get((node, step, day), 0) for step in range(len(STEPS))]
        standing = [stood - went for stood, went in pairwise(sums)]
        found.append(DayFlow(day, _four(standing), _five(mine)))
        sums = [before + now for before, now in zip(sums, mine, strict=True)]
    return found[::-1]


def over(found: list[DayFlow], span: int = 30) -> tuple[Standing, Steps]:
    """Who stood where `span` days ago, and who took each step since; the day that is not over counts for neither."""
    whole = found[1 : span + 1]
    if not whole:
        return (0, 0, 0, 0), (0, 0, 0, 0, 0)
    return whole[-1].standing, _five([sum(one.taken[step] for one in whole) for step in range(len(STEPS))])


def _four(given: Sequence[int]) -> Standing:
    first, second, third, fourth = given
    return first, second, third, fourth


def _five(given: Sequence[int]) -> Steps:
    first, second, third, fourth, fifth = given
    return first, second, third, fourth, fifth

"""What became of batches, added up by whose they are or by when they were due. How each stands is a column of its own
(`Standing`), so a tally reads an index and no row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import (
    BooleanField,
    Count,
    ExpressionWrapper,
    Max,
    Min,
    Q,
    QuerySet,
    Sum,
    TextField,
)
from django.db.models.functions import Cast

from yutang.kernel.errors import NotFound
from yutang.kernel.ids import BatchId, PlanId, SenderId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import homes
from yutang.reach.contracts import PlanFacts, PlanState, Standing
from yutang.reach.models import Batch, Plan, Run
from yutang.reach.queries import facts_of, visible_plans
from yutang.reach.settled import SETTLED, Settled

Numbers = npt.NDArray[np.int64]
A_LIST = 20_000  # ids that one statement takes
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
ISSUED = (Standing.WAITING, Standing.EXECUTED, Standing.LATE, Standing.EXPIRED)
"""已下发: what a guide was asked to do, and what was not called off before it was over."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which batches: of one plan, or of all plans that run now, and due from `since` up to, not including, `until`.

    Of all plans whatever, `since` should be said: what is older than it then costs nothing.
    """

    plan: PlanId | None = None
    running: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tallies:
    """Sums as columns of one length: of the batches of `sender` that stand at `standing`, how many they are, for how
    many people they were asked for, and of how many of those something final is known. `day` as asked for, else 0."""

    sender: Numbers
    standing: Numbers
    batches: Numbers
    asked: Numbers
    done: Numbers
    day: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """Batches that were due at one instant and stand alike; `hour` is that of the tap in the brand's zone."""

    due_at: datetime
    standing: Standing
    hour: int | None
    batches: int
    asked: int
    done: int


class Open(NamedTuple):
    """A batch that waits for its tap. `task` is empty where nobody said which of the platform's it is. Where it stands
    for several of one account (`batches`), it is the first of them, and `people` are those of all."""

    batch: BatchId
    sender: SenderId
    plan: PlanId
    deadline: datetime
    people: int
    task: str
    batches: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A batch as whoever asks after it sees it. `task` is what the platform calls it, empty where nobody said."""

    id: BatchId
    plan: PlanId
    sender: SenderId
    standing: Standing
    due_at: datetime
    deadline: datetime
    tapped_at: datetime | None
    asked: int
    done: int
    occasion: str
    attempt: int
    task: str


def tallies(viewer: Viewer, wanted: Wanted, accounts: Collection[SenderId] | None, *, by_day: bool = False) -> Tallies:
    """The batches of these accounts (None: of all that the viewer sees), by account and standing; and by when they
    were due."""
    columns = ["sender", "standing", "n", "a", "d"]
    rows: list[tuple[Any, ...]] = []
    settled, rest = _apart(viewer, wanted) if accounts is None and not by_day else (None, wanted)
    for part in _of(viewer, rest, accounts) if rest is not None else []:
        keys = ("sender", "due_at", "standing") if by_day else ("sender", "standing")
        rows += part.order_by().values(*keys).annotate(n=Count("pk"), a=Sum("asked"), d=Sum("done")).values_list(
            *columns, *(["due_at"] if by_day else [])
        )  # fmt: skip
    numbers = np.array([row[:5] for row in rows], dtype=np.int64).reshape(-1, 5)
    if settled is not None:
        numbers = _together(numbers, settled.of.by_sender(settled.since, settled.until))
    sender, standing, batches, asked, done = numbers.T
    return Tallies(sender, standing, batches, asked, done, [row[5] for row in rows] if by_day else ())


def _together(*several: Numbers) -> Numbers:
    """Rows of sender, standing and sums, with one row for each sender and standing."""
    rows = np.concatenate(several)
    _, first, place = np.unique(rows[:, 0] * (max(Standing) + 1) + rows[:, 1], return_index=True, return_inverse=True)
    sums = [np.bincount(place, weights=rows[:, column]).astype(np.int64) for column in (2, 3, 4)]
    return np.column_stack([rows[first, :2], *sums])


def course(
    viewer: Viewer,
    wanted: Wanted,
    accounts: Collection[SenderId] | None,
    *,
    without: Collection[SenderId] = (),
) -> list[Course]:
    """The batches of these accounts (None: of all that the viewer sees, but `without` those) by when they were due, how
    they stand and in which hour they were tapped."""
    found: dict[tuple[datetime, int, int | None], list[int]] = {}
    settled, rest = _apart(viewer, wanted) if accounts is None else (None, wanted)
    if settled is not None:
        for at, stands, tapped, *sums in settled.of.by_time(settled.since, settled.until, without):
            found[at, stands, tapped] = sums
    for part in _of(viewer, rest, accounts) if rest is not None else []:
        rows = part.exclude(sender__in=list(without)) if without else part
        counted = rows.order_by().values("due_at", "standing", "tapped_hour").annotate(
            n=Count("pk"), a=Sum("asked"), d=Sum("done")
        )  # fmt: skip
        for due_at, standing, hour, *values in counted.values_list("due_at", "standing", "tapped_hour", "n", "a", "d"):
            before = found.setdefault((due_at, standing, hour), [0, 0, 0])
            found[due_at, standing, hour] = [one + other for one, other in zip(before, values, strict=True)]
    return [
        Course(due_at, Standing(standing), hour, *values) for (due_at, standing, hour), values in sorted(
            found.items(), key=lambda item: (item[0][0], item[0][1], -1 if item[0][2] is None else item[0][2])
        )
    ]  # fmt: skip


def tasks_standing(
    viewer: Viewer,
    wanted: Wanted,
    accounts: Collection[SenderId] | None,
    standings: Collection[Standing],
    *,
    without: Collection[SenderId] = (),
    limit: int | None = None,
    offset: int = 0,
) -> list[Task]:
    """The batches of these accounts (as of `course`) that stand so, by when they were due, the latest first."""
    found: list[Task] = []
    upto = None if limit is None else offset + limit
    for part in _of(viewer, wanted, accounts):
        chosen = part.filter(standing__in=[one.value for one in standings]).order_by("-due_at", "-pk")
        chosen = chosen.exclude(sender__in=list(without)) if without else chosen
        found += [_task(row) for row in chosen.select_related("run")[:upto]]
    return sorted(found, key=lambda one: (one.due_at, one.id), reverse=True)[offset:upto]


def waiting(
    viewer: Viewer,
    wanted: Wanted,
    accounts: Collection[SenderId] | None,
    now: datetime,
    *,
    without: Collection[SenderId] = (),
) -> list[Open]:
    """The batches of these accounts (as of `course`) that wait for their tap and may still be tapped, the nearest
    deadline first."""
    found: list[Open] = []
    deadlines: dict[str, datetime] = {}  # few differ, and Django would read each
    plan_of = dict(Run.objects.filter(plan__state=PlanState.RUNNING).values_list("pk", "plan_id"))
    for part in _of(viewer, wanted, accounts):
        rows = part.filter(standing=Standing.WAITING.value, deadline__gt=now)
        rows = rows.exclude(sender__in=list(without)) if without else rows
        rows = rows.annotate(ends=Cast("deadline", TextField()))
        columns = ("pk", "sender", "run", "ends", "asked", "done", "task")
        for pk, sender, run, ends, asked, done, task in rows.values_list(*columns):
            if run not in plan_of:
                continue
            deadline = deadlines.get(ends) or deadlines.setdefault(ends, _instant(ends))
            found.append(Open(BatchId(pk), SenderId(sender), PlanId(plan_of[run]), deadline, asked - done, task))
    return sorted(found, key=attrgetter("deadline", "batch"))


def waiting_in_sum(
    viewer: Viewer,
    wanted: Wanted,
    accounts: Collection[SenderId] | None,
    now: datetime,
    *,
    without: Collection[SenderId] = (),
    apart: Collection[BatchId] = (),
) -> list[Open]:
    """What `waiting` tells, for who asks how many: all of an account that the platform has a task of as one, and all
    that it has none of. Batches that are not like others (`apart`) each stand for themselves."""
    if len(apart) > A_LIST:
        return waiting(viewer, wanted, accounts, now, without=without)
    found: list[Open] = []
    plan_of = dict(Run.objects.filter(plan__state=PlanState.RUNNING).values_list("pk", "plan_id"))
    for part in _of(viewer, wanted, accounts):
        rows = part.filter(standing=Standing.WAITING.value, deadline__gt=now, run__in=list(plan_of))
        rows = rows.exclude(sender__in=list(without)) if without else rows
        sums = rows.exclude(pk__in=list(apart)) if apart else rows
        named = ExpressionWrapper(~Q(task=""), BooleanField())
        grouped = sums.order_by().annotate(named=named).values("sender", "named")
        told = grouped.annotate(first=Min("pk"), of=Min("run"), ends=Min("deadline"), n=Count("pk"),
                                a=Sum("asked"), d=Sum("done"), t=Max("task"))  # fmt: skip
        columns = ("first", "sender", "of", "ends", "a", "d", "t", "n")
        alone = ("pk", "sender", "run", "deadline", "asked", "done", "task")
        many = list(told.values_list(*columns))
        many += [(*row, 1) for row in rows.filter(pk__in=list(apart)).values_list(*alone)] if apart else []
        found += [
            Open(BatchId(pk), SenderId(sender), PlanId(plan_of[run]), deadline, asked - done, task, batches)
            for pk, sender, run, deadline, asked, done, task, batches in many
        ]
    return sorted(found, key=attrgetter("deadline", "batch"))


def _instant(told: str) -> datetime:
    """A time that a store told as text: SQLite's say no zone."""
    at = datetime.fromisoformat(told)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def still_waiting(numbers: Collection[int], now: datetime) -> dict[BatchId, str]:
    """Those of the batches that may still be tapped, with the platform's task. (Unscoped: asked of batches that
    somebody saw.)"""
    rows = Batch.objects.filter(pk__in=list(numbers), standing=Standing.WAITING.value, deadline__gt=now)
    rows = rows.filter(run__plan__state=PlanState.RUNNING)
    return {BatchId(pk): task for pk, task in rows.values_list("pk", "task")}


def batches_numbered(viewer: Viewer, numbers: Collection[int]) -> dict[BatchId, Task]:
    """Batches by their numbers, as far as a viewer sees whose they are."""
    rows = Batch.objects.filter(pk__in=list(numbers)).select_related("run")
    if viewer.nodes is not None:
        rows = rows.filter(sender__in=[one.sender for one in homes(viewer)])
    return {BatchId(row.pk): _task(row) for row in rows}


def _task(row: Batch) -> Task:
    return Task(
        BatchId(row.pk), PlanId(row.run.plan_id), SenderId(row.sender), Standing(row.standing), row.due_at,
        row.deadline, row.tapped_at, row.asked, row.done, row.run.occasion, row.run.attempt, row.task,
    )  # fmt: skip


def plans_on_board(viewer: Viewer, limit: int = 60) -> list[PlanFacts]:
    """The plans of which batches were cut for accounts that a viewer sees, the newest first: whoever sees a task may
    know what it is for."""
    if viewer.nodes is None:
        rows = Plan.objects.filter(runs__isnull=False).distinct()
    else:
        rows = Plan.objects.filter(pk__in=_plans_of(viewer))
    return [facts_of(row) for row in rows.order_by("-pk")[:limit]]


def plan_on_board(viewer: Viewer, plan_id: int) -> PlanFacts:
    """One of them, or one that the viewer sees anyway. Raises NotFound."""
    row = visible_plans(viewer).filter(pk=plan_id).first()
    if row is None and viewer.nodes is not None:
        row = Plan.objects.filter(pk__in=_plans_of(viewer)).filter(pk=plan_id).first()
    if row is None:
        raise NotFound(f"没有编号为 {plan_id} 的计划。", f"There is no plan number {plan_id}.")
    return facts_of(row)


def plans_numbered(viewer: Viewer, numbers: Collection[PlanId]) -> dict[PlanId, PlanFacts]:
    """Plans by their numbers, of batches that the viewer has been shown."""
    return {PlanId(row.pk): facts_of(row) for row in Plan.objects.filter(pk__in=list(numbers))}


def _plans_of(viewer: Viewer) -> QuerySet[Batch, Any]:
    return Batch.objects.filter(sender__in=[one.sender for one in homes(viewer)]).values("run__plan_id")


@dataclass(frozen=True, slots=True)
class _Before:
    """The part of a period of which all batches are settled."""

    of: Settled
    since: datetime
    until: datetime


def _apart(viewer: Viewer, wanted: Wanted) -> tuple[_Before | None, Wanted | None]:
    """The settled part of a period of the whole brand, if any is kept, and what the store must be asked of."""
    kept = SETTLED.kept()
    if kept is None or viewer.nodes is not None or wanted.plan is not None or wanted.running or wanted.since is None:
        return None, wanted
    if not kept.covers(wanted.since):
        return None, wanted
    until = kept.until if wanted.until is None else min(kept.until, wanted.until)
    rest = Wanted(since=kept.until, until=wanted.until) if wanted.until is None or wanted.until > kept.until else None
    return _Before(kept, wanted.since, until), rest


def _of(viewer: Viewer, wanted: Wanted, accounts: Collection[SenderId] | None) -> list[QuerySet[Batch]]:
    """The batches, in as many statements as the accounts need. A viewer of a part never asks of all."""
    rows = Batch.objects.all()
    if wanted.plan is not None:
        rows = rows.filter(run__in=list(Run.objects.filter(plan_id=wanted.plan).values_list("pk", flat=True)))
    elif wanted.running:
        runs = list(Run.objects.filter(plan__state=PlanState.RUNNING).values_list("pk", flat=True))
        rows = rows.filter(run__in=runs)
    if wanted.since is not None or wanted.until is not None:
        # both ends, always: by one alone SQLite thinks it would find nearly all
        rows = rows.filter(due_at__gte=wanted.since or FIRST, due_at__lt=wanted.until or LAST)
    if accounts is None and viewer.nodes is None:
        return [rows]
    ids = sorted({one.sender for one in homes(viewer)} if accounts is None else accounts)
    return [rows.filter(sender__in=ids[at : at + A_LIST]) for at in range(0, len(ids), A_LIST)]

"""Execution over time, who never executes, why not, and what became of asking."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count

from yutang.execution.board import IDLE_TASKS, Below
from yutang.execution.contracts import Counts, Reason, Spot
from yutang.execution.models import Chase, Errand, GivenReason
from yutang.kernel.calendars import local_day
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import BatchId, NodeId, PlanId, SenderId, StaffId
from yutang.kernel.shares import Estimate
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand, homes, staff_names
from yutang.reach.contracts import Standing
from yutang.reach.tallies import ISSUED, Tallies, Wanted, course, tallies

WEEKLY_FROM = 45  # days from which a course is told by weeks
NEVER_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Step:
    """A local day, or the week that begins with it."""

    first: date
    counts: Counts


@dataclass(frozen=True, slots=True)
class Never:
    """Somebody, or a store, of whom `tasks` are over and none was executed. `upper`: with how high a rate that could
    still be chance, at 95 % (Wilson 1927)."""

    tasks: int
    people: int
    upper: float
    staff: StaffId | None = None
    name: str = ""
    spot: Spot | None = None


@dataclass(frozen=True, slots=True)
class OverTime:
    """How execution went: by day or week, by the hour of the tap (brand's zone), and who never executed."""

    steps: tuple[Step, ...]
    weekly: bool
    hours: tuple[int, ...]
    total: Counts
    stores: tuple[Never, ...]
    guides: tuple[Never, ...]
    idle_stores: int
    idle_guides: int


@dataclass(frozen=True, slots=True)
class Told:
    """A reason as it was given."""

    sender: SenderId
    staff: StaffId
    name: str
    node: NodeId
    batch: int | None
    reason: Reason
    text: str
    until: date | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reasons:
    """How often each reason was given, the most frequent first, and the latest of them."""

    counts: tuple[tuple[Reason, int], ...]
    latest: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class ChaseFacts:
    """A chase, and how its calls stand: by kind and state, of the guides whom the viewer sees."""

    id: int
    by: str
    at: datetime
    place: str
    staff: StaffId | None
    plan: PlanId | None
    guides: int
    left_out: Mapping[str, int]
    states: Mapping[str, int]

    @property
    def open(self) -> int:
        """How many calls are still to be made."""
        return self.states.get("due", 0) + self.states.get("calling", 0)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a chase: to whom, how, and what came of it."""

    staff: StaffId
    name: str
    node: NodeId
    kind: str
    batch: int | None
    state: str
    zh: str
    en: str


def over_time(viewer: Viewer, wanted: Wanted, tree: Below) -> OverTime:
    """How the batches below a node went."""
    zone = brand().zone
    rows = course(viewer, wanted, tree.accounts, without=tree.without if tree.whole else ())
    local = {at: local_day(at, zone) for at in {row.due_at for row in rows}}
    span = (max(local.values()) - min(local.values())).days if local else 0
    weekly = span > WEEKLY_FROM
    sums: dict[date, Counter[str]] = defaultdict(Counter)
    hours = [0] * 24
    for row in rows:
        day = local[row.due_at]
        first = day - timedelta(days=day.weekday()) if weekly else day
        name = row.standing.name.lower()
        sums[first][name] += row.batches
        if row.standing in ISSUED:
            sums[first]["people"] += row.asked
            sums[first]["reached"] += row.done
        if row.hour is not None:
            hours[row.hour] += row.batches
    steps = tuple(Step(first, Counts(**counted)) for first, counted in sorted(sums.items()))
    total = Counts(**sum((Counter(counted) for counted in sums.values()), Counter()))
    stores, guides = _never(viewer, tallies(viewer, wanted, tree.accounts), tree)
    names = staff_names(viewer, [one.staff for one in guides[:NEVER_SHOWN] if one.staff is not None])
    return OverTime(
        steps,
        weekly,
        tuple(hours),
        total,
        tuple(stores[:NEVER_SHOWN]),
        tuple(
            Never(one.tasks, one.people, one.upper, one.staff, names.get(one.staff, "") if one.staff else "")
            for one in guides[:NEVER_SHOWN]
        ),
        len(stores),
        len(guides),
    )


def _never(viewer: Viewer, sums: Tallies, tree: Below) -> tuple[list[Never], list[Never]]:
    """Stores and guides of whom enough is over and nothing was executed, the most tasks first."""
    home_of = {home.sender: home for home in tree.homes}
    over = {Standing.EXECUTED.value, Standing.LATE.value, Standing.EXPIRED.value}
    tapped = {Standing.EXECUTED.value, Standing.LATE.value}
    by_staff: dict[StaffId, list[int]] = defaultdict(lambda: [0, 0, 0])
    by_node: dict[NodeId, list[int]] = defaultdict(lambda: [0, 0, 0])
    columns = zip(sums.sender.tolist(), sums.standing.tolist(), sums.batches.tolist(), sums.asked.tolist(), strict=True)
    for sender, standing, batches, asked in columns:
        home = home_of.get(SenderId(sender))
        if home is None or standing not in over:
            continue
        for found in (by_staff[home.staff], by_node[home.node]):
            found[0] += batches
            found[1] += asked
            found[2] += batches if standing in tapped else 0
    spots = {place.id: Spot(place.id, place.kind, place.code, place.name) for place in tree.stores}
    if tree.at is not None:
        spots.setdefault(tree.at.id, tree.at)
    stores = [
        Never(tasks, people, _upper(tasks), spot=spots[node])
        for node, (tasks, people, done) in by_node.items()
        if tasks >= IDLE_TASKS and not done and node in spots
    ]
    guides = [
        Never(tasks, people, _upper(tasks), staff=staff)
        for staff, (tasks, people, done) in by_staff.items()
        if tasks >= IDLE_TASKS and not done
    ]
    return sorted(stores, key=lambda one: -one.tasks), sorted(guides, key=lambda one: (-one.tasks, one.staff or 0))


def _upper(tasks: int) -> float:
    return Estimate(0, tasks).high or 0.0


def reasons(
    viewer: Viewer, tree: Below, *, since: datetime | None = None, until: datetime | None = None, latest: int = 20
) -> Reasons:
    """What was said of why not, by the accounts below a node."""
    home_of = {home.sender: home for home in tree.homes}
    rows = GivenReason.objects.all()
    if since is not None:
        rows = rows.filter(at__gte=since)
    if until is not None:
        rows = rows.filter(at__lt=until)
    if not tree.whole:
        rows = rows.filter(sender__in=list(home_of))
    counted = rows.order_by().values_list("reason").annotate(n=Count("pk"))
    newest = [row for row in rows.order_by("-at", "-pk")[:latest] if SenderId(row.sender) in home_of]
    names = staff_names(viewer, {home_of[SenderId(row.sender)].staff for row in newest})
    told = tuple(
        Told(
            SenderId(row.sender), (home := home_of[SenderId(row.sender)]).staff, names.get(home.staff, ""), home.node,
            row.batch, Reason(row.reason), row.text or "", row.until, row.by, row.at,
        )
        for row in newest
    )  # fmt: skip
    return Reasons(tuple(sorted(((Reason(name), n) for name, n in counted), key=lambda one: -one[1])), told)


def reasons_of(viewer: Viewer, batches: Collection[BatchId]) -> dict[BatchId, tuple[Reason, str]]:
    """The latest reason that was given of each batch, with its words. (Of batches that the viewer was shown.)"""
    rows = GivenReason.objects.filter(batch__in=list(batches)).order_by("at", "pk")
    return {BatchId(row.batch): (Reason(row.reason), row.text or "") for row in rows if row.batch is not None}


def chases(viewer: Viewer, limit: int = 20) -> list[ChaseFacts]:
    """What was asked, the latest first; of the guides whom the viewer sees."""
    staff = _staff(viewer)
    errands = Errand.objects.order_by()
    rows = Chase.objects.order_by("-pk")
    if staff is not None:
        rows = rows.filter(nudges__staff__in=staff).distinct()
        errands = errands.filter(nudge__staff__in=staff)
    found = list(rows[:limit])
    states: dict[int, dict[str, int]] = defaultdict(dict)
    guides: Counter[int] = Counter()
    mine = errands.filter(nudge__chase__in=[row.pk for row in found])
    for number, state, count in mine.values_list("nudge__chase", "state").annotate(n=Count("pk")):
        states[number][state] = count
    for number, count in mine.values_list("nudge__chase").annotate(n=Count("nudge", distinct=True)):
        guides[number] = count
    return [
        ChaseFacts(
            row.pk, row.by, row.at, row.place, None if row.staff is None else StaffId(row.staff),
            None if row.plan is None else PlanId(row.plan), guides[row.pk] if staff is not None else row.guides,
            row.left_out if staff is None else {}, states[row.pk],
        )
        for row in found
    ]  # fmt: skip


def calls_of(viewer: Viewer, number: int, limit: int = 100) -> list[Call]:
    """The calls of a chase to guides whom the viewer sees, what went wrong first. Raises NotFound."""
    home_of = {home.sender: home for home in homes(viewer)}
    rows = Errand.objects.filter(nudge__chase=number).select_related("nudge").order_by("pk")
    mine = [row for row in rows if SenderId(row.account) in home_of]
    if not mine:
        raise NotFound("没有这次催办。", "There is no such chase.")
    order = {"refused": 0, "unknown": 1, "dropped": 2, "due": 3, "calling": 3, "done": 4}
    shown = sorted(mine, key=lambda row: (order.get(row.state, 9), row.pk))[:limit]
    names = staff_names(viewer, {home_of[SenderId(row.account)].staff for row in shown})
    return [
        Call(
            (home := home_of[SenderId(row.account)]).staff, names.get(home.staff, ""), home.node, row.kind, row.batch,
            row.state, row.reason_zh, row.reason_en,
        )
        for row in shown
    ]  # fmt: skip


def _staff(viewer: Viewer) -> Sequence[StaffId] | None:
    return None if viewer.sees_all else sorted({home.staff for home in homes(viewer)})

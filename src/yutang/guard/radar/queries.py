"""How every wall stands, for headquarters: walls are those of whole corps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.db.models import Max

from yutang.guard.radar.contracts import EntryFacts, EntryKind, State, WallFacts
from yutang.guard.radar.models import Entry, Snapshot
from yutang.guard.radar.walls import BY_NAME
from yutang.kernel.errors import Refused
from yutang.organisation.contracts import Viewer

STANDS = timedelta(days=3)
"""For how long a wall that cannot be read stands as it stood."""
URGENCY = {State.HIT: 0, State.WARNED: 1, State.UNTOLD: 2, State.FINE: 3}


def headquarters(viewer: Viewer) -> None:
    """Raise Refused for whoever does not run the whole brand."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("额度和费用属于整个品牌，请找总部运营。", "Quotas and costs are the brand's; ask headquarters.")


def walls(viewer: Viewer) -> list[WallFacts]:
    """Every wall as it was seen last, the most urgent first. One that could not be read for a day or two stands as it
    stood before. Raises Refused."""
    headquarters(viewer)
    days = dict(Snapshot.objects.values_list("wall").annotate(last=Max("day")))
    newest = max(days.values(), default=None)
    last = {wall: day for wall, day in days.items() if newest is not None and day > newest - STANDS}
    order = {name: place for place, name in enumerate(BY_NAME)}
    rows = [
        row
        for row in Snapshot.objects.filter(day__in=set(last.values()))
        if row.day == last.get(row.wall) and row.wall in BY_NAME
    ]
    found = [_facts(row) for row in rows]
    return sorted(
        found,
        key=lambda one: (
            URGENCY[one.state], one.low if one.low is not None else 1e9, order[one.wall.name], one.corp, one.title,
        ),
    )  # fmt: skip


def warnings(viewer: Viewer) -> list[WallFacts]:
    """The walls that somebody must act on. Raises Refused."""
    return [one for one in walls(viewer) if one.urgent]


def history(viewer: Viewer, wall: str, corp: str, subject: str) -> list[tuple[str, Decimal, Decimal]]:
    """What was used of a wall, and of how much, by day, the oldest first. Raises Refused."""
    headquarters(viewer)
    rows = Snapshot.objects.filter(wall=wall, corp=corp, subject=subject).order_by("day")
    return [(day.isoformat(), used, most) for day, used, most in rows.values_list("day", "used", "most")]


def entries(viewer: Viewer) -> Sequence[EntryFacts]:
    """What was written down and stands. Raises Refused."""
    headquarters(viewer)
    return [
        EntryFacts(
            row.pk, EntryKind(row.kind), row.corp, row.title, row.most, row.used, row.ends_on, row.price, row.note,
            row.by, row.at,
        )
        for row in Entry.objects.filter(ended_at=None).order_by("kind", "title", "pk")
    ]  # fmt: skip


def _facts(row: Snapshot) -> WallFacts:
    return WallFacts(
        BY_NAME[row.wall], row.corp, row.subject, row.title, row.day, row.used, row.most, row.pace, row.low,
        row.middle, row.high, State(row.state), row.since, row.ends_on, row.price,
    )  # fmt: skip

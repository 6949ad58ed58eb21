"""A segment through time: as of a past day, from one version to the next, and who came and went day by day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa
from sqlglot import exp

from yutang.kernel.documents import Part
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import Viewer
from yutang.profiles.conditions import instant
from yutang.profiles.drawn import Told, drawn
from yutang.profiles.queries import in_scope
from yutang.segments.compile import compile_memberships
from yutang.segments.contracts import Context
from yutang.segments.documents import SegmentDocument, leaves, referred
from yutang.segments.queries import context, each_drawn, members_at, total
from yutang.segments.why import of_today
from yutang.warehouse.contracts import Statement, Warehouse

FLOW_DAYS = 30
BEFORE, AFTER = "0before", "0after"  # no segment has such a name


@dataclass(frozen=True, slots=True)
class Then:
    """A segment as of an instant. `members` (column `person`) are of a sample where `told`, how many there were, is not
    exact; `today` are the leaves known as of today only."""

    at: datetime
    members: pa.Table
    told: Told
    today: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Whom a later document has and an earlier one has not, the other way round, and whom both have."""

    come: Told
    go: Told
    stay: Told

    @property
    def exact(self) -> bool:
        """Whether everybody was looked at."""
        return self.stay.exact


@dataclass(frozen=True, slots=True)
class Flow:
    """Who came and who went on a local day; `versions` are those of the document under which it was seen."""

    day: date
    entered: int
    left: int
    versions: tuple[int, ...]

    @property
    def net(self) -> int:
        """By how many the segment grew."""
        return self.entered - self.left


def as_of(warehouse: Warehouse, viewer: Viewer, document: SegmentDocument, at: datetime) -> Then:
    """The segment at an instant before now. Raises BadInput for one to come."""
    now = context(warehouse)
    if at > now.moment.as_of:
        raise BadInput("请选今天以前的日子。", "Choose a day that is over.")
    today = tuple(dict.fromkeys(leaf for leaf in _leaves(document, now) if of_today(leaf)))
    members, among = members_at(warehouse, viewer, document, at)
    return Then(at, members, among.told(members.num_rows), today)


def _leaves(document: SegmentDocument, at: Context) -> Iterator[Part]:
    for leaf in leaves(document.where):
        named = referred(leaf)
        if named:
            yield from _leaves(at.segments(named), at)
        else:
            yield leaf


def differing(warehouse: Warehouse, viewer: Viewer, before: SegmentDocument, after: SegmentDocument) -> Difference:
    """How the members differ whom two documents have now, in one pass. Raises BadInput where either names what is no
    more."""
    both = _both(before, after)
    found = _differing(warehouse, in_scope(compile_memberships(both, context(warehouse)), viewer), {})
    return Difference(*(Told(number, number, number) for number in found))


def about_differing(
    warehouse: Warehouse, viewer: Viewer, before: SegmentDocument, after: SegmentDocument
) -> Difference:
    """The same, told by those drawn: exact where the viewer sees no more persons."""
    some = drawn(warehouse, viewer)
    each = each_drawn(_both(before, after), context(warehouse))
    return Difference(*(some.told(number) for number in _differing(warehouse, each, some.tables)))


def _both(before: SegmentDocument, after: SegmentDocument) -> list[SegmentDocument]:
    return [before.model_copy(update={"name": BEFORE}), after.model_copy(update={"name": AFTER})]


def _differing(warehouse: Warehouse, each: exp.Select, tables: Mapping[str, pa.Table]) -> list[int]:
    was, is_ = exp.column(BEFORE, "each", quoted=True), exp.column(AFTER, "each", quoted=True)
    columns = [
        total(exp.and_(exp.not_(was.copy()), is_.copy())).as_("come"),
        total(exp.and_(was.copy(), exp.not_(is_.copy()))).as_("go"),
        total(exp.and_(was.copy(), is_.copy())).as_("stay"),
    ]
    query = exp.select(*columns).from_(each.subquery("each"))
    row = warehouse.query(Statement(query, tables=tables, name="segments/differing")).to_pylist()[0]
    return [int(value or 0) for value in row.values()]


def flow(warehouse: Warehouse, viewer: Viewer, name: str, days: int = FLOW_DAYS) -> list[Flow] | None:
    """Who came and who went, of those whom the viewer sees, by local day, the last first; None where it was never
    looked. The first look finds those who are in it: they have not come. Who was merged into another is not told."""
    at = context(warehouse).moment
    looked = Statement('SELECT min("at") AS first FROM segment_changes WHERE segment = $segment', {"segment": name})
    first = warehouse.query(looked)["first"][0].as_py()
    if first is None:
        return None
    when = exp.column("at", "segment_changes", quoted=True)
    entered = exp.column("entered", "segment_changes")
    zone = exp.Literal.string(at.zone)
    query = (
        exp.select(
            exp.Anonymous(this="day_in_zone", expressions=[when.copy(), zone]).as_("day"),
            exp.column("version", "segment_changes").as_("version"),
            total(entered.copy()).as_("came"),
            total(exp.not_(entered.copy())).as_("went"),
        )
        .from_("segment_changes")
        .join("profiles", on="profiles.person = segment_changes.person")
        .where(exp.column("segment", "segment_changes").eq(exp.Literal.string(name)))
        .where(exp.GT(this=when.copy(), expression=exp.cast(exp.Literal.string(str(first)), "timestamp")))
        .where(exp.GT(this=when.copy(), expression=instant(at.as_of - timedelta(days=days))))
        .group_by("1", "2")
    )
    rows = warehouse.query(Statement(in_scope(query, viewer), name="segments/flow")).to_pylist()
    by_day: dict[date, list[dict[str, int]]] = {}
    for row in rows:
        by_day.setdefault(row["day"], []).append(row)
    return [
        Flow(
            day,
            sum(int(row["came"]) for row in its),
            sum(int(row["went"]) for row in its),
            tuple(sorted(row["version"] for row in its)),
        )
        for day, its in sorted(by_day.items(), reverse=True)
    ]

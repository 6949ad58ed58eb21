"""Who is in a segment, for those who may see them. Segments are read at the instant at which profiles stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from yutang.documents.queries import current, document_named, documents_of
from yutang.kernel.documents import Part
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER, nodes
from yutang.profiles.contracts import Moment
from yutang.profiles.drawn import Drawn, Told, drawn
from yutang.profiles.past import profiles_at, ranks
from yutang.profiles.queries import (
    DRAWN,
    in_scope,
    is_among,
    join_beside,
    moment,
    page_of,
    seen_by,
    select_traits,
    those,
)
from yutang.profiles.remembered import Remembered
from yutang.profiles.shapes import unknown
from yutang.profiles.traits import MORE, TRAITS
from yutang.segments.compile import compile_memberships, compile_segment
from yutang.segments.contracts import Context, Nodes
from yutang.segments.documents import All, Any_, BoughtRule, SegmentDocument
from yutang.segments.fitting import remembering
from yutang.warehouse.contracts import Statement, Warehouse, named

_CATEGORIES: Remembered[tuple[str, ...]] = Remembered()
_PAST: Remembered[tuple[pa.Table, Drawn]] = Remembered(size=8)


def context(warehouse: Warehouse) -> Context:
    """What documents are compiled against now. Raises Refused before the first refresh of profiles."""
    return Context(moment(warehouse), Nodes(nodes), segment_named, remembering(warehouse))


def segment_named(name: str) -> SegmentDocument:
    """The current segment of a name. Raises NotFound."""
    return document_named(SegmentDocument, name)


def segments() -> list[SegmentDocument]:
    """The current version of every segment, by name."""
    return documents_of(SegmentDocument)


def offered(warehouse: Warehouse, chosen: str = "") -> list[SegmentDocument]:
    """The segments to choose from: all but those shipped ones that need categories which the data do not have. What was
    `chosen` already stays among them. Unscoped because documents tell of nobody."""
    known = frozenset(categories(warehouse))
    return [
        stored.document
        for stored in current(SegmentDocument)
        if isinstance(stored.document, SegmentDocument)
        and (stored.document.name == chosen or not (stored.shipped and lacking(stored.document, known)))
    ]


def categories(warehouse: Warehouse) -> tuple[str, ...]:
    """Every category that anybody ever bought, the commonest first. Unscoped because a category tells of nobody."""
    return _CATEGORIES.answer(
        warehouse,
        None,
        lambda: tuple(map(str, warehouse.query(named("segments/categories")).column(0).to_pylist())),
    )


def lacking(document: SegmentDocument, known: Collection[str]) -> tuple[str, ...]:
    """The categories without which nobody can be in a segment, where none of them is `known`."""
    return tuple(dict.fromkeys(_lacking(document.where, known)))


def _lacking(rule: Part, known: Collection[str]) -> tuple[str, ...]:
    match rule:
        case All():
            return tuple(name for branch in rule.all_ for name in _lacking(branch, known))
        case Any_():
            each = [_lacking(branch, known) for branch in rule.any_]
            return tuple(name for names in each for name in names) if all(each) else ()
        case BoughtRule() if rule.bought.skus is None and not set(rule.bought.categories or ()) & set(known):
            return rule.bought.categories or ()
    return ()


def statement(document: SegmentDocument, viewer: Viewer, at: Context) -> Statement:
    """SELECT `person` of the members whom the viewer may see, unordered: what the planner joins."""
    return Statement(in_scope(compile_segment(document, at), viewer), name=f"segments/{document.name}")


def members_at(warehouse: Warehouse, viewer: Viewer, document: SegmentDocument, at: datetime) -> tuple[pa.Table, Drawn]:
    """Who (column `person`) was in a segment at an instant before now, among some of the persons whom the viewer may
    see, and these: by what they bought and did until then, as known today; tags, consent and friendships are today's.
    """
    now = context(warehouse)
    then = replace(now, moment=Moment(at, now.moment.zone))
    query = compile_segment(document, then, drawn=True)

    def ask() -> tuple[pa.Table, Drawn]:
        asked = {column.name for column in query.find_all(exp.Column) if column.table in ("profiles", MORE)}
        mine = some = drawn(warehouse, viewer)
        if ranks(asked):  # among everybody
            some = drawn(warehouse, OWNER)
            mine = mine.of(some)
        tables = {**profiles_at(warehouse, then.moment, asked, some), **mine.tables}
        return warehouse.query(Statement(query, tables=tables, name=f"segments/{document.name}")), mine

    return _PAST.answer(warehouse, (query.sql(), at, viewer.nodes), ask)


def count(warehouse: Warehouse, viewer: Viewer, document: SegmentDocument) -> int:
    """How many members the viewer may see."""
    return counts(warehouse, viewer, [document])[document.name]


def counts(warehouse: Warehouse, viewer: Viewer, documents: Sequence[SegmentDocument]) -> dict[str, int]:
    """How many members each of these segments has for the viewer, in one pass."""
    if not documents:
        return {}
    row = warehouse.query(count_statement(documents, viewer, context(warehouse))).to_pylist()[0]
    return dict(zip((document.name for document in documents), row.values(), strict=True))


def about(warehouse: Warehouse, viewer: Viewer, document: SegmentDocument) -> Told:
    """How many members the viewer may see, told by those drawn: exact where they see no more persons."""
    some = drawn(warehouse, viewer)
    counting = _counting([document], each_drawn([document], context(warehouse)))
    row = warehouse.query(Statement(counting, tables=some.tables, name="segments/counts"))
    return some.told(int(row.column(0)[0].as_py()))


def each_drawn(documents: Sequence[SegmentDocument], at: Context) -> exp.Select:
    """`compile_memberships` of those who are drawn, and so are seen; the table of them comes with the statement."""
    each = compile_memberships(documents, at, DRAWN, drawn=True)
    return each.where(is_among(exp.column("person", "profiles"), DRAWN))


def count_statement(documents: Sequence[SegmentDocument], viewer: Viewer, at: Context) -> Statement:
    """One row: the number of members of each document, in their order, whom the viewer may see."""
    each = in_scope(compile_memberships(documents, at), viewer)
    return Statement(_counting(documents, each), name="segments/counts")


def _counting(documents: Sequence[SegmentDocument], each: exp.Select) -> exp.Select:
    columns = [
        exp.Count(this=exp.Case().when(exp.column(document.name, "each", quoted=True), exp.Literal.number(1))).as_(
            f"n{i}"
        )
        for i, document in enumerate(documents)
    ]
    return exp.select(*columns).from_(each.subquery("each"))


def overlaps(
    warehouse: Warehouse, viewer: Viewer, document: SegmentDocument, others: Sequence[SegmentDocument]
) -> dict[str, tuple[int, int]]:
    """How many of each segment's members are in `document` too, and how many it has; `document` itself included."""
    asked = [document, *(other for other in others if other.name != document.name)]
    each = in_scope(compile_memberships(asked, context(warehouse)), viewer)
    mine = exp.column(document.name, "each", quoted=True)
    columns = []
    for index, other in enumerate(asked):
        its = exp.column(other.name, "each", quoted=True)
        columns.append(total(exp.and_(mine.copy(), its.copy())).as_(f"both{index}"))
        columns.append(total(its).as_(f"all{index}"))
    query = exp.select(*columns).from_(each.subquery("each"))
    row = warehouse.query(Statement(query, name="segments/overlaps")).to_pylist()[0]
    return {other.name: (int(row[f"both{i}"] or 0), int(row[f"all{i}"] or 0)) for i, other in enumerate(asked)}


def total(condition: exp.Expr) -> exp.Expr:
    """How many rows meet a condition."""
    one, none = exp.Literal.number(1), exp.Literal.number(0)
    return exp.Sum(this=exp.Case().when(condition, one).else_(none))


def members_page(
    warehouse: Warehouse,
    viewer: Viewer,
    document: SegmentDocument,
    *,
    limit: int,
    offset: int = 0,
    order: str = "person",
    traits: Sequence[str] = (),
    found: npt.NDArray[np.int64] | None = None,
) -> tuple[int, pa.Table]:
    """How many members there are, and `members` of one page; an offset beyond the last shows no row. `found`: who they
    are, where that is known (`kept.found_members`)."""
    at = context(warehouse)
    keys = _order(at, limit, offset, order, traits)
    query, tables = compile_segment(document, at), None
    if found is not None:
        chosen, tables = those(found)
        query = exp.select(exp.column("person", "profiles")).from_("profiles")
        query = query.where(exp.In(this=exp.column("person", "profiles"), query=chosen.subquery()))
    name = f"segments/{document.name}"
    query = in_scope(query, viewer)
    total, persons = page_of(
        warehouse, query, keys, limit=limit, offset=offset, name=name, tables=tables, among=seen_by(viewer)
    )
    rows = warehouse.query(Statement(select_traits(traits, at.moment, persons), name=name))
    place = pc.index_in(pa.array(persons, pa.int64()), value_set=rows["person"].combine_chunks())
    return total, rows.take(place.drop_null())


def members(
    warehouse: Warehouse,
    viewer: Viewer,
    document: SegmentDocument,
    *,
    limit: int = 50,
    offset: int = 0,
    order: str = "person",
    traits: Sequence[str] = (),
) -> pa.Table:
    """`person` and these traits of the members whom the viewer may see.

    `order` is `person` or a trait, with `-` before it for the largest first; persons without a value come last, and
    ties stand by person. Raises BadInput for an unknown trait.
    """
    at = context(warehouse)
    keys = _order(at, limit, offset, order, traits)
    query = in_scope(compile_segment(document, at), viewer)
    query = query.select(*[TRAITS[name].expression(at.moment).as_(name) for name in traits])
    by_person = exp.Ordered(this=exp.column("person", "profiles"), desc=False, nulls_first=False)
    query = query.order_by(*keys, by_person).limit(limit).offset(offset)
    return warehouse.query(Statement(join_beside(query), name=f"segments/{document.name}"))


def _order(at: Context, limit: int, offset: int, order: str, traits: Sequence[str]) -> list[exp.Ordered]:
    """What rows are ordered by, before the person. Raises BadInput for an unknown trait, or a page that is none."""
    key = order.removeprefix("-")
    for name in (*traits, key):
        if name != "person" and name not in TRAITS:
            raise unknown("属性", "trait", name, list(TRAITS))
    if limit < 0 or offset < 0:
        raise BadInput("limit 和 offset 不能为负。", "limit and offset are not negative.")
    value = exp.column("person", "profiles") if key == "person" else TRAITS[key].expression(at.moment)
    return [exp.Ordered(this=value, desc=order.startswith("-"), nulls_first=False)]

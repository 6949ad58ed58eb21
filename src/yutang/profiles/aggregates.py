"""Trait documents to statements: each kind of rows is read once, for however many documents ask of it.

A document's row of `profile_more` holds its value and the next instant at which time alone may change it: when a row
that counts leaves its window, or one that is to come enters. Who has neither has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pyarrow as pa
from sqlglot import exp

from yutang.profiles.conditions import (
    column,
    compared,
    counting,
    instant,
    of_events,
    of_lines,
    one_of,
    prop,
    started,
    text,
)
from yutang.profiles.contracts import Moment
from yutang.profiles.documents import Of, Take, TraitDocument
from yutang.profiles.traits import day_of, ratio
from yutang.warehouse.contracts import Statement, load_sql
from yutang.warehouse.dialects import parse

COLUMNS = {"number": "double", "amount": "decimal(18, 2)", "text": "text", "at": "timestamp"}
"""Where a value stands, by its type."""
_INTO = 'INSERT INTO profile_more (person, trait, number, amount, "text", "at", next_edge_at)'
_ANY = datetime(2001, 2, 3, 4, 5, 6, 70809, tzinfo=UTC)  # no day begins then
_MOST_WRITTEN = 50
_Written = tuple[str, Mapping[str, timedelta], Mapping[str, pa.Table]]
_written: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[_Written]] = {}
SEEN_AT = {Of.EVENTS: "occurred_at", Of.ORDERS: "placed_at", Of.LINES: "placed_at", Of.TOUCHES: "at"}


def selects(
    documents: Sequence[TraitDocument], moment: Moment, work: Callable[[Of], exp.Query]
) -> list[tuple[exp.Select, Mapping[str, pa.Table]]]:
    """SELECTs of rows of `profile_more`, with the tables they need: the aggregates at the instant, of the persons of
    `work` (`birth`, `person`) for each kind of rows."""
    made: list[tuple[exp.Select, Mapping[str, pa.Table]]] = []
    for of, several in groupby(sorted(documents, key=_of), key=_of):
        plain = []
        for document in several:
            if document.ranked or document.after_last:
                made.append(_alone(document, moment, work(of)))
            else:
                plain.append(document)
        if plain:
            made.append(_together(of, plain, moment, work(of)))
    return made


def inserts(documents: Sequence[TraitDocument], moment: Moment, work: Callable[[Of], exp.Query]) -> list[Statement]:
    """Statements that put these rows into `profile_more`."""
    return [replace(one, sql=f"{_INTO} {one.sql}") for one in asked(documents, moment, work)]


def asked(documents: Sequence[TraitDocument], moment: Moment, work: Callable[[Of], exp.Query]) -> list[Statement]:
    """Statements that ask for these rows.

    Their texts are written once for the documents, with the instants as parameters: writing them takes longer than
    asking a small pond.
    """
    births = {of: work(of).sql() for of in Of}
    key = (moment.zone, tuple(map(repr, documents)), tuple(births.values()))
    if key not in _written:
        if len(_written) >= _MOST_WRITTEN:
            _written.clear()
        at = Moment(_ANY, moment.zone)
        spans = {one.span for one in documents if one.span is not None}
        _written[key] = [_parametrised(select, spans, tables) for select, tables in selects(documents, at, work)]
    return [
        Statement(text_, {name: moment.as_of - back for name, back in backs.items()}, tables, "profiles/more")
        for text_, backs, tables in _written[key]
    ]


def _parametrised(
    select: exp.Select, spans: Collection[timedelta], tables: Mapping[str, pa.Table]
) -> tuple[str, Mapping[str, timedelta], Mapping[str, pa.Table]]:
    """The text, and for each of its parameters how long before the instant it is."""
    written = select.sql(dialect="duckdb", identify=True)
    backs = {}
    for back in (timedelta(0), *spans):
        literal_, name = f"'{instant(_ANY - back).this.name}'", f"back_{int(back.total_seconds())}"
        if literal_ in written:
            written, backs[name] = written.replace(literal_, f"${name}"), back
    return written, backs, tables


def _of(document: TraitDocument) -> Of:
    assert document.of is not None  # aggregates alone come here
    return document.of


# Rows -------------------------------------------------------------------------------------------------------------


def _rows(of: Of) -> exp.Select:
    """SELECT … FROM the rows of a kind, each with its birth person as `births.birth` to be joined."""
    match of:
        case Of.EVENTS:
            return exp.select().from_("events")
        case Of.ORDERS:
            return exp.select().from_("orders").where(column("cancelled_at", "orders").is_(exp.null()))
        case Of.LINES:
            return exp.select().from_("order_lines").where(counting())
    touches = parse(load_sql("profiles/touches"))
    assert isinstance(touches, exp.Query)
    return exp.select().from_(touches.subquery("touches"))


def _table(of: Of) -> str:
    return "order_lines" if of is Of.LINES else of.value


def _at(of: Of) -> exp.Column:
    return column(SEEN_AT[of], _table(of))


def _value(document: TraitDocument, moment: Moment) -> exp.Expr | None:
    """What the field that a document names is in its rows."""
    of, what = _of(document), document.what
    at = _at(of)
    match what:
        case None:
            return None
        case "hour":
            local = exp.Anonymous(this="local_in_zone", expressions=[at, text(moment.zone)])
            return exp.Extract(this=exp.Var(this="hour"), expression=local)
        case "weekday":
            return exp.Extract(this=exp.Var(this="isodow"), expression=day_of(at, moment))
        case "day":
            return day_of(at, moment)
        case "order":  # within a person, ids of two sources may be the same
            return _key(column("source", "order_lines"), column("order_id", "order_lines"))
        case "class":
            return column("touch_class", "touches")
        case "amount" if of is Of.ORDERS:
            return column("net_amount", "orders")
    if what.startswith("props."):
        return prop(what.removeprefix("props."))
    return column(what, _table(of))


def _key(*parts: exp.Expr) -> exp.Expr:
    return exp.Concat(expressions=[parts[0], text("\x1f"), *parts[1:]], safe=True, coalesce=True)


def _counts(document: TraitDocument, moment: Moment) -> exp.Expr:
    """Which rows count, but that they are not to come."""
    of, where = _of(document), document.where
    conditions: list[exp.Expr] = []
    match of:
        case Of.EVENTS:
            conditions += [one_of(column("type", "events"), where.type or ()), *of_events(where)]
        case Of.ORDERS:
            if where.source:
                conditions.append(one_of(column("source", "orders"), where.source))
            if where.amount:
                conditions += compared(column("net_amount", "orders"), where.amount)
        case Of.LINES:
            if where.goods:
                conditions.append(of_lines(where.goods))
            if where.source:
                conditions.append(one_of(column("source", "order_lines"), where.source))
            if where.amount:
                conditions += compared(column("amount", "order_lines"), where.amount)
        case Of.TOUCHES:
            if where.channel:
                conditions.append(one_of(column("channel", "touches"), where.channel))
            if where.class_:
                conditions.append(one_of(column("touch_class", "touches"), where.class_))
    at = _at(of)
    conditions += [at.is_(exp.null()).not_(), *started(at, document, moment)]
    value = _value(document, moment)
    if value is not None:
        conditions.append(value.is_(exp.null()).not_())
    return exp.and_(*conditions)


# Many in one pass -------------------------------------------------------------------------------------------------


def _together(
    of: Of, documents: Sequence[TraitDocument], moment: Moment, work: exp.Query
) -> tuple[exp.Select, Mapping[str, pa.Table]]:
    """One pass over the rows of a kind; each document's aggregates, then a row of each document."""
    at = _at(of)
    totals = _rows(of).select(column("person", "work")).group_by(column("person", "work"))
    totals = _of_work(totals, of, work)
    totals = totals.where(exp.or_(*{one.sql(): one for one in (_counts(one, moment) for one in documents)}.values()))
    for number, document in enumerate(documents):
        counts = _counts(document, moment)
        here = exp.and_(counts, exp.LTE(this=at.copy(), expression=instant(moment.as_of)))
        totals = totals.select(
            _cast(_taken(document, _value(document, moment), at, here), document).as_(f"v{number}"),
            _edge(document, at, counts, here, instant(moment.as_of)).as_(f"e{number}"),
        )
    asked = pa.table({"trait": [document.name for document in documents]})
    each = exp.select(column("person", "totals"), column("trait", "asked")).from_(totals.subquery("totals"))
    each = each.join("asked_traits AS asked", join_type="cross")
    for name, kind in COLUMNS.items():
        mine = [(document.name, f"v{number}") for number, document in enumerate(documents) if document.column == name]
        each = each.select(exp.cast(_by_trait(mine), kind).as_(name, quoted=True))
    each = each.select(_by_trait([(one.name, f"e{n}") for n, one in enumerate(documents)]).as_("next_edge_at"))
    return _told(each), {"asked_traits": asked}


def _cast(value: exp.Expr, document: TraitDocument) -> exp.Expr:
    return exp.cast(value, COLUMNS[document.column])


def _by_trait(columns: Sequence[tuple[str, str]]) -> exp.Expr:
    """The column of the row's trait."""
    if not columns:
        return exp.null()
    case = exp.Case(this=column("trait", "asked"))
    for trait, name in columns:
        case = case.when(text(trait), column(name, "totals"))
    return case


def _of_work(rows: exp.Select, of: Of, work: exp.Query) -> exp.Select:
    mine = exp.EQ(this=column("birth", "work"), expression=column("person", _table(of)))
    return rows.join(work.subquery("work"), on=mine)


def _told(each: exp.Select) -> exp.Select:
    """The rows that say anything."""
    names = ("person", "trait", *COLUMNS, "next_edge_at")
    known = [column(name, "each").is_(exp.null()).not_() for name in (*COLUMNS, "next_edge_at")]
    return exp.select(*[column(name, "each") for name in names]).from_(each.subquery("each")).where(exp.or_(*known))


def _taken(document: TraitDocument, value: exp.Expr | None, at: exp.Expr, here: exp.Expr) -> exp.Expr:
    """The aggregate over the rows that count; a sum of nothing is nothing, and read as zero."""
    if value is None:
        chosen = {Take.COUNT: exp.Literal.number(1), Take.FIRST: at, Take.LAST: at}[_take(document)]
    else:
        chosen = value
    when = exp.Case().when(here, chosen)
    match _take(document):
        case Take.COUNT:
            return exp.Sum(this=when)
        case Take.DISTINCT:
            return exp.Nullif(this=exp.Count(this=exp.Distinct(expressions=[when])), expression=exp.Literal.number(0))
        case Take.SUM:
            return exp.Sum(this=when)
        case Take.MEAN:  # of exact sums, so that it does not hang on the order of the rows
            return ratio(exp.Sum(this=when), exp.Count(this=when.copy()))
        case Take.MIN | Take.FIRST:
            return exp.Min(this=when)
    return exp.Max(this=when)


def _take(document: TraitDocument) -> Take:
    assert document.take is not None
    return document.take


def _edge(document: TraitDocument, at: exp.Expr, counts: exp.Expr, here: exp.Expr, as_of: exp.Expr) -> exp.Expr:
    """When time alone may next change it."""
    to_come = exp.and_(counts.copy(), exp.GT(this=at.copy(), expression=as_of.copy()))
    enters = exp.Min(this=exp.Case().when(to_come, at.copy()))
    if document.span is None:
        return enters
    first = exp.Min(this=exp.Case().when(here.copy(), at.copy()))
    hours = int(document.span.total_seconds()) // 3600
    leaves = exp.Add(this=first, expression=exp.Interval(this=exp.Literal.number(hours), unit=exp.Var(this="HOUR")))
    # Engines do not agree on what the least of an instant and nothing is.
    return exp.Least(
        this=exp.Coalesce(this=enters, expressions=[leaves]),
        expressions=[exp.Coalesce(this=leaves.copy(), expressions=[enters.copy()])],
    )


# One by itself ----------------------------------------------------------------------------------------------------


def _alone(document: TraitDocument, moment: Moment, work: exp.Query) -> tuple[exp.Select, Mapping[str, pa.Table]]:
    """A document that needs its rows in an order, or what a person did last."""
    of = _of(document)
    at, value = _at(of), _value(document, moment)
    counts = _counts(document, moment)
    rows = _of_work(_rows(of), of, work).where(counts)
    rows = rows.select(column("person", "work"), at.as_("seen_at"), (value or exp.Literal.number(1)).as_("value"))
    found = exp.select(column("person", "found"), column("seen_at", "found"), column("value", "found"))
    found = found.from_(rows.subquery("found"))
    as_of = instant(moment.as_of)
    if document.after_last:
        mine = exp.EQ(this=column("birth", "own"), expression=column("person", "events"))
        came = column("occurred_at", "events")
        done = (
            exp.select(
                column("person", "own"),
                exp.Max(this=exp.Case().when(exp.LTE(this=came, expression=as_of), came)).as_("done_at"),
                exp.Min(this=exp.Case().when(exp.GT(this=came.copy(), expression=as_of), came)).as_("next_at"),
            )
            .from_("events")
            .join(work.copy().subquery("own"), on=mine)
        )
        done = done.where(one_of(column("type", "events"), document.after_last)).group_by(column("person", "own"))
        found = found.join(done.subquery("done"), on="done.person = found.person", join_type="left").select(
            column("next_at", "done")
        )
        since = column("done_at", "done")
        found = found.where(
            exp.or_(since.is_(exp.null()), exp.GT(this=column("seen_at", "found"), expression=since.copy()))
        )
    body = _by_value(found, document, as_of) if document.ranked else _by_person(found, document, as_of)
    each = exp.select(column("person", "totals"), text(document.name).as_("trait")).from_(body.subquery("totals"))
    for name, kind in COLUMNS.items():
        mine_ = column("value", "totals") if document.column == name else exp.null()
        each = each.select(exp.cast(mine_, kind).as_(name, quoted=True))
    each = each.select(column("edge", "totals").as_("next_edge_at"))
    return _told(each), {}


def _by_person(found: exp.Select, document: TraitDocument, as_of: exp.Expr) -> exp.Select:
    """`value` and `edge` of each person's rows."""
    at = column("seen_at", "rows")
    here = exp.LTE(this=at, expression=as_of)
    edge = _edge(document, at, exp.true(), here, as_of)
    if document.after_last:
        edge = _sooner(edge, exp.Min(this=column("next_at", "rows")))
    asked = None if document.what is None else column("value", "rows")
    totals = exp.select(column("person", "rows"), edge.as_("edge"), _taken(document, asked, at, here).as_("value"))
    return totals.from_(found.subquery("rows")).group_by(column("person", "rows"))


def _by_value(found: exp.Select, document: TraitDocument, as_of: exp.Expr) -> exp.Select:
    """`value` and `edge` of each person, where the value is the one that came first, last or most often: rows are added
    up by value, and only then ordered. Values that are all to come are ranked last, and are never taken."""
    at = column("seen_at", "rows")
    here = exp.LTE(this=at, expression=as_of)
    edge = _edge(document, at, exp.true(), here, as_of)
    if document.after_last:
        edge = _sooner(edge, exp.Min(this=column("next_at", "rows")))
    then = exp.Case().when(here, at.copy())
    shelves = exp.select(
        column("person", "rows"),
        column("value", "rows"),
        edge.as_("edge"),
        exp.Count(this=then).as_("times"),
        exp.Min(this=then.copy()).as_("first_at"),
        exp.Max(this=then.copy()).as_("latest_at"),
    )
    shelves = shelves.from_(found.subquery("rows")).group_by(column("person", "rows"), column("value", "rows"))
    order = {
        Take.MOST_FREQUENT: [("times", True), ("latest_at", True)],
        Take.LAST: [("latest_at", True)],
        Take.FIRST: [("first_at", False)],
    }[_take(document)]
    place = exp.Window(
        this=exp.RowNumber(),
        partition_by=[column("person", "shelves")],
        order=exp.Order(
            expressions=[
                exp.Ordered(this=column(name, "shelves"), desc=down, nulls_first=False)
                for name, down in [*order, ("value", False)]
            ]
        ),
    )
    names = ("person", "value", "edge", "times")
    placed = exp.select(*[column(name, "shelves") for name in names], place.as_("place"))
    taken = exp.and_(
        exp.EQ(this=column("place", "placed"), expression=exp.Literal.number(1)),
        exp.GT(this=column("times", "placed"), expression=exp.Literal.number(0)),
    )
    value = exp.Max(this=exp.Case().when(taken, column("value", "placed")))
    totals = exp.select(
        column("person", "placed"), exp.Min(this=column("edge", "placed")).as_("edge"), value.as_("value")
    )
    placed = placed.from_(shelves.subquery("shelves"))
    return totals.from_(placed.subquery("placed")).group_by(column("person", "placed"))


def _sooner(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    return exp.Least(
        this=exp.Coalesce(this=one.copy(), expressions=[other.copy()]),
        expressions=[exp.Coalesce(this=other.copy(), expressions=[one.copy()])],
    )

"""What a document says of rows and numbers, as expressions: said once for segments and traits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlglot import exp

from yutang.kernel.calendars import day_start
from yutang.profiles.contracts import Moment
from yutang.profiles.shapes import EventWhere, Goods, Windowed

_BOUNDS: Mapping[str, type[exp.Binary]] = {
    "is_": exp.EQ,
    "is_not": exp.NEQ,
    "at_least": exp.GTE,
    "at_most": exp.LTE,
    "more_than": exp.GT,
    "less_than": exp.LT,
}


def compared(value: exp.Expr, bounds: Any) -> list[exp.Expr]:
    """The conditions of `Bounds`, or of a rule with the same fields, on a value."""
    conditions: list[exp.Expr] = [
        kind(this=value.copy(), expression=literal(given))
        for name, kind in _BOUNDS.items()
        if (given := getattr(bounds, name)) is not None
    ]
    if bounds.between is not None:
        low, high = bounds.between
        conditions.append(exp.Between(this=value.copy(), low=literal(low), high=literal(high)))
    return conditions


def started(at: exp.Column, span: Windowed, moment: Moment) -> list[exp.Expr]:
    """The far end of the window, and its days: all that is asked of an instant but that it is not to come."""
    conditions: list[exp.Expr] = []
    if span.span is not None:
        conditions.append(exp.GT(this=at.copy(), expression=instant(moment.as_of - span.span)))
    if span.since is not None:
        conditions.append(exp.GTE(this=at.copy(), expression=instant(day_start(span.since, moment.zone))))
    if span.until is not None:
        after = day_start(span.until + timedelta(days=1), moment.zone)
        conditions.append(exp.LT(this=at.copy(), expression=instant(after)))
    return conditions


def windowed(at: exp.Column, span: Windowed, moment: Moment) -> list[exp.Expr]:
    """The instants that count: never later than the profiles' own."""
    return [exp.LTE(this=at, expression=instant(moment.as_of)), *started(at, span, moment)]


def of_events(where: EventWhere) -> list[exp.Expr]:
    """Which events count."""
    conditions: list[exp.Expr] = []
    for name, wanted in (("source", where.source), ("channel", where.channel)):
        if wanted:
            conditions.append(one_of(column(name, "events"), wanted))
    if where.amount:
        conditions += compared(column("amount", "events"), where.amount)
    for name, values in where.props.items():
        conditions.append(one_of(prop(name), values))
    return conditions


def of_lines(goods: Goods) -> exp.Expr:
    """Which lines of orders count: any category or any sku that is named."""
    asked = [
        one_of(column(name, "order_lines"), wanted)
        for name, wanted in (("category", goods.categories), ("sku", goods.skus))
        if wanted
    ]
    return exp.or_(*asked)


def counting() -> exp.Expr:
    """Whether a line counts: it is of the last revision of an order that stands."""
    return exp.not_(exp.Coalesce(this=column("void", "order_lines"), expressions=[exp.false()]))


def prop(name: str) -> exp.Expr:
    """A prop of an event as text. The path is a literal to both engines; names of props are the vocabulary's words."""
    return exp.JSONExtractScalar(
        this=column("props", "events"),
        expression=exp.JSONPath(expressions=[exp.JSONPathRoot(), exp.JSONPathKey(this=name)]),
    )


def instant(at: datetime) -> exp.Expr:
    """An aware instant as the warehouse keeps it: naive UTC."""
    return exp.cast(exp.Literal.string(at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")), "timestamp")


def one_of(value: exp.Expr, texts: Sequence[str]) -> exp.Expr:
    """Whether the value is one of these."""
    return exp.In(this=value, expressions=[text(one) for one in texts])


def column(name: str, table: str) -> exp.Column:
    """A column of a table."""
    return exp.column(name, table)


def text(value: str) -> exp.Literal:
    """A text."""
    return exp.Literal.string(value)


def literal(value: Any) -> exp.Expr:
    """A value that a document says."""
    match value:
        case bool():
            return exp.true() if value else exp.false()
        case int() | float():
            number = exp.Literal.number(repr(abs(value)))
            return exp.Neg(this=number) if value < 0 else number
        case date():
            return exp.cast(text(value.isoformat()), "date")
    return text(str(value))

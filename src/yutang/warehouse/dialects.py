"""The one SQL text, said in ClickHouse's words.

Statements are written in DuckDB's dialect and keep to the functions of `ALLOWED`; `to_clickhouse` transpiles them with
sqlglot and puts right what sqlglot does not. What a text must mind, so that both engines answer alike:

- `/` is floating-point division on both (ClickHouse would truncate decimals); `ratio(a, b)` also gives null for b = 0;
- a list parameter is asked with `list_contains($list, x)`, which serves an empty list too; `unnest` of an empty list
  has no type on ClickHouse;
- local days and times: `day_in_zone(instant, zone)` and `local_in_zone(instant, zone)`, zone being a text or a column;
  `utc_of_local(wall, zone)`, zone being a text or a parameter, and `wall` no time that a clock change skips or repeats;
- `median` and `quantile_cont` of a DOUBLE (of a DECIMAL, DuckDB rounds to its scale);
- NOT EXISTS, never NOT IN; no `approx_quantile`, `epoch_us`, `make_timestamp`, `md5_number_lower`;
- `arg_max` and `arg_min` may pick either row of a tie; order by enough columns to have none.

ClickHouse must run with the settings of `CLICKHOUSE_SETTINGS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache

import sqlglot
from sqlglot import exp

from yutang.kernel.errors import BadInput
from yutang.warehouse.contracts import Statement, bindable, load_sql

CLICKHOUSE_SETTINGS: dict[str, str | int] = {
    "session_timezone": "UTC",
    "join_use_nulls": 1,
    "aggregate_functions_null_for_empty": 1,
    "prefer_column_name_to_alias": 1,  # else `sum(x) AS x … WHERE x > 0` asks for the sum
}

ALLOWED = frozenset(
    {
        *("count", "sum", "avg", "min", "max", "arg_max", "arg_min", "any_value", "logical_or", "logical_and"),
        *("stddev_samp", "variance", "median", "percentile_cont", "array_agg"),
        *("row_number", "rank", "dense_rank", "ntile", "lag", "lead", "first_value", "last_value", "percent_rank"),
        *("coalesce", "nullif", "greatest", "least", "case", "if", "cast", "try_cast", "exists"),
        *("abs", "round", "floor", "ceil", "sqrt", "ln", "exp", "power", "ratio"),
        *("lower", "upper", "trim", "concat", "substring", "length", "replace", "starts_with"),
        *("list_contains", "unnest", "array", "json_extract_scalar"),
        *("day_in_zone", "local_in_zone", "utc_of_local"),
        *("timestamp_trunc", "date_diff", "extract", "year", "month", "day", "hour", "isodow"),
    }
)
"""Functions by sqlglot's canonical name; each is tried on both engines by the tests."""

_SAME = {
    "array_contains": "list_contains",
    "date_trunc": "timestamp_trunc",
    "datediff": "date_diff",
    "dayofweek_iso": "isodow",
    "explode": "unnest",
}
_COUNTS = (exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.Length)
"""What ClickHouse answers in numbers without a sign, which it does not add to those with one in a UNION or CASE."""

_SYNTAX = (exp.Connector, exp.Interval)  # `and`, `or`: sqlglot counts them as functions


def parse(text: str) -> exp.Expr:
    """One statement of DuckDB's dialect as an expression of one's own."""
    return sqlglot.parse_one(text, dialect="duckdb")


def beside(statement: Statement, table: str, query: str) -> Statement:
    """The SELECT with the rows of a named query as a table beside its others, which that query may name too.

    So that what several queries ask is said in one place.
    """
    return replace(statement, sql=_beside(statement.text(), table, query))


@cache
def _beside(text: str, table: str, query: str) -> str:
    select = parse(text)
    assert isinstance(select, exp.Select)
    return select.with_(table, as_=parse(load_sql(query))).sql(dialect="duckdb", identify=True)


def beneath(statement: Statement, table: str, query: str) -> Statement:
    """The SELECT with the rows of a named query as a table below its others, which may name it."""
    return replace(statement, sql=_beneath(statement.text(), table, query))


@cache
def _beneath(text: str, table: str, query: str) -> str:
    select = parse(text)
    assert isinstance(select, exp.Select)
    select = select.with_(table, as_=parse(load_sql(query)))
    whole = select.find(exp.With)
    assert whole is not None
    whole.set("expressions", [whole.expressions[-1], *whole.expressions[:-1]])
    return select.sql(dialect="duckdb", identify=True)


def functions(expression: exp.Expr) -> Iterator[str]:
    """The canonical name of every function used."""
    for node in expression.find_all(exp.Func):
        if isinstance(node, _SYNTAX):
            continue
        name = node.name if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) else node.sql_name()
        yield _SAME.get(name.lower(), name.lower())


def check_functions(statement: Statement) -> None:
    """Raise BadInput naming the functions that are not on the closed list."""
    foreign = sorted(set(functions(_expression(statement))) - ALLOWED)
    if foreign:
        raise BadInput(
            f"「{statement.title()}」用了不在名单上的函数 {'、'.join(foreign)}，请改写，或两个引擎都试过后加入名单。",
            f"“{statement.title()}” uses {', '.join(foreign)}, not on the closed list; "
            "write it otherwise, or add it once it is tried on both engines.",
        )


def to_clickhouse(statement: Statement) -> str:
    """The statement in ClickHouse's dialect, its parameters as literals.

    `<query>.clickhouse.sql` beside a named query wins. Raises BadInput on a function that is not allowed.
    """
    tree, own = clickhouse_tree(statement)
    return spoken(tree, bindable(statement), own=own).sql(dialect="clickhouse")


def clickhouse_tree(statement: Statement) -> tuple[exp.Expr, bool]:
    """What ClickHouse is to be told, before it is put into its words, and whether that was written for it already."""
    own = load_sql(statement.name, "clickhouse") if statement.name else ""
    if own:
        return sqlglot.parse_one(own, dialect="clickhouse"), True
    check_functions(statement)
    return _expression(statement), False


def spoken(tree: exp.Expr, values: dict[str, object], *, own: bool) -> exp.Expr:
    """The tree with the parameters' values in their places and, unless it is ClickHouse's own, in its words."""
    for node in reversed(list(tree.walk(bfs=False))):  # innermost first: what is replaced holds finished parts
        said = _filled(node, values)
        said = said if own else _reworded(said)
        if said is not node:
            node.replace(said)
    return tree


def _expression(statement: Statement) -> exp.Expr:
    return parse(statement.sql) if isinstance(statement.sql, str) else statement.sql.copy()


def _filled(node: exp.Expr, values: dict[str, object]) -> exp.Expr:
    """A parameter's value in its place."""
    if isinstance(node, exp.Placeholder | exp.Parameter):
        name = str(node.name or node.this)
        if name not in values:
            raise BadInput(f"缺少参数 ${name}。", f"Parameter ${name} is missing.")
        return literal(values[name])
    return node


def literal(value: object) -> exp.Expr:
    """A value in ClickHouse's words."""
    match value:
        case None:
            return exp.null()
        case bool():
            return exp.true() if value else exp.false()
        case int() | float():
            number = exp.Literal.number(abs(value))
            return exp.Paren(this=exp.Neg(this=number)) if value < 0 else number
        case Decimal():
            scale = max(0, -int(value.as_tuple().exponent))
            return _call("toDecimal128", exp.Literal.string(f"{value:f}"), exp.Literal.number(scale))
        case datetime():
            return _instant(exp.Literal.string(value.strftime("%Y-%m-%d %H:%M:%S.%f")))
        case date():
            return _call("toDate32", exp.Literal.string(value.isoformat()))
        case list():
            return exp.Array(expressions=[literal(item) for item in value])
    return exp.Literal.string(str(value))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _instant(value: exp.Expr) -> exp.Expr:
    """A naive UTC instant with microseconds, from text or time."""
    return _call("toDateTime64", value, exp.Literal.number(6), exp.Literal.string("UTC"))


def _float(value: exp.Expr) -> exp.Expr:
    return _call("toFloat64", value)


def _counts(node: exp.Expr) -> bool:
    """Whether the node, with its FILTER and its OVER, is such a count, whole."""
    core = node
    while isinstance(core, exp.Window | exp.Filter):
        core = core.this
    return isinstance(core, _COUNTS) and not isinstance(node.parent, exp.Window | exp.Filter)


def _reworded(node: exp.Expr) -> exp.Expr:
    """What sqlglot leaves wrong."""
    if _counts(node):
        return _call("toInt64", node.copy())
    match node:
        case exp.Anonymous():
            return _own_word(node)
        case exp.Column() if isinstance(node.parent, exp.Select) and node.table and not node.is_star:
            # Over a join ClickHouse would name the answer's column `a.person`.
            return exp.alias_(node.copy(), node.name) if node.arg_key == "expressions" else node
        case exp.Div():
            return exp.Div(this=_float(node.this), expression=_float(node.expression))
        case exp.IntDiv():
            return _call("intDiv", node.this, node.expression)
        case exp.Median():
            return _quantile(exp.Literal.number(0.5), node.this)
        case exp.PercentileCont():
            return _quantile(node.expression, node.this)
        case exp.Substring():
            return _call(
                "substringUTF8", *(node.args[part] for part in ("this", "start", "length") if node.args.get(part))
            )
        case exp.Lower() | exp.Upper():
            return _call(f"{node.sql_name().lower()}UTF8", node.this)
        case exp.LogicalOr():
            return exp.Max(this=node.this)
        case exp.LogicalAnd():
            return exp.Min(this=node.this)
        case exp.Cast() if node.to.is_type("timestamp", "timestampntz", "datetime"):
            return _instant(node.this)
        case exp.Cast() if node.to.is_type("date"):
            return _call("toDate32", node.this)
        case exp.TimestampTrunc() | exp.DateTrunc():
            return _instant(_call("dateTrunc", _unit(node), node.this))
        case exp.DateDiff():
            return _call("dateDiff", _unit(node), node.expression, node.this)
    return node


def _quantile(share: exp.Expr, value: exp.Expr) -> exp.Expr:
    """Exact and interpolated; ClickHouse's own `median` samples."""
    return exp.ParameterizedAgg(this="quantileExactInclusive", expressions=[share], params=[_float(value)])


def _unit(node: exp.Expr) -> exp.Expr:
    """The unit of a truncation or difference, as ClickHouse wants it: a lower-case text."""
    return exp.Literal.string(node.args["unit"].name.lower())


def _own_word(node: exp.Anonymous) -> exp.Expr:
    """The macros of migration 0001."""
    arguments = node.expressions
    match node.name.lower():
        case "day_in_zone":
            return _call("toDate32", _instant(_call("toString", *arguments)))
        case "local_in_zone":
            return _instant(_call("toString", *arguments))
        case "utc_of_local":
            wall, zone = arguments
            local = _call("toDateTime64", _call("toString", wall), exp.Literal.number(6), zone)
            return _call("toTimeZone", local, exp.Literal.string("UTC"))
        case "ratio":
            part, whole = arguments
            divisor = exp.Nullif(this=_float(whole), expression=exp.Literal.number(0))
            return exp.Paren(this=exp.Div(this=_float(part), expression=divisor))
    return node

"""Profiles as they stood at an earlier instant, told by the very definitions of today's.

By what a person bought, did and was sent until then, as known today: what was cancelled, corrected or returned since
was never bought. Who is whom, consents, tags, friendships, scopes, steps of the ladder and what a
model told of values are today's (`is_todays`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache, lru_cache

import pyarrow as pa
from sqlglot import exp

from yutang.kernel.clock import business_now
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER
from yutang.profiles.aggregates import asked as asked_of
from yutang.profiles.contracts import WINDOWS, Moment
from yutang.profiles.documents import Of
from yutang.profiles.drawn import Drawn, drawn
from yutang.profiles.queries import in_scope, select_traits, traits_of_one
from yutang.profiles.registry import aggregates
from yutang.profiles.traits import BESIDE, MORE, TRAITS
from yutang.warehouse.contracts import Statement, Warehouse, load_sql, named
from yutang.warehouse.dialects import parse

MOST = 10_000
"""No more persons than this can be named: their rows are read whole."""
NAMED = 200
"""No more births than this are named one by one, which finds their rows sooner."""
_RANKS = frozenset({"recency_score", "frequency_score", "monetary_score"})
_RANKED_BY = frozenset({"orders_ever", "last_order_at", "orders_365d", "spend_365d"})
_ROWS = ("orders", "order_lines", "events", "decisions")
_MORE = ("person", "trait", "number", "amount", "text", "at", "next_edge_at")


def is_todays(name: str) -> bool:
    """Whether a trait is known as of today only, whatever the day: it, or one that its formula names, is read from what
    stands beside profiles."""
    return any(column.table in BESIDE for column in _columns(name))


def is_a_rank(name: str) -> bool:
    """Whether a trait is, or its formula names, a place among everybody: not known where only some are looked at."""
    return any(column.name in _RANKS for column in _columns(name))


def _columns(name: str) -> Iterable[exp.Column]:
    return TRAITS[name].expression(Moment(business_now(), "UTC")).find_all(exp.Column)


def ranks(asked: Collection[str]) -> bool:
    """Whether one of these columns of `profiles` is a place among everybody."""
    return not _RANKS.isdisjoint(asked)


def profiles_at(warehouse: Warehouse, at: Moment, asked: Collection[str], some: Drawn) -> dict[str, pa.Table]:
    """The rows of `profiles` and `profile_more` at an instant before now, of those who are drawn: of everybody, where
    what is asked `ranks` them. No other columns are told than those asked for."""
    more = _more(warehouse, at, some.births, {}, asked)
    mine = frozenset(asked) - {"person"} - {document.name for document in aggregates()}
    if not mine:  # by what they did and bought alone
        return {"profiles": pa.table({"person": some.persons}), "profile_more": more}
    if not ranks(mine):
        told = warehouse.query(_told(at, some.births, {}, mine))
        return {"profiles": told, "profile_more": more}
    told = warehouse.query(_told(at, some.births, {}, mine - _RANKS | _RANKED_BY))
    scored = warehouse.query(Statement(_scores(), tables={"profiles": _unscored(told)}, name="profiles/scores"))
    whole = warehouse.query(named("profiles/at_instant", tables={"told": told, "scored": scored}))
    return {"profiles": whole, "profile_more": more}


def tables_at(warehouse: Warehouse, persons: Iterable[int], at: Moment) -> dict[str, pa.Table]:
    """The tables that hide the stored ones, so that whatever is asked is answered of these persons as of the instant:
    their profiles, and their events, orders, lines and decisions. Scores are not known (`is_a_rank`)."""
    wanted = pa.table({"person": pa.array(sorted(set(persons))[:MOST], pa.int64())})
    work = warehouse.query(named("profiles/births_of", tables={"wanted": wanted}))
    tables = rows_of(warehouse, work)
    told = warehouse.query(_told(at, work, tables))
    told = _unscored(told)
    more = _more(warehouse, at, work, tables, [document.name for document in aggregates()])
    return {**tables, "profiles": told, "profile_more": more}


def _unscored(told: pa.Table) -> pa.Table:
    for rank in sorted(_RANKS):
        told = told.append_column(rank, pa.nulls(told.num_rows, pa.int32()))
    return told


def rows_of(warehouse: Warehouse, births: pa.Table) -> dict[str, pa.Table]:
    """Tables that hide the stored ones: events, orders, lines and decisions of some persons, by every number of theirs
    (`birth`)."""
    mine: exp.Expr = exp.column("person").isin(*births["birth"].to_pylist())
    given: dict[str, pa.Table] = {}
    if births.num_rows > NAMED:
        mine, given = exp.condition("person IN (SELECT birth FROM births_of)"), {"births_of": births}
    tables = {}
    for name in _ROWS:
        asked = exp.select("*").from_(name).where(mine)
        tables[name] = warehouse.query(Statement(asked, tables=given, name=f"profiles/{name}_of"))
    return tables


def traits_at(
    warehouse: Warehouse,
    viewer: Viewer,
    names: Iterable[str],
    at: Moment,
    persons: Collection[int] | None = None,
    tables: Mapping[str, pa.Table] | None = None,
) -> pa.Table:
    """`person` and these traits as of an instant before now: of these persons (with their `tables_at`, where they are
    at hand), or of those drawn among everybody, as far as the viewer sees them. Raises KeyError for an
    unknown trait."""
    if persons is None:
        query = in_scope(select_traits(names, at), viewer)
        columns = {column.name for column in query.find_all(exp.Column) if column.table in ("profiles", MORE)}
        hidden: Mapping[str, pa.Table] = profiles_at(warehouse, at, columns, drawn(warehouse, OWNER))
        return warehouse.query(Statement(query, tables=hidden, name="profiles/traits_at"))
    hidden = tables_at(warehouse, persons, at) if tables is None else tables
    if len(persons) == 1:
        asked = traits_of_one(viewer, names, at, PersonId(*persons))
    else:
        asked = Statement(in_scope(select_traits(names, at, persons), viewer))
    return warehouse.query(replace(asked, tables=hidden, name="profiles/traits_at"))


def _told(at: Moment, work: pa.Table, tables: Mapping[str, pa.Table], asked: frozenset[str] | None = None) -> Statement:
    """Every column of `profiles` but the ranks, or those asked for."""
    params: dict[str, object] = {"as_of": at.as_of, "zone": at.zone}
    params |= {f"from_{days}": at.before(days) for days in WINDOWS}
    text = _traits(asked)
    mine = {name: tables[name] for name in ("orders", "order_lines") if name in tables}
    said = {name: value for name, value in params.items() if f"${name}" in text}
    return Statement(text, said, {"profile_work": work, **mine}, name="profiles/traits")


@lru_cache(maxsize=100)
def _traits(asked: frozenset[str] | None) -> str:
    """The query of a rebuild without what it joins for columns that nobody asks for: lines are the most of the work,
    and who has no use for them waits for them all the same."""
    traits = _selected("profiles/traits")
    if asked is not None:
        assert isinstance(traits, exp.Select)
        traits.set("expressions", [one for one in traits.selects if one.alias_or_name in asked | {"person"}])
        named_ = {column.name for one in traits.selects for column in one.find_all(exp.Column)} - {"person"}
        parts = {part.alias: {one.alias_or_name for one in part.this.selects} for part in traits.find_all(exp.CTE)}
        kept = [join for join in traits.args["joins"] if not parts[join.alias_or_name].isdisjoint(named_)]
        traits.set("joins", kept)
        _drop_unnamed(traits)
    return traits.sql(dialect="duckdb", identify=True)


def _drop_unnamed(query: exp.Select) -> None:
    """Take away what is named by nobody any more: engines look over that too."""
    while True:
        tables = {table.name for table in query.find_all(exp.Table)}
        idle = [part for part in query.find_all(exp.CTE) if part.alias not in tables]
        if not idle:
            return
        for part in idle:
            part.pop()


@cache
def _scores() -> str:
    scores = parse(load_sql("profiles/scores")).find(exp.Subquery)
    assert scores is not None
    return str(scores.this.sql(dialect="duckdb", identify=True))


def _more(
    warehouse: Warehouse, at: Moment, work: pa.Table, tables: Mapping[str, pa.Table], asked: Collection[str]
) -> pa.Table:
    """The rows of the brand's traits that are asked for."""
    wanted = [document for document in aggregates() if document.name in asked]
    nothing = warehouse.query(Statement("SELECT * FROM profile_more LIMIT 0"))
    parts = [nothing.select(_MORE)]

    def births(_: Of) -> exp.Query:
        return exp.select("birth", "person").from_("births_of")

    for statement in asked_of(wanted, at, births):
        mine = {name: table for name, table in tables.items() if f'"{name}"' in str(statement.sql)}
        found = warehouse.query(
            replace(statement, tables={**statement.tables, "births_of": work, **mine}, name="profiles/more_at")
        )
        parts.append(found.select(_MORE).cast(parts[0].schema))
    return pa.concat_tables(parts)


def _selected(name: str) -> exp.Query:
    """What a statement that inserts would insert."""
    statement = parse(load_sql(name))
    if not isinstance(statement, exp.Insert) or not isinstance(statement.expression, exp.Query):
        raise TypeError(name)
    return statement.expression

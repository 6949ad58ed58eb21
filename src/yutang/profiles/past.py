"""Profiles as they stood at an earlier instant, told by the very definitions of today's.

By what a person bought, did and was sent until then, as known today: what was cancelled, corrected or returned since
was never bought. Who is whom, consents, tags, friendships, scopes, steps of the ladder and what a
model told of values are today's (`is_todays`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
from sqlglot import exp

from yutang.kernel.clock import business_now
from yutang.kernel.ids import draw_array, salt
from yutang.organisation.contracts import Viewer
from yutang.profiles.aggregates import asked as asked_of
from yutang.profiles.contracts import WINDOWS, Moment
from yutang.profiles.documents import Of
from yutang.profiles.queries import in_scope, select_traits
from yutang.profiles.registry import aggregates
from yutang.profiles.traits import BESIDE, TRAITS
from yutang.warehouse.contracts import Statement, Warehouse, load_sql, named
from yutang.warehouse.dialects import parse

SAMPLE = 50_000
"""No more persons than this are looked at: enough to tell how much spend varies."""
MOST = 10_000
"""No more persons than this can be named: their rows are read whole."""
_RANKS = frozenset({"recency_score", "frequency_score", "monetary_score"})
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


def profiles_at(warehouse: Warehouse, at: Moment, asked: Collection[str]) -> dict[str, pa.Table]:
    """The rows of `profiles` and `profile_more` at an instant before now, of at most some `SAMPLE` persons, drawn by
    hash: everybody's, where there are no more.

    Categories are counted only if `asked` names one of those traits, and the brand's traits are added up only if it
    names any of them; lines are the most of the work.
    """
    everyone = Statement(_selected("profiles/everyone"), name="profiles/everyone")
    work = warehouse.query(everyone).rename_columns(["birth", "person"])
    person = work["person"].to_numpy()
    share = SAMPLE / max(1, len(np.unique(person)))
    if share < 1:
        work = work.filter(pa.array(draw_array(person, salt("past profiles")) < share))
    told = warehouse.query(_told(at, work, {}, categories=any(name.startswith("categories_") for name in asked)))
    scored = warehouse.query(Statement(_scores(), tables={"profiles": _unscored(told)}, name="profiles/scores"))
    whole = warehouse.query(named("profiles/at_instant", tables={"told": told, "scored": scored}))
    return {"profiles": whole, "profile_more": _more(warehouse, at, work, {}, asked)}


def tables_at(warehouse: Warehouse, persons: Iterable[int], at: Moment) -> dict[str, pa.Table]:
    """The tables that hide the stored ones, so that whatever is asked is answered of these persons as of the instant:
    their profiles, and their events, orders, lines and decisions. Scores are not known (`is_a_rank`)."""
    wanted = pa.table({"person": pa.array(sorted(set(persons))[:MOST], pa.int64())})
    work = warehouse.query(named("profiles/births_of", tables={"wanted": wanted}))
    tables = rows_of(warehouse, work)
    told = warehouse.query(_told(at, work, tables, categories=True))
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
    tables = {}
    for name in _ROWS:
        mine = exp.select("*").from_(name).where("person IN (SELECT birth FROM births_of)")
        tables[name] = warehouse.query(Statement(mine, tables={"births_of": births}, name=f"profiles/{name}_of"))
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
    at hand), or of everybody (at most `SAMPLE`, drawn by hash), as far as the viewer sees them. Raises KeyError for an
    unknown trait."""
    query = in_scope(select_traits(names, at, persons), viewer)
    if persons is None:
        asked = {column.name for column in query.find_all(exp.Column)}
        tables = profiles_at(warehouse, at, asked)
    elif tables is None:
        tables = tables_at(warehouse, persons, at)
    return warehouse.query(Statement(query, tables=tables, name="profiles/traits_at"))


def _told(at: Moment, work: pa.Table, tables: Mapping[str, pa.Table], *, categories: bool) -> Statement:
    starts = {f"from_{days}": at.before(days) for days in WINDOWS}
    params = {"as_of": at.as_of, "zone": at.zone, **starts}
    mine = {name: tables[name] for name in ("orders", "order_lines") if name in tables}
    return Statement(_traits(categories=categories), params, {"profile_work": work, **mine}, name="profiles/traits")


@cache
def _traits(*, categories: bool) -> str:
    traits = _selected("profiles/traits")
    if not categories:
        shelves = next(part for part in traits.find_all(exp.CTE) if part.alias == "shelves")
        shelves.this.where(exp.false(), copy=False)
    return traits.sql(dialect="duckdb", identify=True)


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

"""Reading profiles."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import NodeId, PersonId
from yutang.organisation.contracts import Viewer
from yutang.profiles.contracts import Moment
from yutang.profiles.traits import BESIDE, MORE, OF_ALL, REACHABLE, TRAITS, TraitType
from yutang.warehouse.contracts import Statement, Warehouse, load_sql
from yutang.warehouse.dialects import beside, parse

STATE = "profiles"
DRAWN = "drawn"
"""In place of persons: those of the table `drawn` (`birth`, `person`), which comes with the statement (`drawn.py`)."""
_SOMEBODY = 7_070_707_070_707_070_707  # nobody's number
Among = Collection[int] | str | exp.Query
"""Of whom alone something is asked: these persons, `DRAWN`, or those whom a SELECT of `person` finds."""


def as_of(warehouse: Warehouse) -> datetime | None:
    """The instant (aware UTC) at which profiles stand; None before the first refresh."""
    state = parse_state(kept_state(warehouse))
    return state.as_of if state else None


def moment(warehouse: Warehouse) -> Moment:
    """The instant and zone at which profiles stand. Raises Refused before the first refresh."""
    state = parse_state(kept_state(warehouse))
    if state is None:
        raise Refused(
            "客户属性还没有算过，请先运行 yutang rebuild profiles。",
            "Profiles were never computed; run `yutang rebuild profiles` first.",
        )
    return state


def kept_state(warehouse: Warehouse) -> str:
    """The state as it is kept, in JSON; empty before the first refresh."""
    rows = warehouse.query(Statement("SELECT value FROM profile_state WHERE name = $name", {"name": STATE}))
    return str(rows.column(0)[0].as_py()) if rows.num_rows else ""


def parse_state(kept: str) -> Moment | None:
    """The instant and zone in a kept state."""
    if not kept:
        return None
    state = json.loads(kept)
    return Moment(datetime.fromisoformat(state["as_of"]), state["zone"])


def parse_traits(kept: str) -> Mapping[str, str]:
    """The brand's traits that stand in `profile_more`, by name with what they were computed by, in a kept state."""
    return dict(json.loads(kept).get("traits", {})) if kept else {}


def parse_refresh(kept: str) -> str:
    """The name of the last refresh that computed anything, in a kept state; empty before the first."""
    return str(json.loads(kept).get("refresh", "")) if kept else ""


def number(warehouse: Warehouse, sql: str) -> int:
    """The one number that a query answers."""
    return int(warehouse.query(Statement(sql)).column(0)[0].as_py())


def select_traits(names: Iterable[str], at: Moment, among: Among | None = None) -> exp.Select:
    """A SELECT of `person` and these traits, stored and virtual, of everyone, or of those `among` whom they are. Raises
    KeyError for an unknown name."""
    columns = [TRAITS[name].expression(at).as_(name) for name in names]
    query = exp.select(exp.column("person", "profiles"), *columns, copy=False).from_("profiles", copy=False)
    if among is not None:
        query.where(is_among(exp.column("person", "profiles"), among), copy=False)
    return join_beside(query, among)


def is_among(person: exp.Expr, some: Among) -> exp.Expr:
    """Whether a surviving person is one of these. Unscoped because the query that asks says whose view it is."""
    if isinstance(some, str):
        some = exp.select("person").from_(some)
    if isinstance(some, exp.Query):
        return exp.In(this=person, query=some.subquery())
    return exp.In(this=person, expressions=[exp.Literal.number(int(one)) for one in some]) if some else exp.false()


def page_of(
    warehouse: Warehouse,
    found: exp.Select,
    order: Sequence[exp.Ordered],
    *,
    limit: int,
    offset: int = 0,
    name: str = "",
    tables: Mapping[str, pa.Table] | None = None,
    among: Among | None = None,
) -> tuple[int, list[PersonId]]:
    """How many persons a SELECT of `person` from `profiles` finds, and those of one page of them, in an order and then
    by person. Both in one pass, over no more than what the SELECT and the order ask for: what a page shows of them is
    asked for afterwards, of them alone; `among` whom they are, as far as it is known (`seen_by`). Unscoped because the
    SELECT says whose view it is."""
    keys = [one.this.copy().as_(f"key{number}") for number, one in enumerate(order)]
    every = join_beside(found.select(*keys), among)
    total = exp.select(exp.Count(this=exp.Star()).as_("total")).from_("found")

    def by(table: str) -> list[exp.Ordered]:
        columns = [(exp.column(f"key{number}", table), one.args.get("desc")) for number, one in enumerate(order)]
        columns.append((exp.column("person", table), False))
        return [exp.Ordered(this=column, desc=desc, nulls_first=False) for column, desc in columns]

    page = exp.select("*").from_("found").order_by(*by("found")).limit(limit).offset(offset)
    both = exp.select(exp.column("person", "page"), exp.column("total", "whole")).from_(page.subquery("page"))
    both = both.join(total.subquery("whole"), join_type="cross").order_by(*by("page")).with_("found", as_=every)
    given = tables or {}
    rows = warehouse.query(Statement(both, tables=given, name=name))
    if rows.num_rows:
        return int(rows["total"][0].as_py()), [PersonId(person) for person in rows["person"].to_pylist()]
    whole = exp.select(exp.Count(this=exp.Star())).from_(join_beside(found, among).subquery("found"))
    return int(warehouse.query(Statement(whole, tables=given, name=name)).column(0)[0].as_py()), []


CHOSEN = "chosen"
"""The table of persons who were found otherwise, as `those` asks for them."""


def those(persons: npt.NDArray[np.int64]) -> tuple[exp.Select, dict[str, pa.Table]]:
    """A SELECT of `person` of these persons, and the table that it takes. Unscoped because the caller names them."""
    return exp.select("person").from_(CHOSEN), {CHOSEN: pa.table({"person": persons})}


def join_beside(query: exp.Select, among: Among | None = None) -> exp.Select:
    """Join what stands beside profiles (see `BESIDE`), as far as the query asks for it and has not joined it yet; where
    the query asks of some persons alone, `among` whom they are, it is not read for everybody."""
    query = query.copy()
    joined = {join.alias_or_name for join in query.args.get("joins") or ()}
    columns = list(query.find_all(exp.Column))
    asked = {column.table for column in columns}
    if MORE in asked:
        names = sorted({column.name for column in columns if column.table == MORE} - {"person"})
        own = more(names)
        pivoted = (own if among is None else own.where(is_among(exp.column("person"), among))).subquery(MORE)
        if MORE in joined:  # for some of these names, it may be
            next(join for join in query.args["joins"] if join.alias_or_name == MORE).set("this", pivoted)
        else:
            query.join(pivoted, on=_same_person(MORE), join_type="left", copy=False)
    for alias, relation in BESIDE.items():
        if alias in asked - joined:
            table = parse(load_sql(relation if among is not None else OF_ALL.get(alias, relation)))
            assert isinstance(table, exp.Query)
            if among is not None:  # the first column of each is the person
                assert isinstance(table, exp.Select)
                table = table.where(is_among(table.selects[0].copy(), among))
            query.join(table.subquery(alias), on=_same_person(alias), join_type="left", copy=False)
    return query


def _same_person(alias: str) -> exp.Expr:
    return exp.EQ(this=exp.column("person", alias), expression=exp.column("person", "profiles"))


def more(names: Sequence[str]) -> exp.Select:
    """One row per person who has any of these traits of the brand's own, each as a column."""
    kept = {document.name: document for document in TRAITS.documents}
    table = exp.select("person").from_("profile_more")
    for name in names:
        mine = exp.EQ(this=exp.column("trait"), expression=exp.Literal.string(name))
        value: exp.Expr = exp.Max(this=exp.Case().when(mine, exp.column(kept[name].column, quoted=True)))
        if kept[name].type is TraitType.COUNT:
            value = exp.cast(value, "bigint")
        table = table.select(value.as_(name))
    asked = exp.In(this=exp.column("trait"), expressions=[exp.Literal.string(name) for name in names])
    return table.where(asked).group_by("person")


def with_reachable(statement: Statement) -> Statement:
    """The SELECT with a table `reachable` (`person`) beside its others: who may be reached, said in one place."""
    return beside(statement, REACHABLE, "profiles/reachable")


def traits_of(warehouse: Warehouse, viewer: Viewer, person: PersonId) -> dict[str, Any]:
    """Every trait of one surviving person, by name. Raises NotFound for one outside the viewer's scope."""
    asked = replace(traits_of_one(viewer, TRAITS, moment(warehouse), person), name="profiles/traits_of")
    rows = warehouse.query(asked).to_pylist()
    if not rows:
        raise NotFound(f"没有编号为 {person} 的客户。", f"There is no person {person}.")
    return {name: rows[0][name] for name in TRAITS}


def traits_of_one(viewer: Viewer, names: Iterable[str], at: Moment, person: PersonId) -> Statement:
    """SELECT `person` and these traits of one person, if the viewer sees them. The text is written once for an instant:
    of a hundred traits that takes as long as asking. Raises KeyError for an unknown name."""
    return Statement(_of_one(tuple(names), at, viewer.nodes, TRAITS.version), {"who": int(person)})


@lru_cache(maxsize=50)
def _of_one(names: tuple[str, ...], at: Moment, nodes: frozenset[NodeId] | None, _version: object) -> str:
    query = _in_scope(select_traits(names, at, [_SOMEBODY]), nodes)
    return query.sql(dialect="duckdb", identify=True).replace(str(_SOMEBODY), "$who")


def seen_by(viewer: Viewer) -> exp.Select | None:
    """SELECT `person` of those whom a viewer sees; None for one who sees everybody."""
    if viewer.nodes is None:
        return None
    there = exp.column("node").isin(*sorted(viewer.nodes)) if viewer.nodes else exp.false()
    return exp.select("person").from_("fact_scopes").where(there)


def in_scope(query: exp.Select, viewer: Viewer) -> exp.Select:
    """The query on `profiles` narrowed to persons whom the viewer may see."""
    return _in_scope(query, viewer.nodes)


def _in_scope(query: exp.Select, nodes: frozenset[NodeId] | None) -> exp.Select:
    if nodes is None:
        return query
    seen = (
        exp.select("1")
        .from_("fact_scopes")
        .where("fact_scopes.person = profiles.person")
        .where(exp.column("node", "fact_scopes").isin(*sorted(nodes)) if nodes else exp.false())
    )
    return query.where(exp.Exists(this=seen))

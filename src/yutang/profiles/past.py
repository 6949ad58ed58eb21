"""Profiles as they stood at an earlier instant, told by the very definitions of today's."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
from sqlglot import exp

from yutang.kernel.ids import draw_array, salt
from yutang.profiles.contracts import WINDOWS, Moment
from yutang.warehouse.contracts import Statement, Warehouse, load_sql, named
from yutang.warehouse.dialects import parse

SAMPLE = 50_000
"""No more persons than this are looked at: enough to tell how much spend varies."""


def profiles_at(warehouse: Warehouse, at: Moment, asked: Collection[str]) -> pa.Table:
    """The rows of `profiles` at an instant before now, of at most some `SAMPLE` persons, drawn by hash.

    Orders are read as they stand today: what was cancelled or returned since was never bought. Categories are counted
    only if `asked` names one of those traits; lines are the most of the work.
    """
    everyone = Statement(_selected("profiles/everyone"), name="profiles/everyone")
    work = warehouse.query(everyone).rename_columns(["birth", "person"])
    person = work["person"].to_numpy()
    share = SAMPLE / max(1, len(np.unique(person)))
    if share < 1:
        work = work.filter(pa.array(draw_array(person, salt("past profiles")) < share))
    traits = _selected("profiles/traits")
    if not any(name.startswith("categories_") for name in asked):
        shelves = next(part for part in traits.find_all(exp.CTE) if part.alias == "shelves")
        shelves.this.where(exp.false(), copy=False)
    starts = {f"from_{days}": at.before(days) for days in WINDOWS}
    params = {"as_of": at.as_of, "zone": at.zone, **starts}
    told = warehouse.query(Statement(traits, params, {"profile_work": work}, name="profiles/traits"))
    scores = parse(load_sql("profiles/scores")).find(exp.Subquery)
    assert scores is not None
    scored = warehouse.query(Statement(scores.this, tables={"profiles": told}, name="profiles/scores"))
    return warehouse.query(named("profiles/at_instant", tables={"told": told, "scored": scored}))


def _selected(name: str) -> exp.Query:
    """What a statement that inserts would insert."""
    statement = parse(load_sql(name))
    if not isinstance(statement, exp.Insert) or not isinstance(statement.expression, exp.Query):
        raise TypeError(name)
    return statement.expression

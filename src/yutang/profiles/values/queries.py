"""Reading values, as far as the viewer may see them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
from sqlglot import exp

from yutang.documents.queries import documents_of
from yutang.kernel.calendars import local_day
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, PersonId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import nodes, roots
from yutang.profiles.queries import in_scope, join_beside
from yutang.profiles.remembered import Remembered
from yutang.profiles.values.contracts import (
    Cannot,
    CategoryWorth,
    ModelFacts,
    NextBy,
    PersonWorth,
    Quarter,
    Tenth,
    Totals,
    ValueState,
)
from yutang.profiles.values.documents import CategorySizeDocument, ValuesDocument
from yutang.profiles.values.sources import over_worth
from yutang.warehouse.contracts import Statement, Warehouse, named

STATE, VERSION = "values", "values_version"
NAME = "values"
_DEFAULT = {"kind": "values", "name": NAME, "title": {"zh": "三种价值", "en": "Three values"}}
_scoped: Remembered[tuple[Totals, tuple[Tenth, ...]]] = Remembered()


def settings() -> ValuesDocument:
    """What the brand decided of its values, or what ships where nothing was kept."""
    found = documents_of(ValuesDocument)
    return next((one for one in found if one.name == NAME), found[0] if found else ValuesDocument(**_DEFAULT))


def state_text(warehouse: Warehouse) -> str:
    """The state as it is kept, in JSON; empty before the first scoring."""
    rows = warehouse.query(Statement("SELECT value FROM profile_state WHERE name = $name", {"name": STATE}))
    return str(rows.column(0)[0].as_py()) if rows.num_rows else ""


def parse_state(kept: str) -> ValueState | None:
    """What a kept state says."""
    return ValueState.of(json.loads(kept)) if kept else None


def state(warehouse: Warehouse) -> ValueState | None:
    """What stands; None before the first scoring. Unscoped because it says how the brand is
    scored; sums for a viewer are those of `totals_of`."""
    return parse_state(state_text(warehouse))


def models(warehouse: Warehouse, version: int) -> list[ModelFacts]:
    """The models of a version, the brand's first, then by buyers. Unscoped because they speak of nobody; pages
    show their sums to who sees the whole brand only."""
    asked = Statement("SELECT category, body FROM value_models WHERE version = $version", {"version": version})
    found = [ModelFacts.of(json.loads(row["body"])) for row in warehouse.query(asked).to_pylist()]
    return sorted(found, key=lambda one: (one.category is not None, -one.persons, one.category or ""))


def worth_of(warehouse: Warehouse, viewer: Viewer, person: PersonId) -> PersonWorth | None:
    """A surviving person's three values; None before the first scoring, and of who neither bought nor brought anybody.
    Raises NotFound for one outside the viewer's scope."""
    query = _worth().where(exp.column("person", "profiles").eq(int(person)))
    rows = warehouse.query(Statement(in_scope(query, viewer), name="profiles/values/worth_of")).to_pylist()
    if not rows:
        raise NotFound(f"没有编号为 {person} 的客户。", f"There is no person {person}.")
    row = rows[0]
    if row["existing_ever"] is None:
        return None
    row["cannot"] = Cannot(row["cannot"]) if row["cannot"] else None
    row["next_by"] = NextBy(row["next_by"]) if row["next_by"] else None
    return PersonWorth(**row)


def quarters_of(warehouse: Warehouse, births: pa.Table, found: ValueState, most: int = 8) -> list[Quarter]:
    """A person's existing value by quarter, counted as everybody's was, the latest first; `births` are all their
    numbers. Unscoped because the caller has found the person in scope, and of other stores' orders totals may be shown.
    `persons` says how many days there were."""
    params = {"zone": found.zone, "as_of": found.as_of, "most": most}
    asked = over_worth(named("profiles/values/person_quarters", params), found.measure, found.basis, settings())
    tables = {"orders": warehouse.query(named("profiles/values/orders_of", tables={"births": births}))}
    if "rates" in asked.tables:
        lines = named("profiles/values/lines_of", tables={"births": births})
        tables["order_lines"] = warehouse.query(lines)
    rows = warehouse.query(replace(asked, tables={**asked.tables, **tables})).to_pylist()
    return [Quarter(row["year"], row["quarter"], float(row["amount"]), row["days"]) for row in rows]


def quarters_at(warehouse: Warehouse, viewer: Viewer, node: NodeId | None = None) -> tuple[Quarter, ...]:
    """The existing value by quarter, the earliest first, of whom a place knows; without one, of everybody whom the
    viewer sees. Who sees several places that lie apart names one: of all together there is no sum, since a person known
    at two would count twice. Raises NotFound for a place outside the viewer's scope."""
    if node is not None and not viewer.sees(node):
        raise NotFound("没有这个门店或区域。", "There is no such store or region.")
    found = state(warehouse)
    if found is None:
        return ()
    if node is None:
        if viewer.sees_all:
            return found.quarters
        tops = roots(viewer, nodes())
        if len(tops) != 1:
            return ()
        node = tops[0].id
    asked = Statement(
        "SELECT year, quarter, amount, persons FROM value_quarters WHERE version = $version AND node = $node "
        "ORDER BY year, quarter",
        {"version": found.version, "node": int(node)},
        name="profiles/values/quarters_at",
    )
    rows = warehouse.query(asked).to_pylist()
    return tuple(Quarter(row["year"], row["quarter"], float(row["amount"]), row["persons"]) for row in rows)


def categories_of(
    warehouse: Warehouse, births: pa.Table, worth: PersonWorth, found: ValueState, most: int = 5
) -> list[CategoryWorth]:
    """What is expected of a person in the categories on which they spent most of late: by the category's own model,
    with an interval; where it has none, or it does not hold, their share of what the brand's expects. Unscoped because
    the caller asks only for who sees all stores."""
    from yutang.profiles.values.modelling import model_of  # not above: SciPy takes a third of a second of every command
    from yutang.profiles.values.predictive import Persons

    params = {
        "zone": found.zone,
        "as_of": found.as_of,
        "from_365": found.as_of - timedelta(days=365),
        "today": local_day(found.as_of, found.zone),
    }
    rows = warehouse.query(named("profiles/values/person_shelves", params, {"births": births})).to_pylist()
    spend = sum(float(row["spend_365d"]) for row in rows)
    own = {one.category: one for one in models(warehouse, found.version) if one.cannot is None}
    sizes = {one.category: one.yearly_per_buyer for one in documents_of(CategorySizeDocument)}
    told = []
    for row in [row for row in rows if row["category"]][:most]:
        category, recent = row["category"], float(row["spend_365d"])
        facts = own.get(category)
        expected = low = high = None
        if facts is not None:
            columns = (row["x"], row["t_x"], row["watched"], facts.rate * float(row["repeats"]) / max(row["x"], 1))
            person = Persons(*(np.array([float(one)]) for one in columns))
            law = model_of(facts).tell(person, float(found.horizon), found.discount)
            expected, low, high = (float(column[0]) for column in (law.value, law.low, law.high))
        elif worth.potential is not None and spend > 0:
            expected = float(worth.potential) * min(1.0, recent / spend)
        size = sizes.get(category)
        wallet = min(1.0, recent / size) if size else None
        told.append(CategoryWorth(category, recent, expected, low, high, facts is not None, wallet))
    return told


def totals_of(warehouse: Warehouse, viewer: Viewer) -> tuple[Totals, tuple[Tenth, ...]]:
    """What the values of those whom the viewer sees come to, and the tenths by potential value."""
    found = state(warehouse)
    if found is None:
        return Totals(), ()
    if viewer.sees_all:
        return found.totals, found.tenths
    key = (found.version, viewer.nodes)
    return _scoped.answer(warehouse, key, lambda: _added_up(warehouse, viewer))


_FIELDS = (
    "cannot", "existing_365d", "existing_ever", "expected_orders", "potential", "potential_low", "potential_high",
    "alive", "churn", "next_order_day", "next_by", "brought", "brought_all", "model_one", "model_tree",
)  # fmt: skip


def _worth(*names: str) -> exp.Select:
    columns = [exp.column(name, "worth") for name in names or _FIELDS]
    return join_beside(exp.select(*columns).from_("profiles"))


def _added_up(warehouse: Warehouse, viewer: Viewer) -> tuple[Totals, tuple[Tenth, ...]]:
    from yutang.profiles.values.modelling import tenths  # not above: SciPy takes a third of a second of every command

    names = (
        "existing_365d",
        "existing_ever",
        "expected_orders",
        "potential",
        "potential_low",
        "potential_high",
        "brought",
        "model_one",
    )
    query = _worth(*names).where(exp.column("existing_ever", "worth").is_(exp.null()).not_())
    rows = warehouse.query(Statement(in_scope(query, viewer), name="profiles/values/added_up"))
    found = {name: rows[name].cast("float64").to_numpy(zero_copy_only=False) for name in names}
    told = ~np.isnan(found["potential"])
    totals = Totals(
        persons=rows.num_rows,
        told=int(told.sum()),
        existing_365d=float(found["existing_365d"].sum()),
        existing_ever=float(found["existing_ever"].sum()),
        potential=float(np.nansum(found["potential"])),
        expected_orders=float(np.nansum(found["expected_orders"])),
        inviters=int((found["brought"] > 0).sum()),
        brought=int(found["brought"].sum()),
        model_one=float(found["model_one"].sum()),
    )
    parts = (found[name][told] for name in ("existing_365d", "potential", "potential_low", "potential_high"))
    return totals, tenths(*parts)

"""Reading values, as far as the viewer may see them."""

from __future__ import annotations

import json

import numpy as np
from sqlglot import exp

from yutang.documents.queries import documents_of
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.profiles.queries import in_scope, join_beside
from yutang.profiles.remembered import Remembered
from yutang.profiles.values.contracts import (
    Cannot,
    ModelFacts,
    NextBy,
    PersonWorth,
    Tenth,
    Totals,
    ValueState,
)
from yutang.profiles.values.documents import ValuesDocument
from yutang.warehouse.contracts import Statement, Warehouse

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
    """What stands; None before the first scoring. Its sums are the whole brand's: `totals_of` asks for whom."""
    return parse_state(state_text(warehouse))


def models(warehouse: Warehouse, version: int) -> list[ModelFacts]:
    """The models of a version, the brand's first, then by buyers. (Unscoped: they speak of nobody by name, and pages
    show them to who sees the whole brand.)"""
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

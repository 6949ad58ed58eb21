"""What every layer asks alike: how many persons there are by one trait, and who may see them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlglot import exp

from yutang.layers.contracts import LayerCount
from yutang.organisation.contracts import Viewer
from yutang.profiles.queries import in_scope, moment, select_traits
from yutang.warehouse.contracts import Statement, Warehouse


def scope_of(viewer: Viewer) -> dict[str, object]:
    """The parameters by which a query of this room is narrowed to what a viewer may see."""
    return {"sees_all": viewer.sees_all, "seen": sorted(int(node) for node in viewer.nodes or ())}


def by_layer(warehouse: Warehouse, viewer: Viewer, trait: str, names: Sequence[str]) -> list[LayerCount]:
    """Persons whom the viewer sees by a trait of choices, in the order of `names`; none left out."""
    each = in_scope(select_traits((trait, "reachable", "spend_365d"), moment(warehouse)), viewer).subquery("each")
    layer, reachable = exp.column(trait, "each"), exp.column("reachable", "each")
    may = exp.Case().when(reachable, exp.Literal.number(1)).else_(exp.Literal.number(0))
    query = (
        exp.select(
            layer.as_("layer"),
            exp.Count(this=exp.Star()).as_("persons"),
            exp.Sum(this=may).as_("reachable"),
            exp.Sum(this=exp.column("spend_365d", "each")).as_("spend"),
        )
        .from_(each)
        .group_by(layer.copy())
    )
    rows = warehouse.query(Statement(query, name=f"layers/{trait}")).to_pylist()
    found = {row["layer"]: row for row in rows}
    return [
        LayerCount(name, row["persons"], int(row["reachable"]), row["spend"])
        if (row := found.get(name))
        else LayerCount(name, 0, 0, Decimal(0))
        for name in names
    ]

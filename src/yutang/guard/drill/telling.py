"""A drill as scripts read it: the shell and the API say the same."""

from __future__ import annotations

from collections.abc import Mapping

from yutang.guard.drill.contracts import Drill, LostPerson, Risk, Spared, Unit
from yutang.kernel.ids import NodeId


def shown_unit(unit: Unit, codes: Mapping[NodeId, str]) -> dict[str, object]:
    """What is imagined to be gone."""
    store = codes.get(unit.store) if unit.store is not None else None
    return {
        "level": unit.level.value,
        "of": unit.of,
        "channel": unit.channel,
        "corp": unit.corp or None,
        "userid": unit.userid or None,
        "store": store,
    }


def shown_risk(risk: Risk, codes: Mapping[NodeId, str]) -> dict[str, object]:
    """A row of the ranking."""
    counts = {"reached": risk.reached, "still": risk.still, "lost": risk.lost}
    return {**shown_unit(risk.unit, codes), **counts}


def shown_drill(drill: Drill, codes: Mapping[NodeId, str]) -> dict[str, object]:
    """One drill, in all and by store."""

    def counts(one: Spared) -> dict[str, object]:
        return {"reached": one.reached, "still": one.still, "lost": one.lost, "by_way": dict(one.by_way)}

    stores = [{"store": codes.get(one.store) if one.store is not None else None, **counts(one)} for one in drill.stores]
    whole = {**shown_unit(drill.unit, codes), **counts(drill.whole)}
    return {**whole, "could": dict(drill.could), "stores": stores}


def shown_lost(one: LostPerson, codes: Mapping[NodeId, str]) -> dict[str, object]:
    """Somebody who would be lost."""
    return {
        "person": one.person,
        "store": codes.get(one.store) if one.store is not None else None,
        "synthetic": one.synthetic,
        "orders_ever": one.orders_ever,
        "spend_365d": float(one.spend_365d),
    }

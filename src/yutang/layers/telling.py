"""Layers as API and shell tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from yutang.layers import ladder, rfm
from yutang.layers.contracts import LayerCount, Move
from yutang.layers.documents import Membership
from yutang.layers.flow import STEPS, DayFlow
from yutang.layers.membership import Fees
from yutang.organisation.contracts import Viewer
from yutang.warehouse.contracts import Warehouse


def told_layers(warehouse: Warehouse, viewer: Viewer) -> dict[str, Any]:
    """RFM's cells and fields, the stages of life and the steps of the ladder, of those whom the viewer sees."""
    document = rfm.rfm_document()
    found = rfm.rfm(warehouse, viewer, document)
    return {
        "by": document.by,
        "cells": [
            {"cell": cell.code, "persons": cell.persons, "reachable": cell.reachable, "spend": float(cell.spend)}
            for cell in rfm.named_cells(found, document.high)
        ],
        "scores": [
            {
                "type": one.type,
                "recency": one.recency,
                "frequency": one.frequency,
                "monetary": one.monetary,
                "persons": one.persons,
                "reachable": one.reachable,
                "spend": float(one.spend),
            }
            for one in found
        ],
        "lifecycle": [_layer(one) for one in rfm.lives(warehouse, viewer)],
        "ladder": [_layer(one) for one in ladder.steps(warehouse, viewer)],
    }


def _layer(one: LayerCount) -> dict[str, Any]:
    return {"name": one.name, "persons": one.persons, "reachable": one.reachable, "spend": float(one.spend)}


def told_flow(found: Sequence[DayFlow]) -> list[dict[str, Any]]:
    """The loop day by day, the latest first: for each stage who stood there, and which share of them went on; how many
    took each step."""
    stages = STEPS[:-1]
    return [
        {
            "day": one.day.isoformat(),
            "stood": dict(zip(stages, one.standing, strict=True)),
            "took": dict(zip(STEPS, one.taken, strict=True)),
            "rates": dict(zip(stages, one.rates, strict=True)),
        }
        for one in found
    ]


def told_move(one: Move) -> dict[str, Any]:
    """A move: whose, from where to where, when."""
    return {"person": int(one.person), "before": one.before, "step": one.step, "at": one.at.isoformat()}


def told_super_user(row: Mapping[str, Any], codes: Mapping[int, str]) -> dict[str, Any]:
    """A super-user: number, signs, and what is known of them; the store by its code, where it is seen."""
    plain = {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
    return {**plain, "home_store": codes.get(row["home_store"])}


def told_membership(found: Fees, plan: Membership) -> dict[str, Any]:
    """What each fee would bring, beside the assumptions; or why nothing is told."""
    assumed = plan.model_dump(exclude={"fees"})
    if found.margin is not None:
        assumed["margin"] = found.margin
    return {
        "cannot": found.why or None,
        "assumes": assumed,
        "told": found.told,
        "untold": found.untold,
        "off": found.off,
        "least_fee": asdict(found.least) if found.least else None,
        "fees": [{**asdict(row), "pays": row.pays} for row in found.rows],
    }

"""Layers as API and shell tell them."""

from __future__ import annotations

from typing import Any

from yutang.layers import ladder, rfm
from yutang.layers.contracts import LayerCount, Move
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


def told_move(one: Move) -> dict[str, Any]:
    """A move: whose, from where to where, when."""
    return {"person": int(one.person), "before": one.before, "step": one.step, "at": one.at.isoformat()}

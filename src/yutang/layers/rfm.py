"""RFM: how many persons have which three scores, by fifths or by the brand's own bounds, and the eight named cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from yutang.documents import queries as documents
from yutang.kernel.errors import NotFound
from yutang.layers.contracts import CELLS, LayerCount, RfmCell
from yutang.layers.documents import DEFAULT, Bounds, RfmDocument
from yutang.layers.shared import by_layer, scope_of
from yutang.organisation.contracts import NodeKind, Viewer
from yutang.organisation.queries import nodes
from yutang.profiles.contracts import Moment
from yutang.profiles.queries import moment, with_reachable
from yutang.profiles.remembered import Remembered
from yutang.profiles.traits import LIFECYCLE
from yutang.segments.contracts import Nodes
from yutang.warehouse.contracts import Statement, Warehouse, named
from yutang.warehouse.dialects import beside

SCORES = (5, 4, 3, 2, 1)
_NAMES = ("r", "f", "m")
_RFM: Remembered[list[RfmCell]] = Remembered()
_LIVES: Remembered[list[LayerCount]] = Remembered()


@dataclass(frozen=True, slots=True)
class NamedCell:
    """One of the eight cells, summed up. `share` of all persons and of all spend; None where there is none."""

    code: str
    zh: str
    en: str
    persons: int
    reachable: int
    spend: Decimal
    share: float | None
    spend_share: float | None


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One field of the grid. `heat`: its persons as a share of the fullest field's."""

    frequency: int
    persons: int
    spend: Decimal
    heat: float


def rfm_document() -> RfmDocument:
    """How RFM cuts now: the brand's document `default`, and fifths where it was retired."""
    try:
        return documents.document_named(RfmDocument, DEFAULT)
    except NotFound:
        title = {"zh": "RFM 分层", "en": "RFM"}
        return RfmDocument.model_validate({"kind": RfmDocument.KIND, "name": DEFAULT, "title": title})


def rfm(warehouse: Warehouse, viewer: Viewer, document: RfmDocument) -> list[RfmCell]:
    """How many of those whom the viewer sees, and who ever bought, have which scores."""
    at = moment(warehouse)
    asked = rfm_statement(viewer, document, at)
    key = (viewer.nodes, document.as_yaml(), at.today, tuple(nodes()) if document.types else ())

    def ask() -> list[RfmCell]:
        return [_cell(row) for row in warehouse.query(asked).to_pylist()]

    return _RFM.answer(warehouse, key, ask)


def _cell(row: Mapping[str, Any]) -> RfmCell:
    scores = (int(row["recency"]), int(row["frequency"]), int(row["monetary"]))
    return RfmCell(row["type"], *scores, row["persons"], row["reachable"], row["spend"])


def rfm_statement(viewer: Viewer, document: RfmDocument, at: Moment) -> Statement:
    """The query behind `rfm`. Raises BadInput for a store or region that does not exist."""
    each = scored(document, at)
    asked = named("layers/rfm", {**scope_of(viewer), **each.params}, each.tables)
    return with_reachable(beside(asked, "scored", each.name))


def scored(document: RfmDocument, at: Moment) -> Statement:
    """Everybody who ever bought, with the type of their store, their scores and what they spent. Raises as above."""
    if document.by == "bounds":
        return named("layers/rfm_bounds", {"today": at.today}, {"typed": _typed(document), "bounds": _bounds(document)})
    return named("layers/rfm_fifths", {}, {"typed": _typed(document)}) if document.types else named("layers/rfm_kept")


def _typed(document: RfmDocument) -> pa.Table:
    """Each store's type. A store that a type names itself is of that type, whatever region it lies in."""
    found: dict[int, str] = {}
    tree = Nodes(nodes)
    for one in document.types:
        for store in tree.below(tree.named(one.regions, NodeKind.REGION)):
            found.setdefault(store, one.name)
    for one in document.types:
        for node in tree.named(one.stores, NodeKind.STORE):
            found[int(node.id)] = one.name
    return pa.table({"store": pa.array(found, pa.int64()), "type": pa.array(found.values(), pa.string())})


def _bounds(document: RfmDocument) -> pa.Table:
    rows: list[tuple[str, Bounds]] = [("", document.bounds)]
    rows += [(one.name, one.bounds or document.bounds) for one in document.types]
    columns: dict[str, pa.Array] = {"type": pa.array([name for name, _ in rows], pa.string())}
    for letter, field in zip(_NAMES, ("recency", "frequency", "monetary"), strict=True):
        for place in range(4):
            values = [float(getattr(bounds, field)[place]) for _, bounds in rows]
            columns[f"{letter}{place + 2}"] = pa.array(values, pa.float64())
    return pa.table(columns)


def named_cells(found: Iterable[RfmCell], high: int) -> list[NamedCell]:
    """The eight cells; a score is high from `high` on."""
    codes = {highs: code for code, _, _, highs in CELLS}
    heads, may = dict.fromkeys(codes.values(), 0), dict.fromkeys(codes.values(), 0)
    spend = dict.fromkeys(codes.values(), Decimal(0))
    for one in found:
        code = codes[one.recency >= high, one.frequency >= high, one.monetary >= high]
        heads[code] += one.persons
        may[code] += one.reachable
        spend[code] += one.spend
    persons, money = sum(heads.values()), sum(spend.values())
    return [
        NamedCell(
            *(code, zh, en, heads[code], may[code], spend[code]),
            heads[code] / persons if persons else None,
            float(spend[code] / money) if money else None,
        )
        for code, zh, en, _ in CELLS
    ]


def heat_grid(found: Sequence[RfmCell]) -> list[tuple[int, list[HeatCell]]]:
    """R (5 first) by F (1 first): persons and spend of each field."""
    heads: dict[tuple[int, int], int] = {}
    spend: dict[tuple[int, int], Decimal] = {}
    for one in found:
        key = one.recency, one.frequency
        heads[key] = heads.get(key, 0) + one.persons
        spend[key] = spend.get(key, Decimal(0)) + one.spend
    most = max(heads.values(), default=0)
    return [
        (
            r,
            [
                HeatCell(
                    f, heads.get((r, f), 0), spend.get((r, f), Decimal(0)), heads.get((r, f), 0) / most if most else 0.0
                )
                for f in reversed(SCORES)
            ],
        )
        for r in SCORES
    ]


def lives(warehouse: Warehouse, viewer: Viewer) -> list[LayerCount]:
    """The stages of life (prospect, new, active, silent, lapsed) of those whom the viewer sees."""
    key = (viewer.nodes, moment(warehouse))
    return _LIVES.answer(warehouse, key, lambda: by_layer(warehouse, viewer, "lifecycle", LIFECYCLE))

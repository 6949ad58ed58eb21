"""Where everybody stands, in columns, counted beforehand: RFM as the brand's document cuts it, stages of life, steps of
the ladder. What a viewer is shown is a few sums over them, as `rfm` and `ladder` would count them then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from yutang.layers.contracts import LayerCount, RfmCell
from yutang.layers.rfm import rfm_document, scored
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import nodes
from yutang.profiles.beforehand import Beforehand, Known
from yutang.profiles.queries import as_of, moment, select_traits
from yutang.profiles.traits import LADDER, LIFECYCLE
from yutang.warehouse.contracts import Statement, Warehouse

Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
NO_SCORE = -1
FIFTHS = 6  # scores are 1 to 5


@dataclass(frozen=True, slots=True)
class Standing:
    """Everybody: the place of their stage in LIFECYCLE, of their step in LADDER, of their RFM cell in `cells`
    (`NO_SCORE` for who never bought), whether they may be reached, and a year's spend in hundredths."""

    known: Known
    life: Numbers
    step: Numbers
    cell: Numbers
    cells: Sequence[tuple[str, int, int, int]]
    reachable: Truths
    spend: Numbers

    def rfm(self, viewer: Viewer) -> list[RfmCell]:
        """How many of those whom the viewer sees, and who ever bought, have which scores."""
        heads, may, spend = self._sums(self.cell, len(self.cells), viewer)
        return [RfmCell(*cell, heads[at], may[at], spend[at]) for at, cell in enumerate(self.cells) if heads[at]]

    def lives(self, viewer: Viewer) -> list[LayerCount]:
        """The stages of life of those whom the viewer sees."""
        return self._layers(self.life, LIFECYCLE, viewer)

    def steps(self, viewer: Viewer) -> list[LayerCount]:
        """The steps of the ladder on which those stand whom the viewer sees."""
        return self._layers(self.step, LADDER, viewer)

    def _layers(self, place: Numbers, names: Sequence[str], viewer: Viewer) -> list[LayerCount]:
        return [LayerCount(*row) for row in zip(names, *self._sums(place, len(names), viewer), strict=True)]

    def _sums(self, place: Numbers, size: int, viewer: Viewer) -> tuple[list[int], list[int], list[Decimal]]:
        seen = self.known.seen_by(viewer) & (place >= 0)
        heads, may = (np.bincount(place[who], minlength=size) for who in (seen, seen & self.reachable))
        # whole numbers, so that the sums are exact
        spend = np.bincount(place[seen], weights=self.spend[seen], minlength=size)
        return heads.tolist(), may.tolist(), [Decimal(int(one)).scaleb(-2) for one in spend]


def _standing(warehouse: Warehouse) -> Standing | None:
    """(Unscoped: the parts say whom a viewer sees.)"""
    if as_of(warehouse) is None:
        return None
    at = moment(warehouse)
    names = ("lifecycle", "ladder", "reachable", "spend_365d")
    each = select_traits(names, at).subquery("each")
    hundredths = exp.Mul(this=exp.column("spend_365d", "each"), expression=exp.Literal.number(100))
    columns = [exp.column(name, "each") for name in ("person", *names[:3])]
    query = exp.select(*columns, exp.cast(hundredths, "bigint").as_("spend")).from_(each).order_by("person")
    rows = warehouse.query(Statement(query, name="layers/standing_now"))
    scores = warehouse.query(scored(rfm_document(), at)).sort_by("person")
    persons = rows["person"].to_numpy()
    cells, cell = _cells(scores)
    placed = np.full(len(persons), NO_SCORE, dtype=np.int64)
    placed[np.searchsorted(persons, scores["person"].to_numpy())] = cell
    return Standing(
        Known.of(warehouse, persons),
        _place(rows["lifecycle"], LIFECYCLE),
        _place(rows["ladder"], LADDER),
        placed,
        cells,
        rows["reachable"].to_numpy(),
        rows["spend"].to_numpy(),
    )


def _cells(scores: pa.Table) -> tuple[list[tuple[str, int, int, int]], Numbers]:
    """The cells that anybody is in, in order, and the place among them of each row's."""
    names = sorted(set(scores["type"].to_pylist()))
    code = _place(scores["type"], names)
    for name in ("recency", "frequency", "monetary"):
        code = code * FIFTHS + scores[name].to_numpy().astype(np.int64)
    found, place = np.unique(code, return_inverse=True)
    return [
        (names[one // FIFTHS**3], one // FIFTHS**2 % FIFTHS, one // FIFTHS % FIFTHS, one % FIFTHS)
        for one in found.tolist()
    ], place


def _place(values: pa.ChunkedArray, names: Sequence[str]) -> Numbers:
    coded = values.combine_chunks().dictionary_encode()
    places = np.array([names.index(str(one)) for one in coded.dictionary.to_pylist()], dtype=np.int64)
    return places[coded.indices.to_numpy()] if len(places) else places


def _key() -> object:
    document = rfm_document()
    return document.as_yaml(), tuple(nodes()) if document.types else ()


STANDING = Beforehand(_standing, _key)
"""None before profiles were ever computed."""

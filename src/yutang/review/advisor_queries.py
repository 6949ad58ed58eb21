"""The category advisor on the brand's own orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from yutang.documents import queries as documents
from yutang.kernel.errors import NotFound, Refused
from yutang.layers.next_queries import sampled
from yutang.organisation.contracts import Viewer
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.profiles.queries import as_of
from yutang.review.advisor import Advice, Measured, advise, rated
from yutang.review.advisor_documents import AdvisorDocument
from yutang.warehouse.contracts import Warehouse, named

DEFAULT = "default"
SPAN = timedelta(days=730)
HALF = timedelta(days=182)
SAMPLE = 50_000
"""No more persons than this are looked at, drawn by hash."""


def advisor_document() -> AdvisorDocument:
    """The rules in force. Raises NotFound where the brand has retired them."""
    return documents.document_named(AdvisorDocument, DEFAULT)


def _measured(warehouse: Warehouse) -> tuple[Measured, ...]:
    """Everything first, then each category, the most bought first. (Unscoped: figures of goods tell of nobody.)"""
    at = as_of(warehouse)
    if at is None:
        return ()
    tables = {"chosen": sampled(warehouse, SAMPLE)}
    params = {"as_of": at, "since": at - SPAN}
    rows = warehouse.query(named("review/advisor", {**params, "half": at - HALF}, tables)).to_pylist()
    talks = warehouse.query(named("review/advisor_talks", params, tables)).to_pylist()[0]
    consulted = talks["consulted"] / talks["buyers"] if talks["words"] and talks["buyers"] else None
    found = sorted(map(_of, rows), key=lambda one: (one.category != "", -one.buyers, one.category))
    return tuple(replace(one, consulted=consulted) if one.category == "" else one for one in found)


def _of(row: Mapping[str, Any]) -> Measured:
    squares = (row["repeats2"], row["both2"], row["years2"])
    rate, low, high = rated(row["repeats"], row["years"], squares, row["buyers"])
    counts = (row["category"], row["buyers"], row["baskets"], row["years"])
    return Measured(*counts, rate, low, high, row["price"], row["old"], row["again"])


MEASURED: Beforehand[tuple[Measured, ...]] = Beforehand(_measured, often=86_400.0)


def advice(warehouse: Warehouse, viewer: Viewer, document: AdvisorDocument) -> Counted[Sequence[Advice]]:
    """What the brand's categories are; the whole brand first. Raises Refused for whoever does not see all of it: prices
    and rates are the whole brand's."""
    if not viewer.sees_all:
        raise Refused("品类顾问看的是整个品牌，只给总部。", "The advisor looks at the whole brand: headquarters only.")
    counted = MEASURED.answer(warehouse)
    return Counted([advise(one, document.answers_of(one.category), document) for one in counted.value], counted.as_of)


def advice_of(warehouse: Warehouse, viewer: Viewer, category: str) -> Advice:
    """What one category is ('': the whole brand). Raises NotFound for one that nobody bought."""
    for one in advice(warehouse, viewer, advisor_document()).value:
        if one.measured.category == category:
            return one
    raise NotFound(f"没有人买过「{category[:60]}」。", f"Nobody bought “{category[:60]}”.")

"""From what rows values are counted: the table `worth` of a query, with one row for each order or line that stands."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from yutang.profiles.values.contracts import Basis, Measure
from yutang.profiles.values.documents import ValuesDocument
from yutang.warehouse.contracts import Statement
from yutang.warehouse.dialects import beneath


def over_worth(asked: Statement, measure: Measure, basis: Basis, document: ValuesDocument) -> Statement:
    """The SELECT with what each order brought, `worth`, below its tables."""
    if measure is Measure.SPEND:
        return beneath(asked, "worth", "profiles/values/spend")
    rated = replace(asked, params={**asked.params, "rate": basis.rate})
    if document.margins is None or not document.margins.categories:
        return beneath(rated, "worth", "profiles/values/costed")  # no line need be read
    return over_uncosted(beneath(rated, "worth", "profiles/values/margin"), document)


def over_uncosted(asked: Statement, document: ValuesDocument) -> Statement:
    """The SELECT with the lines without a cost, `uncosted`, below its tables, and what is left of a unit of sales, by
    category, as the brand told it (`rates`)."""
    told = document.margins.categories if document.margins is not None else {}
    rates = {"category": pa.array(list(told), pa.string()), "rate": pa.array(list(told.values()), pa.float64())}
    below = beneath(asked, "uncosted", "profiles/values/uncosted")
    return replace(below, tables={**asked.tables, "rates": pa.table(rates)})

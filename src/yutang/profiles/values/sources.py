"""From what rows values are counted: the table `worth` of a query, with one row for each order or line that stands."""

from __future__ import annotations

import pyarrow as pa

from yutang.profiles.values.contracts import Basis, Measure
from yutang.profiles.values.documents import ValuesDocument


def worth_by(
    measure: Measure, basis: Basis, document: ValuesDocument
) -> tuple[str, dict[str, object], dict[str, pa.Table]]:
    """The named query of what each order brought, with its parameters and tables."""
    if measure is Measure.SPEND:
        return "profiles/values/spend", {}, {}
    given: dict[str, object] = {"rate": basis.rate}
    if document.margins is None or not document.margins.categories:
        return "profiles/values/costed", given, {}  # no line need be read
    return "profiles/values/margin", given, {"rates": rates_table(document)}


def rates_table(document: ValuesDocument) -> pa.Table:
    """What is left of a unit of sales, by category, as the brand told it."""
    told = document.margins.categories if document.margins is not None else {}
    return pa.table(
        {"category": pa.array(list(told), pa.string()), "rate": pa.array(list(told.values()), pa.float64())}
    )

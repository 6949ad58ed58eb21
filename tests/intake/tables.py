"""What stands in a warehouse, for comparing."""

from __future__ import annotations

from yutang.warehouse.contracts import Statement, Warehouse


def rows(warehouse: Warehouse, text: str, **params: object) -> list[tuple[object, ...]]:
    """The rows of a query."""
    return [tuple(row.values()) for row in warehouse.query(Statement(text, params)).to_pylist()]


def one(warehouse: Warehouse, text: str, **params: object) -> object:
    """The one value of a query."""
    return rows(warehouse, text, **params)[0][0]

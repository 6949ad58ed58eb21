"""What stands in a warehouse, for comparing."""

from __future__ import annotations

from yutang.warehouse.contracts import Statement, Warehouse


def rows(warehouse: Warehouse, text: str, **params: object) -> list[tuple[object, ...]]:
    """The rows of a query."""
    return [tuple(row.values()) for row in warehouse.query(Statement(text, params)).to_pylist()]


def one(warehouse: Warehouse, text: str, **params: object) -> object:
    """The one value of a query."""
    return rows(warehouse, text, **params)[0][0]


def told_otherwise(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """Lines that say of their order what it does not say of itself, and orders of one number: there are none, ever."""
    return rows(
        warehouse,
        """
        SELECT l.source, l.order_id, l.ordinal, l.revised_at FROM order_lines AS l
        LEFT JOIN orders AS o ON o.source = l.source AND o.order_id = l.order_id
        WHERE o.arrival IS NULL OR l.arrival IS DISTINCT FROM o.arrival
            OR l.void IS DISTINCT FROM (o.cancelled_at IS NOT NULL OR l.revised_at IS DISTINCT FROM o.lines_at)
            OR NOT l.void AND (
                l.person IS DISTINCT FROM o.person OR l.store IS DISTINCT FROM o.store
                OR l.placed_at IS DISTINCT FROM o.placed_at
            )
        UNION ALL
        SELECT min(source), min(order_id), count(*), NULL FROM orders GROUP BY arrival HAVING count(*) > 1
        """,
    )

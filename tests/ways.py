"""The ways to people in a pond whose facts a test wrote itself: what the house's migration makes of them."""

from __future__ import annotations

from yutang.warehouse.contracts import Statement
from yutang.warehouse.schema import moves, shipped


def ways_told() -> list[Statement]:
    """Statements that fill `fact_ways` from the other facts as they stand."""
    step = next(one for one in shipped() if one.name == "ways")
    return [Statement("DELETE FROM fact_ways"), *map(Statement, moves(step))]

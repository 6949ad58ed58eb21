"""Slices whose marker and events belong together: what is all there, or not at all."""

from __future__ import annotations

import pyarrow as pa

from yutang.warehouse.contracts import Statement, Warehouse

COUNTS = Statement("SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM slices) AS slices")


def a_slice(number: int, size: int = 100) -> list[Statement]:
    """A slice's marker and its events, which belong together."""
    return [
        Statement(
            "INSERT INTO events (event_id) SELECT concat($slice, '-', r) FROM numbers",
            {"slice": number},
            {"numbers": pa.table({"r": pa.array(range(size), pa.int64())})},
        ),
        Statement("INSERT INTO slices (slice) VALUES ($slice)", {"slice": number}),
    ]


def unless_applied(number: int) -> Statement:
    return Statement("SELECT count(*) > 0 FROM slices WHERE slice = $slice", {"slice": number})


def counts(warehouse: Warehouse) -> tuple[int, int]:
    row = warehouse.query(COUNTS).to_pylist()[0]
    return row["events"], row["slices"]

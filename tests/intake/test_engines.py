"""Orders stand alike on both engines, with what they cost."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.intake.tables import told_otherwise
from tests.warehouse.clickhouse import emptied_clickhouse
from tests.warehouse.fixtures import fresh_duckdb
from yutang.intake.append import INCOMING, LINES, append_statements
from yutang.warehouse.contracts import Statement, Warehouse

AT = datetime(2026, 3, 1, 4)


def told(number: int, kind: str, amount: str, *lines: tuple[str, str | None]) -> tuple[dict[str, object], list[object]]:
    """An order's event, with (amount, cost) of its lines."""
    costs = [cost for _, cost in lines if cost is not None]
    event = {
        "row": number, "event_id": f"{kind}{number}", "type": f"order.{kind}",
        "occurred_at": AT + timedelta(hours=number),
        "received_at": AT, "person": 1, "source": "shop", "amount": Decimal(amount), "currency": "CNY",
        "order_id": str(number % 10), "synthetic": False, "has_lines": bool(lines),
        "lines_amount": sum((Decimal(one) for one, _ in lines), Decimal(0)) if lines else None,
        "cost": sum(map(Decimal, costs), Decimal(0)) if costs else None,
        "uncosted": sum((Decimal(one) for one, cost in lines if cost is None), Decimal(0)) if costs else None,
    }  # fmt: skip
    of = [
        {
            "row": number,
            "ordinal": n,
            "sku": "a",
            "amount": Decimal(one),
            "cost": None if cost is None else Decimal(cost),
        }
        for n, (one, cost) in enumerate(lines)
    ]
    return event, of


STORY = (
    told(1, "placed", "40.00", ("30.00", "12.00"), ("10.00", None)),
    told(11, "refunded", "10.00"),
    told(2, "placed", "33.33", ("33.33", "7.77")),
    told(12, "refunded", "1.11"),
    told(3, "placed", "9.99", ("9.99", None)),
    told(4, "placed", "20.00", ("20.00", "5.00")),
    told(14, "corrected", "12.00", ("12.00", "3.00")),
    told(5, "placed", "8.00", ("8.00", "9.50")),
    told(15, "cancelled", "0"),
    told(6, "placed", "0.00", ("0.00", "2.50")),
    told(7, "placed", "10.01", ("5.00", "2.00"), ("5.00", None)),  # half of it is 5.005
)


def stands(warehouse: Warehouse) -> list[dict[str, object]]:
    for part in (STORY[:6], STORY[6:8], STORY[8:]):
        events = pa.Table.from_pylist([event for event, _ in part], INCOMING)
        lines = pa.Table.from_pylist([line for _, lines in part for line in lines], LINES)
        warehouse.write(append_statements(events, lines, slice_id=1))
        assert told_otherwise(warehouse) == []
    sql = "SELECT order_id, net_amount, costed, margin FROM orders ORDER BY order_id"
    found: list[dict[str, object]] = warehouse.query(Statement(sql)).to_pylist()
    return found


@pytest.mark.long
def test_margins_stand_alike_on_both_engines(tmp_path: Path) -> None:
    here = fresh_duckdb(tmp_path)
    try:
        mine = stands(here)
    finally:
        here.close()
    assert mine == stands(emptied_clickhouse())
    assert [one["margin"] for one in mine] == [
        Decimal("13.50"), Decimal("24.71"), None, Decimal("9.00"), Decimal(0), Decimal("-2.50"), Decimal("3.01"),
    ]  # fmt: skip

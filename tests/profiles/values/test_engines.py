"""The queries of values answer alike on both engines."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.profiles.worlds import naive
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import rows
from yutang.warehouse.contracts import named
from yutang.warehouse.dialects import beneath

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)


def at(days: float) -> datetime:
    return naive(NOW - timedelta(days=days))


def order(number: int, person: int, days: float, amount: str, **more: object) -> dict[str, object]:
    said = {"source": "shop", "order_id": str(number), "person": person, "placed_at": at(days), "lines_at": at(days)}
    return {**said, "net_amount": Decimal(amount), **more}


ORDERS = [
    order(1, 1, 400, "10.00"),
    order(2, 1, 200, "20.50"),
    order(3, 9, 30, "7.25"),  # 9 is 1
    order(4, 1, 29.9, "3.00"),
    order(5, 2, 10, "0.00"),
    order(6, 3, 5, "8.00", cancelled_at=at(4)),
    order(7, 4, 1, "12.00", costed=Decimal("6.00"), margin=Decimal("-1.25")),
]
TABLES = {
    "orders": rows("orders", *ORDERS),
    "order_lines": rows(
        "order_lines",
        *(
            {
                "source": "shop", "order_id": one["order_id"], "ordinal": n, "revised_at": one["lines_at"],
                "category": category, "amount": round(Decimal(str(one["net_amount"])) / 2, 2),
                "cost": Decimal("7.25") if one["order_id"] == "7" and n == 0 else None,
            }
            for one in ORDERS
            for n, category in enumerate(("milk", "奶酪"))
        ),
    ),
    "fact_scopes": rows("fact_scopes", *({"person": who, "node": node} for who in (1, 4) for node in (7, who))),
    "person_overrides": rows("person_overrides", {"birth": 9, "survivor": 1}),
    "invites": rows(
        "invites",
        {"event_id": "a", "person": 2, "inviter": 9, "at": at(20)},
        {"event_id": "b", "person": 4, "inviter": 2, "at": at(2)},
    ),
    "profile_state": rows("profile_state", {"name": "values_version", "value": "5"}),
    "person_values": rows(
        "person_values",
        *({"version": v, "person": 1, "potential": Decimal(v), "brought": 1, "cannot": None} for v in (4, 5)),
    ),
}  # fmt: skip
UNCOSTED = "profiles/values/uncosted"
RATES = {"rates": pa.table({"category": ["milk"], "rate": pa.array([0.2])})}


@pytest.mark.parametrize(
    "source", ["spend", *(pytest.param(one, marks=pytest.mark.long) for one in ("margin", "costed", "shelf"))]
)
@pytest.mark.parametrize(
    "query",
    [
        "history",
        "afterwards",
        "quarters",
        pytest.param("person_quarters", marks=pytest.mark.long),
    ],
)
def test_queries_over_worth(query: str, source: str) -> None:
    params: dict[str, object] = {"zone": "Asia/Shanghai", "as_of": NOW}
    if query == "history":
        params |= {"from_365": NOW - timedelta(365), "today": date(2026, 3, 1), "never": date(1970, 1, 1)}
    if query == "afterwards":
        params |= {"as_of": NOW - timedelta(days=100), "until": NOW}
    params |= {"most": 8} if query == "person_quarters" else {}
    params |= {"shelf": {"category": "milk"}, "margin": {"rate": 0.5}, "costed": {"rate": 0.5}}.get(source, {})
    asked = named(f"profiles/values/{query}", params, RATES if source == "margin" else {})
    asked = beneath(asked, "worth", f"profiles/values/{source}")
    asked = beneath(asked, "uncosted", UNCOSTED) if source == "margin" else asked
    found = assert_equal_on_both_engines(asked, TABLES)
    assert found.num_rows


@pytest.mark.parametrize(
    "query",
    [
        "categories",
        "brought",
        "worth",
        *(pytest.param(one, marks=pytest.mark.long) for one in ("known_costs", "known_categories")),
    ],
)
def test_the_others(query: str) -> None:
    params: dict[str, object] = {} if query == "worth" else {"as_of": NOW}
    params |= {"from_365": NOW - timedelta(365)} if query in ("categories", "known_costs", "known_categories") else {}
    asked = named(f"profiles/values/{query}", params, RATES if query == "known_categories" else {})
    asked = beneath(asked, "uncosted", UNCOSTED) if query == "known_categories" else asked
    found = assert_equal_on_both_engines(asked, TABLES)
    assert found.num_rows == {"categories": 2, "brought": 2}.get(query, 1)

"""What people are worth."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema

from yutang.api.door import REFUSALS, Number, Token, viewer_of, warehouse
from yutang.api.schemas import Instant
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId
from yutang.profiles.values import queries, telling
from yutang.profiles.values.contracts import Cannot, Measure, NextBy

router = Router(tags=["values"])


class ValuesOut(Schema):
    """What the values come to of those whom the token sees. Wallets and models speak of the whole brand, and are empty
    for who does not see it; so are the quarters of who sees several places that lie apart. Why a model says nothing
    stands in its `cannot`."""

    as_of: Instant
    fitted_at: Instant
    measure: Measure = Field(description="In what values are counted: margin, or spend where no margin is known.")
    basis: dict[str, float] = Field(
        description="By what margin is known, as shares of the last year's spend: exact (costs of order lines), "
        "by_category (as the brand told it), unknown."
    )
    horizon_days: int
    discount_rate: float
    totals: dict[str, float]
    tenths: list[dict[str, float]] = Field(description="Ten equal groups by potential value: sums.")
    quarters: list[dict[str, float]]
    wallets: list[dict[str, Any]]
    models: list[dict[str, Any]]


class PersonValuesOut(Schema):
    """A person's three values. What cannot be told is null, and `cannot` says why. The interval holds in 80 % of cases.
    `model_one` is of those whom they brought themselves, `model_tree` of the whole tree below them."""

    as_of: Instant
    measure: Measure
    horizon_days: int
    cannot: Cannot | None
    existing_365d: Decimal
    existing_ever: Decimal
    expected_orders: float | None
    potential: Decimal | None
    potential_low: Decimal | None
    potential_high: Decimal | None
    alive: float | None = Field(description="The probability that they are still a customer.")
    churn: float | None = Field(description="The probability of no order at all within the horizon.")
    next_order_day: date | None
    next_by: NextBy | None = Field(description="By their own rhythm, or by the model's median.")
    brought: int
    brought_all: int
    model_one: Decimal
    model_tree: Decimal


@router.get("/values", response={200: ValuesOut, **REFUSALS}, auth=Token("read"))
def get_values(request: HttpRequest) -> dict[str, Any]:
    """What the last scoring came to, with the models, their parameters and how they did on the past."""
    found = telling.told(warehouse(), viewer_of(request))
    if found is None:
        raise NotFound("还没有打过分。", "Nothing was scored yet.")
    return found


@router.get("/persons/{person}/values", response={200: PersonValuesOut, **REFUSALS}, auth=Token("read"))
def get_person_values(request: HttpRequest, person: Number) -> dict[str, Any]:
    """A person's existing, potential and model value at the last scoring."""
    worth = queries.worth_of(warehouse(), viewer_of(request), PersonId(person))
    found = telling.told_person(worth, queries.state(warehouse()))
    if found is None:
        raise NotFound("这位客户还没有价值可说。", "There is nothing to say of this person's values yet.")
    return found

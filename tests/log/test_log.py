"""What the log takes, and what it refuses by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import transaction

from yutang.kernel.errors import BadInput
from yutang.kernel.ids import EventId
from yutang.log import queries, services
from yutang.log.contracts import Event, IdentifierValue, Line
from yutang.log.models import InboxEnvelope
from yutang.organisation.services import set_up_brand

ORDER = Event(
    id=EventId("o-1"),
    type="order.placed",
    occurred_at=datetime(2026, 3, 2, 1, tzinfo=UTC),
    identifiers=(IdentifierValue("member", "shop", "1001"),),
    amount=Decimal("12.30"),
    currency="CNY",
    props={"order_id": "1"},
    lines=(Line("sku", "面包", Decimal(1), Decimal("12.30")),),
)


@pytest.mark.django_db
def test_what_is_recorded_comes_out_as_it_went_in_and_is_sealed_between() -> None:
    secret = replace(ORDER, type="person.seen", amount=None, currency=None, lines=(), props={"name": "张三丰"})
    assert services.record([ORDER, secret]) == 2
    row = InboxEnvelope.objects.get()
    assert "张三丰".encode() not in bytes(row.sealed)
    assert services.unseal(bytes(row.sealed)) == [ORDER, secret]
    assert queries.waiting() == 2


@pytest.mark.django_db
def test_recording_stands_and_falls_with_the_callers_transaction() -> None:
    def fails() -> None:
        with transaction.atomic():
            services.record([ORDER])
            raise RuntimeError("the caller failed")

    with pytest.raises(RuntimeError):
        fails()
    assert queries.waiting() == 0


@pytest.mark.django_db
def test_one_bad_event_and_nothing_is_written() -> None:
    with pytest.raises(BadInput, match="o-2"):
        services.record([ORDER, replace(ORDER, id=EventId("o-2"), type="order.eaten")])
    assert queries.waiting() == 0


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"type": "order.eaten"}, "type"),
        ({"occurred_at": datetime(2026, 3, 2)}, "occurred_at"),
        ({"id": ""}, "id"),
        ({"identifiers": ()}, "identifiers"),
        ({"amount": None}, "amount"),
        ({"currency": None}, "currency"),
        ({"amount": Decimal("-1")}, "amount"),
        ({"amount": Decimal("1.234")}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"props": {}}, "props.order_id"),
        ({"props": {"order_id": 7}}, "props.order_id"),
        ({"props": {"order_id": "1", "colour": "red"}}, "props.colour"),
        ({"lines": (Line("s", "c", Decimal(-1), Decimal(1)),)}, "lines.0.quantity"),
        ({"type": "order.paid"}, "lines"),
    ],
)
def test_what_the_vocabulary_refuses_is_named(change: dict[str, object], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        services.check(replace(ORDER, **change))  # type: ignore[arg-type]
    assert place in caught.value.en
    assert place in caught.value.zh


def test_free_lines_are_valid() -> None:
    services.check(replace(ORDER, amount=Decimal(0), lines=(Line("s", "c", Decimal(0), Decimal(0)),)))


@pytest.mark.parametrize(
    "change",
    [
        {"amount": Decimal(10**12)},
        {"lines": (Line("s", "c", Decimal(1), Decimal(10**12)),)},
        {"lines": (Line("s", "c", Decimal(1), Decimal(1), Decimal(10**12)),)},
        {"lines": (Line("s", "c", Decimal(1), Decimal(1), Decimal("NaN")),)},
        {"lines": (Line("s", "c", Decimal(10**12), Decimal(1)),)},
        {"lines": (Line("s", "c", Decimal("NaN"), Decimal(1)),)},
    ],
)
def test_a_number_that_the_warehouse_cannot_add_up_is_refused_at_the_door(change: dict[str, object]) -> None:
    """Two of 10¹⁶ on one order overflowed the warehouse's 18 digits, and the pump stood still for ever."""
    with pytest.raises(BadInput, match="amount"):
        services.check(replace(ORDER, **change))  # type: ignore[arg-type]


@pytest.mark.django_db
def test_an_amount_in_another_currency_than_the_brands_is_refused_and_nothing_is_recorded() -> None:
    set_up_brand("池塘", "CNY", "Asia/Shanghai")
    with pytest.raises(BadInput, match="convert USD"):
        services.record([ORDER, replace(ORDER, id=EventId("o-2"), currency="USD")])
    assert queries.waiting() == 0
    assert services.record([ORDER]) == 1

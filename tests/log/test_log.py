"""What the log takes, and what it refuses by name."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import transaction
from msgspec.structs import replace

from yutang.kernel.errors import BadInput
from yutang.kernel.ids import EventId
from yutang.log import queries, services
from yutang.log.contracts import Event, IdentifierValue, Line, said
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
        ({"lines": (Line("s", "c", Decimal("0.3333"), Decimal(1)),)}, "amount"),
        ({"lines": (Line("s", "c", Decimal(1), Decimal(1), cost=Decimal(-1)),)}, "lines.0.unit_cost"),
        ({"lines": (Line("s", "c", Decimal(1), Decimal(1), cost=Decimal("NaN")),)}, "amount"),
        ({"type": "order.paid"}, "lines"),
        ({"occurred_at": datetime(1969, 7, 20, tzinfo=UTC)}, "occurred_at"),
        ({"identifiers": (IdentifierValue("member", "shop", "1\x1f2"),)}, "identifiers.0.value"),
        ({"identifiers": (IdentifierValue("member", "sh\x1eop", "1"),)}, "identifiers.0.value"),
        ({"identifiers": (IdentifierValue("member", "shop", "\u3000"),)}, "identifiers.0.value"),
    ],
)
def test_what_the_vocabulary_refuses_is_named(change: dict[str, object], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        services.check(replace(ORDER, **change))  # type: ignore[arg-type]
    assert place in caught.value.en
    assert place in caught.value.zh


@pytest.mark.django_db
def test_a_slice_comes_out_as_columns_with_nothing_personal_among_the_props() -> None:
    device = IdentifierValue("device", "web", "d1")
    seen = replace(
        ORDER, id=EventId("s-1"), type="person.seen", amount=None, currency=None, lines=(),
        identifiers=(*ORDER.identifiers, device), props={"name": "张三丰", "synthetic": True},
    )  # fmt: skip
    services.record([ORDER])
    services.record([seen, replace(ORDER, id=EventId("o-2"), type="order.paid", amount=None, currency=None, lines=())])
    InboxEnvelope.objects.update(slice=1)
    found = services.columns(services.envelopes(1))
    rows = found.events.to_pylist()
    assert [row["event_id"] for row in rows] == ["o-1", "s-1", "o-2"]
    assert [row["who"] for row in rows] == [said(ORDER.identifiers)] * 3, "a weak identifier beside a strong one is not"
    assert [row["props"] for row in rows] == ['{"order_id":"1"}', '{"synthetic":true}', '{"order_id":"1"}']
    assert [row["order_id"] for row in rows] == ["1", None, "1"]
    assert [row["synthetic"] for row in rows] == [False, True, False]
    assert [(row["amount"], row["has_lines"], row["discount"]) for row in rows] == [
        (Decimal("12.30"), True, Decimal(0)), (None, False, None), (None, False, None),
    ]  # fmt: skip
    assert found.private == {1: '{"name":"张三丰"}'}
    assert found.lines.to_pylist()[0] | {"row": 0, "ordinal": 0, "sku": "sku"} == found.lines.to_pylist()[0]


def test_a_quick_look_and_a_close_one_take_the_same_events() -> None:
    for amount in ("0", "12", "12.3", "12.30", "1E+2", "-0"):
        services.check(replace(ORDER, amount=Decimal(amount)))
    services.check(replace(ORDER, type="coupon.redeemed", amount=Decimal("-1.5"), lines=(), props={"coupon": "c"}))
    services.check(replace(ORDER, occurred_at=datetime(1990, 1, 1, tzinfo=UTC)))


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

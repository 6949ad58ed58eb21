"""What goes over the wire."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from ninja import Field, Schema
from pydantic import ConfigDict

from yutang.kernel.ids import EventId
from yutang.log.contracts import Event, IdentifierValue, Line


class Strict(Schema):
    """Unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid")


class IdentifierIn(Strict):
    kind: str = Field(max_length=24, examples=["member"])
    namespace: str = Field(default="", max_length=80)
    value: str = Field(min_length=1, max_length=200)


class LineIn(Strict):
    sku: str = Field(max_length=80)
    category: str = Field(default="", max_length=120)
    quantity: Decimal = Field(max_digits=18, decimal_places=3)
    amount: Decimal = Field(max_digits=18, decimal_places=2)
    discount: Decimal = Field(default=Decimal(0), max_digits=18, decimal_places=2)


class EventIn(Strict):
    """A fact. `id` is yours and makes sending it again harmless; `occurred_at` carries its zone."""

    id: str = Field(min_length=1, max_length=128)
    type: str = Field(max_length=64, examples=["order.placed"])
    occurred_at: datetime
    identifiers: list[IdentifierIn] = Field(default_factory=list, max_length=20)
    store: str | None = Field(default=None, max_length=64)
    staff: str | None = Field(default=None, max_length=64)
    source: str = Field(default="", max_length=80)
    channel: str | None = Field(default=None, max_length=16)
    amount: Decimal | None = Field(default=None, max_digits=18, decimal_places=2)
    currency: str | None = Field(default=None, min_length=3, max_length=3)
    props: dict[str, Any] = Field(default_factory=dict)
    lines: list[LineIn] = Field(default_factory=list, max_length=2000)

    def event(self) -> Event:
        """The event as the log takes it."""
        return Event(
            id=EventId(self.id),
            type=self.type,
            occurred_at=self.occurred_at,
            identifiers=tuple(IdentifierValue(item.kind, item.namespace, item.value) for item in self.identifiers),
            store=self.store,
            staff=self.staff,
            source=self.source,
            channel=self.channel,
            amount=self.amount,
            currency=self.currency,
            props=self.props,
            lines=tuple(
                Line(item.sku, item.category, item.quantity, item.amount, item.discount) for item in self.lines
            ),
        )


class EventsIn(Strict):
    events: list[EventIn] = Field(min_length=1, max_length=1000)


class Accepted(Schema):
    """How many events are now durable."""

    accepted: int


class Sentence(Schema):
    """An error, in both languages."""

    zh: str
    en: str


class ErrorOut(Schema):
    error: Sentence

"""An event as every room passes it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from yutang.kernel.ids import EventId, PersonId

STRONG_KINDS = ("unionid", "member", "external_userid", "openid", "phone", "email")
WEAK_KINDS = ("device", "address")


@dataclass(frozen=True, slots=True)
class IdentifierValue:
    """One identifier of a person.

    `kind` is one of STRONG_KINDS (these join persons; the first named leads) or WEAK_KINDS (these never do).
    `namespace` is the source of a member number, the corp of an external_userid, the app of an openid; phones and
    e-mails have none.
    """

    kind: str
    namespace: str
    value: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order. `amount` is what was charged for the line; `discount` what was taken off, positive."""

    sku: str
    category: str
    quantity: Decimal
    amount: Decimal
    discount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with a time. `id` is the sender's own and makes a second arrival of the same event harmless.

    The person is named by `identifiers` (from outside) or `person` (from inside). `occurred_at` is aware UTC and is
    never changed afterwards: it prunes the search for duplicates. `store` and `staff` are codes, not ids.
    """

    id: EventId
    type: str
    occurred_at: datetime
    identifiers: tuple[IdentifierValue, ...] = ()
    person: PersonId | None = None
    store: str | None = None
    staff: str | None = None
    source: str = ""
    plan: int | None = None
    batch: int | None = None
    channel: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    props: Mapping[str, object] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """Events that arrived together, and when (wall clock)."""

    received_at: datetime
    events: tuple[Event, ...]

"""An event as every room passes it on.

These are msgspec structs and no dataclasses: a collector makes 80,000 of them a second, and a frozen dataclass of so
many fields takes six times as long to make. `msgspec.structs.replace` gives a changed copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import msgspec
import pyarrow as pa

from yutang.kernel.ids import EventId, PersonId

STRONG_KINDS = ("unionid", "member", "external_userid", "openid", "phone", "email")
WEAK_KINDS = ("device", "address")
PART, NEXT = "\x1f", "\x1e"
"""Between the parts of an identifier, and between identifiers; `vocabulary.check` refuses them inside one."""


class IdentifierValue(msgspec.Struct, frozen=True, gc=False):
    """One identifier of a person.

    `kind` is one of STRONG_KINDS (these join persons; the first named leads) or WEAK_KINDS (these never do).
    `namespace` is the source of a member number, the corp of an external_userid, the app of an openid; phones and
    e-mails have none.
    """

    kind: str
    namespace: str
    value: str


def said(identifiers: Sequence[IdentifierValue]) -> str:
    """Identifiers as one text: equal texts name the same identifiers. `heard` reads it."""
    if len(identifiers) == 1:
        return said_alone(identifiers[0])
    return NEXT.join(map(said_alone, identifiers))


def said_alone(one: IdentifierValue) -> str:
    """The text of one identifier: what its look-up hash is made of, too."""
    return f"{one.kind}{PART}{one.namespace}{PART}{one.value}"


def heard(who: str) -> tuple[IdentifierValue, ...]:
    """The identifiers of a text that `said` wrote."""
    return tuple(IdentifierValue(*one.split(PART)) for one in who.split(NEXT)) if who else ()


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line of an order. `amount` is what was charged for the line; `discount` what was taken off, positive; `cost`
    what its goods cost the brand, as many as they are, in the order's currency; None: not known, which is not 0."""

    sku: str
    category: str
    quantity: Decimal
    amount: Decimal
    discount: Decimal = Decimal(0)
    cost: Decimal | None = None


def cost_of(unit_cost: Decimal | None, quantity: Decimal) -> Decimal | None:
    """What so many pieces cost, to the cent; None where a piece's cost is not known."""
    if unit_cost is None:
        return None
    cost = unit_cost * quantity
    return cost.quantize(_CENT, ROUND_HALF_UP) if abs(cost) < _TOO_MUCH else cost  # `check` refuses it


_CENT, _TOO_MUCH = Decimal("0.01"), 10**12


class Event(msgspec.Struct, frozen=True, gc=False):
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
    props: Mapping[str, object] = {}
    lines: tuple[Line, ...] = ()


class Envelope(NamedTuple):
    """Events that arrived together, and when (wall clock), sealed."""

    received_at: datetime
    sealed: bytes


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Many events, column by column, in order of arrival. Nothing personal but in `who` and `private`.

    `events`: event_id, type, occurred_at and received_at (naive UTC), person (as said by rooms of our own), who (its
    strong identifiers as `said` writes them, else the weak ones, empty if none), store and staff (codes), source, plan,
    batch, channel, amount, currency, props (JSON without what is personal, null if empty), order_id (of order events),
    synthetic, has_lines; of its lines together: discount, lines_amount (what they charge), cost (null: known of none),
    uncosted (what those charge of which it is not known). `lines`: row (of its event), ordinal, sku, category,
    quantity, amount, discount, cost. `private`: the personal props of the rows that have some, as JSON.
    """

    events: pa.Table
    lines: pa.Table
    private: Mapping[int, str]

"""How events lie in an envelope: column by column, so that the pump lifts them out without an object per event.

What is personal lies apart (`private`) from what the warehouse may hold (`props`, already the JSON that it keeps). A
column of which every value is missing is empty. Times are whole microseconds since 1970 (UTC), amounts whole cents,
quantities whole thousandths: `vocabulary.check` refuses what has more digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain, islice, repeat
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.ids import EventId, PersonId
from yutang.log.contracts import WEAK_KINDS, Event, EventColumns, IdentifierValue, Line, heard, said
from yutang.log.vocabulary import personal_props

TIMESTAMP = pa.timestamp("us")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


Row = tuple[Any, ...]
"""An event as the values of an envelope's columns, in this order: id, type, at, who, beside, person, store, staff,
source, plan, batch, channel, amount, currency, props, order, synthetic, private, lines (each: sku, category, quantity,
amount, discount, cost). A plain tuple: a collector makes 80,000 a second, and columns are lifted out of them all at
once."""

ID, TYPE, AT = 0, 1, 2


class Packed(msgspec.Struct, array_like=True, gc=False):
    """The columns of an envelope. New ones are added at the end, with a default: old envelopes lack them.

    One value stands for all rows where there are more; none at all says that every value is missing.
    """

    id: Sequence[str]
    type: Sequence[str]
    at: Sequence[int]
    who: Sequence[str]  # the strong identifiers, or the weak ones where there is no strong one
    person: Sequence[int | None]
    store: Sequence[str | None]
    staff: Sequence[str | None]
    source: Sequence[str]
    plan: Sequence[int | None]
    batch: Sequence[int | None]
    channel: Sequence[str | None]
    amount: Sequence[int | None]
    currency: Sequence[str | None]
    props: Sequence[str | None]
    order: Sequence[str | None]
    synthetic: Sequence[int]  # the rows that are
    private_at: Sequence[int]
    private: Sequence[str]
    lines: Sequence[int]  # how many lines each event has
    sku: Sequence[str]
    category: Sequence[str]
    quantity: Sequence[int]
    line_amount: Sequence[int]
    discount: Sequence[int]
    beside: Sequence[str | None]  # weak identifiers beside strong ones: they say nothing of who it is
    cost: Sequence[int | None] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Packed).decode
_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder().decode


def pack(rows: Sequence[Row]) -> bytes:
    """Rows as the bytes of an envelope, not yet sealed."""
    (id, type, at, who, beside, person, store, staff, source, plan, batch, channel, amount, currency, props, order,
     synthetic, private, carried) = zip(*rows, strict=True) if rows else ((),) * 19  # fmt: skip
    lines = list(chain.from_iterable(carried))
    sku, category, quantity, line_amount, discount, cost = zip(*lines, strict=True) if lines else ((),) * 6
    return _encode(
        Packed(
            id=id,
            type=_told(type),
            at=at,
            who=who,
            person=_told(person),
            store=_told(store),
            staff=_told(staff),
            source=_told(source),
            plan=_told(plan),
            batch=_told(batch),
            channel=_told(channel),
            amount=_told(amount),
            currency=_told(currency),
            props=_told(props),
            order=_told(order),
            synthetic=[row for row, said in enumerate(synthetic) if said] if True in synthetic else (),
            private_at=[row for row, text in enumerate(private) if text is not None],
            private=[text for text in private if text is not None],
            lines=list(map(len, carried)) if lines else (),
            sku=sku,
            category=_told(category),
            quantity=quantity,
            line_amount=line_amount,
            discount=_told(discount),
            beside=_told(beside),
            cost=_told(cost),
        )
    )


def _told(column: tuple[Any, ...]) -> Sequence[Any]:
    """The column, or as much of it as tells the whole."""
    if not column or column.count(column[0]) != len(column):
        return column
    return () if column[0] is None else column[:1]


def row_of(event: Event) -> Row:
    """A checked event as a row."""
    props: str | None = None
    order: object = None
    private: str | None = None
    given: Any = event.props
    if given:
        order = given["order_id"] if event.type in ORDERS else None
        personal = personal_props(event.type)
        if personal and not personal.isdisjoint(given):
            private = _to_json({name: value for name, value in given.items() if name in personal}).decode()
            given = {name: value for name, value in given.items() if name not in personal}
        props = _to_json(given).decode() if given else None
    who, beside = _identities(event.identifiers)
    return (
        event.id, event.type, micros(event.occurred_at), who, beside, event.person, event.store, event.staff,
        event.source, event.plan, event.batch, event.channel,
        None if event.amount is None else _whole(event.amount, 2), event.currency, props, order,
        bool(event.props.get("synthetic")), private,
        tuple(
            (
                line.sku, line.category, _whole(line.quantity, 3), _whole(line.amount, 2), _whole(line.discount, 2),
                None if line.cost is None else _whole(line.cost, 2),
            )
            for line in event.lines
        ) if event.lines else (),
    )  # fmt: skip


def _identities(identifiers: tuple[IdentifierValue, ...]) -> tuple[str, str | None]:
    """What the columns `who` and `beside` say of an event."""
    if len(identifiers) > 1:
        strong = [one for one in identifiers if one.kind not in WEAK_KINDS]
        if strong and len(strong) < len(identifiers):
            return said(strong), said([one for one in identifiers if one.kind in WEAK_KINDS])
    return said(identifiers), None


ORDERS = frozenset(("order.placed", "order.paid", "order.cancelled", "order.refunded", "order.corrected"))


def micros(at: datetime) -> int:
    """An aware time as microseconds since 1970."""
    seconds = at.timestamp()
    if 0 <= seconds < 4e9:  # a double holds these to the microsecond
        return round(seconds * 1e6)
    return (at - EPOCH) // _MICROSECOND


def _whole(number: Decimal, digits: int) -> int:
    return int(number.scaleb(digits))


def unpack(packed: bytes) -> list[Event]:
    """The events of an envelope, one by one."""
    return [event_of(row) for row in _rows(_decode(packed))]


def _rows(all: Packed) -> Iterable[Row]:
    count = len(all.id)
    synthetic, private = set(all.synthetic), dict(zip(all.private_at, all.private, strict=True))
    held = len(all.sku)
    lines = zip(
        all.sku, _spread(all.category, held), all.quantity, all.line_amount, _spread(all.discount, held),
        _spread(all.cost, held), strict=True,
    )  # fmt: skip
    columns = (
        all.id, all.type, all.at, all.who, all.beside, all.person, all.store, all.staff, all.source, all.plan,
        all.batch, all.channel, all.amount, all.currency, all.props, all.order,
    )  # fmt: skip
    for row, (size, *told) in enumerate(
        zip(all.lines or repeat(0, count), *(_spread(column, count) for column in columns), strict=True)
    ):
        yield (*told, row in synthetic, private.get(row), tuple(islice(lines, size)))


def event_of(row: Row) -> Event:
    """A row as an event."""
    (id, type, at, who, beside, person, store, staff, source, plan, batch, channel, amount, currency, props, _, _,
     private, lines) = row  # fmt: skip
    return Event(
        EventId(id), type, time_of(at), (*heard(who), *heard(beside or "")),
        None if person is None else PersonId(person), store, staff, source, plan, batch, channel,
        None if amount is None else _decimal(amount, 2), currency,
        {**(_from_json(props) if props else {}), **(_from_json(private) if private else {})},
        tuple(
            Line(
                sku, category, _decimal(quantity, 3), _decimal(charged, 2), _decimal(off, 2),
                None if cost is None else _decimal(cost, 2),
            )
            for sku, category, quantity, charged, off, cost in lines
        ),
    )  # fmt: skip


def time_of(at: int) -> datetime:
    """Microseconds since 1970 as an aware time."""
    return EPOCH + timedelta(microseconds=at)


def whom(packed: bytes) -> tuple[set[str], set[int], list[str]]:
    """Whom an envelope's events name: the identifiers as `said` writes them, the persons' numbers, and what is
    personal beside them (JSON)."""
    all = _decode(packed)
    groups = {*all.who, *(one for one in all.beside if one)}
    return groups - {""}, {one for one in all.person if one is not None}, list(all.private)


def _decimal(whole: int, digits: int) -> Decimal:
    return Decimal(whole).scaleb(-digits)


def _spread(column: Sequence[Any], count: int) -> Sequence[Any]:
    """The whole column of which an envelope tells as much as must be."""
    if len(column) == count:
        return column
    return [column[0] if column else None] * count


_TEXTS = ("store", "staff", "channel", "currency", "props", "order")
_NUMBERS = ("person", "plan", "batch", "amount")
_ALWAYS = ("id", "type", "at", "who", "source")
_LINES = ("sku", "category", "quantity", "line_amount", "discount", "cost")


def columns(envelopes: Iterable[tuple[datetime, bytes]]) -> EventColumns:
    """The events of opened envelopes, each with when it was received, as columns in that order."""
    found: dict[str, list[Any]] = {name: [] for name in (*_ALWAYS, *_TEXTS, *_NUMBERS, *_LINES, "lines")}
    of_events = [(name, found[name].extend) for name in (*_ALWAYS, *_TEXTS, *_NUMBERS)]
    of_lines = [(name, found[name].extend) for name in _LINES]
    sizes: list[int] = []
    received: list[int] = []
    private: dict[int, str] = {}
    synthetic: list[int] = []
    base = 0
    for received_at, packed in envelopes:
        one = _decode(packed)
        count = len(one.id)
        for name, extend in of_events:
            extend(_spread(getattr(one, name), count))
        for name, extend in of_lines:
            extend(_spread(getattr(one, name), len(one.sku)))
        found["lines"].extend(one.lines or repeat(0, count))
        if one.private_at:
            private.update(zip([base + row for row in one.private_at], one.private, strict=True))
        if one.synthetic:
            synthetic += [base + row for row in one.synthetic]
        sizes.append(count)
        received.append(micros(received_at))
        base += count
    made_up = np.zeros(base, dtype=bool)
    made_up[synthetic] = True
    carried = np.array(found["lines"], dtype=np.int64)
    off, charged = (np.array(found[name], dtype=np.int64) for name in ("discount", "line_amount"))
    costs = pa.array(found["cost"], pa.int64())
    lines = _lines(found, carried, off, costs)
    cost, uncosted = costs_of(charged, costs, carried)
    events = pa.table(
        {
            "event_id": pa.array(found["id"], pa.string()),
            "type": pa.array(found["type"], pa.string()),
            "occurred_at": pa.array(np.array(found["at"], dtype=np.int64)).cast(TIMESTAMP),
            "received_at": pa.array(np.repeat(np.array(received, dtype=np.int64), sizes)).cast(TIMESTAMP),
            "person": pa.array(found["person"], pa.int64()),
            "who": pa.array(found["who"], pa.string()),
            "store": pa.array(found["store"], pa.string()),
            "staff": pa.array(found["staff"], pa.string()),
            "source": pa.array(found["source"], pa.string()),
            "plan": pa.array(found["plan"], pa.int64()),
            "batch": pa.array(found["batch"], pa.int64()),
            "channel": pa.array(found["channel"], pa.string()),
            "amount": decimals(pa.array(found["amount"], pa.int64()), 2),
            "currency": pa.array(found["currency"], pa.string()),
            "props": pa.array(found["props"], pa.string()),
            "order_id": pa.array(found["order"], pa.string()),
            "synthetic": pa.array(made_up),
            "has_lines": pa.array(carried > 0),
            "discount": decimals(pa.array(_sums(off, carried), mask=carried == 0), 2),
            "lines_amount": decimals(pa.array(_sums(charged, carried), mask=carried == 0), 2),
            "cost": cost,
            "uncosted": uncosted,
        }
    )
    return EventColumns(events, lines, private)


def costs_of(
    charged: npt.NDArray[np.int64], costs: pa.Array, carried: npt.NDArray[np.int64]
) -> tuple[pa.Array, pa.Array]:
    """`cost` and `uncosted` of orders with so many lines each, from what the lines charge and cost, in cents. What
    charges nothing, or takes off, needs no cost; both are null where no line has one."""
    known = costs.is_valid().to_numpy(zero_copy_only=False)
    if not known.any():
        nothing = pa.nulls(len(carried), pa.decimal128(18, 2))
        return nothing, nothing
    said = costs.fill_null(0).to_numpy(zero_copy_only=False)
    none = _sums(known.astype(np.int64), carried) == 0
    open_ = np.where(known, 0, np.maximum(charged, 0))
    cost, uncosted = (decimals(pa.array(_sums(one, carried), mask=none), 2) for one in (said, open_))
    return cost, uncosted


def _lines(
    found: dict[str, list[Any]], carried: npt.NDArray[np.int64], off: npt.NDArray[np.int64], costs: pa.Array
) -> pa.Table:
    starts = np.cumsum(carried) - carried
    return pa.table(
        {
            "row": np.repeat(np.arange(len(carried)), carried),
            "ordinal": (np.arange(len(off)) - np.repeat(starts, carried)).astype(np.int32),
            "sku": pa.array(found["sku"], pa.string()),
            "category": pa.array(found["category"], pa.string()),
            "quantity": decimals(pa.array(found["quantity"], pa.int64()), 3),
            "amount": decimals(pa.array(found["line_amount"], pa.int64()), 2),
            "discount": decimals(pa.array(off), 2),
            "cost": decimals(costs, 2),
        }
    )


def _sums(values: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sum of each run of values."""
    ends = np.cumsum(sizes)
    total = np.concatenate([[0], np.cumsum(values)])
    sums: npt.NDArray[np.int64] = total[ends] - total[ends - sizes]
    return sums


def decimals(values: pa.Array, digits: int) -> pa.Array:
    """Whole numbers of the smallest unit as decimals with so many digits behind the point; null stays null."""
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
    words = np.empty((len(values), 2), dtype=np.int64)
    words[:, 0] = numbers
    words[:, 1] = numbers >> 63
    there = pa.array(values.is_valid().to_numpy(zero_copy_only=False)).buffers()[1] if values.null_count else None
    return pa.Array.from_buffers(pa.decimal128(18, digits), len(values), [there, pa.py_buffer(words)])

"""How events lie in an envelope: column by column, so that the pump lifts them out without an object per event.

What is personal lies apart (`private`) from what the warehouse may hold (`props`, already the JSON that it keeps). A
column of which every value is missing is empty. Times are whole microseconds since 1970 (UTC), amounts whole cents,
quantities whole thousandths: `vocabulary.check` refuses what has more digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain, repeat
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.ids import EventId, PersonId
from yutang.log.contracts import WEAK_KINDS, Event, EventColumns, Line, heard, said
from yutang.log.vocabulary import personal_props

TIMESTAMP = pa.timestamp("us")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Packed(msgspec.Struct, array_like=True, gc=False):
    """The columns of an envelope. New ones are added at the end, with a default: old envelopes lack them."""

    id: list[str]
    type: list[str]
    at: list[int]
    who: list[str]  # the strong identifiers, or the weak ones where there is no strong one
    person: list[int | None]
    store: list[str | None]
    staff: list[str | None]
    source: list[str]
    plan: list[int | None]
    batch: list[int | None]
    channel: list[str | None]
    amount: list[int | None]
    currency: list[str | None]
    props: list[str | None]
    order: list[str | None]
    synthetic: list[int]  # the rows that are
    private_at: list[int]
    private: list[str]
    lines: list[int]  # how many lines each event has
    sku: list[str]
    category: list[str]
    quantity: list[int]
    line_amount: list[int]
    discount: list[int]
    beside: list[str | None]  # weak identifiers beside strong ones: they say nothing of who it is


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Packed).decode
_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder().decode


def pack(events: Sequence[Event]) -> bytes:
    """Events as the bytes of an envelope, not yet sealed."""
    props: list[str | None] = []
    orders: list[str | None] = []
    synthetic: list[int] = []
    private_at: list[int] = []
    private: list[str] = []
    for row, event in enumerate(events):
        given: Any = event.props
        if not given:
            props.append(None)
            orders.append(None)
            continue
        orders.append(given["order_id"] if event.type in _ORDERS else None)
        if given.get("synthetic"):
            synthetic.append(row)
        personal = personal_props(event.type)
        if personal and not personal.isdisjoint(given):
            private_at.append(row)
            private.append(_to_json({name: value for name, value in given.items() if name in personal}).decode())
            given = {name: value for name, value in given.items() if name not in personal}
        props.append(_to_json(given).decode() if given else None)
    lines = list(chain.from_iterable([event.lines for event in events if event.lines]))
    who, beside = _identities(events)
    return _encode(
        Packed(
            id=[event.id for event in events],
            type=[event.type for event in events],
            at=[_micros(event.occurred_at) for event in events],
            who=who,
            person=_given([event.person for event in events]),
            store=_given([event.store for event in events]),
            staff=_given([event.staff for event in events]),
            source=[event.source for event in events],
            plan=_given([event.plan for event in events]),
            batch=_given([event.batch for event in events]),
            channel=_given([event.channel for event in events]),
            amount=_given([None if event.amount is None else _whole(event.amount, 2) for event in events]),
            currency=_given([event.currency for event in events]),
            props=_given(props),
            order=_given(orders),
            synthetic=synthetic,
            private_at=private_at,
            private=private,
            lines=[len(event.lines) for event in events] if lines else [],
            sku=[line.sku for line in lines],
            category=[line.category for line in lines],
            quantity=[_whole(line.quantity, 3) for line in lines],
            line_amount=[_whole(line.amount, 2) for line in lines],
            discount=[_whole(line.discount, 2) for line in lines],
            beside=_given(beside),
        )
    )


def _identities(events: Sequence[Event]) -> tuple[list[str], list[str | None]]:
    """What the columns `who` and `beside` say of each event."""
    who: list[str] = []
    beside: list[str | None] = []
    for event in events:
        identifiers = event.identifiers
        weak = None
        if len(identifiers) > 1:
            strong = [one for one in identifiers if one.kind not in WEAK_KINDS]
            if strong and len(strong) < len(identifiers):
                weak = said([one for one in identifiers if one.kind in WEAK_KINDS])
                identifiers = tuple(strong)
        who.append(said(identifiers))
        beside.append(weak)
    return who, beside


_ORDERS = frozenset(("order.placed", "order.paid", "order.cancelled", "order.refunded", "order.corrected"))


def _given(column: list[Any]) -> list[Any]:
    """The column, or nothing where nothing is given."""
    return column if column.count(None) != len(column) else []


def _micros(at: datetime) -> int:
    seconds = at.timestamp()
    if 0 <= seconds < 4e9:  # a double holds these to the microsecond
        return round(seconds * 1e6)
    return (at - _EPOCH) // _MICROSECOND


def _whole(number: Decimal, digits: int) -> int:
    return int(number.scaleb(digits))


def unpack(packed: bytes) -> list[Event]:
    """The events of an envelope, one by one."""
    all = _decode(packed)
    count = len(all.id)
    private = dict(zip(all.private_at, all.private, strict=True))
    lines = zip(all.sku, all.category, all.quantity, all.line_amount, all.discount, strict=True)
    columns = zip(
        all.id, all.type, all.at, all.who, _filled(all.person, count), _filled(all.store, count),
        _filled(all.staff, count), all.source, _filled(all.plan, count), _filled(all.batch, count),
        _filled(all.channel, count), _filled(all.amount, count), _filled(all.currency, count),
        _filled(all.props, count), all.lines or repeat(0, count), _filled(all.beside, count), strict=True,
    )  # fmt: skip
    result = []
    for row, one in enumerate(columns):
        (id, type, at, who, person, store, staff, source, plan, batch, channel, amount, currency, *rest) = one
        props, size, beside = rest
        result.append(
            Event(
                EventId(id), type, _EPOCH + timedelta(microseconds=at), (*heard(who), *heard(beside or "")),
                None if person is None else PersonId(person), store, staff, source, plan, batch, channel,
                None if amount is None else _decimal(amount, 2), currency,
                {**(_from_json(props) if props else {}), **(_from_json(private[row]) if row in private else {})},
                tuple(
                    Line(sku, category, _decimal(quantity, 3), _decimal(charged, 2), _decimal(off, 2))
                    for sku, category, quantity, charged, off in (next(lines) for _ in range(size))
                ),
            )
        )  # fmt: skip
    return result


def _decimal(whole: int, digits: int) -> Decimal:
    return Decimal(whole).scaleb(-digits)


def _filled(column: Sequence[Any], count: int) -> Iterable[Any]:
    return column or repeat(None, count)


_TEXTS = ("store", "staff", "channel", "currency", "props", "order")
_NUMBERS = ("person", "plan", "batch", "amount")
_ALWAYS = ("id", "type", "at", "who", "source")
_LINES = ("sku", "category", "quantity", "line_amount", "discount")


def columns(envelopes: Iterable[tuple[datetime, bytes]]) -> EventColumns:
    """The events of opened envelopes, each with when it was received, as columns in that order."""
    found: dict[str, list[Any]] = {name: [] for name in (*_ALWAYS, *_TEXTS, *_NUMBERS, *_LINES, "lines")}
    grow = [(name, found[name].extend) for name in (*_ALWAYS, *_LINES)]
    sparse = [(name, found[name].extend) for name in (*_TEXTS, *_NUMBERS)]
    sizes: list[int] = []
    received: list[int] = []
    private: dict[int, str] = {}
    synthetic: list[int] = []
    base = 0
    for received_at, packed in envelopes:
        one = _decode(packed)
        count = len(one.id)
        for name, extend in grow:
            extend(getattr(one, name))
        for name, extend in sparse:
            extend(getattr(one, name) or repeat(None, count))
        found["lines"].extend(one.lines or repeat(0, count))
        if one.private_at:
            private.update(zip([base + row for row in one.private_at], one.private, strict=True))
        if one.synthetic:
            synthetic += [base + row for row in one.synthetic]
        sizes.append(count)
        received.append(_micros(received_at))
        base += count
    made_up = np.zeros(base, dtype=bool)
    made_up[synthetic] = True
    carried = np.array(found["lines"], dtype=np.int64)
    off = np.array(found["discount"], dtype=np.int64)
    lines = _lines(found, carried, off)
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
        }
    )
    return EventColumns(events, lines, private)


def _lines(found: dict[str, list[Any]], carried: npt.NDArray[np.int64], off: npt.NDArray[np.int64]) -> pa.Table:
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

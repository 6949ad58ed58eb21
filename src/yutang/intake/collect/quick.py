"""What is sent by the million (goods, pages, orders) read straight into rows, without an event or a dict on the way.

Whatever is not plainly good is left to `mapping`, which says why or takes it after all: so nothing is refused here, and
a message that is taken here comes out of `mapping` and `log.envelopes.row_of` as the same row (a property test).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Raw, Struct

from yutang.intake.collect import commerce
from yutang.intake.collect.contracts import KeyFacts
from yutang.intake.collect.mapping import LONGEST_ID, may_say
from yutang.intake.collect.messages import UNREADABLE, Context, Message
from yutang.log.contracts import NEXT, PART
from yutang.log.envelopes import Row
from yutang.log.vocabulary import VOCABULARY

_LEFT = Raw()
_Number = Annotated[float, msgspec.Meta(gt=-1e12, lt=1e12)]
_ID = b'"messageId"'
_to_json = msgspec.json.Encoder().encode


# What is said ------------------------------------------------------------------------------------------------------


class SaidPage(Struct, gc=False):
    path: str | None = None
    title: str | None = None
    referrer: str | None = None


class Campaign(Struct, gc=False):
    source: str | None = None
    medium: str | None = None
    name: str | None = None
    term: str | None = None
    content: str | None = None


class SaidContext(Context, gc=False):
    page: SaidPage | None = None  # type: ignore[assignment]
    campaign: Campaign | None = None  # type: ignore[assignment]


class Call(Message, gc=False):
    """A message of which the properties are not read yet; of a single call, also when it was sent."""

    properties: Raw = _LEFT  # type: ignore[assignment]
    context: SaidContext | None = None
    sent_at: Any = None
    write_key: str | None = None


class Everywhere(Struct, gc=False, forbid_unknown_fields=True):
    """What `commerce` leaves out, or reads beside the props. What it does not know is not for us."""

    affiliation: Raw = _LEFT
    cart_id: Raw = _LEFT
    checkout_id: Raw = _LEFT
    discount: Raw = _LEFT
    filters: Raw = _LEFT
    image_url: Raw = _LEFT
    list_id: Raw = _LEFT
    payment_method: Raw = _LEFT
    position: Raw = _LEFT
    query: Raw = _LEFT
    shipping: Raw = _LEFT
    shipping_method: Raw = _LEFT
    sorts: Raw = _LEFT
    subtotal: Raw = _LEFT
    tax: Raw = _LEFT
    url: Raw = _LEFT
    store: Any = None
    staff: Any = None


class SaidGoods(Everywhere, gc=False):
    brand: str | None = None
    category: str | None = None
    variant: str | None = None
    coupon: str | None = None
    name: str | None = None
    sku: str | None = None
    product_id: str | None = None
    price: _Number | None = None
    quantity: _Number | None = None
    currency: Raw = _LEFT
    order_id: Raw = _LEFT
    products: Raw = _LEFT
    revenue: Raw = _LEFT
    total: Raw = _LEFT
    value: Raw = _LEFT


class SaidLine(Struct, gc=False):
    sku: str | None = None
    product_id: str | None = None
    category: str | None = None
    price: _Number = 0.0
    quantity: _Number = 1.0
    unit_cost: _Number | None = None
    currency: Any = None


class SaidOrder(Everywhere, gc=False, kw_only=True):
    order_id: str
    total: _Number | None = None
    revenue: _Number | None = None
    value: _Number | None = None
    currency: str | None = None
    products: list[SaidLine] | None = None
    brand: Raw = _LEFT
    category: Raw = _LEFT
    variant: Raw = _LEFT
    coupon: Raw = _LEFT
    name: Raw = _LEFT
    sku: Raw = _LEFT
    product_id: Raw = _LEFT
    price: Raw = _LEFT
    quantity: Raw = _LEFT


class SaidView(Struct, gc=False, forbid_unknown_fields=True):
    """The properties of a page or screen call."""

    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    name: str | None = None
    category: Raw = _LEFT
    url: Raw = _LEFT
    search: Raw = _LEFT
    keywords: Raw = _LEFT
    hash: Raw = _LEFT
    initial_referrer: Raw = _LEFT


class Calls(Struct, rename="camel", gc=False):
    """A batch of which every message is plainly one."""

    batch: list[Call]
    sent_at: Any = None
    write_key: str | None = None
    context: Context | None = None


_read_calls = msgspec.json.Decoder(Calls).decode
_read_call = msgspec.json.Decoder(Call).decode
_read_goods = msgspec.json.Decoder(SaidGoods).decode
_read_order = msgspec.json.Decoder(SaidOrder).decode
_read_view = msgspec.json.Decoder(SaidView | None).decode


# What is kept ------------------------------------------------------------------------------------------------------


class Visit(Struct, gc=False, omit_defaults=True):
    path: str | None = None
    page_title: str | None = None
    referrer: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None


class Goods(Visit, gc=False, omit_defaults=True):
    brand: str | None = None
    category: str | None = None
    variant: str | None = None
    coupon: str | None = None
    product: str | None = None
    sku: str | None = None
    price: float | None = None
    quantity: float | None = None


class View(Visit, gc=False, omit_defaults=True):
    name: str | None = None
    category: str | None = None


class OrderProps(Struct, gc=False):
    order_id: str


# From the one to the other -----------------------------------------------------------------------------------------


class Sender(Struct, frozen=True, gc=False):
    """What a write key makes of all its messages. `user` and `device` are how `log.contracts.said` begins."""

    head: str
    source: str
    strong: bool
    user: str
    device: str
    may: frozenset[str]


@lru_cache(maxsize=256)
def sender_of(key: KeyFacts) -> Sender:
    """What a write key makes of its messages."""
    strong, source = key.trusted or key.members, key.source
    device = f"device{PART}{source}{PART}"
    may = frozenset(type_ for type_ in (*_TRACKS.values(), *_VIEWS.values()) if may_say(key, type_))
    return Sender(
        f"{source}/", source, strong, f"member{PART}{source}{PART}" if strong else f"{device}user:", device, may
    )


def read(raw: Raw | bytes) -> Call | None:
    """A message; None where it is not plainly one."""
    try:
        return _read_call(raw)
    except UNREADABLE:
        return None


def read_all(body: bytes, most: int) -> Calls | None:
    """A batch, in one go; None where one of its messages is not plain, or could be longer than `most` bytes."""
    try:
        calls = _read_calls(body)
    except UNREADABLE:
        return None
    found = calls.batch
    if not found:
        return None
    if len(body) > most:
        between = [len(part) for part in body.split(_ID)]  # a message lies between its neighbours' ids
        if len(between) != len(found) + 1 or 2 * max(between) + len(_ID) > most:
            return None
    return calls


def row(call: Call, sender: Sender, at: int, currency: str) -> Row | None:
    """The one event that a call says, at that time; None where that is not plain."""
    said = call.message_id
    if not said or len(said) > LONGEST_ID:
        return None
    who, beside = call.user_id, call.anonymous_id
    if who is not None and who != "":
        who = str(who)
        if not _plain(who):
            return None
        who = sender.user + who
    if beside is not None and beside != "":
        beside = str(beside)
        if not _plain(beside):
            return None
        beside = sender.device + beside
    if not who or not beside:
        who, beside = who or beside, None
    elif not sender.strong:
        who, beside = f"{who}{NEXT}{beside}", None
    if not who:
        return None
    type_ = _TRACKS.get(call.event or "") if call.type == "track" else _VIEWS.get(call.type or "")
    if type_ not in sender.may or type_ in VOCABULARY.altered:
        return None
    try:
        found = _READERS[type_](call, currency)
    except UNREADABLE:
        return None
    if found is None:
        return None
    props, order, amount, lines, store, staff = found
    return (
        sender.head + said, type_, at, who, beside, None, store, staff, sender.source, None, None, None,
        amount, currency if amount is not None else None, props, order, False, None, lines,
    )  # fmt: skip


def _plain(value: str) -> bool:
    """Whether an identifier is good at a glance."""
    return value.isprintable() and value[0] != " " and len(value) < 250


Found = tuple[str | None, str | None, int | None, tuple[Any, ...], str | None, str | None]
"""props, order, amount, lines, store, staff: what the types differ in."""


def _goods(call: Call, currency: str) -> Found | None:
    said = _read_goods(call.properties)
    path, title, referrer, campaign = _visit(call.context)
    kept = Goods(
        path, title, referrer, *campaign, said.brand, said.category, said.variant, said.coupon, said.name,
        said.product_id if said.sku is None else said.sku, said.price, said.quantity,
    )  # fmt: skip
    return _kept(kept), None, None, (), _code(said.store), _code(said.staff)


def _view(call: Call, currency: str) -> Found | None:
    said = (_read_view(call.properties) if call.properties else None) or SaidView()
    path, title, referrer, campaign = _visit(call.context)
    kept = View(
        path if said.path is None else _bare(said.path),
        title if said.title is None else said.title,
        referrer if said.referrer is None else _bare(said.referrer),
        *campaign,
        call.name or said.name,
        call.category,
    )
    return _kept(kept), None, None, (), None, None


def _order(call: Call, currency: str) -> Found | None:
    said = _read_order(call.properties)
    if said.currency and said.currency.upper() != currency:
        return None
    lines = []
    of_lines = 0
    for line in said.products or ():
        article, price, quantity = line.sku or line.product_id, _cents(line.price), line.quantity
        if not article or price is None or quantity < 0 or not quantity.is_integer():
            return None
        charged = price * int(quantity)
        of_lines += charged
        cost = None
        if line.unit_cost is not None:
            each = _cents(line.unit_cost)
            if each is None or line.currency is not None:
                return None
            cost = each * int(quantity)
        if cost is not None and cost >= _MOST:
            return None
        lines.append((article, line.category or "", int(quantity) * 1000, charged, 0, cost))
    paid = said.total if said.total is not None else said.revenue if said.revenue is not None else said.value
    amount = _cents(paid) if paid is not None else of_lines if lines else None
    if amount is None or not currency or amount >= _MOST or of_lines >= _MOST:
        return None
    return (
        _to_json(OrderProps(said.order_id)).decode(), said.order_id, amount, tuple(lines),
        _code(said.store), _code(said.staff),
    )  # fmt: skip


_MOST = 10**12
Text = str | None
CameBy = tuple[Text, Text, Text, Text, Text]
_NO_CAMPAIGN: CameBy = (None, None, None, None, None)


def _visit(context: SaidContext | None) -> tuple[Text, Text, Text, CameBy]:
    """Path, title and referrer of a visit, and its campaign."""
    if context is None:
        return None, None, None, _NO_CAMPAIGN
    page, came_by = context.page, context.campaign
    campaign = _NO_CAMPAIGN
    if came_by is not None:
        campaign = (
            _short(came_by.source), _short(came_by.medium), _short(came_by.name), _short(came_by.term),
            _short(came_by.content),
        )  # fmt: skip
    if page is None:
        return None, None, None, campaign
    path = _bare(page.path) if page.path else None
    referrer = _bare(page.referrer) if page.referrer else None
    return path, page.title or None, referrer, campaign


def _bare(address: str) -> str:
    if "?" in address or "#" in address:
        return address.partition("?")[0].partition("#")[0]
    return address


def _short(text: Text) -> Text:
    return None if text is None else text[:200]


def _code(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 64 else None


def _cents(amount: float) -> int | None:
    """An amount that is one to the cent: what rounding would make of others is not plain."""
    cents = round(amount * 100)
    return cents if 0 <= cents < 10**11 and cents / 100 == amount else None


def _kept(props: Visit) -> str | None:
    text = _to_json(props).decode()
    return text if text != "{}" else None


_PLAIN = {**commerce.GOODS, "order completed": "order.placed", "order updated": "order.corrected"}
_TRACKS = {name: type_ for plain, type_ in _PLAIN.items() for name in (plain, plain.title())}
_VIEWS = {"page": "page.viewed", "screen": "screen.viewed"}
_READERS: dict[str, Callable[[Call, str], Found | None]] = {
    **dict.fromkeys(commerce.GOODS.values(), _goods),
    **dict.fromkeys(_VIEWS.values(), _view),
    **dict.fromkeys(("order.placed", "order.corrected"), _order),
}

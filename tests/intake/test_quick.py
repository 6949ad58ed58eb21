"""What the collector reads in one go, it reads as the long way does."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yutang.api.collect import MESSAGE_BYTES
from yutang.intake.collect.contracts import KeyFacts, Trouble
from yutang.intake.collect.mapping import events_of
from yutang.intake.collect.messages import READ_MESSAGE, UNREADABLE
from yutang.intake.collect.quick import read, read_all, row, sender_of
from yutang.intake.collect.reading import Letter, lot_of
from yutang.log.envelopes import Row, micros, pack, row_of, unpack
from yutang.log.vocabulary import VOCABULARY, EventType, Prop

AT = datetime(2026, 3, 2, 1, 2, 3, 456_000, tzinfo=UTC)
MADE = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = [
    KeyFacts(1, "till", "till", frozenset(), 0, (), True, False, MADE),
    KeyFacts(2, "web", "web", frozenset(), 0, ("*",), False, False, MADE),
    KeyFacts(3, "app", "app", frozenset(), 0, (), False, True, MADE),
    KeyFacts(4, "narrow", "narrow", frozenset(("page.viewed", "order.placed")), 0, (), False, False, MADE),
]
CONTEXT = {
    "ip": "10.0.0.1",
    "page": {"path": "/goods/7?x=1#top", "title": "商品", "referrer": "https://x/?phone=1", "url": "https://x/"},
    "campaign": {"name": "spring", "source": "wechat", "medium": "m" * 300, "term": "t", "content": "c"},
    "consent": {"categoryPreferences": {"Marketing": True}},
}
GOODS = {
    "sku": "A-7", "product_id": "7", "category": "milk", "name": "牛奶", "brand": "b", "variant": "v", "coupon": "c",
    "price": 12.5, "quantity": 2, "position": 3, "url": "https://x/y", "currency": "CNY", "store": "s1", "staff": "w",
    "value": 25,
}  # fmt: skip
ORDER = {
    "order_id": "o1", "total": 39.8, "revenue": 30, "value": 20.5, "currency": "cny", "store": "s1", "coupon": "c",
    "products": [
        {"sku": "A", "price": 9.95, "quantity": 2, "category": "milk", "unit_cost": 6.25},
        {"product_id": "B", "price": 19.9},
    ],
}  # fmt: skip
VIEW = {"path": "/?a=1", "title": "首页", "referrer": "/from#x", "name": "首页", "search": "?", "url": "https://x/"}
HEAD = {"messageId": "m1", "userId": "1001", "anonymousId": "d1", "context": CONTEXT, "integrations": {}}
PLAIN: list[dict[str, Any]] = [
    {**HEAD, "type": "track", "event": "Product Viewed", "properties": GOODS},
    {**HEAD, "type": "track", "event": "product added", "properties": {"sku": "A-7"}},
    {**HEAD, "type": "track", "event": "Order Completed", "properties": ORDER},
    {**HEAD, "type": "track", "event": "order updated", "properties": ORDER},
    {**HEAD, "type": "page", "name": "首页", "category": "目录", "properties": VIEW},
    {**HEAD, "type": "screen", "name": "首页"},
]
STRANGE: list[Any] = [
    "", " ", "A-7", "牛奶", "a\x1fb", "a\x1eb", "x" * 72, "x" * 73, "x" * 300, "/goods?id=7#top", "\u3000", "CNY",
    "EUR", "Product Clicked", "PRODUCT ADDED", "Signed Up", "track", "page", "identify", "3.50", 0, 1, 7, -1, 2.0, 1.5,
    9.95, 0.1, 19.999, 12.5, 1e11, 1e12, -3.5, 0.333, 0.005, 1e-7, 10**30, True, False, None, [], {}, [{"sku": "A"}],
    [{}], [None], {"Marketing": 1}, {"path": "/"},
]  # fmt: skip
ADDED = ("traits", "name", "category", "previousId", "groupId", "timestamp", "other", "synthetic", "path", "products")


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A plain message in which up to three things are strange, gone, or too many."""
    message = copy.deepcopy(draw(st.sampled_from(PLAIN)))
    for _ in range(draw(st.integers(0, 3))):
        here: Any = message
        while True:
            keys = list(range(len(here))) if isinstance(here, list) else [*here, *ADDED]
            key = draw(st.sampled_from(keys))
            inside = here[key] if isinstance(here, list) or key in here else None
            if not inside or not isinstance(inside, dict | list) or draw(st.integers(0, 3)) == 0:
                break
            here = inside
        if isinstance(here, dict) and draw(st.integers(0, 3)) == 0:
            here.pop(key, None)
        else:
            here[key] = copy.deepcopy(draw(st.sampled_from(STRANGE)))
    return message


def the_long_way(raw: msgspec.Raw, key: KeyFacts, currency: str) -> list[Row] | None:
    """The rows of a message, or None where it is held."""
    try:
        found = events_of(READ_MESSAGE(raw), key, AT, currency)
    except UNREADABLE:
        return None
    return None if isinstance(found, Trouble) else list(map(row_of, found))


def legible(found: Row) -> list[Any]:
    """A row whose props are compared as what they say."""
    return [json.loads(value) if place == 14 and value else value for place, value in enumerate(found)]


@settings(max_examples=400)
@given(message=messages(), key=st.sampled_from(KEYS), currency=st.sampled_from(["CNY", "CNY", "CNY", ""]))
def test_what_is_plain_is_read_as_the_long_way_reads_it(message: dict[str, Any], key: KeyFacts, currency: str) -> None:
    raw = msgspec.Raw(json.dumps(message).encode())
    call = read(raw)
    quick = row(call, sender_of(key), micros(AT), currency) if call is not None else None
    if quick is not None:
        slow = the_long_way(raw, key, currency)
        assert slow is not None
        assert [legible(one) for one in slow] == [legible(quick)]
        assert [legible(row_of(event)) for event in unpack(pack([quick]))] == [legible(quick)]


@pytest.mark.parametrize("message", PLAIN, ids=lambda one: str(one.get("event", one["type"])))
@pytest.mark.parametrize("key", KEYS, ids=lambda one: one.name)
def test_what_is_sent_by_the_million_is_plain(message: dict[str, Any], key: KeyFacts) -> None:
    """Else the property above would hold of nothing."""
    raw = msgspec.Raw(json.dumps(message).encode())
    call = read(raw)
    assert call is not None
    quick = row(call, sender_of(key), micros(AT), "CNY")
    assert (quick is not None) == (the_long_way(raw, key, "CNY") is not None)
    assert quick is not None or not key.trusted


def test_a_type_to_which_the_brand_added_goes_the_long_way() -> None:
    """A prop that became required is asked for."""
    call = read(msgspec.Raw(b'{"type":"page","messageId":"m1","userId":"1001"}'))
    assert call is not None
    viewed = VOCABULARY["page.viewed"]
    props = {**viewed.props, "shelf": Prop(str, required=True)}
    VOCABULARY.learn({"page.viewed": EventType("page.viewed", viewed.zh, viewed.en, props)})
    try:
        assert row(call, sender_of(KEYS[0]), micros(AT), "CNY") is None
    finally:
        VOCABULARY.learn({})


@pytest.mark.parametrize(
    "more", [[], [{"type": "identify", "userId": "1", "messageId": "m9", "traits": {"vip": True}}]]
)
def test_a_batch_read_whole_is_what_its_messages_are_alone(more: list[dict[str, Any]]) -> None:
    messages = [*({**one, "messageId": f"m{n}"} for n, one in enumerate(PLAIN)), *more]
    body = msgspec.json.encode({"batch": messages, "sentAt": "2026-03-02T01:02:03Z"})
    calls = read_all(body, MESSAGE_BYTES)
    assert calls is not None
    alone, whole = (Letter(body, len(messages), KEYS[0], "CNY", None, AT, False, calls.sent_at) for _ in "12")
    whole.calls = calls.batch
    found = lot_of(whole)
    assert found.unsure == lot_of(alone).unsure, "without a timestamp of their own"
    assert len(found.unsure) + len(found.held) >= len(messages)


def test_what_may_hold_a_message_that_is_too_large_is_not_read_whole() -> None:
    plain = {**HEAD, "type": "track", "event": "Product Viewed", "properties": GOODS}
    many = [{**plain, "messageId": f"m{n}"} for n in range(200)]
    large = [*many, {**plain, "integrations": {"x": "y" * MESSAGE_BYTES}}]
    assert read_all(msgspec.json.encode({"batch": many}), MESSAGE_BYTES) is not None
    assert read_all(msgspec.json.encode({"batch": large}), MESSAGE_BYTES) is None
    assert read_all(msgspec.json.encode({"batch": [*many, {"type": 1}]}), MESSAGE_BYTES) is None
    assert read_all(msgspec.json.encode({"batch": []}), MESSAGE_BYTES) is None

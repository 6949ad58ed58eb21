"""Webhooks in: signatures, what the shipped documents make of what platforms push, holding and replaying, killed and
told twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from yutang.intake.collect import held
from yutang.intake.collect.keys import keys_in_use, write_keys
from yutang.intake.hooks import queries, reading, services
from yutang.intake.hooks.contracts import MOST_BYTES, Delivery, Outcome
from yutang.intake.hooks.documents import WebhookDocument
from yutang.intake.hooks.mapping import Made, Stuck, events_of
from yutang.intake.hooks.verify import BadSignature, check
from yutang.intake.models import HookDelivery
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import wall_now
from yutang.kernel.documents import parse, read
from yutang.kernel.errors import BadDocument, BadInput, NotFound, Refused
from yutang.log.models import InboxEnvelope
from yutang.log.services import unseal
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.playbooks.services import shipped_files
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.current import install_warehouse

AT = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
SECRET = "shpss_0123456789"
SHOPIFY = {
    "id": 450789469,
    "email": "bob@example.com",
    "created_at": "2026-03-01T09:30:00+08:00",
    "processed_at": "2026-03-01T09:31:00+08:00",
    "updated_at": "2026-03-01T09:31:02+08:00",
    "cancelled_at": "2026-03-02T10:00:00+08:00",
    "currency": "CNY",
    "total_price": "199.90",
    "customer": {"id": 207119551, "email": "bob@example.com", "phone": "+8613800138000",
                 "default_address": {"name": "王小明"}},
    "line_items": [
        {"sku": "TEA-1", "quantity": 2, "price": "99.95", "total_discount": "10.00", "product_type": "tea"},
        {"sku": "", "variant_id": 808950810, "quantity": 1, "price": "10.00", "total_discount": "0.00"},
    ],
}  # fmt: skip
REFUND = {
    "id": 509562969,
    "order_id": 450789469,
    "created_at": "2026-03-03T10:00:00+08:00",
    "transactions": [
        {"kind": "refund", "status": "success", "amount": "20.00", "currency": "CNY"},
        {"kind": "refund", "status": "success", "amount": "5.50", "currency": "CNY"},
        {"kind": "refund", "status": "failure", "amount": "99.00", "currency": "CNY"},
    ],
}
YOUZAN = {
    "full_order_info": {
        "order_info": {"tid": "E20260301", "status": "WAIT_SELLER_SEND_GOODS", "created": "2026-03-01 09:30:00",
                       "pay_time": "2026-03-01 09:31:00", "update_time": "2026-03-01 09:31:00"},
        "buyer_info": {"outer_user_id": "u-7", "yz_open_id": "yz-7", "buyer_phone": "$AbCd==$1$"},
        "pay_info": {"payment": "90.00", "total_fee": "100.00"},
        "orders": [{"title": "宜家水杯", "num": 3, "payment": "90.00", "outer_item_id": "ABC", "item_id": 123456}],
    }
}  # fmt: skip


def shipped(name: str) -> WebhookDocument:
    """A shipped document."""
    text = next(path for path in shipped_files() if path.stem == name).read_text(encoding="utf-8")
    document = read(text)
    assert isinstance(document, WebhookDocument)
    return parse(WebhookDocument, document.as_data())  # as it comes back out of the store


def made(name: str, body: object, headers: Mapping[str, str] | None = None, id: str = "d1") -> Made:
    """What a shipped document makes of a body."""
    delivery = Delivery(json.dumps(body).encode(), headers or {})
    return events_of(shipped(name), delivery, id, AT, "CNY", "Asia/Shanghai")


def shopify(topic: str, body: object, secret: str = SECRET, id: str = "w-1") -> tuple[bytes, dict[str, str]]:
    """A push as Shopify sends it."""
    raw = json.dumps(body).encode()
    sign = base64.b64encode(hmac.digest(secret.encode(), raw, "sha256")).decode()
    return raw, {"x-shopify-hmac-sha256": sign, "x-shopify-topic": topic, "x-shopify-webhook-id": id}


def youzan(type_: str, msg: object, *, packed: bool = True, id: str = "m-1") -> tuple[bytes, dict[str, str]]:
    """A push as Youzan sends it."""
    said = quote(json.dumps(msg)) if packed else msg
    raw = json.dumps({"type": type_, "msg": said, "msg_id": id, "test": False, "client_id": "cid"}).encode()
    return raw, {"event-sign": hashlib.md5(b"cid" + raw + SECRET.encode()).hexdigest()}


# What the shipped documents make -----------------------------------------------------------------------------------


def test_shopify_orders() -> None:
    order, seen = made("shopify_orders", SHOPIFY, {"x-shopify-topic": "orders/create"}).events
    assert (order.type, order.id, order.occurred_at) == ("order.placed", "shopify/placed:450789469", AT)
    assert (order.amount, order.currency, order.props) == (Decimal("199.90"), "CNY", {"order_id": "450789469"})
    assert [(one.kind, one.namespace, one.value) for one in order.identifiers] == [
        ("member", "shopify", "207119551"), ("phone", "", "+8613800138000"), ("email", "", "bob@example.com")
    ]  # fmt: skip
    first, second = order.lines
    assert (first.sku, first.category, first.quantity, first.amount, first.discount) == (
        "TEA-1", "tea", Decimal(2), Decimal("189.90"), Decimal("10.00")
    )  # fmt: skip
    assert second.sku == "808950810"
    assert (seen.type, seen.props) == ("person.seen", {"name": "王小明"})
    placed, paid = made("shopify_orders", SHOPIFY, {"x-shopify-topic": "orders/paid"}).events
    assert placed == order
    assert (paid.type, paid.occurred_at) == ("order.paid", datetime(2026, 3, 1, 1, 31, tzinfo=UTC))
    (cancelled,) = made("shopify_orders", SHOPIFY, {"x-shopify-topic": "orders/cancelled"}).events
    assert (cancelled.type, cancelled.occurred_at) == ("order.cancelled", datetime(2026, 3, 2, 2, tzinfo=UTC))
    (refunded,) = made("shopify_orders", REFUND, {"x-shopify-topic": "refunds/create"}).events
    assert (refunded.type, refunded.amount, refunded.identifiers) == ("order.refunded", Decimal("25.50"), ())
    restocked = {**REFUND, "transactions": []}
    assert made("shopify_orders", restocked, {"x-shopify-topic": "refunds/create"}).events == []
    with pytest.raises(Stuck) as stuck:
        made("shopify_orders", SHOPIFY, {"x-shopify-topic": "products/update"})
    assert stuck.value.trouble.problem == "rules"


def test_youzan_orders() -> None:
    def of(type_: str, msg: object, *, packed: bool = True) -> Made:
        raw, _ = youzan(type_, msg, packed=packed)
        return events_of(shipped("youzan_orders"), Delivery(raw), "d", AT, "CNY", "UTC")

    placed, paid = of("trade_TradePaid", YOUZAN).events
    assert (placed.type, placed.occurred_at, placed.amount) == ("order.placed", AT, Decimal("90.00"))
    assert (paid.type, paid.occurred_at) == ("order.paid", datetime(2026, 3, 1, 1, 31, tzinfo=UTC))
    assert [(one.kind, one.namespace, one.value) for one in placed.identifiers] == [
        ("member", "youzan", "u-7"), ("member", "youzan_open", "yz-7")
    ]  # an encrypted phone is none  # fmt: skip
    assert [(line.sku, line.quantity, line.amount) for line in placed.lines] == [("ABC", Decimal(3), Decimal("90.00"))]
    (closed,) = of("trade_TradeClose", {"tid": "E20260301", "update_time": "2026-03-02 10:00:00"}).events
    assert (closed.type, closed.props["order_id"]) == ("order.cancelled", "E20260301")
    told = {"tid": "E20260301", "refund_id": "R1", "refunded_fee": "12.50", "update_time": "2026-03-02 10:00:00"}
    (refunded,) = of("youzan_trade_RefundSuccess", told, packed=False).events
    assert (refunded.id, refunded.amount) == ("youzan/refunded:R1", Decimal("12.50"))
    assert of("trade_TradeSellerShip", {"tid": "E20260301"}).events == []


def test_leads_become_events_with_a_phone() -> None:
    told = {"clue_id": "c1", "name": "李雷", "phone": "13800138001", "create_time": "2026-03-01 09:30:00",
            "promotion_id": 77, "form_name": "预约", "cost": "35.5"}  # fmt: skip
    (lead,) = made("oceanengine_leads", told).events
    assert (lead.type, lead.occurred_at, lead.identifiers[0].value) == ("lead.submitted", AT, "13800138001")
    assert lead.props == {"lead": "c1", "form": "预约", "campaign": "77", "ad": "77", "cost": 35.5, "name": "李雷"}
    again = made("tencent_leads", {"leads_id": 9, "leads_tel": "13800138002", "campaign_name": "春"})
    assert again.events == []
    assert [(one.type, one.occurred_at) for one in again.unsure] == [("lead.submitted", AT)]  # its time is arrival's


def test_amounts_in_cents_and_a_map_by_status() -> None:
    told = {"status": "placed", "order_no": "o1", "at": "2026-03-01 09:30:00", "member": "M1", "amount": 1990,
            "store": "s1", "lines": [{"sku": "a", "category": "milk", "quantity": 1, "amount": 1990}]}  # fmt: skip
    (order,) = made("generic_orders", told).events
    assert (order.type, order.amount, order.store, order.lines[0].amount) == (
        "order.placed", Decimal("19.90"), "s1", Decimal("19.90")
    )  # fmt: skip
    with pytest.raises(Stuck) as stuck:
        made("generic_orders", {**told, "status": "shipped"})
    assert stuck.value.trouble.en == "events.0.type: map does not name “shipped”"
    with pytest.raises(Stuck) as stuck:
        made("generic_orders", {**told, "at": "yesterday"})
    assert stuck.value.trouble.problem == "events.0.occurred_at"
    with pytest.raises(Stuck) as stuck:  # or every order without a number would be one event
        made("generic_orders", {**told, "order_no": ""})
    assert stuck.value.trouble.problem == "events.0.id"


def test_a_line_may_say_what_a_piece_costs_us() -> None:
    rule = {
        "each": "$.lines[*]", "sku": "@.sku", "quantity": "@.quantity", "amount": "@.amount",
        "unit_cost": {"path": "@.cost", "unit": "cents"},
    }  # fmt: skip
    given = shipped("generic_orders").as_data()
    rules = [{**event, "lines": rule} if event.get("lines") else event for event in given["events"]]
    document = parse(WebhookDocument, {**given, "events": rules})

    def lines(*costs: object) -> list[Decimal | None]:
        told = {"status": "placed", "order_no": "o1", "at": "2026-03-01 09:30:00", "member": "M1", "amount": 1990,
                "lines": [{"sku": "a", "quantity": 3, "amount": 10, "cost": cost} for cost in costs]}  # fmt: skip
        delivery = Delivery(json.dumps(told).encode(), {})
        (order,) = events_of(document, delivery, "d1", AT, "CNY", "Asia/Shanghai").events
        return [line.cost for line in order.lines]

    assert lines(125, "0.5", None, "", 0) == [Decimal("3.75"), Decimal("0.02"), None, None, Decimal(0)]
    for bad in (-1, "much"):
        with pytest.raises(Stuck) as stuck:
            lines(bad)
        assert stuck.value.trouble.problem == "events.0.lines.unit_cost"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
                    lambda inside: st.lists(inside, max_size=3)
                    | st.dictionaries(st.sampled_from(["id", "customer", "line_items", "sku", "total_price", "x"]),
                                      inside, max_size=4), max_leaves=12))  # fmt: skip
def test_whatever_is_pushed_is_mapped_or_held(body: Any) -> None:
    for name, topic in (("shopify_orders", "orders/create"), ("weimob_orders", "")):
        try:
            found = made(name, body, {"x-shopify-topic": topic}).events
        except Stuck as stuck:
            found = [stuck.trouble.zh, stuck.trouble.en]
        assert all(found)


# Signatures --------------------------------------------------------------------------------------------------------


def test_shopifys_signature_is_of_the_raw_body() -> None:
    document = shipped("shopify_orders")
    raw, headers = shopify("orders/create", SHOPIFY)
    check(document, Delivery(raw, headers), SECRET, "", AT)
    wrong: list[tuple[bytes, dict[str, str]]] = [
        (raw + b" ", headers), (raw, {**headers, "x-shopify-hmac-sha256": "AAAA"}), (raw, {})
    ]  # fmt: skip
    for body, sent in wrong:
        with pytest.raises(BadSignature):
            check(document, Delivery(body, sent), SECRET, "", AT)
    with pytest.raises(BadSignature):
        check(document, Delivery(raw, headers), "another secret", "", AT)


def test_youzans_signature_is_a_digest_of_client_body_and_secret() -> None:
    document = shipped("youzan_orders")
    raw, headers = youzan("trade_TradeClose", {"tid": "1"})
    check(document, Delivery(raw, headers), SECRET, "cid", AT)
    with pytest.raises(BadSignature):
        check(document, Delivery(raw, headers), SECRET, "other", AT)


def signed_shop(raw: bytes, at: int) -> Delivery:
    """As the generic document has it."""
    sign = hmac.digest(SECRET.encode(), f"{at}.".encode() + raw, "sha256").hex()
    return Delivery(raw, {"x-signature": sign, "x-timestamp": str(at)})


def test_a_signed_time_must_be_near() -> None:
    document, now = shipped("generic_orders"), int(AT.timestamp())
    check(document, signed_shop(b"{}", now - 299), SECRET, "", AT)
    for late in (now - 301, now + 301):
        with pytest.raises(BadSignature):
            check(document, signed_shop(b"{}", late), SECRET, "", AT)
    moved = signed_shop(b"{}", now - 301)
    with pytest.raises(BadSignature):  # the time is one of what is signed
        check(document, Delivery(moved.body, {**moved.headers, "x-timestamp": str(now)}), SECRET, "", AT)


def test_standard_webhooks_signatures_and_tokens_are_read() -> None:
    data = shipped("generic_orders").as_data()
    key = base64.b64encode(b"k" * 24).decode()
    standard = parse(WebhookDocument, {**data, "verify": {
        "by": "hmac", "encoding": "base64", "header": "webhook-signature", "prefix": "v1,", "secret_is": "base64",
        "signed": ["header:webhook-id", "timestamp", "body"], "joined_by": ".",
        "timestamp": {"header": "webhook-timestamp"}}})  # fmt: skip
    at = str(int(AT.timestamp()))
    sign = base64.b64encode(hmac.digest(b"k" * 24, f"msg_1.{at}.{{}}".encode(), "sha256")).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": f"v1,AAAA v1,{sign}"}
    check(standard, Delivery(b"{}", headers), f"whsec_{key}", "", AT)
    token = parse(WebhookDocument, {**data, "verify": {"by": "token", "path": "$.google_key"}})
    check(token, Delivery(b'{"google_key": "shared-token"}'), "shared-token", "", AT)
    with pytest.raises(BadSignature):
        check(token, Delivery(b'{"google_key": "shared"}'), "shared-token", "", AT)


def test_a_document_that_proves_nothing_is_refused() -> None:
    data = shipped("generic_orders").as_data()
    for verify, word in (
        ({"by": "hmac", "header": "x", "signed": ["timestamp"]}, "body"),
        ({"by": "digest", "header": "x"}, "secret"),
        ({"by": "hmac"}, "exactly one"),
        ({"by": "hmac", "header": "x", "timestamp": {"header": "t"}}, "signed"),
    ):
        with pytest.raises(BadDocument) as bad:
            parse(WebhookDocument, {**data, "verify": verify})
        assert word in bad.value.en
    with pytest.raises(BadDocument, match="JSONPath"):
        parse(WebhookDocument, {**data, "delivery": "$.[[["})


# The door ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pond(warehouse: Warehouse) -> Warehouse:
    """A pond whose shipped webhooks are kept, with its warehouse open."""
    from yutang.playbooks.services import keep_shipped

    keep_shipped()
    install_warehouse(warehouse)
    try:
        yield warehouse  # type: ignore[misc]
    finally:
        install_warehouse(None)


def push(path: str, raw: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """A push over HTTP."""
    answer = Client().post(path, raw, "application/json", headers=dict(headers))
    return answer.status_code, answer.content.decode()


def recorded() -> list[str]:
    """The types of everything in the inbox."""
    return [event.type for row in InboxEnvelope.objects.order_by("pk") for event in unseal(bytes(row.sealed))]


def test_a_push_is_kept_sealed_recorded_and_answered_as_the_platform_wants(pond: Warehouse) -> None:
    opened = services.open_hook("youzan_orders", OWNER, secret=SECRET, client="cid")
    assert opened.path == "/hooks/youzan_orders"
    raw, headers = youzan("trade_TradeCreate", YOUZAN)
    assert push(opened.path, raw, headers) == (200, '{"code":0,"msg":"success"}')
    assert push(opened.path, raw, headers)[0] == 200  # pushed again
    assert recorded() == ["order.placed"]
    (kept,) = queries.deliveries(OWNER, "youzan_orders")
    assert (kept.outcome, kept.events, kept.repeats, kept.called) == (Outcome.RECORDED, 1, 1, "trade_TradeCreate")
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM intake_hookdelivery")
        assert b"E20260301" not in bytes(cursor.fetchone()[0])
    assert push(opened.path, raw, {"event-sign": "0" * 32}) == (401, "refused")
    assert queries.hook(OWNER, "youzan_orders").refused == 1
    assert push("/hooks/nobody", raw, headers)[0] == 404
    assert push(f"{opened.path}/x", raw, headers)[0] == 404
    assert push(opened.path, b"x" * (MOST_BYTES + 1), headers)[0] == 413
    assert push(opened.path, b"", headers)[0] == 400
    assert Client().put(opened.path).status_code == 405
    services.close_hook("youzan_orders", OWNER)
    assert push(opened.path, raw, headers)[0] == 404


def test_a_secret_address_is_shown_once_and_repeats_the_platforms_word(pond: Warehouse) -> None:
    opened = services.open_hook("tencent_leads", OWNER)
    assert opened.secret == ""
    assert queries.hook(OWNER, "tencent_leads").path == ""
    lead = json.dumps({"leads_id": 1, "leads_tel": "13800138000", "leads_name": "李雷"}).encode()
    assert push("/hooks/tencent_leads", lead, {})[0] == 404
    assert push(opened.path, lead, {})[0] == 200
    echoed = Client().get(opened.path, {"echostr": "abc-1"})
    assert (echoed.status_code, echoed.content, echoed["Content-Type"]) == (200, b"abc-1", "text/plain; charset=utf-8")
    assert Client().get(opened.path, {"echostr": "<script>"}).content == b""
    pump_until_empty(pond)
    (row,) = pond.query(Statement("SELECT type, source, props FROM events")).to_pylist()
    assert (row["type"], row["source"]) == ("lead.submitted", "tencent_ads")
    assert "李雷" not in row["props"]
    renewed = services.renew_hook("tencent_leads", OWNER)
    assert push(opened.path, lead, {})[0] == 404
    assert push(renewed.path, lead, {})[0] == 200


def test_what_cannot_be_mapped_is_held_shown_masked_and_replayed(pond: Warehouse) -> None:
    opened = services.open_hook("shopify_orders", OWNER, secret=SECRET)
    raw, headers = shopify("orders/create", {**SHOPIFY, "currency": "USD"}, id="w-usd")
    assert push(opened.path, raw, headers)[0] == 200
    assert recorded() == []
    (count,) = held.troubles(OWNER)
    assert (count.key_name, count.type, count.problem, count.held) == ("Shopify 订单", "orders/create", "currency", 1)
    shown = {field.name: field.value for field in held.sample(OWNER, count.key, count.type, count.problem)}
    assert shown["$.email"] == "b************"
    assert "$.customer.default_address.name" in shown
    assert held.replay(OWNER) == (0, 1)
    data = queries_document("shopify_orders").as_data()
    data["events"][0]["currency"] = {"value": "CNY"}  # it is ours after all
    services.keep_webhook(parse(WebhookDocument, data), OWNER)
    assert held.replay(OWNER, count.key) == (1, 0)
    assert recorded() == ["order.placed", "person.seen"]
    (kept,) = queries.deliveries(OWNER, "shopify_orders")
    assert (kept.outcome, kept.events, kept.problem) == (Outcome.RECORDED, 2, "")
    assert held.replay(OWNER) == (0, 0)


def queries_document(name: str) -> WebhookDocument:
    """The current document."""
    from yutang.documents.queries import document_named

    return document_named(WebhookDocument, name)


def test_a_refund_that_names_nobody_waits_for_its_order(pond: Warehouse) -> None:
    opened = services.open_hook("shopify_orders", OWNER, secret=SECRET)
    push(opened.path, *shopify("refunds/create", REFUND, id="w-2"))
    (kept,) = queries.deliveries(OWNER, "shopify_orders")
    assert (kept.outcome, kept.problem) == (Outcome.HELD, "order_unknown")
    assert services.retry_unknown_orders() == 0
    push(opened.path, *shopify("orders/create", SHOPIFY, id="w-1"))
    pump_until_empty(pond)
    assert services.retry_unknown_orders() == 1
    pump_until_empty(pond)
    (row,) = pond.query(Statement("SELECT net_amount, person FROM orders")).to_pylist()
    assert row["net_amount"] == Decimal("174.40")
    assert services.retry_unknown_orders() == 0


def test_only_headquarters_opens_addresses_and_no_write_key_is_one(pond: Warehouse) -> None:
    manager = Viewer("m", RoleName.OPERATOR, frozenset())
    for act in (services.open_hook, services.renew_hook, services.close_hook):
        with pytest.raises(Refused):
            act("shopify_orders", manager)  # type: ignore[operator]
    with pytest.raises(Refused):
        queries.hooks(manager)
    services.open_hook("shopify_orders", OWNER, secret=SECRET)
    assert write_keys() == []
    assert keys_in_use() == {}
    with pytest.raises(BadInput):
        services.open_hook("shopify_orders", OWNER)
    with pytest.raises(NotFound):
        services.open_hook("nothing", OWNER)
    data = shipped("shopify_orders").as_data()
    data["events"][0]["type"] = {"value": "order.shipped"}
    with pytest.raises(BadInput, match=r"order\.shipped"):
        services.keep_webhook(parse(WebhookDocument, data), OWNER)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1e9", "\x00", "2026-13-01"])
def test_a_time_that_is_none_is_held(pond: Warehouse, at: str) -> None:
    services.open_hook("generic_orders", OWNER, secret=SECRET)
    body = {"status": "paid", "order_no": "a1", "member": "m1", "at": at}
    raw = json.dumps(body).encode()
    assert push("/hooks/generic_orders", raw, signed_shop(raw, int(wall_now().timestamp())).headers)[0] == 200
    assert [one.outcome for one in queries.deliveries(OWNER, "generic_orders")] == [Outcome.HELD]


def test_what_a_delivery_is_called_tells_of_nobody(pond: Warehouse) -> None:
    services.open_hook("generic_orders", OWNER, secret=SECRET)
    for said in ("13800138000", "a\x00b", "bob@example.com"):
        raw = json.dumps({"status": said, "order_no": "a1"}).encode()
        assert push("/hooks/generic_orders", raw, signed_shop(raw, int(wall_now().timestamp())).headers)[0] == 200
    assert [one.called for one in queries.deliveries(OWNER, "generic_orders")] == ["…", "a�b", "…"]


def test_a_proof_in_a_body_that_cannot_be_looked_through_is_none() -> None:
    data = shipped("generic_orders").as_data()
    token = parse(WebhookDocument, {**data, "verify": {"by": "token", "path": "$..key"}})
    deep = b'{"a": ' + b"[" * 900 + b"]" * 900 + b', "key": "right"}'
    for body in (deep, b'"x"', b'"{\\"key\\": \\"shared-token\\"}"', b"7"):
        with pytest.raises(BadSignature):
            check(token, Delivery(body), "shared-token", "", AT)


def test_old_deliveries_are_let_go(pond: Warehouse) -> None:
    opened = services.open_hook("shopify_orders", OWNER, secret=SECRET)
    push(opened.path, *shopify("orders/create", SHOPIFY))
    assert services.forget_old_deliveries() == 0
    from yutang.intake.models import HookDelivery

    HookDelivery.objects.update(received_at=wall_now().replace(year=2020))
    assert services.forget_old_deliveries() == 1


def test_a_delivery_that_names_somebody_erased_is_forgotten(pond: Warehouse) -> None:
    opened = services.open_hook("youzan_orders", OWNER, secret=SECRET, client="cid")
    named = {**YOUZAN["full_order_info"], "buyer_info": {"buyer_phone": "13800138000"}}
    push(opened.path, *youzan("trade_TradeCreate", {"full_order_info": named}, id="m-1"))
    push(opened.path, *youzan("trade_TradeCreate", {}, id="m-2"))
    assert services.forget_deliveries_with(["13800138000"], 0) is not None
    assert [one.outcome for one in queries.deliveries(OWNER, "youzan_orders")] == [Outcome.HELD, Outcome.RECORDED]
    bodies = [list(reading.texts_of(bytes(row.sealed)))[1] for row in HookDelivery.objects.order_by("pk")]
    assert [bool(body) for body in bodies] == [False, True]


KILLED = """
import json, sys, threading
from pathlib import Path
from yutang.app import house
opened = house.open_house(Path(sys.argv[1]))
from yutang.intake.hooks import services
from yutang.intake.hooks.contracts import Delivery
from yutang.kernel import failpoints
from yutang.organisation import services as organisation
from yutang.organisation.queries import OWNER
from yutang.playbooks.services import keep_shipped
if sys.argv[2] == "found":
    organisation.set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    keep_shipped()
    services.open_hook("shopify_orders", OWNER, secret=sys.argv[3])
else:
    body, headers = json.loads(sys.argv[4])
    told = []
    def go():
        told.append(services.take("shopify_orders", "", Delivery(body.encode(), headers)).outcome)
    if sys.argv[2] != "at_once":
        failpoints.arm(sys.argv[2])
        go()
    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert told == ["recorded"] * 4, told
"""


PLACES = ("hook.before_commit", "hook.after_commit")


@pytest.mark.long
def test_killed_before_the_commit_nothing_is_kept_after_it_all_is_and_told_at_once_it_is_kept_once(
    tmp_path: Path,
) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    raw, headers = shopify("orders/create", SHOPIFY)

    def run(word: str) -> int:
        command = [
            sys.executable,
            "-c",
            KILLED,
            str(tmp_path / "data"),
            word,
            SECRET,
            json.dumps([raw.decode(), headers]),
        ]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    def rows() -> tuple[int, int]:
        with sqlite3.connect(tmp_path / "data" / "yutang.sqlite3") as file:
            count = "SELECT (SELECT count(*) FROM intake_hookdelivery), (SELECT sum(events) FROM log_inboxenvelope)"
            deliveries, events = file.execute(count).fetchone()
            return deliveries, events or 0

    assert run("found") == 0
    before, after = PLACES
    assert run(before) == -9
    assert rows() == (0, 0)
    assert run(after) == -9  # the platform heard nothing, and pushes again
    assert rows() == (1, 2)
    with sqlite3.connect(tmp_path / "data" / "yutang.sqlite3") as file:
        file.execute("DELETE FROM intake_hookdelivery")
        file.execute("DELETE FROM log_inboxenvelope")
    assert run("at_once") == 0
    assert rows() == (1, 2)
    assert run("at_once") == 0
    assert rows() == (1, 2)

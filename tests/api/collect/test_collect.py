"""What the collect API takes, refuses and holds, asked over HTTP as clients ask it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import httpx
import pytest

from tests.api.collect.conftest import Running
from yutang.intake.collect.commerce import lines
from yutang.kernel.errors import BadInput

_number = count(1)
NOW = datetime.now(UTC).replace(microsecond=0)


def fresh() -> str:
    """An id that no other test uses."""
    return f"m{next(_number):05}."


def track(event: str = "Product Viewed", **more: Any) -> dict[str, Any]:
    """A track call."""
    said = {"type": "track", "messageId": fresh(), "userId": "1001", "event": event, "timestamp": NOW.isoformat()}
    return {**said, "properties": {"sku": "A-7"}, **more}


def order(properties: dict[str, Any]) -> dict[str, Any]:
    """A completed order."""
    return track("Order Completed", properties=properties)


def trouble(server: Running, type_: str, problem: str) -> dict[str, Any]:
    """What was counted of a problem."""
    return next(one for one in server.ask("troubles") if (one["type"], one["problem"]) == (type_, problem))


# What is taken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["track", "t", "track/"])
def test_an_event_is_in_the_inbox_when_the_answer_comes(server: Running, call: str) -> None:
    said = track()
    answer = server.post(call, said)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (event,) = server.events(said["messageId"])
    assert (event["id"], event["type"], event["source"]) == (f"shop/{said['messageId']}", "product.viewed", "shop")
    assert datetime.fromisoformat(event["occurred_at"]) == NOW
    assert event["props"] == {"sku": "A-7"}


def test_a_key_may_stand_in_the_body_and_the_body_may_be_plain_text(server: Running) -> None:
    """As `sendBeacon` sends it, which can set no header."""
    said = track()
    body = {"batch": [said], "writeKey": server.keys["web"], "sentAt": datetime.now(UTC).isoformat()}
    answer = server.post("b", body, key=None, **{"Content-Type": "text/plain"})
    assert answer.status_code == 200
    assert server.events(said["messageId"])


def test_a_gzipped_batch_is_taken_whole_and_in_order(server: Running) -> None:
    batch = [track() for _ in range(50)]
    answer = server.post("batch", gzip.compress(json.dumps({"batch": batch}).encode()), **{"Content-Encoding": "gzip"})
    assert answer.json() == {"success": True}
    found = server.events(*(one["messageId"] for one in batch))
    assert [event["id"] for event in found] == [f"shop/{one['messageId']}" for one in batch]


def test_every_call_says_its_event(server: Running) -> None:
    base: dict[str, Any] = {"userId": "1001", "anonymousId": "a-1"}
    batch = [
        {**base, "type": "identify", "messageId": fresh(), "traits": {"name": "王小明", "phone": "13800138000"}},
        {**base, "type": "page", "messageId": fresh(), "name": "新品", "properties": {"url": "https://x/y?z=1"}},
        {**base, "type": "screen", "messageId": fresh(), "name": "首页"},
        {**base, "type": "group", "messageId": fresh(), "groupId": 7, "traits": {"name": "一家"}},
        {"type": "alias", "messageId": fresh(), "userId": "1001", "previousId": "a-1"},
        track("order.paid", properties={"order_id": 77}),
    ]
    assert server.post("batch", {"batch": batch}).json() == {"success": True}
    found = {event["type"]: event for event in server.events(*(one["messageId"] for one in batch))}
    assert set(found) == {"person.seen", "page.viewed", "screen.viewed", "group.seen", "person.linked", "order.paid"}
    assert found["group.seen"]["props"] == {"group": "7", "name": "一家"}
    assert found["order.paid"]["props"] == {"order_id": "77"}


def test_a_completed_order_has_its_lines_and_its_total(server: Running) -> None:
    goods = [{"sku": "a", "category": "奶", "price": 0.1, "quantity": 3}, {"product_id": "b", "price": 12}]
    said = track("Order Completed", properties={"order_id": "77", "total": 0.1 + 0.2 + 12, "products": goods})
    assert server.post("track", said).json() == {"success": True}
    (event,) = server.events(said["messageId"])
    assert (event["type"], event["amount"], event["currency"]) == ("order.placed", "12.30", "CNY")
    assert [(line["sku"], float(line["quantity"]), line["amount"]) for line in event["lines"]] == [
        ("a", 3.0, "0.30"),
        ("b", 1.0, "12.00"),
    ]


def test_what_a_piece_costs_is_read_and_what_is_no_cost_is_named() -> None:
    goods = [{"sku": "a", "quantity": 3, "unit_cost": "0.125"}, {"sku": "b"}]
    assert [one.cost for one in lines({"products": goods})] == [Decimal("0.38"), None]
    for bad, place in (
        ({"unit_cost": -1}, "products.0.unit_cost"),
        ({"unit_cost": "cheap"}, "products.0.unit_cost"),
        ({"unit_cost": 1, "currency": "usd"}, "products.0.currency"),
    ):
        with pytest.raises(BadInput, match=place):
            lines({"currency": "CNY", "products": [{"sku": "a", **bad}]})


def test_where_a_visit_came_from_is_kept_without_what_stands_behind_the_question_mark(server: Running) -> None:
    context = {
        "ip": "203.0.113.9",
        "page": {"path": "/new?phone=13800138000", "title": "新品", "referrer": "https://x.example/?name=wang"},
        "campaign": {"source": "wx", "name": "spring", "medium": 7},
    }
    said = track(context=context)
    server.post("track", said, key="web")
    (event,) = server.events(said["messageId"])
    assert event["props"] == {
        "sku": "A-7", "path": "/new", "page_title": "新品", "referrer": "https://x.example/", "utm_source": "wx",
        "utm_campaign": "spring",
    }  # fmt: skip


# Who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("shop", ["member", "device", "phone", "email", "unionid"]),
        ("app", ["member", "device"]),
        ("web", ["device"] * 2),
    ],
)
def test_only_a_trusted_key_joins_persons_by_phone(server: Running, key: str, kinds: list[str]) -> None:
    said = {"messageId": fresh(), "userId": "1001", "anonymousId": "a-1"}
    traits = {"phone": "13800138000", "email": "w@example.com", "unionid": "u-1"}
    assert server.post("identify", {**said, "traits": traits}, key=key).json() == {"success": True}
    (event,) = server.events(said["messageId"])
    assert sorted(one["kind"] for one in event["identifiers"]) == sorted(kinds)
    claimed = "" if key == "shop" else "claimed_"
    assert event["props"] == {f"{claimed}phone": "13800138000", f"{claimed}email": "w@example.com"}


def test_an_untrusted_alias_only_says_devices(server: Running) -> None:
    said = {"messageId": fresh(), "userId": "1001", "previousId": "1002"}
    server.post("alias", said, key="web")
    server.post("alias", said, key="app")
    web, app = server.events(said["messageId"])
    assert [one["kind"] for one in web["identifiers"]] == ["device", "device"]
    assert [one["kind"] for one in app["identifiers"]] == ["member", "device"]


def test_consent_in_the_context_is_a_word_about_the_web_only(server: Running) -> None:
    consent = {"categoryPreferences": {"Advertising": True, "analytics": False}}
    said = {"messageId": fresh(), "userId": "1001", "context": {"consent": consent}}
    server.post("identify", said)
    found = [event for event in server.ask("inbox") if event["id"].startswith(f"shop/{said['messageId']}#")]
    assert [(event["type"], event["props"]["purpose"], event["props"]["channel"]) for event in found] == [
        ("consent.given", "advertising", "web"),
        ("consent.withdrawn", "analytics", "web"),
    ]


# When -------------------------------------------------------------------------------------------------------------


def test_a_wrong_clock_is_put_right_by_when_it_says_it_sent(server: Running) -> None:
    wrong = datetime.now(UTC) - timedelta(days=400)
    said = track(timestamp=(wrong - timedelta(hours=2)).isoformat())
    server.post("batch", {"batch": [said], "sentAt": wrong.isoformat()})
    (event,) = server.events(said["messageId"])
    off = datetime.now(UTC) - timedelta(hours=2) - datetime.fromisoformat(event["occurred_at"])
    assert abs(off) < timedelta(minutes=1)


def test_the_same_body_again_has_the_same_time_however_wrong_the_clock(server: Running) -> None:
    """The second correction differs by a hair; as another time it would count as another event."""
    wrong = datetime.now(UTC) + timedelta(days=3)
    said, silent = track(timestamp=wrong.isoformat()), track()
    del silent["timestamp"]
    for late in (0, 0.4):
        body = {"batch": [said, silent], "sentAt": (wrong + timedelta(seconds=late)).isoformat()}
        assert server.post("batch", body).status_code == 200
    for one in (said, silent):
        first, second = server.events(one["messageId"])
        assert first["occurred_at"] == second["occurred_at"]


def test_history_is_taken_at_its_word(server: Running) -> None:
    said = track(timestamp="2019-05-01T08:00:00+08:00")
    server.post("import", {"batch": [said], "sentAt": "2019-05-01T08:00:00+08:00"})
    (event,) = server.events(said["messageId"])
    assert datetime.fromisoformat(event["occurred_at"]) == datetime(2019, 5, 1, tzinfo=UTC)


def test_timelines_stand_in_the_order_of_time_then_receipt_and_each_event_once(server: Running) -> None:
    batch = [track(timestamp=(NOW - timedelta(minutes=n % 3)).isoformat(), userId="once") for n in range(6)]
    for part in (batch[:3], batch[3:], batch):
        assert server.post("batch", {"batch": part}).status_code == 200
    ids = {f"shop/{one['messageId']}" for one in batch}
    found = [row for row in server.ask("timeline") if row["event_id"] in ids]
    assert len(found) == 6
    assert found == sorted(found, key=lambda row: (row["occurred_at"], row["received_at"]))
    assert len({row["person"] for row in found}) == 1


# What is refused --------------------------------------------------------------------------------------------------


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The refusal, said in both languages."""
    said: dict[str, Any] = answer.json()
    assert (answer.status_code, said["code"], said["success"]) == (status, code, False)
    assert said["error"]["zh"]
    assert said["error"]["en"] == said["message"]
    return said


@pytest.mark.parametrize("key", [None, "wk_nobody", "x" * 300])
def test_without_a_key_nothing_is_taken(server: Running, key: str | None) -> None:
    refused(server.post("track", track(), key=key), 401, "write_key")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[1]", b'"x"', b"null", b'{"batch": 1}', b'{"batch": {}}', b"{}", b'{"batch": [}',
     b'{"batch": [{"a": NaN}]}', b"[" * 100_000],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_whole(server: Running, body: bytes) -> None:
    before = len(server.ask("inbox"))
    refused(server.post("batch", body), 400, "malformed")
    assert len(server.ask("inbox")) == before


@pytest.mark.parametrize(
    ("call", "body", "code"),
    [
        ("track", track(properties={"sku": "x" * 33_000}), "too_large"),
        ("batch", {"batch": [track(), track(properties={"sku": "x" * 33_000})]}, "too_large"),
        ("batch", {"batch": [track(properties={"sku": "x" * 30_000}) for _ in range(17)]}, "too_large"),
        ("batch", {"batch": [{}] * 2501}, "too_many"),
        ("batch", {"batch": []}, "empty"),
    ],
)
def test_what_is_too_large_is_refused_whole(server: Running, call: str, body: Any, code: str) -> None:
    before = len(server.ask("inbox"))
    said = refused(server.post(call, body), 400, code)
    assert len(server.ask("inbox")) == before
    if call == "batch" and len(body["batch"]) == 2:
        assert [one["message"] for one in said["problems"]] == [1]


def test_a_body_of_very_many_gzip_members_is_refused(server: Running) -> None:
    answer = server.post("track", gzip.compress(b" ") * 500, **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (400, "encoding")


def test_whoever_guesses_at_keys_fills_no_memory(server: Running) -> None:
    for _ in range(3):
        assert server.post("track", track(), key="x" * 5_000).status_code == 401


def test_a_phone_sent_as_the_name_of_a_type_is_not_shown_as_one(server: Running) -> None:
    said = track("13800138000 called")
    assert server.post("track", said).status_code == 200
    assert not [one for one in server.ask("troubles") if "13800138000" in json.dumps(one)]


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b"0" * 50_000_000), gzip.compress(b"{}")[:-3], b"\x1f\x8bnot gzip", b"plain"],
    ids=["bomb", "cut", "broken", "plain"],
)
def test_a_gzip_bomb_is_not_unpacked(server: Running, packed: bytes) -> None:
    answer = server.post("batch", packed, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "track", 405), ("POST", "trick", 404), ("PUT", "t", 405)]
)
def test_what_is_not_there_is_said(server: Running, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, f"{server.address}/v1/{path}", trust_env=False, timeout=60)
    refused(answer, status, {404: "not_found", 405: "method_not_allowed"}[status])


def test_a_key_is_known_at_once_and_a_revoked_one_within_a_second(server: Running) -> None:
    server.keys["new"] = server.ask("add_key", name="new")
    assert server.post("track", track(), key="new").status_code == 200
    server.ask("revoke_key", name="new")
    deadline = datetime.now(UTC) + timedelta(seconds=120)
    while server.post("track", track(), key="new").status_code == 200:
        assert datetime.now(UTC) < deadline
    refused(server.post("track", track(), key="new"), 401, "write_key")


def test_a_slow_key_is_told_when_to_come_again(server: Running) -> None:
    assert server.post("batch", {"batch": [track() for _ in range(2000)]}, key="slow").status_code == 200
    answer = server.post("batch", {"batch": [track() for _ in range(2000)]}, key="slow")
    refused(answer, 429, "rate_limited")
    assert 100 < int(answer.headers["Retry-After"]) <= 151  # 1,500 events too many, at 10 a second


# The web ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "key", "status"),
    [
        ("https://shop.example.com", "web", 200),
        ("https://evil.example.com", "web", 403),
        ("https://shop.example.com", "app", 403),
        ("null", "web", 403),
    ],
)
def test_a_page_may_send_where_its_key_lets_it(server: Running, origin: str, key: str, status: int) -> None:
    answer = server.post("track", track(), key=key, Origin=origin)
    assert answer.status_code == status
    asked = httpx.options(f"{server.address}/v1/track", headers={"Origin": origin}, trust_env=False)
    allowed = origin == "https://shop.example.com"
    assert asked.status_code == 204
    assert asked.headers.get("access-control-allow-origin") == (origin if allowed else None)


def test_a_page_of_the_same_host_needs_no_permission(server: Running) -> None:
    assert server.post("track", track(), key="app", Origin=server.address).status_code == 200


# What is held -----------------------------------------------------------------------------------------------------


def test_a_bad_message_spoils_no_batch_and_is_held_and_counted(server: Running) -> None:
    good, odd = (
        track(),
        track("Lesson Started", properties={"lesson": "钓鱼 101", "minutes": 30, "phone": "13800138000"}),
    )
    answer = server.post("batch", {"batch": [odd, good, odd]})
    assert answer.json() == {"success": True, "held": 2}
    assert server.events(good["messageId"])
    assert not server.events(odd["messageId"])
    found = trouble(server, "Lesson Started", "type")
    assert (found["key_name"], found["seen"], found["held"]) == ("shop", 2, 1)
    sample = server.ask("sample", key=found["key"], type_="Lesson Started", problem="type")
    assert "13800138000" not in json.dumps(sample)
    assert {"name": "properties.minutes", "kind": "number", "value": "3*"} in sample
    assert "13800138000" not in server.ask("raw")


def test_what_is_held_becomes_events_once_its_type_is_defined(server: Running) -> None:
    odd = [track("Pond Visited", properties={"pond": "东湖", "fish": n, "caught": True}) for n in range(3)]
    server.post("batch", {"batch": odd})
    found = trouble(server, "Pond Visited", "type")
    text = server.ask("define", key=found["key"], type_="Pond Visited")
    assert "name: pond_visited" in text
    recorded, _ = server.ask("replay")
    assert recorded == 3
    events = server.events(*(one["messageId"] for one in odd))
    assert [event["props"] for event in events] == [one["properties"] for one in odd]
    assert {event["type"] for event in events} == {"pond_visited"}
    again = track("pond visited", properties={"pond": "西湖"})
    assert server.post("track", again, key="web").json()["success"]
    assert server.ask("replay")[0] == 0


def test_a_document_may_add_fields_to_a_shipped_type(server: Running) -> None:
    said = {"messageId": fresh(), "userId": "1001", "traits": {"level": "gold"}}
    assert server.post("identify", said).json() == {"success": True, "held": 1}
    assert trouble(server, "identify", "props.level")["held"] == 1
    more = {"kind": "event_type", "name": "levels", "title": {"zh": "等级", "en": "Levels"}, "adds_to": "person.seen"}
    server.ask("apply", document={**more, "props": {"level": {"type": "text"}}})
    assert server.ask("replay")[0] == 1
    (event,) = server.events(said["messageId"])
    assert event["props"] == {"level": "gold"}


@pytest.mark.parametrize(
    ("message", "type_", "problem"),
    [
        (track(properties={"sku": {"deep": 1}}), "Product Viewed", "sku"),
        (track(properties={"price": "dear"}), "Product Viewed", "price"),
        (order({"total": 1}), "Order Completed", "props.order_id"),
        (order({"order_id": "1", "total": 1, "currency": "USD"}), "Order Completed", "currency"),
        (order({"order_id": "1", "products": [{}]}), "Order Completed", "products.0.sku"),
        (track(timestamp="yesterday"), "Product Viewed", "timestamp"),
        (track(timestamp="1970-01-01T00:00:00Z"), "Product Viewed", "timestamp"),
        (track(userId={"a": 1}), "Product Viewed", "userId"),
        (track(userId=None), "Product Viewed", "identifiers"),
        (track(userId="x" * 300), "Product Viewed", "identifiers.0.value"),
        ({"type": "sing", "userId": "1"}, "sing", "call"),
        ({"userId": "1"}, "?", "call"),
        ({"type": "track", "userId": "1"}, "?", "event"),
        (3, "?", "shape"),
    ],
)  # fmt: skip
def test_every_trouble_is_counted_by_its_name(server: Running, message: Any, type_: str, problem: str) -> None:
    assert server.post("batch", {"batch": [message]}).json() == {"success": True, "held": 1}
    assert trouble(server, type_, problem)["seen"] >= 1


@pytest.mark.parametrize("key", ["web", "app", "narrow"])
def test_a_page_cannot_say_orders_consents_by_name_or_friendships(server: Running, key: str) -> None:
    for event, props in (
        ("Order Completed", {"order_id": "1", "total": 1}),
        ("consent.given", {"purpose": "marketing", "channel": "wecom"}),
        ("person.seen", {"phone": "13800138000"}),
        ("tag.added", {"tag": "vip"}),
        ("relation.added", {}),
    ):
        said = track(event, properties=props)
        assert server.post("track", said, key=key).json() == {"success": True, "held": 1}, event
        assert not server.events(said["messageId"])


def test_a_key_says_what_it_may_and_no_more(server: Running) -> None:
    order = track("Order Completed", properties={"order_id": "1", "total": 1})
    assert server.post("track", order, key="till").json() == {"success": True}
    assert server.post("track", track(), key="till").json() == {"success": True, "held": 1}


def test_no_page_takes_the_id_of_a_tills_event(server: Running) -> None:
    said = track()
    for key in ("web", "shop"):
        server.post("track", said, key=key)
    assert [event["id"] for event in server.events(said["messageId"])] == [
        f"web/{said['messageId']}",
        f"shop/{said['messageId']}",
    ]

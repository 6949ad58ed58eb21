"""The HTTP API as scripts use it."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

import pytest

from tests.api.conftest import ORDER, Call
from tests.house.world import World, broadcast
from yutang.api.routes import api
from yutang.intake.pump import pump_until_empty
from yutang.organisation import services as organisation

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]

SPENT = {
    "kind": "segment",
    "name": "spent",
    "schema": 1,
    "title": {"zh": "买过", "en": "Spent"},
    "where": {"trait": "spend_ever", "more_than": 0},
}


def test_one_bad_event_and_nothing_of_the_request_is_kept(world: World, call: Call) -> None:
    answer = call("POST", "/events", {"events": [ORDER, {**ORDER, "id": "till/78", "type": "order.eaten"}]})
    assert answer.status_code == 422
    assert "order.eaten" in answer.json()["error"]["zh"]
    assert "till/78" in answer.json()["error"]["en"]
    assert pump_until_empty(world.warehouse).idle


def test_money_is_text_and_times_carry_their_zone(world: World, call: Call) -> None:
    card = call("GET", f"/persons/{world.near.person}").json()
    assert card["name"] == world.near.name
    assert card["home_store"] == "near"
    assert Decimal(card["traits"]["spend_ever"]) == 88
    assert isinstance(card["traits"]["spend_ever"], str)
    events = call("GET", f"/persons/{world.near.person}/events").json()["items"]
    event = next(event for event in events if event["type"] == "order.placed")
    assert event["amount"] == "88.00"
    for moment in (card["born_at"], event["occurred_at"], card["traits"]["first_order_at"]):
        assert datetime.fromisoformat(moment).utcoffset() is not None


def test_a_page_says_where_the_next_begins(world: World, call: Call) -> None:
    first = call("GET", "/persons", limit=1, traits="spend_ever,home_store").json()
    second = call("GET", "/persons", limit=1, offset=first["next_offset"]).json()
    assert [item["person"] for item in first["items"] + second["items"]] == [world.near.person, world.far.person]
    assert first["items"][0]["traits"] == {"spend_ever": "88.00", "home_store": "near"}
    assert second["next_offset"] is None
    found = call("GET", "/persons", find=world.far.phone).json()["items"]
    assert [item["person"] for item in found] == [world.far.person]


def test_a_segment_is_counted_before_it_is_kept_and_then_listed(world: World, call: Call) -> None:
    assert call("POST", "/segments/count", SPENT).json() == {"name": "spent", "count": 2}
    assert call("GET", "/segments/spent").status_code == 404
    assert call("PUT", "/segments/other", SPENT).status_code == 422
    assert call("PUT", "/segments/spent", SPENT).json()["version"] == 1
    assert call("PUT", "/segments/spent", SPENT).json()["version"] == 1
    assert "spent" in [segment["name"] for segment in call("GET", "/segments").json()]
    assert call("GET", "/segments/spent/count").json()["count"] == 2
    members = call("GET", "/segments/spent/members", order="-spend_ever", traits="spend_ever").json()["items"]
    assert {member["person"] for member in members} == {world.near.person, world.far.person}
    assert call("GET", "/persons", segment="spent").json()["items"][0]["name"] == world.near.name


def test_a_person_shows_why_she_was_or_was_not_reached(world: World, call: Call) -> None:
    touches = call("GET", f"/persons/{world.near.person}/touches").json()["items"]
    assert [(touch["plan"], touch["outcome"]) for touch in touches] == [(world.near.plan, "send")]
    (batch,) = call("GET", f"/plans/{world.near.plan}/batches").json()
    assert (batch["userid"], batch["size"]) == (world.near.userid, 1)


@pytest.mark.parametrize("path", ["/persons", "/segments", "/plans", "/stores", "/totals"])
def test_without_a_token_nothing_is_told(call: Call, path: str) -> None:
    for token in (None, "yt_wrong"):
        answer = call("GET", path, as_user=token)
        assert answer.status_code == 401
        assert set(answer.json()["error"]) == {"zh", "en"}


def test_a_token_does_only_what_its_scopes_say(call: Call) -> None:
    writer = organisation.issue_token("till", ["events:write"])
    assert call("POST", "/events", {"events": [ORDER]}, as_user=writer).status_code == 202
    assert call("GET", "/persons", as_user=writer).status_code == 403
    reader = organisation.issue_token("notebook", ["read"])
    assert call("GET", "/persons", as_user=reader).status_code == 200
    assert call("POST", "/events", {"events": [ORDER]}, as_user=reader).status_code == 403
    assert call("POST", "/plans", broadcast("no", "不").as_data(), as_user=reader).status_code == 403
    organisation.revoke_tokens("notebook")
    assert call("GET", "/persons", as_user=reader).status_code == 401


def test_a_manager_does_not_launch_and_is_shown_masked_numbers(world: World, call: Call) -> None:
    assert call("POST", "/plans", broadcast("mine", "我的").as_data(), as_user="near_manager").status_code == 403
    shown = call("GET", f"/persons/{world.near.person}", as_user="near_manager")
    assert world.near.phone not in shown.content.decode()
    assert world.near.phone in call("GET", f"/persons/{world.near.person}").content.decode()


def test_the_documents_at_openapi_json_name_every_operation_with_its_refusals(call: Call) -> None:
    schema = call("GET", "/openapi.json", as_user=None).json()
    counted = {"/api/v1/": 0, "/v1/": 0, "/hooks/": 0}
    refusals = {
        "/api/v1/": {"401", "403", "404", "422", "503"},
        "/v1/": {"400", "401", "403", "429", "503"},
        "/hooks/": {"404"},  # known by a signature, which OpenAPI has no word for
    }
    for path, methods in schema["paths"].items():
        root = next(root for root in counted if path.startswith(root))
        for operation in methods.values():
            counted[root] += 1
            assert refusals[root] < set(operation["responses"])
            assert operation["description"]
            assert operation["security"] or root == "/hooks/"
    assert counted == {"/api/v1/": 57, "/v1/": 7, "/hooks/": 4}


def test_no_two_shapes_of_the_document_bear_one_name() -> None:
    shapes: dict[str, set[str]] = {}
    for _prefix, router in api._routers:
        for view in router.path_operations.values():
            for model in (
                one for operation in view.operations for one in (*operation.response_models.values(), *operation.models)
            ):
                told = model.model_json_schema(mode="serialization") if hasattr(model, "model_json_schema") else {}
                for name, shape in told.get("$defs", {}).items():
                    shapes.setdefault(name, set()).add(json.dumps(shape, sort_keys=True))
    assert len(shapes) > 50
    assert [name for name, told in shapes.items() if len(told) > 1] == []  # the later would stand for the earlier


def test_an_unknown_address_is_said_in_both_languages(call: Call) -> None:
    for method in ("GET", "POST"):
        answer = call(method, "/fish")
        assert answer.status_code == 404
        assert set(answer.json()["error"]) == {"zh", "en"}


def test_a_merge_is_told_in_the_history_and_withdrawn(world: World, call: Call) -> None:
    near, far = sorted((world.near.person, world.far.person))
    body = {"other": far, "reason": "她打过电话"}
    assert call("POST", f"/persons/{near}/merge", body, as_user="near_operator").status_code == 403
    number = call("POST", f"/persons/{near}/merge", body).json()["decision"]
    assert call("POST", f"/persons/{near}/merge", body).status_code == 422
    assert call("GET", f"/persons/{far}").json()["person"] == near
    (told,) = call("GET", f"/persons/{near}/history").json()["decisions"]
    assert (told["kind"], told["reason"], told["other"]) == ("merge", "她打过电话", far)
    assert call("POST", f"/decisions/{number}/withdraw", {"reason": "听错了"}).status_code == 200
    assert call("GET", f"/persons/{far}").json()["person"] == far
    apart = {"first": near, "second": far, "decision": "apart"}
    assert call("POST", "/suspects", apart).status_code == 422
    assert call("POST", "/suspects", {**apart, "reason": "两个人"}).status_code == 200
    assert call("GET", "/suspects").json() == []
    own = [{"kind": "phone", "namespace": "", "value": world.near.phone}]
    split = call("POST", f"/persons/{world.near.person}/split", {"identifiers": own, "reason": "不是她的"})
    assert split.status_code == 200


@pytest.mark.parametrize("path", ["/persons", "/groups", "/groups/1/members", "/plans", "/drill/lost"])
def test_a_place_in_a_list_that_no_list_has_is_told_so(world: World, call: Call, path: str) -> None:
    answer = call("GET", path, offset=2**90, level="corp", of="x")
    assert answer.status_code == 422
    assert "offset" in answer.content.decode()


def test_guides_are_told_with_their_trust_and_how_their_accounts_are(world: World, call: Call) -> None:
    trust = call("GET", "/guides/trust").json()
    assert {"near", "far"} <= {row["store"] for row in trust}
    assert all((row["value"] is None) == (row["standing"] in ("too_few", "nobody")) for row in trust)
    found = {row["userid"]: row for row in call("GET", "/guides/accounts").json()}
    assert found[world.near.userid]["friends"] == 1
    risky = call("GET", "/guides/accounts", level="risk").json()
    assert {row["userid"] for row in risky} == {name for name, row in found.items() if row["level"] == "risk"}
    assert call("GET", "/guides/accounts", level="ill").status_code == 422
    lines = b"".join(call("GET", "/guides/accounts", format="csv").streaming_content).decode().splitlines()
    assert sum(world.near.userid in line for line in lines) == 1

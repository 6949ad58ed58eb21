"""The product album, and the rules of what may not be written in chats."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.conftest import START, Client
from tests.sandbox.test_apps import SECOND, as_app

PRODUCT = {"description": "世界上最好的商品", "price": 30000, "product_sn": "SN001"}
RULE = {
    "rule_name": "禁止外联",
    "word_list": ["加微信", "私下转账"],
    "semantics_list": [3, 1],
    "intercept_type": 1,
    "applicable_range": {"user_list": ["a"], "department_list": [1]},
}
NOW = int(START.timestamp())


@pytest.fixture
def image(sandbox: Client) -> dict[str, object]:
    """A picture that was uploaded for the album."""
    return {"type": "image", "image": {"media_id": sandbox.attachment(2)}}


def coded(client: Client, call: str, body: dict[str, object]) -> Callable[..., int]:
    """Asks with the body as changed; gives the code."""
    return lambda **changes: client.post(call, **{**body, **changes})["errcode"]


@pytest.mark.wecom(
    "externalcontact/add_product_album",
    "externalcontact/get_product_album",
    "externalcontact/get_product_album_list",
    "externalcontact/update_product_album",
    "externalcontact/delete_product_album",
)
def test_a_product_is_kept_changed_and_deleted(sandbox: Client, image: dict[str, object]) -> None:
    product = {**PRODUCT, "attachments": [image]}
    made = [sandbox.post("add_product_album", **product)["product_id"] for _ in range(5)]
    assert len(set(made)) == 5
    one = made[0]
    told = {"product_id": one, **product}
    assert sandbox.post("get_product_album", product_id=one)["product"] == {**told, "create_time": NOW}
    listed, cursor = [], ""
    while True:
        answer = sandbox.post("get_product_album_list", limit=2, cursor=cursor)
        listed += answer["product_list"]
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert {row["product_id"] for row in listed} == set(made)
    assert told in listed
    assert sandbox.post("update_product_album", product_id=one, price=29900)["errcode"] == 0
    assert sandbox.post("get_product_album", product_id=one)["product"] == {**told, "price": 29900, "create_time": NOW}
    assert sandbox.post("delete_product_album", product_id=one)["errcode"] == 0
    for call in ("delete_product_album", "get_product_album", "update_product_album"):
        assert sandbox.post(call, product_id=one)["errcode"] == 41074
        assert sandbox.post(call, product_id="unknown")["errcode"] == 41075
        assert sandbox.post(call)["errcode"] == 41075
    assert len(sandbox.post("get_product_album_list")["product_list"]) == 4


def test_what_a_product_may_be(sandbox: Client, image: dict[str, object]) -> None:
    code = coded(sandbox, "add_product_album", {**PRODUCT, "attachments": [image]})
    assert code() == code(description="好" * 300) == code(price=0) == code(price=5_000_000) == code(product_sn="") == 0
    assert code(description="") == 41087
    assert code(description="好" * 301) == 41073
    assert code(price=5_000_001) == code(price=-1) == code(price="300") == code(price=None) == 41086
    assert code(product_sn="货号") == code(product_sn="a-1") == code(product_sn="a" * 129) == 41085
    assert code(attachments=[]) == code(attachments=None) == 41088
    assert code(attachments=[image] * 9) == 0
    assert code(attachments=[image] * 10) == 41064
    assert code(attachments=[{"msgtype": "image", "image": image["image"]}]) == 41065
    assert code(attachments=[{"type": "image", "image": {}}]) == 40063
    assert code(attachments=[{"type": "image", "image": {"media_id": "no such id"}}]) == 40007
    assert code(attachments=[{"type": "image", "image": {"media_id": sandbox.attachment(1)}}]) == 41072


@pytest.mark.wecom(
    "externalcontact/add_intercept_rule",
    "externalcontact/get_intercept_rule_list",
    "externalcontact/get_intercept_rule",
    "externalcontact/update_intercept_rule",
    "externalcontact/del_intercept_rule",
)
def test_a_rule_is_kept_changed_and_deleted(sandbox: Client) -> None:
    made = sandbox.post("add_intercept_rule", **RULE)["rule_id"]
    listed = sandbox.get("externalcontact/get_intercept_rule_list")["rule_list"]
    assert listed == [{"rule_id": made, "rule_name": "禁止外联", "create_time": NOW}]

    def rule() -> dict[str, object]:
        return sandbox.post("get_intercept_rule", rule_id=made)["rule"]  # type: ignore[no-any-return]

    assert rule() == {
        "rule_id": made,
        "rule_name": "禁止外联",
        "word_list": ["加微信", "私下转账"],
        "extra_rule": {"semantics_list": [1, 3]},
        "intercept_type": 1,
        "applicable_range": {"user_list": ["a"], "department_list": [1]},
        "create_time": NOW,
    }
    change = coded(sandbox, "update_intercept_rule", {"rule_id": made})
    assert change(word_list=[], extra_rule={}, intercept_type=2) == 0
    assert (rule()["word_list"], rule()["extra_rule"]) == (["加微信", "私下转账"], {"semantics_list": []})
    assert change(add_applicable_range={"user_list": ["b"]}, remove_applicable_range={"user_list": ["a"]}) == 0
    assert rule()["applicable_range"] == {"user_list": ["b"], "department_list": [1]}
    assert change(rule_name="改名", word_list=["回扣"]) == 0
    assert (rule()["rule_name"], rule()["word_list"], rule()["intercept_type"]) == ("改名", ["回扣"], 2)
    assert sandbox.post("del_intercept_rule", rule_id=made)["errcode"] == 0
    for call in ("del_intercept_rule", "get_intercept_rule", "update_intercept_rule"):
        assert sandbox.post(call, rule_id=made)["errcode"] == 41071
        assert sandbox.post(call, rule_id="unknown")["errcode"] == 41070
    assert sandbox.get("externalcontact/get_intercept_rule_list")["rule_list"] == []


def test_an_app_changes_what_it_made_and_reads_what_others_did(sandbox: Client, image: dict[str, object]) -> None:
    product = sandbox.post("add_product_album", **PRODUCT, attachments=[image])["product_id"]
    rule = sandbox.post("add_intercept_rule", **RULE)["rule_id"]
    sandbox.control("apps", apps=[SECOND])
    other = as_app(sandbox, "second-secret")
    assert other.post("get_product_album", product_id=product)["errcode"] == 0
    assert other.post("get_intercept_rule", rule_id=rule)["errcode"] == 0
    assert other.post("update_product_album", product_id=product, price=1)["errcode"] == 60011
    assert other.post("delete_product_album", product_id=product)["errcode"] == 60011
    assert other.post("update_intercept_rule", rule_id=rule, rule_name="x")["errcode"] == 60011
    assert other.post("del_intercept_rule", rule_id=rule)["errcode"] == 60011


def test_what_a_rule_may_be(sandbox: Client) -> None:
    code = coded(sandbox, "add_intercept_rule", RULE)
    assert code() == 0
    assert code() == 41077
    other = coded(sandbox, "add_intercept_rule", {**RULE, "rule_name": "另一条"})
    assert other(rule_name="") == other(word_list=[]) == 40063
    assert other(rule_name="名" * 21) == 40058
    assert other(word_list=["词" * 33]) == other(word_list=[""]) == other(word_list=[3]) == 41083
    assert other(word_list=[f"词{n}" for n in range(301)]) == 41068
    assert other(semantics_list=[4]) == 41084
    assert other(intercept_type=3) == 40058
    assert other(applicable_range=None) == other(applicable_range={}) == 40063
    assert other(applicable_range={"user_list": ["nobody"]}) == 40003
    assert other(applicable_range={"department_list": [404]}) == 40123
    assert other(applicable_range={"user_list": [f"u{n}" for n in range(1001)]}) == 41076
    assert other(word_list=[f"词{n}" for n in range(300)]) == 0


def test_a_corp_has_a_hundred_rules(sandbox: Client) -> None:
    codes = [sandbox.post("add_intercept_rule", **{**RULE, "rule_name": str(n)})["errcode"] for n in range(101)]
    assert codes == [0] * 100 + [41069]

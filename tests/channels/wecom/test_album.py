"""Our connectors of the product album and of interception rules: scripted answers, and our running sandbox."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.channels.wecom.platform import Broken, Platform, error, ok
from tests.sandbox.conftest import START, Client, house, open_sandbox, sandbox
from yutang.channels.contracts import AnswerLost, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.ports.catalogue import (
    AlbumPort,
    InterceptionPort,
    InterceptRule,
    PlatformProduct,
    Product,
    Semantics,
)
from yutang.channels.wecom import interception
from yutang.channels.wecom.album import ADD, DELETE, GET, LIST, UPDATE, WeComAlbum
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.interception import WeComInterception
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.kernel.errors import BadInput

__all__ = ["house", "open_sandbox", "sandbox"]

COAT = Product("春装风衣", Decimal("300.00"), ("MEDIA_1",), "SN001")
RULE = InterceptRule("禁止外联", ("加微信",), True, ("a",), (1,), frozenset({Semantics.PHONE, Semantics.RED_PACKET}))


@pytest.fixture
def album(client: WeComClient) -> AlbumPort:
    return WeComAlbum(client)


@pytest.fixture
def rules(client: WeComClient) -> InterceptionPort:
    return WeComInterception(client)


@pytest.fixture
def ours(sandbox: Client) -> WeComClient:
    """Our client, at the running sandbox."""
    return WeComClient(sandbox.address, "ww-sandbox", "synthetic", token_store=MemoryTokenStore())


@pytest.mark.wecom(
    "externalcontact/add_product_album",
    "externalcontact/get_product_album",
    "externalcontact/get_product_album_list",
    "externalcontact/update_product_album",
    "externalcontact/delete_product_album",
)
def test_a_products_life_at_the_sandbox(sandbox: Client, ours: WeComClient) -> None:
    album = WeComAlbum(ours)
    coat = replace(COAT, pictures=(sandbox.attachment(2),))
    one, two = album.add_product(coat), album.add_product(replace(coat, code=""))
    assert album.read_product(one) == PlatformProduct(one, coat, START)
    found = {row.product_id: row for row in album.find_products()}
    assert found == {one: PlatformProduct(one, coat), two: PlatformProduct(two, replace(coat, code=""))}
    cheaper = replace(coat, price=Decimal("299.90"), pictures=(*coat.pictures, sandbox.attachment(2)))
    for _ in range(2):
        album.change_product(one, cheaper)
    read = album.read_product(one)
    assert read is not None
    assert read.product == cheaper
    for _ in range(2):
        album.delete_product(one)
    album.delete_product("unknown")
    assert album.read_product(one) is album.read_product("unknown") is None
    assert [row.product_id for row in album.find_products()] == [two]
    with pytest.raises(RefusedByPlatform, match="was deleted"):
        album.change_product(one, coat)


def test_a_product_is_said_in_cents_with_the_key_that_the_platform_wants(platform: Platform, album: AlbumPort) -> None:
    platform.plays(ADD, ok(product_id="p1"))
    assert album.add_product(COAT) == "p1"
    assert platform.calls(ADD)[0].body == {
        "description": "春装风衣",
        "price": 30000,
        "product_sn": "SN001",
        "attachments": [{"type": "image", "image": {"media_id": "MEDIA_1"}}],
    }
    platform.plays(UPDATE, ok())
    album.change_product("p1", replace(COAT, code=""))
    assert "product_sn" not in platform.calls(UPDATE)[0].body


@pytest.mark.parametrize(
    "change",
    [
        {"description": ""},
        {"description": "好" * 301},
        {"price": Decimal("50000.01")},
        {"price": Decimal("-1")},
        {"price": Decimal("0.001")},
        {"code": "货号"},
        {"code": "a" * 129},
        {"pictures": ()},
        {"pictures": ("M",) * 10},
    ],
)
def test_what_no_product_can_be(platform: Platform, album: AlbumPort, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        album.add_product(replace(COAT, **change))
    assert platform.calls(ADD) == []


def test_lost_and_strange_answers_of_the_album(platform: Platform, album: AlbumPort) -> None:
    for answer in (Broken(), ok()):
        platform.plays(ADD, answer)
        with pytest.raises(AnswerLost):
            album.add_product(COAT)
    assert len(platform.calls(ADD)) == 2
    platform.plays(GET, ok(product={"product_id": "p1"}), error(48002))
    with pytest.raises(UnexpectedAnswer):
        album.read_product("p1")
    with pytest.raises(RefusedByPlatform):
        album.read_product("p1")
    platform.plays(LIST, ok(product_list=[{"price": 1}]))
    with pytest.raises(UnexpectedAnswer):
        album.find_products()
    platform.plays(DELETE, error(48002))
    with pytest.raises(RefusedByPlatform):
        album.delete_product("p1")


@pytest.mark.wecom(
    "externalcontact/add_intercept_rule",
    "externalcontact/get_intercept_rule_list",
    "externalcontact/get_intercept_rule",
    "externalcontact/update_intercept_rule",
    "externalcontact/del_intercept_rule",
)
def test_a_rules_life_at_the_sandbox(ours: WeComClient) -> None:
    rules = WeComInterception(ours)
    one = rules.add_rule(RULE)
    assert rules.find_rules() == {one: "禁止外联"}
    assert rules.read_rule(one) == RULE
    other = InterceptRule("只提醒", ("回扣", "返点"), False, ("B", "idle"), (), frozenset())
    for _ in range(2):
        rules.change_rule(one, other)
    assert rules.read_rule(one) == replace(other, members=("b", "idle"))
    with pytest.raises(RefusedByPlatform, match="has this name"):
        rules.add_rule(other)
    for _ in range(2):
        rules.delete_rule(one)
    rules.delete_rule("unknown")
    assert rules.read_rule(one) is rules.read_rule("unknown") is None
    assert rules.find_rules() == {}
    with pytest.raises(RefusedByPlatform):
        rules.change_rule(one, RULE)


def test_a_range_of_thousands_goes_out_by_the_thousand(platform: Platform, rules: InterceptionPort) -> None:
    platform.plays(interception.ADD, ok(rule_id="r1"))
    platform.plays(interception.UPDATE, ok())
    many = tuple(f"user{number}" for number in range(2_500))
    assert rules.add_rule(replace(RULE, members=many)) == "r1"
    said = platform.calls(interception.ADD)[0].body
    assert (len(said["applicable_range"]["user_list"]), said["intercept_type"], said["semantics_list"]) == (
        1000,
        1,
        [1, 3],
    )
    assert [call.body for call in platform.calls(interception.UPDATE)] == [
        {"rule_id": "r1", "add_applicable_range": {"user_list": list(many[1000:2000])}},
        {"rule_id": "r1", "add_applicable_range": {"user_list": list(many[2000:])}},
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "名" * 21},
        {"words": ()},
        {"words": ("词",) * 301},
        {"words": ("好词", "词" * 33)},
        {"members": (), "departments": ()},
        {"members": ("u",) * 10_001},
    ],
)
def test_what_no_rule_can_be(platform: Platform, rules: InterceptionPort, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        rules.add_rule(replace(RULE, **change))
    assert platform.requests == []


def test_lost_answers_of_rules_and_the_two_places_of_semantics(platform: Platform, rules: InterceptionPort) -> None:
    for answer in (Broken(), ok()):
        platform.plays(interception.ADD, answer)
        with pytest.raises(AnswerLost):
            rules.add_rule(RULE)
    assert len(platform.calls(interception.ADD)) == 2
    platform.plays(interception.GET, ok(rule={"rule_id": 1, "rule_name": "r", "semantics_list": [2]}), error(48002))
    read = rules.read_rule("1")
    assert read is not None
    assert read.semantics == {Semantics.EMAIL}
    with pytest.raises(RefusedByPlatform):
        rules.read_rule("1")
    platform.plays(interception.DELETE, error(48002))
    with pytest.raises(RefusedByPlatform):
        rules.delete_rule("1")

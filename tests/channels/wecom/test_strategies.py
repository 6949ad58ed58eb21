"""Our connector of rule groups and their tags: scripted answers, and our running sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.channels.wecom.platform import Broken, Platform, error, ok
from tests.sandbox.conftest import START, Client, house, open_sandbox, sandbox
from yutang.channels.contracts import AnswerLost, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.strategies import (
    ADD_TAG,
    DELETE_TAG,
    TAGS,
    Kind,
    Nodes,
    StrategySpec,
    WeComStrategies,
    WeComStrategyTags,
)
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.kernel.errors import BadInput

__all__ = ["house", "open_sandbox", "sandbox"]

OF = "externalcontact/customer_strategy/"
EAST = StrategySpec("华东", ("a",), Nodes(frozenset({"a"}), frozenset({1})))


@pytest.fixture
def groups(client: WeComClient) -> WeComStrategies:
    return WeComStrategies(client, Kind.CUSTOMER)


@pytest.fixture
def ours(sandbox: Client) -> WeComClient:
    """Our client, at the running sandbox."""
    return WeComClient(sandbox.address, "ww-sandbox", "synthetic", token_store=MemoryTokenStore())


def lives(groups: WeComStrategies, right: str) -> None:
    """A group's whole life."""
    one = groups.create(replace(EAST, rights={right: False}))
    read = groups.read(one)
    assert (read.id, read.created_at, read.spec.name, read.spec.nodes) == (one, START, "华东", EAST.nodes)
    assert {name for name, has in read.spec.rights.items() if not has} == {right}
    south = StrategySpec("华南", ("b",), Nodes(frozenset({"B", "idle"})))
    for _ in range(2):
        groups.change(one, south)
    told = groups.read(one).spec
    assert (told.name, told.admins, told.nodes) == ("华南", ("b",), Nodes(frozenset({"b", "idle"})))
    below = groups.create(replace(EAST, parent=one, nodes=Nodes(frozenset({"b"}))))
    assert groups.read(below).spec.parent == one
    assert groups.read(below).spec.rights[right] is False
    assert groups.find() == [one, below]
    for _ in range(2):
        groups.delete(one)
    assert groups.find() == []
    with pytest.raises(RefusedByPlatform):
        groups.read(one)


@pytest.mark.wecom(
    "externalcontact/customer_strategy/list",
    "externalcontact/customer_strategy/get",
    "externalcontact/customer_strategy/get_range",
    "externalcontact/customer_strategy/create",
    "externalcontact/customer_strategy/edit",
    "externalcontact/customer_strategy/del",
)
def test_a_customer_groups_life_at_the_sandbox(ours: WeComClient) -> None:
    lives(WeComStrategies(ours, Kind.CUSTOMER), "share_customer")


@pytest.mark.wecom(
    "externalcontact/moment_strategy/list",
    "externalcontact/moment_strategy/get",
    "externalcontact/moment_strategy/get_range",
    "externalcontact/moment_strategy/create",
    "externalcontact/moment_strategy/edit",
    "externalcontact/moment_strategy/del",
)
def test_a_moment_groups_life_at_the_sandbox(ours: WeComClient) -> None:
    lives(WeComStrategies(ours, Kind.MOMENT), "send_moment")


@pytest.mark.wecom(
    "externalcontact/get_strategy_tag_list",
    "externalcontact/add_strategy_tag",
    "externalcontact/edit_strategy_tag",
    "externalcontact/del_strategy_tag",
)
def test_tags_at_the_sandbox(ours: WeComClient) -> None:
    one = WeComStrategies(ours, Kind.CUSTOMER).create(EAST)
    tags = WeComStrategyTags(ours)
    made = tags.add(one, "等级", ["高", "低"])
    assert (made.name, made.strategy, {tag.name for tag in made.tags}) == ("等级", one, {"高", "低"})
    assert tags.add(one, "等级", ["高", "低"]).tags == ()
    high = next(tag for tag in made.tags if tag.name == "高")
    assert high.created_at == START
    tags.change(high.id, "最高", 9)
    assert [tag.name for tag in tags.find(one)[0].tags] == ["最高", "低"]
    assert [tag.name for tag in tags.find(tags=[high.id])[0].tags] == ["最高"]
    with pytest.raises(RefusedByPlatform, match="choose another"):
        tags.change(high.id, "低")
    for _ in range(2):
        tags.delete(tags=[high.id])
    tags.delete(groups=[made.id])
    assert tags.find() == []


def test_nodes_go_out_by_the_hundred(platform: Platform, groups: WeComStrategies) -> None:
    platform.plays(f"{OF}create", ok(strategy_id=7))
    platform.plays(f"{OF}edit", ok())
    many = Nodes(frozenset(f"user{number:03d}" for number in range(250)))
    assert groups.create(replace(EAST, nodes=many)) == 7
    assert len(platform.calls(f"{OF}create")[0].body["range"]) == 100
    assert [len(call.body["range_add"]) for call in platform.calls(f"{OF}edit")] == [100, 50]
    assert "privilege" not in platform.calls(f"{OF}create")[0].body


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"admins": ()}, {"admins": ("u",) * 21}, {"nodes": Nodes()}],
)
def test_what_no_group_can_be(platform: Platform, groups: WeComStrategies, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        groups.create(replace(EAST, **change))
    assert platform.requests == []


def test_lost_and_strange_answers(platform: Platform, client: WeComClient, groups: WeComStrategies) -> None:
    for answer in (Broken(), ok()):
        platform.plays(f"{OF}create", answer)
        with pytest.raises(AnswerLost):
            groups.create(EAST)
    assert len(platform.calls(f"{OF}create")) == 2
    platform.plays(f"{OF}get", ok())
    with pytest.raises(UnexpectedAnswer):
        groups.read(7)
    platform.plays(f"{OF}del", error(40058))
    platform.plays(f"{OF}list", ok(strategy=[{"strategy_id": 7}]))
    with pytest.raises(RefusedByPlatform):
        groups.delete(7)  # it is still there, so something else was wrong
    tags = WeComStrategyTags(client)
    with pytest.raises(BadInput):
        tags.add(1, "等级", ["字" * 31])
    with pytest.raises(BadInput):
        tags.add(1, "等级", [])
    platform.plays(TAGS, ok(tag_group=[]))
    tags.find()
    assert platform.calls(TAGS)[0].body == {}
    platform.plays(ADD_TAG, ok())
    with pytest.raises(UnexpectedAnswer):
        tags.add(1, "等级", ["高"])
    platform.plays(DELETE_TAG, error(48002))
    with pytest.raises(RefusedByPlatform):
        tags.delete(tags=["et1"])

"""Rule groups of customer contact and of Moments, and the tags of the first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

import pytest

from tests.sandbox.conftest import START, Client, Held
from tests.sandbox.test_apps import SECOND, as_app

NOW = int(START.timestamp())
ALL = [{"type": 2, "partyid": 1}]
BASIC = ("view_customer_list", "view_customer_data", "view_room_list", "contact_me", "join_room")


def made(client: Client, kind: str = "customer", **body: object) -> int:
    answer = client.post(
        f"{kind}_strategy/create", **{"strategy_name": "华东", "admin_list": ["a"], "range": ALL, **body}
    )
    assert answer["errcode"] == 0, answer
    return int(answer["strategy_id"])


@pytest.mark.wecom(
    "externalcontact/customer_strategy/list",
    "externalcontact/customer_strategy/get",
    "externalcontact/customer_strategy/get_range",
    "externalcontact/customer_strategy/create",
    "externalcontact/customer_strategy/edit",
    "externalcontact/customer_strategy/del",
)
def test_a_group_is_made_changed_and_deleted(sandbox: Client) -> None:
    one = made(sandbox, privilege={"share_customer": False, "contact_me": False})
    told = sandbox.post("customer_strategy/get", strategy_id=one)["strategy"]
    assert (told["parent_id"], told["strategy_name"], told["create_time"], told["admin_list"]) == (
        0,
        "华东",
        NOW,
        ["a"],
    )
    assert len(told["privilege"]) == 21
    assert {name for name, has in told["privilege"].items() if not has} == {"share_customer"}
    edited = sandbox.post(
        "customer_strategy/edit",
        strategy_id=one,
        strategy_name="华南",
        admin_list=["B"],
        privilege={"rapid_reply": False},
        range_add=[{"type": 1, "userid": "a"}, {"type": 1, "userid": "b"}],
        range_del=ALL,
    )
    assert edited["errcode"] == 0
    told = sandbox.post("customer_strategy/get", strategy_id=one)["strategy"]
    assert (told["strategy_name"], told["admin_list"], told["privilege"]["share_customer"]) == ("华南", ["b"], True)
    assert told["privilege"]["rapid_reply"] is False
    nodes = sandbox.post("customer_strategy/get_range", strategy_id=one)
    assert nodes["range"] == [{"type": 1, "userid": "a"}, {"type": 1, "userid": "b"}]
    assert "next_cursor" not in nodes
    two = made(sandbox)
    listed = sandbox.post("customer_strategy/list")
    assert listed["strategy"] == [{"strategy_id": one}, {"strategy_id": two}]
    assert sandbox.post("customer_strategy/del", strategy_id=one)["errcode"] == 0
    for call in ("get", "get_range", "edit", "del"):
        assert sandbox.post(f"customer_strategy/{call}", strategy_id=one)["errcode"] == 40058
        assert sandbox.post(f"customer_strategy/{call}")["errcode"] == 40058


@pytest.mark.wecom(
    "externalcontact/moment_strategy/list",
    "externalcontact/moment_strategy/get",
    "externalcontact/moment_strategy/get_range",
    "externalcontact/moment_strategy/create",
    "externalcontact/moment_strategy/edit",
    "externalcontact/moment_strategy/del",
)
def test_groups_of_moments_are_others(sandbox: Client) -> None:
    one = made(sandbox, "moment", privilege={"send_moment": False})
    assert sandbox.post("customer_strategy/get", strategy_id=one)["errcode"] == 40058
    told = sandbox.post("moment_strategy/get", strategy_id=one)["strategy"]
    rights = {"view_moment_list": True, "send_moment": False, "manage_moment_cover_and_sign": True}
    assert told["privilege"] == rights
    assert sandbox.post("moment_strategy/get_range", strategy_id=one)["range"] == ALL
    assert sandbox.post("moment_strategy/edit", strategy_id=one, strategy_name="新")["errcode"] == 0
    assert sandbox.post("moment_strategy/list")["strategy"] == [{"strategy_id": one}]
    assert sandbox.post("customer_strategy/list")["strategy"] == []
    assert sandbox.post("moment_strategy/del", strategy_id=one)["errcode"] == 0
    assert sandbox.post("moment_strategy/list")["strategy"] == []


def test_below_a_parent_a_group_has_its_rights_and_some_of_its_members(sandbox: Client) -> None:
    top = made(sandbox, privilege={"send_group_msg": False}, range=[{"type": 1, "userid": "a"}])
    inside = {"parent_id": top, "strategy_name": "门店", "admin_list": ["a"]}
    outside = sandbox.post("customer_strategy/create", **inside, range=[{"type": 1, "userid": "b"}])
    assert outside["errcode"] == 60011
    below = made(sandbox, **inside, range=[{"type": 1, "userid": "A"}], privilege={"send_group_msg": True})
    told = sandbox.post("customer_strategy/get", strategy_id=below)["strategy"]
    assert (told["parent_id"], told["privilege"]["send_group_msg"]) == (top, False)
    add = [{"type": 1, "userid": "b"}]
    assert sandbox.post("customer_strategy/edit", strategy_id=below, range_add=add)["errcode"] == 60011
    assert sandbox.post("customer_strategy/get_range", strategy_id=below)["range"] == [{"type": 1, "userid": "a"}]
    levels = [below]
    for _ in range(3):
        levels.append(made(sandbox, **{**inside, "parent_id": levels[-1]}, range=[{"type": 1, "userid": "a"}]))
    sixth = sandbox.post(
        "customer_strategy/create", **{**inside, "parent_id": levels[-1]}, range=[{"type": 1, "userid": "a"}]
    )
    assert sixth["errcode"] == 40058
    assert sandbox.post("customer_strategy/del", strategy_id=top)["errcode"] == 0
    assert sandbox.post("customer_strategy/list")["strategy"] == []


def test_an_app_sees_its_own_groups_and_changes_its_own_tags(sandbox: Client) -> None:
    mine = made(sandbox)
    tags = sandbox.post("add_strategy_tag", strategy_id=mine, group_name="等级", tag=[{"name": "高"}])["tag_group"]
    sandbox.control("apps", apps=[SECOND])
    other = as_app(sandbox, "second-secret")
    theirs = made(other)
    assert sandbox.post("customer_strategy/list")["strategy"] == [{"strategy_id": mine}]
    assert other.post("customer_strategy/list")["strategy"] == [{"strategy_id": theirs}]
    for call in ("get", "get_range", "edit", "del"):
        assert other.post(f"customer_strategy/{call}", strategy_id=mine)["errcode"] == 40058
    assert other.post("get_strategy_tag_list")["tag_group"] == []
    assert other.post("edit_strategy_tag", id=tags["tag"][0]["id"], name="低")["errcode"] == 60011
    assert other.post("del_strategy_tag", group_id=[tags["group_id"]])["errcode"] == 60011
    assert len(sandbox.post("get_strategy_tag_list")["tag_group"]) == 1


def test_groups_are_changed_one_after_another(sandbox: Client, held: Held) -> None:
    one = made(sandbox)
    slow = {"api": "externalcontact/customer_strategy/edit", "kind": "latency", "seconds": 0.2}
    sandbox.control("faults", faults=[slow])
    with ThreadPoolExecutor(2) as pool:
        edit = partial(sandbox.post, "customer_strategy/edit", strategy_id=one, strategy_name="新")
        calls = as_completed([pool.submit(edit) for _ in range(2)])
        assert next(calls).result()["errcode"] == 45035
        held.let_go()
        assert next(calls).result()["errcode"] == 0


def test_what_a_group_may_be(sandbox: Client) -> None:
    def code(**changes: object) -> int:
        body = {"strategy_name": "华东", "admin_list": ["a"], "range": ALL, **changes}
        return sandbox.post("customer_strategy/create", **body)["errcode"]  # type: ignore[no-any-return]

    assert code() == 0
    assert code(strategy_name="") == code(admin_list=[]) == code(range=[]) == 40063
    assert code(admin_list=["nobody"]) == 40003
    assert code(admin_list=[f"u{n}" for n in range(21)]) == 40058
    assert code(range=[{"type": 1, "userid": "nobody"}]) == 40003
    assert code(range=[{"type": 2, "partyid": 404}]) == 40123
    assert code(range=[{"type": 3}]) == code(range=["a"]) == code(range=ALL * 101) == 40058
    assert code(privilege={"share_customer": "no"}) == 40058
    assert code(parent_id=404) == 40058
    one = made(sandbox)
    assert sandbox.post("customer_strategy/edit", strategy_id=one, range_del=ALL)["errcode"] == 40058
    assert sandbox.post("customer_strategy/get_range", strategy_id=one)["range"] == ALL


@pytest.mark.wecom(
    "externalcontact/get_strategy_tag_list",
    "externalcontact/add_strategy_tag",
    "externalcontact/edit_strategy_tag",
    "externalcontact/del_strategy_tag",
)
def test_tags_of_a_group(sandbox: Client) -> None:
    one, two = made(sandbox), made(sandbox)
    names = [{"name": "高", "order": 2}, {"name": "低", "order": 1}, {"name": "高"}]
    group = sandbox.post("add_strategy_tag", strategy_id=one, group_name="等级", order=5, tag=names)["tag_group"]
    assert (group["group_name"], group["order"], group["create_time"]) == ("等级", 5, NOW)
    assert [(tag["name"], tag["order"]) for tag in group["tag"]] == [("高", 2), ("低", 1)]
    more = sandbox.post("add_strategy_tag", strategy_id=one, group_name="等级", tag=[{"name": "高"}, {"name": "中"}])
    assert more["tag_group"]["group_id"] == group["group_id"]
    assert [tag["name"] for tag in more["tag_group"]["tag"]] == ["中"]
    by_id = sandbox.post("add_strategy_tag", strategy_id=one, group_id=group["group_id"], tag=[{"name": "高"}])
    assert (by_id["errcode"], by_id["tag_group"]["tag"]) == (0, [])
    other = sandbox.post("add_strategy_tag", strategy_id=two, group_name="等级", tag=[{"name": "高"}])["tag_group"]
    assert other["group_id"] != group["group_id"]

    def listed(**body: object) -> dict[str, list[str]]:
        answer = sandbox.post("get_strategy_tag_list", **body)
        assert answer["errcode"] == 0
        return {row["group_id"]: [tag["name"] for tag in row["tag"]] for row in answer["tag_group"]}

    first, second = group["group_id"], other["group_id"]
    assert listed() == {first: ["高", "低", "中"], second: ["高"]}
    assert listed(strategy_id=two) == {second: ["高"]}
    high = group["tag"][0]["id"]
    assert listed(tag_id=[high]) == {first: ["高"]}
    assert listed(tag_id=[high], group_id=[second]) == {second: ["高"]}
    assert sandbox.post("edit_strategy_tag", id=high, name="低")["errcode"] == 40071
    assert sandbox.post("edit_strategy_tag", id=high, name="最高", order=9)["errcode"] == 0
    assert sandbox.post("edit_strategy_tag", id=second, name="级别")["errcode"] == 0
    assert listed(tag_id=[high]) == {first: ["最高"]}
    assert sandbox.post("edit_strategy_tag", id="et-unknown", name="x")["errcode"] == 40068
    assert sandbox.post("del_strategy_tag", tag_id=[high, "et-unknown"])["errcode"] == 40068
    assert sandbox.post("del_strategy_tag", tag_id=[other["tag"][0]["id"], high])["errcode"] == 0
    assert listed() == {first: ["低", "中"]}
    assert sandbox.post("del_strategy_tag", group_id=[first])["errcode"] == 0
    assert listed() == {}
    assert sandbox.post("del_strategy_tag")["errcode"] == 40063


def test_what_a_tag_may_be(sandbox: Client) -> None:
    top = made(sandbox)
    below = made(sandbox, parent_id=top)

    def code(**changes: object) -> int:
        body = {"strategy_id": top, "group_name": "等级", "tag": [{"name": "高"}], **changes}
        return sandbox.post("add_strategy_tag", **body)["errcode"]  # type: ignore[no-any-return]

    assert code() == 0
    assert code(strategy_id=below) == code(strategy_id=404) == 40058
    assert code(tag=[]) == 40063
    assert code(tag=[{"name": ""}]) == code(group_name="") == 40071
    assert code(tag=[{"name": "字" * 31}]) == 40072
    assert code(tag=[{"name": "a", "order": 1 << 32}]) == 40058
    assert code(group_id="et-unknown") == 40068

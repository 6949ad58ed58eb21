"""Corp tags in the sandbox: whose they are, what they may be called, and how they are marked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox.conftest import Client, Held

PAIR = {"userid": "a", "external_userid": "wmc0"}


def named(sandbox: Client, **asked: object) -> dict[str, list[str]]:
    """The names of tags by their group's."""
    groups = sandbox.post("get_corp_tag_list", **asked)["tag_group"]
    return {group["group_name"]: [tag["name"] for tag in group["tag"]] for group in groups}


@pytest.mark.wecom("externalcontact/get_corp_tag_list", "externalcontact/add_corp_tag")
def test_tags_are_added_once_to_a_new_group_or_one_of_that_name(sandbox: Client) -> None:
    assert sandbox.post("get_corp_tag_list")["tag_group"] == []
    made = sandbox.post("add_corp_tag", group_name="等级", order=2, tag=[{"name": "金"}, {"name": "银", "order": 9},
                                                                        {"name": "金"}])["tag_group"]  # fmt: skip
    assert [tag["name"] for tag in made["tag"]] == ["银", "金"]
    assert made["group_id"].startswith("et")
    more = sandbox.post("add_corp_tag", group_name="等级", tag=[{"name": "铜"}])["tag_group"]
    assert (more["group_id"], [tag["name"] for tag in more["tag"]]) == (made["group_id"], ["铜"])
    sandbox.post("add_corp_tag", group_name="来源", tag=[{"name": "金"}])
    assert named(sandbox) == {"等级": ["银", "金", "铜"], "来源": ["金"]}
    one = made["tag"][0]["id"]
    assert named(sandbox, tag_id=[one]) == {"等级": ["银"]}
    assert named(sandbox, tag_id=[one], group_id=[made["group_id"]])["等级"] == ["银", "金", "铜"]  # the group wins
    wrong: list[tuple[dict[str, object], int]] = [
        ({"group_name": "等级", "tag": [{"name": "金"}]}, 40071),
        ({"group_name": "等级", "tag": []}, 40063),
        ({"group_name": "空"}, 40063),
        ({"tag": [{"name": "无组"}]}, 40063),
        ({"group_id": "et-none", "tag": [{"name": "无组"}]}, 40068),
        ({"group_name": "长" * 31, "tag": [{"name": "好"}]}, 40072),
        ({"group_name": "好", "tag": [{"name": "长" * 31}]}, 40072),
        ({"group_name": "好", "tag": [{"name": "大", "order": 1 << 32}]}, 40058),
    ]
    for body, code in wrong:
        assert sandbox.post("add_corp_tag", **body)["errcode"] == code, body


@pytest.mark.wecom("externalcontact/edit_corp_tag", "externalcontact/del_corp_tag")
def test_only_own_tags_are_changed_and_the_last_one_takes_its_group_along(sandbox: Client) -> None:
    made = sandbox.post("add_corp_tag", group_name="等级", tag=[{"name": "金"}, {"name": "银"}])["tag_group"]
    gold, silver = (tag["id"] for tag in made["tag"])
    admin = sandbox.control("tags", act="create", group="总部", tags=["黑名单"])["tags"]["黑名单"]
    assert sandbox.post("edit_corp_tag", id=gold, name="银")["errcode"] == 40071
    assert sandbox.post("edit_corp_tag", id=made["group_id"], name="总部")["errcode"] == 40071
    assert sandbox.post("edit_corp_tag", id=gold, name="铂金", order=5)["errcode"] == 0
    assert sandbox.post("edit_corp_tag", id=made["group_id"], name="会员等级")["errcode"] == 0
    assert named(sandbox)["会员等级"] == ["铂金", "银"]
    assert sandbox.post("edit_corp_tag", id=admin, name="白名单")["errcode"] == 48002
    assert sandbox.post("del_corp_tag", tag_id=[admin])["errcode"] == 48002
    assert sandbox.post("edit_corp_tag", id="et-none", name="无")["errcode"] == 40068
    assert sandbox.post("del_corp_tag")["errcode"] == 40063
    assert sandbox.post("del_corp_tag", tag_id=[made["group_id"]])["errcode"] == 40068
    sandbox.post("mark_tag", **PAIR, add_tag=[gold, silver])
    assert sandbox.post("del_corp_tag", tag_id=[gold])["errcode"] == 0
    (follow,) = sandbox.get("externalcontact/get", external_userid="wmc0")["follow_user"]
    assert [tag["tag_name"] for tag in follow["tags"]] == ["银"]
    assert sandbox.post("del_corp_tag", tag_id=[silver])["errcode"] == 0
    assert named(sandbox) == {"总部": ["黑名单"]}
    other = sandbox.post("add_corp_tag", group_name="临时", tag=[{"name": "一"}, {"name": "二"}])["tag_group"]
    assert sandbox.post("del_corp_tag", group_id=[other["group_id"]])["errcode"] == 0
    assert "临时" not in named(sandbox)


@pytest.mark.wecom("externalcontact/mark_tag", "externalcontact/get", "externalcontact/batch/get_by_user")
def test_marks_are_shown_in_both_forms_and_checked_in_order(sandbox: Client) -> None:
    tags = sandbox.control("tags", act="create", group="等级", tags=["金", "银"])["tags"]
    mine = {"add_tag": [tags["金"], tags["银"]]}
    assert sandbox.post("mark_tag", external_userid="wmc0", **mine)["errcode"] == 41009
    assert sandbox.post("mark_tag", userid="a", **mine)["errcode"] == 41035
    assert sandbox.post("mark_tag", userid="a", external_userid="wmx", **mine)["errcode"] == 40096
    assert sandbox.post("mark_tag", userid="b", external_userid="wmc0", **mine)["errcode"] == 84061
    assert sandbox.post("mark_tag", **PAIR)["errcode"] == 40063
    assert sandbox.post("mark_tag", **PAIR, add_tag=["et-none"])["errcode"] == 40068
    assert sandbox.post("mark_tag", **PAIR, **mine)["errcode"] == 0
    assert sandbox.post("mark_tag", userid="A", external_userid="wmc0", remove_tag=[tags["银"]])["errcode"] == 0
    sandbox.control("edit", userid="a", external_userid="wmc0", personal=["爱喝茶"])
    (follow,) = sandbox.get("externalcontact/get", external_userid="wmc0")["follow_user"]
    assert follow["tags"] == [
        {"group_name": "等级", "tag_name": "金", "tag_id": tags["金"], "type": 1},
        {"group_name": "", "tag_name": "爱喝茶", "type": 2},
    ]
    listed = sandbox.post("batch/get_by_user", userid_list=["a"])["external_contact_list"]
    assert [row["follow_info"]["tag_id"] for row in listed] == [[tags["金"]], [], [], []]
    assert sandbox.post("mark_tag", **PAIR, add_tag=[f"et{n}" for n in range(3001)])["errcode"] == 40058


@pytest.mark.wecom("externalcontact/mark_tag")
def test_two_marks_of_one_relation_at_once_are_refused(sandbox: Client, held: Held) -> None:
    gold = sandbox.control("tags", act="create", group="等级", tags=["金"])["tags"]["金"]
    slow = [{"api": "externalcontact/mark_tag", "kind": "latency", "seconds": 0.1}]
    sandbox.control("faults", faults=slow)

    def mark(who: str, whom: str) -> int:
        return sandbox.post("mark_tag", userid=who, external_userid=whom, add_tag=[gold])["errcode"]  # type: ignore[no-any-return]

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(mark, "a", whom) for whom in ("wmc0", "wmc1")]
        assert held.met(2)
        assert mark("A", "wmc0") == 45035
        held.let_go()
        assert [one.result() for one in asked] == [0, 0]


def test_what_an_admin_does_is_told_and_what_calls_do_is_not(sandbox: Client) -> None:
    made = sandbox.control("tags", act="create", group="等级", tags=["金", "银"])
    before = sandbox.control("callbacks")["waiting"]
    assert before == 3  # the group, and each tag
    sandbox.control("tags", act="rename", id=made["tags"]["金"], name="铂金")
    sandbox.control("tags", act="delete", id=made["group"])  # of its tags nothing is told
    assert sandbox.control("callbacks")["waiting"] == before + 2
    assert named(sandbox) == {}
    other = sandbox.post("add_corp_tag", group_name="自己的", tag=[{"name": "新"}])["tag_group"]["tag"][0]["id"]
    sandbox.post("mark_tag", **PAIR, add_tag=[other])
    assert sandbox.control("callbacks")["waiting"] == before + 2
    for body in ({"act": "rename", "id": "none"}, {"act": "create", "group": "空"}, {"act": "fly", "id": other}):
        assert sandbox.http.post("/control/tags", json=body).status_code == 400

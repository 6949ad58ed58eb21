"""Customers in the sandbox: remarks, doors, ids, half friends, members without a licence, and what is called back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.conftest import DAY, START, Client, small_world
from yutang.sandbox.contracts import Relation

REMARK = {"userid": "a", "external_userid": "wmc0"}


@pytest.mark.wecom("externalcontact/remark", "externalcontact/get")
def test_a_remark_overwrites_what_it_names_and_is_shown_by_both_reads(sandbox: Client) -> None:
    long = {"remark": "长" * 21, "description": "长" * 151, "remark_company": "长" * 21, "remark_mobiles": [1]}
    assert sandbox.post("remark", **REMARK)["errcode"] == 40063
    for name, value in long.items():
        assert sandbox.post("remark", **REMARK, **{name: value})["errcode"] == 40058
    assert sandbox.post("remark", userid="b", external_userid="wmc0", remark="她")["errcode"] == 84061
    assert sandbox.post("remark", userid="a", external_userid="wmx", remark="她")["errcode"] == 40096
    assert sandbox.post("remark", userid="nobody", external_userid="wmc0", remark="她")["errcode"] == 40003
    said = {"remark": "王姐", "description": "爱喝茶", "remark_company": "茶行", "remark_mobiles": ["13800000001"]}
    assert sandbox.post("remark", **REMARK, **said)["errcode"] == 0
    assert sandbox.post("remark", **REMARK, remark_mobiles=["13800000001", "13800000002"])["errcode"] == 0
    (follow,) = sandbox.get("externalcontact/get", external_userid="wmc0")["follow_user"]
    assert (follow["remark"], follow["description"], follow["remark_corp_name"]) == ("王姐", "爱喝茶", "茶行")
    assert follow["remark_mobiles"] == ["13800000001", "13800000002"]
    sandbox.post("remark", **REMARK, remark_mobiles=[""])
    batch = sandbox.post("batch/get_by_user", userid_list=["a"])["external_contact_list"][0]["follow_info"]
    assert (batch["remark"], batch["remark_mobiles"]) == ("王姐", [])


@pytest.mark.wecom("externalcontact/get", "externalcontact/batch/get_by_user")
def test_customers_come_by_doors_and_are_of_two_kinds(sandbox: Client) -> None:
    sandbox.control("befriend", userid="idle", external_userid="wo1", name="王总", type=2, corp_name="某某", add_way=3)
    sandbox.control("befriend", userid="idle", external_userid="wm1", unionid="oz1", state="yt7", gender=2)
    sandbox.control("befriend", userid="idle", external_userid="wm2", half=True)
    rows = sandbox.post("batch/get_by_user", userid_list=["idle"])["external_contact_list"]
    assert [row["external_contact"]["external_userid"] for row in rows] == ["wm1", "wo1"]
    one, other = rows
    assert (one["external_contact"]["unionid"], one["follow_info"]["state"]) == ("oz1", "yt7")
    assert one["external_contact"]["gender"] == 2
    assert (other["external_contact"]["corp_name"], other["follow_info"]["add_way"]) == ("某某", 3)
    assert "unionid" not in other["external_contact"]
    assert "external_profile" in sandbox.get("externalcontact/get", external_userid="wo1")["external_contact"]
    assert sandbox.get("externalcontact/get", external_userid="wm2")["errcode"] == 84061  # half added
    assert sandbox.post("remark", userid="idle", external_userid="wo1", remark_company="茶行")["errcode"] == 40058


@pytest.mark.wecom("externalcontact/get", "externalcontact/list")
def test_a_customer_who_left_stays_visible_and_one_whom_the_member_deleted_does_not(sandbox: Client) -> None:
    sandbox.control("leave", userid="a", external_userid="wmc0", by="customer")
    assert sandbox.get("externalcontact/get", external_userid="wmc0")["errcode"] == 0
    sandbox.control("edit", userid="a", external_userid="wmc1", remark="旧备注")
    sandbox.control("leave", userid="a", external_userid="wmc1", by="member")
    assert sandbox.get("externalcontact/get", external_userid="wmc1")["errcode"] == 84061
    assert "wmc1" not in sandbox.get("externalcontact/list", userid="a")["external_userid"]
    sandbox.control("befriend", userid="a", external_userid="wmc1")
    (again,) = sandbox.get("externalcontact/get", external_userid="wmc1")["follow_user"]
    assert again["remark"] != "旧备注"


@pytest.mark.wecom("externalcontact/batch/get_by_user")
def test_members_without_a_licence_are_named_and_all_of_them_refused(sandbox: Client) -> None:
    sandbox.control("licences", unlicensed=["b"])
    answer = sandbox.post("batch/get_by_user", userid_list=["a", "b"])
    assert {row["follow_info"]["userid"] for row in answer["external_contact_list"]} == {"a"}
    assert answer["fail_info"] == {"unlicensed_userid_list": ["b"]}
    assert sandbox.post("batch/get_by_user", userid_list=["b"])["errcode"] == 701008


@pytest.mark.wecom("externalcontact/batch/get_by_user")
def test_members_far_apart_are_paged_in_their_order(open_sandbox: Callable[..., Client]) -> None:
    world = small_world(
        relations=[Relation(who, f"wmc{n}", START - DAY) for who in ("a", "b", "idle") for n in range(4)]
    )
    sandbox = open_sandbox(world)
    seen, cursor = [], ""
    while True:
        answer = sandbox.post("batch/get_by_user", userid_list=["IDLE", "a"], limit=3, cursor=cursor)
        seen += [
            (row["follow_info"]["userid"], row["external_contact"]["external_userid"])
            for row in answer["external_contact_list"]
        ]
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert seen == [(who, f"wmc{n}") for who in ("a", "idle") for n in range(4)]


@pytest.mark.wecom(
    "externalcontact/contact_list",
    "externalcontact/convert_to_openid",
    "externalcontact/unionid_to_external_userid",
)
def test_ids_are_turned_into_one_another(sandbox: Client) -> None:
    sandbox.control("befriend", userid="idle", external_userid="wo1", type=2)
    sandbox.control("befriend", userid="idle", external_userid="wm1", unionid="oz1")
    served, cursor = [], ""
    while True:
        answer = sandbox.post("contact_list", limit=4, cursor=cursor)
        served += [(row["external_userid"], row["follow_userid"]) for row in answer["info_list"]]
        cursor = answer.get("next_cursor", "")
        if not cursor:
            break
    assert len(served) == len(set(served)) == 7
    openid = sandbox.post("convert_to_openid", external_userid="wm1")["openid"]
    assert sandbox.post("convert_to_openid", external_userid="wo1")["errcode"] == 41056
    assert sandbox.post("convert_to_openid", external_userid="wmd")["errcode"] == 84061
    assert sandbox.post("unionid_to_external_userid", unionid="oz1", openid=openid)["external_userid"] == "wm1"
    assert sandbox.post("unionid_to_external_userid", unionid="oz1", openid="another")["errcode"] == 610018
    assert sandbox.post("unionid_to_external_userid", unionid="oz2")["errcode"] == 610014
    assert sandbox.post("unionid_to_external_userid")["errcode"] == 40058

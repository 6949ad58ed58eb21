"""The sandbox's directory: departments, members, whose browser it is; and tickets of the JS-SDK."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.conftest import Client, small_world
from yutang.kernel.errors import BadInput
from yutang.sandbox.contracts import Department, Member, Spec, checked

EAST, SHANGHAI, NORTH = Department(2, "华东"), Department(3, "上海店", 2, 10), Department(4, "华北", order=5)


def staffed(**changes: Any) -> Spec:
    """a leads the Shanghai store, b is there and in the north, c in the north, not activated; idle is at the root."""
    members = (
        Member("a", "导购 01", departments=(3,), leads=(3,), mobile="13800000001", email="a@example.com", gender=2),
        Member("B", "导购 02", departments=(4, 3), direct_leader="a"),
        Member("c", "导购 03", departments=(4,), status=4, mobile="13800000003"),
        Member("idle", "导购 04"),
    )
    spec = small_world(members=members, departments=(EAST, SHANGHAI, NORTH), sync_secret="contacts")
    return replace(spec, **changes)


def people(answer: dict) -> list[str]:
    return [row["userid"] for row in answer["userlist"]]


@pytest.fixture
def corp(open_sandbox: Callable[..., Client]) -> Client:
    return open_sandbox(staffed())


@pytest.mark.wecom("department/list", "department/simplelist", "department/get")
def test_departments_are_a_tree_below_the_root(corp: Client) -> None:
    rows = corp.get("department/list")["department"]
    assert [(row["id"], row["parentid"], row["name"]) for row in rows] == [
        (3, 2, "上海店"),
        (4, 1, "华北"),
        (1, 0, "ww-sandbox"),
        (2, 1, "华东"),
    ]
    assert rows[0]["department_leader"] == ["a"]
    assert [row["id"] for row in corp.get("department/list", id=2)["department"]] == [3, 2]
    assert corp.get("department/simplelist", id=2)["department_id"] == [
        {"id": 3, "parentid": 2, "order": 10},
        {"id": 2, "parentid": 1, "order": 0},
    ]
    assert corp.get("department/get", id=4)["department"]["name"] == "华北"
    assert corp.get("department/get", id=9)["errcode"] == 60003
    assert corp.get("department/get")["errcode"] == 40123
    assert corp.get("department/list", id="x")["errcode"] == 40058


@pytest.mark.wecom("user/list", "user/simplelist", "user/get")
def test_members_are_listed_by_department_and_what_is_personal_is_for_old_apps(
    corp: Client, open_sandbox: Callable[..., Client]
) -> None:
    assert people(corp.get("user/list", department_id=2)) == []
    assert people(corp.get("user/list", department_id=2, fetch_child=1)) == ["a", "B"]
    assert people(corp.get("user/simplelist", department_id=1)) == ["idle"]
    assert corp.get("user/simplelist", department_id=3)["userlist"][1] == {
        "userid": "B",
        "name": "导购 02",
        "department": [4, 3],
    }
    one = corp.get("user/get", userid="b")
    assert (one["userid"], one["main_department"], one["status"], one["direct_leader"]) == ("B", 4, 1, ["a"])
    assert one["is_leader_in_dept"] == [0, 0]
    assert corp.get("user/get", userid="a")["is_leader_in_dept"] == [1]
    assert corp.get("user/get", userid="c")["status"] == 4
    assert "mobile" not in corp.get("user/get", userid="a")
    assert corp.get("user/get", userid="nobody")["errcode"] == 60111
    assert corp.get("user/get")["errcode"] == 41009
    assert corp.get("user/list")["errcode"] == 40123
    old = open_sandbox(staffed(old_app=True), name="old").get("user/get", userid="a")
    assert (old["mobile"], old["email"], old["gender"]) == ("13800000001", "a@example.com", "2")


@pytest.mark.wecom("user/list_id", "department/simplelist")
def test_only_the_contact_sync_secret_lists_ids_and_it_reads_nothing_else(corp: Client) -> None:
    assert corp.call("user/list_id")["errcode"] == 48002
    app, corp.token = corp.token, corp.get("gettoken", corpid="ww-sandbox", corpsecret="contacts")["access_token"]
    found, cursor = [], ""
    while True:
        answer = corp.call("user/list_id", limit=2, **({"cursor": cursor} if cursor else {}))
        found += [(row["userid"], row["department"]) for row in answer["dept_user"]]
        cursor = answer.get("next_cursor", "")
        if not cursor:
            break
    assert found == [("a", 3), ("B", 3), ("B", 4), ("c", 4), ("idle", 1)]
    assert [row["id"] for row in corp.get("department/simplelist")["department_id"]] == [3, 4, 1, 2]
    assert corp.get("user/get", userid="a")["errcode"] == 48009
    assert corp.get("department/list")["errcode"] == 48009
    assert corp.get("externalcontact/get_follow_user_list")["errcode"] == 48002
    assert corp.get("gettoken", corpid="ww-sandbox", corpsecret="synthetic")["access_token"] == app


def test_what_is_outside_of_the_apps_range_is_not_there(open_sandbox: Callable[..., Client]) -> None:
    corp = open_sandbox(staffed(visible_departments=(4,)))
    assert [row["id"] for row in corp.get("department/list")["department"]] == [4]
    assert corp.get("department/get", id=3)["errcode"] == 60011
    assert corp.get("user/get", userid="a")["errcode"] == 60111
    assert corp.get("user/get", userid="B")["errcode"] == 0
    code = corp.control("oauth", userid="a")["code"]
    assert corp.get("auth/getuserinfo", code=code)["errcode"] == 50002


@pytest.mark.wecom("user/getuserid", "user/convert_to_openid")
def test_a_telephone_finds_an_active_member_and_wrong_guesses_shut_the_door(
    corp: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yutang.sandbox.directory.GUESSES", 2)
    assert corp.call("user/getuserid", mobile="13800000001")["userid"] == "a"
    assert corp.call("user/getuserid", mobile="13800000003")["errcode"] == 46004
    assert corp.call("user/getuserid", mobile="13900000000")["errcode"] == 46004
    assert corp.call("user/getuserid", mobile="13800000001")["errcode"] == 45009
    first = corp.call("user/convert_to_openid", userid="A")["openid"]
    assert first == corp.call("user/convert_to_openid", userid="a")["openid"]
    assert first.startswith("o")
    assert corp.call("user/convert_to_openid", userid="nobody")["errcode"] == 60111


@pytest.mark.wecom("auth/getuserinfo", "auth/getuserdetail")
def test_a_code_tells_whose_browser_it_is_once_for_five_minutes(corp: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    code = corp.control("oauth", userid="A")["code"]
    assert corp.get("auth/getuserinfo", code=code) == {"errcode": 0, "errmsg": "ok", "userid": "a"}
    assert corp.get("auth/getuserinfo", code=code)["errcode"] == 40029
    assert corp.get("auth/getuserinfo", code="junk")["errcode"] == 40029
    agreed = corp.get("auth/getuserinfo", code=corp.control("oauth", userid="a", private=True)["code"])
    detail = corp.call("auth/getuserdetail", user_ticket=agreed["user_ticket"])
    assert (detail["userid"], detail["mobile"], detail["gender"]) == ("a", "13800000001", "2")
    assert corp.call("auth/getuserdetail", user_ticket="junk")["errcode"] == 40058
    outside = corp.get("auth/getuserinfo", code=corp.control("oauth", external_userid="wmc1")["code"])
    assert (outside["external_userid"], "userid" in outside) == ("wmc1", False)
    assert set(corp.get("auth/getuserinfo", code=corp.control("oauth")["code"])) == {"errcode", "errmsg", "openid"}
    monkeypatch.setattr("yutang.sandbox.directory.CODE_SECONDS", -1.0)
    assert corp.get("auth/getuserinfo", code=corp.control("oauth", userid="a")["code"])["errcode"] == 42003


def test_what_an_administrator_does_shows_and_is_told(open_sandbox: Callable[..., Client]) -> None:
    corp = open_sandbox(staffed())
    corp.control("staff", userid="c", status=1)
    corp.control("staff", userid="a", departments=[4])
    corp.control("staff", userid="New", name="新人", departments=[3])
    corp.control("staff", userid="b", deleted=True)
    assert people(corp.get("user/list", department_id=1, fetch_child=1)) == ["a", "c", "idle", "New"]
    assert corp.get("user/get", userid="c")["status"] == 1
    corp.control("departments", id=9, name="杭州店", parentid=2)
    corp.control("departments", id=9, name="杭州一店")
    assert corp.get("department/get", id=9)["department"]["name"] == "杭州一店"
    corp.control("departments", id=9, deleted=True)
    assert corp.get("department/get", id=9)["errcode"] == 60003
    assert (
        corp.http.post("/control/departments", json={"id": 4, "deleted": True}).status_code == 400
    )  # people are in it
    told = corp.control("callbacks")["waiting"]
    assert told == 7
    corp.control("staff", userid="b", name="回来了")
    assert corp.get("user/get", userid="b")["name"] == "回来了"


@pytest.mark.wecom("get_jsapi_ticket", "ticket/get", "getcallbackip", "gettoken")
def test_tickets_stay_the_same_while_they_last_and_are_rationed(
    sandbox: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    corp, app = sandbox.get("get_jsapi_ticket"), sandbox.get("ticket/get", type="agent_config")
    assert corp["ticket"] == sandbox.get("get_jsapi_ticket")["ticket"] != app["ticket"]
    assert 7100 < app["expires_in"] <= 7200
    assert sandbox.get("ticket/get", type="other")["errcode"] == 40058
    assert "127.0.0.1" in sandbox.get("getcallbackip")["ip_list"]
    monkeypatch.setattr("yutang.sandbox.tokens.APP_TICKETS", 2)
    assert sandbox.get("get_jsapi_ticket")["errcode"] == 45009


def test_a_directory_that_is_no_tree_is_not_seeded() -> None:
    for spec in (
        small_world(departments=(Department(2, "x", 3), Department(3, "y", 2))),
        small_world(departments=(Department(2, "x"), Department(2, "y"))),
        small_world(members=(Member("a", "x", departments=(7,)), Member("b", "y"), Member("idle", "z"))),
        small_world(members=(Member("a", "x", status=3), Member("b", "y"), Member("idle", "z"))),
    ):
        with pytest.raises(BadInput):
            checked(spec)


def test_a_world_from_before_the_directory_has_everybody_at_the_root(
    open_sandbox: Callable[..., Client], tmp_path: Path
) -> None:
    corp = open_sandbox(small_world())
    with sqlite3.connect(tmp_path / "sandbox" / "sandbox.sqlite3") as con:
        con.execute("DELETE FROM profiles")
        con.execute("DELETE FROM placements")
    assert people(corp.get("user/list", department_id=1)) == ["a", "b", "idle"]
    assert corp.get("user/get", userid="a")["status"] == 1

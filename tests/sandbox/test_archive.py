"""The session archive: whose chats are kept, and what customers said of it."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import DAY, START, Client
from tests.sandbox.test_apps import as_app

NOW = int(START.timestamp())


def audit(client: Client, call: str, /, **body: object) -> dict:
    return client.http.post(f"/cgi-bin/msgaudit/{call}", params={"access_token": client.token}, json=body).json()


def status(client: Client, *pairs: tuple[str, str]) -> list[str]:
    info = [{"userid": userid, "exteranalopenid": external} for userid, external in pairs]
    answer = audit(client, "check_single_agree", info=info)
    assert answer["errcode"] == 0, answer
    return [row["agree_status"] for row in answer["agreeinfo"]]


@pytest.mark.wecom("msgaudit/get_permit_user_list", "msgaudit/check_single_agree")
def test_customers_agree_by_going_on_unless_they_say_something(sandbox: Client) -> None:
    assert audit(sandbox, "get_permit_user_list")["errcode"] == 301053
    assert audit(sandbox, "check_single_agree", info=[])["agreeinfo"] == []
    sandbox.control("archive", members={"a": 2, "b": 1})
    assert audit(sandbox, "get_permit_user_list")["ids"] == ["a", "b"]
    assert audit(sandbox, "get_permit_user_list", type=1)["ids"] == ["b"]
    assert audit(sandbox, "get_permit_user_list", type=4)["errcode"] == 40058
    answers = [{"userid": "a", "external_userid": f"wmc{n}", "agrees": n == 1} for n in (1, 2)]
    sandbox.control("archive", answers=answers)
    assert status(sandbox, ("A", "wmc0"), ("a", "wmc1"), ("a", "wmc2")) == ["Default_Agree", "Agree", "Disagree"]
    info = [{"userid": "a", "exteranalopenid": "wmc1"}]
    (row,) = audit(sandbox, "check_single_agree", info=info)["agreeinfo"]
    assert row == {"status_change_time": NOW, "userid": "a", "exteranalopenid": "wmc1", "agree_status": "Agree"}
    assert audit(sandbox, "check_single_agree", info=info * 101)["errcode"] == 301060
    assert audit(sandbox, "check_single_agree", info=[])["errcode"] == 40063
    assert audit(sandbox, "check_single_agree", info=[{"userid": "a", "exteranalopenid": "wmd"}])["errcode"] == 84061
    misspelt_rightly = [{"userid": "a", "externalopenid": "wmc1"}]
    assert audit(sandbox, "check_single_agree", info=misspelt_rightly)["errcode"] == 41035


@pytest.mark.wecom("msgaudit/check_room_agree", "msgaudit/groupchat/get")
def test_rooms(sandbox: Client) -> None:
    sandbox.control("archive", members={"a": 2}, room={"roomid": "wr1", "answers": {"wmc0": True, "wmc1": None}})
    told = audit(sandbox, "check_room_agree", roomid="wr1")["agreeinfo"]
    assert [(row["exteranalopenid"], row["agree_status"]) for row in told] == [
        ("wmc0", "Agree"),
        ("wmc1", "Default_Agree"),
    ]
    assert audit(sandbox, "check_room_agree", roomid="wr2")["errcode"] == 40058
    sandbox.control("archive", room={"roomid": "wr9", "name": "门店群", "members": ["a", "b"]})
    room = audit(sandbox, "groupchat/get", roomid="wr9")
    assert (room["roomname"], room["creator"], room["room_create_time"], room["notice"]) == ("门店群", "a", NOW, "")
    assert [one["memberid"] for one in room["members"]] == ["a", "b"]
    assert audit(sandbox, "groupchat/get", roomid="wr1")["errcode"] == 301059
    assert audit(sandbox, "groupchat/get")["errcode"] == 40063


def test_the_archive_takes_its_own_secret_alone(sandbox: Client) -> None:
    sandbox.control("archive", members={"a": 2})
    assert audit(sandbox, "get_permit_user_list")["ids"] == ["a"]
    sandbox.control("apps", apps=[{"agentid": 2000004, "name": "会话存档", "secret": "archive-secret"}])
    assert audit(sandbox, "get_permit_user_list")["errcode"] == 48002
    assert audit(as_app(sandbox, "archive-secret"), "get_permit_user_list")["ids"] == ["a"]


def test_what_is_said_is_archived_for_five_days_unless_the_customer_disagreed(sandbox: Client) -> None:
    sandbox.control("archive", members={"a": 2}, answers=[{"userid": "a", "external_userid": "wmc1", "agrees": False}])
    kept = sandbox.control("archive", say={"userid": "a", "external_userid": "wmc0", "text": "您好"})["msgid"]
    for userid, external in (("a", "wmc1"), ("b", "wmc2")):
        silent = sandbox.control("archive", say={"userid": userid, "external_userid": external, "text": "您好"})
        assert silent["msgid"] == ""
    (row,) = sandbox.http.get("/control/archive", params={"seq": 0}).json()["said"]
    assert (row["msgid"], row["body"]["from"], row["body"]["tolist"]) == (kept, "a", ["wmc0"])
    assert kept.endswith("_external")
    assert sandbox.control("callbacks")["waiting"] == 1
    sandbox.advance(START + 6 * DAY)
    assert sandbox.http.get("/control/archive", params={"seq": 0}).json()["said"] == []

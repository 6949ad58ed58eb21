"""The walls of a whole corp: who is a contact counts once, and at the wall nobody new gets in, by whatever door."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import Client

SOLE = {"type": 1, "scene": 2, "user": ["a"]}


def test_at_the_wall_nobody_new_becomes_a_contact(sandbox: Client) -> None:
    there = int(str(sandbox.control("walls")["there"]))
    way = sandbox.post("add_contact_way", **SOLE, state="poster")["config_id"]
    sandbox.control("groups", do="rules", detail_lag=0)
    chat = sandbox.control("groups", do="create", owner="a", name="群")["chat_id"]
    sandbox.control("walls", contacts=there + 2)
    sandbox.control("scan", way=way, external_userid="wm-new-1")
    sandbox.control("groups", do="invite", chat_id=chat, members=["wm-new-2"])
    assert sandbox.control("walls")["there"] == there + 2
    for door, body in (
        ("scan", {"way": way, "external_userid": "wm-new-3"}),
        ("befriend", {"userid": "a", "external_userid": "wm-new-3"}),
        ("groups", {"do": "invite", "chat_id": chat, "members": ["wm-new-3"]}),
    ):
        refused = sandbox.http.post(f"/control/{door}", json=body)
        assert refused.status_code == 400, door
        assert "contact count limit" in refused.json()["en"], door
    sandbox.control("scan", way=way, external_userid="wm-new-2")  # who is a contact already may be everybody's friend
    assert sandbox.control("walls")["there"] == there + 2
    sandbox.control("groups", do="leave", chat_id=chat, members=["wm-new-2"])
    sandbox.control("leave", userid="a", external_userid="wm-new-2", by="customer")
    assert sandbox.control("walls")["there"] == there + 2  # who deleted the member is still shown, and counts
    sandbox.control("leave", userid="a", external_userid="wm-new-2", by="member")
    assert sandbox.control("walls")["there"] == there + 1
    assert sandbox.http.post("/control/walls", json={"contacts": -1}).status_code == 400


@pytest.mark.wecom("externalcontact/add_contact_way", "externalcontact/groupchat/add_join_way")
def test_contact_ways_and_join_ways_share_one_wall(sandbox: Client) -> None:
    chat = sandbox.control("groups", do="create", owner="a", name="群")["chat_id"]
    sandbox.control("walls", configs=2)
    assert sandbox.post("groupchat/add_join_way", scene=2, chat_id_list=[chat])["errcode"] == 0
    made = sandbox.post("add_contact_way", **SOLE)["config_id"]
    assert sandbox.post("add_contact_way", **SOLE)["errcode"] == 41045
    assert sandbox.post("groupchat/add_join_way", scene=2, chat_id_list=[chat])["errcode"] == 41045
    assert sandbox.post("del_contact_way", config_id=made)["errcode"] == 0
    assert sandbox.post("add_contact_way", **SOLE)["errcode"] == 0

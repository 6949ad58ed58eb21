"""wechatpy's client, at customer groups and at messages to them."""

from __future__ import annotations

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.independent.test_messages import a_file
from tests.sandbox.conftest import DAY, START, Client

OF = "externalcontact/groupchat/"


@pytest.fixture
def chat(sandbox: Client) -> str:
    """A group of a's, in which c0 is."""
    sandbox.control("groups", do="rules", detail_lag=0)
    made = sandbox.control("groups", do="create", owner="a", name="销售客服群", members=["wmc0"])
    return made["chat_id"]


@pytest.mark.wecom(
    "externalcontact/groupchat/list", "externalcontact/groupchat/get", "externalcontact/groupchat/statistic"
)
def test_it_reads_groups(sandbox: Client, theirs: WeChatClient, chat: str) -> None:
    for number in range(7):
        sandbox.control("groups", do="create", owner="b", name=f"群 {number}")
    assert len(theirs.external_contact_group_chat.list_all(limit=3)) == 8  # over short pages
    assert theirs.external_contact_group_chat.list(owner_userid_list=["a"])["group_chat_list"] == [
        {"chat_id": chat, "status": 0}
    ]
    assert theirs.external_contact.get_group_chat_list(10)["errcode"] == 0
    found = theirs.external_contact_group_chat.get(chat)["group_chat"]
    assert [one["userid"] for one in found["member_list"]] == ["a", "wmc0"]
    sandbox.advance(START + DAY)
    told = theirs.external_contact_group_chat.statistic(int(START.timestamp()), owner_userid_list=["a"])
    assert told["items"][0]["data"]["member_total"] == 2
    with pytest.raises(WeChatClientException, match="90501"):
        theirs.external_contact.get_group_chat_info("wr-none")


@pytest.mark.wecom(
    "externalcontact/opengid_to_chatid",
    "externalcontact/groupchat/statistic_group_by_day",
    "externalcontact/groupchat/add_join_way",
    "externalcontact/groupchat/get_join_way",
    "externalcontact/groupchat/update_join_way",
    "externalcontact/groupchat/del_join_way",
    "externalcontact/groupchat/transfer",
    "externalcontact/groupchat/onjob_transfer",
    raw=True,
)
def test_its_transport_carries_the_documents_own_bodies(sandbox: Client, theirs: WeChatClient, chat: str) -> None:
    opengid = sandbox.control("groups", do="create", owner="a", name="x", chat_id=chat)["opengid"]
    assert theirs.post("externalcontact/opengid_to_chatid", json={"opengid": opengid})["chat_id"] == chat
    way = {
        "scene": 2,
        "remark": "aa_remark",
        "auto_create_room": 1,
        "room_base_name": "销售客服群",
        "room_base_id": 10,
        "chat_id_list": [chat],
        "state": "klsdup3kj3s1",
        "mark_source": True,
    }
    config = theirs.post(f"{OF}add_join_way", json=way)["config_id"]
    found = theirs.post(f"{OF}get_join_way", json={"config_id": config})["join_way"]
    assert {**found, "qr_code": ""} == {**way, "config_id": config, "qr_code": ""}
    assert theirs.post(f"{OF}update_join_way", json={**way, "config_id": config, "scene": 1})["errcode"] == 0
    assert theirs.post(f"{OF}del_join_way", json={"config_id": config})["errcode"] == 0
    on_job = theirs.post(f"{OF}onjob_transfer", json={"chat_id_list": [chat], "new_owner": "b"})
    assert on_job["failed_chat_list"] == []
    resigned = theirs.post(f"{OF}transfer", json={"chat_id_list": [chat], "new_owner": "a"})["failed_chat_list"]
    assert [(one["errcode"], one["errmsg"]) for one in resigned] == [(90500, "the owner of this chat is not resigned")]
    sandbox.advance(START + DAY)
    day = int(START.timestamp())
    asked = {"day_begin_time": day, "day_end_time": day, "owner_filter": {"userid_list": ["b"]}}
    assert theirs.post(f"{OF}statistic_group_by_day", json=asked)["items"][0]["data"]["chat_total"] == 1


@pytest.mark.wecom(
    "externalcontact/group_welcome_template/add",
    "externalcontact/group_welcome_template/edit",
    "externalcontact/group_welcome_template/get",
    "externalcontact/group_welcome_template/del",
)
def test_welcomes_for_groups(theirs: WeChatClient) -> None:
    paper = theirs.media.upload("file", a_file(b"some words", "新人手册.txt"))["media_id"]
    body = {"text": {"content": "亲爱的%NICKNAME%用户，你好"}, "file": {"media_id": paper}, "notify": 1}
    template = theirs.external_contact.add_group_welcome_template(body)["template_id"]
    found = theirs.external_contact.get_group_welcome_template(template)
    assert (found["text"], found["file"]) == (body["text"], body["file"])
    assert theirs.external_contact.update_group_welcome_template(body, template)["errcode"] == 0
    assert theirs.external_contact.del_group_welcome_template(template)["errcode"] == 0


@pytest.mark.wecom("externalcontact/get_user_behavior_data")
def test_how_members_talk(sandbox: Client, theirs: WeChatClient) -> None:
    sandbox.advance(START + DAY)
    day = int(START.timestamp())
    told = theirs.external_contact.get_user_behavior_data(["a"], day, day)["behavior_data"]
    assert [one["new_contact_cnt"] for one in told] == [0]


@pytest.mark.wecom(
    "externalcontact/remind_groupmsg_send",
    "externalcontact/cancel_groupmsg_send",
    "externalcontact/get_groupmsg_list_v2",
    "externalcontact/get_groupmsg_task",
    "externalcontact/get_groupmsg_send_result",
    raw=True,
)
def test_a_message_to_groups_is_asked_for_and_read_back(sandbox: Client, theirs: WeChatClient, chat: str) -> None:
    asked = {"chat_type": "group", "sender": "a", "chat_id_list": [chat, "wr-x"], "text": {"content": "文本消息内容"}}
    made = theirs.external_contact.add_msg_template(asked)
    assert made["fail_list"] == ["wr-x"]
    about = {"msgid": made["msgid"]}
    span = {"start_time": int(START.timestamp()), "end_time": int(START.timestamp()) + 3600}
    listed = theirs.post("externalcontact/get_groupmsg_list_v2", json={"chat_type": "group", **span, "limit": 50})
    assert [one["msgid"] for one in listed["group_msg_list"]] == [made["msgid"]]
    assert theirs.post("externalcontact/get_groupmsg_task", json=about)["task_list"][0]["userid"] == "a"
    assert theirs.post("externalcontact/remind_groupmsg_send", json=about)["errcode"] == 0
    sandbox.advance(START + DAY / 24)
    result = theirs.post("externalcontact/get_groupmsg_send_result", json={**about, "userid": "a", "limit": 50})
    assert [(one["chat_id"], one["status"]) for one in result["send_list"]] == [(chat, 1)]
    assert theirs.post("externalcontact/cancel_groupmsg_send", json=about)["errcode"] == 0
    with pytest.raises(WeChatClientException, match="41093"):
        theirs.post("externalcontact/cancel_groupmsg_send", json=about)

"""Our connector of customer groups: against scripted answers, and against our running sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.channels.wecom.platform import Broken, Platform, error, ok
from tests.sandbox.conftest import DAY, START, Client, house, open_sandbox, sandbox
from yutang.channels.contracts import AnswerLost, Link, MessageContent, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.ports.groups import GroupSendPort, GroupState, JoinWayPort, JoinWaySpec
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.group_send import WeComGroupSend
from yutang.channels.wecom.groups import (
    ADD_WAY,
    GET,
    LIST,
    ON_JOB,
    WELCOME,
    WeComGroups,
    WeComGroupWelcomes,
    WeComJoinWays,
    WeComStatistics,
)
from yutang.channels.wecom.mass_send import CREATE
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.kernel.errors import BadInput

__all__ = ["house", "open_sandbox", "sandbox"]

CHAT = {
    "chat_id": "wr1",
    "name": "销售客服群",
    "owner": "ZhuShengBen",
    "create_time": 1572505490,
    "notice": "文明沟通，拒绝脏话",
    "member_list": [
        {"userid": "abel", "type": 1, "join_time": 1572505491, "join_scene": 1, "invitor": {"userid": "jack"}},
        {"userid": "wm1", "type": 2, "unionid": "ozy", "join_time": 1572505492, "join_scene": 3, "state": "poster"},
    ],
    "admin_list": [{"userid": "sam"}],
    "member_version": "71217227bbd112ecfe3a49c482195cb4",
}


@pytest.fixture
def groups(client: WeComClient) -> WeComGroups:
    return WeComGroups(client)


@pytest.fixture
def ours(sandbox: Client) -> WeComClient:
    """Our client, at the running sandbox."""
    return WeComClient(sandbox.address, "ww-sandbox", "synthetic", token_store=MemoryTokenStore())


def test_the_connectors_are_the_ports(client: WeComClient) -> None:
    send: GroupSendPort = WeComGroupSend(client)
    ways: JoinWayPort = WeComJoinWays(client)
    assert send.limits.recipients == 2_000
    assert ways is not None


@pytest.mark.wecom("externalcontact/groupchat/list")
def test_groups_are_listed_by_a_hundred_owners_at_a_time(platform: Platform, groups: WeComGroups) -> None:
    platform.plays(
        LIST,
        ok(group_chat_list=[{"chat_id": "wr1", "status": 0}], next_cursor="c1"),
        ok(group_chat_list=[{"chat_id": "wr1", "status": 0}, {"chat_id": "wr2", "status": 1}]),
        ok(group_chat_list=[{"chat_id": "wr3", "status": 3}]),
    )
    found = groups.list_groups([f"u{index}" for index in range(101)])
    assert found == {"wr1": GroupState.FOLLOWED, "wr2": GroupState.OWNER_LEFT, "wr3": GroupState.HANDED_OVER}
    asked = [request.body["owner_filter"]["userid_list"] for request in platform.calls(LIST)]
    assert [len(some) for some in asked] == [100, 100, 1]
    platform.plays(LIST, ok(group_chat_list=[{"chat_id": "wr1", "status": 9}]))
    with pytest.raises(UnexpectedAnswer):
        groups.list_groups(["u1"])


@pytest.mark.wecom("externalcontact/groupchat/get")
def test_a_group_is_read_with_who_is_in_it(platform: Platform, groups: WeComGroups) -> None:
    platform.plays(GET, ok(group_chat=CHAT))
    chat = groups.read_group("wr1")
    assert chat is not None
    assert chat.owner == "ZhuShengBen"
    assert chat.admins == ("sam",)
    abel, outside = chat.members
    assert (abel.ours, abel.inviter, abel.state) == (True, "jack", "")
    assert (outside.ours, outside.unionid, outside.scene, outside.state) == (False, "ozy", 3, "poster")
    assert outside.joined_at == datetime(2019, 10, 31, 7, 4, 52, tzinfo=UTC)
    assert "王语嫣" not in repr(chat)
    assert "文明" not in repr(chat)


@pytest.mark.parametrize("code", [90501, 49008])
def test_a_group_that_is_gone_is_none(platform: Platform, groups: WeComGroups, code: int) -> None:
    platform.plays(GET, error(code))
    assert groups.read_group("wr1") is None


def test_an_answer_of_another_shape_is_not_used(platform: Platform, groups: WeComGroups) -> None:
    for broken in ({}, {**CHAT, "create_time": 0}, {**CHAT, "member_list": [{"type": 2}]}):
        platform.plays(GET, ok(group_chat=broken))
        with pytest.raises(UnexpectedAnswer):
            groups.read_group("wr1")


@pytest.mark.wecom("externalcontact/groupchat/onjob_transfer")
def test_each_group_that_cannot_be_handed_over_says_what_to_do(platform: Platform, groups: WeComGroups) -> None:
    platform.plays(ON_JOB, ok(failed_chat_list=[{"chat_id": "wr2", "errcode": 40128, "errmsg": "x"}]))
    failed = groups.hand_over(["wr1", "wr2"], "b", on_job=True)
    assert list(failed) == ["wr2"]
    assert "90 天" in failed["wr2"].zh
    platform.plays(ON_JOB, Broken())
    with pytest.raises(AnswerLost):
        groups.hand_over(["wr1"], "b", on_job=True)
    assert len(platform.calls(ON_JOB)) == 2


@pytest.mark.wecom("externalcontact/groupchat/add_join_way")
def test_a_join_way_is_asked_for_once(platform: Platform, client: WeComClient) -> None:
    ways = WeComJoinWays(client)
    platform.plays(ADD_WAY, ok(config_id="9ad7"), Broken(), ok())
    assert ways.create_join_way(JoinWaySpec("yt1", "海报" * 20, ("wr1",), "群", 10)) == "9ad7"
    assert platform.requests[-1].body == {
        "scene": 2,
        "remark": "海报" * 15,
        "auto_create_room": 1,
        "room_base_name": "群",
        "room_base_id": 10,
        "chat_id_list": ["wr1"],
        "state": "yt1",
    }
    for _ in range(2):
        with pytest.raises(AnswerLost):
            ways.create_join_way(JoinWaySpec("yt1", "", ("wr1",)))
    for spec in (JoinWaySpec("s", "", ()), JoinWaySpec("s", "", ("a",) * 6), JoinWaySpec("s", "", ("a",), "名" * 41)):
        with pytest.raises(BadInput):
            ways.create_join_way(spec)


@pytest.mark.wecom("externalcontact/group_welcome_template/add")
def test_a_group_welcome_is_a_text_and_one_link(platform: Platform, client: WeComClient) -> None:
    welcomes = WeComGroupWelcomes(client)
    platform.plays(f"{WELCOME}/add", ok(template_id="msgX"), Broken())
    content = MessageContent("%NICKNAME% 你好", (Link("上新", "https://shop.example"),))
    assert welcomes.create_welcome(content) == "msgX"
    assert platform.requests[-1].body["link"] == {"title": "上新", "url": "https://shop.example"}
    with pytest.raises(AnswerLost):
        welcomes.create_welcome(content)
    for bad in (MessageContent(""), MessageContent("长" * 1001), MessageContent("好", content.links * 2)):
        with pytest.raises(BadInput):
            welcomes.create_welcome(bad)


@pytest.mark.wecom("externalcontact/groupchat/statistic")
def test_figures_are_read_page_by_page_and_never_for_ever(platform: Platform, client: WeComClient) -> None:
    data = {"new_chat_cnt": 2, "chat_total": 3, "member_total": 6}
    page: dict[str, Any] = {"items": [{"owner": "a", "data": data}], "total": 2, "next_offset": 1}
    platform.plays("externalcontact/groupchat/statistic", ok(**page), ok(**page))
    found = WeComStatistics(client).groups_by_owner(["a", "b"], START, START)
    assert [(one.owner, one.new_groups, one.groups, one.members, one.messages) for one in found] == [("a", 2, 3, 6, 0)]


@pytest.mark.wecom("externalcontact/add_msg_template")
def test_a_message_to_groups_names_them_all(platform: Platform, client: WeComClient) -> None:
    send = WeComGroupSend(client)
    platform.plays(CREATE, ok(msgid="msg1", fail_list=["wr2"]), Broken())
    made = send.create_task("a", ["wr1", "wr2"], MessageContent("好"))
    assert (made.task_id, dict(made.refused)) == ("msg1", {"wr2": "not_sendable"})
    body = platform.requests[-1].body
    assert (body["chat_type"], body["chat_id_list"], body["sender"]) == ("group", ["wr1", "wr2"], "a")
    with pytest.raises(AnswerLost):
        send.create_task("a", ["wr1"], MessageContent("好"))
    with pytest.raises(BadInput):
        send.create_task("a", [f"wr{index}" for index in range(2_001)], MessageContent("好"))


@pytest.mark.wecom(
    "externalcontact/groupchat/list",
    "externalcontact/groupchat/get",
    "externalcontact/opengid_to_chatid",
    "externalcontact/groupchat/add_join_way",
    "externalcontact/groupchat/get_join_way",
    "externalcontact/groupchat/update_join_way",
    "externalcontact/groupchat/del_join_way",
    "externalcontact/groupchat/transfer",
    "externalcontact/groupchat/onjob_transfer",
    "externalcontact/groupchat/statistic",
    "externalcontact/groupchat/statistic_group_by_day",
    "externalcontact/get_user_behavior_data",
)
def test_groups_from_end_to_end(sandbox: Client, ours: WeComClient) -> None:
    def do(what: str, **body: object) -> dict:
        return sandbox.control("groups", do=what, **body)

    do("rules", detail_lag=0, scan_most=3)
    made = do("create", owner="a", name="老客群", members=["wmc0"])
    chat_id = made["chat_id"]
    groups, ways = WeComGroups(ours), WeComJoinWays(ours)
    assert groups.group_of_opengid(made["opengid"]) == chat_id
    assert groups.group_of_opengid("oG0") is None
    config = ways.create_join_way(JoinWaySpec("yt1", "海报", (chat_id,), "老客群", 2))
    came = do("scan", way="yt1", members=["wm-x", "wm-y"])["chats"]
    way = ways.read_join_way(config)
    assert way is not None
    assert way.groups == tuple(came)
    assert way.qr_code
    assert way.state == "yt1"
    ways.update_join_way(config, JoinWaySpec("yt1", "海报", way.groups))
    ways.delete_join_way(config)
    ways.delete_join_way(config)  # again is no error
    assert ways.read_join_way(config) is None
    assert set(groups.list_groups(["a", "b"])) == set(came)
    read = dict(groups.read_groups([chat_id, "wr-none"]))
    assert read["wr-none"] is None
    assert read[chat_id] is not None
    assert ("wm-x", 3, "yt1") in [(one.id, one.scene, one.state) for one in read[chat_id].members]
    assert groups.hand_over([chat_id], "b", on_job=True) == {}
    assert set(groups.hand_over([chat_id], "a", on_job=False)) == {chat_id}  # its owner has not left
    sandbox.advance(START + DAY)
    figures = WeComStatistics(ours)
    assert [one.members for one in figures.groups_by_owner(["b"], START, START)] == [4]
    assert [one.new_groups for one in figures.groups_by_day(["a", "b"], START, START)] == [2]
    assert [one.reply_share for one in figures.talk(["a"], START, START)] == [None]


@pytest.mark.wecom(
    "externalcontact/group_welcome_template/add",
    "externalcontact/group_welcome_template/edit",
    "externalcontact/group_welcome_template/get",
    "externalcontact/group_welcome_template/del",
)
def test_welcomes_from_end_to_end(ours: WeComClient) -> None:
    welcomes = WeComGroupWelcomes(ours)
    template = welcomes.create_welcome(MessageContent("%NICKNAME% 你好"), notify=False)
    welcomes.change_welcome(template, MessageContent("", (Link("上新", "https://shop.example"),)))
    assert welcomes.read_welcome(template) == {"link": {"title": "上新", "url": "https://shop.example"}}
    welcomes.delete_welcome(template)
    welcomes.delete_welcome(template)
    assert welcomes.read_welcome(template) is None


@pytest.mark.wecom(
    "externalcontact/add_msg_template",
    "externalcontact/remind_groupmsg_send",
    "externalcontact/cancel_groupmsg_send",
    "externalcontact/get_groupmsg_list_v2",
    "externalcontact/get_groupmsg_task",
    "externalcontact/get_groupmsg_send_result",
)
def test_a_message_to_groups_from_end_to_end(
    open_sandbox: Callable[..., Client], sandbox: Client, ours: WeComClient
) -> None:
    for name in ("一群", "二群"):
        sandbox.control("groups", do="create", owner="a", name=name, chat_id=f"wr{name}")
    send = WeComGroupSend(ours)
    made = send.create_task("a", ["wr一群", "wr二群"], MessageContent("上新了"))
    assert [task.task_id for task in send.find_tasks(START - DAY, START + DAY)] == [made.task_id]
    assert [state.sent for state in send.read_task(made.task_id)] == [False]
    send.remind_task(made.task_id)
    sandbox.control("groups", do="dismiss", chat_id="wr二群")
    sandbox.advance(START + DAY / 24)
    assert [(one.group, one.sender) for one in send.read_results(made.task_id, "a")] == [("wr一群", "a")]
    send.cancel_task(made.task_id)
    send.cancel_task(made.task_id)
    with pytest.raises(RefusedByPlatform):
        send.create_task("a", ["wr二群"], MessageContent("上新了"))

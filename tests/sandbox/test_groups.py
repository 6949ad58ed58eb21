"""Customer groups as the platform's documents say: what is listed, who comes and goes, who is told of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.sandbox.conftest import DAY, START, Client, small_world
from tests.sandbox.files import png

OF = "groupchat/"


@pytest.fixture
def there(sandbox: Client) -> Client:
    """The small world with a group of a's, in which c0 and an outsider are; details do not lag."""
    do(sandbox, "rules", detail_lag=0)
    do(sandbox, "create", owner="a", name="新客群", chat_id="wr1", members=["wmc0", "wm-outside"])
    return sandbox


def do(sandbox: Client, what: str, **body: object) -> dict:
    return sandbox.control("groups", do=what, **body)


def members(sandbox: Client, chat: str = "wr1") -> list[str]:
    return [one["userid"] for one in sandbox.post(f"{OF}get", chat_id=chat)["group_chat"]["member_list"]]


def told(sandbox: Client) -> list[str]:
    """Every callback that waits, oldest first."""
    return sandbox.http.get("/control/callbacks", params={"bodies": "all"}).json()["bodies"]


def element(body: str, name: str) -> str:
    found = re.search(rf"<{name}>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</{name}>", body)
    return found.group(1) if found else ""


@pytest.mark.wecom("externalcontact/groupchat/list", "externalcontact/groupchat/get")
def test_a_group_is_listed_and_told_with_who_is_in_it(there: Client) -> None:
    do(there, "create", owner="b", name="二群", chat_id="wr2")
    assert there.post(f"{OF}list", limit=1000)["group_chat_list"] == [
        {"chat_id": "wr1", "status": 0},
        {"chat_id": "wr2", "status": 0},
    ]
    of_b = there.post(f"{OF}list", limit=10, owner_filter={"userid_list": ["B"]})
    assert of_b["group_chat_list"] == [{"chat_id": "wr2", "status": 0}]
    chat = there.post(f"{OF}get", chat_id="wr1", need_name=1)["group_chat"]
    assert (chat["name"], chat["owner"], len(chat["member_version"])) == ("新客群", "a", 32)
    owner, outside, friend = sorted(chat["member_list"], key=lambda one: (one["type"], one["userid"]))
    assert owner["type"] == 1
    assert friend["name"] == "顾客 c0"
    assert outside["name"] == ""  # nobody's friend
    assert friend["invitor"] == {"userid": "a"}
    assert friend["join_scene"] == 1
    assert "name" not in there.post(f"{OF}get", chat_id="wr1")["group_chat"]["member_list"][0]


@pytest.mark.wecom("externalcontact/groupchat/list", "externalcontact/groupchat/get")
def test_reading_groups_is_refused_as_documented(there: Client) -> None:
    assert there.post(f"{OF}list")["errcode"] == 40058  # limit is required
    assert there.post(f"{OF}list", limit=1001)["errcode"] == 40058
    assert there.post(f"{OF}list", limit=1, owner_filter={})["errcode"] == 40063
    assert there.post(f"{OF}list", limit=1, owner_filter={"userid_list": ["nobody"]})["errcode"] == 40003
    assert there.post(f"{OF}list", limit=1, status_filter=4)["errcode"] == 40058
    assert there.post(f"{OF}get")["errcode"] == 40063
    assert there.post(f"{OF}get", chat_id="wr-none")["errcode"] == 90501
    do(there, "dismiss", chat_id="wr1")
    assert there.post(f"{OF}get", chat_id="wr1")["errcode"] == 49008
    assert there.post(f"{OF}list", limit=1)["group_chat_list"] == []


@pytest.mark.wecom("externalcontact/opengid_to_chatid")
def test_a_mini_programs_id_of_a_group_leads_to_it(there: Client) -> None:
    opengid = do(there, "create", owner="a", name="新客群", chat_id="wr1")["opengid"]
    assert there.post("opengid_to_chatid", opengid=opengid)["chat_id"] == "wr1"
    assert there.post("opengid_to_chatid", opengid="oG0")["errcode"] == 90511
    assert there.post("opengid_to_chatid")["errcode"] == 40063


def test_callbacks_tell_what_happens_in_clients(there: Client) -> None:
    do(there, "invite", chat_id="wr1", members=["wmc1", "wmc2", "wmc1"], by="wmc0")
    do(there, "leave", chat_id="wr1", members=["wmc1"])
    do(there, "remove", chat_id="wr1", members=["wmc2", "wm-outside", "wm-never"])
    do(there, "change", chat_id="wr1", name="老客群", owner="b", admins=["a"])
    do(there, "dismiss", chat_id="wr1")
    bodies = told(there)
    said = [(element(one, "ChangeType"), element(one, "UpdateDetail"), element(one, "MemChangeCnt")) for one in bodies]
    assert said == [
        ("create", "", ""),
        ("update", "add_member", "2"),
        ("update", "add_member", "2"),
        ("update", "del_member", "1"),
        ("update", "del_member", "2"),
        ("update", "change_name", ""),
        ("update", "change_owner", ""),
        ("dismiss", "", ""),
    ]
    versions = [(element(one, "LastMemVer"), element(one, "CurMemVer")) for one in bodies[1:5]]
    assert [last for last, _ in versions[1:]] == [current for _, current in versions[:-1]]
    assert re.findall(r"<Item><!\[CDATA\[(.*?)\]\]></Item>", bodies[4]) == ["wmc2", "wm-outside"]
    assert [element(one, "QuitScene") for one in bodies[3:5]] == ["0", "1"]


def test_the_detail_lags_behind_the_callback(there: Client) -> None:
    version = there.post(f"{OF}get", chat_id="wr1")["group_chat"]["member_version"]
    do(there, "rules", detail_lag=60)
    do(there, "invite", chat_id="wr1", members=["wmc1"])
    assert element(told(there)[-1], "LastMemVer") == version
    assert there.post(f"{OF}get", chat_id="wr1")["group_chat"]["member_version"] == version
    assert "wmc1" not in members(there)
    do(there, "rules", detail_lag=0)
    do(there, "invite", chat_id="wr1", members=["wmc2"])
    assert there.state()["group_members"] == 5


@pytest.mark.wecom(
    "externalcontact/groupchat/add_join_way",
    "externalcontact/groupchat/get_join_way",
    "externalcontact/groupchat/update_join_way",
    "externalcontact/groupchat/del_join_way",
)
def test_a_join_way_rolls_over_when_its_groups_are_full(there: Client) -> None:
    do(there, "rules", detail_lag=0, scan_most=4)
    body = {"scene": 2, "remark": "海报" * 20, "room_base_name": "自动群", "room_base_id": 10, "state": "poster"}
    config = there.post(f"{OF}add_join_way", chat_id_list=["wr1"], **body)["config_id"]
    came = do(there, "scan", way="poster", members=["wmc1", "wmc2", "wmc3", "wmd", "wm-x", "wm-y"])["chats"]
    assert came[0] == "wr1"
    assert len(set(came)) == 3
    assert came[1] == came[2] == came[3]
    way = there.post(f"{OF}get_join_way", config_id=config)["join_way"]
    assert way["chat_id_list"] == ["wr1", came[1], came[4]]
    assert way["remark"] == "海报" * 15
    assert way["qr_code"].endswith(f"/qr/{config}.svg")
    names = [there.post(f"{OF}get", chat_id=one)["group_chat"]["name"] for one in way["chat_id_list"]]
    assert names == ["新客群", "自动群10", "自动群11"]
    joined = there.post(f"{OF}get", chat_id="wr1")["group_chat"]["member_list"][-1]
    assert (joined["join_scene"], joined["state"]) == (3, "poster")
    there.post(f"{OF}update_join_way", config_id=config, scene=2, auto_create_room=0, chat_id_list=["wr1"], state="p2")
    assert do(there, "scan", way="p2", members=["wm-z"])["chats"] == [None]
    assert there.post(f"{OF}get_join_way", config_id=config)["join_way"]["remark"] == ""  # all is overwritten
    assert there.post(f"{OF}del_join_way", config_id=config)["errcode"] == 0
    assert there.post(f"{OF}del_join_way", config_id=config)["errcode"] == 41044


@pytest.mark.wecom("externalcontact/groupchat/add_join_way")
def test_a_join_way_is_refused_as_documented(there: Client) -> None:
    def add(**more: object) -> int:
        return there.post(f"{OF}add_join_way", **{"scene": 2, "chat_id_list": ["wr1"], **more})["errcode"]

    assert add(scene=3) == 40058
    assert add(chat_id_list=[]) == 40063
    assert add(chat_id_list=["wr1"] * 6) == 41091
    assert add(chat_id_list=["wr-none"]) == 90501
    assert add(room_base_name="名" * 41) == 40058
    assert add(state="s" * 31) == 40058
    assert add() == 0


@pytest.mark.wecom(
    "externalcontact/group_welcome_template/add",
    "externalcontact/group_welcome_template/edit",
    "externalcontact/group_welcome_template/get",
    "externalcontact/group_welcome_template/del",
)
def test_a_group_welcome_is_kept_and_of_several_parts_the_first_counts(there: Client) -> None:
    of = "group_welcome_template/"
    link = {"title": "标题", "url": "https://shop.example/a"}
    picture = there.upload("media/upload", png(), type="image")["media_id"]
    made = there.post(f"{of}add", text={"content": "%NICKNAME% 你好"}, image={"media_id": picture}, link=link, notify=0)
    assert there.post(f"{of}add", image={"media_id": "gone"})["errcode"] == 40007
    template = made["template_id"]
    said = there.post(f"{of}get", template_id=template)
    assert said["text"] == {"content": "%NICKNAME% 你好"}
    assert "pic_url" in said["image"]
    assert "link" not in said
    assert there.post(f"{of}edit", template_id=template, link=link)["errcode"] == 0
    assert there.post(f"{of}get", template_id=template)["link"] == link
    assert there.post(f"{of}add", text={"content": ""})["errcode"] == 40063
    assert there.post(f"{of}add", text={"content": "长" * 1001})["errcode"] == 40058
    assert there.post(f"{of}del", template_id=template)["errcode"] == 0
    assert there.post(f"{of}get", template_id=template)["errcode"] == 41058
    codes = [there.post(f"{of}add", text={"content": "好"})["errcode"] for _ in range(101)]
    assert codes == [0] * 100 + [41055]


@pytest.mark.wecom("externalcontact/groupchat/transfer", "externalcontact/groupchat/list")
def test_a_departed_owners_groups_wait_for_a_new_one(open_sandbox: Callable[..., Client]) -> None:
    sandbox = open_sandbox(small_world(dispatch_seconds=60.0))
    do(sandbox, "create", owner="a", name="一群", chat_id="wr1")
    failed = sandbox.post(f"{OF}transfer", chat_id_list=["wr1", "wr-none"], new_owner="b")["failed_chat_list"]
    assert [(one["chat_id"], one["errcode"]) for one in failed] == [("wr1", 90500), ("wr-none", 90501)]
    do(sandbox, "resign", userid="a")
    assert sandbox.post(f"{OF}list", limit=10)["group_chat_list"] == []  # only where the owner is asked for by name
    mine = {"userid_list": ["a"]}
    assert sandbox.post(f"{OF}list", limit=10, owner_filter=mine)["group_chat_list"] == [
        {"chat_id": "wr1", "status": 1}
    ]
    assert sandbox.post(f"{OF}transfer", chat_id_list=["wr1"], new_owner="a")["errcode"] == 40003
    before = len(told(sandbox))
    assert sandbox.post(f"{OF}transfer", chat_id_list=["wr1"], new_owner="b")["failed_chat_list"] == []
    assert len(told(sandbox)) == before  # what the API changes is not told
    assert sandbox.post(f"{OF}list", limit=10)["group_chat_list"] == [{"chat_id": "wr1", "status": 2}]
    again = sandbox.post(f"{OF}transfer", chat_id_list=["wr1"], new_owner="idle")["failed_chat_list"]
    assert [one["errcode"] for one in again] == [90507]


@pytest.mark.wecom("externalcontact/groupchat/onjob_transfer", "externalcontact/groupchat/transfer")
def test_a_group_changes_hands_on_the_job_twice_in_ninety_days(there: Client) -> None:
    def hand(owner: str, call: str = "onjob_transfer") -> list[int]:
        answer = there.post(f"{OF}{call}", chat_id_list=["wr1"], new_owner=owner)
        return [one["errcode"] for one in answer["failed_chat_list"]]

    assert [hand("b"), hand("B"), hand("a"), hand("b")] == [[], [90504], [], [40128]]
    there.advance(START + 91 * DAY)
    assert hand("b") == []
    assert "b" in members(there)
    do(there, "resign", userid="b")
    assert hand("a") == [90502]
    assert hand("a", "transfer") == []
    assert hand("idle", "transfer") == [90508]


@pytest.mark.wecom("externalcontact/groupchat/statistic", "externalcontact/groupchat/statistic_group_by_day")
def test_groups_are_counted_by_owner_and_by_day_until_yesterday(there: Client) -> None:
    do(there, "talk", chat_id="wr1", member="wmc0", messages=3)
    today = int(START.timestamp())
    asked = {"day_begin_time": today, "owner_filter": {"userid_list": ["a", "b"]}}
    assert there.post(f"{OF}statistic", **asked)["errcode"] == 40058  # today is not there yet
    there.advance(START + 2 * DAY)
    do(there, "create", owner="b", name="二群", chat_id="wr2")
    items = there.post(f"{OF}statistic", **asked)
    assert (items["total"], items["next_offset"], [one["owner"] for one in items["items"]]) == (2, 2, ["a", "b"])
    assert items["items"][0]["data"] == {
        "new_chat_cnt": 1,
        "chat_total": 1,
        "chat_has_msg": 1,
        "new_member_cnt": 3,
        "member_total": 3,
        "member_has_msg": 1,
        "msg_total": 3,
        "migrate_trainee_chat_cnt": 0,
    }
    assert items["items"][1]["data"]["chat_total"] == 0
    days = there.post(f"{OF}statistic_group_by_day", **asked, day_end_time=today + 86_400)["items"]
    assert [(one["data"]["new_chat_cnt"], one["data"]["chat_total"]) for one in days] == [(1, 1), (0, 1)]
    assert days[0]["stat_time"] == int(datetime(2026, 3, 1, 16, tzinfo=UTC).timestamp())  # midnight in Shanghai
    assert there.post(f"{OF}statistic", **{**asked, "day_end_time": today + 2 * 86_400})["errcode"] == 40058
    assert there.post(f"{OF}statistic", **asked, order_by=5)["errcode"] == 40058


@pytest.mark.wecom("externalcontact/get_user_behavior_data")
def test_how_members_talk_is_summed_over_all_who_are_asked_for(there: Client) -> None:
    do(there, "talk", userid="a", external_userid="wmc0", messages=4, minutes=3.0)
    do(there, "talk", userid="b", external_userid="wmc2", messages=1)
    there.control("leave", userid="a", external_userid="wmc3", by="customer")
    start = int(START.timestamp())
    there.advance(START + 2 * DAY)
    first, second = there.post("get_user_behavior_data", userid=["a", "b"], start_time=start, end_time=start + 86_400)[
        "behavior_data"
    ]
    assert (first["chat_cnt"], first["message_cnt"], first["negative_feedback_cnt"]) == (2, 5, 1)
    assert (first["reply_percentage"], first["avg_reply_time"]) == (50.0, 3)
    assert second["chat_cnt"] == 0
    assert "reply_percentage" not in second
    assert there.post("get_user_behavior_data", start_time=start, end_time=start)["errcode"] == 40063
    assert (
        there.post("get_user_behavior_data", userid=["a"], start_time=start, end_time=start + 3 * 86_400)["errcode"]
        == 40058
    )


@pytest.mark.wecom(
    "externalcontact/add_msg_template",
    "externalcontact/get_groupmsg_list_v2",
    "externalcontact/get_groupmsg_task",
    "externalcontact/get_groupmsg_send_result",
)
def test_a_message_to_groups_goes_to_the_owners_own_and_no_oftener_than_the_cap(
    open_sandbox: Callable[..., Client],
) -> None:
    sandbox = open_sandbox(small_world(cap="daily"))
    for chat, owner in (("wr1", "a"), ("wr2", "a"), ("wr3", "b")):
        do(sandbox, "create", owner=owner, name=chat, chat_id=chat)

    def send(*chats: str) -> dict:
        body = {"chat_type": "group", "sender": "a", "text": {"content": "上新了"}}
        return sandbox.post("add_msg_template", **body, chat_id_list=list(chats))

    assert send("wr3")["errcode"] == 41048
    assert sandbox.post("add_msg_template", chat_type="group", text={"content": "好"})["errcode"] == 40063
    made = send("wr1", "wr3", "wr-none")
    assert made["fail_list"] == ["wr3", "wr-none"]
    assert sandbox.post("get_groupmsg_send_result", msgid=made["msgid"], userid="a")["send_list"] == []  # not tapped
    sandbox.advance(START + DAY / 24)
    sent = sandbox.post("get_groupmsg_send_result", msgid=made["msgid"], userid="a")["send_list"]
    assert [(one["chat_id"], one["status"]) for one in sent] == [("wr1", 1)]
    assert "external_userid" not in sent[0]
    assert send("wr1", "wr2")["fail_list"] == ["wr1"]  # it had its one of the day
    span = {"start_time": int(START.timestamp()), "end_time": int((START + DAY).timestamp())}
    listed = sandbox.post("get_groupmsg_list_v2", chat_type="group", **span)["group_msg_list"]
    assert made["msgid"] in [one["msgid"] for one in listed]
    assert sandbox.post("get_groupmsg_list_v2", chat_type="single", **span)["group_msg_list"] == []
    assert sandbox.post("get_groupmsg_task", msgid=made["msgid"])["task_list"][0]["status"] == 2
    late = send()["msgid"]  # all of the sender's groups that may still have one
    do(sandbox, "change", chat_id="wr2", owner="b")
    sandbox.advance(START + DAY / 12)
    assert sandbox.post("get_groupmsg_send_result", msgid=late, userid="a")["send_list"] == []


def test_only_what_the_door_knows_can_happen(there: Client) -> None:
    def refused(**body: object) -> str:
        answer = there.http.post("/control/groups", json=body)
        assert answer.status_code == 400, answer.text
        return answer.json()["en"]

    assert "do" in refused(do="dance")
    assert "member" in refused(do="create", owner="nobody", name="x")
    assert "dissolved" in refused(do="leave", chat_id="wr-none", members=["wmc0"])
    do(there, "rules", chat_most=3)
    assert "3" in refused(do="invite", chat_id="wr1", members=["wmc1"])
    assert members(there) == ["a", "wm-outside", "wmc0"]

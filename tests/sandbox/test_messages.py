"""Messages of the app to members, and of robots to groups: what is taken, cut, dropped without a word, or changed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.conftest import DAY, HOUR, START, Client, small_world
from tests.sandbox.files import amr, mp4, png
from yutang.sandbox.contracts import Department, Member

AGENT = 1_000_002
BUTTONS = {
    "card_type": "button_interaction",
    "main_title": {"title": "群发待确认"},
    "task_id": "task-1",
    "button_list": [{"text": "已发", "key": "done"}, {"text": "今天不发", "key": "no"}],
}
NOTICE = {
    "card_type": "text_notice",
    "main_title": {"title": "今天有 3 位顾客要跟进"},
    "card_action": {"type": 1, "url": "https://example.com/today"},
}


def send(corp: Client, kind: str = "text", payload: Any = None, **more: Any) -> dict:
    body = {"touser": "a", "msgtype": kind, "agentid": AGENT, kind: payload or {"content": "早上好"}, **more}
    return corp.call("message/send", **{name: value for name, value in body.items() if value is not None})


def seen(corp: Client, userid: str = "a") -> list[dict]:
    return corp.control("messages", userid=userid)["messages"]


@pytest.fixture
def corp(open_sandbox: Callable[..., Client]) -> Client:
    members = (Member("a", "1", departments=(2,)), Member("b", "2", departments=(2,)), Member("idle", "3"))
    return open_sandbox(small_world(members=members, departments=(Department(2, "上海店"), Department(3, "空店"))))


@pytest.mark.wecom("message/send")
def test_members_and_departments_are_reached_and_what_is_not_there_is_named(corp: Client) -> None:
    answer = send(corp, touser="A|Ghost", toparty="2|3|9", totag="1")
    assert (answer["errcode"], answer["invaliduser"], answer["invalidparty"], answer["invalidtag"]) == (
        0,
        "ghost",
        "3|9",
        "1",
    )
    assert [len(seen(corp, userid)) for userid in ("a", "b", "idle")] == [1, 1, 0]
    assert send(corp, touser="@all")["errcode"] == 0
    assert len(seen(corp, "idle")) == 1
    assert send(corp, touser="ghost")["errcode"] == 81013
    assert send(corp, touser=None)["errcode"] == 82001
    assert send(corp, touser="|".join(f"u{number}" for number in range(1001)))["errcode"] == 40035
    assert send(corp, agentid=1)["errcode"] == 40056
    assert send(corp, agentid=None)["errcode"] == 41011
    assert send(corp, "smoke", {"a": 1})["errcode"] == 40008


def test_every_payload_of_the_documents_is_taken_and_cut_where_they_say(corp: Client) -> None:
    def media(kind: str, content: bytes) -> str:
        return corp.upload("media/upload", content, type=kind)["media_id"]

    picture, file = media("image", png()), media("file", b"a file of words")
    good = {
        "text": {"content": "字" * 700},
        "image": {"media_id": picture},
        "voice": {"media_id": media("voice", amr())},
        "video": {"media_id": media("video", mp4()), "title": "字" * 50, "description": "x" * 600},
        "file": {"media_id": file},
        "textcard": {
            "title": "t" * 130,
            "description": "d" * 520,
            "url": "https://example.com",
            "btntxt": "看看详情吧",
        },
        "news": {"articles": [{"title": "x", "url": "https://example.com", "picurl": "https://example.com/a.png"}]},
        "mpnews": {"articles": [{"title": "x", "thumb_media_id": picture, "content": "<b>x</b>"}]},
        "markdown": {"content": "**早**"},
        "miniprogram_notice": {"appid": "wx1", "title": "会议室预订", "content_item": [{"key": "a", "value": "b"}]},
        "template_card": {
            **NOTICE,
            "horizontal_content_list": [
                {"keyname": "门店", "value": "上海"},
                {"keyname": "附件", "value": "a.pdf", "type": 2, "media_id": file},
                {"keyname": "店长", "type": 3, "userid": "a"},
            ],
            "jump_list": [{"type": 1, "title": "去看", "url": "https://example.com"}],
        },
    }
    for kind, payload in good.items():
        assert send(corp, kind, payload)["errcode"] == 0, kind
    got = {row["msgtype"]: row["content"] for row in seen(corp)}
    assert set(got) == set(good)
    assert got["text"]["content"] == "字" * 682  # 2,048 bytes, no character halved
    assert got["video"]["title"] == "字" * 42
    assert (len(got["textcard"]["title"]), len(got["textcard"]["description"]), got["textcard"]["btntxt"]) == (
        128,
        512,
        "看看详情",
    )
    bad: dict[str, tuple[Any, int]] = {
        "text": ({"content": ""}, 44004),
        "image": ({"media_id": file}, 40007),
        "voice": ({"x": 1}, 41006),
        "textcard": ({"title": "t", "description": "d", "url": "example.com"}, 40058),
        "news": ({"articles": [{"title": "x", "url": "https://example.com"}] * 9}, 45008),
        "markdown": ({"content": "x" * 2049}, 45002),
        "mpnews": ({"articles": [{"title": "x", "thumb_media_id": picture}]}, 40063),
        "miniprogram_notice": ({"appid": "wx1", "title": "短"}, 40058),
        "template_card": ({"card_type": "text_notice", "main_title": {"title": "x"}}, 40063),
    }
    for kind, (payload, code) in bad.items():
        assert send(corp, kind, payload)["errcode"] == code, kind
    assert send(corp, "miniprogram_notice", good["miniprogram_notice"], touser="@all")["errcode"] == 40058
    assert send(corp, safe=2)["errcode"] == 40058


def test_cards_of_every_kind_are_checked(corp: Client) -> None:
    options = [{"id": "1", "text": "是"}, {"id": "2", "text": "否"}]
    submit = {"text": "提交", "key": "go"}
    title = {"title": "x"}
    cards = [
        {"card_type": "news_notice", "main_title": title, "card_image": {"url": "https://example.com/a.png"}}
        | {"card_action": {"type": 2, "appid": "wx1"}},
        {**BUTTONS, "button_selection": {"question_key": "q", "option_list": options}},
        {"card_type": "vote_interaction", "main_title": title, "task_id": "v", "submit_button": submit}
        | {"checkbox": {"question_key": "q", "option_list": options, "mode": 1}},
        {"card_type": "multiple_interaction", "main_title": title, "task_id": "m", "submit_button": submit}
        | {"select_list": [{"question_key": "q", "option_list": options}]},
        {**NOTICE, "task_id": "n", "action_menu": {"action_list": [{"text": "不再提醒", "key": "stop"}]}},
    ]
    answers = [send(corp, "template_card", card) for card in cards]
    assert [answer["errcode"] for answer in answers] == [0] * 5
    assert ["response_code" in answer for answer in answers] == [False, True, True, True, True]
    for card, change in (
        (cards[0], {"card_image": None}),
        (BUTTONS, {"task_id": "white space"}),
        (BUTTONS, {"task_id": "b2", "button_list": [{"text": "x", "key": "same"}, {"text": "y", "key": "same"}]}),
        (BUTTONS, {"task_id": "b3", "button_list": []}),
        (BUTTONS, {"task_id": None}),
        (BUTTONS, {"task_id": "task-1"}),  # used before
        (cards[2], {"task_id": "v2", "checkbox": None}),
        (cards[3], {"task_id": "m2", "submit_button": None}),
        (NOTICE, {"main_title": None}),
        (NOTICE, {"card_action": {"type": 0}}),
        (NOTICE, {"card_type": "other"}),
    ):
        changed = {name: value for name, value in {**card, **change}.items() if value is not None}
        assert send(corp, "template_card", changed)["errcode"] in (40058, 40063), change


def test_beyond_a_members_cap_a_message_is_dropped_without_a_word(corp: Client) -> None:
    for number in range(31):
        assert send(corp, payload={"content": str(number)}, touser="a")["errcode"] == 0
    assert len(seen(corp)) == 30
    assert len(seen(corp, "b")) == 0
    corp.advance(START + HOUR / 30)
    send(corp)
    assert len(seen(corp)) == 31


def test_beyond_the_corps_day_everybody_else_hears_nothing(open_sandbox: Callable[..., Client]) -> None:
    corp = open_sandbox(small_world(account_cap=1))
    for number in range(68):
        send(corp, payload={"content": str(number)}, touser="@all")
        corp.advance(START + (number + 1) * HOUR / 20)
    assert len(corp.control("messages")["messages"]) == 200
    corp.advance(START + DAY)
    send(corp)
    assert len(corp.control("messages")["messages"]) == 201


def test_the_same_again_is_shown_once_where_that_is_asked_for(corp: Client) -> None:
    for _ in range(2):
        assert send(corp, enable_duplicate_check=1)["errcode"] == 0
    assert len(seen(corp)) == 1
    send(corp)
    send(corp, enable_duplicate_check=1, touser="a|b")  # other people: another message
    assert len(seen(corp)) == 3
    corp.advance(START + HOUR)
    send(corp, enable_duplicate_check=1)
    assert len(seen(corp)) == 4
    assert send(corp, enable_duplicate_check=1, duplicate_check_interval=14_401)["errcode"] == 40058


@pytest.mark.wecom("message/recall")
def test_a_message_is_taken_back_within_a_day(corp: Client) -> None:
    early, late = send(corp)["msgid"], send(corp)["msgid"]
    for _ in range(2):
        assert corp.call("message/recall", msgid=early)["errcode"] == 0
    assert sorted(row["recalled"] for row in seen(corp)) == [False, True]
    corp.advance(START + DAY + HOUR)
    assert corp.call("message/recall", msgid=late)["errcode"] == 42052
    assert corp.call("message/recall", msgid="x")["errcode"] == 40058


@pytest.mark.wecom("message/update_template_card")
def test_a_card_is_changed_once_for_each_code(corp: Client) -> None:
    made = send(corp, "template_card", BUTTONS, touser="a|b")

    def update(code: str, **more: Any) -> dict:
        body = {"agentid": AGENT, "response_code": code, "userids": ["A", "idle"], **more}
        return corp.call("message/update_template_card", **body)

    answer = update(made["response_code"], button={"replace_name": "已处理"})
    assert (answer["errcode"], answer["invaliduser"]) == (0, ["idle"])
    assert [seen(corp, userid)[0]["shown"] for userid in ("a", "b")] == [{"replace_name": "已处理"}, None]
    assert update(made["response_code"], button={"replace_name": "x"})["errcode"] == 40058
    pressed = corp.control("press", userid="b", msgid=made["msgid"], key="done")["response_code"]
    assert update(pressed, template_card=NOTICE, userids=[], partyids=[2])["errcode"] == 0
    assert seen(corp, "b")[0]["shown"]["card_type"] == "text_notice"
    again = corp.control("press", userid="b", msgid=made["msgid"], key="no")["response_code"]
    assert update(again)["errcode"] == 40063
    corp.advance(START + 4 * DAY)
    assert update(again, button={"replace_name": "x"})["errcode"] == 40058
    assert corp.http.post("/control/press", json={"userid": "b", "msgid": made["msgid"], "key": "?"}).status_code == 400


@pytest.mark.wecom("webhook/send")
def test_a_groups_robot_speaks_by_its_key_twenty_times_a_minute(corp: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    key = corp.control("robot", name="店长群")["key"]
    assert corp.control("robot", name="店长群")["key"] == key

    def say(kind: str, payload: Any, key: str = key) -> int:
        body = {"msgtype": kind, kind: payload}
        return int(corp.http.post("/cgi-bin/webhook/send", params={"key": key}, json=body).json()["errcode"])

    picture = {"base64": base64.b64encode(png()).decode(), "md5": hashlib.md5(png()).hexdigest()}
    good = {
        "text": {"content": "今天 3 家店没有群发", "mentioned_list": ["a"]},
        "markdown": {"content": "x" * 4096},
        "markdown_v2": {"content": "# 日报"},
        "image": picture,
        "news": {"articles": [{"title": "x", "url": "https://example.com"}]},
        "file": {"media_id": corp.upload("media/upload", b"some words", type="file")["media_id"]},
        "template_card": NOTICE,
    }
    assert [say(kind, payload) for kind, payload in good.items()] == [0] * 7
    assert say("text", {"content": "x"}, key="other") == 93000
    assert say("text", {"content": "x" * 2049}) == 45002
    assert say("image", {**picture, "md5": "0" * 32}) == 301019
    assert say("template_card", BUTTONS) == 40058
    assert say("textcard", {"title": "x"}) == 40008
    assert len(corp.control("messages")["robots"]) == 7
    monkeypatch.setattr("yutang.sandbox.messages.ROBOT_A_MINUTE", 0)
    assert say("text", {"content": "x"}) == 45009


@pytest.mark.wecom("get_launch_code")
def test_a_launch_code_opens_a_chat_that_the_operator_may_open(corp: Client) -> None:
    def code(**chat: str) -> dict:
        return corp.call("get_launch_code", operator_userid="a", single_chat=chat)

    assert code(userid="b")["launch_code"] != code(external_userid="wmc1")["launch_code"]
    assert code(external_userid="wmd")["errcode"] == 84061
    assert code(userid="ghost")["errcode"] == 660003
    assert code()["errcode"] == 40063
    assert corp.call("get_launch_code", operator_userid="ghost", single_chat={"userid": "b"})["errcode"] == 660003

"""Contact ways, temporary chats and welcomes, asked by hand with the platform's documents beside it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.sandbox.conftest import DAY, START, Client, House
from tests.sandbox.test_apps import KEY, Box

SOLE = {"type": 1, "scene": 2, "user": ["a"]}
ENDING = {
    "text": {"content": "祝您早日康复"},
    "link": {"title": "复诊", "url": "https://example.com/again"},
    "miniprogram": {"title": "挂号", "pic_media_id": "m", "appid": "wx1", "page": "/p"},
}


@pytest.mark.wecom(
    "externalcontact/add_contact_way", "externalcontact/get_contact_way", "externalcontact/update_contact_way"
)
def test_a_way_is_shown_as_it_was_made_and_as_it_was_changed(sandbox: Client) -> None:
    made = sandbox.post(
        "add_contact_way", type=2, scene=2, user=["a", "B"], state="s1", remark="门口", mark_source=True
    )
    assert sandbox.http.get(f"/qr/{made['config_id']}.svg").status_code == 200
    shown = sandbox.post("get_contact_way", config_id=made["config_id"])["contact_way"]
    assert (shown["type"], shown["scene"], shown["user"], shown["state"]) == (2, 2, ["a", "b"], "s1")
    assert (shown["skip_verify"], shown["is_temp"], shown["mark_source"]) == (True, False, True)
    changed = {"config_id": made["config_id"], "user": ["idle"], "skip_verify": False}
    assert sandbox.post("update_contact_way", **changed)["errcode"] == 0
    shown = sandbox.post("get_contact_way", config_id=made["config_id"])["contact_way"]
    assert (shown["user"], shown["state"], shown["skip_verify"]) == (["idle"], "", False)
    widget = sandbox.post("add_contact_way", type=1, scene=1, style=2, user=["a"])
    assert "qr_code" not in widget
    assert sandbox.post("get_contact_way", config_id=widget["config_id"])["contact_way"]["style"] == 2


@pytest.mark.wecom("externalcontact/add_contact_way")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": None}, 41037),
        ({"type": 3}, 41038),
        ({"scene": None}, 41039),
        ({"scene": 0}, 41040),
        ({"scene": 1, "style": 4}, 41042),
        ({"user": ["a"] * 101}, 41041),
        ({"user": ["nobody"]}, 40003),
        ({"user": []}, 40063),
        ({"user": ["a", "b"]}, 40058),
        ({"type": 2, "party": [99]}, 40066),
        ({"party": [1]}, 40058),
        ({"remark": "长" * 31}, 40058),
        ({"state": "s" * 31}, 40058),
        ({"type": 2, "is_temp": True}, 40058),
        ({"is_temp": True, "expires_in": 15 * 86_400}, 40058),
        ({"is_temp": True, "conclusions": {}}, 40063),
        ({"is_temp": True, "conclusions": {"text": {"content": "好" * 1334}}}, 40058),
        ({"is_temp": True, "conclusions": {"link": {"title": "无地址"}}}, 40063),
    ],
)
def test_a_way_is_refused_for_the_field_that_is_wrong(sandbox: Client, change: dict, code: int) -> None:
    body = {name: value for name, value in {**SOLE, **change}.items() if value is not None}
    assert sandbox.post("add_contact_way", **body)["errcode"] == code
    assert sandbox.post("list_contact_way")["contact_way"] == []


@pytest.mark.wecom("externalcontact/list_contact_way", "externalcontact/del_contact_way")
def test_ways_are_listed_without_temporary_and_deleted_ones(sandbox: Client) -> None:
    made = [sandbox.post("add_contact_way", **SOLE)["config_id"] for _ in range(3)]
    sandbox.post("add_contact_way", **SOLE, is_temp=True)
    assert sandbox.post("del_contact_way", config_id=made[0])["errcode"] == 0
    listed = sandbox.post("list_contact_way")["contact_way"]
    assert {one["config_id"] for one in listed} == set(made[1:])
    assert sandbox.post("del_contact_way", config_id=made[0])["errcode"] == 41044
    assert sandbox.post("get_contact_way")["errcode"] == 41043
    gone = sandbox.http.post("/control/scan", json={"way": made[0]})
    assert gone.status_code == 400
    later = int((START + DAY).timestamp())
    assert sandbox.post("list_contact_way", start_time=later, end_time=later + 1)["contact_way"] == []
    sandbox.control("walls", configs=2)
    assert sandbox.post("add_contact_way", **SOLE)["errcode"] == 41045
    assert sandbox.post("add_contact_way", **SOLE, is_temp=True)["errcode"] == 0


@pytest.mark.wecom("externalcontact/add_contact_way", "externalcontact/close_temp_chat")
def test_a_temporary_chat_is_for_one_person_and_ends_with_its_conclusions(sandbox: Client) -> None:
    way = sandbox.post("add_contact_way", **SOLE, is_temp=True, unionid="o1", expires_in=600, conclusions=ENDING)
    shown = sandbox.post("get_contact_way", config_id=way["config_id"])["contact_way"]
    assert (shown["is_temp"], shown["expires_in"], shown["chat_expires_in"], shown["unionid"]) == (
        True,
        600,
        86_400,
        "o1",
    )
    assert set(shown["conclusions"]) == {"text", "link"}  # of the attachments the first that counts
    other = sandbox.http.post("/control/scan", json={"way": way["config_id"], "unionid": "o2"})
    assert other.status_code == 400
    sandbox.control("scan", way=way["config_id"], unionid="o1", external_userid="wmd")
    assert sandbox.get("externalcontact/get", external_userid="wmd")["errcode"] == 84061  # no friendship
    assert sandbox.post("close_temp_chat", userid="b", external_userid="wmd")["errcode"] == 84061
    assert sandbox.post("close_temp_chat", userid="a", external_userid="wmd")["errcode"] == 0
    assert sandbox.post("close_temp_chat", userid="a", external_userid="wmd")["errcode"] == 84061
    assert sandbox.post("close_temp_chat", userid="a")["errcode"] == 41035
    assert sandbox.post("close_temp_chat", userid="a", external_userid="wmx")["errcode"] == 40096
    sandbox.control("scan", way=way["config_id"], unionid="o1", external_userid="wmd")
    sandbox.advance(START + DAY)  # its time is over
    assert sandbox.post("close_temp_chat", userid="a", external_userid="wmd")["errcode"] == 84061
    late = sandbox.http.post("/control/scan", json={"way": way["config_id"], "unionid": "o1"})
    assert late.status_code == 400


def test_who_is_a_friend_of_one_of_them_gets_no_second_by_an_exclusive_way(sandbox: Client) -> None:
    way = sandbox.post("add_contact_way", type=2, scene=2, party=[1], is_exclusive=True)["config_id"]
    scans = [sandbox.control("scan", way=way, external_userid="wmc0")["scans"][0] for _ in range(5)]
    assert {one["userid"] for one in scans} == {"a"}


@pytest.mark.wecom("externalcontact/send_welcome_msg")
def test_a_welcome_is_sent_once_to_who_has_just_come(sandbox: Client) -> None:
    way = sandbox.post("add_contact_way", **SOLE)["config_id"]
    text = {"content": "您好"}

    def come(**more: object) -> str:
        return sandbox.control("scan", way=way, **more)["scans"][0]["welcome_code"]

    code = come()
    assert sandbox.post("send_welcome_msg", text=text)["errcode"] == 41049
    assert sandbox.post("send_welcome_msg", welcome_code=code)["errcode"] == 40063
    assert sandbox.post("send_welcome_msg", welcome_code="junk", text=text)["errcode"] == 41050
    assert sandbox.post("send_welcome_msg", welcome_code=code, text=text)["errcode"] == 0
    assert sandbox.post("send_welcome_msg", welcome_code=code, text=text)["errcode"] == 41050
    assert come(welcome=False) == ""
    half = come(external_userid="wmd", half=True)
    assert sandbox.post("send_welcome_msg", welcome_code=half, text=text)["errcode"] == 0
    assert come(external_userid="wmd") == ""  # the code of the half-added was used
    talked = come(external_userid="wmc3")
    at = (START - timedelta(days=1)).isoformat()
    row = {"userid": "a", "external_userid": "wmc3", "added_at": at, "last_talk_at": at}
    sandbox.control("relations", relations=[row])
    assert sandbox.post("send_welcome_msg", welcome_code=talked, text=text)["errcode"] == 41051


def test_callbacks_are_lost_doubled_and_overtaken_as_it_was_set(sandbox: Client, house: House) -> None:
    box = Box()
    sandbox.control(
        "faults",
        faults=[
            {"api": "callback", "kind": "lose", "times": 1},
            {"api": "callback", "kind": "duplicate", "times": 1},
            {"api": "callback", "kind": "latency", "times": 1, "seconds": 0.3},
        ],
    )
    way = sandbox.post("add_contact_way", **SOLE)["config_id"]
    for who in ("wmc0", "wmc1", "wmc2", "wmc3"):
        sandbox.control("scan", way=way, external_userid=who)
    sandbox.control("callbacks", url=box.open(house), token="token", key=KEY)
    came = [one["ExternalUserID"] for one in box.first(4)]
    assert sorted(came[:3]) == ["wmc1", "wmc1", "wmc3"]
    assert came[3] == "wmc2"

"""Every call with its success and its documented failures, side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import httpx
import pytest

from tests.sandbox.conftest import START, Client, Held, small_world
from tests.sandbox.files import mp4, png
from yutang.sandbox import media

POSTS = (
    "batch/get_by_user",
    "add_msg_template",
    "remind_groupmsg_send",
    "cancel_groupmsg_send",
    "get_groupmsg_list_v2",
    "get_groupmsg_task",
    "get_groupmsg_send_result",
)
GETS = ("externalcontact/get_follow_user_list", "externalcontact/list", "externalcontact/get")


@pytest.mark.wecom("gettoken")
def test_gettoken_gives_the_same_token_and_names_what_is_wrong(sandbox: Client) -> None:
    good = {"corpid": "ww-sandbox", "corpsecret": "synthetic"}
    first, second = sandbox.get("gettoken", **good), sandbox.get("gettoken", **good)
    assert first["errcode"] == 0
    assert first["access_token"] == second["access_token"]
    assert 7100 < second["expires_in"] <= 7200
    assert sandbox.get("gettoken", corpsecret="synthetic")["errcode"] == 41002
    assert sandbox.get("gettoken", corpid="ww-sandbox")["errcode"] == 41004
    assert sandbox.get("gettoken", corpid="ww-other", corpsecret="synthetic")["errcode"] == 40013
    assert sandbox.get("gettoken", corpid="ww-sandbox", corpsecret="wrong")["errcode"] == 40001


def test_the_envelope_is_http_200_with_hint_and_mirrored_headers(sandbox: Client) -> None:
    good = sandbox.http.get("/cgi-bin/externalcontact/list", params={"access_token": sandbox.token, "userid": "a"})
    bad = sandbox.http.get("/cgi-bin/externalcontact/list", params={"userid": "a"})
    assert (good.status_code, good.headers["error-code"], good.headers["error-msg"]) == (200, "0", "ok")
    assert (bad.status_code, bad.headers["error-code"]) == (200, "41001")
    assert bad.json()["external_userid"] == []
    assert re.fullmatch(
        r"access_token missing, hint: \[\d{24}\], from ip: 127\.0\.0\.1, "
        r"more info at https://open\.work\.weixin\.qq\.com/devtool/query\?e=41001",
        bad.json()["errmsg"],
    )
    assert bad.headers["error-msg"] == bad.json()["errmsg"]
    assert bad.headers["content-type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize("api", [*GETS, *(f"externalcontact/{name}" for name in POSTS)])
def test_every_call_checks_the_token_before_its_parameters(sandbox: Client, api: str) -> None:
    method = "GET" if api in GETS else "POST"
    codes = [
        sandbox.http.request(method, f"/cgi-bin/{api}", params=query, content=b"{broken").json()["errcode"]
        for query in ({}, {"access_token": "junk"}, {"access_token": sandbox.token})
    ]
    assert codes[:2] == [41001, 40014]
    assert codes[2] in ((0, 41009, 41035) if method == "GET" else (40058,))


def test_an_expired_token_and_a_withdrawn_one_differ(
    open_sandbox: Callable[..., Client], wall: Callable[[float], None]
) -> None:
    wall(0)
    short = open_sandbox(small_world(token_seconds=7_200), name="short")
    wall(7_201)
    assert short.get("externalcontact/list", userid="a")["errcode"] == 42001
    short.token = short.get("gettoken", corpid="ww-sandbox", corpsecret="synthetic")["access_token"]
    assert short.get("externalcontact/list", userid="a")["errcode"] == 0
    short.control("faults", faults=[], revoke_tokens=True)
    assert short.get("externalcontact/list", userid="a")["errcode"] == 40014


def test_the_ip_gate_comes_after_the_token_and_before_parameters(open_sandbox: Callable[..., Client]) -> None:
    gated = open_sandbox(small_world(trusted_ips=("10.0.0.1",)))
    assert gated.get("externalcontact/list")["errcode"] == 60020
    assert gated.http.get("/cgi-bin/externalcontact/list").json()["errcode"] == 41001


@pytest.mark.wecom("externalcontact/get_follow_user_list")
def test_the_follow_user_list_names_every_member(sandbox: Client) -> None:
    assert sandbox.get("externalcontact/get_follow_user_list")["follow_user"] == ["a", "b", "idle"]


def test_list_gives_all_customers_or_84061_when_there_are_none(sandbox: Client) -> None:
    assert sandbox.get("externalcontact/list", userid="A")["external_userid"] == ["wmc0", "wmc1", "wmc2", "wmc3"]
    none = sandbox.get("externalcontact/list", userid="idle")
    assert (none["errcode"], none["external_userid"]) == (84061, [])
    assert sandbox.get("externalcontact/list", userid="nobody")["errcode"] == 40003
    assert sandbox.get("externalcontact/list")["errcode"] == 41009


def test_get_shows_one_customer_with_followers(sandbox: Client) -> None:
    found = sandbox.get("externalcontact/get", external_userid="wmc2")
    assert found["external_contact"] == {"external_userid": "wmc2", "name": "顾客 c2", "type": 1, "gender": 0}
    assert [(one["userid"], one["tags"]) for one in found["follow_user"]] == [("a", []), ("b", [])]
    unknown = sandbox.get("externalcontact/get", external_userid="wmC2")
    assert (unknown["errcode"], unknown["follow_user"]) == (40096, [])
    assert "invalid string value `wmC2`. invalid external userid" in unknown["errmsg"]
    assert sandbox.get("externalcontact/get", external_userid="wmd")["errcode"] == 84061
    assert sandbox.get("externalcontact/get")["errcode"] == 41035


def test_batch_pages_are_short_and_the_cursor_leads_to_all(sandbox: Client) -> None:
    seen, cursor, pages = [], "", 0
    while True:
        answer = sandbox.post("batch/get_by_user", userid_list=["a", "b", "idle"], limit=2, cursor=cursor)
        seen += [
            (row["follow_info"]["userid"], row["external_contact"]["external_userid"])
            for row in answer["external_contact_list"]
        ]
        pages += 1
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert seen == [("a", f"wmc{index}") for index in range(4)] + [("b", "wmc2")]
    assert pages >= 3
    assert sandbox.post("batch/get_by_user", userid_list=[])["errcode"] == 40063
    assert sandbox.post("batch/get_by_user", userid_list=["nobody"])["errcode"] == 40003
    assert sandbox.post("batch/get_by_user", userid_list=["a"] * 101)["errcode"] == 40058
    assert sandbox.post("batch/get_by_user", userid_list=["a"], cursor="junk")["errcode"] == 50100


@pytest.mark.wecom("externalcontact/add_msg_template")
def test_what_is_attached_must_be_there_be_of_its_kind_and_not_be_too_old(
    sandbox: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = sandbox.upload("media/upload", png(), type="image")["media_id"]
    video = sandbox.upload("media/upload", mp4(), type="video")["media_id"]
    paper = sandbox.upload("media/upload", b"some words", "目录.txt", type="file")["media_id"]
    address = sandbox.upload("media/uploadimg", png())["url"]
    card = {"title": "商城", "appid": "wx0123456789abcdef", "page": "pages/new.html", "pic_media_id": picture}
    good = [
        {"msgtype": "image", "image": {"media_id": picture}},
        {"msgtype": "image", "image": {"pic_url": address}},
        {"msgtype": "miniprogram", "miniprogram": card},
        {"msgtype": "video", "video": {"media_id": video}},
        {"msgtype": "file", "file": {"media_id": paper}},
    ]

    def code(*parts: object) -> int:
        return sandbox.post("add_msg_template", sender="a", external_userid=["wmc0"], attachments=parts)["errcode"]

    assert code(*good) == 0
    assert code(*good, *good) == 41064
    assert code({"msgtype": "image", "image": {"media_id": "gone"}}) == 40007
    assert code({"msgtype": "image", "image": {"media_id": video}}) == 40007
    assert code({"msgtype": "image", "image": {"pic_url": "https://elsewhere.example/a.png"}}) == 40007
    assert code({"msgtype": "image", "image": {"media_id": sandbox.attachment(1)}}) == 40007
    assert code({"msgtype": "miniprogram", "miniprogram": {**card, "pic_media_id": paper}}) == 40007
    assert code({"msgtype": "miniprogram", "miniprogram": {**card, "title": "长" * 22}}) == 40058
    assert code({"msgtype": "image", "image": {"media_id": "gone"}}, {"msgtype": "link", "link": {}}) == 40063
    monkeypatch.setattr(media, "LIFE", -1.0)
    assert code(good[0]) == 40007
    assert code(good[1]) == 0


@pytest.mark.wecom("externalcontact/add_msg_template")
def test_a_message_is_refused_for_the_field_that_is_wrong(sandbox: Client) -> None:
    text = {"content": "你好"}
    link = {"msgtype": "link", "link": {"title": "新品", "url": "https://example.com"}}

    def code(**body: object) -> int:
        return sandbox.post("add_msg_template", **{"sender": "a", "external_userid": ["wmc0"], "text": text, **body})[
            "errcode"
        ]

    assert code() == 0
    assert code(attachments=[link]) == 0
    assert code(text={"content": "好" * 1333}) == 0
    assert code(text={"content": "好" * 1334}) == 40058
    assert code(text={}) == 40063
    assert code(text=None) == 40063
    assert code(text="words") == 40058
    assert code(attachments=[link] * 10) == 41064
    assert code(attachments=[{"msgtype": "voice", "voice": {"media_id": "m"}}]) == 41065
    assert code(attachments=[{"msgtype": "link", "link": {}}]) == 40063
    assert code(attachments=[{"msgtype": "link", "link": {"title": "t" * 129, "url": "https://example.com"}}]) == 40058
    assert code(attachments=[{"msgtype": "image", "image": {"pic_url": ""}}]) == 40063
    assert code(chat_type="crowd") == 40058
    assert code(chat_type="group", sender="") == 40063
    assert code(chat_type="group") == 41048
    assert code(external_userid="wmc0") == 40058
    assert code(external_userid=[f"wm{n}" for n in range(10_001)]) == 40058
    half = b'{"sender": "a", "external_userid": ["\\ud800"], "text": {"content": "x"}}'
    query = {"access_token": sandbox.token}
    answer = sandbox.http.post("/cgi-bin/externalcontact/add_msg_template", params=query, content=half).json()
    assert answer["errcode"] == 40058
    assert code(sender="", external_userid=[]) == 40063
    assert code(sender="nobody") == 40003
    assert code(external_userid=[], tag_filter={"group_list": [{"tag_list": ["et1"]}]}) == 40068
    assert code(external_userid=["wmx", "wmy"]) == 40096
    assert code(external_userid=["wmd", "wmx"]) == 84061
    assert code(sender="idle", external_userid=[]) == 41048


@pytest.mark.wecom("externalcontact/add_msg_template")
def test_unsendable_recipients_come_back_and_the_rest_are_asked_for(sandbox: Client) -> None:
    made = sandbox.send("wmc0", "wmd", "wmx", "wmc0")
    assert (made["errcode"], made["fail_list"]) == (0, ["wmd", "wmx"])
    assert sandbox.results(made["msgid"]) == {"wmc0": 0}


@pytest.mark.wecom("externalcontact/get_groupmsg_send_result", "externalcontact/get_groupmsg_task")
def test_results_are_refused_while_the_task_is_being_dispatched(
    open_sandbox: Callable[..., Client], wall: Callable[[float], None]
) -> None:
    wall(0)
    slow = open_sandbox(small_world(dispatch_seconds=0.5))
    msgid = slow.send("wmc0")["msgid"]
    assert slow.post("get_groupmsg_task", msgid=msgid)["errcode"] == 41063
    assert slow.post("get_groupmsg_send_result", msgid=msgid, userid="a")["errcode"] == 41063
    wall(0.6)
    assert slow.post("get_groupmsg_task", msgid=msgid)["task_list"] == [{"userid": "a", "status": 0}]
    assert slow.results(msgid) == {"wmc0": 0}


def test_results_name_the_argument_that_is_missing_or_wrong(sandbox: Client) -> None:
    msgid = sandbox.send("wmc0")["msgid"]
    for call in POSTS[2:4] + POSTS[5:]:
        assert sandbox.post(call)["errcode"] == 41046
        assert sandbox.post(call, msgid="msg-unknown", userid="a")["errcode"] == 41047
    assert sandbox.post("get_groupmsg_send_result", msgid=msgid)["errcode"] == 41009
    assert sandbox.post("get_groupmsg_send_result", msgid=msgid, userid="nobody")["errcode"] == 40003
    assert sandbox.post("get_groupmsg_task", msgid=msgid, limit=-1)["errcode"] == 40058
    assert sandbox.post("get_groupmsg_task", msgid=msgid, limit="5")["errcode"] == 40058
    assert sandbox.post("get_group_msg_result", msgid=msgid)["errcode"] == 48005
    assert sandbox.get("externalcontact/get_groupmsg_task", msgid=msgid)["errcode"] == 40058


@pytest.mark.wecom("externalcontact/get_groupmsg_list_v2")
def test_the_record_lists_tasks_without_a_creator(sandbox: Client) -> None:
    msgids = [sandbox.send("wmc0", text=f"第 {n} 条")["msgid"] for n in range(5)]
    now = int(START.timestamp())
    window = {"chat_type": "single", "start_time": now - 60, "end_time": now + 60}
    seen, cursor = [], ""
    while True:
        answer = sandbox.post("get_groupmsg_list_v2", **window, limit=2, cursor=cursor)
        seen += answer["group_msg_list"]
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert {row["msgid"] for row in seen} == set(msgids)
    assert len(seen) == 5
    assert all("creator" not in row and row["create_type"] == 0 and row["create_time"] == now for row in seen)
    assert {row["text"]["content"] for row in seen} == {f"第 {n} 条" for n in range(5)}
    assert sandbox.post("get_groupmsg_list_v2", **window, filter_type=1)["group_msg_list"] == []
    assert sandbox.post("get_groupmsg_list_v2", **{**window, "end_time": now + 32 * 86_400})["errcode"] == 40058
    assert sandbox.post("get_groupmsg_list_v2", start_time=now, end_time=now)["errcode"] == 40058


def test_frequency_is_limited_per_call_and_then_blocked(
    open_sandbox: Callable[..., Client], wall: Callable[[float], None]
) -> None:
    wall(0)
    strict = open_sandbox(small_world(per_minute=5))
    codes = [strict.get("externalcontact/list", userid="a")["errcode"] for _ in range(12)]
    assert codes == [0] * 5 + [45009] * 7
    assert strict.get("externalcontact/get_follow_user_list")["errcode"] == 0


def test_too_many_at_once_are_refused(open_sandbox: Callable[..., Client], held: Held) -> None:
    client = open_sandbox(small_world(concurrent=2))
    client.control("faults", faults=[{"api": "externalcontact/list", "kind": "latency", "seconds": 0.3}])
    with ThreadPoolExecutor(6) as pool:
        calls = as_completed([pool.submit(client.get, "externalcontact/list", userid="a") for _ in range(6)])
        codes = [next(calls).result()["errcode"] for _ in range(4)]
        held.let_go()
        codes += [call.result()["errcode"] for call in calls]
    assert codes == [45033] * 4 + [0] * 2


def test_faults_strike_as_often_as_they_were_set(sandbox: Client) -> None:
    sandbox.control("faults", faults=[{"api": "*", "kind": "refuse", "errcode": -1, "times": 2}])
    codes = [sandbox.get("externalcontact/list", userid="a")["errcode"] for _ in range(3)]
    assert codes == [-1, -1, 0]
    sandbox.control(
        "faults",
        faults=[{"api": "externalcontact/list", "kind": "refuse", "errcode": 45009, "times": 1, "seconds": 30}],
    )
    assert [sandbox.get("externalcontact/list", userid="a")["errcode"] for _ in range(3)] == [45009] * 3
    sandbox.control("faults", faults=[])
    assert sandbox.get("externalcontact/list", userid="a")["errcode"] == 0


def test_a_dropped_answer_hides_an_act_that_was_done(sandbox: Client) -> None:
    sandbox.control("faults", faults=[{"api": "externalcontact/add_msg_template", "kind": "drop_answer", "times": 1}])
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.send("wmc0")
    assert sandbox.state()["tasks"] == 1


def test_an_unseeded_sandbox_knows_no_corp(open_sandbox: Callable[..., Client]) -> None:
    empty = open_sandbox()
    assert empty.get("gettoken", corpid="ww-sandbox", corpsecret="synthetic")["errcode"] == 40013
    assert empty.get("externalcontact/list", userid="a")["errcode"] == 41001
    assert empty.http.get("/control/state").status_code == 404

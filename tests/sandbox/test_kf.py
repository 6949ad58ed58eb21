"""WeChat customer service as the platform documents it: each call with its success and its refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.sandbox.conftest import DAY, HOUR, START, Client


def kf(sandbox: Client, api: str, /, **body: object) -> dict:
    return sandbox.http.post(f"/cgi-bin/kf/{api}", params={"access_token": sandbox.token}, json=body).json()


def does(sandbox: Client, account: str, do: str, who: str = "wmc0", **more: object) -> dict:
    return sandbox.control("service", do=do, open_kfid=account, external_userid=who, **more)


@pytest.fixture
def account(sandbox: Client) -> str:
    return kf(sandbox, "account/add", name="门店客服", media_id="pic")["open_kfid"]


def read_all(sandbox: Client, account: str, limit: int = 1000) -> list[dict]:
    found, cursor, more = [], "", 1
    while more:
        page = kf(sandbox, "sync_msg", open_kfid=account, cursor=cursor, limit=limit)
        assert page["errcode"] == 0, page
        found += page["msg_list"]
        cursor, more = page["next_cursor"], page["has_more"]
    return found


@pytest.mark.wecom("kf/account/add", "kf/account/update", "kf/account/del", "kf/account/list", "kf/add_contact_way")
def test_accounts_are_made_changed_listed_and_taken_away(sandbox: Client, account: str) -> None:
    assert kf(sandbox, "account/add", media_id="pic")["errcode"] == 95006
    assert kf(sandbox, "account/add", name="十七个字符的名字十七个字符的名字吧", media_id="pic")["errcode"] == 95006
    assert kf(sandbox, "account/add", name="无图")["errcode"] == 40058
    assert kf(sandbox, "account/update", open_kfid=account)["errcode"] == 40063
    assert kf(sandbox, "account/update", open_kfid=account, name="总部客服")["errcode"] == 0
    second = kf(sandbox, "account/add", name="二号", media_id="pic")["open_kfid"]
    listed = kf(sandbox, "account/list")["account_list"]
    assert [(one["open_kfid"], one["name"]) for one in listed] == [(account, "总部客服"), (second, "二号")]
    assert [one["name"] for one in kf(sandbox, "account/list", offset=1, limit=1)["account_list"]] == ["二号"]
    assert account in kf(sandbox, "add_contact_way", open_kfid=account, scene="poster_1")["url"]
    assert kf(sandbox, "add_contact_way", open_kfid=account, scene="海报")["errcode"] == 40058
    assert kf(sandbox, "add_contact_way")["errcode"] == 95000
    assert kf(sandbox, "account/del", open_kfid=second)["errcode"] == 0
    assert kf(sandbox, "account/del", open_kfid=second)["errcode"] == 95004


@pytest.mark.wecom("kf/servicer/add", "kf/servicer/del", "kf/servicer/list")
def test_servicers_come_and_go_each_with_a_word_of_its_own(sandbox: Client, account: str) -> None:
    added = kf(sandbox, "servicer/add", open_kfid=account, userid_list=["A", "nobody"], department_id_list=[2])
    assert [(one.get("userid", one.get("department_id")), one["errcode"]) for one in added["result_list"]] == [
        ("A", 0),
        ("nobody", 40003),
        (2, 0),
    ]
    does(sandbox, account, "status", userid="a", on=False, hold=True)
    listed = sandbox.get("kf/servicer/list", open_kfid=account)["servicer_list"]
    assert listed == [{"userid": "a", "status": 1, "stop_type": 1}, {"department_id": 2}]
    assert kf(sandbox, "servicer/add", open_kfid=account)["errcode"] == 40063
    assert kf(sandbox, "servicer/del", open_kfid=account, userid_list=["a"], department_id_list=[2])["errcode"] == 0
    assert sandbox.get("kf/servicer/list", open_kfid=account)["servicer_list"] == []


@pytest.mark.wecom("kf/sync_msg")
def test_messages_are_read_by_a_cursor_and_an_empty_page_is_not_the_end(sandbox: Client, account: str) -> None:
    does(sandbox, account, "enter", scene="poster_1", scene_param="x")
    for index in range(12):
        does(sandbox, account, "say", text=f"第 {index} 句")
    pages, cursor, more = [], "", 1
    while more:
        page = kf(sandbox, "sync_msg", open_kfid=account, cursor=cursor, limit=1)
        pages.append(page["msg_list"])
        cursor, more = page["next_cursor"], page["has_more"]
    said = [one for page in pages for one in page]
    assert [one["text"]["content"] for one in said[1:]] == [f"第 {index} 句" for index in range(12)]
    assert [] in pages[:-1]
    entered = said[0]
    assert (entered["origin"], entered["event"]["event_type"], entered["event"]["scene"]) == (
        4,
        "enter_session",
        "poster_1",
    )
    assert "external_userid" not in entered
    assert len({one["msgid"] for one in said}) == 13
    assert kf(sandbox, "sync_msg", open_kfid=account, cursor="junk")["errcode"] == 50100
    assert kf(sandbox, "sync_msg")["errcode"] == 95000
    assert kf(sandbox, "sync_msg", open_kfid=account, token="nobody's")["errcode"] == 95007
    codes = {kf(sandbox, "sync_msg", open_kfid=account, cursor=cursor)["errcode"] for _ in range(30)}
    assert codes == {0, 45009}  # without the bell's token it may be asked only now and then
    sandbox.advance(START + 4 * DAY)
    does(sandbox, account, "say", text="后来")
    token = does(sandbox, account, "bell")["token"]
    page = kf(sandbox, "sync_msg", open_kfid=account, token=token)
    assert [one["text"]["content"] for one in page["msg_list"]] == ["后来"]  # three days are kept


@pytest.mark.wecom("kf/send_msg")
def test_five_answers_within_48_hours_of_the_customers_word(sandbox: Client, account: str) -> None:
    text = {"msgtype": "text", "text": {"content": "您好"}}
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **text)["errcode"] == 40096
    does(sandbox, account, "enter")
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **text)["errcode"] == 95002
    does(sandbox, account, "say", text="在吗")
    sent = kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, msgid="yt_1", **text)
    assert sent["msgid"] == "yt_1"
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, msgid="yt_1", **text)["errcode"] == 40058
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, msgid="不行", **text)["errcode"] == 40058
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, msgtype="poem")["errcode"] == 40008
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, msgtype="text")["errcode"] == 40063
    assert kf(sandbox, "service_state/get", open_kfid=account, external_userid="wmc0")["service_state"] == 1
    codes = [kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **text)["errcode"] for _ in range(5)]
    assert codes == [0, 0, 0, 0, 95001]
    does(sandbox, account, "say", text="还在吗")
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **text)["errcode"] == 0
    sandbox.advance(START + 48 * HOUR)
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **text)["errcode"] == 95002
    events = [one["event"]["event_type"] for one in read_all(sandbox, account) if one["msgtype"] == "event"]
    assert events == ["enter_session"]  # what the API sends is not told


def test_every_type_of_message_is_read_or_refused(sandbox: Client, account: str) -> None:
    does(sandbox, account, "enter")
    goods: list[dict] = [
        {"msgtype": "image", "image": {"media_id": "m"}},
        {"msgtype": "link", "link": {"title": "t" * 300, "url": "https://a.example", "thumb_media_id": "m"}},
        {"msgtype": "miniprogram", "miniprogram": {"appid": "wx1", "pagepath": "p.html", "thumb_media_id": "m"}},
        {"msgtype": "location", "location": {"name": "店", "latitude": 31.2, "longitude": 121}},
        {"msgtype": "ca_link", "ca_link": {"link_url": "https://work.weixin.qq.com/ca/x"}},
        {"msgtype": "msgmenu", "msgmenu": {"list": [{"type": "click", "click": {"id": "1", "content": "满意"}}]}},
    ]  # fmt: skip
    bads: list[tuple[dict, int]] = [
        ({"msgtype": "location", "location": {"latitude": 91, "longitude": 0}}, 40058),
        ({"msgtype": "msgmenu", "msgmenu": {"list": [{"type": "dance"}]}}, 95009),
        ({"msgtype": "msgmenu", "msgmenu": {"list": [{"type": "click", "click": {"content": "x"}}] * 11}}, 95008),
    ]
    for good in goods:
        does(sandbox, account, "say", text="在")
        assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **good)["errcode"] == 0, good
    for wrong, code in bads:
        assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **wrong)["errcode"] == code, wrong


def test_what_was_taken_may_fail_afterwards_and_an_event_says_so(sandbox: Client, account: str) -> None:
    does(sandbox, account, "enter")
    does(sandbox, account, "say", text="别再发了")
    does(sandbox, account, "reject")
    text = {"msgtype": "text", "text": {"content": "您好"}}
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, msgid="yt_1", **text)["errcode"] == 0
    told = [one["event"] for one in read_all(sandbox, account) if one["msgtype"] == "event"]
    assert (told[-1]["event_type"], told[-1]["fail_msgid"], told[-1]["fail_type"]) == ("msg_send_fail", "yt_1", 10)
    assert told[-2]["reject_switch"] == 1


@pytest.mark.wecom("kf/service_state/get", "kf/service_state/trans", "kf/send_msg_on_event")
def test_states_go_their_documented_ways_and_give_codes_that_work_once(sandbox: Client, account: str) -> None:
    text = {"msgtype": "text", "text": {"content": "请稍候"}}
    menu = {"msgtype": "msgmenu", "msgmenu": {"head_content": "满意吗"}}
    welcome = does(sandbox, account, "enter")["welcome_code"]
    assert kf(sandbox, "send_msg_on_event", code=welcome, **menu)["errcode"] == 0
    assert kf(sandbox, "send_msg_on_event", code=welcome, **text)["errcode"] == 40029
    assert does(sandbox, account, "enter")["welcome_code"] == ""  # welcomed within 48 hours

    def state() -> int:
        return int(kf(sandbox, "service_state/get", open_kfid=account, external_userid="wmc0")["service_state"])

    def move(to: int, **more: object) -> dict:
        return kf(sandbox, "service_state/trans", open_kfid=account, external_userid="wmc0", service_state=to, **more)

    assert state() == 4
    assert move(2)["errcode"] == 95016
    does(sandbox, account, "say", text="在吗")
    assert state() == 0
    waiting = move(2)["msg_code"]
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **text)["errcode"] == 95018
    assert kf(sandbox, "send_msg_on_event", code=waiting, **menu)["errcode"] == 40008  # only text while one waits
    assert kf(sandbox, "send_msg_on_event", code=waiting, **text)["errcode"] == 0
    assert move(3, servicer_userid="a")["errcode"] == 95014
    kf(sandbox, "servicer/add", open_kfid=account, userid_list=["a", "b"])
    taken = move(3, servicer_userid="a")["msg_code"]
    got = kf(sandbox, "service_state/get", open_kfid=account, external_userid="wmc0")
    assert (got["service_state"], got["servicer_userid"]) == (3, "a")
    does(sandbox, account, "end")
    assert kf(sandbox, "send_msg_on_event", code=taken, **text)["errcode"] == 95018  # no longer where it was given
    assert kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, **text)["errcode"] == 95013
    ended = [one["event"] for one in read_all(sandbox, account) if one["msgtype"] == "event"][-1]
    assert (ended["change_type"], ended["old_servicer_userid"]) == (3, "a")
    assert kf(sandbox, "send_msg_on_event", code=ended["msg_code"], **menu)["errcode"] == 0
    assert move(3, servicer_userid="b")["errcode"] == 95016


@pytest.mark.wecom("kf/customer/batchget")
def test_customers_of_the_last_48_hours_are_named(sandbox: Client, account: str) -> None:
    does(sandbox, account, "enter", scene="poster_1")
    found = kf(sandbox, "customer/batchget", external_userid_list=["wmc0", "wmc1"], need_enter_session_context=1)
    assert [(one["nickname"], one["enter_session_context"]["scene"]) for one in found["customer_list"]] == [
        ("顾客 c0", "poster_1")
    ]
    assert found["invalid_external_userid"] == ["wmc1"]
    assert kf(sandbox, "customer/batchget")["errcode"] == 40063


@pytest.mark.wecom("kf/get_corp_statistic", "kf/get_servicer_statistic")
def test_the_figures_of_a_day_come_the_next_day(sandbox: Client, account: str) -> None:
    kf(sandbox, "servicer/add", open_kfid=account, userid_list=["a"])
    does(sandbox, account, "enter")
    does(sandbox, account, "say", text="在吗")
    kf(sandbox, "send_msg", touser="wmc0", open_kfid=account, msgtype="text", text={"content": "转人工"})
    does(sandbox, account, "claim", userid="a")
    does(sandbox, account, "say", text="尺码")
    sandbox.advance(START + timedelta(seconds=30))
    does(sandbox, account, "answer", text="L 码")
    today = int(START.timestamp())
    assert kf(sandbox, "get_corp_statistic", open_kfid=account, start_time=today, end_time=today)["errcode"] == 40058
    sandbox.advance(START + DAY)
    asked = {"open_kfid": account, "start_time": today - 86_400, "end_time": today}
    before, day = kf(sandbox, "get_corp_statistic", **asked)["statistic_list"]
    assert "statistic" not in before
    figures = day["statistic"]
    assert (figures["session_cnt"], figures["customer_msg_cnt"], figures["ai_transfer_rate"]) == (1, 2, 1)
    by_hand = kf(sandbox, "get_servicer_statistic", servicer_userid="a", **asked)["statistic_list"][1]["statistic"]
    assert (by_hand["customer_msg_cnt"], by_hand["reply_rate"], by_hand["first_reply_average_sec"]) == (1, 1, 30)

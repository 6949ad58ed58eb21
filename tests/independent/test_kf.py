"""wechatpy speaks to the sandbox's customer service. Its sync_msg names no account (a known fault), and it has no
methods for accounts' changes, figures and departments: there only its transport speaks, with the documents' bodies."""

from __future__ import annotations

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import DAY, START, Client


@pytest.fixture
def account(theirs: WeChatClient) -> str:
    return str(theirs.post("kf/account/add", json={"name": "新建的客服账号", "media_id": "294DpAog3YA"})["open_kfid"])


def does(sandbox: Client, account: str, do: str, **more: object) -> dict:
    return sandbox.control("service", do=do, open_kfid=account, external_userid="wmc0", **more)


@pytest.mark.wecom("kf/account/add", "kf/account/update", "kf/account/list", "kf/account/del", raw=True)
def test_accounts_by_the_documents_bodies(theirs: WeChatClient, account: str) -> None:
    theirs.post("kf/account/update", json={"open_kfid": account, "name": "修改客服名", "media_id": "294DpAog3YA"})
    listed = theirs.post("kf/account/list", json={"offset": 0, "limit": 100})["account_list"]
    assert [(one["open_kfid"], one["name"]) for one in listed] == [(account, "修改客服名")]
    theirs.post("kf/account/del", json={"open_kfid": account})
    with pytest.raises(WeChatClientException, match="95004"):
        theirs.kf.add_contact_way(account, "12345")


@pytest.mark.wecom("kf/add_contact_way", "kf/servicer/add", "kf/servicer/list", "kf/servicer/del")
def test_links_and_servicers(theirs: WeChatClient, account: str) -> None:
    assert account in theirs.kf.add_contact_way(account, "12345")["url"]
    added = theirs.kf.add_servicer(account, ["a", "nobody"])["result_list"]
    assert [one["errcode"] for one in added] == [0, 40003]
    assert theirs.kf.get_servicer_list(account)["servicer_list"] == [{"userid": "a", "status": 0}]
    assert theirs.kf.del_servicer(account, "a")["result_list"][0]["errcode"] == 0


@pytest.mark.wecom(
    "kf/send_msg", "kf/send_msg_on_event", "kf/service_state/get", "kf/service_state/trans", "kf/customer/batchget"
)
def test_a_customer_is_answered(sandbox: Client, theirs: WeChatClient, account: str) -> None:
    code = does(sandbox, account, "enter")["welcome_code"]
    theirs.kf.send_msg_on_event(code, "text", {"text": {"content": "欢迎咨询"}}, msgid="MSG_ID")
    does(sandbox, account, "say", text="hello world")
    assert theirs.kf_message.send_text("wmc0", account, "在的", msgid="MSGID")["msgid"] == "MSGID"
    with pytest.raises(WeChatClientException, match="40058"):
        theirs.kf_message.send_text("wmc0", account, "在的", msgid="MSGID")
    items = [{"type": "click", "click": {"id": "101", "content": "满意"}}]
    theirs.kf_message.send_msgmenu("wmc0", account, "满意吗", items, "欢迎再次光临")
    theirs.kf.add_servicer(account, "a")
    assert theirs.kf.trans_service_state(account, "wmc0", 3, "a")["msg_code"]
    assert theirs.kf.get_service_state(account, "wmc0")["servicer_userid"] == "a"
    assert theirs.kf.batchget_customer("wmc0")["customer_list"][0]["nickname"] == "顾客 c0"


@pytest.mark.wecom("kf/sync_msg", "kf/get_corp_statistic", "kf/get_servicer_statistic", raw=True)
def test_messages_and_figures_by_the_documents_bodies(sandbox: Client, theirs: WeChatClient, account: str) -> None:
    does(sandbox, account, "enter")
    does(sandbox, account, "say", text="hello world")
    with pytest.raises(WeChatClientException, match="95000"):
        theirs.kf.sync_msg("")
    asked = {"cursor": "", "token": does(sandbox, account, "bell")["token"], "limit": 1000, "voice_format": 0}
    read = theirs.post("kf/sync_msg", json={**asked, "open_kfid": account})
    if not read["msg_list"]:
        read = theirs.post("kf/sync_msg", json={**asked, "open_kfid": account, "cursor": read["next_cursor"]})
    assert read["msg_list"][-1]["text"] == {"content": "hello world"}
    sandbox.advance(START + DAY)
    days = {"open_kfid": account, "start_time": int(START.timestamp()), "end_time": int(START.timestamp())}
    counted = theirs.post("kf/get_corp_statistic", json=days)["statistic_list"]
    assert counted[0]["statistic"]["customer_msg_cnt"] == 1
    assert "statistic" not in theirs.post("kf/get_servicer_statistic", json=days)["statistic_list"][0]

"""wechatpy's client makes contact ways and welcomes who scans them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import Client


@pytest.mark.wecom(
    "externalcontact/add_contact_way",
    "externalcontact/get_contact_way",
    "externalcontact/update_contact_way",
    "externalcontact/del_contact_way",
)
def test_it_makes_changes_and_deletes_a_way(theirs: WeChatClient) -> None:
    contact = theirs.external_contact
    made = contact.add_contact_way(2, 2, remark="渠道客户", state="teststate", user=["a", "b"])
    contact.update_contact_way(made["config_id"], remark="渠道客户", skip_verify=False, state="s2", user=["b"])
    shown = contact.get_contact_way(made["config_id"])["contact_way"]
    assert (shown["state"], shown["user"], shown["skip_verify"]) == ("s2", ["b"], False)
    contact.del_contact_way(made["config_id"])
    with pytest.raises(WeChatClientException, match="41044"):
        contact.get_contact_way(made["config_id"])


@pytest.mark.wecom("externalcontact/list_contact_way", raw=True)
def test_it_lists_ways(theirs: WeChatClient) -> None:
    made = theirs.external_contact.add_contact_way(1, 2, user=["a"])
    body = {"start_time": 1622476800, "end_time": 4102444800, "limit": 1000}
    listed = theirs.post("externalcontact/list_contact_way", json=body)
    assert listed["contact_way"] == [{"config_id": made["config_id"]}]


@pytest.mark.wecom("externalcontact/add_contact_way")
@pytest.mark.wecom("externalcontact/close_temp_chat", raw=True)
def test_it_closes_a_temporary_chat(sandbox: Client, theirs: WeChatClient) -> None:
    ending = {
        "text": {"content": "文本消息内容"},
        "link": {"title": "消息标题", "url": "https://example.link.com/path"},
    }
    more = {"unionid": "oxTWIuGaIt6gTKsQRLau2M0AAAA", "expires_in": 86400, "chat_expires_in": 86400}
    made = theirs.external_contact.add_contact_way(1, 2, user=["a"], is_temp=True, conclusions=ending, **more)
    sandbox.control("scan", way=made["config_id"], external_userid="wmd", unionid=more["unionid"])
    body = {"userid": "a", "external_userid": "wmd"}
    assert theirs.post("externalcontact/close_temp_chat", json=body)["errcode"] == 0
    with pytest.raises(WeChatClientException, match="84061"):
        theirs.post("externalcontact/close_temp_chat", json=body)


@pytest.mark.wecom("externalcontact/send_welcome_msg")
def test_it_welcomes_who_scans(sandbox: Client, theirs: WeChatClient) -> None:
    way = theirs.external_contact.add_contact_way(1, 2, user=["a"])["config_id"]
    code = sandbox.control("scan", way=way)["scans"][0]["welcome_code"]
    template = {"welcome_code": code, "text": {"content": "文本消息内容"}}
    assert theirs.external_contact.send_welcome_msg(template)["errcode"] == 0
    with pytest.raises(WeChatClientException, match="41050"):
        theirs.external_contact.send_welcome_msg(template)


@pytest.mark.wecom("gettoken")
def test_two_apps_of_a_corp_have_tokens_of_their_own(
    sandbox: Client, theirs: WeChatClient, speaks_to: Callable[..., WeChatClient]
) -> None:
    sandbox.control("apps", apps=[{"agentid": 1000003, "secret": "second", "members": ["b"]}])
    second = speaks_to(sandbox.address, secret="second")
    assert second.access_token != theirs.access_token
    with pytest.raises(WeChatClientException, match="60030"):
        second.external_contact.list("a")
    assert theirs.external_contact.list("a")["errcode"] == 0

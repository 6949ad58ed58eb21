"""Our requests beside those of wechatpy, an independent client, as one and the same server saw them."""

from __future__ import annotations

import warnings
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.channels.wecom.platform import CORP, SECRET, Platform, Request, ok
from yutang.channels.contracts import MessageContent
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.customers import LIST, MEMBERS, WeComCustomers
from yutang.channels.wecom.mass_send import CREATE, WeComMassSend

OFFICIAL = "https://qyapi.weixin.qq.com"


class _To(HTTPAdapter):
    """wechatpy knows only the official address: carry its requests to the loopback server, changed in nothing else."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.target = urlsplit(url)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.url = urlunsplit((self.target.scheme, self.target.netloc, parts.path, parts.query, ""))
        return super().send(request, *args, **{**more, "proxies": {}})


@pytest.fixture
def reference(platform: Platform) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from wechatpy.work import WeChatClient

        client = WeChatClient(CORP, SECRET)
        client._http.mount(OFFICIAL, _To(platform.url))
        yield client


def last(platform: Platform, api: str) -> Request:
    return platform.calls(api)[-1]


def test_a_token_is_asked_for_alike(platform: Platform, client: WeComClient, reference: Any) -> None:
    reference.fetch_access_token()
    theirs = last(platform, "gettoken")
    platform.plays(MEMBERS, ok())
    client.call(MEMBERS)
    assert last(platform, "gettoken") == theirs
    assert len(platform.calls("gettoken")) == 2


def test_reads_are_alike(platform: Platform, client: WeComClient, reference: Any) -> None:
    platform.plays(MEMBERS, ok(follow_user=["zhangsan"]))
    platform.plays(LIST, ok(external_userid=["wm1"]))
    reference.external_contact.get_follow_user_list()
    reference.external_contact.list("zhang san+&é")
    theirs = [last(platform, MEMBERS), last(platform, LIST)]
    ours = WeComCustomers(client)
    ours.follow_users()
    ours.customers_of("zhang san+&é")
    assert [last(platform, MEMBERS), last(platform, LIST)] == theirs
    assert platform.counts() == {"gettoken": 2, MEMBERS: 2, LIST: 2}


def test_a_mass_send_is_asked_for_alike(platform: Platform, client: WeComClient, reference: Any) -> None:
    platform.plays(CREATE, ok(msgid="msgA"))
    template = {
        "chat_type": "single",
        "external_userid": ["wm1", "wm2"],
        "sender": "zhangsan",
        "text": {"content": "龙虾“到”了 🦞"},
    }
    reference.external_contact.add_msg_template(template)
    theirs = last(platform, CREATE)
    WeComMassSend(client).create_task("zhangsan", ["wm1", "wm2"], MessageContent("龙虾“到”了 🦞"))
    assert last(platform, CREATE) == theirs
    assert len(platform.calls(CREATE)) == 2

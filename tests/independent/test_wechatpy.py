"""wechatpy's client of a corp, for the calls that it makes as the platform's documents say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wechatpy.exceptions import APILimitedException, WeChatClientException
from wechatpy.work import WeChatClient

from tests.independent.test_messages import a_file
from tests.sandbox.conftest import Client
from tests.sandbox.files import mp4, png


@pytest.mark.wecom(
    "gettoken",
    "externalcontact/get_follow_user_list",
    "externalcontact/list",
    "externalcontact/get",
    "externalcontact/add_msg_template",
)
def test_it_reads_contacts_and_asks_for_a_mass_send(sandbox: Client, theirs: WeChatClient) -> None:
    assert theirs.external_contact.get_follow_user_list()["follow_user"] == ["a", "b", "idle"]
    assert theirs.access_token == sandbox.token
    assert theirs.external_contact.list("a")["external_userid"] == ["wmc0", "wmc1", "wmc2", "wmc3"]
    assert theirs.external_contact.get("wmc2")["external_contact"]["name"] == "顾客 c2"
    made = theirs.external_contact.add_msg_template(
        {"external_userid": ["wmc0", "wmd"], "sender": "a", "text": {"content": "上新了"}}
    )
    assert made["fail_list"] == ["wmd"]
    assert sandbox.results(made["msgid"]) == {"wmc0": 0}


@pytest.mark.wecom("externalcontact/add_msg_template", "media/upload")
def test_what_it_uploads_it_may_attach_to_a_mass_send(sandbox: Client, theirs: WeChatClient) -> None:
    picture = theirs.media.upload("image", a_file(png(), "a.png"))["media_id"]
    card = {"title": "消息标题", "pic_media_id": picture, "appid": "wx8bd80126147df384", "page": "/path/index"}
    parts = [
        {"msgtype": "image", "image": {"media_id": picture}},
        {"msgtype": "link", "link": {"title": "消息标题", "url": "https://example.link.com/path"}},
        {"msgtype": "miniprogram", "miniprogram": card},
        {"msgtype": "video", "video": {"media_id": theirs.media.upload("video", a_file(mp4(), "a.mp4"))["media_id"]}},
        {"msgtype": "file", "file": {"media_id": theirs.media.upload("file", a_file(b"some words", "a"))["media_id"]}},
    ]
    asked = {"external_userid": ["wmc0"], "sender": "a", "attachments": parts}
    made = theirs.external_contact.add_msg_template(asked)
    assert sandbox.results(made["msgid"]) == {"wmc0": 0}
    bad = [{"msgtype": "image", "image": {"media_id": "MEDIA_ID"}}]
    with pytest.raises(WeChatClientException, match="40007"):
        theirs.external_contact.add_msg_template({**asked, "attachments": bad})
    with pytest.raises(WeChatClientException, match="41064"):
        theirs.external_contact.add_msg_template({**asked, "attachments": parts * 2})


def test_it_understands_the_refusals(
    sandbox: Client, theirs: WeChatClient, speaks_to: Callable[..., WeChatClient]
) -> None:
    with pytest.raises(WeChatClientException, match="40001"):
        speaks_to(sandbox.address, secret="wrong").external_contact.get_follow_user_list()
    with pytest.raises(WeChatClientException, match="84061"):
        theirs.external_contact.list("idle")
    sandbox.control("faults", faults=[{"api": "*", "kind": "refuse", "errcode": 45009, "times": 1}])
    with pytest.raises(APILimitedException):
        theirs.external_contact.list("a")
    sandbox.control("faults", faults=[], revoke_tokens=True)
    assert theirs.external_contact.list("a")["errcode"] == 0  # refreshed on 40014 and replayed

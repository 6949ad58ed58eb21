"""wechatpy knows only the retired transfer call; it has a method for the list of those who wait, and for the rest its
transport carries the documents' bodies."""

from __future__ import annotations

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import DAY, START, Client

ASKED = {"handover_userid": "a", "takeover_userid": "b"}


@pytest.mark.wecom("externalcontact/get_unassigned_list")
def test_who_waits_for_somebody(sandbox: Client, theirs: WeChatClient) -> None:
    assert theirs.external_contact.get_unassigned_list(None, 100)["info"] == []
    sandbox.control("transfers", do="leave", userid="a")
    found = theirs.external_contact.get_unassigned_list(None, 100)["info"]
    assert found[0] == {"handover_userid": "a", "external_userid": "wmc0", "dimission_time": int(START.timestamp())}


@pytest.mark.wecom(
    "externalcontact/transfer_customer", "externalcontact/transfer_result",
    "externalcontact/resigned/transfer_customer", "externalcontact/resigned/transfer_result", raw=True,
)  # fmt: skip
def test_transfers_by_the_documents_bodies(sandbox: Client, theirs: WeChatClient) -> None:
    said = {**ASKED, "external_userid": ["wmc0", "wmd"], "transfer_success_msg": "您好，您的服务已升级。"}
    begun = theirs.post("externalcontact/transfer_customer", json=said)["customer"]
    assert [one["errcode"] for one in begun] == [0, 40131]
    sandbox.advance(START + DAY)
    done = theirs.post("externalcontact/transfer_result", json={**ASKED, "cursor": ""})["customer"]
    assert [one["status"] for one in done] == [1]
    with pytest.raises(WeChatClientException, match="40097"):
        theirs.post("externalcontact/resigned/transfer_customer", json={**ASKED, "external_userid": ["wmc1"]})
    sandbox.control("transfers", do="leave", userid="a")
    theirs.post("externalcontact/resigned/transfer_customer", json={**ASKED, "external_userid": ["wmc1"]})
    waiting = theirs.post("externalcontact/resigned/transfer_result", json={**ASKED, "cursor": ""})["customer"]
    assert [one["status"] for one in waiting] == [2]

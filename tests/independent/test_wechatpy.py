"""wechatpy's client of a corp, for the calls that it makes as the platform's documents say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wechatpy.exceptions import APILimitedException, WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import Client


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

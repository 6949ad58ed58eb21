"""An independent client: wechatpy's enterprise client, for the calls it makes as the platform's documents say."""

from __future__ import annotations

import pytest
from wechatpy.enterprise import WeChatClient
from wechatpy.exceptions import APILimitedException, WeChatClientException

from tests.sandbox.conftest import Client


class SandboxClient(WeChatClient):
    """wechatpy's client, pointed at the sandbox (its token address is written into its code)."""

    def __init__(self, address: str, secret: str = "synthetic") -> None:
        self.API_BASE_URL = f"{address}/cgi-bin/"
        super().__init__("ww-sandbox", secret)
        self._http.trust_env = False

    def fetch_access_token(self) -> dict:
        return self._fetch_access_token(
            f"{self.API_BASE_URL}gettoken", {"corpid": self.corp_id, "corpsecret": self.secret}
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wechatpy_reads_contacts_and_asks_for_a_mass_send(sandbox: Client) -> None:
    client = SandboxClient(sandbox.address)
    assert client.external_contact.get_follow_user_list()["follow_user"] == ["a", "b", "idle"]
    assert client.access_token == sandbox.token
    assert client.external_contact.list("a")["external_userid"] == ["wmc0", "wmc1", "wmc2", "wmc3"]
    assert client.external_contact.get("wmc2")["external_contact"]["name"] == "顾客 c2"
    made = client.external_contact.add_msg_template(
        {"external_userid": ["wmc0", "wmd"], "sender": "a", "text": {"content": "上新了"}}
    )
    assert made["fail_list"] == ["wmd"]
    assert sandbox.results(made["msgid"]) == {"wmc0": 0}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wechatpy_understands_the_refusals(sandbox: Client) -> None:
    with pytest.raises(WeChatClientException, match="40001"):
        SandboxClient(sandbox.address, "wrong").external_contact.get_follow_user_list()
    client = SandboxClient(sandbox.address)
    with pytest.raises(WeChatClientException, match="84061"):
        client.external_contact.list("idle")
    sandbox.control("faults", faults=[{"api": "*", "kind": "refuse", "errcode": 45009, "times": 1}])
    with pytest.raises(APILimitedException):
        client.external_contact.list("a")
    sandbox.control("faults", faults=[], revoke_tokens=True)
    assert client.external_contact.list("a")["errcode"] == 0  # refreshed on 40014 and replayed

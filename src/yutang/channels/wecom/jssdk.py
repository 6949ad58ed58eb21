"""Letting a page of ours act inside WeCom's client: tickets and signatures of the JS-SDK (docs 90506 and 94313)."""

from __future__ import annotations

import hashlib
import secrets
from functools import partial

from yutang.channels.contracts import UnexpectedAnswer
from yutang.channels.ports.staff import PageSignature
from yutang.channels.wecom.client import LIFE_OF_A_TOKEN, WeComClient
from yutang.kernel.errors import Refused

CORP_TICKET = "get_jsapi_ticket"
APP_TICKET = "ticket/get"


class WeComPages:
    """Signs the addresses of pages. Tickets are kept as tokens are: an hour allows but a hundred fetches of one."""

    def __init__(self, client: WeComClient, corp: str, agent: int | None) -> None:
        self._client = client
        self._corp = corp
        self._agent = agent
        self._corp_ticket = client.kept("jsapi", partial(_fetch, client, CORP_TICKET, {}))
        self._app_ticket = client.kept("agent_config", partial(_fetch, client, APP_TICKET, {"type": "agent_config"}))

    def for_config(self, url: str) -> PageSignature:
        """For `wx.config`, of the page at this address; what follows a `#` is left out."""
        return self._signed(self._corp_ticket.current(), url, None)

    def for_agent_config(self, url: str) -> PageSignature:
        """For `wx.agentConfig`. Raises Refused where the app's AgentId is not known."""
        if self._agent is None:
            raise Refused(
                f"企业「{self._corp}」还没有填写应用的 AgentId，页面不能在企业微信里使用。",
                f"The AgentId of the app of “{self._corp}” is not known; pages cannot act inside WeCom.",
            )
        return self._signed(self._app_ticket.current(), url, self._agent)

    def _signed(self, ticket: str, url: str, agent: int | None) -> PageSignature:
        nonce, timestamp = secrets.token_hex(8), int(self._client.now().timestamp())
        return PageSignature(self._corp, agent, timestamp, nonce, sign(ticket, nonce, timestamp, url))


def sign(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """The signature by the documents' formula: SHA-1 over four fields in this order, the address as it stands."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url.partition('#')[0]}"
    return hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # the platform's choice


def _fetch(client: WeComClient, api: str, params: dict[str, str]) -> tuple[str, int]:
    answer = client.call(api, params=params)
    ticket = answer.get("ticket")
    if not isinstance(ticket, str) or not ticket:
        raise UnexpectedAnswer(api, "没有 ticket", "there is no ticket")
    return ticket, int(answer.get("expires_in") or LIFE_OF_A_TOKEN)

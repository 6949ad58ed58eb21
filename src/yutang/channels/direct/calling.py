"""What adapters that speak HTTP have in common: a call that never left is put off, one without an answer is lost."""

from __future__ import annotations

from typing import Any

import httpx

from yutang.channels.contracts import AnswerLost
from yutang.channels.direct.contracts import Pause
from yutang.channels.webhook.sending import check_url
from yutang.kernel.errors import BadInput
from yutang.kernel.trust import trusted

TIMEOUT = httpx.Timeout(20.0, connect=5.0)
NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class Caller:
    """One provider's address. No proxy and no cookies of the environment, and no redirects."""

    def __init__(self, address: str) -> None:
        check_url(address)
        self.address = address.rstrip("/")
        self.host = httpx.URL(address).netloc.decode()
        self._client = httpx.Client(trust_env=False, verify=trusted(), follow_redirects=False, timeout=TIMEOUT)

    def call(self, api: str, method: str, path: str, **more: Any) -> Any:
        """The JSON of an answer. Raises Pause where the call never left, AnswerLost where nobody can say what it
        did."""
        try:
            answer = self._client.request(method, f"{self.address}{path}", **more)
        except NEVER_LEFT:
            raise Pause(
                f"连不上 {self.host}，请检查网络。", f"{self.host} cannot be reached; check the network.", 60
            ) from None
        except httpx.HTTPError as error:
            raise AnswerLost(api, type(error).__name__) from None
        try:
            found = answer.json()
        except ValueError:
            raise AnswerLost(api, f"HTTP {answer.status_code}") from None
        if not isinstance(found, dict):
            raise AnswerLost(api, f"HTTP {answer.status_code}")
        return found


def whole(text: str, least: int, most: int, zh: str, en: str) -> int:
    """A whole number of a setting. Raises BadInput."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and least <= int(text) <= most):
        raise BadInput(f"{zh}应在 {least}–{most} 之间。", f"{en} lies between {least} and {most}.")
    return int(text)

"""A client of WeCom that others wrote (wechatpy), talking to our sandbox: the two of ours cannot share a mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import Client, door, house, open_sandbox, sandbox

__all__ = ["door", "house", "open_sandbox", "sandbox"]

OFFICIAL = "https://qyapi.weixin.qq.com"


class _To(HTTPAdapter):
    """wechatpy knows only the official address: carry its requests to ours, changed in nothing else."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.target = urlsplit(url)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        path = self.target.path + parts.path
        request.url = urlunsplit((self.target.scheme, self.target.netloc, path, parts.query, ""))
        return super().send(request, *args, **{**more, "proxies": {}})


@pytest.fixture
def speaks_to() -> Callable[..., WeChatClient]:
    """wechatpy's client of a corp's app, at a sandbox's address."""

    def client(address: str, corp: str = "ww-sandbox", secret: str = "synthetic") -> WeChatClient:
        made = WeChatClient(corp, secret)
        made._http.mount(OFFICIAL, _To(address))
        return made

    return client


@pytest.fixture
def theirs(sandbox: Client, speaks_to: Callable[..., WeChatClient]) -> WeChatClient:
    """wechatpy's client, at the sandbox with the small world in it."""
    return speaks_to(sandbox.address)

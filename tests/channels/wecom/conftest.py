from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.channels.wecom.platform import CORP, SECRET, Platform
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.mass_send import WeComMassSend
from yutang.channels.wecom.tokens import MemoryTokenStore


class SteppedClock:
    """Stands still; sleeping moves it on."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 8, 6, 59, 59, 250_000, UTC)
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds, microseconds=1)


@pytest.fixture
def platform() -> Iterator[Platform]:
    server = Platform()
    yield server
    server.close()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def connect(platform: Platform, clock: SteppedClock) -> Iterator[Callable[..., WeComClient]]:
    """Makes clients of the platform; by default with the right secret and a store of their own."""
    opened: list[httpx.Client] = []

    def make(
        corp: str = CORP, secret: str = SECRET, timeout: float = 60.0, event_hooks: Any = None, **more: Any
    ) -> WeComClient:
        opened.append(httpx.Client(timeout=timeout, trust_env=False, verify=False, event_hooks=event_hooks))
        settings: dict[str, Any] = {
            "http": opened[-1],
            "token_store": MemoryTokenStore(),
            "now": clock,
            "sleep": clock.sleep,
            "base_url": platform.url,
            **more,
        }
        return WeComClient(corp_id=corp, secret=secret, **settings)

    yield make
    for http in opened:
        http.close()


@pytest.fixture
def client(connect: Callable[..., WeComClient]) -> WeComClient:
    return connect()


@pytest.fixture
def impatient(connect: Callable[..., WeComClient]) -> WeComClient:
    """Waits a moment for the first answer but that which gives a token, and for all others as long as anybody does."""
    calls: list[httpx.Request] = []

    def hurry(request: httpx.Request) -> None:
        if not request.url.path.endswith("/gettoken"):
            calls.append(request)
            if len(calls) == 1:
                request.extensions["timeout"]["read"] = 0.1

    return connect(timeout=60.0, event_hooks={"request": [hurry]})


@pytest.fixture
def mass_send(client: WeComClient) -> WeComMassSend:
    return WeComMassSend(client)

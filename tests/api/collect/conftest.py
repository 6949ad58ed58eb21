"""The running collect API, and a caller that speaks to it as SDKs do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import stores


@dataclass
class Running:
    """A server process."""

    process: subprocess.Popen[str]
    address: str
    keys: dict[str, str]

    def ask(self, do: str, **more: Any) -> Any:
        """Something of the server's own side; see `server.Desk`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def post(self, call: str, body: Any, key: str | None = "shop", **headers: str) -> httpx.Response:
        """One call, with the key of that name."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        auth = (self.keys.get(key, key), "") if key else None
        return httpx.post(
            f"{self.address}/v1/{call}", content=content, auth=auth, headers=headers, timeout=300, trust_env=False
        )

    def events(self, *ids: str) -> list[dict[str, Any]]:
        """The events in the inbox whose ids end so."""
        return [event for event in self.ask("inbox") if event["id"].endswith(ids)]

    def kill(self) -> None:
        """As a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(300)

    def close(self) -> None:
        """End it by its door."""
        assert self.process.stdin is not None
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(300)


def start(directory: Path, most: int = 50_000, failpoint: str = "", waiting: int = 2_000_000) -> Running:
    """A server on that directory."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.api.collect.server", str(directory), str(most), str(waiting)]
    environment = {**os.environ, **stores.environment(directory), "YUTANG_FAILPOINT": failpoint}
    environment.pop("YUTANG_KEY_FILE", None)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline() or '{"address": "", "keys": {}}')
    return Running(process, told["address"], told["keys"])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests that leave it as it is, but for what they send."""
    running = start(tmp_path_factory.mktemp("collect"))
    yield running
    running.close()

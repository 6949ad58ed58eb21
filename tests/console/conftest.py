"""One small pond for all browser tests, served by a process of its own, and who looks at it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests import stores
from tests.console.pond import PASSWORD

ROOT = Path(__file__).resolve().parents[2]

World = Mapping[str, object]
PATIENCE = 120_000  # ms that a page is waited for: a machine that does much else is no failure


@contextmanager
def served(directory: Path, *options: str) -> Iterator[World]:
    """A pond in a process of its own; stopped cleanly at the end."""
    environment = {**os.environ, **stores.environment(directory), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-m", "tests.console.pond", str(directory), *options]
    log = directory.parent / f"{directory.name}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment, cwd=ROOT, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()[-4000:]
        try:
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(300)
            process.stdout.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The pond: `address`, and what paths are filled with."""
    with served(tmp_path_factory.mktemp("console") / "pond") as pond:
        yield pond


def log_in(address: str, username: str = "owner") -> httpx.Client:
    """A client with a session of that user."""
    alive = httpx.Limits(keepalive_expiry=1)  # the house lets go after 5 s: never both at once
    client = httpx.Client(base_url=address, follow_redirects=True, timeout=300, limits=alive)
    client.get("/accounts/login/")
    form = {"login": username, "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    answer = client.post("/accounts/login/", data=form, headers={"Referer": address})
    assert answer.status_code == 200
    assert client.cookies.get("sessionid")
    return client


@pytest.fixture(scope="session")
def owner(world: World) -> Iterator[httpx.Client]:
    """The owner, without a browser."""
    with closing(log_in(str(world["address"]))) as client:
        yield client


@pytest.fixture(scope="session")
def keeper(world: World) -> Iterator[httpx.Client]:
    """The manager of store s1, without a browser."""
    with closing(log_in(str(world["address"]), "keeper")) as client:
        yield client


def opened(browser: Browser, client: httpx.Client, language: str) -> BrowserContext:
    """A browser's context with the client's session and a language."""
    address = str(client.base_url)
    context = browser.new_context(base_url=address)
    context.set_default_timeout(PATIENCE)
    cookies = {**dict(client.cookies), "django_language": language}
    context.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
    return context


def complaints(page: Page) -> list[str]:
    """What the page says on its console from now on, errors and warnings only."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said

"""The suite runs on a data directory of its own, with a key ring of its own."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

DIRECTORY = Path(tempfile.mkdtemp(prefix="yutang-test-"))
atexit.register(shutil.rmtree, DIRECTORY, ignore_errors=True)  # first of all, so that it is done after all others
os.environ["YUTANG_DATA"] = str(DIRECTORY)
os.environ.setdefault("YUTANG_LANG", "en")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # the browser's driver keeps a loop in the thread that tests run in
os.environ["SSL_CERT_DIR"] = str(DIRECTORY)  # no test speaks TLS, and every HTTP client would read all roots: 45 ms
os.environ.pop("SSL_CERT_FILE", None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each worker, and every process it starts, compiles us anew

gc.set_threshold(100_000, 20, 100)  # thousands of tests live as long as the process: to look through them is dear

from yutang.kernel import encryption

encryption.install_keyring(encryption.Keyring.load_or_create(DIRECTORY / "secret.key"))

import hypothesis
import pytest
from django.conf import settings
from xdist.scheduler import LoadScopeScheduling

from tests import stores

if TYPE_CHECKING:
    from playwright.sync_api import Browser

hypothesis.settings.register_profile("house", deadline=None)  # three workers on two cores: time tells nothing
hypothesis.settings.load_profile("house")

CHROMIUM = Path("/usr/bin/chromium")
# Chromium's own buttons are pages too, each in a process, and one more stands ready for the next page: nobody looks at
# them. The rest is what Playwright disables, which the last list of them would undo.
UNSEEN = (
    "InitialWebUI",
    "InitialWebUISyncNavStartToCommit",
    "PreloadTopChromeWebUI",
    "SpareRendererForSitePerProcess",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--in-process-gpu",  # nothing is drawn by one, and the process beside the browser costs what a page does
    "--disable-software-rasterizer",
    f"--disable-features={','.join(UNSEEN)}",
)
TOGETHER = ("tests/api/collect/", "tests/api/", "tests/console/")
"""Tests below each of these (the first that fits) share a world that takes seconds to make."""
LONGEST = (
    "tests/soak/",
    "tests/console/",
    "tests/house/test_isolation.py",
    "tests/demo/",
    "tests/cli/test_commands.py",
    "tests/api/",
    "tests/reach/",
    "tests/segments/test_oracle.py",
    "tests/mobile/",
)


class Worlds(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A file goes to the worker that is free, and folders that share a world go to one: worlds are made once.

    `--dist loadgroup` would do this by marks; with pytest 9.2, xdist 3.8 marks what nobody reads any more, and each
    worker made each world.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid.split("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Worlds:
    """How `-n 3` shares out the tests: as `pytest_collection_modifyitems` has them, whatever number a file holds."""
    config.option.loadscopereorder = False
    return Worlds(config, log)


def pytest_configure() -> None:
    """Settings that differ here for speed; tests that start whole processes run with those of the installed house."""
    settings.WHITENOISE_AUTOREFRESH = True  # else each test client reads all static files
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one: half a second a user


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest is begun first, so that no worker waits for the other at the end.

    On PostgreSQL only what touches the operational store is run: the rest was run with SQLite, and is the same.
    """
    if stores.on_postgres():
        config.hook.pytest_deselected(items=[item for item in items if not stores.touches(item)])
        items[:] = [item for item in items if stores.touches(item)]
    first = {place: index for index, place in enumerate(LONGEST)}
    items.sort(key=lambda item: next((at for place, at in first.items() if item.nodeid.startswith(place)), len(first)))


def pytest_collection_finish() -> None:
    """What was collected is garbage to nobody."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def chromium(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Debian's Chromium, one for all rooms; without it the tests that need it are skipped by name.

    The suite opens pages in its shell, the same engine without windows around it, where that is installed: a page there
    costs a quarter. What is long is opened in the whole browser.
    """
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=120_000)  # other workers use the cores too: waiting longer costs only who fails
    shell = None if pytestconfig.option.markexpr == "long" else shutil.which("chromium-headless-shell")
    found = Path(shell) if shell else CHROMIUM
    if not found.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(found), args=list(FLAGS))
        yield browser
        browser.close()

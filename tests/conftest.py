"""The suite runs on a data directory of its own, with a key ring of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

DIRECTORY = Path(tempfile.mkdtemp(prefix="yutang-test-"))
os.environ["YUTANG_DATA"] = str(DIRECTORY)
os.environ.setdefault("YUTANG_LANG", "en")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # the browser's driver keeps a loop in the thread that tests run in

from yutang.kernel import encryption

encryption.install_keyring(encryption.Keyring.load_or_create(DIRECTORY / "secret.key"))

import pytest

TOGETHER = ("tests/cli/test_bad_input", "tests/house/test_secrets")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a costly world of their own stay on one worker."""
    for item in items:
        place = next((name for name in TOGETHER if name in item.nodeid), None)
        if place is not None:
            item.add_marker(pytest.mark.xdist_group(place))

"""The suite runs on a data directory of its own, with a key ring of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

DIRECTORY = Path(tempfile.mkdtemp(prefix="yutang-test-"))
os.environ["YUTANG_DATA"] = str(DIRECTORY)
os.environ.setdefault("YUTANG_LANG", "en")

from yutang.kernel import encryption

encryption.install_keyring(encryption.Keyring.load_or_create(DIRECTORY / "secret.key"))

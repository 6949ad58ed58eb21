"""Our binding of the native library, against a shared library with the names and shapes of WeCom's header; and the sync
that reads by it."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.people.pond import found_pond
from yutang.channels.archive import native, services
from yutang.channels.archive.contracts import LibraryFailed
from yutang.channels.archive.native import SETTING, NativeLibrary
from yutang.channels.sync import archive, registry
from yutang.channels.sync.contracts import Found
from yutang.channels.wecom.callbacks import Notice
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.kernel.errors import Refused
from yutang.organisation.contracts import CorpFacts

CORP = CorpFacts("wecom", "corp", "secret")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, compiled."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed")
    made = tmp_path_factory.mktemp("library") / "libWeWorkFinanceSdk_C.so"
    source = Path(__file__).with_name("stub.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(made), str(source)], check=True, capture_output=True)
    return made


@pytest.mark.long
def test_each_call_gives_what_the_library_gives_and_frees_what_it_took(library: Path) -> None:
    opened = NativeLibrary(library, "ww1", "archive-secret", "socks5://10.0.0.1:8081", "user:pass")
    said = json.loads(opened.get_chat_data((1 << 63) + 5, 1000))
    assert said == {
        "corp": "ww1",
        "seq": (1 << 63) + 5,
        "limit": 1000,
        "proxy": "socks5://10.0.0.1:8081",
        "timeout": 30,
    }
    assert opened.decrypt_data(b"key", "消息") == "key:消息".encode()
    assert b"".join(services.fetch_file(opened, "f1")) == b"abc\0def"
    for call in (
        lambda: opened.get_chat_data(0, 1001),
        lambda: opened.decrypt_data(b"wrong", "m"),
        lambda: opened.get_media_data("gone", ""),
    ):
        with pytest.raises(LibraryFailed):
            call()
    assert ctypes.CDLL(str(library)).Live() == 0


@pytest.mark.long
def test_what_is_no_library_and_who_may_not_use_it(library: Path) -> None:
    with pytest.raises(LibraryFailed, match="Init"):
        NativeLibrary(library, "ww1", "another-secret")
    for path in (Path(__file__), Path("/nowhere.so"), Path(ctypes.util.find_library("c") or "libc.so.6")):
        with pytest.raises(Refused):
            NativeLibrary(path, "ww1", "archive-secret")


class Told:
    """How far a sync is."""

    cursor: dict[str, object] = {}  # noqa: RUF012
    found = Found()
    first = False

    def __call__(self, done: int, total: int, /) -> None: ...

    def keep(self, cursor: object, found: Found) -> None: ...


@pytest.mark.long
def test_the_sync_reads_by_the_library_that_is_named(db: None, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found_pond()
    client = WeComClient("http://127.0.0.1:9/", "corp", "secret", token_store=MemoryTokenStore())
    monkeypatch.delenv(SETTING, raising=False)
    assert archive.sync(CORP, client, Told()).note == archive.NONE
    archive.again(CORP, client, ["archive"])
    services.open_archive("corp", "archive-secret")
    with pytest.raises(Refused, match=SETTING):
        archive.again(CORP, client, ["archive"])
    monkeypatch.setenv(SETTING, str(library))
    assert archive.sync(CORP, client, Told()) == Found()
    assert native.native_library("corp", "archive-secret") is native.native_library("corp", "archive-secret")


@pytest.mark.long
def test_the_callback_that_there_are_new_messages_is_a_hint() -> None:
    notice = Notice("corp", {"Event": "msgaudit_notify", "AgentID": "2000004"}, "digest", b"")
    assert [one.kind for one in registry.HINTED if one.concerns(notice)] == ["archive"]
    assert archive.HINTED.ref(notice) == "archive"

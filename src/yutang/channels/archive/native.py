"""WeCom's own library (`libWeWorkFinanceSdk_C.so`, doc 91774), where an installation has it.

It cannot be passed on: whoever has a session archive fetches it from WeCom and names the file in
`YUTANG_ARCHIVE_LIBRARY`. It is not said to be safe for threads, so one call goes at a time.
"""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path
from typing import Any

from yutang.channels.archive.contracts import LibraryFailed, MediaSlice
from yutang.kernel.errors import Refused

SETTING = "YUTANG_ARCHIVE_LIBRARY"
TIMEOUT = 30  # seconds for one call
_one_at_a_time = threading.Lock()
_opened: dict[tuple[str, str, str], NativeLibrary] = {}

#: Of each function: what it takes and gives. Handles are pointers that only the library understands.
_FUNCTIONS: dict[str, tuple[list[Any], Any]] = {
    "NewSdk": ([], ctypes.c_void_p),
    "Init": ([ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p], ctypes.c_int),
    "DestroySdk": ([ctypes.c_void_p], None),
    "GetChatData": (
        [
            ctypes.c_void_p, ctypes.c_ulonglong, ctypes.c_uint, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int,
            ctypes.c_void_p,
        ],
        ctypes.c_int,
    ),
    "DecryptData": ([ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p], ctypes.c_int),
    "GetMediaData": (
        [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int,
            ctypes.c_void_p,
        ],
        ctypes.c_int,
    ),
    "NewSlice": ([], ctypes.c_void_p),
    "FreeSlice": ([ctypes.c_void_p], None),
    "GetContentFromSlice": ([ctypes.c_void_p], ctypes.c_void_p),
    "GetSliceLen": ([ctypes.c_void_p], ctypes.c_int),
    "NewMediaData": ([], ctypes.c_void_p),
    "FreeMediaData": ([ctypes.c_void_p], None),
    "GetOutIndexBuf": ([ctypes.c_void_p], ctypes.c_void_p),
    "GetIndexLen": ([ctypes.c_void_p], ctypes.c_int),
    "GetData": ([ctypes.c_void_p], ctypes.c_void_p),
    "GetDataLen": ([ctypes.c_void_p], ctypes.c_int),
    "IsMediaDataFinish": ([ctypes.c_void_p], ctypes.c_int),
}  # fmt: skip


class NativeLibrary:
    """`ArchiveLibrary` by the real one. `proxy` as `http://host:port` or `socks5://…`, `password` as `user:password`.

    Raises Refused for a file that is no such library, LibraryFailed where it does not take corp and secret.
    """

    def __init__(self, path: Path, corp: str, secret: str, proxy: str = "", password: str = "") -> None:
        try:
            self._lib = ctypes.CDLL(str(path))
            for name, (takes, gives) in _FUNCTIONS.items():
                function = getattr(self._lib, name)
                function.argtypes, function.restype = takes, gives
        except (OSError, AttributeError):
            raise Refused(
                f"{path} 不是企业微信会话存档的 SDK（libWeWorkFinanceSdk_C.so），或与本机的系统不符。",
                f"{path} is not the session archive's library (libWeWorkFinanceSdk_C.so), or not for this system.",
            ) from None
        self._way = (proxy.encode(), password.encode(), TIMEOUT)
        with _one_at_a_time:
            self._sdk = ctypes.c_void_p(self._lib.NewSdk())
            _checked("Init", self._lib.Init(self._sdk, corp.encode(), secret.encode()))

    def get_chat_data(self, seq: int, limit: int) -> bytes:
        """`GetChatData`."""
        return self._slice("GetChatData", self._sdk, seq, limit, *self._way)

    def decrypt_data(self, random_key: bytes, message: str) -> bytes:
        """`DecryptData`."""
        return self._slice("DecryptData", random_key, message.encode())

    def get_media_data(self, file_id: str, index: str) -> MediaSlice:
        """`GetMediaData`."""
        lib = self._lib
        with _one_at_a_time:
            media = ctypes.c_void_p(lib.NewMediaData())
            try:
                code = lib.GetMediaData(self._sdk, index.encode(), file_id.encode(), *self._way, media)
                _checked("GetMediaData", code)
                return MediaSlice(
                    ctypes.string_at(lib.GetData(media), lib.GetDataLen(media)),
                    ctypes.string_at(lib.GetOutIndexBuf(media), lib.GetIndexLen(media)).decode(),
                    lib.IsMediaDataFinish(media) == 1,
                )
            finally:
                lib.FreeMediaData(media)

    def _slice(self, call: str, *arguments: object) -> bytes:
        lib = self._lib
        with _one_at_a_time:
            part = ctypes.c_void_p(lib.NewSlice())
            try:
                _checked(call, getattr(lib, call)(*arguments, part))
                return ctypes.string_at(lib.GetContentFromSlice(part), lib.GetSliceLen(part))
            finally:
                lib.FreeSlice(part)


def native_library(corp: str, secret: str) -> NativeLibrary:
    """The library that this installation names, opened for a corp once. Raises Refused where none is named."""
    path = os.environ.get(SETTING, "")
    if not path:
        raise Refused(
            f"会话存档已经设置，但没有 SDK：请从企业微信下载，并在 {SETTING} 里写明文件的路径。",
            f"A session archive is set up, but its library is not here: fetch it from WeCom and name the file in "
            f"{SETTING}.",
        )
    key = (path, corp, secret)
    if key not in _opened:
        _opened[key] = NativeLibrary(Path(path), corp, secret, os.environ.get("https_proxy", ""))
    return _opened[key]


def _checked(call: str, code: int) -> None:
    if code != 0:
        raise LibraryFailed(call, code)

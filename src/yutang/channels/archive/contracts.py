"""The session archive's library as we need it, and what reading comes to.

WeCom ships it as a binary that cannot be passed on. So it stands behind an interface: `native` binds the real one where
an installation has it, and tests bring one that follows the documents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from yutang.channels.wecom.audit import Agreement
from yutang.kernel.errors import YutangError

MOST_A_CALL = 1_000
SLICE = 512 << 10


@dataclass(frozen=True, slots=True)
class MediaSlice:
    """At most 512 KB of a file; the next is asked for by `index` until it is `finished`."""

    data: bytes = field(repr=False)
    index: str
    finished: bool


class ArchiveLibrary(Protocol):
    """WeCom's library, opened for one corp with the archive's secret (doc 91774). One call at a time.

    Every call raises `LibraryFailed` with the library's code where it fails.
    """

    def get_chat_data(self, seq: int, limit: int) -> bytes:
        """Sealed messages after `seq`, at most `limit` ≤ 1,000 and five days old, as JSON in UTF-8:
        `{"errcode", "errmsg", "chatdata": [{"seq", "msgid", "publickey_ver", "encrypt_random_key",
        "encrypt_chat_msg"}]}`. ≤ 4,000 calls a minute."""
        ...

    def decrypt_data(self, random_key: bytes, message: str) -> bytes:
        """The message inside, as JSON; `random_key` is what our own key opened of `encrypt_random_key`."""
        ...

    def get_media_data(self, file_id: str, index: str) -> MediaSlice:
        """The next slice of a file (an empty `index`: the first). A file lives three days (301048 after that)."""
        ...


class Agreements(Protocol):
    """Who lets what be archived; `WeComAudit` is one."""

    def agreements(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Agreement]: ...

    def room_agreements(self, room: str) -> Mapping[str, Agreement]: ...


class LibraryFailed(YutangError):
    """The library answered with a code other than 0."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(
            f"会话存档 SDK 的 {call} 失败，返回码 {code}。请按企业微信文档 91774 核对密钥、可信 IP 和网络。",
            f"{call} of the session archive's library failed with {code}; check secret, trusted IP and network by "
            "WeCom's document 91774.",
        )
        self.call = call
        self.code = code


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message of the archive, opened. `body` holds what its type says, and is personal.

    `sender` and `recipients` are userids, or ids of customers; `room` is empty for a chat of two.
    """

    id: str
    seq: int
    action: str
    kind: str
    at: datetime
    sender: str
    recipients: tuple[str, ...]
    room: str
    body: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadSoFar:
    """What reading came to: messages seen, kept, and left out since the customer had not agreed, was erased, or it was
    none with customers; those that no key of ours opened wait, sealed as they came."""

    seen: int = 0
    kept: int = 0
    left_out: int = 0
    unopened: int = 0
    events: int = 0

    def __add__(self, other: ReadSoFar) -> ReadSoFar:
        return ReadSoFar(
            self.seen + other.seen,
            self.kept + other.kept,
            self.left_out + other.left_out,
            self.unopened + other.unopened,
            self.events + other.events,
        )


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """Where a corp's reading stands. `unopened` messages wait for keys of `missing_keys`' versions, or better ones."""

    corp: str
    seq: int
    read_at: datetime | None
    kept: int
    unopened: int
    missing_keys: tuple[int, ...]

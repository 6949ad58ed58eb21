"""The sync of the session archive: whatever was said since it was read last, every night and when a callback tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from yutang.channels.archive.contracts import ReadSoFar
from yutang.channels.archive.native import native_library
from yutang.channels.archive.reading import read_on
from yutang.channels.archive.services import archives, secret_of
from yutang.channels.sync.contracts import Found, Hinted, Kind, Progress
from yutang.channels.wecom.audit import WeComAudit
from yutang.channels.wecom.callbacks import Notice
from yutang.channels.wecom.client import WeComClient
from yutang.organisation.contracts import CorpFacts

NONE = ("企业没有设置会话内容存档。", "No session archive is set up.")


def sync(corp: CorpFacts, client: WeComClient, told: Progress) -> Found:
    """Read the archive to its end. A corp without one has nothing to read; one without the library is refused."""
    read = _read(corp, client, lambda done: told(done, 0))
    if read is None:
        return Found(note=NONE)
    return Found(read=read.seen, added=read.kept, note=_note(corp.corp))


def again(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Read what is new: the callback does not say what."""
    _read(corp, client, lambda done: None)


def _read(corp: CorpFacts, client: WeComClient, told: Callable[[int], None]) -> ReadSoFar | None:
    secret = secret_of(corp.corp)
    if secret is None:
        return None
    audit = WeComAudit(client.of_app(secret))
    return read_on(corp.corp, native_library(corp.corp, secret), audit, synthetic=corp.sandboxed, told=told)


def _note(corp: str) -> tuple[str, str]:
    """How many messages wait for a key."""
    for one in archives():
        if one.corp == corp and one.unopened:
            versions = "、".join(map(str, one.missing_keys))
            return (
                f"{one.unopened} 条消息还打不开" + (f"，缺少版本 {versions} 的私钥。" if versions else "。"),
                f"{one.unopened} messages cannot be opened yet"
                + (f"; the private key of version {versions} is missing." if versions else "."),
            )
    return ("", "")


def _ref(notice: Notice) -> str:
    return "archive"


KIND = Kind("archive", "会话存档", "session archive", sync)
HINTED = Hinted("archive", frozenset({"msgaudit_notify", "msgaudit_notify/*"}), _ref, again)

"""What a mass message may contain, and how the platform refuses the rest (WeCom doc 92135).

First how it is written, attachment by attachment; then whether the ids name something: a file of `media/upload`, of the
right kind, not older than three days (40007), or a picture of `media/uploadimg`, whose address alone is taken as a
`pic_url` (40007, our reading: the documents name no code).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from yutang.sandbox.media import MEDIA, known_media, known_picture
from yutang.sandbox.wire import Arguments, PlatformError, invalid

TEXT_BYTES = 4000
ATTACHMENTS = 9

#: Of each attachment type: field → (required, most UTF-8 bytes).
FIELDS: dict[str, dict[str, tuple[bool, int]]] = {
    "image": {"media_id": (False, 256), "pic_url": (False, 2048)},
    "link": {"title": (True, 128), "picurl": (False, 2048), "desc": (False, 512), "url": (True, 2048)},
    "miniprogram": {"title": (True, 64), "pic_media_id": (True, 256), "appid": (True, 128), "page": (True, 1024)},
    "video": {"media_id": (True, 256)},
    "file": {"media_id": (True, 256)},
}
_MEDIA_OF = {"image": "image", "miniprogram": "image", "video": "video", "file": "file"}


def read_content(con: sqlite3.Connection, arguments: Arguments, wall: float) -> dict[str, object]:
    """The message of a task, as the record of mass sends echoes it. Neither text nor attachments → 40063."""
    content: dict[str, object] = {}
    text = arguments.inner("text")
    words = _words(text) if text is not None else ""
    if words:
        content["text"] = {"content": words}
    items = arguments.values.get("attachments")
    if items is not None and not isinstance(items, list):
        raise invalid("attachments")
    if items and len(items) > ATTACHMENTS:
        raise PlatformError(41064)
    if items:
        parts = [_attachment(item) for item in items]
        for kind, inner in parts:
            check_files(con, kind, inner, wall)
        content["attachments"] = [{"msgtype": kind, kind: inner} for kind, inner in parts]
    if not content:
        raise PlatformError(40063)
    return content


def check_files(con: sqlite3.Connection, kind: str, inner: Mapping[str, str], wall: float) -> None:
    """Refuse what names no file that is there."""
    for name in ("media_id", "pic_media_id"):
        if name in inner:
            known_media(con, inner[name], wall, (MEDIA,), (_MEDIA_OF[kind],))
    if "pic_url" in inner and not known_picture(con, inner["pic_url"]):
        raise PlatformError(40007)


def _words(text: Arguments) -> str:
    return text.text("content", limit=TEXT_BYTES)


def _attachment(item: object) -> tuple[str, dict[str, str]]:
    if not isinstance(item, dict):
        raise invalid("attachments")
    kind = item.get("msgtype")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise PlatformError(41065)
    inner = Arguments(item).inner(kind)
    if inner is None:
        raise PlatformError(40063)
    return kind, one_of(kind, inner, FIELDS[kind])


def one_of(kind: str, inner: Arguments, fields: Mapping[str, tuple[bool, int]]) -> dict[str, str]:
    """What an attachment says, of those fields."""
    kept = {
        name: value
        for name, (required, most) in fields.items()
        if (value := inner.text(name, missing=40063 if required else None, limit=most))
    }
    if kind == "image":
        if not kept:
            raise PlatformError(40063)
        # Both given: the media_id is used and echoed (WeCom docs 92135, 93338).
        kept = {"media_id": kept["media_id"]} if "media_id" in kept else kept
    return kept

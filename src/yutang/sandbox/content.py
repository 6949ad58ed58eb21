"""What a mass message may contain, and how the platform refuses the rest (WeCom doc 92135).

Media ids are taken as they are: uploading is none of the sandbox's calls, so 40007 never occurs here.
"""

from __future__ import annotations

from collections.abc import Mapping

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


def read_content(arguments: Arguments) -> dict[str, object]:
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
        content["attachments"] = [_attachment(item) for item in items]
    if not content:
        raise PlatformError(40063)
    return content


def _words(text: Arguments) -> str:
    return text.text("content", limit=TEXT_BYTES)


def _attachment(item: object) -> dict[str, object]:
    if not isinstance(item, dict):
        raise invalid("attachments")
    kind = item.get("msgtype")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise PlatformError(41065)
    inner = Arguments(item).inner(kind)
    if inner is None:
        raise PlatformError(40063)
    return {"msgtype": kind, kind: one_of(kind, inner, FIELDS[kind])}


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

"""What a message of customer service may hold, and how the platform refuses the rest (WeCom docs 94677 and 95122)."""

from __future__ import annotations

from yutang.sandbox.wire import Arguments, PlatformError, invalid

TEXT_BYTES = 2048
#: Of each type: field → (required, most UTF-8 bytes, whether what is longer is cut off rather than refused).
_FIELDS: dict[str, dict[str, tuple[bool, int, bool]]] = {
    "text": {"content": (True, TEXT_BYTES, True)},
    "image": {"media_id": (True, 256, False)},
    "voice": {"media_id": (True, 256, False)},
    "video": {"media_id": (True, 256, False)},
    "file": {"media_id": (True, 256, False)},
    "link": {
        "title": (True, 128, True),
        "desc": (False, 512, True),
        "url": (True, 2048, False),
        "thumb_media_id": (True, 256, False),
    },
    "miniprogram": {
        "appid": (True, 128, False),
        "title": (False, 64, True),
        "thumb_media_id": (True, 256, False),
        "pagepath": (True, 1024, False),
    },
    "ca_link": {"link_url": (True, 2048, False)},
}
_MENU: dict[str, dict[str, tuple[bool, int, bool]]] = {
    "click": {"id": (False, 128, False), "content": (True, 128, False)},
    "view": {"url": (True, 2048, False), "content": (True, 1024, False)},
    "miniprogram": {"appid": (True, 32, False), "pagepath": (True, 1024, False), "content": (True, 1024, False)},
    "text": {"content": (True, 256, False)},
}
MENU_ITEMS, MENU_DOORS, ANSWER_ITEMS = 50, 10, 10
ROOM = 1 << 16  # of a text that will be cut off anyway


def read_message(arguments: Arguments) -> dict[str, object]:
    """The message of `send_msg`. 40008 for a type that there is not."""
    kind = arguments.text("msgtype", missing=40008, limit=32)
    if kind == "msgmenu":
        return {"msgtype": kind, kind: _menu(arguments, MENU_ITEMS)}
    if kind == "location":
        return {"msgtype": kind, kind: _place(arguments)}
    if kind not in _FIELDS:
        raise PlatformError(40008)
    return {"msgtype": kind, kind: _fields(_inner(arguments, kind), _FIELDS[kind])}


def read_answer(arguments: Arguments, *, menus: bool) -> dict[str, object]:
    """The message of `send_msg_on_event`: a text, or where the event allows it a menu."""
    kind = arguments.text("msgtype", missing=40008, limit=32)
    if kind == "text":
        return {"msgtype": kind, kind: _fields(_inner(arguments, kind), _FIELDS[kind])}
    if kind == "msgmenu" and menus:
        return {"msgtype": kind, kind: _menu(arguments, ANSWER_ITEMS)}
    raise PlatformError(40008)


def _inner(arguments: Arguments, kind: str) -> Arguments:
    inner = arguments.inner(kind)
    if inner is None:
        raise PlatformError(40063)
    return inner


def _fields(inner: Arguments, fields: dict[str, tuple[bool, int, bool]]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, (required, most, cut) in fields.items():
        text = inner.text(name, missing=40063 if required else None, limit=ROOM if cut else most)
        if text:
            kept[name] = text.encode()[:most].decode(errors="ignore")
    return kept


def _menu(arguments: Arguments, most: int) -> dict[str, object]:
    inner = _inner(arguments, "msgmenu")
    items = inner.values.get("list") or []
    if not isinstance(items, list) or len(items) > most:
        raise PlatformError(95008)
    read = []
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str) or kind not in _MENU:
            raise PlatformError(95009)
        read.append({"type": kind, kind: _fields(_inner(Arguments(item), kind), _MENU[kind])})
    if sum(one["type"] != "text" for one in read) > MENU_DOORS:
        raise PlatformError(95008)
    ends = {name: text for name in ("head_content", "tail_content") if (text := inner.text(name, limit=1024))}
    if not (read or ends):
        raise PlatformError(40063)
    return {**ends, "list": read}


def _place(arguments: Arguments) -> dict[str, object]:
    inner = _inner(arguments, "location")
    place: dict[str, object] = {name: inner.text(name, limit=512) for name in ("name", "address")}
    for name, most in (("latitude", 90), ("longitude", 180)):
        value = inner.values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > most:
            raise invalid(name)
        place[name] = value
    return place

"""What a message of the app, or of a group's robot, may contain, and how the platform refuses the rest.

WeCom docs 90236 (app), 91770 (robot) and 94888 (cards that replace others). Texts beyond their limits are cut where the
documents say so; media ids must be known and young enough.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import sqlite3
from collections.abc import Callable

from yutang.sandbox.media import MEDIA, known_media
from yutang.sandbox.uploads import is_picture
from yutang.sandbox.wire import Arguments, PlatformError, invalid

TEXT, ROBOT_MARKDOWN = 2048, 4096
WHOLE = 1 << 24  # bytes: what is cut afterwards may come in longer
INTERACTIVE = ("button_interaction", "vote_interaction", "multiple_interaction")
CARDS = ("text_notice", "news_notice", *INTERACTIVE)
ROBOT_PICTURE = 2 << 20
_TASK = re.compile(r"[0-9A-Za-z_\-@]{1,128}\Z")

Read = Callable[[sqlite3.Connection, Arguments, float], dict[str, object]]


def read_payload(con: sqlite3.Connection, kind: str, arguments: Arguments, wall: float) -> dict[str, object]:
    """The payload of an app's message of this type. 40008 for another type, 40063 where it is missing."""
    read = _PAYLOADS.get(kind)
    if read is None:
        raise PlatformError(40008)
    return read(con, _inner(arguments, kind), wall)


def read_robot_payload(con: sqlite3.Connection, kind: str, arguments: Arguments, wall: float) -> dict[str, object]:
    """The same of a robot's, which takes fewer types, and pictures as they are."""
    read = _ROBOT.get(kind)
    if read is None:
        raise PlatformError(40008)
    return read(con, _inner(arguments, kind), wall)


def read_card(con: sqlite3.Connection, card: Arguments, wall: float, *, first: bool = True) -> dict[str, object]:
    """A template card. `first`: as it is sent, with a task id; one that replaces another has none."""
    kind = card.text("card_type", missing=40063)
    if kind not in CARDS:
        raise invalid("card_type")
    menu = card.inner("action_menu")
    if menu is not None:
        _keys(menu.each("action_list", 1, 3), "action_list")
    task = card.text("task_id", limit=128)
    if (first and (menu is not None or kind in INTERACTIVE) and not task) or (task and not _TASK.match(task)):
        raise invalid("task_id")
    title = card.inner("main_title")
    titled = title is not None and bool(title.text("title", limit=512))
    if not titled and not (kind == "text_notice" and card.text("sub_title_text", limit=1024)):
        raise PlatformError(40063)
    for row in card.each("horizontal_content_list", 0, 6):
        row.text("keyname", missing=40063, limit=128)
        _target(con, row, wall)
    for row in card.each("jump_list", 0, 3):
        row.text("title", missing=40063, limit=256)
        _target(con, row, wall)
    _OF_CARD[kind](con, card, wall)
    return dict(card.values)


def changes(card: dict[str, object]) -> bool:
    """Whether a card may be changed later: it has buttons or a menu."""
    return card["card_type"] in INTERACTIVE or "action_menu" in card


def keys_of(card: dict[str, object]) -> set[str]:
    """What can be pressed on a card, by its keys."""
    rows: list[object] = []
    for name, inner in (("action_menu", "action_list"), ("", "button_list"), ("", "submit_button")):
        part = card.get(name) if name else card
        found = part.get(inner) if isinstance(part, dict) else None
        rows += found if isinstance(found, list) else [found] if found else []
    return {str(row["key"]) for row in rows if isinstance(row, dict) and row.get("key")}


def _inner(arguments: Arguments, name: str) -> Arguments:
    found = arguments.inner(name)
    if found is None:
        raise PlatformError(40063)
    return found


def _cut(text: str, most: int) -> str:
    """At most so many bytes of UTF-8, no character halved."""
    return text.encode()[:most].decode(errors="ignore")


def _spoken(payload: Arguments, most: int, *, cut: bool) -> dict[str, object]:
    words = payload.text("content", limit=WHOLE)
    if not words:
        raise PlatformError(44004)
    if len(words.encode()) > most and not cut:
        raise PlatformError(45002)
    return {**payload.values, "content": _cut(words, most)}


def _text(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    return _spoken(payload, TEXT, cut=True)


def _markdown(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    return _spoken(payload, TEXT, cut=False)


def _robot_text(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    return _spoken(payload, TEXT, cut=False)


def _robot_markdown(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    return _spoken(payload, ROBOT_MARKDOWN, cut=False)


def _file(kind: str) -> Read:
    def read(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
        known_media(con, payload.text("media_id", missing=41006, limit=256), wall, (MEDIA,), (kind,))
        more = {
            name: _cut(payload.text(name, limit=WHOLE), most)
            for name, most in (("title", 128), ("description", 512))
            if kind == "video" and payload.values.get(name)
        }
        return {"media_id": payload.values["media_id"], **more}

    return read


def _textcard(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    title, words = (payload.text(name, missing=40063, limit=WHOLE) for name in ("title", "description"))
    url = _address(payload, "url")
    button = payload.text("btntxt", limit=WHOLE)
    return {"title": title[:128], "description": words[:512], "url": url, "btntxt": button[:4] or "详情"}


def _news(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    return {"articles": [_article(row) for row in _articles(payload)]}


def _article(row: Arguments) -> dict[str, object]:
    kept: dict[str, object] = {"title": _cut(row.text("title", missing=40063, limit=WHOLE), 128)}
    if row.values.get("description"):
        kept["description"] = _cut(row.text("description", limit=WHOLE), 512)
    appid, page = row.text("appid", limit=128), row.text("pagepath", limit=128)
    if bool(appid) != bool(page):
        raise PlatformError(40063)
    kept |= {"appid": appid, "pagepath": page} if appid else {"url": row.text("url", missing=40063, limit=2048)}
    picture = row.text("picurl", limit=2048)
    return kept | ({"picurl": picture} if picture else {})


def _mpnews(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    kept = []
    for row in _articles(payload):
        known_media(con, row.text("thumb_media_id", missing=41006, limit=256), wall, (MEDIA,), ("image",))
        title = _cut(row.text("title", missing=40063, limit=WHOLE), 128)
        row.text("content", missing=40063, limit=666 << 10)
        row.text("author", limit=64)
        kept.append({**row.values, "title": title, "digest": _cut(row.text("digest", limit=WHOLE), 512)})
    return {"articles": kept}


def _articles(payload: Arguments) -> list[Arguments]:
    given = payload.values.get("articles")
    if isinstance(given, list) and len(given) > 8:
        raise PlatformError(45008)
    return payload.each("articles", 1, 8)


def _notice(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    payload.text("appid", missing=40063, limit=128)
    payload.text("page", limit=1024)
    for name in ("title", "description"):
        words = payload.text(name, missing=40063 if name == "title" else None)
        if words and not 4 <= len(words) <= 12:
            raise invalid(name)
    for row in payload.each("content_item", 0, 10):
        if len(row.text("key")) > 10 or len(row.text("value", limit=256)) > 30:
            raise invalid("content_item")
    return dict(payload.values)


def _card(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    return read_card(con, payload, wall)


def _robot_card(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    if payload.values.get("card_type") in INTERACTIVE:
        raise invalid("card_type")
    return read_card(con, payload, wall)


def _robot_image(con: sqlite3.Connection, payload: Arguments, wall: float) -> dict[str, object]:
    try:
        content = base64.b64decode(payload.text("base64", missing=40063, limit=WHOLE), validate=True)
    except binascii.Error:
        raise invalid("base64") from None
    if len(content) > ROBOT_PICTURE:
        raise PlatformError(40009)
    if not is_picture(content):
        raise PlatformError(40005)
    if hashlib.md5(content).hexdigest() != payload.text("md5", missing=40063).lower():  # noqa: S324  # the platform's
        raise PlatformError(301019, "media md5 not match")
    return {"md5": payload.values["md5"]}


def _address(row: Arguments, name: str) -> str:
    url = row.text(name, missing=40063, limit=2048)
    if not url.startswith(("http://", "https://")):
        raise invalid(name)
    return url


def _target(con: sqlite3.Connection, row: Arguments, wall: float, *, needed: bool = False) -> None:
    """Where pressing a part of a card leads: 1 a page, 2 a mini-program or a file, 3 a member."""
    kind = row.number("type", 0)
    if kind == 1:
        row.text("url", missing=40063, limit=2048)
    elif kind == 2 and "media_id" in row.values:
        known_media(con, row.text("media_id", limit=256), wall, (MEDIA,), ("file",))
    elif kind == 2:
        row.text("appid", missing=40063, limit=128)
    elif kind == 3:
        row.text("userid", missing=40063)
    elif kind or needed:
        raise invalid("type")


def _action(con: sqlite3.Connection, card: Arguments, wall: float) -> None:
    _target(con, _inner(card, "card_action"), wall, needed=True)


def _pictured(con: sqlite3.Connection, card: Arguments, wall: float) -> None:
    area, picture = card.inner("image_text_area"), card.inner("card_image")
    if area is None and picture is None:
        raise PlatformError(40063)
    if area is not None:
        area.text("image_url", missing=40063, limit=2048)
        _target(con, area, wall)
    if picture is not None:
        picture.text("url", missing=40063, limit=2048)
    for row in card.each("vertical_content_list", 0, 4):
        row.text("title", missing=40063, limit=512)
    _action(con, card, wall)


def _buttons(con: sqlite3.Connection, card: Arguments, wall: float) -> None:
    rows = card.each("button_list", 1, 6)
    for row in rows:
        row.text("text", missing=40063, limit=128)
        if row.number("type", 0) == 1:
            row.text("url", missing=40063, limit=2048)
    _keys([row for row in rows if row.number("type", 0) == 0], "button_list")
    choice = card.inner("button_selection")
    if choice is not None:
        choice.text("question_key", missing=40063, limit=1024)
        _options(choice, 10)


def _vote(con: sqlite3.Connection, card: Arguments, wall: float) -> None:
    box = _inner(card, "checkbox")
    box.text("question_key", missing=40063, limit=1024)
    if box.number("mode", 0) not in (0, 1):
        raise invalid("mode")
    _options(box, 20)
    _keys([_inner(card, "submit_button")], "submit_button")


def _choices(con: sqlite3.Connection, card: Arguments, wall: float) -> None:
    rows = card.each("select_list", 1, 3)
    _keys(rows, "select_list", "question_key")
    for row in rows:
        _options(row, 10)
    _keys([_inner(card, "submit_button")], "submit_button")


def _options(row: Arguments, most: int) -> None:
    options = row.each("option_list", 1, most)
    _keys(options, "option_list", "id", 128)
    for option in options:
        option.text("text", missing=40063, limit=256)


def _keys(rows: list[Arguments], where: str, name: str = "key", most: int = 1024) -> None:
    """Each has a key, and none has another's."""
    keys = [row.text(name, missing=40063, limit=most) for row in rows]
    if len(set(keys)) != len(keys):
        raise invalid(where)


_OF_CARD: dict[str, Callable[[sqlite3.Connection, Arguments, float], None]] = {
    "text_notice": _action,
    "news_notice": _pictured,
    "button_interaction": _buttons,
    "vote_interaction": _vote,
    "multiple_interaction": _choices,
}
_PAYLOADS: dict[str, Read] = {
    "text": _text,
    **{kind: _file(kind) for kind in ("image", "voice", "video", "file")},
    "textcard": _textcard,
    "news": _news,
    "mpnews": _mpnews,
    "markdown": _markdown,
    "miniprogram_notice": _notice,
    "template_card": _card,
}
_ROBOT: dict[str, Read] = {
    "text": _robot_text,
    "markdown": _robot_markdown,
    "markdown_v2": _robot_markdown,
    "image": _robot_image,
    "news": _news,
    "file": _file("file"),
    "voice": _file("voice"),
    "template_card": _robot_card,
}

"""Welcomes for groups: templates from which an owner picks in the client (WeCom doc 92366)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from yutang.kernel.ids import salt
from yutang.sandbox.content import FIELDS, check_files, one_of
from yutang.sandbox.store import Settings, put
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid

TEXT_BYTES = 3000
MOST = 100
KINDS = ("image", "link", "miniprogram", "file", "video")
"""What may stand beside the text, one of it; of several the first in this order counts."""


def add(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`group_welcome_template/add`."""
    if arguments.number("notify", 1) > 1:
        raise invalid("notify")
    content = _content(con, arguments, wall)
    if con.execute("SELECT count(*) FROM group_welcomes").fetchone()[0] >= MOST:
        raise PlatformError(41055)
    number = settings.group_welcomes + 1
    put(con, group_welcomes=number)
    template = f"msg{salt('group welcome', settings.corp_id, settings.seed, number):016x}{number}"
    con.execute("INSERT INTO group_welcomes VALUES (?, ?)", (template, json.dumps(content, ensure_ascii=False)))
    return {"template_id": template}


def edit(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`group_welcome_template/edit`: the whole content anew."""
    template, _ = _find(con, arguments)
    content = json.dumps(_content(con, arguments, wall), ensure_ascii=False)
    con.execute("UPDATE group_welcomes SET content = ? WHERE template_id = ?", (content, template))
    return {}


def get(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`group_welcome_template/get`: of a picture its address alone."""
    _, content = _find(con, arguments)
    if image := content.get("image"):
        content["image"] = {"pic_url": image.get("pic_url") or f"/media/{image['media_id']}"}
    return dict(content)


def delete(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`group_welcome_template/del`."""
    template, _ = _find(con, arguments)
    con.execute("DELETE FROM group_welcomes WHERE template_id = ?", (template,))
    return {}


def _find(con: sqlite3.Connection, arguments: Arguments) -> tuple[str, dict[str, dict[str, str]]]:
    template = arguments.text("template_id", missing=40063)
    row = con.execute("SELECT content FROM group_welcomes WHERE template_id = ?", (template,)).fetchone()
    if row is None:
        raise PlatformError(41058)
    return template, json.loads(row["content"])


def _content(con: sqlite3.Connection, arguments: Arguments, wall: float) -> Mapping[str, object]:
    content: dict[str, object] = {}
    text = arguments.inner("text")
    if text is not None and (words := text.text("content", limit=TEXT_BYTES)):
        content["text"] = {"content": words}
    for kind in KINDS:
        if (inner := arguments.inner(kind)) is not None:
            kept = one_of(kind, inner, FIELDS[kind])
            check_files(con, kind, kept, wall)
            content[kind] = kept
            break
    if not content:
        raise PlatformError(40063)
    return content


_OF = "externalcontact/group_welcome_template/"
CALLS = {
    f"{_OF}add": Call("POST", add, writes=True),
    f"{_OF}edit": Call("POST", edit, writes=True),
    f"{_OF}get": Call("POST", get),
    f"{_OF}del": Call("POST", delete, writes=True),
}

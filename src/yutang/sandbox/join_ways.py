"""Join ways (群活码): codes by which people come into groups, one full group after another (WeCom doc 92229)."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from yutang.kernel.ids import salt
from yutang.sandbox.contracts import bad
from yutang.sandbox.groups import BY_CODE, create, find_chat, join, size_of
from yutang.sandbox.store import Settings, put, settings_of
from yutang.sandbox.walls import make_config
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid

MOST_CHATS = 5


def add_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/add_join_way`. The same body twice makes two ways, and nothing lists them: only the answer has the
    id."""
    fields = _fields(con, arguments)
    make_config(con, settings)
    number = settings.join_ways + 1
    put(con, join_ways=number)
    config = f"{salt('join way', settings.corp_id, settings.seed, number):016x}{number:016x}"
    con.execute(
        "INSERT INTO join_ways (config_id, scene, remark, auto_create, base_name, base_id, chats, state, mark_source) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (config, *fields.values()),
    )
    return {"config_id": config}


def get_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/get_join_way`. Groups that were created by itself stand in the list."""
    row = _way(con, arguments)
    return {
        "join_way": {
            "config_id": row["config_id"],
            "scene": row["scene"],
            "remark": row["remark"],
            "auto_create_room": row["auto_create"],
            "room_base_name": row["base_name"],
            "room_base_id": row["base_id"],
            "chat_id_list": json.loads(row["chats"]),
            "qr_code": f"/qr/{row['config_id']}.svg" if row["scene"] == 2 else "",
            "state": row["state"],
            "mark_source": bool(row["mark_source"]),
        }
    }


def update_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/update_join_way`: everything is overwritten, also by its absence."""
    row = _way(con, arguments)
    con.execute(
        "UPDATE join_ways SET scene = ?, remark = ?, auto_create = ?, base_name = ?, base_id = ?, chats = ?, "
        "state = ?, mark_source = ?, made = CASE WHEN base_id = ? THEN made ELSE 0 END WHERE config_id = ?",
        (*(fields := _fields(con, arguments)).values(), fields.base_id, row["config_id"]),
    )
    return {}


def delete_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/del_join_way`."""
    row = _way(con, arguments)
    con.execute("UPDATE join_ways SET deleted_at = ? WHERE config_id = ?", (settings.now, row["config_id"]))
    return {}


@dataclass(frozen=True, slots=True)
class _Fields:
    scene: int
    remark: str
    auto_create: bool
    base_name: str
    base_id: int
    chats: list[str]
    state: str
    mark_source: bool

    def values(self) -> tuple[object, ...]:
        return (
            self.scene,
            self.remark,
            self.auto_create,
            self.base_name,
            self.base_id,
            json.dumps(self.chats),
            self.state,
            self.mark_source,
        )


def _fields(con: sqlite3.Connection, arguments: Arguments) -> _Fields:
    scene = arguments.number("scene", 0)
    if scene not in (1, 2):
        raise invalid("scene")
    auto = arguments.number("auto_create_room", 1)
    if auto > 1:
        raise invalid("auto_create_room")
    base = arguments.text("room_base_name", limit=160)
    state = arguments.text("state", limit=120)
    if len(base) > 40:
        raise invalid("room_base_name")
    if len(state) > 30:
        raise invalid("state")
    named = arguments.values.get("chat_id_list")
    if isinstance(named, list) and len(named) > MOST_CHATS:
        raise PlatformError(41091)
    chats = arguments.texts("chat_id_list", MOST_CHATS)
    if not chats:
        raise PlatformError(40063)
    for chat_id in chats:
        if find_chat(con, chat_id)["dismissed_at"] is not None:
            raise PlatformError(49008)
    return _Fields(
        scene,
        arguments.text("remark", limit=4000)[:30],
        bool(auto),
        base,
        arguments.number("room_base_id", 1),
        chats,
        state,
        arguments.values.get("mark_source", True) is not False,
    )


def _way(con: sqlite3.Connection, arguments: Arguments) -> sqlite3.Row:
    config = arguments.text("config_id", missing=41044)
    row: sqlite3.Row | None = con.execute(
        "SELECT * FROM join_ways WHERE config_id = ? AND deleted_at IS NULL", (config,)
    ).fetchone()
    if row is None:
        raise PlatformError(41044)
    return row


# People ------------------------------------------------------------------------------------------------------------


def scan(con: sqlite3.Connection, way: str, external_userid: str) -> str | None:
    """Somebody scans a join way (by config id or state): they come into the first of its groups that is not full, or
    into a new one. Returns the group; None where all are full and none is made. Raises BadInput."""
    settings = settings_of(con)
    row = con.execute(
        "SELECT * FROM join_ways WHERE (config_id = ? OR state = ?) AND deleted_at IS NULL ORDER BY config_id LIMIT 1",
        (way, way),
    ).fetchone()
    if row is None:
        raise bad("way", "没有这个群活码", "there is no such join way")
    chats = json.loads(row["chats"])
    standing = [chat for chat in chats if find_chat(con, chat)["dismissed_at"] is None]
    chat = next((chat for chat in standing if size_of(con, chat) < settings.scan_most), None)
    if chat is None:
        if not (row["auto_create"] and chats):
            return None
        owner = find_chat(con, chats[-1])["owner"]
        chat = create(con, owner, f"{row['base_name'] or '群'}{row['base_id'] + row['made']}")
        con.execute(
            "UPDATE join_ways SET chats = ?, made = made + 1 WHERE config_id = ?",
            (json.dumps([*chats, chat]), row["config_id"]),
        )
    con.execute(
        "INSERT OR IGNORE INTO customers VALUES (?, ?, NULL, 0, 3.0, 0.5, '', ?, 0.0, 0.0)",
        (external_userid, f"群友 {external_userid[-6:]}", json.dumps({"general": 1.0})),
    )
    join(con, chat, [external_userid], scene=BY_CODE, state=row["state"])
    return chat


_OF = "externalcontact/groupchat/"
CALLS = {
    f"{_OF}add_join_way": Call("POST", add_way, writes=True),
    f"{_OF}get_join_way": Call("POST", get_way),
    f"{_OF}update_join_way": Call("POST", update_way, writes=True),
    f"{_OF}del_join_way": Call("POST", delete_way, writes=True),
}

"""The session archive's HTTP calls, and what people say for it (WeCom docs 91774, 91782, 91614, 92951).

The messages themselves are read by a native library, which is not here: `said` is what it would tell.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from yutang.kernel.ids import salt
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.contracts import bad
from yutang.sandbox.customers import known_member
from yutang.sandbox.store import Settings, settings_of
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid

PAIRS = 100
AGENT = "2000004"
DAYS_KEPT = 5


def list_members(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_permit_user_list`: whose chats are archived."""
    _enabled(con, settings)
    edition = arguments.number("type", 0)
    if edition > 3:
        raise invalid("type")
    rows = con.execute("SELECT userid FROM archived_members WHERE ? IN (0, edition) ORDER BY userid", (edition,))
    return {"ids": [row["userid"] for row in rows]}


def check_pairs(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`check_single_agree`: what customers said to members. `exteranalopenid` is how the platform spells it."""
    _enabled(con, settings)
    pairs = arguments.values.get("info")
    if not isinstance(pairs, list) or not pairs:
        raise PlatformError(40063)
    if len(pairs) > PAIRS:
        raise PlatformError(301060)
    told = []
    for pair in pairs:
        if not isinstance(pair, dict):
            raise invalid("info")
        asked = Arguments(pair)
        userid = known_member(con, asked.text("userid", missing=41009))
        external = asked.text("exteranalopenid", missing=41035)
        row = con.execute(
            "SELECT v.added_at, a.agrees, a.at FROM visible v "
            "LEFT JOIN archive_answers a USING (userid, external_userid) WHERE userid = ? AND external_userid = ?",
            (userid, external),
        ).fetchone()
        if row is None:
            raise PlatformError(84061)
        told.append(
            {
                "status_change_time": row["added_at"] if row["at"] is None else row["at"],
                "userid": userid,
                "exteranalopenid": external,
                "agree_status": _status(row["agrees"]),
            }
        )
    return {"agreeinfo": told}


def check_room(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`check_room_agree`: what the customers in a customer group said."""
    _enabled(con, settings)
    room = arguments.text("roomid", missing=40063)
    rows = con.execute("SELECT * FROM room_answers WHERE roomid = ? ORDER BY external_userid", (room,)).fetchall()
    if not rows:
        raise invalid("roomid")
    return {
        "agreeinfo": [
            {
                "status_change_time": row["at"],
                "exteranalopenid": row["external_userid"],
                "agree_status": _status(row["agrees"]),
            }
            for row in rows
        ]
    }


def get_room(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`msgaudit/groupchat/get`: rooms of members among themselves only (301059)."""
    _enabled(con, settings)
    room = arguments.text("roomid", missing=40063)
    row = con.execute("SELECT * FROM inner_rooms WHERE roomid = ?", (room,)).fetchone()
    if row is None:
        raise PlatformError(301059)
    return {
        "roomname": row["name"],
        "creator": row["creator"],
        "room_create_time": row["create_time"],
        "notice": row["notice"],
        "members": [{"memberid": one, "jointime": row["create_time"]} for one in json.loads(row["members"])],
    }


def _enabled(con: sqlite3.Connection, settings: Settings) -> None:
    """The archive's own secret is needed (48002), where the admin console has one: that of the app 2000004."""
    has_app = con.execute("SELECT 1 FROM apps WHERE agentid = ?", (AGENT,)).fetchone() is not None
    if has_app and settings.app != int(AGENT):
        raise PlatformError(48002)
    if con.execute("SELECT 1 FROM archived_members LIMIT 1").fetchone() is None:
        raise PlatformError(301053)


def _status(agrees: int | None) -> str:
    return "Default_Agree" if agrees is None else "Agree" if agrees else "Disagree"


# People and the admin console ------------------------------------------------------------------------------------


def happen(con: sqlite3.Connection, body: dict[str, object]) -> dict[str, object]:
    """What `/control/archive` is told: `members` (userid → edition) opens the archive for them; `answers` are what
    customers say of it; `room` is one of members, or of customers with their answers; `say` is a message."""
    settings = settings_of(con)
    for userid, edition in _mapping(body, "members").items():
        con.execute("INSERT OR REPLACE INTO archived_members VALUES (?, ?)", (_member(con, userid), edition))
    answers = body.get("answers", [])
    if not isinstance(answers, list):
        raise bad("answers", "应为列表", "must be a list")
    for row in answers:
        con.execute(
            "INSERT OR REPLACE INTO archive_answers VALUES (?, ?, ?, ?)",
            (_member(con, row.get("userid")), row.get("external_userid"), row.get("agrees") is True, settings.now),
        )
    room = _mapping(body, "room")
    if room.get("members"):
        con.execute(
            "INSERT OR REPLACE INTO inner_rooms VALUES (?, ?, ?, ?, '', ?)",
            (room["roomid"], room.get("name", ""), room["members"][0], settings.now, json.dumps(room["members"])),
        )
    for external, agrees in dict(room.get("answers") or {}).items():
        con.execute(
            "INSERT OR REPLACE INTO room_answers VALUES (?, ?, ?, ?)", (room["roomid"], external, agrees, settings.now)
        )
    say = _mapping(body, "say")
    return {"at": settings.now, **(_say(con, settings, say) if say else {})}


def read_said(con: sqlite3.Connection, after: int, limit: int) -> list[dict[str, object]]:
    """What the library would give: the last five days, after a place."""
    settings = settings_of(con)
    rows = con.execute(
        "SELECT * FROM said WHERE seq > ? AND at > ? ORDER BY seq LIMIT ?",
        (after, settings.now - DAYS_KEPT * 86_400, limit),
    )
    return [{"seq": row["seq"], "msgid": row["msgid"], "body": json.loads(row["body"])} for row in rows]


def _say(con: sqlite3.Connection, settings: Settings, say: dict[str, object]) -> dict[str, object]:
    """One message between a member and a customer. Of a pair whose customer disagreed, the archive hears nothing."""
    userid, external = _member(con, say.get("userid")), str(say.get("external_userid", ""))
    answer = con.execute(
        "SELECT agrees FROM archive_answers WHERE userid = ? AND external_userid = ?", (userid, external)
    ).fetchone()
    kept = con.execute("SELECT 1 FROM archived_members WHERE userid = ?", (userid,)).fetchone()
    if kept is None or (answer is not None and not answer["agrees"]):
        return {"msgid": ""}
    number = int(con.execute("SELECT count(*) FROM said").fetchone()[0])
    msgid = f"{salt('said', settings.seed, number)}_{settings.now}_external"
    by_member = say.get("by") != "customer"
    kind = str(say.get("msgtype", "text"))
    message = {
        "msgid": msgid,
        "action": "send",
        "from": userid if by_member else external,
        "tolist": [external if by_member else userid],
        "roomid": str(say.get("roomid", "")),
        "msgtime": settings.now * 1000 + number % 1000,
        "msgtype": kind,
        kind: say.get("content", {"content": str(say.get("text", ""))}),
    }
    con.execute(
        "INSERT INTO said (msgid, at, body) VALUES (?, ?, ?)",
        (msgid, settings.now, json.dumps(message, ensure_ascii=False)),
    )
    enqueue(con, settings.now, "", "msgaudit_notify", AgentID=AGENT)
    return {"msgid": msgid}


def _member(con: sqlite3.Connection, userid: object) -> str:
    try:
        return known_member(con, str(userid))
    except PlatformError:
        raise bad("userid", "没有这位成员", "there is no such member") from None


def _mapping(body: dict[str, object], name: str) -> dict[str, Any]:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise bad(name, "应为对象", "must be an object")
    return value


_OF = "msgaudit/"
CALLS = {
    f"{_OF}get_permit_user_list": Call("POST", list_members, {"ids": []}, quota={"minute": 1_000}),
    f"{_OF}check_single_agree": Call("POST", check_pairs, {"agreeinfo": []}, quota={"minute": 2_500}),
    f"{_OF}check_room_agree": Call("POST", check_room, {"agreeinfo": []}, quota={"minute": 1_500}),
    f"{_OF}groupchat/get": Call("POST", get_room, quota={"minute": 2_000}),
}

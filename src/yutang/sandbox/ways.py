"""Contact ways, who scans them, and the one welcome that each scan allows (WeCom docs 92228 and 92137)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from yutang.kernel.calendars import local_day
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import draw, salt
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.content import read_content
from yutang.sandbox.contracts import bad
from yutang.sandbox.customers import known_member
from yutang.sandbox.habits import offgate_sends
from yutang.sandbox.store import Settings, put, settings_of
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid, page

CODE_SECONDS = 20.0
MOST_USERS = 100
DAYS_LISTED = 90


def add_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`add_contact_way`. The same body twice makes two ways, as the platform does."""
    kind, scene = arguments.number("type"), arguments.number("scene")
    if kind not in (1, 2):
        raise invalid("type")
    if scene not in (1, 2):
        raise invalid("scene")
    fields = _fields(con, arguments, kind)
    number = settings.ways + 1
    put(con, ways=number)
    config = f"{salt('way', settings.corp_id, settings.seed, number):016x}{number:08x}"
    con.execute(
        "INSERT INTO ways VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (config, kind, scene, fields.remark, fields.skip_verify, fields.state, json.dumps(fields.users), settings.now),
    )
    answer: dict[str, object] = {"config_id": config}
    return answer | ({"qr_code": _picture(config)} if scene == 2 else {})


def get_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_contact_way`."""
    row = _way(con, arguments)
    return {
        "contact_way": {
            "config_id": row["config_id"],
            "type": row["type"],
            "scene": row["scene"],
            "remark": row["remark"],
            "skip_verify": bool(row["skip_verify"]),
            "state": row["state"],
            "qr_code": _picture(row["config_id"]) if row["scene"] == 2 else "",
            "user": json.loads(row["users"]),
            "party": [],
            "is_temp": False,
        }
    }


def list_ways(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`list_contact_way`: ids only, of the last 90 days unless asked otherwise."""
    since = arguments.number("start_time", settings.now - DAYS_LISTED * 86_400)
    until = arguments.number("end_time", settings.now)

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        after = start[0] if start else ""
        return con.execute(
            "SELECT config_id FROM ways WHERE deleted_at IS NULL AND created_at BETWEEN ? AND ? AND config_id > ? "
            "ORDER BY config_id LIMIT ?",
            (since, until, after, count),
        ).fetchall()

    limit = arguments.limit(100, 1000, 1000)
    found, cursor = page("ways", arguments.text("cursor", limit=1024), rows, lambda row: [row["config_id"]], limit)
    answer: dict[str, object] = {"contact_way": [{"config_id": row["config_id"]} for row in found]}
    return answer | ({"next_cursor": cursor} if cursor else {})


def update_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`update_contact_way`: the list of users is replaced whole."""
    row = _way(con, arguments)
    fields = _fields(con, arguments, row["type"])
    con.execute(
        "UPDATE ways SET remark = ?, skip_verify = ?, state = ?, users = ? WHERE config_id = ?",
        (fields.remark, fields.skip_verify, fields.state, json.dumps(fields.users), row["config_id"]),
    )
    return {}


def delete_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`del_contact_way`: the code stops working, friendships stay."""
    row = _way(con, arguments)
    con.execute("UPDATE ways SET deleted_at = ? WHERE config_id = ?", (settings.now, row["config_id"]))
    return {}


def send_welcome(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`send_welcome_msg`: within 20 wall seconds of the scan, once."""
    code = arguments.text("welcome_code", missing=40063, limit=512)
    content = read_content(arguments)
    row = con.execute("SELECT * FROM welcomes WHERE code = ?", (code,)).fetchone()
    if row is None or row["sent_wall"] is not None or wall > row["until_wall"]:
        raise PlatformError(41050)
    con.execute(
        "UPDATE welcomes SET sent_wall = ?, content = ? WHERE code = ?",
        (wall, json.dumps(content, ensure_ascii=False), code),
    )
    return {}


@dataclass(frozen=True, slots=True)
class _Fields:
    remark: str
    skip_verify: bool
    state: str
    users: list[str]


def _fields(con: sqlite3.Connection, arguments: Arguments, kind: int) -> _Fields:
    remark, state = arguments.text("remark", limit=120), arguments.text("state", limit=120)
    if len(remark) > 30:
        raise invalid("remark")
    if len(state) > 30:
        raise invalid("state")
    named = arguments.values.get("user")
    if isinstance(named, list) and len(named) > MOST_USERS:
        raise PlatformError(41041)
    users = [known_member(con, userid) for userid in arguments.texts("user", MOST_USERS)]
    if not users or (kind == 1 and len(users) != 1):
        raise PlatformError(40063) if not users else invalid("user")
    return _Fields(remark, arguments.values.get("skip_verify", True) is not False, state, users)


def _way(con: sqlite3.Connection, arguments: Arguments) -> sqlite3.Row:
    config = arguments.text("config_id", missing=41044)
    row: sqlite3.Row | None = con.execute(
        "SELECT * FROM ways WHERE config_id = ? AND deleted_at IS NULL", (config,)
    ).fetchone()
    if row is None:
        raise PlatformError(41044)
    return row


def _picture(config: str) -> str:
    """Where the code's picture stands below the sandbox; `Platform` says where that is."""
    return f"/qr/{config}.svg"


# People ------------------------------------------------------------------------------------------------------------


def scan(
    con: sqlite3.Connection,
    way: str,
    *,
    external_userid: str | None = None,
    half: bool = False,
    at: int | None = None,
    daily_rate: float = 0.0,
) -> dict[str, object]:
    """Somebody scans a way (by config id or state): a friendship, a welcome code of 20 s, and a callback.

    Without an id a new customer is made, who buys `daily_rate` baskets a day from then on. `half`: passed without the
    member's adding back. Raises BadInput for a way that is not there.
    """
    settings = settings_of(con)
    row = con.execute(
        "SELECT * FROM ways WHERE (config_id = ? OR state = ?) AND deleted_at IS NULL ORDER BY created_at LIMIT 1",
        (way, way),
    ).fetchone()
    if row is None:
        raise bad("way", "没有这个活码", "there is no such contact way")
    moment = settings.now if at is None else at
    number = settings.scans + 1
    put(con, scans=number)
    who = external_userid or f"wm-scan-{settings.seed}-{number:06d}"
    users = json.loads(row["users"])
    userid = users[int(draw(number, salt("scan", row["config_id"])) * len(users))]
    con.execute(
        "INSERT OR IGNORE INTO customers VALUES (?, ?, NULL, ?, 3.0, 0.5, ?, ?, 0.0, 0.0)",
        (who, f"扫码客户 {number:06d}", daily_rate, "", json.dumps({"general": 1.0})),
    )
    if not half:
        con.execute(
            "INSERT OR REPLACE INTO relations VALUES (?, ?, ?, NULL, NULL, NULL)",
            (userid, who, moment),
        )
        con.execute("INSERT OR REPLACE INTO doors VALUES (?, ?, ?)", (userid, who, row["state"]))
    wall = wall_now().timestamp()
    code = f"WC{salt('welcome', settings.corp_id, number, str(wall)):016x}{number}"
    con.execute("INSERT INTO welcomes VALUES (?, ?, ?, ?, NULL, NULL)", (code, userid, who, wall + CODE_SECONDS))
    change = "add_half_external_contact" if half else "add_external_contact"
    enqueue(con, moment, change, UserID=userid, ExternalUserID=who, State=row["state"], WelcomeCode=code)
    return {"userid": userid, "external_userid": who, "welcome_code": code, "at": moment}


def leave(con: sqlite3.Connection, userid: str, external_userid: str, *, by_customer: bool) -> dict[str, object]:
    """A friendship ends, and a callback says so. Raises BadInput where there is none."""
    settings = settings_of(con)
    column = "customer_deleted_at" if by_customer else "member_deleted_at"
    changed = con.execute(
        f"UPDATE relations SET {column} = ? WHERE userid = ? AND external_userid = ?",  # noqa: S608  # one of two names
        (settings.now, userid, external_userid),
    ).rowcount
    if not changed:
        raise bad("userid", "没有这段好友关系", "there is no such friendship")
    change = "del_follow_user" if by_customer else "del_external_contact"
    enqueue(con, settings.now, change, UserID=userid, ExternalUserID=external_userid)
    return {"at": settings.now}


def scan_now_and_then(con: sqlite3.Connection, settings: Settings, after: int, until: int) -> int:
    """People who scan by themselves in (after, until]: a Poisson number for each way, the same in every run."""
    made = 0
    if settings.scans_per_day <= 0:
        return 0
    today = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
    for row in con.execute("SELECT config_id FROM ways WHERE deleted_at IS NULL ORDER BY config_id").fetchall():
        config = row["config_id"]
        for at in offgate_sends(settings.scans_per_day, settings.seed, f"way {config}", today, settings.zone):
            if after < at <= until:
                scan(con, config, at=at, daily_rate=0.05)
                made += 1
    return made


_OF = "externalcontact/"
CALLS = {
    f"{_OF}add_contact_way": Call("POST", add_way, writes=True),
    f"{_OF}get_contact_way": Call("POST", get_way),
    f"{_OF}list_contact_way": Call("POST", list_ways, {"contact_way": []}),
    f"{_OF}update_contact_way": Call("POST", update_way, writes=True),
    f"{_OF}del_contact_way": Call("POST", delete_way, writes=True),
    f"{_OF}send_welcome_msg": Call("POST", send_welcome, writes=True),
}

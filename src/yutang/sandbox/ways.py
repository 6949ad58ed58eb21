"""Contact ways, who scans them, and the one welcome that each scan allows (WeCom docs 92228 and 92137)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from yutang.kernel.calendars import local_day
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import draw, salt
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.content import FIELDS, one_of, read_content
from yutang.sandbox.contracts import ROOT, bad
from yutang.sandbox.customers import known_member
from yutang.sandbox.directory import members_below
from yutang.sandbox.habits import offgate_sends
from yutang.sandbox.store import MAIN, Settings, put, settings_of
from yutang.sandbox.walls import let_in, make_config
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid, page

CODE_SECONDS = 20.0
MOST_USERS = 100
DAYS_LISTED = 90
DAY = 86_400
TEMPORARY = ("is_temp", "expires_in", "chat_expires_in", "unionid", "conclusions")


def add_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`add_contact_way`. The same body twice makes two ways, as the platform does."""
    kind = _choice(arguments, "type", (1, 2), missing=41037, wrong=41038)
    scene = _choice(arguments, "scene", (1, 2), missing=41039, wrong=41040)
    fields = _fields(con, arguments, kind, scene)
    temporary = _temporary(arguments, kind)
    if not temporary:
        make_config(con, settings)
    number = settings.ways + 1
    put(con, ways=number)
    config = f"{salt('way', settings.corp_id, settings.seed, number):016x}{number:08x}"
    users, more = json.dumps(fields.users), json.dumps({**fields.more, **temporary}, ensure_ascii=False)
    about = (fields.remark, fields.skip_verify, fields.state, users, settings.now, more, settings.app)
    con.execute(
        "INSERT INTO ways (config_id, type, scene, remark, skip_verify, state, users, created_at, more, app) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (config, kind, scene, *about),
    )
    answer: dict[str, object] = {"config_id": config}
    return answer | ({"qr_code": _picture(config)} if scene == 2 else {})


def get_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_contact_way`."""
    row = _way(con, arguments)
    more = json.loads(row["more"])
    shown = {
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
        **more,
    }
    if "conclusions" in more:  # a picture comes back by its address, not by the id it was given by
        image = more["conclusions"].get("image")
        if image:
            shown["conclusions"] = {**more["conclusions"], "image": {"pic_url": f"/media/{image['media_id']}"}}
    return {"contact_way": shown}


def list_ways(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`list_contact_way`: ids only, of the last 90 days unless asked otherwise; no temporary ones."""
    since = arguments.number("start_time", settings.now - DAYS_LISTED * 86_400)
    until = arguments.number("end_time", settings.now)

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        after = start[0] if start else ""
        return con.execute(
            "SELECT config_id FROM ways WHERE deleted_at IS NULL AND created_at BETWEEN ? AND ? AND config_id > ? "
            "AND NOT coalesce(json_extract(more, '$.is_temp'), 0) ORDER BY config_id LIMIT ?",
            (since, until, after, count),
        ).fetchall()

    limit = arguments.limit(100, 1000, 1000)
    found, cursor = page("ways", arguments.text("cursor", limit=1024), rows, lambda row: [row["config_id"]], limit)
    answer: dict[str, object] = {"contact_way": [{"config_id": row["config_id"]} for row in found]}
    return answer | ({"next_cursor": cursor} if cursor else {})


def update_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`update_contact_way`: what is named is replaced whole, lists too; type and scene stay what they are."""
    row = _way(con, arguments)
    before = json.loads(row["more"])
    fields = _fields(con, arguments, row["type"], row["scene"])
    kept = {name: value for name, value in before.items() if name in TEMPORARY}
    more = {**kept, **(_temporary(arguments, row["type"], before) if before.get("is_temp") else {}), **fields.more}
    said = (json.dumps(fields.users), json.dumps(more, ensure_ascii=False))
    con.execute(
        "UPDATE ways SET remark = ?, skip_verify = ?, state = ?, users = ?, more = ? WHERE config_id = ?",
        (fields.remark, fields.skip_verify, fields.state, *said, row["config_id"]),
    )
    return {}


def delete_way(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`del_contact_way`: the code stops working, friendships stay."""
    row = _way(con, arguments)
    con.execute("UPDATE ways SET deleted_at = ? WHERE config_id = ?", (settings.now, row["config_id"]))
    return {}


def close_chat(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`close_temp_chat`: ends it and sends its conclusions. 84061 where there is none that is open."""
    userid = known_member(con, arguments.text("userid", missing=41009))
    external = arguments.text("external_userid", missing=41035)
    if con.execute("SELECT 1 FROM customers WHERE external_userid = ?", (external,)).fetchone() is None:
        raise PlatformError(40096)
    chats = con.execute(
        "SELECT * FROM temp_chats WHERE userid = ? AND external_userid = ? AND closed_at IS NULL AND until_at > ?",
        (userid, external, settings.now),
    ).fetchall()
    if not chats:
        raise PlatformError(84061)
    for chat in chats:
        _conclude(con, chat, settings.now)
    return {}


def send_welcome(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`send_welcome_msg`: within 20 wall seconds of the scan, once. Of several apps' codes for the same person the
    first sender wins: while it is being handed out the others get 41096, after that 41051, as once a chat has begun."""
    code = arguments.text("welcome_code", missing=41049, limit=512)
    content = read_content(con, arguments, wall)
    row = con.execute("SELECT * FROM welcomes WHERE code = ?", (code,)).fetchone()
    if row is None or row["sent_wall"] is not None or wall > row["until_wall"]:
        raise PlatformError(41050)
    other = con.execute(
        "SELECT max(sent_wall) AS at FROM welcomes WHERE event = ? AND sent_wall IS NOT NULL", (row["event"],)
    ).fetchone()["at"]
    if other is not None:
        raise PlatformError(41096 if wall < other + settings.welcome_seconds else 41051)
    talked = con.execute(
        "SELECT last_talk_at FROM relations WHERE userid = ? AND external_userid = ?",
        (row["userid"], row["external_userid"]),
    ).fetchone()
    if talked is not None and talked["last_talk_at"] is not None:
        raise PlatformError(41051)
    con.execute(
        "UPDATE welcomes SET sent_wall = ?, content = ? WHERE code = ?",
        (wall, json.dumps(content, ensure_ascii=False), code),
    )
    return {}


@dataclass(frozen=True, slots=True)
class _Fields:
    """What can be changed later. `more`: what only some ways have."""

    remark: str
    skip_verify: bool
    state: str
    users: list[str]
    more: dict[str, object]


def _choice(arguments: Arguments, name: str, choices: Sequence[int], *, missing: int, wrong: int) -> int:
    value = arguments.values.get(name)
    if value is None:
        raise PlatformError(missing)
    if isinstance(value, bool) or not isinstance(value, int) or value not in choices:
        raise PlatformError(wrong)
    return value


def _fields(con: sqlite3.Connection, arguments: Arguments, kind: int, scene: int) -> _Fields:
    remark, state = arguments.text("remark", limit=120), arguments.text("state", limit=120)
    if len(remark) > 30:
        raise invalid("remark")
    if len(state) > 30:
        raise invalid("state")
    more: dict[str, object] = {}
    if scene == 1 and arguments.values.get("style") is not None:
        more["style"] = _choice(arguments, "style", (1, 2, 3), missing=41042, wrong=41042)
    for name in ("is_exclusive", "mark_source"):
        if isinstance(arguments.values.get(name), bool):
            more[name] = arguments.values[name]
    named = arguments.values.get("user")
    if isinstance(named, list) and len(named) > MOST_USERS:
        raise PlatformError(41041)
    users = [known_member(con, userid) for userid in arguments.texts("user", MOST_USERS)]
    parties = arguments.values.get("party") or []
    if not isinstance(parties, list) or not all(isinstance(one, int) for one in parties) or (parties and kind == 1):
        raise invalid("party")
    if parties:
        more["party"] = parties
        everybody = _people(con, users, parties)
        if len(everybody) > MOST_USERS:
            raise PlatformError(41041)
    if not users and not parties:
        raise PlatformError(40063)
    if kind == 1 and len(users) != 1:
        raise invalid("user")
    return _Fields(remark, arguments.values.get("skip_verify", True) is not False, state, users, more)


def _people(con: sqlite3.Connection, users: Sequence[str], parties: Sequence[int]) -> list[str]:
    """Who can be added by a way: its users, and the members of its departments (40066 for one that is not there)."""
    for party in parties:
        if party != ROOT and con.execute("SELECT 1 FROM departments WHERE id = ?", (party,)).fetchone() is None:
            raise PlatformError(40066)
    below = members_below(con, settings_of(con), parties) if parties else []
    return list(dict.fromkeys([*users, *below]))


def _temporary(arguments: Arguments, kind: int, before: Mapping[str, object] | None = None) -> dict[str, object]:
    """What makes a way temporary: its code lives 7 days and its chats 24 hours unless said otherwise, either 14 days at
    most; `unionid` lets one person in only; `conclusions` are sent at the end."""
    if before is None:
        if arguments.values.get("is_temp") is not True:
            return {}
        if kind != 1:
            raise invalid("is_temp")
    known = before or {}
    found: dict[str, object] = {"is_temp": True}
    for name, usual in (("expires_in", 7 * DAY), ("chat_expires_in", DAY)):
        seconds = arguments.number(name, cast("int", known.get(name, usual)))
        if not 0 < seconds <= 14 * DAY:
            raise invalid(name)
        found[name] = seconds
    unionid = arguments.text("unionid", limit=128) or known.get("unionid")
    if unionid:
        found["unionid"] = unionid
    ending = arguments.inner("conclusions")
    conclusions = _conclusions(ending) if ending is not None else known.get("conclusions")
    if conclusions:
        found["conclusions"] = conclusions
    return found


def _conclusions(ending: Arguments) -> dict[str, object]:
    """A text, and of a picture, a link and a mini-program the first that is there."""
    found: dict[str, object] = {}
    text = ending.inner("text")
    if text is not None and (words := text.text("content", limit=4000)):
        found["text"] = {"content": words}
    for kind in ("image", "link", "miniprogram"):
        inner = ending.inner(kind)
        if inner is not None:
            found[kind] = one_of(kind, inner, FIELDS[kind])
            break
    if not found:
        raise PlatformError(40063)
    return found


def _conclude(con: sqlite3.Connection, chat: sqlite3.Row, at: int) -> None:
    more = con.execute("SELECT more FROM ways WHERE config_id = ?", (chat["config_id"],)).fetchone()["more"]
    said = json.dumps(json.loads(more).get("conclusions", {}), ensure_ascii=False)
    con.execute(
        "UPDATE temp_chats SET closed_at = ?, said = ? WHERE userid = ? AND external_userid = ? AND config_id = ?",
        (at, said, chat["userid"], chat["external_userid"], chat["config_id"]),
    )


def end_chats(con: sqlite3.Connection, until: int) -> int:
    """Temporary chats whose time is over by `until` end, with their conclusions; how many."""
    over = con.execute("SELECT * FROM temp_chats WHERE closed_at IS NULL AND until_at <= ?", (until,)).fetchall()
    for chat in over:
        _conclude(con, chat, chat["until_at"])
    return len(over)


def _way(con: sqlite3.Connection, arguments: Arguments) -> sqlite3.Row:
    config = arguments.text("config_id", missing=41043)
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
    welcome: bool = True,
    unionid: str = "",
    at: int | None = None,
    daily_rate: float = 0.0,
) -> dict[str, object]:
    """Somebody scans a way (by config id or state): a friendship, a welcome code of 20 s, and a callback.

    Without an id a new customer is made, who buys `daily_rate` baskets a day from then on. `half`: passed without the
    member's adding back. Without `welcome` the member has one of the admin console's, and the event has no code; nor
    has it where the code of the half-added was used. A temporary way opens a chat and makes no friendship.
    Raises BadInput for a way that is not there, is over, or is for somebody else.
    """
    settings = settings_of(con)
    row = con.execute(
        "SELECT * FROM ways WHERE (config_id = ? OR state = ?) AND deleted_at IS NULL ORDER BY created_at LIMIT 1",
        (way, way),
    ).fetchone()
    if row is None:
        raise bad("way", "没有这个活码", "there is no such contact way")
    more = json.loads(row["more"])
    moment = settings.now if at is None else at
    number = settings.scans + 1
    who = external_userid or f"wm-scan-{settings.seed}-{number:06d}"
    if not more.get("is_temp"):
        let_in(con, who)
    put(con, scans=number)
    users = _people(con, json.loads(row["users"]), more.get("party", []))
    userid = users[int(draw(number, salt("scan", row["config_id"])) * len(users))]
    if more.get("is_exclusive"):  # who has one of them already gets no second one
        mine = con.execute("SELECT userid FROM friends WHERE external_userid = ?", (who,)).fetchall()
        userid = next((one["userid"] for one in mine if one["userid"] in users), userid)
    con.execute(
        "INSERT OR IGNORE INTO customers (external_userid, name, daily_rate, basket_mu, basket_sigma, store_code, "
        "category_weights, lift, discount) VALUES (?, ?, ?, 3.0, 0.5, ?, ?, 0.0, 0.0)",
        (who, f"扫码客户 {number:06d}", daily_rate, "", json.dumps({"general": 1.0})),
    )
    if more.get("is_temp"):
        return _open_chat(con, row, more, userid, who, unionid, moment)
    if not half:
        con.execute(
            "INSERT OR REPLACE INTO relations VALUES (?, ?, ?, NULL, NULL, NULL)",
            (userid, who, moment),
        )
        con.execute("INSERT OR REPLACE INTO doors VALUES (?, ?, ?)", (userid, who, row["state"]))
    wall = wall_now().timestamp()
    code = f"WC{salt('welcome', settings.corp_id, number, str(wall)):016x}{number}"
    spent = con.execute(
        "SELECT 1 FROM welcomes WHERE userid = ? AND external_userid = ? AND sent_wall > ?",
        (userid, who, wall - CODE_SECONDS),
    ).fetchone()
    if not welcome or spent is not None:
        code = ""
    else:
        con.execute(
            "INSERT INTO welcomes (code, userid, external_userid, until_wall, event, app) VALUES (?, ?, ?, ?, ?, ?)",
            (code, userid, who, wall + CODE_SECONDS, code, MAIN),
        )
    change = "add_half_external_contact" if half else "add_external_contact"
    enqueue(con, moment, change, UserID=userid, ExternalUserID=who, State=row["state"], WelcomeCode=code)
    return {"userid": userid, "external_userid": who, "welcome_code": code, "at": moment}


def _open_chat(
    con: sqlite3.Connection,
    row: sqlite3.Row,
    more: Mapping[str, Any],
    userid: str,
    who: str,
    unionid: str,
    moment: int,
) -> dict[str, object]:
    if moment >= row["created_at"] + more["expires_in"]:
        raise bad("way", "临时活码已过期", "the temporary way is over")
    if more.get("unionid") and more["unionid"] != unionid:
        raise bad("unionid", "这个临时活码只给另一个人", "this temporary way is for somebody else")
    until = moment + more["chat_expires_in"]
    con.execute(
        "INSERT OR REPLACE INTO temp_chats VALUES (?, ?, ?, ?, NULL, NULL)", (userid, who, row["config_id"], until)
    )
    return {"userid": userid, "external_userid": who, "welcome_code": "", "at": moment, "until": until}


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
    f"{_OF}close_temp_chat": Call("POST", close_chat, writes=True),
    f"{_OF}send_welcome_msg": Call("POST", send_welcome, writes=True),
}

"""WeChat customer service (微信客服): accounts, servicers, what is read, what may be answered
(WeCom docs 94662, 94665, 94670, 94677, 95122, 94669, 95159, 95489).

Windows of 48 hours go by the business clock, codes of 20 seconds and tokens of 10 minutes by the wall.
"""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.ids import salt
from yutang.sandbox.kf_content import read_answer, read_message
from yutang.sandbox.kf_telling import CUSTOMER, SERVICER, tell_event
from yutang.sandbox.store import Settings
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid

UNTREATED, BOT, WAITING, HUMAN, ENDED = range(5)
#: From which state to which others the API may lead a conversation (doc 94669).
WAYS = {
    UNTREATED: {BOT, WAITING, HUMAN, ENDED},
    BOT: {WAITING, HUMAN, ENDED},
    WAITING: {HUMAN, ENDED},
    HUMAN: {HUMAN, ENDED},
}
WINDOW = 48 * 3600
ANSWERS = 5
KEPT = 3 * 86_400
BRIEFLY = 20.0
TOKENLESS_A_MINUTE = 20  # “strictly limited”; the number is not documented
MOST_ACCOUNTS = 5000
MOST_SERVICERS, MOST_DEPARTMENTS, A_CALL = 2000, 20, 100
SERVED_DAYS = 180
SPAN_DAYS = 31
_ID = re.compile(r"[0-9a-zA-Z_-]{0,32}")


# Accounts ----------------------------------------------------------------------------------------------------------


def add_account(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/account/add`. The same body twice makes two accounts."""
    name = _name(arguments, required=True)
    media = arguments.text("media_id", missing=40058, limit=128)
    number = con.execute("SELECT count(*) FROM kf_accounts").fetchone()[0]
    if con.execute("SELECT count(*) FROM kf_accounts WHERE deleted_at IS NULL").fetchone()[0] >= MOST_ACCOUNTS:
        raise PlatformError(95005)
    account = f"wk{number:06d}{salt('kf', settings.corp_id, settings.seed, number):016x}"
    con.execute("INSERT INTO kf_accounts VALUES (?, ?, ?, ?, NULL)", (account, name, media, settings.now))
    return {"open_kfid": account}


def update_account(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/account/update`: what is not said stays."""
    account = known_account(con, arguments)
    name, media = _name(arguments, required=False), arguments.text("media_id", limit=128)
    if not (name or media):
        raise PlatformError(40063)
    con.execute(
        "UPDATE kf_accounts SET name = coalesce(nullif(?, ''), name), media_id = coalesce(nullif(?, ''), media_id) "
        "WHERE open_kfid = ?",
        (name, media, account),
    )
    return {}


def delete_account(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/account/del`: its link leads nowhere, and what was said of it can be read no more."""
    account = known_account(con, arguments)
    con.execute("UPDATE kf_accounts SET deleted_at = ? WHERE open_kfid = ?", (settings.now, account))
    return {}


def list_accounts(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/account/list`, by offset."""
    rows = con.execute(
        "SELECT * FROM kf_accounts WHERE deleted_at IS NULL ORDER BY created_at, open_kfid LIMIT ? OFFSET ?",
        (arguments.limit(100, 100, 100), arguments.number("offset", 0)),
    )
    return {
        "account_list": [
            {"open_kfid": row["open_kfid"], "name": row["name"], "avatar": "", "manage_privilege": True} for row in rows
        ]
    }


def add_contact_way(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`kf/add_contact_way`: the link of an account; a scene of ours comes back with whoever enters by it."""
    account = known_account(con, arguments)
    scene = arguments.text("scene", limit=32)
    if not _ID.fullmatch(scene):
        raise invalid("scene")
    return {"url": f"https://work.weixin.qq.com/kfid/{account}" + (f"?enc_scene={scene}" if scene else "")}


def known_account(con: sqlite3.Connection, arguments: Arguments) -> str:
    """The account that a call names: 95000 where it names none, 95004 for one that is not there."""
    account = arguments.text("open_kfid", missing=95000)
    found = con.execute("SELECT 1 FROM kf_accounts WHERE open_kfid = ? AND deleted_at IS NULL", (account,)).fetchone()
    if found is None:
        raise PlatformError(95004)
    return account


def _name(arguments: Arguments, *, required: bool) -> str:
    name = arguments.text("name", missing=95006 if required else None, limit=64)
    if len(name) > 16:
        raise PlatformError(95006)
    return name


# Servicers ---------------------------------------------------------------------------------------------------------


def add_servicers(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/servicer/add`: one word for each; who is there already is no error."""
    account, users, departments = _servicers(con, arguments)
    results: list[dict[str, object]] = []
    for userid in users:
        member = con.execute("SELECT userid FROM members WHERE userid = ?", (userid,)).fetchone()
        code = 40003 if member is None else 0
        if member is not None:
            con.execute(
                "INSERT OR IGNORE INTO kf_servicers (open_kfid, userid, department_id) VALUES (?, ?, 0)",
                (account, member["userid"]),
            )
        results.append({"userid": userid, "errcode": code, "errmsg": "success" if not code else "invalid userid"})
    for department in departments:
        con.execute(
            "INSERT OR IGNORE INTO kf_servicers (open_kfid, userid, department_id) VALUES (?, '', ?)",
            (account, department),
        )
        results.append({"department_id": department, "errcode": 0, "errmsg": "success"})
    served = con.execute(
        "SELECT sum(userid <> ''), sum(userid = '') FROM kf_servicers WHERE open_kfid = ?", (account,)
    ).fetchone()
    if (served[0] or 0) > MOST_SERVICERS or (served[1] or 0) > MOST_DEPARTMENTS:
        raise PlatformError(95003)
    return {"result_list": results}


def remove_servicers(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`kf/servicer/del`."""
    account, users, departments = _servicers(con, arguments)
    results: list[dict[str, object]] = []
    for userid in users:
        con.execute("DELETE FROM kf_servicers WHERE open_kfid = ? AND userid = ?", (account, userid))
        results.append({"userid": userid, "errcode": 0, "errmsg": "success"})
    for department in departments:
        con.execute("DELETE FROM kf_servicers WHERE open_kfid = ? AND department_id = ?", (account, department))
        results.append({"department_id": department, "errcode": 0, "errmsg": "success"})
    return {"result_list": results}


def list_servicers(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/servicer/list`: members with their status, and departments."""
    account = known_account(con, arguments)
    rows = con.execute(
        "SELECT * FROM kf_servicers WHERE open_kfid = ? ORDER BY userid = '', userid, department_id", (account,)
    )
    return {
        "servicer_list": [
            {"department_id": row["department_id"]}
            if not row["userid"]
            else {"userid": row["userid"], "status": row["status"]}
            | ({"stop_type": row["stop_type"]} if row["status"] else {})
            for row in rows
        ]
    }


def _servicers(con: sqlite3.Connection, arguments: Arguments) -> tuple[str, list[str], list[int]]:
    account = known_account(con, arguments)
    users = arguments.texts("userid_list", A_CALL)
    departments = arguments.values.get("department_id_list") or []
    if not isinstance(departments, list) or len(departments) > A_CALL:
        raise invalid("department_id_list")
    if not all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in departments):
        raise invalid("department_id_list")
    if not (users or departments):
        raise PlatformError(40063)
    return account, users, cast("list[int]", departments)


# Reading -----------------------------------------------------------------------------------------------------------


def sync_messages(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/sync_msg`: what was said in the last three days, after a cursor. What the API itself sent is not in it.

    A page may be short, and now and then empty although more follows: only `has_more` says that there is no more.
    """
    account = known_account(con, arguments)
    cursor = arguments.text("cursor")
    _check_token(con, account, arguments.text("token", limit=128), wall)
    limit = arguments.limit(1000, 1000, 1000)
    if arguments.number("voice_format", 0) > 1:
        raise invalid("voice_format")
    after, told_nothing = _read_cursor(account, cursor)
    rows = con.execute(
        "SELECT * FROM kf_log WHERE open_kfid = ? AND seq > ? AND at > ? ORDER BY seq LIMIT ?",
        (account, after, settings.now - KEPT, limit + 1),
    ).fetchall()
    size = max(1, limit - salt("kf", cursor, limit) % (limit // 4 + 1))
    if len(rows) > 1 and not told_nothing and salt("kf empty", account, after) % 3 == 0:
        return {"next_cursor": _cursor(account, after, empty=True), "has_more": 1, "msg_list": []}
    shown = rows[:size]
    after = shown[-1]["seq"] if shown else after
    return {
        "next_cursor": _cursor(account, after, empty=False),
        "has_more": int(len(rows) > len(shown)),
        "msg_list": [_told(row) for row in shown],
    }


def _told(row: sqlite3.Row) -> dict[str, object]:
    said: dict[str, object] = {"msgid": row["msgid"], "send_time": row["at"], "origin": row["origin"]}
    if row["msgtype"] != "event":
        said |= {"open_kfid": row["open_kfid"], "external_userid": row["external_userid"]}
    if row["origin"] == SERVICER:
        said["servicer_userid"] = row["servicer"]
    return {**said, "msgtype": row["msgtype"], row["msgtype"]: json.loads(row["content"])}


def _check_token(con: sqlite3.Connection, account: str, token: str, wall: float) -> None:
    if token:
        row = con.execute("SELECT * FROM kf_tokens WHERE token = ?", (token,)).fetchone()
        if row is None or row["open_kfid"] != account or wall > row["until_wall"]:
            raise PlatformError(95007)
        return
    minute = int(wall // 60)
    con.execute(
        "INSERT INTO kf_tokenless VALUES (?, ?, 1) ON CONFLICT (open_kfid, minute) DO UPDATE SET calls = calls + 1",
        (account, minute),
    )
    calls = con.execute("SELECT calls FROM kf_tokenless WHERE open_kfid = ? AND minute = ?", (account, minute))
    if calls.fetchone()[0] > TOKENLESS_A_MINUTE:
        raise PlatformError(45009)


def _cursor(account: str, seq: int, *, empty: bool) -> str:
    body = f"{seq:x}.{int(empty)}"
    return f"{body}.{salt('kf cursor', account, body):016x}"


def _read_cursor(account: str, cursor: str) -> tuple[int, bool]:
    if not cursor:
        return 0, False
    body, _, mark = cursor.rpartition(".")
    if mark != f"{salt('kf cursor', account, body):016x}":
        raise PlatformError(50100)
    seq, _, empty = body.partition(".")
    return int(seq, 16), empty == "1"


# Answering ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation as it stands now."""

    open_kfid: str
    external_userid: str
    number: int
    state: int
    servicer: str
    spoke_at: int | None
    sent: int
    rejects: bool


def session_of(con: sqlite3.Connection, now: int, account: str, external: str) -> Session:
    """A conversation: ended by itself where the customer has said nothing for 48 hours. 40096 where there never was
    one."""
    row = con.execute(
        "SELECT * FROM kf_sessions WHERE open_kfid = ? AND external_userid = ?", (account, external)
    ).fetchone()
    if row is None:
        raise PlatformError(40096, f"invalid string value `{external}`. invalid external userid")
    over = row["spoke_at"] is None or row["spoke_at"] <= now - WINDOW
    return Session(
        account,
        external,
        row["number"],
        ENDED if over else row["state"],
        row["servicer"] or "",
        row["spoke_at"],
        row["sent"],
        bool(row["rejects"]),
    )


def send_message(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/send_msg`: five messages within 48 hours of the customer's last word, while nobody serves by hand.

    Taken is not delivered: a customer who receives nothing any more shows as an event, as on the platform.
    """
    external = arguments.text("touser", missing=40058)
    account = known_account(con, arguments)
    msgid = _given_id(con, account, arguments)
    content = read_message(arguments)
    session = session_of(con, settings.now, account, external)
    if session.spoke_at is None or session.spoke_at <= settings.now - WINDOW:
        raise PlatformError(95002)
    if session.state == ENDED:
        raise PlatformError(95013)
    if session.state in (WAITING, HUMAN):
        raise PlatformError(95018)
    if session.sent >= ANSWERS:
        raise PlatformError(95001)
    msgid = keep_sent(con, settings.now, session, msgid, content)
    con.execute(
        "UPDATE kf_sessions SET sent = sent + 1, state = ? WHERE open_kfid = ? AND external_userid = ?",
        (BOT, account, external),
    )
    return {"msgid": msgid}


def send_on_event(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/send_msg_on_event`: one message for a code, in time, and while the conversation is where it gave the code."""
    code = arguments.text("code", missing=40058, limit=128)
    row = con.execute("SELECT * FROM kf_codes WHERE code = ?", (code,)).fetchone()
    gone = (
        row is None
        or row["used"]
        or (row["until_wall"] or wall) < wall
        or (row["until"] or settings.now) < settings.now
    )
    if gone:
        raise PlatformError(40029)
    msgid = _given_id(con, row["open_kfid"], arguments)
    content = read_answer(arguments, menus=bool(row["menus"]))
    session = session_of(con, settings.now, row["open_kfid"], row["external_userid"])
    if row["state"] is not None and session.state != row["state"]:
        raise PlatformError(95018)
    con.execute("UPDATE kf_codes SET used = 1 WHERE code = ?", (code,))
    if row["state"] is None:
        con.execute(
            "UPDATE kf_sessions SET welcomed_at = ? WHERE open_kfid = ? AND external_userid = ?",
            (settings.now, row["open_kfid"], row["external_userid"]),
        )
    return {"msgid": keep_sent(con, settings.now, session, msgid, content)}


def _given_id(con: sqlite3.Connection, account: str, arguments: Arguments) -> str:
    """An id that the caller gives: good once in an account. (The code of the refusal is our reading.)"""
    msgid = arguments.text("msgid", limit=32)
    taken = con.execute("SELECT 1 FROM kf_sent WHERE open_kfid = ? AND msgid = ?", (account, msgid)).fetchone()
    if not _ID.fullmatch(msgid) or taken is not None:
        raise invalid("msgid")
    return msgid


def keep_sent(con: sqlite3.Connection, now: int, session: Session, msgid: str, content: dict[str, object]) -> str:
    """Keep what the API sent, and let it fail afterwards where the customer receives nothing."""
    number = con.execute("SELECT count(*) FROM kf_sent").fetchone()[0]
    msgid = msgid or f"{salt('kf sent', session.open_kfid, number):016x}{number}"
    fail = 10 if session.rejects else None
    con.execute(
        "INSERT INTO kf_sent VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            session.open_kfid,
            msgid,
            session.external_userid,
            now,
            json.dumps(content, ensure_ascii=False),
            fail,
            session.number,
        ),
    )
    if fail is not None:
        tell_event(
            con, session.open_kfid, session.external_userid, now, "msg_send_fail",
            external_userid=session.external_userid, fail_msgid=msgid, fail_type=fail,
        )  # fmt: skip
    return msgid


# States ------------------------------------------------------------------------------------------------------------


def get_state(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/service_state/get`."""
    session = _named(con, settings, arguments)
    return {"service_state": session.state} | ({"servicer_userid": session.servicer} if session.state == HUMAN else {})


def move_state(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/service_state/trans`: only along the documented ways; the code for one message comes back."""
    session = _named(con, settings, arguments)
    target = arguments.number("service_state")
    if target not in (BOT, WAITING, HUMAN, ENDED):
        raise invalid("service_state")
    servicer = arguments.text("servicer_userid")
    if target not in WAYS.get(session.state, set()):
        raise PlatformError(95016)
    if target == HUMAN:
        serving = con.execute(
            "SELECT userid FROM kf_servicers WHERE open_kfid = ? AND userid = ? AND userid <> '' AND status = 0",
            (session.open_kfid, servicer),
        ).fetchone()
        if serving is None:
            raise PlatformError(95014)
        servicer = serving["userid"]
    con.execute(
        "UPDATE kf_sessions SET state = ?, servicer = ? WHERE open_kfid = ? AND external_userid = ?",
        (target, servicer if target == HUMAN else "", session.open_kfid, session.external_userid),
    )
    if target == BOT or (target == HUMAN and session.state == HUMAN):
        return {}
    return {"msg_code": give_code(con, settings.now, wall, session.open_kfid, session.external_userid, target)}


def give_code(con: sqlite3.Connection, now: int, wall: float, account: str, external: str, state: int | None) -> str:
    """A code for one message. Of the waiting pool or a servicer: 48 hours, text; a welcome or an end: 20 seconds."""
    brief = state in (None, ENDED)
    number = con.execute("SELECT count(*) FROM kf_codes").fetchone()[0]
    code = f"KC{salt('kf code', account, external, number):016x}{number}"
    con.execute(
        "INSERT INTO kf_codes VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        (code, account, external, brief, state, wall + BRIEFLY if brief else None, None if brief else now + WINDOW),
    )
    return code


def _named(con: sqlite3.Connection, settings: Settings, arguments: Arguments) -> Session:
    account = known_account(con, arguments)
    return session_of(con, settings.now, account, arguments.text("external_userid", missing=41035))


# People and figures ------------------------------------------------------------------------------------------------


def customers(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/customer/batchget`: those who were here within 48 hours; the others are named as invalid."""
    asked = arguments.texts("external_userid_list", 100)
    if not asked:
        raise PlatformError(40063)
    context = arguments.number("need_enter_session_context", 0) == 1
    found: list[dict[str, object]] = []
    unknown: list[str] = []
    for external in asked:
        row = con.execute(
            "SELECT s.*, c.name FROM kf_sessions s JOIN customers c USING (external_userid) "
            "WHERE external_userid = ? AND coalesce(max(spoke_at, entered_at), spoke_at, entered_at) > ? "
            "ORDER BY entered_at DESC LIMIT 1",
            (external, settings.now - WINDOW),
        ).fetchone()
        if row is None:
            unknown.append(external)
            continue
        one: dict[str, object] = {"external_userid": external, "nickname": row["name"], "avatar": "", "gender": 0}
        if context and row["entered_at"] is not None:
            one["enter_session_context"] = {"scene": row["scene"] or "", "scene_param": row["scene_param"] or ""}
        found.append(one)
    return {"customer_list": found, "invalid_external_userid": unknown}


def corp_figures(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`kf/get_corp_statistic`: figures by day, of finished days; a day without any has no `statistic`."""
    account = known_account(con, arguments)
    return {"statistic_list": [_corp_day(con, account, start, end) for start, end in _days(settings, arguments)]}


def servicer_figures(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`kf/get_servicer_statistic`, of one servicer, or of all together."""
    account = known_account(con, arguments)
    servicer = arguments.text("servicer_userid")
    return {
        "statistic_list": [
            _servicer_day(con, account, servicer, start, end) for start, end in _days(settings, arguments)
        ]
    }


def _days(settings: Settings, arguments: Arguments) -> list[tuple[int, int]]:
    """The local days from start to end, both included, each as (first second, first second of the next)."""
    today = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
    first, last = (
        local_day(datetime.fromtimestamp(arguments.number(name), UTC), settings.zone)
        for name in ("start_time", "end_time")
    )
    if not today - timedelta(days=SERVED_DAYS) <= first <= today - timedelta(days=1):
        raise invalid("start_time")
    if not first <= last <= today - timedelta(days=1) or last - first >= timedelta(days=SPAN_DAYS):
        raise invalid("end_time")
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    return [
        (
            int(day_start(day, settings.zone).timestamp()),
            int(day_start(day + timedelta(days=1), settings.zone).timestamp()),
        )
        for day in days
    ]


def _corp_day(con: sqlite3.Connection, account: str, start: int, end: int) -> dict[str, object]:
    span = (account, start, end)
    row = con.execute(
        "SELECT count(DISTINCT about || external_userid), count(DISTINCT external_userid), count(*) FROM kf_log "
        "WHERE open_kfid = ? AND at >= ? AND at < ? AND origin = 3",
        span,
    ).fetchone()
    by_bot = con.execute(
        "SELECT count(DISTINCT about || external_userid) FROM kf_sent WHERE open_kfid = ? AND at >= ? AND at < ?", span
    ).fetchone()[0]
    handed_on = con.execute(
        "SELECT count(DISTINCT about || external_userid) FROM kf_log WHERE open_kfid = ? AND at >= ? AND at < ? "
        "AND origin = 5 AND about || external_userid IN (SELECT about || external_userid FROM kf_sent "
        "WHERE kf_sent.open_kfid = kf_log.open_kfid)",
        span,
    ).fetchone()[0]
    refused = con.execute(
        "SELECT count(DISTINCT external_userid) FROM kf_sessions WHERE open_kfid = ? AND rejects = 1", (account,)
    ).fetchone()[0]
    if not (row[0] or by_bot):
        return {"stat_time": start}
    figures = {
        "session_cnt": row[0],
        "customer_cnt": row[1],
        "customer_msg_cnt": row[2],
        "upgrade_service_customer_cnt": 0,
        "ai_session_reply_cnt": by_bot,
        "ai_transfer_rate": round(handed_on / by_bot, 4) if by_bot else 0,
        "msg_rejected_customer_cnt": refused,
    }
    return {"stat_time": start, "statistic": figures}


def _servicer_day(con: sqlite3.Connection, account: str, servicer: str, start: int, end: int) -> dict[str, object]:
    rows = con.execute(
        "SELECT about || external_userid AS talk, external_userid, origin, at FROM kf_log WHERE open_kfid = ? "
        "AND at >= ? AND at < ? AND origin IN (3, 5) AND servicer <> '' AND (? = '' OR servicer = ?) ORDER BY seq",
        (account, start, end, servicer, servicer),
    ).fetchall()
    if not rows:
        return {"stat_time": start}
    asked: dict[str, int] = {}
    answered: dict[str, int] = {}
    for row in rows:
        if row["origin"] == CUSTOMER:
            asked.setdefault(row["talk"], row["at"])
        elif row["talk"] in asked:
            answered.setdefault(row["talk"], row["at"] - asked[row["talk"]])
    figures: dict[str, object] = {
        "session_cnt": len({row["talk"] for row in rows}),
        "customer_cnt": len({row["external_userid"] for row in rows if row["origin"] == CUSTOMER}),
        "customer_msg_cnt": sum(row["origin"] == CUSTOMER for row in rows),
    }
    if asked:
        figures["reply_rate"] = round(len(answered) / len(asked), 4)
    if answered:
        figures["first_reply_average_sec"] = sum(answered.values()) // len(answered)
    return {"stat_time": start, "statistic": figures}


CALLS = {
    "kf/account/add": Call("POST", add_account, writes=True),
    "kf/account/update": Call("POST", update_account, writes=True),
    "kf/account/del": Call("POST", delete_account, writes=True),
    "kf/account/list": Call("POST", list_accounts, {"account_list": []}),
    "kf/add_contact_way": Call("POST", add_contact_way),
    "kf/servicer/add": Call("POST", add_servicers, {"result_list": []}, writes=True),
    "kf/servicer/del": Call("POST", remove_servicers, {"result_list": []}, writes=True),
    "kf/servicer/list": Call("GET", list_servicers, {"servicer_list": []}),
    "kf/sync_msg": Call("POST", sync_messages, {"msg_list": []}, writes=True),
    "kf/send_msg": Call("POST", send_message, writes=True),
    "kf/send_msg_on_event": Call("POST", send_on_event, writes=True),
    "kf/service_state/get": Call("POST", get_state),
    "kf/service_state/trans": Call("POST", move_state, writes=True),
    "kf/customer/batchget": Call("POST", customers, {"customer_list": []}),
    "kf/get_corp_statistic": Call("POST", corp_figures, {"statistic_list": []}),
    "kf/get_servicer_statistic": Call("POST", servicer_figures, {"statistic_list": []}),
}

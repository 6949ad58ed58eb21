"""Messages of the app to members, and of robots to groups (WeCom docs 90236, 94867, 94888, 91770, 94345).

Caps are by business time: 30 a minute and 1,000 an hour to one member, 200 person-times a day for each account of the
corp. What is beyond them is dropped and answered with errcode 0, as the platform does.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from secrets import token_hex, token_urlsafe

from yutang.kernel.calendars import day_start, local_day
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.contracts import bad
from yutang.sandbox.directory import all_seen, members_below, seen_member
from yutang.sandbox.payloads import changes, keys_of, read_card, read_payload, read_robot_payload
from yutang.sandbox.store import Settings, count, settings_of
from yutang.sandbox.wire import ANYBODY, Arguments, Call, Noted, PlatformError, invalid

EVERYBODY = "@all"
MOST_MEMBERS, MOST_PARTIES = 1_000, 100
A_MINUTE, AN_HOUR, PERSON_TIMES = 30, 1_000, 200
MOST_INTERVAL = 14_400
RECALLED_WITHIN, CARD_WITHIN, LAUNCH_WITHIN = 86_400, 72 * 3_600, 300.0
ROBOT_A_MINUTE = 20


def send(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`message/send`: to members, departments and tags; part of them invalid is no refusal."""
    kind = arguments.text("msgtype", missing=40008)
    _check_agent(settings, arguments, needed=kind != "miniprogram_notice")
    if arguments.number("safe", 0) > (2 if kind == "mpnews" else 1):
        raise invalid("safe")
    if kind == "miniprogram_notice" and arguments.values.get("touser") == EVERYBODY:
        raise invalid("touser")
    payload = read_payload(con, kind, arguments, wall)
    to = _recipients(con, settings, arguments)
    said = {"touser": to.members, "msgtype": kind, kind: payload, "safe": arguments.values.get("safe", 0)}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    msgid = _doubled(con, settings, arguments, digest)
    if not msgid:
        msgid = token_urlsafe(48)
        task = str(payload.get("task_id") or "")
        if task and not con.execute("INSERT OR IGNORE INTO card_tasks VALUES (?, ?)", (task, msgid)).rowcount:
            raise invalid("task_id")
        con.execute(
            "INSERT INTO app_messages VALUES (?, ?, ?, ?, ?, NULL)",
            (msgid, settings.now, kind, json.dumps(payload, ensure_ascii=False), digest),
        )
        _deliver(con, settings, msgid, to.members)
    code = _card_code(con, settings, msgid, None) if kind == "template_card" and changes(payload) else ""
    return {**to.refused, "msgid": msgid, **({"response_code": code} if code else {})}


def recall(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`message/recall`: within 24 hours; again is no error."""
    msgid = arguments.text("msgid", missing=40058, limit=256)
    row = con.execute("SELECT at FROM app_messages WHERE msgid = ?", (msgid,)).fetchone()
    if row is None:
        raise invalid("msgid")
    if settings.now - row["at"] > RECALLED_WITHIN:
        raise PlatformError(42052)
    con.execute("UPDATE app_messages SET recalled_at = coalesce(recalled_at, ?) WHERE msgid = ?", (settings.now, msgid))
    return {}


def update_card(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`message/update_template_card`: buttons that can be pressed no more, or another card, once for each code."""
    _check_agent(settings, arguments)
    code = arguments.text("response_code", missing=40058, limit=256)
    row = con.execute("SELECT * FROM card_codes WHERE code = ?", (code,)).fetchone()
    if row is None or row["used"] or settings.now > row["until"]:
        raise invalid("response_code")
    button, card = arguments.inner("button"), arguments.inner("template_card")
    if button is not None:
        shown: dict[str, object] = {"replace_name": button.text("replace_name", missing=40063, limit=256)}
    elif card is not None:
        shown = read_card(con, card, wall, first=False)
    else:
        raise PlatformError(40063)
    got = {
        one["userid"].lower() for one in con.execute("SELECT userid FROM app_received WHERE msgid = ?", (row["msgid"],))
    }
    asked = [userid.lower() for userid in arguments.texts("userids", MOST_MEMBERS)]
    parties = arguments.values.get("partyids") or []
    if not isinstance(parties, list) or len(parties) > MOST_PARTIES or not all(isinstance(one, int) for one in parties):
        raise invalid("partyids")
    below = {userid.lower() for userid in members_below(con, settings, parties)} if parties else set()
    to = got if arguments.values.get("atall") == 1 else ({*asked} | below) & got
    con.execute("UPDATE card_codes SET used = 1 WHERE code = ?", (code,))
    con.executemany(
        "UPDATE app_received SET shown = ? WHERE msgid = ? AND userid = ?",
        [(json.dumps(shown, ensure_ascii=False), row["msgid"], userid) for userid in to],
    )
    return {"invaliduser": [userid for userid in asked if userid not in got]}


def robot_send(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`webhook/send`: whoever knows the key speaks, twenty times a minute."""
    key = arguments.text("key", missing=93000, limit=128)
    if con.execute("SELECT 1 FROM robots WHERE key = ?", (key,)).fetchone() is None:
        raise PlatformError(93000)
    if count(con, f"robot {key}", int(wall // 60)) > ROBOT_A_MINUTE:
        raise Noted(45009)
    kind = arguments.text("msgtype", missing=40008)
    said = {"msgtype": kind, kind: read_robot_payload(con, kind, arguments, wall)}
    con.execute(
        "INSERT INTO robot_messages (key, at, content) VALUES (?, ?, ?)",
        (key, settings.now, json.dumps(said, ensure_ascii=False)),
    )
    return {}


def launch_code(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_launch_code`: opens a chat with a member, or with one of the operator's customers; for five minutes."""
    operator = _seen(con, settings, arguments.text("operator_userid", missing=40058))
    chat = arguments.inner("single_chat")
    if chat is None:
        raise PlatformError(40063)
    partner = chat.text("userid")
    if partner:
        partner = _seen(con, settings, partner)
    else:
        partner = chat.text("external_userid", missing=40063)
        if not con.execute(
            "SELECT 1 FROM visible WHERE userid = ? AND external_userid = ?", (operator, partner)
        ).fetchone():
            raise PlatformError(84061)
    code = token_urlsafe(32)
    con.execute("INSERT INTO launch_codes VALUES (?, ?, ?, ?)", (code, operator, partner, wall + LAUNCH_WITHIN))
    return {"launch_code": code}


# Recipients ---------------------------------------------------------------------------------------------------------


class _To:
    """Who is meant, and what of it cannot be."""

    def __init__(self, members: list[str], refused: dict[str, object]) -> None:
        self.members, self.refused = members, refused


def _recipients(con: sqlite3.Connection, settings: Settings, arguments: Arguments) -> _To:
    """82001 where nobody is named, 81013 where none of those named can be."""
    if arguments.values.get("touser") == EVERYBODY:
        members = all_seen(con, settings)
        if not members:
            raise PlatformError(81013)
        return _To(members, {})
    users = _named(arguments, "touser", MOST_MEMBERS, 40035)
    parties = _named(arguments, "toparty", MOST_PARTIES, 82002)
    tags = _named(arguments, "totag", MOST_PARTIES, 82003)
    if not (users or parties or tags):
        raise PlatformError(82001)
    known: dict[str, None] = {}
    no_user: list[str] = []
    for userid in users:
        try:
            row = seen_member(con, settings, userid)
        except PlatformError:
            no_user.append(userid.lower())
        else:
            known[row["userid"]] = None
    there = {number: members_below(con, settings, [int(number)]) for number in parties if number.isdigit()}
    no_party = [number for number in parties if not there.get(number)]
    known |= dict.fromkeys(userid for found in there.values() for userid in found)
    if not known:
        raise PlatformError(81013)
    # The corp of the sandbox has no tags of members: each is one that is not there.
    refused = (("invaliduser", no_user), ("invalidparty", no_party), ("invalidtag", tags))
    return _To(sorted(known), {name: "|".join(values) for name, values in refused if values})


def _named(arguments: Arguments, name: str, most: int, beyond: int) -> list[str]:
    value = arguments.values.get(name)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else arguments.text(name, limit=128_000)
    found = list(dict.fromkeys(part.strip() for part in text.split("|") if part.strip()))
    if len(found) > most:
        raise PlatformError(beyond)
    return found


def _deliver(con: sqlite3.Connection, settings: Settings, msgid: str, members: Sequence[str]) -> None:
    """To each member within their caps and within the day's, in order; the rest hears nothing."""
    today = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
    since = int(day_start(today, settings.zone).timestamp())
    left = (
        settings.accounts * PERSON_TIMES
        - con.execute("SELECT count(*) FROM app_received WHERE at >= ?", (since,)).fetchone()[0]
    )
    now = settings.now
    heard = {
        row["userid"]: (row["minute"], row["hour"])
        for row in con.execute(
            "SELECT userid, sum(at > ?) AS minute, count(*) AS hour FROM app_received "
            "WHERE at > ? AND userid IN (SELECT value FROM json_each(?)) GROUP BY userid",
            (now - 60, now - 3_600, json.dumps(list(members))),
        )
    }
    open_to = [
        userid
        for userid in members
        if heard.get(userid, (0, 0))[0] < A_MINUTE and heard.get(userid, (0, 0))[1] < AN_HOUR
    ]
    con.executemany(
        "INSERT INTO app_received VALUES (?, ?, ?, NULL)",
        [(msgid, userid, now) for userid in open_to[: max(0, left)]],
    )


def _doubled(con: sqlite3.Connection, settings: Settings, arguments: Arguments, digest: str) -> str:
    """The message by which the same was said to the same, within the interval that the caller wants looked at."""
    if arguments.number("enable_duplicate_check", 0) != 1:
        return ""
    interval = arguments.number("duplicate_check_interval", 1_800)
    if interval > MOST_INTERVAL:
        raise invalid("duplicate_check_interval")
    row = con.execute(
        "SELECT msgid FROM app_messages WHERE digest = ? AND at > ? ORDER BY at LIMIT 1",
        (digest, settings.now - interval),
    ).fetchone()
    return str(row["msgid"]) if row else ""


def _card_code(con: sqlite3.Connection, settings: Settings, msgid: str, userid: str | None) -> str:
    code = token_urlsafe(48)
    con.execute("INSERT INTO card_codes VALUES (?, ?, ?, ?, 0)", (code, msgid, userid, settings.now + CARD_WITHIN))
    return code


def _check_agent(settings: Settings, arguments: Arguments, *, needed: bool = True) -> None:
    agent = arguments.values.get("agentid")
    if agent is None:
        if needed:
            raise PlatformError(41011)
        return
    if str(agent) != str(settings.agent_id) or isinstance(agent, bool):
        raise PlatformError(40056)


def _seen(con: sqlite3.Connection, settings: Settings, userid: str) -> str:
    try:
        return str(seen_member(con, settings, userid)["userid"])
    except PlatformError:
        raise PlatformError(660003) from None


# What people do -----------------------------------------------------------------------------------------------------


def make_robot(con: sqlite3.Connection, name: str) -> dict[str, object]:
    """Somebody adds a robot to their group; the same name again is the same robot."""
    row = con.execute("SELECT key FROM robots WHERE name = ?", (name,)).fetchone()
    key = row["key"] if row else f"{token_hex(4)}-{token_hex(2)}-{token_hex(2)}-{token_hex(2)}-{token_hex(6)}"
    con.execute("INSERT OR IGNORE INTO robots VALUES (?, ?)", (key, name))
    return {"key": key}


def received(con: sqlite3.Connection, userid: str | None) -> dict[str, object]:
    """What members (or one of them) see of the app, and groups of their robots, the newest first; at most a
    thousand."""
    rows = con.execute(
        "SELECT r.userid, r.at, r.shown, m.msgid, m.msgtype, m.content, m.recalled_at FROM app_received r "
        "JOIN app_messages m USING (msgid) WHERE ? IS NULL OR r.userid = ? "
        "ORDER BY r.at DESC, m.msgid, r.userid LIMIT 1000",
        (userid, userid),
    )
    said = con.execute(
        "SELECT r.name, m.at, m.content FROM robot_messages m JOIN robots r USING (key) ORDER BY m.id DESC LIMIT 1000"
    )
    return {
        "messages": [
            {
                "userid": row["userid"],
                "at": row["at"],
                "msgid": row["msgid"],
                "msgtype": row["msgtype"],
                "content": json.loads(row["content"]),
                "recalled": row["recalled_at"] is not None,
                "shown": json.loads(row["shown"]) if row["shown"] else None,
            }
            for row in rows
        ],
        "robots": [{"robot": row["name"], "at": row["at"], **json.loads(row["content"])} for row in said],
    }


def press(con: sqlite3.Connection, userid: str, msgid: str, key: str) -> dict[str, object]:
    """A member presses a button of a card that they got; a callback says so, with a code to change the card by."""
    settings = settings_of(con)
    row = con.execute(
        "SELECT m.content, r.userid FROM app_received r JOIN app_messages m USING (msgid) "
        "WHERE msgid = ? AND r.userid = ? AND m.msgtype = 'template_card' AND m.recalled_at IS NULL",
        (msgid, userid),
    ).fetchone()
    card = json.loads(row["content"]) if row else {}
    if key not in keys_of(card):
        raise bad("key", "这位成员没有收到带这个按钮的卡片", "this member got no card with such a button")
    code = _card_code(con, settings, msgid, row["userid"])
    enqueue(
        con,
        settings.now,
        "",
        "template_card_event",
        FromUserName=row["userid"],
        EventKey=key,
        TaskId=str(card.get("task_id") or ""),
        CardType=str(card["card_type"]),
        ResponseCode=code,
        AgentID=str(settings.agent_id),
    )
    return {"response_code": code}


_OF = "message/"
CALLS = {
    f"{_OF}send": Call("POST", send, writes=True),
    f"{_OF}recall": Call("POST", recall, writes=True),
    f"{_OF}update_template_card": Call("POST", update_card, writes=True),
    "webhook/send": Call("POST", robot_send, writes=True, secrets=frozenset({ANYBODY})),
    "get_launch_code": Call("POST", launch_code, writes=True),
}

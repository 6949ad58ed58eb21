"""Acquisition links (获客链接, WeCom docs 97297–97299 and 97375): links, who came by them, the quota they use up.

Every new friend who comes by a link takes one of the quota that expires first. `total` is read as what was ever bought.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import draw, salt
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.contracts import bad
from yutang.sandbox.customers import known_member, write_remark
from yutang.sandbox.store import MAIN, Settings, settings_of
from yutang.sandbox.walls import let_in
from yutang.sandbox.ways import CODE_SECONDS, leave
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid, page

MOST_LINKS = 10_000  # the number behind 41095 is not documented
MOST_USERS, MOST_DEPARTMENTS, MOST_PRIORITY = 500, 100, 1000
LOW = 20
STATE_BYTES = 64
CHAT_SECONDS = 1800.0
WARNED = (14, 7, 3, 2, 1)
SPAN_DAYS, SERVED_DAYS = 30, 180
FIRST_QUOTA, FIRST_DAYS = 1000, 365
EVENT = "customer_acquisition"
BY_LINK = 16  # the add_way of who came by a link (WeCom doc 92114)


# Links -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Link:
    name: str
    users: list[str]
    departments: list[int]
    skip_verify: bool
    priority_type: int
    priority_users: list[str]
    mark_source: bool


def create_link(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`create_link`: a flat body. The same body twice makes two links."""
    link = _read(con, arguments, None)
    living = con.execute("SELECT count(*) FROM acquisition_links WHERE deleted_at IS NULL").fetchone()[0]
    if living >= MOST_LINKS:
        raise PlatformError(41095)
    number = con.execute("SELECT count(*) FROM acquisition_links").fetchone()[0]
    link_id = f"cawc{number:06d}{salt('link', settings.corp_id, settings.seed, number):016x}"
    con.execute(
        "INSERT INTO acquisition_links VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (link_id, *_columns(link), settings.now),
    )
    made = {"link_id": link_id, "link_name": link.name, "url": _url(link_id), "create_time": settings.now}
    return {"link": made}


def update_link(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`update_link`: what is not said stays; the range is replaced whole."""
    row = _known(con, arguments)
    con.execute(
        "UPDATE acquisition_links SET name = ?, users = ?, departments = ?, skip_verify = ?, priority_type = ?, "
        "priority_users = ?, mark_source = ? WHERE link_id = ?",
        (*_columns(_read(con, arguments, row)), row["link_id"]),
    )
    return {}


def delete_link(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`delete_link`: it leads nowhere any more. No callback, as for every change by API."""
    row = _known(con, arguments)
    con.execute("UPDATE acquisition_links SET deleted_at = ? WHERE link_id = ?", (settings.now, row["link_id"]))
    return {}


def get_link(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get`."""
    row = _known(con, arguments)
    answer: dict[str, object] = {
        "link": {
            "link_name": row["name"],
            "url": _url(row["link_id"]),
            "create_time": row["created_at"],
            "skip_verify": bool(row["skip_verify"]),
            "mark_source": bool(row["mark_source"]),
        },
        "range": {"user_list": json.loads(row["users"]), "department_list": json.loads(row["departments"])},
    }
    if row["priority_type"]:
        named = json.loads(row["priority_users"])
        answer["priority_option"] = {"priority_type": row["priority_type"], "priority_userid_list": named}
    return answer


def list_links(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`list_link`: ids of the links that work."""

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            "SELECT link_id FROM acquisition_links WHERE deleted_at IS NULL AND link_id > ? ORDER BY link_id LIMIT ?",
            (start[0] if start else "", count),
        ).fetchall()

    found, cursor = page(
        "links",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["link_id"]],
        arguments.limit(100, 100, 100),
    )
    return {"link_id_list": [row["link_id"] for row in found], "next_cursor": cursor}


def _read(con: sqlite3.Connection, arguments: Arguments, before: sqlite3.Row | None) -> _Link:
    name = arguments.text("link_name", missing=None if before else 40058, limit=120)
    if len(name) > 30:
        raise invalid("link_name")
    scope = arguments.inner("range")
    if scope is None and before is None:
        raise PlatformError(40063)
    users = [known_member(con, one) for one in scope.texts("user_list", MOST_USERS)] if scope else []
    departments = _departments(scope) if scope else []
    if scope is not None and not (users or departments):
        raise PlatformError(40063)
    priority = arguments.inner("priority_option")
    kind = priority.number("priority_type") if priority else 0
    named = priority.texts("priority_userid_list", MOST_PRIORITY) if priority else []
    if (priority and kind not in (1, 2)) or (kind == 2 and not named):
        raise invalid("priority_option")
    flags = {key: arguments.values.get(key) for key in ("skip_verify", "mark_source")}
    if not all(flag is None or isinstance(flag, bool) for flag in flags.values()):
        raise invalid("skip_verify")
    verify, mark = (bool(before[key]) if flag is None and before else flag is not False for key, flag in flags.items())
    if before is None:
        return _Link(name, users, departments, verify, kind, named, mark)
    return _Link(
        name or before["name"],
        users if scope else json.loads(before["users"]),
        departments if scope else json.loads(before["departments"]),
        verify,
        kind if priority else before["priority_type"],
        named if priority else json.loads(before["priority_users"]),
        mark,
    )


def _departments(scope: Arguments) -> list[int]:
    found = scope.values.get("department_list") or []
    if not isinstance(found, list) or len(found) > MOST_DEPARTMENTS:
        raise invalid("department_list")
    if not all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in found):
        raise invalid("department_list")
    return cast("list[int]", found)


def _columns(link: _Link) -> tuple[object, ...]:
    return (
        link.name,
        json.dumps(link.users),
        json.dumps(link.departments),
        link.skip_verify,
        link.priority_type,
        json.dumps(link.priority_users),
        link.mark_source,
    )


def _known(con: sqlite3.Connection, arguments: Arguments) -> sqlite3.Row:
    """The link that a call names; 40058 for one that is not ours or is gone (the code is our reading)."""
    link_id = arguments.text("link_id", missing=40058)
    row: sqlite3.Row | None = con.execute(
        "SELECT * FROM acquisition_links WHERE link_id = ? AND deleted_at IS NULL", (link_id,)
    ).fetchone()
    if row is None:
        raise invalid("link_id")
    return row


def _url(link_id: str) -> str:
    return f"https://work.weixin.qq.com/ca/{link_id}"


# What they brought -------------------------------------------------------------------------------------------------


def link_customers(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`customer`: who came by a link, to whom, by which channel, and whether they have written."""
    link_id = _known(con, arguments)["link_id"]

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        external, userid = start or ("", "")
        return con.execute(
            "SELECT * FROM acquisition_customers WHERE link_id = ? AND (external_userid, userid) > (?, ?) "
            "ORDER BY external_userid, userid LIMIT ?",
            (link_id, external, userid, count),
        ).fetchall()

    found, cursor = page(
        "link customers",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["external_userid"], row["userid"]],
        arguments.limit(1000, 1000, 1000),
    )
    listed = [
        {
            "external_userid": row["external_userid"],
            "userid": row["userid"],
            "chat_status": int(row["messages"] > 0),
            "state": row["state"],
        }
        for row in found
    ]
    return {"customer_list": listed, "next_cursor": cursor}


def figures(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`statistic`: by whole local days, both included; at most 30 days, of the last 180."""
    link_id = _known(con, arguments)["link_id"]
    today = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
    first, last = (
        local_day(datetime.fromtimestamp(arguments.number(name), UTC), settings.zone)
        for name in ("start_time", "end_time")
    )
    if first < today - timedelta(days=SERVED_DAYS):
        raise invalid("start_time")
    if not first <= last <= first + timedelta(days=SPAN_DAYS):
        raise invalid("end_time")
    span = (
        link_id,
        int(day_start(first, settings.zone).timestamp()),
        int(day_start(last + timedelta(days=1), settings.zone).timestamp()),
    )
    clicks = con.execute(
        "SELECT count(DISTINCT external_userid) FROM acquisition_clicks WHERE link_id = ? AND at >= ? AND at < ?", span
    ).fetchone()[0]
    came = con.execute(
        "SELECT count(DISTINCT external_userid) FROM acquisition_customers WHERE link_id = ? AND at >= ? AND at < ?",
        span,
    ).fetchone()[0]
    return {"click_link_customer_cnt": clicks, "new_customer_cnt": came}


def chat_info(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_chat_info`: of whom a callback's key speaks, for half an hour."""
    key = arguments.text("chat_key", missing=40058, limit=128)
    row = con.execute("SELECT * FROM acquisition_chats WHERE chat_key = ?", (key,)).fetchone()
    if row is None or wall > row["until_wall"]:
        raise invalid("chat_key")
    came = con.execute(
        "SELECT * FROM acquisition_customers WHERE link_id = ? AND external_userid = ? AND userid = ?",
        (row["link_id"], row["external_userid"], row["userid"]),
    ).fetchone()
    return {
        "userid": row["userid"],
        "external_userid": row["external_userid"],
        "chat_info": {"recv_msg_cnt": came["messages"], "link_id": row["link_id"], "state": came["state"]},
    }


def quota(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`customer_acquisition_quota`."""
    rows = con.execute(
        "SELECT * FROM acquisition_quota WHERE rest > 0 AND expires_at > ? ORDER BY expires_at, id", (settings.now,)
    ).fetchall()
    total = con.execute("SELECT coalesce(sum(bought), 0) FROM acquisition_quota").fetchone()[0]
    by_day: dict[int, int] = {}
    for row in rows:
        day = local_day(datetime.fromtimestamp(row["expires_at"], UTC), settings.zone)
        midnight = int(day_start(day, settings.zone).timestamp())
        by_day[midnight] = by_day.get(midnight, 0) + row["rest"]
    listed = [{"expire_date": day, "balance": rest} for day, rest in by_day.items()]
    return {"total": total, "balance": sum(by_day.values()), "quota_list": listed}


# People and time ---------------------------------------------------------------------------------------------------


def first_quota(con: sqlite3.Connection, start: int) -> None:
    """What a corp has to begin with; again changes nothing."""
    con.execute(
        "INSERT OR IGNORE INTO acquisition_quota (id, bought, rest, expires_at) VALUES (1, ?, ?, ?)",
        (FIRST_QUOTA, FIRST_QUOTA, start + FIRST_DAYS * 86_400),
    )


def left(con: sqlite3.Connection, now: int) -> int:
    """How many may still come."""
    row = con.execute("SELECT coalesce(sum(rest), 0) FROM acquisition_quota WHERE expires_at > ?", (now,)).fetchone()
    return int(row[0])


def expire(con: sqlite3.Connection, settings: Settings, until: int) -> None:
    """What time does to the quota in (now, until]: warnings 14, 7, 3, 2 and 1 days before, then it is gone."""
    for row in con.execute("SELECT * FROM acquisition_quota WHERE rest > 0 ORDER BY id").fetchall():
        for days in WARNED:
            at = row["expires_at"] - days * 86_400
            if settings.now < at <= until:
                enqueue(
                    con, at, "quota_expire_soon", EVENT,
                    ExpireTime=str(row["expires_at"]), ExpireQuotaNum=str(row["rest"]),
                )  # fmt: skip
        if settings.now < row["expires_at"] <= until and not left(con, row["expires_at"]):
            enqueue(con, row["expires_at"], "balance_exhausted", EVENT)


def act(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """`{"do": …, "link": link id, address or name, …}`: what people do with a link, or with the corp's quota."""
    doings: dict[str, Callable[[sqlite3.Connection, Mapping[str, object]], dict[str, object]]] = {
        "open": _open,
        "add": _add,
        "chat": _chat,
        "leave": _leave,
        "delete": _delete,
        "break": _break,
        "quota": _quota,
    }
    doing = doings.get(str(body.get("do")))
    if doing is None:
        raise bad("do", f"应为 {'、'.join(doings)} 之一", f"must be one of {', '.join(doings)}")
    return doing(con, body)


def _link(con: sqlite3.Connection, body: Mapping[str, object]) -> sqlite3.Row:
    asked = str(body.get("link", "")).partition("?")[0].removeprefix("https://work.weixin.qq.com/ca/")
    row: sqlite3.Row | None = con.execute(
        "SELECT * FROM acquisition_links WHERE (link_id = ? OR name = ?) AND deleted_at IS NULL", (asked, asked)
    ).fetchone()
    if row is None:
        raise bad("link", "没有这个获客链接", "there is no such link")
    return row


def _state(body: Mapping[str, object]) -> str:
    return str(body.get("state", "")).encode()[:STATE_BYTES].decode(errors="ignore")


def _open(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    now, link = settings_of(con).now, _link(con, body)
    number = con.execute("SELECT count(*) FROM acquisition_clicks").fetchone()[0]
    who = str(body.get("external_userid") or f"wm-link-{link['link_id'][4:10]}-{number:06d}")
    con.execute("INSERT INTO acquisition_clicks VALUES (?, ?, ?)", (link["link_id"], who, now))
    enqueue(con, now, "open_profile", EVENT, LinkId=link["link_id"], State=_state(body))
    return {"external_userid": who}


def _add(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """Somebody opens a link and becomes a friend of one of its members; without quota they cannot."""
    settings, link = settings_of(con), _link(con, body)
    now, state = settings.now, _state(body)
    who = str(_open(con, body)["external_userid"])
    if not left(con, now):
        raise bad("quota", "获客额度已用完", "the quota is used up")
    let_in(con, who)
    users = json.loads(link["users"]) or [row["userid"] for row in con.execute("SELECT userid FROM members")]
    userid = users[int(draw(now, salt("link", link["link_id"], who)) * len(users))]
    enqueue(con, now, "friend_request", EVENT, LinkId=link["link_id"], State=state)
    con.execute(
        "INSERT OR IGNORE INTO customers VALUES (?, ?, NULL, 0.0, 3.0, 0.5, '', ?, 0.0, 0.0)",
        (who, f"获客客户 {who[-6:]}", json.dumps({"general": 1.0})),
    )
    con.execute("INSERT OR REPLACE INTO relations VALUES (?, ?, ?, NULL, NULL, NULL)", (userid, who, now))
    con.execute("INSERT OR REPLACE INTO doors VALUES (?, ?, ?)", (userid, who, state))
    write_remark(con, userid, who, add_way=BY_LINK)
    con.execute(
        "INSERT OR IGNORE INTO acquisition_customers (link_id, external_userid, userid, state, at) "
        "VALUES (?, ?, ?, ?, ?)",
        (link["link_id"], who, userid, state, now),
    )
    wall = wall_now().timestamp()
    code = f"WC{salt('welcome', link['link_id'], who, str(wall)):016x}"
    con.execute(
        "INSERT OR IGNORE INTO welcomes (code, userid, external_userid, until_wall, event, app) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (code, userid, who, wall + CODE_SECONDS, code, MAIN),
    )
    enqueue(con, now, "add_external_contact", UserID=userid, ExternalUserID=who, State=state, WelcomeCode=code)
    _take_one(con, now)
    return {"external_userid": who, "userid": userid, "left": left(con, now)}


def _take_one(con: sqlite3.Connection, now: int) -> None:
    before = left(con, now)
    con.execute(
        "UPDATE acquisition_quota SET rest = rest - 1 WHERE id = (SELECT id FROM acquisition_quota "
        "WHERE rest > 0 AND expires_at > ? ORDER BY expires_at, id LIMIT 1)",
        (now,),
    )
    if before == LOW:
        enqueue(con, now, "balance_low", EVENT)
    if before == 1:
        enqueue(con, now, "balance_exhausted", EVENT)


def _came(con: sqlite3.Connection, body: Mapping[str, object]) -> sqlite3.Row:
    link = _link(con, body)
    row: sqlite3.Row | None = con.execute(
        "SELECT * FROM acquisition_customers WHERE link_id = ? AND external_userid = ? ORDER BY at DESC LIMIT 1",
        (link["link_id"], str(body.get("external_userid", ""))),
    ).fetchone()
    if row is None:
        raise bad("external_userid", "不是由这个链接来的客户", "did not come by that link")
    return row


def _chat(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """The customer writes once; of the first message, and of the 3rd, 5th and 10th, the corp is told."""
    now, row = settings_of(con).now, _came(con, body)
    count = row["messages"] + 1
    named = (row["link_id"], row["external_userid"], row["userid"])
    con.execute(
        "UPDATE acquisition_customers SET messages = ? WHERE link_id = ? AND external_userid = ? AND userid = ?",
        (count, *named),
    )
    key = ""
    if count == 1:
        enqueue(
            con, now, "customer_start_chat", EVENT,
            UserID=row["userid"], ExternalUserID=row["external_userid"], LinkId=row["link_id"],
        )  # fmt: skip
    if count in (3, 5, 10):
        wall = wall_now().timestamp()
        key = f"CHAT{salt('chat', *named, count):016x}"
        con.execute(
            "INSERT OR REPLACE INTO acquisition_chats VALUES (?, ?, ?, ?, ?)", (key, *named, wall + CHAT_SECONDS)
        )
        enqueue(con, now, "message_from_customer", EVENT, LinkId=row["link_id"], ChatKey=key)
    return {"messages": count, "chat_key": key}


def _leave(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    row = _came(con, body)
    told = leave(con, row["userid"], row["external_userid"], by_customer=True)
    enqueue(
        con, settings_of(con).now, "del_follow_user", EVENT, UserID=row["userid"],
        ExternalUserID=row["external_userid"], LinkId=row["link_id"], State=row["state"],
    )  # fmt: skip
    return told


def _delete(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """Somebody deletes a link in the admin console."""
    now, link = settings_of(con).now, _link(con, body)
    con.execute("UPDATE acquisition_links SET deleted_at = ? WHERE link_id = ?", (now, link["link_id"]))
    enqueue(con, now, "delete_link", EVENT, LinkId=link["link_id"])
    return {"at": now}


def _break(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """None of a link's members can add anybody for now."""
    now, link = settings_of(con).now, _link(con, body)
    enqueue(con, now, "link_unavailable", EVENT, LinkId=link["link_id"])
    return {"at": now}


def _quota(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """`{"left": n}` leaves so many of what was bought; `{"buy": n, "days": d}` buys more, for so many days."""
    now = settings_of(con).now
    before = left(con, now)
    if isinstance(body.get("left"), int):
        con.execute("UPDATE acquisition_quota SET rest = 0")
        con.execute("UPDATE acquisition_quota SET rest = ? WHERE id = 1", (body["left"],))
    bought, days = body.get("buy", 0), body.get("days", FIRST_DAYS)
    if not isinstance(bought, int) or not isinstance(days, int):
        raise bad("buy", "应为整数", "must be a whole number")
    if bought:
        con.execute(
            "INSERT INTO acquisition_quota (bought, rest, expires_at) VALUES (?, ?, ?)",
            (bought, bought, now + days * 86_400),
        )
        if not before:
            enqueue(con, now, "balance_increased", EVENT)
    return {"left": left(con, now)}


_OF = "externalcontact/customer_acquisition/"
CALLS = {
    f"{_OF}list_link": Call("POST", list_links, {"link_id_list": []}),
    f"{_OF}get": Call("POST", get_link),
    f"{_OF}create_link": Call("POST", create_link, writes=True),
    f"{_OF}update_link": Call("POST", update_link, writes=True),
    f"{_OF}delete_link": Call("POST", delete_link, writes=True),
    f"{_OF}customer": Call("POST", link_customers, {"customer_list": []}),
    f"{_OF}statistic": Call("POST", figures),
    f"{_OF}get_chat_info": Call("POST", chat_info),
    "externalcontact/customer_acquisition_quota": Call("GET", quota, {"quota_list": []}),
}

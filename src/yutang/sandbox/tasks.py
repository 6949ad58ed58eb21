"""Mass sends: tasks, their confirmation by members, and what is read back (WeCom docs 92135, 93338, 97610, 97611)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from yutang.kernel.ids import salt
from yutang.sandbox.caps import cap_at
from yutang.sandbox.content import read_content
from yutang.sandbox.contracts import bad
from yutang.sandbox.customers import known_member
from yutang.sandbox.habits import choose_habit, choose_tap, reminded_tap
from yutang.sandbox.store import Settings, put
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid, page

MONTH_SECONDS = 31 * 86_400
DAY_SECONDS = 86_400
REMINDERS_A_DAY = 3

UNSENT, SENT, NOT_FRIEND, CAPPED = 0, 1, 2, 3


def add_task(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`add_msg_template`: asks members to send; sends nothing by itself.

    Each recipient goes to the member who talked last among the customer's live friendships, whatever `sender` was
    named. Unknown ids, strangers to the sender and those already at their cap come back in `fail_list`. Nobody left:
    40096 when every id is unknown, 84061 when every known one is a stranger, else 41048 (this split is our reading).
    Of groups, only the sender's own are asked for (all of them where none is named); nothing left is 41048.
    """
    kind = arguments.text("chat_type") or "single"
    if kind not in ("single", "group"):
        raise invalid("chat_type")
    sender = arguments.text("sender")
    asked = arguments.texts("external_userid", 10_000)
    chats = arguments.texts("chat_id_list", 2_000)
    filtered = _has_tag_filter(arguments)
    if not isinstance(arguments.values.get("allow_select", False), bool):
        raise invalid("allow_select")
    content = read_content(con, arguments, wall)
    if kind == "group" and not sender:
        raise PlatformError(40063)
    sender = known_member(con, sender) if sender else ""
    if kind == "single" and not (sender or asked or filtered):
        raise PlatformError(40063)
    if kind == "single" and filtered and not asked:
        raise PlatformError(40068)  # the corp has no tags, so none that is named exists
    if kind == "group":
        routed, failed = _groups_of(con, settings, sender, chats)
    else:
        routed, failed = _route(con, settings, sender, asked)
    msgid = _new_msgid(con, settings)
    con.execute(
        "INSERT INTO tasks VALUES (?, ?, ?, 0, NULL, ?, ?, NULL)",
        (msgid, kind, settings.now, json.dumps(content, ensure_ascii=False), wall + settings.dispatch_seconds),
    )
    con.executemany("INSERT INTO recipients VALUES (?, ?, ?, 0, NULL)", ((msgid, *pair) for pair in routed))
    _ask_members(con, settings, msgid)
    return {"fail_list": failed, "msgid": msgid}


def remind_task(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`remind_groupmsg_send`: at most 3 in 24 hours (41094). A late member then taps within the hour."""
    task = _find_task(con, arguments)
    if task["cancelled_at"] is not None:
        raise PlatformError(41093)
    recent = con.execute(
        "SELECT count(*) FROM reminders WHERE msgid = ? AND at > ?", (task["msgid"], settings.now - DAY_SECONDS)
    ).fetchone()[0]
    if recent >= REMINDERS_A_DAY:
        raise PlatformError(41094)
    con.execute("INSERT INTO reminders VALUES (?, ?)", (task["msgid"], settings.now))
    late = con.execute(
        "SELECT userid, tap_at FROM member_tasks WHERE msgid = ? AND habit = 'late' AND tapped_at IS NULL",
        (task["msgid"],),
    ).fetchall()
    con.executemany(
        "UPDATE member_tasks SET tap_at = ? WHERE msgid = ? AND userid = ?",
        [
            (
                min(row["tap_at"], reminded_tap(settings.seed, row["userid"], task["msgid"], settings.now)),
                task["msgid"],
                row["userid"],
            )
            for row in late
        ],
    )
    return {}


def cancel_task(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`cancel_groupmsg_send`: what is unsent stays unsent; what was sent stays sent. Again → 41093."""
    task = _find_task(con, arguments)
    if task["cancelled_at"] is not None:
        raise PlatformError(41093)
    con.execute("UPDATE tasks SET cancelled_at = ? WHERE msgid = ?", (settings.now, task["msgid"]))
    con.execute("UPDATE member_tasks SET tap_at = NULL WHERE msgid = ? AND tapped_at IS NULL", (task["msgid"],))
    return {}


def list_tasks(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_groupmsg_list_v2`: the record of mass sends, newest last; no `creator` for tasks made through the API."""
    kind = arguments.text("chat_type", missing=40058)
    start, end = arguments.number("start_time"), arguments.number("end_time")
    chosen = arguments.number("filter_type", 2)
    if kind not in ("single", "group"):
        raise invalid("chat_type")
    if not start <= end <= start + MONTH_SECONDS:
        raise invalid("end_time")
    if chosen > 2:
        raise invalid("filter_type")
    creator = arguments.text("creator")
    creator = known_member(con, creator) if creator else ""

    def rows(after: Sequence[object], count: int) -> list[sqlite3.Row]:
        at, msgid = after or (-1, "")
        return con.execute(
            "SELECT * FROM tasks WHERE chat_type = :kind AND create_time BETWEEN :start AND :end "
            "AND (:chosen = 2 OR create_type = :chosen) AND (:creator = '' OR creator = :creator) "
            "AND (create_time, msgid) > (:at, :msgid) ORDER BY create_time, msgid LIMIT :count",
            {
                "kind": kind,
                "start": start,
                "end": end,
                "chosen": chosen,
                "creator": creator,
                "at": at,
                "msgid": msgid,
                "count": count,
            },
        ).fetchall()

    found, cursor = page(
        "list_v2",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["create_time"], row["msgid"]],
        arguments.limit(50, 100, 50),
    )
    return {"group_msg_list": [_record(row) for row in found], "next_cursor": cursor}


def list_member_tasks(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`get_groupmsg_task`: which members were asked, and who tapped when. Too early → 41063."""
    task = _find_task(con, arguments)
    cursor = arguments.text("cursor", limit=1024)
    limit = arguments.limit(500, 1000, 500)
    _await_dispatch(task, wall)

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            "SELECT * FROM member_tasks WHERE msgid = ? AND userid > ? ORDER BY userid LIMIT ?",
            (task["msgid"], start[0] if start else "", count),
        ).fetchall()

    found, after = page("task", cursor, rows, lambda row: [row["userid"]], limit)
    return {
        "task_list": [
            {"userid": row["userid"], "status": 0}
            if row["tapped_at"] is None
            else {"userid": row["userid"], "status": 2, "send_time": row["tapped_at"]}
            for row in found
        ],
        "next_cursor": after,
    }


def list_results(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_groupmsg_send_result`: what became of each recipient of one member. Readable after a cancel too. Of groups
    only those are told that it was sent to."""
    task = _find_task(con, arguments)
    userid = known_member(con, arguments.text("userid", missing=41009))
    cursor = arguments.text("cursor", limit=1024)
    limit = arguments.limit(500, 1000, 500)
    _await_dispatch(task, wall)

    to_groups = task["chat_type"] == "group"
    named = "chat_id" if to_groups else "external_userid"

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            "SELECT * FROM recipients WHERE msgid = ? AND userid = ? AND external_userid > ? "
            "AND (NOT ? OR status = 1) ORDER BY external_userid LIMIT ?",
            (task["msgid"], userid, start[0] if start else "", to_groups, count),
        ).fetchall()

    found, after = page("result", cursor, rows, lambda row: [row["external_userid"]], limit)
    return {
        "send_list": [
            {named: row["external_userid"], "userid": row["userid"], "status": row["status"]}
            | ({"send_time": row["send_time"]} if row["status"] == SENT else {})
            for row in found
        ],
        "next_cursor": after,
    }


@dataclass(frozen=True, slots=True)
class Tap:
    """What one tap did, in recipients."""

    sent: int
    not_friend: int
    capped: int


def release(con: sqlite3.Connection, settings: Settings, msgid: str, userid: str, at: int) -> Tap:
    """The clock moves to `at` and the member taps: each unsent recipient is sent, or fails as no friend (2) or as
    over the cap (3). A recipient is a customer or a group; of a group, who owns it no more is no friend.
    """
    put(con, now=at)
    cap = cap_at(settings, at)
    strangers = con.execute(
        "UPDATE recipients SET status = 2 WHERE msgid = ? AND userid = ? AND status = 0 AND NOT EXISTS (SELECT 1 "
        "FROM friends f WHERE f.userid = recipients.userid AND f.external_userid = recipients.external_userid) "
        "AND NOT EXISTS (SELECT 1 FROM chats c WHERE c.chat_id = recipients.external_userid "
        "AND c.owner = recipients.userid AND c.dismissed_at IS NULL)",
        (msgid, userid),
    )
    capped = con.execute(
        "UPDATE recipients SET status = 3 WHERE msgid = ? AND userid = ? AND status = 0 AND (SELECT count(*) "
        "FROM recipients got WHERE got.external_userid = recipients.external_userid AND got.status = 1 "
        "AND got.send_time >= ?) >= ?",
        (msgid, userid, cap.since, cap.most),
    )
    sent = con.execute(
        "UPDATE recipients SET status = 1, send_time = ? WHERE msgid = ? AND userid = ? AND status = 0",
        (at, msgid, userid),
    )
    con.execute(
        "UPDATE member_tasks SET tapped_at = ?, tap_at = NULL WHERE msgid = ? AND userid = ?", (at, msgid, userid)
    )
    return Tap(sent.rowcount, strangers.rowcount, capped.rowcount)


def send_offgate(con: sqlite3.Connection, settings: Settings, userid: str, at: int) -> Tap | None:
    """The clock moves to `at`, and a member sends to all their friends on their own. None when nobody is there."""
    put(con, now=at)
    msgid = f"msg{salt(settings.seed, 'offgate', userid, at):016x}own"
    con.execute(
        "INSERT INTO tasks VALUES (?, 'single', ?, 1, ?, ?, 0, NULL)",
        (msgid, at, userid, json.dumps({"text": {"content": "合成：导购自发消息"}}, ensure_ascii=False)),
    )
    found = con.execute(
        "INSERT INTO recipients SELECT ?, userid, external_userid, 0, NULL FROM friends WHERE userid = ?",
        (msgid, userid),
    )
    if not found.rowcount:
        con.execute("DELETE FROM tasks WHERE msgid = ?", (msgid,))
        return None
    con.execute("INSERT INTO member_tasks VALUES (?, ?, 'at_once', NULL, NULL)", (msgid, userid))
    return release(con, settings, msgid, userid, at)


def send_own(
    con: sqlite3.Connection, settings: Settings, userid: str, to: Sequence[str], chats: Sequence[str], text: str
) -> tuple[str, Tap]:
    """A member sends something of their own to some customers, or into some groups, now; the send's id (for the same,
    asked again, the same) and what it did. Raises BadInput for what a client would not let them choose."""
    member = con.execute("SELECT userid FROM members WHERE userid = ?", (userid,)).fetchone()
    if member is None:
        raise bad("userid", "没有这位成员", "there is no such member")
    if bool(to) == bool(chats):
        raise bad("to", "to 与 chats 应恰好填一个", "name either customers in `to`, or groups in `chats`")
    table, column, whose = ("friends", "external_userid", "userid") if to else ("chats", "chat_id", "owner")
    chosen = con.execute(
        f"SELECT {column} FROM {table} WHERE {whose} = ? AND {column} IN (SELECT value FROM json_each(?))",  # noqa: S608
        (member["userid"], json.dumps(list(to or chats))),
    ).fetchall()
    if len(chosen) != len(set(to or chats)):
        raise bad("to", "不全是这位成员的好友或群", "not all of them are friends, or groups, of this member")
    msgid = f"msg{salt(settings.seed, 'own', userid, settings.now, text, *sorted(to or chats)):016x}own"
    kind, content = "single" if to else "group", json.dumps({"text": {"content": text}}, ensure_ascii=False)
    made = con.execute(
        "INSERT OR IGNORE INTO tasks VALUES (?, ?, ?, 1, ?, ?, 0, NULL)",
        (msgid, kind, settings.now, member["userid"], content),
    )
    if not made.rowcount:
        return msgid, Tap(0, 0, 0)
    con.executemany(
        "INSERT INTO recipients VALUES (?, ?, ?, 0, NULL)", [(msgid, member["userid"], row[0]) for row in chosen]
    )
    con.execute("INSERT INTO member_tasks VALUES (?, ?, 'at_once', NULL, NULL)", (msgid, member["userid"]))
    return msgid, release(con, settings, msgid, member["userid"], settings.now)


# Of each customer asked for: known to the corp, related to the sender, at the cap, and the member who talked last among
# live friendships; a one-way relation serves only where no friendship is left.
_ROUTES = """
WITH chosen AS (
    SELECT value AS external_userid FROM json_each(:asked)
    UNION SELECT external_userid FROM visible WHERE :asked = '[]' AND userid = :sender),
ranked AS (
    SELECT external_userid, v.userid, row_number() OVER (
        PARTITION BY external_userid
        ORDER BY f.userid IS NOT NULL DESC, coalesce(v.last_talk_at, v.added_at) DESC, v.added_at DESC, v.userid
    ) AS rank
    FROM chosen JOIN visible v USING (external_userid) LEFT JOIN friends f USING (userid, external_userid))
SELECT external_userid, ranked.userid,
    EXISTS (SELECT 1 FROM customers c WHERE c.external_userid = chosen.external_userid) AS known,
    ranked.userid IS NOT NULL AND (:sender = '' OR EXISTS (
        SELECT 1 FROM visible v WHERE v.userid = :sender AND v.external_userid = chosen.external_userid)) AS related,
    (SELECT count(*) FROM recipients got WHERE got.external_userid = chosen.external_userid AND got.status = 1
        AND got.send_time >= :since) >= :most AS full
FROM chosen LEFT JOIN ranked USING (external_userid) WHERE coalesce(ranked.rank, 1) = 1
"""


def _route(
    con: sqlite3.Connection, settings: Settings, sender: str, asked: list[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """(member, customer) pairs that will be asked, and the ids that fail. Raises when nobody is left."""
    cap = cap_at(settings, settings.now)
    rows = con.execute(
        _ROUTES, {"asked": json.dumps(asked), "sender": sender, "since": cap.since, "most": cap.most}
    ).fetchall()
    routed = [(str(row["userid"]), str(row["external_userid"])) for row in rows if row["related"] and not row["full"]]
    if not routed and asked and not any(row["known"] for row in rows):
        raise PlatformError(40096, f"invalid string value `{asked[0]}`. invalid external userid")
    if not routed:
        raise PlatformError(84061 if asked and not any(row["related"] for row in rows) else 41048)
    sendable = {external for _, external in routed}
    wanted = asked or [str(row["external_userid"]) for row in rows]
    return routed, [external for external in wanted if external not in sendable]


def _groups_of(
    con: sqlite3.Connection, settings: Settings, owner: str, asked: list[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """(owner, group) pairs that will be asked for, and the ids that fail. Raises when none is left."""
    cap = cap_at(settings, settings.now)
    sendable = [
        str(row["chat_id"])
        for row in con.execute(
            "SELECT chat_id FROM chats WHERE owner = :owner AND dismissed_at IS NULL AND (SELECT count(*) "
            "FROM recipients got WHERE got.external_userid = chats.chat_id AND got.status = 1 "
            "AND got.send_time >= :since) < :most "
            "AND (:asked = '[]' OR chat_id IN (SELECT value FROM json_each(:asked))) ORDER BY chat_id",
            {"owner": owner, "since": cap.since, "most": cap.most, "asked": json.dumps(asked)},
        )
    ]
    if not sendable:
        raise PlatformError(41048)
    left = set(sendable)
    return [(owner, chat) for chat in sendable], [chat for chat in asked if chat not in left]


def _ask_members(con: sqlite3.Connection, settings: Settings, msgid: str) -> None:
    rows = con.execute(
        "SELECT DISTINCT m.userid, m.habit FROM recipients r JOIN members m USING (userid) "
        "WHERE r.msgid = ? ORDER BY m.userid",
        (msgid,),
    ).fetchall()
    asked = []
    for row in rows:
        habit = choose_habit(json.loads(row["habit"]), settings.seed, row["userid"], msgid)
        tap = choose_tap(habit, settings.seed, row["userid"], msgid, settings.now, settings.zone)
        asked.append((msgid, row["userid"], habit, tap))
    con.executemany("INSERT INTO member_tasks VALUES (?, ?, ?, ?, NULL)", asked)


def _new_msgid(con: sqlite3.Connection, settings: Settings) -> str:
    put(con, tasks=settings.tasks + 1)
    parts = "".join(f"{salt(settings.seed, 'msgid', part, settings.tasks):016x}" for part in "ab")
    return f"msg{parts}"[:32]


def _find_task(con: sqlite3.Connection, arguments: Arguments) -> sqlite3.Row:
    msgid = arguments.text("msgid", missing=41046, limit=128)
    row = con.execute("SELECT * FROM tasks WHERE msgid = ?", (msgid,)).fetchone()
    if row is None:
        raise PlatformError(41047)
    return cast("sqlite3.Row", row)


def _await_dispatch(task: sqlite3.Row, wall: float) -> None:
    if wall < task["ready_wall"]:
        raise PlatformError(41063)


def _record(row: sqlite3.Row) -> dict[str, object]:
    creator = {} if row["creator"] is None else {"creator": row["creator"]}
    return {
        "msgid": row["msgid"],
        **creator,
        "create_time": row["create_time"],
        "create_type": row["create_type"],
        **json.loads(row["content"]),
    }


def _has_tag_filter(arguments: Arguments) -> bool:
    tags = arguments.inner("tag_filter")
    if tags is None:
        return False
    groups = tags.values.get("group_list")
    if not isinstance(groups, list) or not groups:
        raise PlatformError(40063)
    for group in groups:
        if not isinstance(group, dict) or not Arguments(group).texts("tag_list", 100):
            raise PlatformError(40063)
    return True


def _withdrawn(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_group_msg_result` answered until 2021."""
    raise PlatformError(48005)


_OF = "externalcontact/"
CALLS = {
    f"{_OF}add_msg_template": Call("POST", add_task, {"fail_list": []}, writes=True),
    f"{_OF}remind_groupmsg_send": Call("POST", remind_task, writes=True),
    f"{_OF}cancel_groupmsg_send": Call("POST", cancel_task, writes=True),
    f"{_OF}get_groupmsg_list_v2": Call("POST", list_tasks, {"group_msg_list": []}),
    f"{_OF}get_groupmsg_task": Call("POST", list_member_tasks, {"task_list": []}),
    f"{_OF}get_groupmsg_send_result": Call("POST", list_results, {"send_list": []}),
    f"{_OF}get_group_msg_result": Call("POST", _withdrawn),
}

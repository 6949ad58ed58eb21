"""Inheritance of customers, of members on the job and of those who left (WeCom docs 92125, 94088, 92124, 94081, 94082).

A transfer is accepted of itself after 24 hours of business time unless the customer refuses; then the old relation ends
(`DELETE_BY_TRANSFER`) and the new one begins, without an add event for who was the taker's friend already, or had been
handed on by the taker before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.contracts import bad
from yutang.sandbox.customers import known_member, write_remark
from yutang.sandbox.directory import change_member
from yutang.sandbox.store import Settings, settings_of
from yutang.sandbox.wire import Arguments, Call, PlatformError, page

DONE, WAITING, REFUSED, FULL = 1, 2, 3, 4
ACCEPTED_AFTER = 86_400
A_CALL = 100
BY_ADMINISTRATOR = 202  # the add_way of who was assigned (WeCom doc 92114)
MOST_IN_90_DAYS = 2
EXITED = 5  # a member's status (WeCom doc 90201)
DAYS_90, YEAR = 90 * 86_400, 365 * 86_400
#: Of a relation, that it stands at an instant (given twice): the clock may be on its way there.
_LIVE = "added_at <= ? AND (member_deleted_at IS NULL OR member_deleted_at > ?)"


def transfer(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`transfer_customer`: a word for each customer; 0 says that it has begun, not that it will succeed."""
    handover, takeover, customers, message = _asked(con, arguments)
    if has_left(con, handover) is not None:
        raise PlatformError(40003)
    return {"customer": [_begin(con, settings, "onjob", handover, takeover, one, message) for one in customers]}


def transfer_of_resigned(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`resigned/transfer_customer`: of a member who left, at most a year ago (40097)."""
    handover, takeover, customers, _ = _asked(con, arguments)
    left = has_left(con, handover)
    if left is None or left <= settings.now - YEAR:
        raise PlatformError(40097)
    return {"customer": [_begin(con, settings, "resigned", handover, takeover, one, "") for one in customers]}


def _asked(con: sqlite3.Connection, arguments: Arguments) -> tuple[str, str, list[str], str]:
    handover = known_member(con, arguments.text("handover_userid", missing=41009))
    takeover = known_member(con, arguments.text("takeover_userid", missing=41009))
    customers = arguments.texts("external_userid", A_CALL)
    message = arguments.text("transfer_success_msg", limit=800)
    if len(message) > 200:
        raise PlatformError(40058, "invalid param 'transfer_success_msg'")
    if not customers:
        raise PlatformError(41035)
    if handover == takeover:
        raise PlatformError(40130)
    if has_left(con, takeover) is not None:
        raise PlatformError(40003)
    row = con.execute("SELECT * FROM transfer_members WHERE userid = ?", (takeover,)).fetchone()
    if row is not None and not row["verified"]:
        raise PlatformError(40098)
    if row is not None and row["banned"]:
        raise PlatformError(40143)
    return handover, takeover, customers, message


def _begin(
    con: sqlite3.Connection, settings: Settings, kind: str, handover: str, takeover: str, external: str, message: str
) -> dict[str, object]:
    code = _refusal(con, settings.now, kind, handover, takeover, external)
    if not code:
        con.execute(
            "INSERT INTO transfers (kind, handover, takeover, external_userid, at, due_at, message) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (kind, handover, takeover, external, settings.now, settings.now + ACCEPTED_AFTER, message),
        )
    return {"external_userid": external, "errcode": code}


def _refusal(con: sqlite3.Connection, now: int, kind: str, handover: str, takeover: str, external: str) -> int:
    """Why this customer cannot be transferred, in the order of the documents; 0 where they can."""
    if con.execute("SELECT 1 FROM customers WHERE external_userid = ?", (external,)).fetchone() is None:
        return 40096
    if (
        con.execute("SELECT 1 FROM visible WHERE userid = ? AND external_userid = ?", (handover, external)).fetchone()
        is None
    ):
        return 40131
    if con.execute("SELECT 1 FROM transfers WHERE external_userid = ? AND status = 2", (external,)).fetchone():
        return 40129 if kind == "onjob" else 40100
    recently = con.execute(
        "SELECT count(*) FROM transfers WHERE kind = 'onjob' AND external_userid = ? AND at > ? AND status = 1",
        (external, now - DAYS_90),
    ).fetchone()[0]
    if kind == "onjob" and recently >= MOST_IN_90_DAYS:
        return 40128
    return 40099 if _is_full(con, takeover, now) else 0


def _is_full(con: sqlite3.Connection, userid: str, at: int) -> bool:
    row = con.execute("SELECT most FROM transfer_members WHERE userid = ?", (userid,)).fetchone()
    if row is None or row["most"] is None:
        return False
    mine = f"SELECT count(*) FROM relations WHERE userid = ? AND {_LIVE}"  # noqa: S608  # our own condition
    have = con.execute(mine, (userid, at, at)).fetchone()[0]
    return bool(have >= row["most"])


def transfer_result(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`transfer_result`: the last transfer of each customer between two members."""
    return _result(con, arguments, "onjob")


def resigned_result(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`resigned/transfer_result`."""
    return _result(con, arguments, "resigned")


def _result(con: sqlite3.Connection, arguments: Arguments, kind: str) -> dict[str, object]:
    handover = known_member(con, arguments.text("handover_userid", missing=41009))
    takeover = known_member(con, arguments.text("takeover_userid", missing=41009))

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            "SELECT * FROM transfers t WHERE kind = ? AND handover = ? AND takeover = ? AND external_userid > ? "
            "AND id = (SELECT max(id) FROM transfers u WHERE u.kind = t.kind AND u.handover = t.handover "
            "AND u.takeover = t.takeover AND u.external_userid = t.external_userid) ORDER BY external_userid LIMIT ?",
            (kind, handover, takeover, start[0] if start else "", count),
        ).fetchall()

    found, cursor = page(
        f"transfers {kind}", arguments.text("cursor", limit=1024), rows, lambda row: [row["external_userid"]], 1000
    )
    listed = [
        {
            "external_userid": row["external_userid"],
            "status": row["status"],
            "takeover_time": row["done_at"] or (row["due_at"] if row["status"] == WAITING else 0),
        }
        for row in found
    ]
    return {"customer": listed, "next_cursor": cursor}


def list_unassigned(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`get_unassigned_list`: the customers of members who left, that nobody has taken over and nobody is about to."""
    size = arguments.number("page_size", 1000) or 1000

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        userid, external = start or ("", "")
        return con.execute(
            "SELECT v.userid, v.external_userid, m.left_at FROM visible v JOIN transfer_members m USING (userid) "
            "WHERE m.left_at IS NOT NULL AND (v.userid, v.external_userid) > (?, ?) AND NOT EXISTS (SELECT 1 "
            "FROM transfers t WHERE t.external_userid = v.external_userid AND t.handover = v.userid AND t.status = 2) "
            "ORDER BY v.userid, v.external_userid LIMIT ?",
            (userid, external, count),
        ).fetchall()

    found, cursor = page(
        "unassigned",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["userid"], row["external_userid"]],
        min(size, 1000),
    )
    listed = [
        {
            "handover_userid": row["userid"],
            "external_userid": row["external_userid"],
            "dimission_time": row["left_at"],
        }
        for row in found
    ]
    return {"info": listed, "is_last": not cursor, "next_cursor": cursor}


# Time and people ---------------------------------------------------------------------------------------------------


def has_left(con: sqlite3.Connection, userid: str) -> int | None:
    """When a member left; None for who is still there."""
    row = con.execute("SELECT left_at FROM transfer_members WHERE userid = ?", (userid,)).fetchone()
    return None if row is None or row["left_at"] is None else int(row["left_at"])


def next_transfer(con: sqlite3.Connection) -> int | None:
    """When the next transfer is accepted of itself."""
    found = con.execute("SELECT min(due_at) FROM transfers WHERE status = 2").fetchone()[0]
    return None if found is None else int(found)


def finish_due(con: sqlite3.Connection, until: int) -> int:
    """Accept what nobody refused until then; returns how many."""
    due = con.execute(
        "SELECT * FROM transfers WHERE status = 2 AND due_at <= ? ORDER BY due_at, id", (until,)
    ).fetchall()
    for row in due:
        _finish(con, row)
    return len(due)


def _finish(con: sqlite3.Connection, row: sqlite3.Row) -> None:
    pair = (row["takeover"], row["external_userid"])
    theirs = f"SELECT 1 FROM relations WHERE userid = ? AND external_userid = ? AND {_LIVE}"  # noqa: S608  # as above
    friends = con.execute(theirs, (*pair, row["due_at"], row["due_at"])).fetchone()
    if friends is None and _is_full(con, row["takeover"], row["due_at"]):
        _fail(con, row, FULL, "customer_limit_exceed", row["due_at"])
        return
    con.execute("UPDATE transfers SET status = ?, done_at = ? WHERE id = ?", (DONE, row["due_at"], row["id"]))
    con.execute(
        "UPDATE relations SET member_deleted_at = ? WHERE userid = ? AND external_userid = ?",
        (row["due_at"], row["handover"], row["external_userid"]),
    )
    enqueue(
        con, row["due_at"], "del_external_contact", UserID=row["handover"], ExternalUserID=row["external_userid"],
        Source="DELETE_BY_TRANSFER",
    )  # fmt: skip
    if friends is not None:
        return
    con.execute("INSERT OR REPLACE INTO relations VALUES (?, ?, ?, NULL, NULL, NULL)", (*pair, row["due_at"]))
    write_remark(con, *pair, add_way=BY_ADMINISTRATOR)
    handed_on = con.execute(
        "SELECT 1 FROM transfers WHERE handover = ? AND external_userid = ? AND status = 1 AND id < ?",
        (*pair, row["id"]),
    ).fetchone()
    if handed_on is None:
        enqueue(
            con, row["due_at"], "add_external_contact", UserID=row["takeover"], ExternalUserID=row["external_userid"]
        )


def _fail(con: sqlite3.Connection, row: sqlite3.Row, status: int, reason: str, at: int) -> None:
    con.execute("UPDATE transfers SET status = ? WHERE id = ?", (status, row["id"]))
    enqueue(con, at, "transfer_fail", UserID=row["takeover"], ExternalUserID=row["external_userid"], FailReason=reason)


def act(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """`{"do": "refuse", "external_userid"}`: a customer refuses; `{"do": "leave" | "member", "userid", …}`: a member
    leaves the corp, or is `verified`, `banned`, may have at `most` so many customers."""
    doings: dict[str, Callable[[sqlite3.Connection, Mapping[str, object]], dict[str, object]]] = {
        "refuse": _refuse,
        "leave": _leave,
        "member": _member,
    }
    doing = doings.get(str(body.get("do")))
    if doing is None:
        raise bad("do", f"应为 {'、'.join(doings)} 之一", f"must be one of {', '.join(doings)}")
    return doing(con, body)


def _refuse(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    now = settings_of(con).now
    row = con.execute(
        "SELECT * FROM transfers WHERE external_userid = ? AND status = 2", (str(body.get("external_userid", "")),)
    ).fetchone()
    if row is None:
        raise bad("external_userid", "这位客户没有在转接", "that customer is not being transferred")
    _fail(con, row, REFUSED, "customer_refused", now)
    return {"at": now}


def _leave(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    now, userid = settings_of(con).now, _known(con, body)
    con.execute(
        "INSERT INTO transfer_members (userid, left_at) VALUES (?, ?) "
        "ON CONFLICT (userid) DO UPDATE SET left_at = coalesce(left_at, excluded.left_at)",
        (userid, now),
    )
    change_member(con, userid, status=EXITED)  # so that their groups have no owner either
    return {"at": now}


def _member(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    userid, most = _known(con, body), body.get("most")
    if most is not None and not isinstance(most, int):
        raise bad("most", "应为整数", "must be a whole number")
    con.execute(
        "INSERT INTO transfer_members (userid, verified, banned, most) VALUES (?, ?, ?, ?) ON CONFLICT (userid) "
        "DO UPDATE SET verified = excluded.verified, banned = excluded.banned, most = excluded.most",
        (userid, body.get("verified", True) is True, body.get("banned", False) is True, most),
    )
    return {"userid": userid}


def _known(con: sqlite3.Connection, body: Mapping[str, object]) -> str:
    try:
        return known_member(con, str(body.get("userid", "")))
    except PlatformError:
        raise bad("userid", "没有这个成员", "there is no such member") from None


_OF = "externalcontact/"
CALLS = {
    f"{_OF}transfer_customer": Call("POST", transfer, {"customer": []}, writes=True),
    f"{_OF}transfer_result": Call("POST", transfer_result, {"customer": []}),
    f"{_OF}get_unassigned_list": Call("POST", list_unassigned, {"info": []}),
    f"{_OF}resigned/transfer_customer": Call("POST", transfer_of_resigned, {"customer": []}, writes=True),
    f"{_OF}resigned/transfer_result": Call("POST", resigned_result, {"customer": []}),
}

"""The customer-contact reads: who follows whom (WeCom docs 92113, 92114, 92994)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from yutang.sandbox.store import Settings
from yutang.sandbox.wire import Arguments, Call, PlatformError, page

FOLLOWERS_PER_PAGE = 500


def list_members(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`externalcontact/get_follow_user_list`: every member has the customer-contact right here."""
    return {"follow_user": [row["userid"] for row in con.execute("SELECT userid FROM members ORDER BY userid")]}


def list_customers(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`externalcontact/list`: the whole list; a member without any customer gets 84061, not an empty success."""
    userid = known_member(con, arguments.text("userid", missing=41009))
    found = [
        row["external_userid"]
        for row in con.execute(
            "SELECT external_userid FROM visible WHERE userid = ? ORDER BY external_userid", (userid,)
        )
    ]
    if not found:
        raise PlatformError(84061)
    return {"external_userid": found}


def get_customer(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`externalcontact/get`: one customer with followers, 500 a page."""
    external = arguments.text("external_userid", missing=41035)
    customer = con.execute("SELECT * FROM customers WHERE external_userid = ?", (external,)).fetchone()
    if customer is None:
        raise PlatformError(40096, f"invalid string value `{external}`. invalid external userid")

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            "SELECT * FROM visible WHERE external_userid = ? AND userid > ? ORDER BY userid LIMIT ?",
            (external, start[0] if start else "", count),
        ).fetchall()

    found, cursor = page(
        "get", arguments.text("cursor", limit=1024), rows, lambda row: [row["userid"]], FOLLOWERS_PER_PAGE
    )
    if not found:
        raise PlatformError(84061)
    followers = [_follow(con, row, customer["name"]) | {"tags": []} for row in found]
    answer: dict[str, object] = {"external_contact": _contact(customer), "follow_user": followers}
    return answer | ({"next_cursor": cursor} if cursor else {})


def batch_customers(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`externalcontact/batch/get_by_user`: customers of up to 100 members; pages may be short."""
    userids = arguments.texts("userid_list", 100)
    if not userids:
        raise PlatformError(40063)
    members = json.dumps(sorted({known_member(con, userid) for userid in userids}))

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        userid, external = start or ("", "")
        return con.execute(
            "SELECT v.*, c.name FROM visible v JOIN customers c USING (external_userid) "
            "WHERE userid IN (SELECT value FROM json_each(?)) AND (userid, external_userid) > (?, ?) "
            "ORDER BY userid, external_userid LIMIT ?",
            (members, userid, external, count),
        ).fetchall()

    found, cursor = page(
        "batch",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["userid"], row["external_userid"]],
        arguments.limit(50, 100, 100),
    )
    return {
        "external_contact_list": [
            {"external_contact": _contact(row), "follow_info": _follow(con, row, row["name"]) | {"tag_id": []}}
            for row in found
        ],
        "next_cursor": cursor,
    }


def known_member(con: sqlite3.Connection, userid: str) -> str:
    """The member's userid as the directory writes it (userids ignore case). 40003 when there is none."""
    row = con.execute("SELECT userid FROM members WHERE userid = ?", (userid,)).fetchone()
    if row is None:
        raise PlatformError(40003)
    return str(row["userid"])


def _contact(row: sqlite3.Row) -> dict[str, object]:
    return {"external_userid": row["external_userid"], "name": row["name"], "type": 1, "gender": 0}


def _follow(con: sqlite3.Connection, row: sqlite3.Row, name: str) -> dict[str, object]:
    door = con.execute(
        "SELECT state FROM doors WHERE userid = ? AND external_userid = ?", (row["userid"], row["external_userid"])
    ).fetchone()
    return ({"state": door["state"]} if door else {}) | {
        "userid": row["userid"],
        "remark": name,
        "description": "",
        "createtime": row["added_at"],
        "remark_mobiles": [],
        "add_way": 1,
        "oper_userid": row["userid"],
    }


_OF = "externalcontact/"
CALLS = {
    f"{_OF}get_follow_user_list": Call("GET", list_members, {"follow_user": []}),
    f"{_OF}list": Call("GET", list_customers, {"external_userid": []}),
    f"{_OF}get": Call("GET", get_customer, {"follow_user": []}),
    f"{_OF}batch/get_by_user": Call("POST", batch_customers, {"external_contact_list": []}),
}

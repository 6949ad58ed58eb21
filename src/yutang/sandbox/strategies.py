"""Rule groups, 规则组: who manages which members, with which rights (WeCom docs 94883 and 94890).

An app sees the groups that it made. Below a parent a group has its parent's rights, and manages some of what the
parent manages. The documents name no codes of their own for these calls; ours are the general ones.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from yutang.sandbox.owning import own, owns
from yutang.sandbox.parties import members_of, sort_parties
from yutang.sandbox.store import MAIN, Settings
from yutang.sandbox.wire import Act, Arguments, Call, PlatformError, invalid, page

ADMINS, NODES_A_CALL, NODES, LEVELS = 20, 100, 3_000, 5
NAME_BYTES = 128
MEMBER, PARTY = 1, 2

#: The rights of each kind, and of those that cannot be taken away, how many stand first.
PRIVILEGES: dict[str, tuple[tuple[str, ...], int]] = {
    "customer": (
        (
            "view_customer_list",
            "view_customer_data",
            "view_room_list",
            "contact_me",
            "join_room",
            "share_customer",
            "oper_resign_customer",
            "oper_resign_group",
            "send_customer_msg",
            "edit_welcome_msg",
            "view_behavior_data",
            "view_room_data",
            "send_group_msg",
            "room_deduplication",
            "rapid_reply",
            "onjob_customer_transfer",
            "edit_anti_spam_rule",
            "export_customer_list",
            "export_customer_data",
            "export_customer_group_list",
            "manage_customer_tag",
        ),
        5,
    ),
    "moment": (("view_moment_list", "send_moment", "manage_moment_cover_and_sign"), 0),
}

Node = tuple[int, str]


def _list(kind: str) -> Act:
    def act(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
        """`…_strategy/list`: ids only; the cursor is left out where nothing follows."""

        def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
            return con.execute(
                "SELECT strategy_id FROM strategies s "
                "LEFT JOIN owned o ON o.kind = 'strategy' AND o.id = CAST(s.strategy_id AS TEXT) "
                "WHERE s.kind = ? AND coalesce(o.app, ?) = ? AND strategy_id > ? ORDER BY strategy_id LIMIT ?",
                (kind, MAIN, settings.app, start[0] if start else 0, count),
            ).fetchall()

        found, cursor = page(
            f"{kind}_strategies",
            arguments.text("cursor", limit=1024),
            rows,
            lambda row: [row["strategy_id"]],
            arguments.limit(1000, 1000, 1000),
        )
        answer: dict[str, object] = {"strategy": [{"strategy_id": row["strategy_id"]} for row in found]}
        return answer | ({"next_cursor": cursor} if cursor else {})

    return act


def _get(kind: str) -> Act:
    def act(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
        """`…_strategy/get`."""
        row = find_strategy(con, settings, kind, arguments)
        return {
            "strategy": {
                "strategy_id": row["strategy_id"],
                "parent_id": row["parent_id"],
                "strategy_name": row["name"],
                "create_time": row["create_time"],
                "admin_list": json.loads(row["admins"]),
                "privilege": _rights(con, row),
            }
        }

    return act


def _get_range(kind: str) -> Act:
    def act(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
        """`…_strategy/get_range`: members first."""
        row = find_strategy(con, settings, kind, arguments)

        def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
            after, node = start or (0, "")
            return con.execute(
                "SELECT * FROM strategy_nodes WHERE strategy_id = ? AND (type, node) > (?, ?) "
                "ORDER BY type, node LIMIT ?",
                (row["strategy_id"], after, node, count),
            ).fetchall()

        found, cursor = page(
            f"{kind}_range",
            arguments.text("cursor", limit=1024),
            rows,
            lambda node: [node["type"], node["node"]],
            arguments.limit(1000, 1000, 1000),
        )
        answer: dict[str, object] = {
            "range": [
                {"type": MEMBER, "userid": node["node"]}
                if node["type"] == MEMBER
                else {"type": PARTY, "partyid": int(node["node"])}
                for node in found
            ]
        }
        return answer | ({"next_cursor": cursor} if cursor else {})

    return act


def _create(kind: str) -> Act:
    def act(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
        """`…_strategy/create`: below a parent, `privilege` is not looked at."""
        parent_id = arguments.number("parent_id", 0)
        name = arguments.text("strategy_name", missing=40063, limit=NAME_BYTES)
        admins = _admins(con, settings, arguments)
        nodes = _nodes(con, settings, arguments, "range")
        if not admins or not nodes:
            raise PlatformError(40063)
        if parent_id:
            parent = find_strategy(con, settings, kind, Arguments({"strategy_id": parent_id}), "parent_id")
            if _level(con, parent) >= LEVELS:
                raise invalid("parent_id")
        privilege = None if parent_id else json.dumps(_privilege(kind, arguments))
        number = con.execute(
            "INSERT INTO strategies (kind, parent_id, name, create_time, admins, privilege) VALUES (?, ?, ?, ?, ?, ?)",
            (kind, parent_id, name, settings.now, json.dumps(admins), privilege),
        ).lastrowid
        own(con, settings, "strategy", int(number or 0))
        con.executemany("INSERT INTO strategy_nodes VALUES (?, ?, ?)", [(number, *node) for node in nodes])
        _check_inside(con, settings, parent_id, nodes)
        return {"strategy_id": number}

    return act


def _edit(kind: str) -> Act:
    def act(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
        """`…_strategy/edit`: administrators and rights are replaced whole where they are said."""
        row = find_strategy(con, settings, kind, arguments)
        number = row["strategy_id"]
        if name := arguments.text("strategy_name", limit=NAME_BYTES):
            con.execute("UPDATE strategies SET name = ? WHERE strategy_id = ?", (name, number))
        if admins := _admins(con, settings, arguments):
            con.execute("UPDATE strategies SET admins = ? WHERE strategy_id = ?", (json.dumps(admins), number))
        if arguments.values.get("privilege") and not row["parent_id"]:
            rights = json.dumps(_privilege(kind, arguments))
            con.execute("UPDATE strategies SET privilege = ? WHERE strategy_id = ?", (rights, number))
        gone, more = _nodes(con, settings, arguments, "range_del"), _nodes(con, settings, arguments, "range_add")
        con.executemany(
            "DELETE FROM strategy_nodes WHERE strategy_id = ? AND type = ? AND node = ?",
            [(number, *node) for node in gone],
        )
        con.executemany("INSERT OR IGNORE INTO strategy_nodes VALUES (?, ?, ?)", [(number, *node) for node in more])
        left = con.execute("SELECT count(*) FROM strategy_nodes WHERE strategy_id = ?", (number,)).fetchone()[0]
        if not 0 < left <= NODES:
            raise invalid("range_add" if left else "range_del")
        _check_inside(con, settings, row["parent_id"], more)
        return {}

    return act


def _delete(kind: str) -> Act:
    def act(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
        """`…_strategy/del`: what stands below it goes with it, and so do its tags."""
        row = find_strategy(con, settings, kind, arguments)
        gone = json.dumps(
            [
                found["strategy_id"]
                for found in con.execute(
                    "WITH RECURSIVE below (strategy_id) AS (SELECT ? UNION SELECT s.strategy_id FROM strategies s "
                    "JOIN below b ON s.parent_id = b.strategy_id) SELECT strategy_id FROM below",
                    (row["strategy_id"],),
                )
            ]
        )
        among = "(SELECT value FROM json_each(?))"
        con.execute(
            "DELETE FROM strategy_tags WHERE group_id IN (SELECT group_id FROM strategy_tag_groups "  # noqa: S608
            f"WHERE strategy_id IN {among})",
            (gone,),
        )
        for table in ("strategy_tag_groups", "strategy_nodes", "strategies"):
            con.execute(f"DELETE FROM {table} WHERE strategy_id IN {among}", (gone,))  # noqa: S608  # one of three names
        return {}

    return act


def find_strategy(
    con: sqlite3.Connection, settings: Settings, kind: str, arguments: Arguments, name: str = "strategy_id"
) -> sqlite3.Row:
    """The group named; 40058 for one that is not there, or another app's: an app sees its own."""
    number = arguments.values.get("strategy_id")
    row = None
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 1 << 62:
        row = con.execute("SELECT * FROM strategies WHERE kind = ? AND strategy_id = ?", (kind, number)).fetchone()
    if row is None or not owns(con, settings, "strategy", row["strategy_id"]):
        raise invalid(name)
    return cast("sqlite3.Row", row)


def _level(con: sqlite3.Connection, row: sqlite3.Row) -> int:
    level = 1
    while row["parent_id"]:
        row = con.execute("SELECT * FROM strategies WHERE strategy_id = ?", (row["parent_id"],)).fetchone()
        level += 1
    return level


def _rights(con: sqlite3.Connection, row: sqlite3.Row) -> dict[str, bool]:
    """A group's rights: those of the first level above it."""
    while row["parent_id"]:
        row = con.execute("SELECT * FROM strategies WHERE strategy_id = ?", (row["parent_id"],)).fetchone()
    return cast("dict[str, bool]", json.loads(row["privilege"]))


def _privilege(kind: str, arguments: Arguments) -> dict[str, bool]:
    """The rights as said; what is not said is true. A basic one cannot be taken away, whatever is said."""
    said = arguments.values.get("privilege") or {}
    names, basic = PRIVILEGES[kind]
    if not isinstance(said, Mapping) or not all(isinstance(said.get(name, True), bool) for name in names):
        raise invalid("privilege")
    return {name: place < basic or bool(said.get(name, True)) for place, name in enumerate(names)}


def _admins(con: sqlite3.Connection, settings: Settings, arguments: Arguments) -> list[str]:
    parties = sort_parties(con, settings, arguments.texts("admin_list", ADMINS), [])
    if parties.no_users:
        raise PlatformError(40003)
    return parties.users


def _nodes(con: sqlite3.Connection, settings: Settings, arguments: Arguments, name: str) -> list[Node]:
    rows = arguments.values.get(name) or []
    if not isinstance(rows, list) or len(rows) > NODES_A_CALL:
        raise invalid(name)
    nodes: list[Node] = []
    for row in rows:
        kind = row.get("type") if isinstance(row, dict) else None
        node = Arguments(row) if isinstance(row, dict) else Arguments({})
        if kind not in (MEMBER, PARTY):
            raise invalid(name)
        users = [node.text("userid", missing=40058)] if kind == MEMBER else []
        parties = sort_parties(con, settings, users, [node.number("partyid")] if kind == PARTY else [])
        if parties.no_users:
            raise PlatformError(40003)
        if parties.no_parties:
            raise PlatformError(40123)
        nodes += [(MEMBER, one) for one in parties.users] + [(PARTY, str(one)) for one in parties.parties]
    return list(dict.fromkeys(nodes))


def _check_inside(con: sqlite3.Connection, settings: Settings, parent_id: int, nodes: Sequence[Node]) -> None:
    """60011 for a node that the parent does not manage."""
    if not parent_id:
        return
    rows = con.execute("SELECT * FROM strategy_nodes WHERE strategy_id = ?", (parent_id,)).fetchall()
    above = {(row["type"], row["node"]) for row in rows}
    users = [node for kind, node in above if kind == MEMBER]
    managed = set(members_of(con, settings, users, [int(node) for kind, node in above if kind == PARTY]))
    for kind, node in nodes:
        inside = set([node] if kind == MEMBER else members_of(con, settings, [], [int(node)]))
        if (kind, node) not in above and not inside <= managed:
            raise PlatformError(60011)


def _one_at_a_time(arguments: Arguments) -> str:
    """Rule groups are changed one after another (docs 94883 and 94890): a second at once is answered 45035."""
    return "strategies"


_MADE: dict[str, tuple[Callable[[str], Act], Mapping[str, object], bool]] = {
    "list": (_list, {"strategy": []}, False),
    "get": (_get, {}, False),
    "get_range": (_get_range, {"range": []}, False),
    "create": (_create, {}, True),
    "edit": (_edit, {}, True),
    "del": (_delete, {}, True),
}
CALLS = {
    f"externalcontact/{kind}_strategy/{name}": Call(
        "POST", made(kind), empty, writes=writes, alone=_one_at_a_time if writes else None
    )
    for kind in PRIVILEGES
    for name, (made, empty, writes) in _MADE.items()
}

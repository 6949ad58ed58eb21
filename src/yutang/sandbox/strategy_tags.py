"""Tags that only the members of a rule group may use (WeCom doc 94882)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from yutang.kernel.ids import salt
from yutang.sandbox.owning import check_own, owns
from yutang.sandbox.store import Settings
from yutang.sandbox.strategies import find_strategy
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid

MOST_TAGS = 10_000
NAME_CHARACTERS = 30
MOST_ORDER = 1 << 32


# The corp's own count with them (doc 94882).
_COUNT = "SELECT (SELECT count(*) FROM strategy_tags) + (SELECT count(*) FROM tags)"


def list_tags(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_strategy_tag_list`: where groups are named, tags are not looked at."""
    groups, tags = arguments.texts("group_id", 1000), arguments.texts("tag_id", 1000)
    strategy = arguments.values.get("strategy_id")
    if strategy is not None:
        find_strategy(con, settings, "customer", arguments)
    rows = con.execute(
        "SELECT g.*, t.tag_id, t.name AS tag_name, t.create_time AS tag_time, t.place AS tag_place "
        "FROM strategy_tag_groups g JOIN strategy_tags t USING (group_id) "
        "WHERE (:strategy IS NULL OR g.strategy_id = :strategy) "
        "AND (:groups = '[]' OR g.group_id IN (SELECT value FROM json_each(:groups))) "
        "AND (:groups <> '[]' OR :tags = '[]' OR t.tag_id IN (SELECT value FROM json_each(:tags))) "
        "ORDER BY g.place DESC, g.group_id, t.place DESC, t.tag_id",
        {"strategy": strategy, "groups": json.dumps(groups), "tags": json.dumps(tags)},
    ).fetchall()
    mine = {row["strategy_id"] for row in rows if owns(con, settings, "strategy", row["strategy_id"])}
    return {"tag_group": _told([row for row in rows if row["strategy_id"] in mine])}


def add_tags(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`add_strategy_tag`, to a group of the first level only; tells what is new."""
    strategy = find_strategy(con, settings, "customer", arguments)
    if strategy["parent_id"]:
        raise invalid("strategy_id")
    wanted = _wanted(arguments)
    group_id = _group(con, settings, arguments, strategy["strategy_id"])
    known = {str(row["name"]) for row in con.execute("SELECT name FROM strategy_tags WHERE group_id = ?", (group_id,))}
    fresh = {name: order for name, order in wanted.items() if name not in known}
    count = int(con.execute(_COUNT).fetchone()[0])
    if count + len(fresh) > MOST_TAGS:
        raise PlatformError(40126)
    made = []
    for name, order in fresh.items():
        tag_id = f"et{salt('strategy tag', settings.seed, group_id, name):016x}"
        con.execute("INSERT INTO strategy_tags VALUES (?, ?, ?, ?, ?)", (tag_id, group_id, name, settings.now, order))
        made.append(tag_id)
    rows = con.execute(
        "SELECT g.*, t.tag_id, t.name AS tag_name, t.create_time AS tag_time, t.place AS tag_place "
        "FROM strategy_tag_groups g JOIN strategy_tags t USING (group_id) "
        "WHERE t.tag_id IN (SELECT value FROM json_each(?)) ORDER BY t.place DESC, t.tag_id",
        (json.dumps(made),),
    ).fetchall()
    if rows:
        return {"tag_group": _told(rows)[0]}
    group = con.execute("SELECT * FROM strategy_tag_groups WHERE group_id = ?", (group_id,)).fetchone()
    return {"tag_group": _group_told(group, [])}


def edit_tag(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`edit_strategy_tag`: a tag or a tag group, by its id; a name that is taken → 40071."""
    found = arguments.text("id", missing=40068)
    name = _name(arguments.text("name", limit=1024)) if arguments.values.get("name") else None
    order = _order(arguments) if arguments.values.get("order") is not None else None
    for table, key, within in (
        ("strategy_tags", "tag_id", "group_id"),
        ("strategy_tag_groups", "group_id", "strategy_id"),
    ):
        row = con.execute(f"SELECT * FROM {table} WHERE {key} = ?", (found,)).fetchone()  # noqa: S608  # ours
        if row is None:
            continue
        _check_own(con, settings, [found])
        taken = con.execute(
            f"SELECT 1 FROM {table} WHERE {within} = ? AND name = ? AND {key} <> ?",  # noqa: S608
            (row[within], name, found),
        ).fetchone()
        if taken is not None:
            raise PlatformError(40071)
        con.execute(
            f"UPDATE {table} SET name = coalesce(?, name), place = coalesce(?, place) WHERE {key} = ?",  # noqa: S608
            (name, order, found),
        )
        return {}
    raise PlatformError(40068)


def delete_tags(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`del_strategy_tag`: a group goes with its last tag. One unknown id, and nothing is done (40068)."""
    tags, groups = arguments.texts("tag_id", 1000), arguments.texts("group_id", 1000)
    if not tags and not groups:
        raise PlatformError(40063)
    for table, key, ids in (("strategy_tags", "tag_id", tags), ("strategy_tag_groups", "group_id", groups)):
        known = con.execute(
            f"SELECT count(*) FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))",  # noqa: S608
            (json.dumps(ids),),
        ).fetchone()[0]
        if known < len(ids):
            raise PlatformError(40068)
    _check_own(con, settings, [*tags, *groups])
    con.execute(
        "DELETE FROM strategy_tags WHERE tag_id IN (SELECT value FROM json_each(:tags)) "
        "OR group_id IN (SELECT value FROM json_each(:groups))",
        {"tags": json.dumps(tags), "groups": json.dumps(groups)},
    )
    con.execute("DELETE FROM strategy_tag_groups WHERE group_id NOT IN (SELECT group_id FROM strategy_tags)")
    return {}


def _check_own(con: sqlite3.Connection, settings: Settings, ids: Sequence[str]) -> None:
    """60011 for tags or groups of tags of another app's rule groups."""
    rows = con.execute(
        "SELECT DISTINCT strategy_id FROM strategy_tag_groups g LEFT JOIN strategy_tags t USING (group_id) "
        "WHERE g.group_id IN (SELECT value FROM json_each(:ids)) OR t.tag_id IN (SELECT value FROM json_each(:ids))",
        {"ids": json.dumps(ids)},
    ).fetchall()
    for row in rows:
        check_own(con, settings, "strategy", row["strategy_id"])


def _wanted(arguments: Arguments) -> dict[str, int]:
    """Names with their order; a name said twice is one."""
    rows = arguments.values.get("tag")
    if not isinstance(rows, list) or not rows:
        raise PlatformError(40063)
    wanted: dict[str, int] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise invalid("tag")
        tag = Arguments(row)
        wanted.setdefault(_name(tag.text("name", missing=40071, limit=1024)), _order(tag))
    return wanted


def _group(con: sqlite3.Connection, settings: Settings, arguments: Arguments, strategy: int) -> str:
    """The group to add to: named by id, or by a name that it may have already, or made."""
    if group_id := arguments.text("group_id"):
        row = con.execute(
            "SELECT 1 FROM strategy_tag_groups WHERE group_id = ? AND strategy_id = ?", (group_id, strategy)
        ).fetchone()
        if row is None:
            raise PlatformError(40068)
        return group_id
    name = _name(arguments.text("group_name", missing=40071, limit=1024))
    row = con.execute(
        "SELECT group_id FROM strategy_tag_groups WHERE strategy_id = ? AND name = ?", (strategy, name)
    ).fetchone()
    if row is not None:
        return str(row["group_id"])
    made = f"et{salt('strategy tags', settings.seed, strategy, name):016x}"
    con.execute(
        "INSERT INTO strategy_tag_groups VALUES (?, ?, ?, ?, ?)",
        (made, strategy, name, settings.now, _order(arguments)),
    )
    return made


def _name(text: str) -> str:
    if len(text) > NAME_CHARACTERS:
        raise PlatformError(40072)
    return text


def _order(arguments: Arguments) -> int:
    order = arguments.number("order", 0)
    if order >= MOST_ORDER:
        raise invalid("order")
    return order


def _group_told(row: sqlite3.Row, tags: list[dict[str, object]]) -> dict[str, object]:
    return {
        "group_id": row["group_id"],
        "group_name": row["name"],
        "create_time": row["create_time"],
        "order": row["place"],
        "strategy_id": row["strategy_id"],
        "tag": tags,
    }


def _told(rows: Sequence[sqlite3.Row]) -> list[dict[str, object]]:
    tags: dict[str, list[dict[str, object]]] = {}
    groups = {}
    for row in rows:
        groups[row["group_id"]] = row
        tags.setdefault(row["group_id"], []).append(
            {
                "id": row["tag_id"],
                "name": row["tag_name"],
                "create_time": row["tag_time"],
                "order": row["tag_place"],
            }
        )
    return [_group_told(row, tags[group_id]) for group_id, row in groups.items()]


_OF = "externalcontact/"
CALLS = {
    f"{_OF}get_strategy_tag_list": Call("POST", list_tags, {"tag_group": []}),
    f"{_OF}add_strategy_tag": Call("POST", add_tags, writes=True),
    f"{_OF}edit_strategy_tag": Call("POST", edit_tag, writes=True),
    f"{_OF}del_strategy_tag": Call("POST", delete_tags, writes=True),
}

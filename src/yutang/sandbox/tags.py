"""Corp tags: their groups, who may change them, and marking (WeCom docs 92117 and 92118).

An app changes and deletes only what it made itself; what admins made stands, and only is marked. Changes made by calls
are not called back; what an admin does is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from yutang.kernel.ids import salt
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.contracts import bad
from yutang.sandbox.known import following, known_customer, known_member
from yutang.sandbox.store import Settings, settings_of
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid

NAME_CHARACTERS = 30
MOST_TAGS = 10_000  # older documents say 3,000
MOST_OF_A_PAIR = 3_000
MOST_NAMED = 1_000  # unverified: how many tags one call names
SORTS = 1 << 32
CORP = 1


def list_tags(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_corp_tag_list`: all, or these groups, or else these tags; what is gone is left out."""
    groups, tags = arguments.texts("group_id", MOST_NAMED), arguments.texts("tag_id", MOST_NAMED)
    rows = con.execute("SELECT * FROM tag_groups ORDER BY sort DESC, created_at, substr(group_id, -6)").fetchall()
    if groups:
        rows = [row for row in rows if row["group_id"] in groups]
    listed = [_group(con, row, None if groups or not tags else set(tags)) for row in rows]
    return {"tag_group": [one for one in listed if one["tag"]]}


def add_tags(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`add_corp_tag`: into a group by id or name, or a new one; answers with the tags made now."""
    named = arguments.values.get("tag")
    if not isinstance(named, list) or not named:
        raise PlatformError(40063)
    wanted: dict[str, int] = {}
    for one in named:
        if not isinstance(one, dict):
            raise invalid("tag")
        wanted.setdefault(_name(Arguments(one), "name", missing=40063), _sort(Arguments(one)))
    group = _wanted_group(con, settings, arguments)
    for name in wanted:
        if con.execute("SELECT 1 FROM tags WHERE group_id = ? AND name = ?", (group, name)).fetchone():
            raise PlatformError(40071)
    if con.execute("SELECT count(*) FROM tags").fetchone()[0] + len(wanted) > MOST_TAGS:
        raise PlatformError(40126)
    made = put_tags(con, settings, group, wanted, own=True)
    row = con.execute("SELECT * FROM tag_groups WHERE group_id = ?", (group,)).fetchone()
    return {"tag_group": _group(con, row, set(made))}


def edit_tag(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`edit_corp_tag`: the name or the place of a tag or a group of this app's own."""
    thing = arguments.text("id", missing=40063)
    table, row = _own(con, thing)
    name = _name(arguments, "name") if arguments.values.get("name") else row["name"]
    sort = _sort(arguments) if "order" in arguments.values else row["sort"]
    clash = (
        con.execute("SELECT 1 FROM tag_groups WHERE name = ? AND group_id <> ?", (name, thing))
        if table == "tag_groups"
        else con.execute(
            "SELECT 1 FROM tags WHERE group_id = ? AND name = ? AND tag_id <> ?", (row["group_id"], name, thing)
        )
    )
    if clash.fetchone():
        raise PlatformError(40071)
    key = "group_id" if table == "tag_groups" else "tag_id"
    con.execute(f"UPDATE {table} SET name = ?, sort = ? WHERE {key} = ?", (name, sort, thing))  # noqa: S608 – ours
    return {}


def delete_tags(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`del_corp_tag`: with the last tag of a group the group goes."""
    tags, groups = arguments.texts("tag_id", MOST_NAMED), arguments.texts("group_id", MOST_NAMED)
    if not tags and not groups:
        raise PlatformError(40063)
    for thing in (*tags, *groups):
        table, _ = _own(con, thing)
        if (table == "tags") is not (thing in tags):
            raise PlatformError(40068)
    for group in groups:
        tags += [row["tag_id"] for row in con.execute("SELECT tag_id FROM tags WHERE group_id = ?", (group,))]
    remove_tags(con, tags)
    return {}


def mark(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`mark_tag`: put tags of the corp on a relation, or take them off."""
    userid = known_member(con, arguments.text("userid", missing=41009))
    external = known_customer(con, arguments.text("external_userid", missing=41035))
    following(con, userid, external)
    put_on, taken_off = arguments.texts("add_tag", MOST_OF_A_PAIR), arguments.texts("remove_tag", MOST_OF_A_PAIR)
    if not put_on and not taken_off:
        raise PlatformError(40063)
    for thing in (*put_on, *taken_off):
        if con.execute("SELECT 1 FROM tags WHERE tag_id = ?", (thing,)).fetchone() is None:
            raise PlatformError(40068)
    write_marks(con, userid, external, put_on, taken_off)
    count = con.execute("SELECT count(*) FROM marks WHERE userid = ? AND external_userid = ?", (userid, external))
    if count.fetchone()[0] > MOST_OF_A_PAIR:
        raise invalid("add_tag")
    return {}


def the_pair(arguments: Arguments) -> str:
    """What one mark holds while it is under way: a second at once is answered 45035."""
    named = (str(arguments.values.get(name, "")) for name in ("userid", "external_userid"))
    return f"mark_tag {' '.join(named)}".lower()


def tags_of(con: sqlite3.Connection, userid: str, external: str) -> list[dict[str, object]]:
    """The corp tags on a relation, as `externalcontact/get` writes them."""
    rows = con.execute(
        "SELECT g.name AS group_name, t.name AS tag_name, t.tag_id FROM marks m JOIN tags t USING (tag_id) "
        "JOIN tag_groups g USING (group_id) WHERE m.userid = ? AND m.external_userid = ? ORDER BY t.tag_id",
        (userid, external),
    )
    return [{**dict(row), "type": CORP} for row in rows]


def write_marks(
    con: sqlite3.Connection, userid: str, external: str, put_on: Sequence[str], taken_off: Sequence[str]
) -> None:
    """Put marks on a relation and take others off."""
    con.executemany("INSERT OR IGNORE INTO marks VALUES (?, ?, ?)", [(userid, external, one) for one in put_on])
    con.executemany(
        "DELETE FROM marks WHERE userid = ? AND external_userid = ? AND tag_id = ?",
        [(userid, external, one) for one in taken_off],
    )


def put_tags(
    con: sqlite3.Connection, settings: Settings, group: str, wanted: dict[str, int], *, own: bool
) -> list[str]:
    """Make tags of these names (and places) in a group; returns their ids."""
    made = []
    for name, sort in wanted.items():
        number = _number(con)
        thing = f"et{salt('tag', settings.corp_id, name, number):016x}{number:06d}"
        con.execute("INSERT INTO tags VALUES (?, ?, ?, ?, ?, ?)", (thing, group, name, sort, settings.now, own))
        made.append(thing)
    return made


def put_group(con: sqlite3.Connection, settings: Settings, name: str, sort: int, *, own: bool) -> str:
    """Make a group; returns its id."""
    number = _number(con)
    thing = f"et{salt('group', settings.corp_id, name, number):016x}{number:06d}"
    con.execute("INSERT INTO tag_groups VALUES (?, ?, ?, ?, ?)", (thing, name, sort, settings.now, own))
    return thing


def _number(con: sqlite3.Connection) -> int:
    """A number that no tag or group had before, gone ones included."""
    number = con.execute("INSERT INTO tag_numbers DEFAULT VALUES").lastrowid
    assert number is not None
    return number


def remove_tags(con: sqlite3.Connection, tags: Sequence[str]) -> None:
    """Take tags away with their marks, and groups that are empty then."""
    con.executemany("DELETE FROM marks WHERE tag_id = ?", [(one,) for one in tags])
    con.executemany("DELETE FROM tags WHERE tag_id = ?", [(one,) for one in tags])
    con.execute("DELETE FROM tag_groups WHERE group_id NOT IN (SELECT group_id FROM tags)")


def _group(con: sqlite3.Connection, row: sqlite3.Row, only: set[str] | None) -> dict[str, object]:
    tags = con.execute(
        "SELECT * FROM tags WHERE group_id = ? ORDER BY sort DESC, created_at, substr(tag_id, -6)", (row["group_id"],)
    ).fetchall()
    return {
        "group_id": row["group_id"],
        "group_name": row["name"],
        "create_time": row["created_at"],
        "order": row["sort"],
        "deleted": False,
        "tag": [
            {
                "id": tag["tag_id"],
                "name": tag["name"],
                "create_time": tag["created_at"],
                "order": tag["sort"],
                "deleted": False,
            }
            for tag in tags
            if only is None or tag["tag_id"] in only
        ],
    }


def _wanted_group(con: sqlite3.Connection, settings: Settings, arguments: Arguments) -> str:
    named = arguments.text("group_id")
    if named:
        if con.execute("SELECT 1 FROM tag_groups WHERE group_id = ?", (named,)).fetchone() is None:
            raise PlatformError(40068)
        return named
    name = _name(arguments, "group_name", missing=40063)
    row = con.execute("SELECT group_id FROM tag_groups WHERE name = ?", (name,)).fetchone()
    return str(row["group_id"]) if row else put_group(con, settings, name, _sort(arguments), own=True)


def _own(con: sqlite3.Connection, thing: str) -> tuple[str, sqlite3.Row]:
    """The table and the row of a tag or a group. 40068 when there is none, 48002 for what another made."""
    for table, key in (("tags", "tag_id"), ("tag_groups", "group_id")):
        row: sqlite3.Row | None = con.execute(f"SELECT * FROM {table} WHERE {key} = ?", (thing,)).fetchone()  # noqa: S608
        if row is not None:
            if not row["own"]:
                raise PlatformError(48002)
            return table, row
    raise PlatformError(40068)


def _name(arguments: Arguments, field: str, missing: int | None = None) -> str:
    name = arguments.text(field, missing=missing, limit=NAME_CHARACTERS * 4)
    if len(name) > NAME_CHARACTERS:
        raise PlatformError(40072)
    return name


def _sort(arguments: Arguments) -> int:
    sort = arguments.number("order", 0)
    if sort >= SORTS:
        raise invalid("order")
    return sort


# The admin ---------------------------------------------------------------------------------------------------------


def administer(con: sqlite3.Connection, body: dict[str, object]) -> dict[str, object]:
    """`{"act": "create", "group", "tags": [name]}`, `{"act": "rename", "id", "name"}` or `{"act": "delete", "id"}`, as
    an admin does it in the console; callbacks say so (a deleted group's tags are not told of) → `{"tags": {name: id}}`.
    """
    settings, act, thing = settings_of(con), body.get("act"), str(body.get("id", ""))
    if act == "create":
        names = body.get("tags")
        if not isinstance(names, list) or not names:
            raise bad("tags", "应为列表", "must be a list")
        name = str(body.get("group", ""))
        row = con.execute("SELECT group_id FROM tag_groups WHERE name = ?", (name,)).fetchone()
        group = str(row["group_id"]) if row else put_group(con, settings, name, 0, own=False)
        if row is None:
            enqueue(con, settings.now, "create", "change_external_tag", Id=group, TagType="tag_group")
        made = put_tags(con, settings, group, {str(one): 0 for one in names}, own=False)
        for one in made:
            enqueue(con, settings.now, "create", "change_external_tag", Id=one, TagType="tag")
        return {"group": group, "tags": dict(zip(map(str, names), made, strict=True))}
    tag = con.execute("SELECT 1 FROM tags WHERE tag_id = ?", (thing,)).fetchone()
    if tag is None and con.execute("SELECT 1 FROM tag_groups WHERE group_id = ?", (thing,)).fetchone() is None:
        raise bad("id", "没有这个标签或标签组", "there is no such tag or group")
    kind = "tag" if tag else "tag_group"
    if act == "rename":
        table, key = ("tags", "tag_id") if tag else ("tag_groups", "group_id")
        con.execute(f"UPDATE {table} SET name = ? WHERE {key} = ?", (str(body.get("name", "")), thing))  # noqa: S608
    elif act == "delete":
        of_group = con.execute("SELECT tag_id FROM tags WHERE group_id = ?", (thing,)).fetchall()
        remove_tags(con, [thing] if tag else [row["tag_id"] for row in of_group])
    else:
        raise bad("act", "应为 create、rename 或 delete", "must be create, rename or delete")
    enqueue(con, settings.now, "update" if act == "rename" else "delete", "change_external_tag", Id=thing, TagType=kind)
    return {"at": settings.now}


_OF = "externalcontact/"
CALLS = {
    f"{_OF}get_corp_tag_list": Call("POST", list_tags, {"tag_group": []}),
    f"{_OF}add_corp_tag": Call("POST", add_tags, writes=True),
    f"{_OF}edit_corp_tag": Call("POST", edit_tag, writes=True),
    f"{_OF}del_corp_tag": Call("POST", delete_tags, writes=True),
    f"{_OF}mark_tag": Call("POST", mark, writes=True, alone=the_pair),
}

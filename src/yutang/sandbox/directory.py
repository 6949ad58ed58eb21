"""The directory: departments and members, and who a browser belongs to (WeCom docs 90201–90208, 96067, 91023).

What the app may see is the subtrees of `visible_departments` (all, where none is named): a member outside is answered
as one who is not there. Apps made since 2022-06-20 are not told telephone, e-mail, picture and gender.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from secrets import token_urlsafe

from yutang.kernel.ids import salt
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.contracts import ROOT, Department, Member, bad
from yutang.sandbox.store import Settings, count, counted, settings_of
from yutang.sandbox.wire import APP, CONTACTS, Arguments, Call, Noted, PlatformError, invalid, page

ACTIVE, DISABLED, WAITING, LEFT = 1, 2, 4, 5
_BARE = {"avatar": "", "qr_code": "", "external_position": "", "profile": '{"external_attr": []}'}
CODE_SECONDS, TICKET_SECONDS = 300.0, 1800.0
GUESSES = 100  # wrong telephone numbers a day; the platform says "too many" without a number

_TREE = """
WITH RECURSIVE below (id) AS (
    SELECT value FROM json_each(?) UNION SELECT d.id FROM departments d JOIN below b ON d.parentid = b.id)
"""


def list_departments(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`department/list`: a department and all below it; without an id, all that the app sees."""
    leaders: dict[int, list[str]] = {}
    for row in con.execute("SELECT department, userid FROM placed WHERE leads ORDER BY department, userid"):
        leaders.setdefault(row["department"], []).append(row["userid"])
    return {"department": [_department(row, leaders) for row in _asked(con, settings, arguments)]}


def list_department_ids(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`department/simplelist`: the same without names."""
    rows = _asked(con, settings, arguments)
    return {"department_id": [{"id": row["id"], "parentid": row["parentid"], "order": row["place"]} for row in rows]}


def get_department(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`department/get`."""
    number = _number(arguments, "id")
    if number is None:
        raise PlatformError(40123)
    row = next(row for row in _known(con, settings, number) if row["id"] == number)
    leads = con.execute("SELECT userid FROM placed WHERE leads AND department = ? ORDER BY userid", (number,))
    return {"department": _department(row, {number: [one["userid"] for one in leads]})}


def list_members(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`user/list`: the members of one department; with `fetch_child` also of those below it."""
    return {"userlist": [_member(con, settings, row) for row in _of_department(con, settings, arguments)]}


def list_member_names(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`user/simplelist`."""
    rows = _of_department(con, settings, arguments)
    return {
        "userlist": [
            {"userid": row["userid"], "name": row["name"], "department": [at[0] for at in places(con, row["userid"])]}
            for row in rows
        ]
    }


def list_member_ids(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`user/list_id`: every member of the corp, once for each department; for the contact-sync secret alone."""

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        userid, department = start or ("", 0)
        return con.execute(
            "SELECT p.userid, p.department FROM placed p JOIN staff s ON s.userid = p.userid "
            "WHERE (p.userid, p.department) > (?, ?) ORDER BY p.userid, p.department LIMIT ?",
            (userid, department, count),
        ).fetchall()

    found, cursor = page(
        "list_id",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["userid"], row["department"]],
        arguments.limit(10_000, 10_000, 10_000),
    )
    answer: dict[str, object] = {
        "dept_user": [{"userid": row["userid"], "department": row["department"]} for row in found]
    }
    return answer | ({"next_cursor": cursor} if cursor else {})


def get_member(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`user/get`: one element of `user/list`."""
    return _member(con, settings, seen_member(con, settings, arguments.text("userid", missing=41009)))


def find_by_mobile(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`user/getuserid`: wrong guesses are counted, and shut the door for the rest of the day (doc 95402)."""
    mobile = arguments.text("mobile", missing=40058, limit=20)
    day = int(wall // 86_400)
    if counted(con, "mobile", day) >= GUESSES:
        raise PlatformError(45009)
    row = con.execute("SELECT userid FROM staff WHERE mobile = ? AND status = 1", (mobile,)).fetchone()
    if row is None or not _sees(con, settings, row["userid"]):
        count(con, "mobile", day)
        raise Noted(46004)
    return {"userid": row["userid"]}


def to_openid(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`user/convert_to_openid`."""
    row = seen_member(con, settings, arguments.text("userid", missing=41009))
    return {"openid": openid_of(settings, row["userid"].lower())}


def exchange_code(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`auth/getuserinfo`: whose browser it is; a code works once, for five minutes."""
    code = arguments.text("code", missing=40029, limit=512)
    row = con.execute("SELECT * FROM oauth_codes WHERE code = ?", (code,)).fetchone()
    if row is None or row["used"]:
        raise PlatformError(40029)
    if wall > row["until_wall"]:
        raise PlatformError(42003)
    con.execute("UPDATE oauth_codes SET used = 1 WHERE code = ?", (code,))
    if row["userid"] is None:
        known = {"external_userid": row["external_userid"]} if row["external_userid"] else {}
        return {"openid": openid_of(settings, row["external_userid"] or code), **known}
    if not _sees(con, settings, row["userid"]):
        raise Noted(50002)
    if not row["private"]:
        return {"userid": row["userid"]}
    ticket = token_urlsafe(48)
    con.execute("INSERT INTO user_tickets VALUES (?, ?, ?)", (ticket, row["userid"], wall + TICKET_SECONDS))
    return {"userid": row["userid"], "user_ticket": ticket, "expires_in": int(TICKET_SECONDS)}


def read_private(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`auth/getuserdetail`: what a member let the app know, for half an hour after they agreed."""
    ticket = arguments.text("user_ticket", missing=40058, limit=512)
    row = con.execute("SELECT userid, until_wall FROM user_tickets WHERE ticket = ?", (ticket,)).fetchone()
    if row is None or wall > row["until_wall"]:
        raise invalid("user_ticket")
    one = seen_member(con, settings, row["userid"])
    return {
        "userid": one["userid"],
        "gender": str(one["gender"]),
        "avatar": "",
        "qr_code": "",
        "mobile": one["mobile"],
        "email": one["email"],
        "biz_mail": "",
        "address": "",
    }


# What other families ask --------------------------------------------------------------------------------------------


def seen_member(con: sqlite3.Connection, settings: Settings, userid: str) -> sqlite3.Row:
    """A member whom the app sees. 60111 for one who is not there, or outside of what it sees."""
    row: sqlite3.Row | None = con.execute("SELECT * FROM staff WHERE userid = ?", (userid,)).fetchone()
    if row is None or not _sees(con, settings, row["userid"]):
        raise PlatformError(60111)
    return row


def members_below(con: sqlite3.Connection, settings: Settings, departments: Iterable[int]) -> list[str]:
    """The members of departments that the app sees, and of all below them, each once."""
    ids = json.dumps([row["id"] for row in _tree(con, settings, departments)])
    rows = con.execute(
        "SELECT DISTINCT s.userid FROM staff s JOIN placed p ON p.userid = s.userid "
        "WHERE p.department IN (SELECT value FROM json_each(?)) ORDER BY s.userid",
        (ids,),
    )
    return [row["userid"] for row in rows]


def all_seen(con: sqlite3.Connection, settings: Settings) -> list[str]:
    """Every member whom the app sees."""
    return members_below(con, settings, _visible(settings))


def departments_seen(con: sqlite3.Connection, settings: Settings) -> set[int]:
    """The departments that the app sees."""
    return {int(row["id"]) for row in _tree(con, settings, _visible(settings))}


def places(con: sqlite3.Connection, userid: str) -> list[tuple[int, int]]:
    """A member's departments, the main one first, and whether they lead it."""
    rows = con.execute("SELECT department, leads FROM placed WHERE userid = ? ORDER BY place", (userid,))
    return [(row["department"], row["leads"]) for row in rows]


def openid_of(settings: Settings, who: str) -> str:
    """The openid that stands for somebody in this corp."""
    return f"o{salt('openid', settings.corp_id, who):016x}{salt('openid', who):016x}"[:28]


# What people do -----------------------------------------------------------------------------------------------------


def put_directory(con: sqlite3.Connection, departments: Iterable[Department], members: Iterable[Member]) -> None:
    """Set departments and what the directory says of members, by key."""
    con.executemany(
        "INSERT OR REPLACE INTO departments VALUES (?, ?, ?, ?, ?)",
        ((one.id, one.parentid, one.name, one.name_en, one.order) for one in departments if one.id != ROOT),
    )
    for one in members:
        con.execute(
            "INSERT OR REPLACE INTO profiles VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (
                one.userid,
                one.status,
                one.position,
                one.alias,
                one.gender,
                one.mobile,
                one.email,
                one.direct_leader,
            ),
        )
        _place(con, one.userid, one.departments, one.leads)


def change_member(
    con: sqlite3.Connection,
    userid: str,
    *,
    name: str | None = None,
    status: int | None = None,
    departments: Sequence[int] | None = None,
    deleted: bool = False,
) -> dict[str, object]:
    """An administrator changes a member, makes one who is not there, or removes one; a callback says so."""
    settings = settings_of(con)
    here = con.execute("SELECT userid FROM staff WHERE userid = ?", (userid,)).fetchone()
    if here is None and deleted:
        raise bad("userid", "没有这位成员", "there is no such member")
    userid = here["userid"] if here is not None else userid
    if here is None:
        con.execute(
            "INSERT OR REPLACE INTO members VALUES (?, ?, ?, 0)", (userid, name or userid, json.dumps({"at_once": 1.0}))
        )
        put_directory(con, (), [Member(userid, name or userid, departments=tuple(departments or (ROOT,)))])
    elif name is not None:
        con.execute("UPDATE members SET name = ? WHERE userid = ?", (name, userid))
    con.execute(
        "INSERT INTO profiles VALUES (?, coalesce(?, 1), '', '', 0, '', '', '', ?) ON CONFLICT (userid) "
        "DO UPDATE SET status = coalesce(?, status), deleted = ?",
        (userid, status, deleted, status, deleted),
    )
    if departments is not None:
        _place(con, userid, departments, ())
    change = "create_user" if here is None else "delete_user" if deleted else "update_user"
    told = "" if departments is None else ",".join(map(str, departments))
    status_told = "" if status is None else str(status)
    enqueue(con, settings.now, change, "change_contact", UserID=userid, Department=told, Status=status_told)
    return {"change": change}


def show_member(con: sqlite3.Connection, userid: str, persona: Mapping[str, object]) -> dict[str, object]:
    """A member, or an administrator, fills in what customers see of them; the rest stays. A callback says so."""
    here = con.execute("SELECT userid FROM staff WHERE userid = ?", (userid,)).fetchone()
    if here is None:
        raise bad("userid", "没有这位成员", "there is no such member")
    before = con.execute("SELECT * FROM personas WHERE userid = ?", (userid,)).fetchone() or _BARE
    now: dict[str, str] = {name: str(before[name]) for name in _BARE}
    for name, value in persona.items():
        if name == "external_profile" and isinstance(value, dict):
            now["profile"] = json.dumps({"external_attr": []} | value, ensure_ascii=False)
        elif name in ("position", "alias") and isinstance(value, str):
            put = "UPDATE profiles SET position = ? WHERE userid = ?", "UPDATE profiles SET alias = ? WHERE userid = ?"
            con.execute("INSERT OR IGNORE INTO profiles VALUES (?, 1, '', '', 0, '', '', '', 0)", (here["userid"],))
            con.execute(put[name == "alias"], (value, here["userid"]))
        elif name in ("avatar", "qr_code", "external_position") and isinstance(value, str):
            now[name] = value
        else:
            raise bad(f"persona.{name}", "不是名片的一项", "is no part of a persona")
    con.execute("INSERT OR REPLACE INTO personas VALUES (?, ?, ?, ?, ?)", (here["userid"], *now.values()))
    enqueue(con, settings_of(con).now, "update_user", "change_contact", UserID=here["userid"])
    return {"change": "update_user"}


def change_department(
    con: sqlite3.Connection, number: int, *, name: str | None = None, parent: int | None = None, deleted: bool = False
) -> dict[str, object]:
    """An administrator makes, changes or removes a department; a callback says so."""
    settings = settings_of(con)
    here = con.execute("SELECT * FROM departments WHERE id = ?", (number,)).fetchone()
    if deleted:
        busy = con.execute(
            "SELECT EXISTS (SELECT 1 FROM departments WHERE parentid = ?) OR EXISTS "
            "(SELECT 1 FROM placed p JOIN staff s ON s.userid = p.userid WHERE p.department = ?)",
            (number, number),
        ).fetchone()[0]
        if here is None or busy:
            raise bad("id", "没有这个部门，或其下还有人和部门", "there is no such department, or it is not empty")
        con.execute("DELETE FROM departments WHERE id = ?", (number,))
        enqueue(con, settings.now, "delete_party", "change_contact", Id=str(number))
        return {"change": "delete_party"}
    if here is None and not name:
        raise bad("name", "新部门要有名字", "a new department needs a name")
    one = Department(
        number,
        name or here["name"],
        (here["parentid"] if here else ROOT) if parent is None else parent,
        here["place"] if here else 0,
    )
    put_directory(con, [one], ())
    change = "create_party" if here is None else "update_party"
    told = {"Id": str(number), "Name": name or "", "ParentId": str(one.parentid)}
    enqueue(con, settings.now, change, "change_contact", **told)
    return {"change": change}


def give_code(
    con: sqlite3.Connection, userid: str | None, external_userid: str | None, *, private: bool, wall: float
) -> dict[str, object]:
    """Somebody opens a page of ours and is sent back with a code. `private`: they agreed to show what is sensitive."""
    if userid is not None:
        row = con.execute("SELECT userid FROM staff WHERE userid = ?", (userid,)).fetchone()
        if row is None:
            raise bad("userid", "没有这位成员", "there is no such member")
        userid = row["userid"]
    code = token_urlsafe(32)
    con.execute(
        "INSERT INTO oauth_codes VALUES (?, ?, ?, ?, ?, 0)",
        (code, userid, external_userid, private, wall + CODE_SECONDS),
    )
    return {"code": code}


def _place(con: sqlite3.Connection, userid: str, departments: Sequence[int], leads: Sequence[int]) -> None:
    con.execute("DELETE FROM placements WHERE userid = ?", (userid,))
    con.executemany(
        "INSERT INTO placements VALUES (?, ?, ?, ?)",
        ((userid, number, place, number in leads) for place, number in enumerate(departments)),
    )


# Reading ------------------------------------------------------------------------------------------------------------


def _number(arguments: Arguments, name: str) -> int | None:
    """A number in a query; None where it is not given."""
    text = arguments.text(name, limit=20)
    if text and not (text.isascii() and text.isdigit()):
        raise invalid(name)
    return int(text) if text else None


def _visible(settings: Settings) -> list[int]:
    return [int(number) for number in settings.visible_departments.split()] or [ROOT]


def _tree(con: sqlite3.Connection, settings: Settings, roots: Iterable[int]) -> list[sqlite3.Row]:
    """These departments and all below, without those that the app does not see, in the platform's order."""
    return con.execute(
        f"{_TREE}, seen (id) AS (SELECT value FROM json_each(?) UNION "  # noqa: S608  # our own text
        "SELECT d.id FROM departments d JOIN seen s ON d.parentid = s.id), "
        "known (id, name, name_en, parentid, place) AS (SELECT 1, ?, '', 0, 0 UNION ALL "
        "SELECT id, name, name_en, parentid, place FROM departments WHERE id <> 1) "
        "SELECT * FROM known WHERE id IN (SELECT id FROM below) AND id IN (SELECT id FROM seen) "
        "ORDER BY place DESC, id",
        (json.dumps(list(roots)), json.dumps(_visible(settings)), settings.corp_id),
    ).fetchall()


def _asked(con: sqlite3.Connection, settings: Settings, arguments: Arguments) -> list[sqlite3.Row]:
    number = _number(arguments, "id")
    return _tree(con, settings, _visible(settings)) if number is None else _known(con, settings, number)


def _known(con: sqlite3.Connection, settings: Settings, number: int) -> list[sqlite3.Row]:
    """A department and those below. 60003 for one that is not there, 60011 for one that the app may not see."""
    rows = _tree(con, settings, [number])
    if not any(row["id"] == number for row in rows):
        there = number == ROOT or con.execute("SELECT 1 FROM departments WHERE id = ?", (number,)).fetchone()
        raise PlatformError(60011 if there else 60003)
    return rows


def _of_department(con: sqlite3.Connection, settings: Settings, arguments: Arguments) -> list[sqlite3.Row]:
    number = _number(arguments, "department_id")
    if number is None:
        raise PlatformError(40123)
    rows = _known(con, settings, number)
    ids = [row["id"] for row in rows] if _number(arguments, "fetch_child") else [number]
    return con.execute(
        "SELECT * FROM staff WHERE userid IN (SELECT userid FROM placed WHERE department IN "
        "(SELECT value FROM json_each(?))) ORDER BY userid",
        (json.dumps(ids),),
    ).fetchall()


def _sees(con: sqlite3.Connection, settings: Settings, userid: str) -> bool:
    if not settings.visible_departments:
        return con.execute("SELECT 1 FROM staff WHERE userid = ?", (userid,)).fetchone() is not None
    return userid in members_below(con, settings, [number for number, _ in places(con, userid)])


def _department(row: sqlite3.Row, leaders: dict[int, list[str]]) -> dict[str, object]:
    return {
        "id": row["id"],
        "name": row["name"],
        "name_en": row["name_en"],
        "department_leader": leaders.get(row["id"], []),
        "parentid": row["parentid"],
        "order": row["place"],
    }


def _member(con: sqlite3.Connection, settings: Settings, row: sqlite3.Row) -> dict[str, object]:
    at = places(con, row["userid"])
    found = con.execute("SELECT * FROM personas WHERE userid = ?", (row["userid"],)).fetchone()
    shown = _BARE if found is None else found
    answer: dict[str, object] = {
        "userid": row["userid"],
        "name": row["name"],
        "department": [number for number, _ in at],
        "order": [0] * len(at),
        "position": row["position"],
        "is_leader_in_dept": [leads for _, leads in at],
        "direct_leader": [row["direct_leader"]] if row["direct_leader"] else [],
        "telephone": "",
        "alias": row["alias"],
        "status": row["status"],
        "english_name": "",
        "main_department": at[0][0],
        "extattr": {"attrs": []},
        "external_position": shown["external_position"],
        "external_profile": json.loads(shown["profile"]),
    }
    if settings.old_app:
        answer |= {"mobile": row["mobile"], "email": row["email"], "gender": str(row["gender"])}
        answer |= {"avatar": shown["avatar"], "thumb_avatar": shown["avatar"], "qr_code": shown["qr_code"]}
        answer |= {"biz_mail": "", "address": ""}
    return answer


CALLS = {
    "department/list": Call("GET", list_departments, {"department": []}),
    "department/simplelist": Call(
        "GET", list_department_ids, {"department_id": []}, secrets=frozenset({APP, CONTACTS})
    ),
    "department/get": Call("GET", get_department),
    "user/list": Call("GET", list_members, {"userlist": []}),
    "user/simplelist": Call("GET", list_member_names, {"userlist": []}),
    "user/list_id": Call("POST", list_member_ids, {"dept_user": []}, secrets=frozenset({CONTACTS})),
    "user/get": Call("GET", get_member),
    "user/getuserid": Call("POST", find_by_mobile, writes=True),
    "user/convert_to_openid": Call("POST", to_openid),
    "auth/getuserinfo": Call("GET", exchange_code, writes=True),
    "auth/getuserdetail": Call("POST", read_private),
}

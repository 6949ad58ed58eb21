"""Customers, as the platform shows them: who follows whom, by which door, with what remark (WeCom docs 92113–92115,
92994, 99434, 93274 and `convert_to_openid`).

A customer who deleted the member stays visible; one whom the member deleted, or has not added back, is answered 84061.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from yutang.kernel.clock import wall_now
from yutang.kernel.ids import salt
from yutang.sandbox.apps import seen_members
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.contracts import bad
from yutang.sandbox.known import following, known_customer
from yutang.sandbox.known import known_member as known_member
from yutang.sandbox.store import Settings, settings_of
from yutang.sandbox.tags import tags_of, write_marks
from yutang.sandbox.walls import let_in
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid, page

FOLLOWERS_PER_PAGE = 500
REMARK_CHARACTERS = COMPANY_CHARACTERS = 20
DESCRIPTION_CHARACTERS = 150
MOST_MOBILES = 5  # unverified
TEMPORARY_SECONDS = 4 * 3600
WECHAT, WECOM = 1, 2
BY_QR = 1
_ROWS = """
    SELECT v.userid, v.external_userid, v.added_at, c.name, k.type, k.gender, k.unionid, k.avatar, k.position,
        k.corp_name, k.corp_full_name, r.remark, r.description, r.company, r.mobiles, r.add_way, r.oper_userid,
        r.personal, d.state
    FROM visible v JOIN customers c USING (external_userid) LEFT JOIN contacts k USING (external_userid)
    LEFT JOIN remarks r ON r.userid = v.userid AND r.external_userid = v.external_userid
    LEFT JOIN doors d ON d.userid = v.userid AND d.external_userid = v.external_userid
"""


def list_members(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`externalcontact/get_follow_user_list`: who stands in 客户联系使用范围 and in the app's visible range."""
    seen = seen_members(con, settings)
    everybody = [row["userid"] for row in con.execute("SELECT userid FROM members ORDER BY userid")]
    return {"follow_user": [one for one in everybody if seen is None or one.lower() in seen]}


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
    external = known_customer(con, arguments.text("external_userid", missing=41035))

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            f"{_ROWS} WHERE v.external_userid = ? AND v.userid > ? ORDER BY v.userid LIMIT ?",
            (external, start[0] if start else "", count),
        ).fetchall()

    found, cursor = page(
        "get", arguments.text("cursor", limit=1024), rows, lambda row: [row["userid"]], FOLLOWERS_PER_PAGE
    )
    if not found:
        raise PlatformError(84061)
    followers = [_follow(row) | {"tags": tags_of(con, row["userid"], external) + _personal(row)} for row in found]
    answer: dict[str, object] = {"external_contact": _contact(found[0], whole=True), "follow_user": followers}
    return answer | ({"next_cursor": cursor} if cursor else {})


def batch_customers(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`externalcontact/batch/get_by_user`: customers of up to 100 members; pages may be short.

    Members without a licence are named and passed over; none with one: 701008.
    """
    userids = arguments.texts("userid_list", 100)
    if not userids:
        raise PlatformError(40063)
    members = sorted({known_member(con, userid) for userid in userids}, key=str.lower)
    without = {row["userid"] for row in con.execute("SELECT userid FROM unlicensed")}
    silent = [userid for userid in members if userid in without]
    if len(silent) == len(members):
        raise PlatformError(701008)

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        at, after = (str(one) for one in start or ("", ""))
        found: list[sqlite3.Row] = []
        for userid in members:  # one by one: a range of the key each, however far apart they stand
            if userid in without or userid.lower() < at.lower():
                continue
            beyond = after if userid.lower() == at.lower() else ""
            found += con.execute(
                f"{_ROWS} WHERE v.userid = ? AND v.external_userid > ? ORDER BY v.external_userid LIMIT ?",
                (userid, beyond, count - len(found)),
            ).fetchall()
            if len(found) >= count:
                break
        return found

    found, cursor = page(
        "batch",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["userid"], row["external_userid"]],
        arguments.limit(50, 100, 100),
    )
    marked = _marked(con, found)
    answer: dict[str, object] = {
        "external_contact_list": [
            {
                "external_contact": _contact(row, whole=False),
                "follow_info": _follow(row) | {"tag_id": marked.get((row["userid"], row["external_userid"]), [])},
            }
            for row in found
        ],
        "next_cursor": cursor,
    }
    return answer | ({"fail_info": {"unlicensed_userid_list": silent}} if silent else {})


def remark(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`externalcontact/remark`: what is named is overwritten; `remark_mobiles: [""]` clears the numbers."""
    userid = known_member(con, arguments.text("userid", missing=41009))
    external = known_customer(con, arguments.text("external_userid", missing=41035))
    following(con, userid, external)
    said = arguments.values.keys() & {
        "remark", "description", "remark_company", "remark_mobiles", "remark_pic_mediaid"
    }  # fmt: skip
    if not said:
        raise PlatformError(40063)
    kind = con.execute("SELECT type FROM contacts WHERE external_userid = ?", (external,)).fetchone()
    if "remark_company" in said and kind is not None and kind["type"] == WECOM:
        raise invalid("remark_company")
    values: dict[str, object] = {}
    for name, column, most in (
        ("remark", "remark", REMARK_CHARACTERS),
        ("description", "description", DESCRIPTION_CHARACTERS),
        ("remark_company", "company", COMPANY_CHARACTERS),
    ):
        if name in said:
            text = arguments.text(name, limit=most * 4)
            if len(text) > most:
                raise invalid(name)
            values[column] = text
    if "remark_mobiles" in said:
        values["mobiles"] = json.dumps(_mobiles(arguments.values["remark_mobiles"]))
    write_remark(con, userid, external, **values)
    return {}


def served_contacts(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`externalcontact/contact_list`: everybody whom members served, with ids that stand for four hours."""

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        external, userid = start or ("", "")
        return con.execute(
            "SELECT v.*, c.name FROM visible v JOIN customers c USING (external_userid) "
            "WHERE (v.external_userid, v.userid) > (?, ?) ORDER BY v.external_userid, v.userid LIMIT ?",
            (external, userid, count),
        ).fetchall()

    found, cursor = page(
        "served",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["external_userid"], row["userid"]],
        arguments.limit(1000, 1000, 1000),
    )
    window = int(wall // TEMPORARY_SECONDS)
    listed = [
        {
            "is_customer": True,
            "tmp_openid": f"tmp{salt('served', settings.corp_id, row['external_userid'], window):016x}",
            "external_userid": row["external_userid"],
            "name": row["name"],
            "follow_userid": row["userid"],
            "add_time": row["added_at"],
        }
        for row in found
    ]
    return {"info_list": listed} | ({"next_cursor": cursor} if cursor else {})


def openid_of(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`externalcontact/convert_to_openid`: of WeChat users only."""
    external = known_customer(con, arguments.text("external_userid", missing=41035))
    row = con.execute("SELECT type FROM contacts WHERE external_userid = ?", (external,)).fetchone()
    if row is not None and row["type"] == WECOM:
        raise PlatformError(41056)
    if con.execute("SELECT 1 FROM visible WHERE external_userid = ?", (external,)).fetchone() is None:
        raise PlatformError(84061)
    return {"openid": f"o{salt('openid', settings.corp_id, external):016x}"}


def by_unionid(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`externalcontact/unionid_to_external_userid`; `openid`, if said, must be that person's."""
    unionid, openid = arguments.text("unionid", missing=40058), arguments.text("openid")
    row = con.execute("SELECT external_userid FROM contacts WHERE unionid = ?", (unionid,)).fetchone()
    if row is None:
        raise PlatformError(610014)
    external = row["external_userid"]
    if openid and openid != f"o{salt('openid', settings.corp_id, external):016x}":
        raise PlatformError(610018)
    return {"external_userid": external}


def _mobiles(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_MOBILES or not all(isinstance(one, str) for one in value):
        raise invalid("remark_mobiles")
    if any(len(one) > 32 for one in value):
        raise invalid("remark_mobiles")
    return [one for one in value if one]


def _contact(row: sqlite3.Row, *, whole: bool) -> dict[str, object]:
    kind = row["type"] or WECHAT
    found: dict[str, object] = {
        "external_userid": row["external_userid"], "name": row["name"], "type": kind, "gender": row["gender"] or 0,
    }  # fmt: skip
    if row["avatar"]:
        found["avatar"] = row["avatar"]
    if kind == WECHAT and row["unionid"]:
        found["unionid"] = row["unionid"]
    if kind == WECOM:
        names = ("position", "corp_name", "corp_full_name")
        found |= {name: row[name] for name in names if row[name]}
        if whole:
            found["external_profile"] = {"external_attr": []}
    return found


def _follow(row: sqlite3.Row) -> dict[str, object]:
    found = {
        "userid": row["userid"],
        "remark": row["name"] if row["remark"] is None else row["remark"],
        "description": row["description"] or "",
        "createtime": row["added_at"],
        "remark_mobiles": json.loads(row["mobiles"] or "[]"),
        "add_way": BY_QR if row["add_way"] is None else row["add_way"],
        "oper_userid": row["oper_userid"] or row["userid"],
    }
    found |= {"remark_corp_name": row["company"]} if row["company"] else {}
    return found | ({"state": row["state"]} if row["state"] else {})


def _personal(row: sqlite3.Row) -> list[dict[str, object]]:
    return [{"group_name": "", "tag_name": name, "type": 2} for name in json.loads(row["personal"] or "[]")]


def _marked(con: sqlite3.Connection, found: Sequence[sqlite3.Row]) -> dict[tuple[str, str], list[str]]:
    pairs = json.dumps([[row["userid"], row["external_userid"]] for row in found])
    rows = con.execute(
        "SELECT p.value ->> 0 AS userid, p.value ->> 1 AS external_userid, m.tag_id FROM json_each(?) p "
        "JOIN marks m ON m.userid = p.value ->> 0 AND m.external_userid = p.value ->> 1 ORDER BY m.tag_id",
        (pairs,),
    )
    marked: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        marked.setdefault((row["userid"], row["external_userid"]), []).append(row["tag_id"])
    return marked


def write_remark(con: sqlite3.Connection, userid: str, external: str, **values: object) -> None:
    """Set columns of what a member wrote about a customer."""
    con.execute("INSERT OR IGNORE INTO remarks (userid, external_userid) VALUES (?, ?)", (userid, external))
    for name, value in values.items():
        con.execute(f"UPDATE remarks SET {name} = ? WHERE userid = ? AND external_userid = ?",  # noqa: S608
                    (value, userid, external))  # fmt: skip


# People ------------------------------------------------------------------------------------------------------------


def befriend(con: sqlite3.Connection, body: dict[str, object]) -> dict[str, object]:
    """`{"userid", "external_userid", "name"?, "type"?, "unionid"?, "corp_name"?, "add_way"?, "state"?, "half"?}`: a
    customer, new or known, and a member become friends, or, `half`, the member has not added back; a callback says so.
    """
    settings = settings_of(con)
    userid, external = _member(con, body), str(body.get("external_userid", ""))
    if not external:
        raise bad("external_userid", "不能为空", "cannot be empty")
    let_in(con, external)
    con.execute(
        "INSERT OR IGNORE INTO customers VALUES (?, ?, NULL, 0.0, 3.0, 0.5, '', ?, 0.0, 0.0)",
        (external, str(body.get("name") or external), json.dumps({"general": 1.0})),
    )
    con.execute("INSERT OR IGNORE INTO contacts (external_userid) VALUES (?)", (external,))
    for name in ("type", "gender", "unionid", "avatar", "position", "corp_name", "corp_full_name"):
        if name in body:
            con.execute(f"UPDATE contacts SET {name} = ? WHERE external_userid = ?", (body[name], external))  # noqa: S608
    if "name" in body:
        con.execute("UPDATE customers SET name = ? WHERE external_userid = ?", (str(body["name"]), external))
    state = str(body.get("state") or "")
    if body.get("half") is not True:
        con.execute(
            "INSERT OR REPLACE INTO relations VALUES (?, ?, ?, NULL, NULL, NULL)", (userid, external, settings.now)
        )
        for table in ("doors", "remarks", "marks"):  # what was said of them before went with the old friendship
            con.execute(f"DELETE FROM {table} WHERE userid = ? AND external_userid = ?", (userid, external))  # noqa: S608
        if state:
            con.execute("INSERT INTO doors VALUES (?, ?, ?)", (userid, external, state))
        write_remark(con, userid, external, add_way=body.get("add_way", BY_QR))
    change = "add_half_external_contact" if body.get("half") is True else "add_external_contact"
    enqueue(con, settings.now, change, UserID=userid, ExternalUserID=external, State=state)
    return {"at": settings.now}


def edit(con: sqlite3.Connection, body: dict[str, object]) -> dict[str, object]:
    """`{"userid", "external_userid", "remark"?, "description"?, "company"?, "mobiles"?, "personal"?, "add_tag"?: [id],
    "remove_tag"?: [id]}`: a member changes what they say of a customer, in the client; a callback says so."""
    settings = settings_of(con)
    userid, external = _member(con, body), str(body.get("external_userid", ""))
    seen = con.execute("SELECT 1 FROM visible WHERE userid = ? AND external_userid = ?", (userid, external)).fetchone()
    if seen is None:
        raise bad("external_userid", "没有这段好友关系", "there is no such friendship")
    values: dict[str, object] = {name: body[name] for name in ("remark", "description", "company") if name in body}
    values |= {name: json.dumps(body[name]) for name in ("mobiles", "personal") if name in body}
    if values:
        write_remark(con, userid, external, **values)
    write_marks(con, userid, external, _ids(body, "add_tag"), _ids(body, "remove_tag"))
    enqueue(con, settings.now, "edit_external_contact", UserID=userid, ExternalUserID=external)
    return {"at": settings.now}


def license_members(con: sqlite3.Connection, body: dict[str, object]) -> dict[str, object]:
    """`{"unlicensed": [userid]}`: these members, and no others, have no interconnect licence."""
    con.execute("DELETE FROM unlicensed")
    con.executemany("INSERT OR IGNORE INTO unlicensed VALUES (?)", [(one,) for one in _ids(body, "unlicensed")])
    return {"at": int(wall_now().timestamp())}


def _member(con: sqlite3.Connection, body: dict[str, object]) -> str:
    try:
        return known_member(con, str(body.get("userid", "")))
    except PlatformError:
        raise bad("userid", "没有这个成员", "there is no such member") from None


def _ids(body: dict[str, object], name: str) -> list[str]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise bad(name, "应为列表", "must be a list")
    return [str(one) for one in value]


_OF = "externalcontact/"
CALLS = {
    f"{_OF}get_follow_user_list": Call("GET", list_members, {"follow_user": []}),
    f"{_OF}list": Call("GET", list_customers, {"external_userid": []}),
    f"{_OF}get": Call("GET", get_customer, {"follow_user": []}),
    f"{_OF}batch/get_by_user": Call("POST", batch_customers, {"external_contact_list": []}),
    f"{_OF}remark": Call("POST", remark, writes=True),
    f"{_OF}contact_list": Call("POST", served_contacts, {"info_list": []}),
    f"{_OF}convert_to_openid": Call("POST", openid_of),
    f"{_OF}unionid_to_external_userid": Call("POST", by_unionid),
}

"""Customer groups: who owns them, who is in them, how they change hands (WeCom docs 92120, 92122, 92127, 95703).

What people do in groups happens by the functions at the end, and is told in callbacks (doc 92130); what the API does is
not. The detail lags behind the callback by `Settings.detail_lag` wall seconds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import salt
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.contracts import bad
from yutang.sandbox.customers import known_member
from yutang.sandbox.directory import change_member
from yutang.sandbox.store import Settings, put, settings_of
from yutang.sandbox.walls import let_in
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid, page

CHANGE = "change_external_chat"
INVITED, BY_LINK, BY_CODE = 1, 2, 3
MOST_OWNERS = 1000  # visible to the app, without an owner_filter (81017)
DAY = 86_400
HANDED_A_DAY = 300
ON_JOB, ON_JOB_DAYS = 2, 90


def list_chats(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/list`. Groups whose owner left are listed only where the owner is asked for by name."""
    wanted = arguments.number("status_filter", 0)
    if wanted > 3:
        raise invalid("status_filter")
    owners = owner_filter(con, arguments)
    if not 1 <= arguments.number("limit", 0) <= 1000:
        raise invalid("limit")
    if not owners and con.execute("SELECT count(*) FROM members").fetchone()[0] > MOST_OWNERS:
        raise PlatformError(81017)

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            f"SELECT * FROM (SELECT chat_id, {_STATUS} AS status FROM chats c "  # noqa: S608  # a text of ours
            "LEFT JOIN departures d ON d.userid = c.owner WHERE dismissed_at IS NULL AND chat_id > :after "
            "AND (:all AND d.userid IS NULL OR owner IN (SELECT value FROM json_each(:owners)))) "
            "WHERE :wanted = 0 OR status = :wanted ORDER BY chat_id LIMIT :count",
            {
                "wall": wall,
                "after": start[0] if start else "",
                "all": not owners,
                "owners": json.dumps(owners),
                "wanted": wanted,
                "count": count,
            },
        ).fetchall()

    found, cursor = page(
        "chats", arguments.text("cursor", limit=1024), rows, lambda row: [row["chat_id"]], arguments.number("limit")
    )
    listed = [{"chat_id": row["chat_id"], "status": row["status"]} for row in found]
    return {"group_chat_list": listed} | ({"next_cursor": cursor} if cursor else {})


_STATUS = "CASE WHEN d.userid IS NOT NULL THEN 1 WHEN handed = 2 AND handed_wall <= :wall THEN 3 ELSE handed END"


def owner_filter(con: sqlite3.Connection, arguments: Arguments) -> list[str]:
    """The owners asked for, as the directory writes them; empty: everybody's."""
    inner = arguments.inner("owner_filter")
    if inner is None:
        return []
    owners = inner.texts("userid_list", 100)
    if not owners:
        raise PlatformError(40063)
    return [known_member(con, owner) for owner in owners]


def get_chat(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/get`. `need_name` 1 adds names; an outsider who is nobody's friend has none."""
    row = find_chat(con, arguments.text("chat_id", missing=40063))
    named = arguments.number("need_name", 0)
    if named > 1:
        raise invalid("need_name")
    if row["dismissed_at"] is not None:
        raise PlatformError(49008)
    shown = json.loads(row["shown"]) if row["shown"] and wall < row["fresh_wall"] else _detail(con, row)
    if named:
        names = _names(con, [str(member["userid"]) for member in shown["member_list"]])
        shown["member_list"] = [{**one, "name": names.get(str(one["userid"]), "")} for one in shown["member_list"]]
    return {"group_chat": shown}


def find_chat(con: sqlite3.Connection, chat_id: str) -> sqlite3.Row:
    """A group by its id. 90501 where there is none."""
    row: sqlite3.Row | None = con.execute("SELECT * FROM chats WHERE chat_id = ?", (chat_id,)).fetchone()
    if row is None:
        raise PlatformError(90501)
    return row


def _detail(con: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    members = con.execute(
        "SELECT * FROM chat_members WHERE chat_id = ? AND left_at IS NULL ORDER BY joined_at, member",
        (row["chat_id"],),
    ).fetchall()
    return {
        "chat_id": row["chat_id"],
        "name": row["name"],
        "owner": row["owner"],
        "create_time": row["created_at"],
        **({"notice": row["notice"]} if row["notice"] else {}),
        "member_list": [_member(one) for one in members],
        "admin_list": [{"userid": one} for one in json.loads(row["admins"])],
        "member_version": version_of(row["chat_id"], row["version"]),
    }


def _member(row: sqlite3.Row) -> dict[str, object]:
    return {
        "userid": row["member"],
        "type": row["kind"],
        "join_time": row["joined_at"],
        "join_scene": row["scene"],
        **({"invitor": {"userid": row["inviter"]}} if row["inviter"] else {}),
        "group_nickname": row["nickname"] or "",
        **({"state": row["state"]} if row["state"] else {}),
    }


def version_of(chat_id: str, version: int) -> str:
    """A membership's version, as callbacks and the detail write it."""
    return md5(f"{chat_id} {version}".encode(), usedforsecurity=False).hexdigest()


def _names(con: sqlite3.Connection, ids: Sequence[str]) -> dict[str, str]:
    asked = json.dumps(list(ids))
    return {
        row["id"]: row["name"]
        for row in con.execute(
            "SELECT userid AS id, name FROM members WHERE userid IN (SELECT value FROM json_each(:asked)) UNION ALL "
            "SELECT external_userid, name FROM customers c WHERE external_userid IN (SELECT value FROM "
            "json_each(:asked)) AND EXISTS (SELECT 1 FROM visible v WHERE v.external_userid = c.external_userid)",
            {"asked": asked},
        )
    }


def chat_of_opengid(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`opengid_to_chatid`: a mini-program's id of a group."""
    asked = arguments.text("opengid", missing=40063)
    for row in con.execute("SELECT chat_id FROM chats WHERE dismissed_at IS NULL"):
        if opengid_of(row["chat_id"]) == asked:
            return {"chat_id": row["chat_id"]}
    raise PlatformError(90511)


def opengid_of(chat_id: str) -> str:
    """What a mini-program that is opened in the group is told of it."""
    return f"oG{salt('opengid', chat_id):016x}"


def transfer_chats(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/transfer`: groups whose owner has left get a new one."""
    return _transfer(con, settings, arguments, wall, on_job=False)


def transfer_on_job(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`groupchat/onjob_transfer`: the same of an owner who is still there, twice in 90 days for a group."""
    return _transfer(con, settings, arguments, wall, on_job=True)


def _transfer(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float, *, on_job: bool
) -> dict[str, object]:
    chats = arguments.texts("chat_id_list", 100)
    if not chats:
        raise PlatformError(40063)
    owner = known_member(con, arguments.text("new_owner", missing=40063))
    if departed(con, owner):
        raise PlatformError(40003)
    failed = []
    for chat_id in chats:
        try:
            _hand_over(con, settings, chat_id, owner, wall, on_job=on_job)
        except PlatformError as error:
            failed.append({"chat_id": chat_id, "errcode": error.code, "errmsg": error.text})
    return {"failed_chat_list": failed}


def _hand_over(
    con: sqlite3.Connection, settings: Settings, chat_id: str, owner: str, wall: float, *, on_job: bool
) -> None:
    row = find_chat(con, chat_id)
    if row["dismissed_at"] is not None:
        raise PlatformError(49008)
    gone = departed(con, row["owner"])
    if on_job and gone:
        raise PlatformError(90502)
    if not on_job and row["handed"] and not gone:
        raise PlatformError(90507 if wall < row["handed_wall"] else 90508)
    if not on_job and not gone:
        raise PlatformError(90500)
    if row["owner"].casefold() == owner.casefold():
        raise PlatformError(90504)
    midnight = int(day_start(local_day(_at(settings.now), settings.zone), settings.zone).timestamp())
    today, lately = con.execute(
        "SELECT (SELECT count(*) FROM chat_transfers WHERE new_owner = ? AND at >= ?), "
        "(SELECT count(*) FROM chat_transfers WHERE chat_id = ? AND on_job AND at > ?)",
        (owner, midnight, chat_id, settings.now - ON_JOB_DAYS * DAY),
    ).fetchone()
    if today >= HANDED_A_DAY or (on_job and lately >= ON_JOB):
        raise PlatformError(40128)
    con.execute("INSERT INTO chat_transfers VALUES (?, ?, ?, ?)", (chat_id, owner, settings.now, on_job))
    _changing(con, chat_id, settings, wall)
    con.execute(
        "UPDATE chats SET owner = ?, handed = ?, handed_wall = ? WHERE chat_id = ?",
        (owner, 0 if on_job else 2, wall + settings.dispatch_seconds, chat_id),
    )
    _put_in(con, chat_id, owner, settings.now, INVITED, row["owner"])


def departed(con: sqlite3.Connection, userid: str) -> bool:
    """Whether a member has left the corp."""
    return con.execute("SELECT 1 FROM departures WHERE userid = ?", (userid,)).fetchone() is not None


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# People ------------------------------------------------------------------------------------------------------------


def create(con: sqlite3.Connection, owner: str, name: str, chat_id: str = "", at: int | None = None) -> str:
    """A member makes a group, of which a callback tells; returns its id. One of that id that stands stays as it is."""
    settings = settings_of(con)
    row = con.execute("SELECT userid FROM members WHERE userid = ?", (owner,)).fetchone()
    if row is None:
        raise bad("owner", "没有这个成员", "there is no such member")
    number = settings.chats + 1
    found = chat_id or f"wr{salt('chat', settings.corp_id, settings.seed, number):016x}{number:012d}"
    if con.execute("SELECT 1 FROM chats WHERE chat_id = ?", (found,)).fetchone():
        return found
    put(con, chats=number)
    moment = settings.now if at is None else at
    con.execute(
        "INSERT INTO chats (chat_id, name, owner, created_at, notice, admins) VALUES (?, ?, ?, ?, '', '[]')",
        (found, name, row["userid"], moment),
    )
    _put_in(con, found, row["userid"], moment, INVITED, "")
    enqueue(con, moment, "create", CHANGE, ChatId=found)
    return found


def _put_in(
    con: sqlite3.Connection, chat_id: str, who: str, at: int, scene: int, inviter: str, state: str = ""
) -> bool:
    """Whether they are new in the group."""
    row = con.execute("SELECT userid FROM members WHERE userid = ?", (who,)).fetchone()
    kind = 1 if row else 2
    return (
        con.execute(
            "INSERT INTO chat_members VALUES (?, ?, ?, ?, ?, ?, ?, '', NULL) ON CONFLICT (chat_id, member) DO UPDATE "
            "SET joined_at = excluded.joined_at, scene = excluded.scene, inviter = excluded.inviter, "
            "state = excluded.state, left_at = NULL WHERE left_at IS NOT NULL",
            (chat_id, row["userid"] if row else who, kind, at, scene, inviter, state),
        ).rowcount
        > 0
    )


def join(
    con: sqlite3.Connection,
    chat_id: str,
    members: Sequence[str],
    *,
    scene: int = INVITED,
    inviter: str = "",
    state: str = "",
) -> list[str]:
    """These come into a group together, and one callback tells of all; returns those who were not in it.

    Only a member of the corp is named as who invited (doc 92122). Raises BadInput where they are too many.
    """
    settings = settings_of(con)
    row = _standing(con, chat_id)
    _changing(con, chat_id, settings, wall_now().timestamp())
    ours = con.execute("SELECT 1 FROM members WHERE userid = ?", (inviter,)).fetchone() is not None
    for who in members:
        if con.execute("SELECT 1 FROM members WHERE userid = ?", (who,)).fetchone() is None:
            let_in(con, who)
    came = [who for who in members if _put_in(con, chat_id, who, settings.now, scene, inviter if ours else "", state)]
    if size_of(con, chat_id) > settings.chat_most:
        raise bad("members", f"一个群最多 {settings.chat_most} 人", f"a group takes {settings.chat_most} at most")
    if came:
        _tell_members(con, settings, row, "add_member", came, JoinScene=3 if scene == BY_CODE else 0)
    return came


def part(con: sqlite3.Connection, chat_id: str, members: Sequence[str], *, removed: bool = False) -> list[str]:
    """These leave a group by themselves, or are taken out; returns those who were in it."""
    settings = settings_of(con)
    row = _standing(con, chat_id)
    _changing(con, chat_id, settings, wall_now().timestamp())
    gone = [
        who
        for who in members
        if con.execute(
            "UPDATE chat_members SET left_at = ? WHERE chat_id = ? AND member = ? AND left_at IS NULL",
            (settings.now, chat_id, who),
        ).rowcount
    ]
    if gone:
        _tell_members(con, settings, row, "del_member", gone, QuitScene=1 if removed else 0)
    return gone


def size_of(con: sqlite3.Connection, chat_id: str) -> int:
    """How many are in a group, members of the corp included."""
    return int(
        con.execute("SELECT count(*) FROM chat_members WHERE chat_id = ? AND left_at IS NULL", (chat_id,)).fetchone()[0]
    )


def change(
    con: sqlite3.Connection,
    chat_id: str,
    *,
    name: str | None = None,
    notice: str | None = None,
    owner: str | None = None,
    admins: Sequence[str] | None = None,
) -> None:
    """Somebody renames a group, writes its notice, hands it on or names its admins; each is told but the last."""
    settings = settings_of(con)
    _standing(con, chat_id)
    _changing(con, chat_id, settings, wall_now().timestamp())
    said = {"name": ("change_name", name), "notice": ("change_notice", notice), "owner": ("change_owner", owner)}
    for column, (detail, value) in said.items():
        if value is None:
            continue
        if column == "owner":
            _put_in(con, chat_id, value, settings.now, INVITED, "")
        con.execute(f"UPDATE chats SET {column} = ? WHERE chat_id = ?", (value, chat_id))  # noqa: S608  # ours
        enqueue(con, settings.now, "update", CHANGE, ChatId=chat_id, UpdateDetail=detail)
    if admins is not None:
        con.execute("UPDATE chats SET admins = ? WHERE chat_id = ?", (json.dumps(list(admins)), chat_id))


def dismiss(con: sqlite3.Connection, chat_id: str) -> None:
    """The owner dissolves a group."""
    settings = settings_of(con)
    _standing(con, chat_id)
    con.execute("UPDATE chats SET dismissed_at = ? WHERE chat_id = ?", (settings.now, chat_id))
    enqueue(con, settings.now, "dismiss", CHANGE, ChatId=chat_id)


def resign(con: sqlite3.Connection, userid: str) -> None:
    """A member leaves the corp; their groups wait for a new owner."""
    change_member(con, known_member(con, userid), deleted=True)


def talk(con: sqlite3.Connection, chat_id: str, member: str, messages: int) -> None:
    """Somebody says something in a group."""
    _standing(con, chat_id)
    con.execute("INSERT INTO chat_talk VALUES (?, ?, ?, ?)", (chat_id, member, settings_of(con).now, messages))


def _standing(con: sqlite3.Connection, chat_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = con.execute(
        "SELECT * FROM chats WHERE chat_id = ? AND dismissed_at IS NULL", (chat_id,)
    ).fetchone()
    if row is None:
        raise bad("chat_id", "没有这个群，或已解散", "there is no such group, or it was dissolved")
    return row


def _changing(con: sqlite3.Connection, chat_id: str, settings: Settings, wall: float) -> None:
    """Keep what the detail says before a change, which it goes on saying for a while."""
    row = find_chat(con, chat_id)
    if settings.detail_lag <= 0:
        return
    shown = row["shown"] if wall < row["fresh_wall"] else json.dumps(_detail(con, row), ensure_ascii=False)
    con.execute(
        "UPDATE chats SET shown = ?, fresh_wall = ? WHERE chat_id = ?", (shown, wall + settings.detail_lag, chat_id)
    )


def _tell_members(
    con: sqlite3.Connection, settings: Settings, row: sqlite3.Row, detail: str, who: Sequence[str], **scene: int
) -> None:
    version = con.execute("SELECT version FROM chats WHERE chat_id = ?", (row["chat_id"],)).fetchone()[0]
    con.execute("UPDATE chats SET version = ? WHERE chat_id = ?", (version + 1, row["chat_id"]))
    enqueue(
        con,
        settings.now,
        "update",
        CHANGE,
        ChatId=row["chat_id"],
        UpdateDetail=detail,
        **scene,
        MemChangeCnt=len(who),
        MemChangeList=list(who),
        LastMemVer=version_of(row["chat_id"], version),
        CurMemVer=version_of(row["chat_id"], version + 1),
    )


_OF = "externalcontact/groupchat/"
CALLS = {
    f"{_OF}list": Call("POST", list_chats, {"group_chat_list": []}),
    f"{_OF}get": Call("POST", get_chat, {"group_chat": {"member_list": [], "admin_list": []}}),
    "externalcontact/opengid_to_chatid": Call("POST", chat_of_opengid),
    f"{_OF}transfer": Call("POST", transfer_chats, {"failed_chat_list": []}, writes=True),
    f"{_OF}onjob_transfer": Call("POST", transfer_on_job, {"failed_chat_list": []}, writes=True),
}

"""Moments: asked for by a job, published by members, looked at by customers (WeCom docs 95094, 97612, 93333).

Whoever publishes shows it to all their friends, or to those with one of the tags named; a customer is shown at most
`moments_per_month` of the corp's in a month, of whatever member. Who likes or comments is drawn by (seed, moment,
member, customer) at the moment of publishing, and told once its time has come.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log1p
from typing import cast

from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.ids import draw, salt
from yutang.sandbox.attachments import MOMENTS, check_media
from yutang.sandbox.contracts import Member, bad
from yutang.sandbox.customers import known_member
from yutang.sandbox.habits import choose_habit, choose_tap, moments
from yutang.sandbox.parties import everybody, members_of, read_parties
from yutang.sandbox.store import Settings, put, settings_of
from yutang.sandbox.wire import TEXTS, Arguments, Call, PlatformError, invalid, page

JOB_SECONDS = 86_400
LIST_SECONDS = 30 * 86_400
JOBS_A_MONTH = 100_000
JOBS_UNDER_WAY = 5  # undocumented
TEXT_CHARACTERS, TEXT_BYTES, TITLE_CHARACTERS = 2_000, 4_000, 64
MOST = {"image": 9, "video": 1, "link": 1}
LIKING, COMMENTING, REPLYING = 0.06, 0.015, 0.5
TALK_HOURS = 8.0  # on average after the publishing
LIKE, COMMENT = 0, 1


def add_task(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`add_moment_task`: starts a job, whose result names the moment. The same body twice makes two moments.

    Whoever is not there is left out and named in the result; where nobody is left, the result says 81013 (our
    reading). The job is started after a quarter of the dispatch time and done after half of it.
    """
    _keep_rate(con, settings, wall)
    content = _content(con, arguments, wall)
    asked = _range(con, settings, arguments)
    number = int(con.execute("SELECT count(*) FROM moment_jobs").fetchone()[0]) + 1
    jobid = f"{salt('job', settings.corp_id, settings.seed, number):016x}{number:08x}"
    moment_id = f"mom{salt('moment', settings.seed, number):016x}{number:08x}"
    done = wall + settings.dispatch_seconds / 2
    result: dict[str, object] = {"errcode": 0, "errmsg": "ok", "moment_id": moment_id, **asked.invalid}
    if asked.members:
        con.execute(
            "INSERT INTO moments VALUES (?, ?, 0, NULL, ?, ?, ?, ?, ?, NULL, NULL)",
            (
                moment_id,
                settings.now,
                0 if asked.tags is not None else 1,
                None if asked.tags is None else json.dumps(asked.tags),
                json.dumps(content, ensure_ascii=False),
                done,
                wall + settings.dispatch_seconds,
            ),
        )
        _ask_members(con, settings, moment_id, asked.members)
    else:
        result = {"errcode": 81013, "errmsg": TEXTS[81013], **asked.invalid}
    con.execute(
        "INSERT INTO moment_jobs VALUES (?, ?, ?, ?, ?)",
        (jobid, wall, wall + settings.dispatch_seconds / 4, done, json.dumps(result, ensure_ascii=False)),
    )
    return {"jobid": jobid}


def get_task_result(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`get_moment_task_result`: 1 asked, 2 under way, 3 done. A job is known for 24 hours."""
    jobid = arguments.text("jobid", missing=40058)
    row = con.execute("SELECT * FROM moment_jobs WHERE jobid = ?", (jobid,)).fetchone()
    if row is None or wall > row["made_wall"] + JOB_SECONDS:
        raise invalid("jobid")
    status = 1 if wall < row["started_wall"] else 2 if wall < row["done_wall"] else 3
    answer: dict[str, object] = {"status": status, "type": "add_moment_task"}
    return answer | ({"result": json.loads(row["result"])} if status == 3 else {})


def cancel_task(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`cancel_moment_task`: who has not published is no longer asked. Cancelling again changes nothing."""
    moment = _find(con, arguments, wall, ours=True)
    con.execute(
        "UPDATE moments SET cancelled_at = coalesce(cancelled_at, ?) WHERE moment_id = ?",
        (settings.now, moment["moment_id"]),
    )
    con.execute(
        "UPDATE moment_members SET tap_at = NULL WHERE moment_id = ? AND published_at IS NULL", (moment["moment_id"],)
    )
    return {}


def list_moments(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_moment_list`: what the corp asked for and what members published, without what was deleted since."""
    start, end = arguments.number("start_time"), arguments.number("end_time")
    chosen = arguments.number("filter_type", 2)
    if not start <= end <= start + LIST_SECONDS:
        raise invalid("end_time")
    if chosen > 2:
        raise invalid("filter_type")
    creator = arguments.text("creator")
    creator = known_member(con, creator) if creator else ""

    def rows(after: Sequence[object], count: int) -> list[sqlite3.Row]:
        at, moment_id = after or (-1, "")
        return con.execute(
            "SELECT * FROM moments WHERE create_time BETWEEN :start AND :end AND listed_wall <= :wall "
            "AND deleted_at IS NULL AND (:chosen = 2 OR create_type = :chosen) "
            "AND (:creator = '' OR creator = :creator) AND (create_time, moment_id) > (:at, :moment) "
            "ORDER BY create_time, moment_id LIMIT :count",
            {
                "start": start,
                "end": end,
                "wall": wall,
                "chosen": chosen,
                "creator": creator,
                "at": at,
                "moment": moment_id,
                "count": count,
            },
        ).fetchall()

    found, cursor = page(
        "moments",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["create_time"], row["moment_id"]],
        arguments.limit(20, 20, 20),
    )
    return {"moment_list": [_told(row) for row in found], "next_cursor": cursor}


def list_members(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_moment_task`: whom the corp asked to publish, and who has."""
    moment = _find(con, arguments, wall, ours=True)

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            "SELECT * FROM moment_members WHERE moment_id = ? AND userid > ? ORDER BY userid LIMIT ?",
            (moment["moment_id"], start[0] if start else "", count),
        ).fetchall()

    found, cursor = page(
        "moment_task",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["userid"]],
        arguments.limit(500, 1000, 500),
    )
    return {
        "task_list": [
            {"userid": row["userid"], "publish_status": int(row["published_at"] is not None)} for row in found
        ],
        "next_cursor": cursor,
    }


def list_range(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_moment_customer_list`: for whom a member published it."""
    limit = arguments.limit(500, 1000, 500)
    found, cursor = _viewers(con, "moment_range", arguments, wall, limit, 0)
    return {
        "customer_list": [{"userid": row["userid"], "external_userid": row["external_userid"]} for row in found],
        "next_cursor": cursor,
    }


def list_seen(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_moment_send_result`: who can see it among their moments, so without those who had had their share."""
    limit = arguments.limit(3000, 5000, 3000)
    found, cursor = _viewers(con, "moment_seen", arguments, wall, limit, 1)
    return {
        "customer_list": [{"external_userid": row["external_userid"]} for row in found],
        "next_cursor": cursor,
    }


def list_talk(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_moment_comments`: who liked and who commented so far, and when; never what was written."""
    moment = _find(con, arguments, wall)
    userid = _publisher(con, moment, arguments)
    rows = con.execute(
        "SELECT * FROM moment_talk WHERE moment_id = ? AND userid = ? AND at <= ? ORDER BY at, who",
        (moment["moment_id"], userid, settings.now),
    ).fetchall()
    told: tuple[list[dict[str, object]], list[dict[str, object]]] = ([], [])
    for row in rows:
        name = "userid" if row["by_member"] else "external_userid"
        told[row["kind"]].append({name: row["who"], "create_time": row["at"]})
    return {"comment_list": told[COMMENT], "like_list": told[LIKE]}


def _keep_rate(con: sqlite3.Connection, settings: Settings, wall: float) -> None:
    """45009 beyond so many a minute (wall clock) or a month (business clock); 41078 for too many jobs at once."""
    day = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
    month = int(day_start(day.replace(day=1), settings.zone).timestamp())
    minute, open_jobs, in_month = con.execute(
        "SELECT (SELECT count(*) FROM moment_jobs WHERE made_wall > ?), "
        "(SELECT count(*) FROM moment_jobs WHERE made_wall > ? AND done_wall > ?), "
        "(SELECT count(*) FROM moments WHERE create_type = 0 AND create_time >= ?)",
        (wall - 60, wall - JOB_SECONDS, wall, month),
    ).fetchone()
    if minute >= settings.moments_per_minute or in_month >= JOBS_A_MONTH:
        raise PlatformError(45009)
    if open_jobs >= JOBS_UNDER_WAY:
        raise PlatformError(41078)


def _content(con: sqlite3.Connection, arguments: Arguments, wall: float) -> dict[str, object]:
    """The moment as the list tells it: a text, and either pictures, or one video, or one link."""
    content: dict[str, object] = {}
    text = arguments.inner("text")
    words = text.text("content", limit=1 << 20) if text is not None else ""
    if len(words) > TEXT_CHARACTERS or len(words.encode()) > TEXT_BYTES:
        raise PlatformError(40058, "invalid text size")
    if words:
        content["text"] = {"content": words}
    items = arguments.values.get("attachments")
    if items is not None and not isinstance(items, list):
        raise invalid("attachments")
    kinds = {item.get("msgtype") if isinstance(item, dict) else None for item in items or []}
    if len(kinds) > 1 or not kinds <= MOST.keys():
        raise PlatformError(41065, "invalid attachments msgtype")
    for kind in kinds:
        if len(items or []) > MOST[str(kind)]:
            raise PlatformError(41064, "invalid attachments size")
        parts = [_part(con, Arguments(item).inner(str(kind)), str(kind), wall) for item in items or []]
        content[str(kind)] = parts if kind == "image" else parts[0]
    if not content:
        raise PlatformError(41089)
    return content


def _part(con: sqlite3.Connection, inner: Arguments | None, kind: str, wall: float) -> dict[str, str]:
    if inner is None:
        raise PlatformError(40063, "invalid msg")
    media = inner.text("media_id", missing=40063, limit=256)
    kept = {}
    if kind == "link":
        title = inner.text("title", limit=4 * TITLE_CHARACTERS)
        if len(title) > TITLE_CHARACTERS:
            raise invalid("title")
        kept = {"title": title, "url": inner.text("url", missing=40063, limit=2048)}
    check_media(con, media, MOMENTS, "video" if kind == "video" else "image", wall)
    return kept or ({"media_id": media} | ({"thumb_media_id": f"{media[:250]}-thumb"} if kind == "video" else {}))


@dataclass(frozen=True, slots=True)
class _Range:
    """Who is asked, for customers with which tags (None: for all), and what was named that is not there."""

    members: list[str]
    tags: list[str] | None
    invalid: dict[str, object]


def _range(con: sqlite3.Connection, settings: Settings, arguments: Arguments) -> _Range:
    named = arguments.inner("visible_range")
    senders = named.inner("sender_list") if named is not None else None
    customers = named.inner("external_contact_list") if named is not None else None
    wrong: dict[str, object] = {}
    members = everybody(con, settings)
    if senders is not None:
        parties = read_parties(con, settings, senders, 100_000, 100_000)
        members = members_of(con, settings, parties.users, parties.parties)
        lists = {"user_list": parties.no_users, "department_list": parties.no_parties}
        if any(lists.values()):
            wrong["invalid_sender_list"] = {name: ids for name, ids in lists.items() if ids}
    tags = None
    if customers is not None:
        asked = customers.texts("tag_list", 10_000)
        if not asked:
            raise PlatformError(40063)
        tags = _corp_tags(con, asked)
        if lost := [tag for tag in asked if tag not in tags]:
            wrong["invalid_external_contact_list"] = {"tag_list": lost}
        tagging = _tagging(con, tags)
        members = [one for one in members if one in tagging]
    active = {str(row["userid"]) for row in con.execute("SELECT userid FROM staff WHERE status = 1")}
    return _Range([one for one in members if one in active], tags, wrong)


def _corp_tags(con: sqlite3.Connection, asked: Sequence[str]) -> list[str]:
    """Those of the tags that are the corp's own: tags of a rule group are not taken."""
    rows = con.execute("SELECT tag_id FROM tags WHERE tag_id IN (SELECT value FROM json_each(?))", (json.dumps(asked),))
    there = {str(row["tag_id"]) for row in rows}
    return [tag for tag in asked if tag in there]


def _tagging(con: sqlite3.Connection, tags: Sequence[str]) -> set[str]:
    """The members with a customer who carries one of the tags."""
    rows = con.execute(
        "SELECT DISTINCT v.userid FROM visible v JOIN marks m USING (userid, external_userid) "
        "WHERE m.tag_id IN (SELECT value FROM json_each(?))",
        (json.dumps(tags),),
    )
    return {str(row["userid"]) for row in rows}


def _ask_members(con: sqlite3.Connection, settings: Settings, moment_id: str, members: Sequence[str]) -> None:
    habits = {row["userid"]: json.loads(row["habit"]) for row in con.execute("SELECT userid, habit FROM members")}
    con.executemany(
        "INSERT INTO moment_members VALUES (?, ?, ?, NULL)",
        [
            (
                moment_id,
                userid,
                choose_tap(
                    choose_habit(habits[userid], settings.seed, userid, moment_id),
                    settings.seed,
                    userid,
                    moment_id,
                    settings.now,
                    settings.zone,
                ),
            )
            for userid in members
        ],
    )


def _find(con: sqlite3.Connection, arguments: Arguments, wall: float, *, ours: bool = False) -> sqlite3.Row:
    """The moment named. `ours`: one that the corp asked for (41067 for a member's own)."""
    moment_id = arguments.text("moment_id", missing=41059, limit=64)
    row = con.execute(
        "SELECT * FROM moments WHERE moment_id = ? AND listed_wall <= ? AND deleted_at IS NULL", (moment_id, wall)
    ).fetchone()
    if row is None:
        raise PlatformError(41060)
    if ours and row["create_type"] != 0:
        raise PlatformError(41067)
    if wall < row["ready_wall"]:
        raise PlatformError(41079)
    return cast("sqlite3.Row", row)


def _publisher(con: sqlite3.Connection, moment: sqlite3.Row, arguments: Arguments) -> str:
    userid = known_member(con, arguments.text("userid", missing=41009))
    row = con.execute(
        "SELECT published_at FROM moment_members WHERE moment_id = ? AND userid = ?", (moment["moment_id"], userid)
    ).fetchone()
    if row is None:
        raise PlatformError(41061)
    if row["published_at"] is None:
        raise PlatformError(41062)
    return userid


def _viewers(
    con: sqlite3.Connection, call: str, arguments: Arguments, wall: float, limit: int, seen: int
) -> tuple[list[sqlite3.Row], str]:
    moment = _find(con, arguments, wall)
    userid = _publisher(con, moment, arguments)

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            "SELECT * FROM moment_views WHERE moment_id = ? AND userid = ? AND seen >= ? AND external_userid > ? "
            "ORDER BY external_userid LIMIT ?",
            (moment["moment_id"], userid, seen, start[0] if start else "", count),
        ).fetchall()

    return page(call, arguments.text("cursor", limit=1024), rows, lambda row: [row["external_userid"]], limit)


def _told(row: sqlite3.Row) -> dict[str, object]:
    return {
        "moment_id": row["moment_id"],
        **({} if row["creator"] is None else {"creator": row["creator"]}),
        "create_time": row["create_time"],
        "create_type": row["create_type"],
        "visible_type": row["visible_type"],
        **json.loads(row["content"]),
    }


# People ------------------------------------------------------------------------------------------------------------


def put_habits(con: sqlite3.Connection, members: Iterable[Member]) -> None:
    """Set how often members publish on their own."""
    con.executemany(
        "INSERT OR REPLACE INTO moment_habits VALUES (?, ?)", [(one.userid, one.moments_per_day) for one in members]
    )


def due_moments(con: sqlite3.Connection, settings: Settings, until: int) -> list[tuple[int, str, str]]:
    """(at, moment, member) of what is published in (now, until]; without a moment: the member's own."""
    asked = con.execute(
        "SELECT tap_at, moment_id, userid FROM moment_members WHERE published_at IS NULL AND tap_at IS NOT NULL "
        "AND tap_at > ? AND tap_at <= ?",
        (settings.now, until),
    ).fetchall()
    today = local_day(datetime.fromtimestamp(settings.now, UTC), settings.zone)
    own = [
        (at, "", str(row["userid"]))
        for row in con.execute("SELECT * FROM moment_habits WHERE per_day > 0 ORDER BY userid").fetchall()
        for at in moments(row["per_day"], settings.zone, today, settings.seed, "moments", row["userid"])
        if settings.now < at <= until
    ]
    return [*((row[0], row[1], row[2]) for row in asked), *own]


def next_moment(con: sqlite3.Connection) -> int | None:
    """When the next moment asked for is published."""
    row = con.execute(
        "SELECT min(tap_at) FROM moment_members WHERE published_at IS NULL AND tap_at IS NOT NULL"
    ).fetchone()
    return None if row[0] is None else int(row[0])


def publish(con: sqlite3.Connection, settings: Settings, moment_id: str, userid: str, at: int) -> int:
    """The clock moves to `at`, and the member publishes; returns how many customers can see it."""
    put(con, now=at)
    moment = con.execute("SELECT * FROM moments WHERE moment_id = ?", (moment_id,)).fetchone()
    day = local_day(datetime.fromtimestamp(at, UTC), settings.zone)
    month = int(day_start(day.replace(day=1), settings.zone).timestamp())
    most = settings.moments_per_month if moment["create_type"] == 0 else 1 << 31  # a member's own are not counted
    con.execute(
        "UPDATE moment_members SET published_at = ? WHERE moment_id = ? AND userid = ?", (at, moment_id, userid)
    )
    con.execute(
        "INSERT OR IGNORE INTO moment_views SELECT :moment, userid, external_userid, :at, (SELECT count(*) "
        "FROM moment_views had JOIN moments m USING (moment_id) WHERE had.external_userid = friends.external_userid "
        "AND had.seen = 1 AND had.at >= :month AND m.create_type = 0) < :most FROM friends WHERE userid = :userid",
        {"moment": moment_id, "at": at, "month": month, "most": most, "userid": userid},
    )
    if moment["tags"] is not None:
        con.execute(
            "DELETE FROM moment_views WHERE moment_id = ?1 AND userid = ?2 AND external_userid NOT IN ("
            "SELECT external_userid FROM marks WHERE userid = ?2 AND tag_id IN (SELECT value FROM json_each(?3)))",
            (moment_id, userid, moment["tags"]),
        )
    seen = [
        str(row["external_userid"])
        for row in con.execute(
            "SELECT external_userid FROM moment_views WHERE moment_id = ? AND userid = ? AND seen = 1",
            (moment_id, userid),
        )
    ]
    _talk(con, settings, moment_id, userid, at, seen)
    return len(seen)


def publish_own(con: sqlite3.Connection, settings: Settings, userid: str, at: int, text: str) -> str:
    """The clock moves to `at`, and a member publishes something of their own; returns its id, the same for the same."""
    moment_id = f"mom{salt(settings.seed, 'own', userid, at, text):016x}own"
    con.execute(
        "INSERT OR IGNORE INTO moments VALUES (?, ?, 1, ?, 1, NULL, ?, 0, 0, NULL, NULL)",
        (moment_id, at, userid, json.dumps({"text": {"content": text}}, ensure_ascii=False)),
    )
    con.execute("INSERT OR IGNORE INTO moment_members VALUES (?, ?, NULL, NULL)", (moment_id, userid))
    publish(con, settings, moment_id, userid, at)
    return moment_id


def _talk(
    con: sqlite3.Connection, settings: Settings, moment_id: str, userid: str, at: int, seen: Sequence[str]
) -> None:
    rows: list[tuple[object, ...]] = []
    for who in seen:
        own = salt(settings.seed, "talk", moment_id, userid, who)
        for kind, chance in ((LIKE, LIKING), (COMMENT, COMMENTING)):
            if draw(10 * kind, own) < chance:
                after = 60 + int(-log1p(-draw(10 * kind + 1, own)) * TALK_HOURS * 3600)
                rows.append((moment_id, userid, kind, at + after, who, 0))
                if kind == COMMENT and draw(12, own) < REPLYING:
                    rows.append((moment_id, userid, kind, at + after + 600, userid, 1))
    con.executemany("INSERT OR IGNORE INTO moment_talk VALUES (?, ?, ?, ?, ?, ?)", rows)


def act_on_moment(con: sqlite3.Connection, moment_id: str, userid: str, what: str, who: str = "") -> dict[str, object]:
    """What somebody does in a client: the member publishes or deletes it, a customer likes or comments it, now.

    Raises BadInput for a moment, member or customer that cannot.
    """
    settings = settings_of(con)
    row = con.execute(
        "SELECT * FROM moment_members JOIN moments USING (moment_id) WHERE moment_id = ? AND userid = ? "
        "AND deleted_at IS NULL AND cancelled_at IS NULL",
        (moment_id, userid),
    ).fetchone()
    if row is None:
        raise bad("moment_id", "没有这条朋友圈，或不是这位成员的", "there is no such moment, or not for this member")
    if what == "publish":
        if row["published_at"] is None:
            publish(con, settings, moment_id, str(row["userid"]), settings.now)
    elif what == "delete":
        con.execute("UPDATE moments SET deleted_at = ? WHERE moment_id = ?", (settings.now, moment_id))
    elif what in ("like", "comment"):
        can = con.execute(
            "SELECT 1 FROM moment_views WHERE moment_id = ? AND userid = ? AND external_userid = ? AND seen = 1",
            (moment_id, userid, who),
        ).fetchone()
        if can is None:
            raise bad("external_userid", "这位客户看不到它", "this customer cannot see it")
        con.execute(
            "INSERT OR IGNORE INTO moment_talk VALUES (?, ?, ?, ?, ?, 0)",
            (moment_id, str(row["userid"]), LIKE if what == "like" else COMMENT, settings.now, who),
        )
    else:
        raise bad("do", "应为 publish、delete、like 或 comment", "must be publish, delete, like or comment")
    return {"at": settings.now}


_OF = "externalcontact/"
CALLS = {
    f"{_OF}add_moment_task": Call("POST", add_task, writes=True),
    f"{_OF}get_moment_task_result": Call("GET", get_task_result),
    f"{_OF}cancel_moment_task": Call("POST", cancel_task, writes=True),
    f"{_OF}get_moment_list": Call("POST", list_moments, {"moment_list": []}),
    f"{_OF}get_moment_task": Call("POST", list_members, {"task_list": []}),
    f"{_OF}get_moment_customer_list": Call("POST", list_range, {"customer_list": []}),
    f"{_OF}get_moment_send_result": Call("POST", list_seen, {"customer_list": []}),
    f"{_OF}get_moment_comments": Call("POST", list_talk, {"comment_list": [], "like_list": []}),
}

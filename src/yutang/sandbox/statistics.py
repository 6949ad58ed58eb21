"""What the platform counts a day later: groups by owner and by day, and how members talk (WeCom docs 92132, 92133).

Days are those of the world's zone. 180 days are kept, 30 are told at once, and today is never among them.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from yutang.kernel.calendars import day_start, local_day
from yutang.sandbox.customers import known_member
from yutang.sandbox.groups import MOST_OWNERS, owner_filter
from yutang.sandbox.store import Settings
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid

KEPT, SPAN = 180, 30
ORDERS = {1: "new_chat_cnt", 2: "chat_total", 3: "new_member_cnt", 4: "member_total"}


@dataclass(frozen=True, slots=True)
class _Days:
    """Local days, both included."""

    first: date
    last: date
    zone: str

    def start(self, day: date) -> int:
        return int(day_start(day, self.zone).timestamp())

    def each(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


def _days(settings: Settings, arguments: Arguments, begin: str, end: str) -> _Days:
    starts = arguments.number(begin)
    ends = arguments.number(end, starts)
    days = _Days(_day(starts, settings.zone), _day(ends, settings.zone), settings.zone)
    yesterday = _day(settings.now, settings.zone) - timedelta(days=1)
    if not yesterday - timedelta(days=KEPT) < days.first <= yesterday:
        raise invalid(begin)
    if not days.first <= days.last <= min(yesterday, days.first + timedelta(days=SPAN - 1)):
        raise invalid(end)
    return days


def _day(seconds: int, zone: str) -> date:
    return local_day(datetime.fromtimestamp(seconds, UTC), zone)


def by_owner(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/statistic`."""
    days = _days(settings, arguments, "day_begin_time", "day_end_time")
    owners = _owners(con, arguments)
    order, ascending = arguments.number("order_by", 1), arguments.number("order_asc", 0)
    if order not in ORDERS:
        raise invalid("order_by")
    if ascending > 1:
        raise invalid("order_asc")
    limit, offset = arguments.limit(500, 1000, 1000), arguments.number("offset", 0)
    items: list[dict[str, Any]] = [
        {"owner": owner, "data": _counts(con, [owner], days.start(days.first), _after(days, days.last))}
        for owner in owners
    ]
    items.sort(key=lambda item: (item["data"][ORDERS[order]], item["owner"]), reverse=not ascending)
    shown = items[offset : offset + limit]
    return {"total": len(items), "next_offset": min(offset + len(shown), len(items)), "items": shown}


def by_day(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`groupchat/statistic_group_by_day`: of all these owners together."""
    days = _days(settings, arguments, "day_begin_time", "day_end_time")
    owners = _owners(con, arguments)
    items = [
        {"stat_time": days.start(day), "data": _counts(con, owners, days.start(day), _after(days, day))}
        for day in days.each()
    ]
    return {"items": items}


def _after(days: _Days, day: date) -> int:
    return days.start(day + timedelta(days=1))


def _owners(con: sqlite3.Connection, arguments: Arguments) -> list[str]:
    named = owner_filter(con, arguments)
    if not named and con.execute("SELECT count(*) FROM members").fetchone()[0] > MOST_OWNERS:
        raise PlatformError(81017)
    return named or [row[0] for row in con.execute("SELECT DISTINCT owner FROM chats ORDER BY owner")]


def _counts(con: sqlite3.Connection, owners: list[str], since: int, until: int) -> dict[str, int]:
    row = con.execute(
        """
        WITH mine AS (
            SELECT * FROM chats WHERE owner IN (SELECT value FROM json_each(:owners)) AND created_at < :until),
        live AS (SELECT * FROM mine WHERE dismissed_at IS NULL OR dismissed_at >= :until),
        people AS (SELECT m.* FROM chat_members m JOIN live USING (chat_id) WHERE joined_at < :until),
        words AS (SELECT t.* FROM chat_talk t JOIN mine USING (chat_id) WHERE at >= :since AND at < :until)
        SELECT (SELECT count(*) FROM mine WHERE created_at >= :since) AS new_chat_cnt,
            (SELECT count(*) FROM live) AS chat_total,
            (SELECT count(DISTINCT chat_id) FROM words) AS chat_has_msg,
            (SELECT count(*) FROM people WHERE joined_at >= :since) AS new_member_cnt,
            (SELECT count(*) FROM people WHERE left_at IS NULL OR left_at >= :until) AS member_total,
            (SELECT count(DISTINCT member) FROM words) AS member_has_msg,
            (SELECT coalesce(sum(messages), 0) FROM words) AS msg_total,
            0 AS migrate_trainee_chat_cnt
        """,
        {"owners": json.dumps(owners), "since": since, "until": until},
    ).fetchone()
    return dict(row)


def behaviour(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_user_behavior_data`: the sum over all who are asked for, day by day. On a day without chats no share of
    replies is told."""
    userids = [known_member(con, userid) for userid in arguments.texts("userid", 100)]
    parties = arguments.values.get("partyid") or []
    if not isinstance(parties, list) or len(parties) > 100:
        raise invalid("partyid")
    if not (userids or parties):
        raise PlatformError(40063)
    if parties:  # the corp is one department here
        userids = [row[0] for row in con.execute("SELECT userid FROM members ORDER BY userid")]
    days = _days(settings, arguments, "start_time", "end_time")
    return {
        "behavior_data": [
            {"stat_time": days.start(day), **_behaviour(con, userids, days.start(day), _after(days, day))}
            for day in days.each()
        ]
    }


def _behaviour(con: sqlite3.Connection, userids: list[str], since: int, until: int) -> dict[str, object]:
    row = con.execute(
        """
        WITH mine AS (SELECT * FROM relations WHERE userid IN (SELECT value FROM json_each(:userids))),
        words AS (SELECT * FROM talks WHERE userid IN (SELECT value FROM json_each(:userids))
            AND at >= :since AND at < :until)
        SELECT (SELECT count(*) FROM (SELECT DISTINCT userid, external_userid FROM words)) AS chat_cnt,
            (SELECT coalesce(sum(messages), 0) FROM words) AS message_cnt,
            (SELECT count(DISTINCT userid || ' ' || external_userid) FROM words WHERE minutes IS NOT NULL) AS replied,
            (SELECT avg(minutes) FROM words) AS minutes,
            (SELECT count(*) FROM mine WHERE customer_deleted_at >= :since AND customer_deleted_at < :until) AS lost,
            (SELECT count(*) FROM mine WHERE added_at >= :since AND added_at < :until) AS added
        """,
        {"userids": json.dumps(userids), "since": since, "until": until},
    ).fetchone()
    replies: dict[str, object] = {}
    if row["chat_cnt"]:
        replies["reply_percentage"] = round(100 * row["replied"] / row["chat_cnt"], 2)
        if row["minutes"] is not None:
            replies["avg_reply_time"] = int(row["minutes"])
    return {
        "chat_cnt": row["chat_cnt"],
        "message_cnt": row["message_cnt"],
        **replies,
        "negative_feedback_cnt": row["lost"],
        "new_apply_cnt": row["added"],
        "new_contact_cnt": row["added"],
    }


_OF = "externalcontact/"
CALLS = {
    f"{_OF}groupchat/statistic": Call("POST", by_owner, {"items": []}),
    f"{_OF}groupchat/statistic_group_by_day": Call("POST", by_day, {"items": []}),
    f"{_OF}get_user_behavior_data": Call("POST", behaviour, {"behavior_data": []}),
}

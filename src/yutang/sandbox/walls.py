"""The platform's walls that are set for a whole corp: how many contacts, how many configurations (WeCom doc 90312).

A contact is a friend of a member, or somebody in a group of the corp's; each counts once (40099 at the wall).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from yutang.sandbox.contracts import bad
from yutang.sandbox.store import Settings, put, settings_of
from yutang.sandbox.wire import PlatformError


def contacts(con: sqlite3.Connection) -> int:
    """How many contacts the corp has."""
    query = (
        "SELECT count(*) FROM (SELECT external_userid FROM visible UNION SELECT member FROM chat_members m "
        "JOIN chats c USING (chat_id) WHERE m.kind = 2 AND m.left_at IS NULL AND c.dismissed_at IS NULL)"
    )
    return int(con.execute(query).fetchone()[0])


def is_full(con: sqlite3.Connection, settings: Settings) -> bool:
    """Whether nobody new can become a contact."""
    return bool(settings.contacts_most) and contacts(con) >= settings.contacts_most


def let_in(con: sqlite3.Connection, external_userid: str) -> None:
    """Raises 40099 where somebody who is no contact yet cannot become one any more."""
    if is_full(con, settings_of(con)) and not _is_contact(con, external_userid):
        raise PlatformError(40099)


def _is_contact(con: sqlite3.Connection, who: str) -> bool:
    query = (
        "SELECT EXISTS (SELECT 1 FROM visible WHERE external_userid = ?1) OR EXISTS (SELECT 1 FROM chat_members m "
        "JOIN chats c USING (chat_id) WHERE m.member = ?1 AND m.left_at IS NULL AND c.dismissed_at IS NULL)"
    )
    return bool(con.execute(query, (who,)).fetchone()[0])


def make_config(con: sqlite3.Connection, settings: Settings) -> None:
    """Raises 41045 where the corp has as many contact ways and join ways as it may; temporary ones are not counted."""
    if settings.ways + settings.join_ways < settings.configs_most:
        return  # there were never so many
    there = con.execute(
        "SELECT (SELECT count(*) FROM ways WHERE deleted_at IS NULL AND NOT coalesce(json_extract(more, '$.is_temp'), "
        "0)) + (SELECT count(*) FROM join_ways WHERE deleted_at IS NULL)"
    ).fetchone()[0]
    if there >= settings.configs_most:
        raise PlatformError(41045)


def set_walls(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """`{"contacts"?, "configs"?}`: where the walls stand from now on (contacts 0: nowhere) → both, and the contacts."""
    settings_of(con)
    for name in ("contacts", "configs"):
        value = body.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            put(con, **{f"{name}_most": value})
        elif name in body:
            raise bad(name, "应为不小于 0 的整数", "must be a whole number that is not negative")
    now = settings_of(con)
    return {"contacts": now.contacts_most, "configs": now.configs_most, "there": contacts(con)}

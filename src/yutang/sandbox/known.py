"""Whom the platform knows, and who follows whom: what every call about them checks first."""

from __future__ import annotations

import sqlite3

from yutang.sandbox.wire import PlatformError


def known_member(con: sqlite3.Connection, userid: str) -> str:
    """The member's userid as the directory writes it (userids ignore case). 40003 when there is none."""
    row = con.execute("SELECT userid FROM members WHERE userid = ?", (userid,)).fetchone()
    if row is None:
        raise PlatformError(40003)
    return str(row["userid"])


def known_customer(con: sqlite3.Connection, external: str) -> str:
    """The customer's id itself (ids mind case). 40096 when there is none."""
    if con.execute("SELECT 1 FROM customers WHERE external_userid = ?", (external,)).fetchone() is None:
        raise PlatformError(40096, f"invalid string value `{external}`. invalid external userid")
    return external


def following(con: sqlite3.Connection, userid: str, external: str) -> None:
    """84061 where the platform shows no relation of the two."""
    seen = con.execute("SELECT 1 FROM visible WHERE userid = ? AND external_userid = ?", (userid, external))
    if seen.fetchone() is None:
        raise PlatformError(84061)

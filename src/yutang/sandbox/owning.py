"""Things that only the app that made them may change: products, interception rules, rule groups and their tags."""

from __future__ import annotations

import sqlite3

from yutang.sandbox.store import MAIN, Settings
from yutang.sandbox.wire import PlatformError


def own(con: sqlite3.Connection, settings: Settings, kind: str, thing: str | int) -> None:
    """Note that the calling app made it."""
    con.execute("INSERT OR REPLACE INTO owned VALUES (?, ?, ?)", (kind, str(thing), settings.app))


def owns(con: sqlite3.Connection, settings: Settings, kind: str, thing: str | int) -> bool:
    """Whether the calling app made it."""
    row = con.execute("SELECT app FROM owned WHERE kind = ? AND id = ?", (kind, str(thing))).fetchone()
    return (MAIN if row is None else int(row["app"])) == settings.app


def check_own(con: sqlite3.Connection, settings: Settings, kind: str, thing: str | int) -> None:
    """60011 for what another app made."""
    if not owns(con, settings, kind, thing):
        raise PlatformError(60011)

"""Pictures and videos that are attached by the id of an upload (WeCom doc 95098)."""

from __future__ import annotations

import sqlite3

from yutang.sandbox.media import ALBUM, LIFE, MOMENTS
from yutang.sandbox.wire import PlatformError

__all__ = ["ALBUM", "MOMENTS", "check_media"]


def check_media(con: sqlite3.Connection, media_id: str, purpose: str, kind: str, wall: float) -> None:
    """Refuse the id of nothing, of something too old or of another kind (40007), and of what was uploaded for another
    purpose (41072)."""
    row = con.execute("SELECT * FROM media WHERE media_id = ?", (media_id,)).fetchone()
    if row is None or wall > row["created_wall"] + LIFE or row["kind"] != kind:
        raise PlatformError(40007)
    if row["purpose"] != purpose:
        raise PlatformError(41072)

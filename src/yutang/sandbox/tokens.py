"""Access tokens, by the wall clock (WeCom doc 91039)."""

from __future__ import annotations

import sqlite3
from secrets import token_urlsafe

from yutang.sandbox.store import Settings
from yutang.sandbox.wire import Arguments, Call, PlatformError


def get_token(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`gettoken`: the same token again inside its validity; `expires_in` is what is left of it, in seconds."""
    corp = arguments.text("corpid", missing=41002)
    secret = arguments.text("corpsecret", missing=41004, limit=512)
    if corp != settings.corp_id:
        raise PlatformError(40013)
    if secret != settings.secret:
        raise PlatformError(40001)
    row = con.execute(
        "SELECT token, expires_wall FROM tokens WHERE expires_wall > ? AND NOT revoked", (wall,)
    ).fetchone()
    if row is None:
        row = {"token": token_urlsafe(64), "expires_wall": wall + settings.token_seconds}
        con.execute("INSERT INTO tokens VALUES (?, ?, 0)", (row["token"], row["expires_wall"]))
    return {"access_token": row["token"], "expires_in": max(1, round(row["expires_wall"] - wall))}


def check_token(con: sqlite3.Connection, token: str, wall: float) -> None:
    """Refuse a missing (41001), unknown or withdrawn (40014) or expired (42001) token."""
    if not token:
        raise PlatformError(41001)
    row = con.execute("SELECT expires_wall, revoked FROM tokens WHERE token = ?", (token,)).fetchone()
    if row is None or row["revoked"]:
        raise PlatformError(40014)
    if row["expires_wall"] <= wall:
        raise PlatformError(42001)


def revoke_tokens(con: sqlite3.Connection) -> None:
    """Withdraw every token early, as the platform may at any time; their holders then meet 40014."""
    con.execute("UPDATE tokens SET revoked = 1")


CALLS = {"gettoken": Call("GET", get_token, writes=True)}

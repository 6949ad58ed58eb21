"""Access tokens, by the wall clock (WeCom doc 91039)."""

from __future__ import annotations

import sqlite3
from secrets import token_urlsafe

from yutang.sandbox.store import CONTACT_SYNC, Settings, count
from yutang.sandbox.wire import ANYBODY, APP, CONTACTS, Arguments, Call, PlatformError, invalid


def get_token(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`gettoken`: the same token again inside its validity; `expires_in` is what is left of it, in seconds."""
    corp = arguments.text("corpid", missing=41002)
    secret = arguments.text("corpsecret", missing=41004, limit=512)
    if corp != settings.corp_id:
        raise PlatformError(40013)
    app = con.execute("SELECT agentid, enabled FROM apps WHERE secret = ?", (secret,)).fetchone()
    if app is None:
        raise PlatformError(40001)
    if not app["enabled"]:
        raise PlatformError(50003)
    row = con.execute(
        "SELECT token, expires_wall FROM tokens WHERE expires_wall > ? AND NOT revoked AND app = ?",
        (wall, app["agentid"]),
    ).fetchone()
    if row is None:
        row = {"token": token_urlsafe(64), "expires_wall": wall + settings.token_seconds}
        con.execute(
            "INSERT INTO tokens (token, expires_wall, revoked, app) VALUES (?, ?, 0, ?)",
            (row["token"], row["expires_wall"], app["agentid"]),
        )
    return {"access_token": row["token"], "expires_in": max(1, round(row["expires_wall"] - wall))}


def check_token(con: sqlite3.Connection, token: str, wall: float) -> int:
    """The app whose token it is. Refuses a missing (41001), unknown or withdrawn (40014) or expired (42001) one."""
    if not token:
        raise PlatformError(41001)
    row = con.execute("SELECT expires_wall, revoked, app FROM tokens WHERE token = ?", (token,)).fetchone()
    if row is None or row["revoked"]:
        raise PlatformError(40014)
    if row["expires_wall"] <= wall:
        raise PlatformError(42001)
    return int(row["app"])


def check_secret(api: str, call: Call, app: int) -> None:
    """Refuse a token of the wrong secret: 48002, or 48009 where the contact-sync secret would read the directory, which
    new addresses may not since 2022-08-15."""
    whose = CONTACTS if app == CONTACT_SYNC else APP
    if whose not in call.secrets:
        raise PlatformError(48009 if whose == CONTACTS and api.startswith(("department/", "user/")) else 48002)


# Beside tokens: tickets of the JS-SDK (docs 90506 and 94313), and where callbacks come from (doc 90930) ---------------

CORP_TICKETS, APP_TICKETS = 400, 100  # an hour
ADDRESSES = ("101.226.103.0/25", "127.0.0.1")


def corp_ticket(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_jsapi_ticket`: the corp's, for `wx.config`."""
    return _ticket(con, "jsapi", settings, wall)


def app_ticket(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`ticket/get`: the app's, for `wx.agentConfig`."""
    if arguments.text("type", missing=40058) != "agent_config":
        raise invalid("type")
    return _ticket(con, "agent_config", settings, wall)


def _ticket(con: sqlite3.Connection, kind: str, settings: Settings, wall: float) -> dict[str, object]:
    """The same ticket again inside its validity. With one app, an hour's limit is the app's own."""
    asked = count(con, f"ticket {kind}", int(wall // 3600))
    if asked > min(CORP_TICKETS, APP_TICKETS):
        raise PlatformError(45009)
    found = con.execute(
        "SELECT ticket, expires_wall FROM tickets WHERE kind = ? AND expires_wall > ?", (kind, wall)
    ).fetchone()
    if found is None:
        found = {"ticket": token_urlsafe(64), "expires_wall": wall + settings.token_seconds}
        con.execute("INSERT INTO tickets VALUES (?, ?, ?)", (kind, found["ticket"], found["expires_wall"]))
    return {"ticket": found["ticket"], "expires_in": max(1, round(found["expires_wall"] - wall))}


def list_addresses(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`getcallbackip`."""
    return {"ip_list": list(ADDRESSES)}


def revoke_tokens(con: sqlite3.Connection) -> None:
    """Withdraw every token early, as the platform may at any time; their holders then meet 40014."""
    con.execute("UPDATE tokens SET revoked = 1")


CALLS = {
    "gettoken": Call("GET", get_token, writes=True, secrets=frozenset({ANYBODY})),
    "getcallbackip": Call("GET", list_addresses, {"ip_list": []}),
    "get_jsapi_ticket": Call("GET", corp_ticket, writes=True),
    "ticket/get": Call("GET", app_ticket, writes=True),
}

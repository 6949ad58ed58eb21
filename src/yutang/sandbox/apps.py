"""A corp's apps, and what each may: which calls (48002), of which members (84074, 60011, 60030), from where (60020).

What an app may is settled in the admin console; here, at the control door `/control/apps`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from yutang.sandbox.contracts import bad
from yutang.sandbox.store import MAIN, Settings, put, settings_of
from yutang.sandbox.wire import PlatformError

#: Calls that need the app ticked under 客户联系 → API → 可调用接口的应用 (WeCom doc 91039).
CONTACT = "externalcontact/"
DIRECTORY = ("user/", "department/")
#: Arguments that name one member, and those that name several.
ONE = ("userid", "sender", "owner", "handover_userid", "takeover_userid", "new_owner")
SEVERAL = ("userid_list", "user", "touser")

_LISTS = ("apis", "members", "trusted_ips")
_FIELDS = ("agentid", "name", "secret", "ticked", "enabled", *_LISTS)


@dataclass(frozen=True, slots=True)
class App:
    """One app. A list that is None bounds nothing."""

    agentid: int
    ticked: bool
    apis: tuple[str, ...] | None
    members: frozenset[str] | None
    trusted_ips: tuple[str, ...] | None


def find_app(con: sqlite3.Connection, agentid: int) -> App:
    """An app of the corp. 50003 for one that was switched off since its token was given."""
    row = con.execute("SELECT * FROM apps WHERE agentid = ?", (agentid,)).fetchone()
    if row is None or not row["enabled"]:
        raise PlatformError(50003)
    apis, members, ips = (None if row[name] is None else json.loads(row[name]) for name in _LISTS)
    return App(
        agentid,
        bool(row["ticked"]),
        None if apis is None else tuple(apis),
        None if members is None else frozenset(one.lower() for one in members),
        None if ips is None else tuple(ips),
    )


def check_caller(app: App, settings: Settings, caller: str) -> None:
    """60020 for an address outside 企业可信 IP; an app without a list of its own has the corp's."""
    trusted = app.trusted_ips if app.trusted_ips is not None else tuple(settings.trusted_ips.split())
    if trusted and caller not in trusted:
        raise PlatformError(60020)


def check_right(
    con: sqlite3.Connection, app: App, settings: Settings, api: str, arguments: Mapping[str, object]
) -> None:
    """48002 for a call that the app may not make. Of a member that it names: 84074 outside 客户联系使用范围; outside
    the app's visible range 60011 in the directory and 60030 elsewhere. Who is no member is for the call to say."""
    if app.apis is not None and not api.startswith(app.apis):
        raise PlatformError(48002)
    if api.startswith(CONTACT) and not app.ticked:
        raise PlatformError(48002)
    range_ = contact_range(settings)
    if app.members is None and range_ is None:
        return
    for userid in _named(arguments):
        if con.execute("SELECT 1 FROM members WHERE userid = ?", (userid,)).fetchone() is None:
            continue
        if api.startswith(CONTACT) and range_ is not None and userid.lower() not in range_:
            raise PlatformError(84074)
        if app.members is not None and userid.lower() not in app.members:
            raise PlatformError(60011 if api.startswith(DIRECTORY) else 60030)


def contact_range(settings: Settings) -> frozenset[str] | None:
    """客户联系使用范围, in lower case; None: every member."""
    return frozenset(json.loads(settings.contact_members.lower())) if settings.contact_members else None


def seen_members(con: sqlite3.Connection, settings: Settings) -> frozenset[str] | None:
    """The members, in lower case, whose customers the calling app may see; None: everybody's."""
    app = find_app(con, settings.app)
    ranges = [one for one in (app.members, contact_range(settings)) if one is not None]
    return frozenset.intersection(*ranges) if ranges else None


def _named(arguments: Mapping[str, object]) -> Iterator[str]:
    for name in ONE:
        value = arguments.get(name)
        if isinstance(value, str) and value:
            yield value
    for name in SEVERAL:
        value = arguments.get(name)
        if isinstance(value, list):
            yield from (one for one in value[:1000] if isinstance(one, str))


# The admin console -----------------------------------------------------------------------------------------------


def put_apps(con: sqlite3.Connection, body: Mapping[str, object]) -> None:
    """Make or change apps, and 客户联系使用范围: what is not named stays. Raises BadInput."""
    settings_of(con)
    if "contact_members" in body:
        members = _texts("contact_members", body["contact_members"])
        put(con, contact_members="" if members is None else json.dumps(members))
    rows = body.get("apps", [])
    if not isinstance(rows, list):
        raise bad("apps", "应为列表", "must be a list")
    for index, row in enumerate(rows):
        where = f"apps[{index}]"
        if not isinstance(row, dict) or row.keys() - set(_FIELDS):
            raise bad(where, f"字段应为 {'、'.join(_FIELDS)}", f"takes {', '.join(_FIELDS)}")
        agentid = row.get("agentid")
        if not isinstance(agentid, int) or isinstance(agentid, bool):
            raise bad(f"{where}.agentid", "应为整数", "must be a whole number")
        _put_app(con, where, agentid, row)


def _put_app(con: sqlite3.Connection, where: str, agentid: int, row: Mapping[str, object]) -> None:
    values: dict[str, object] = {}
    for name in ("name", "secret"):
        if name in row:
            if not isinstance(row[name], str) or not row[name]:
                raise bad(f"{where}.{name}", "应为文字", "must be a text")
            values[name] = row[name]
    values |= {name: int(row[name] is True) for name in ("ticked", "enabled") if name in row}
    for name in _LISTS:
        if name in row:
            listed = _texts(f"{where}.{name}", row[name])
            values[name] = None if listed is None else json.dumps(listed)
    known = con.execute("SELECT secret FROM apps WHERE agentid = ?", (agentid,)).fetchone()
    if known is None and "secret" not in values:
        raise bad(f"{where}.secret", "新应用需要 secret", "a new app needs a secret")
    taken = con.execute(
        "SELECT 1 FROM apps WHERE secret = ? AND agentid <> ?", (values.get("secret"), agentid)
    ).fetchone()
    if taken is not None:
        raise bad(f"{where}.secret", "已被另一个应用使用", "is another app's")
    con.execute("INSERT OR IGNORE INTO apps (agentid, name) VALUES (?, ?)", (agentid, f"应用 {agentid}"))
    for name, value in values.items():
        con.execute(f"UPDATE apps SET {name} = ? WHERE agentid = ?", (value, agentid))  # noqa: S608  # one of _FIELDS
    if "secret" in values and (known is None or known["secret"] != values["secret"]):
        con.execute("UPDATE tokens SET revoked = 1 WHERE app = ?", (agentid,))
        if agentid == MAIN:
            put(con, secret=str(values["secret"]))


def told_apps(con: sqlite3.Connection) -> list[int]:
    """The apps that are told of events, the first one first."""
    return [
        row["agentid"]
        for row in con.execute("SELECT agentid FROM apps WHERE told ORDER BY agentid = ? DESC, 1", (MAIN,))
    ]


def shown_apps(con: sqlite3.Connection) -> list[dict[str, object]]:
    """Every app without its secret."""
    rows = con.execute("SELECT * FROM apps ORDER BY agentid").fetchall()
    return [
        {
            name: json.loads(row[name]) if name in _LISTS and row[name] is not None else row[name]
            for name in ("agentid", "name", "ticked", "enabled", "told", *_LISTS)
        }
        for row in rows
    ]


def _texts(where: str, value: object) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise bad(where, "应为文字的列表，或 null", "must be a list of texts, or null")
    return list(value)

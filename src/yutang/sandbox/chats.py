"""The control door of groups: what people do in them, each by a name."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from yutang.sandbox import groups, join_ways
from yutang.sandbox.contracts import bad
from yutang.sandbox.customers import known_member
from yutang.sandbox.store import put, settings_of
from yutang.sandbox.wire import PlatformError

Body = Mapping[str, object]
Doing = Callable[[sqlite3.Connection, Body], dict[str, object]]


def happen(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """Do what `do` names. Raises BadInput where it names nothing, or what it needs is not there."""
    doing = DOINGS.get(str(body.get("do", "")))
    if doing is None:
        raise bad("do", f"应为 {'、'.join(DOINGS)} 之一", f"must be one of {', '.join(DOINGS)}")
    settings_of(con)
    try:
        return doing(con, body)
    except PlatformError as error:
        if error.code == 40099:  # said as it is: nobody new gets in
            raise
        raise bad(error.text, "不存在", "does not exist") from error


def _create(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`owner`, `name`, `chat_id`?, `members`?: a member makes a group and invites these."""
    chat = groups.create(con, _text(body, "owner"), _text(body, "name"), str(body.get("chat_id", "")))
    if body.get("members"):
        groups.join(con, chat, _texts(body, "members"), inviter=_text(body, "owner"))
    return {"chat_id": chat, "opengid": groups.opengid_of(chat)}


def _invite(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`chat_id`, `members`, `by`?, `link`?: they are invited (by a link), all at once."""
    scene = groups.BY_LINK if body.get("link") is True else groups.INVITED
    members = _texts(body, "members")
    return {"came": groups.join(con, _text(body, "chat_id"), members, scene=scene, inviter=str(body.get("by", "")))}


def _scan(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`way` (config id or state), `members`: they scan one after another; null where every group was full."""
    return {"chats": [join_ways.scan(con, _text(body, "way"), who) for who in _texts(body, "members")]}


def _leave(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`chat_id`, `members`: they leave, each by themselves."""
    chat = _text(body, "chat_id")
    return {"gone": [one for who in _texts(body, "members") for one in groups.part(con, chat, [who])]}


def _remove(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`chat_id`, `members`: they are taken out together."""
    return {"gone": groups.part(con, _text(body, "chat_id"), _texts(body, "members"), removed=True)}


def _change(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`chat_id` and any of `name`, `notice`, `owner`, `admins`."""
    said = {name: _text(body, name) for name in ("name", "notice", "owner") if name in body}
    if "owner" in said:
        said["owner"] = known_member(con, said["owner"])
    admins = _texts(body, "admins") if "admins" in body else None
    groups.change(con, _text(body, "chat_id"), admins=admins, **said)
    return {}


def _dismiss(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`chat_id`."""
    groups.dismiss(con, _text(body, "chat_id"))
    return {}


def _resign(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`userid`: they leave the corp, their groups stay."""
    groups.resign(con, _text(body, "userid"))
    return {}


def _talk(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`chat_id`, `member`, `messages`; or `userid`, `external_userid`, `messages` and `minutes` to the reply."""
    messages = body.get("messages", 1)
    if not isinstance(messages, int) or isinstance(messages, bool) or messages < 1:
        raise bad("messages", "应为正整数", "must be a positive number")
    if "chat_id" in body:
        groups.talk(con, _text(body, "chat_id"), _text(body, "member"), messages)
        return {}
    now = settings_of(con).now
    row = (_text(body, "userid"), _text(body, "external_userid"), now, messages, body.get("minutes"))
    con.execute("INSERT INTO talks VALUES (?, ?, ?, ?, ?)", row)
    con.execute("UPDATE relations SET last_talk_at = ? WHERE userid = ? AND external_userid = ?", (now, *row[:2]))
    return {}


def _rules(con: sqlite3.Connection, body: Body) -> dict[str, object]:
    """`detail_lag` (wall seconds), `scan_most`, `chat_most`: how this platform behaves from now on."""
    given: dict[str, float] = {}
    for name in ("detail_lag", "scan_most", "chat_most"):
        value = body.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            given[name] = value
        elif name in body:
            raise bad(name, "应为不小于 0 的数", "must be a number that is not negative")
    put(con, **given)
    return {**given}


DOINGS: Mapping[str, Doing] = {
    "create": _create,
    "invite": _invite,
    "scan": _scan,
    "leave": _leave,
    "remove": _remove,
    "change": _change,
    "dismiss": _dismiss,
    "resign": _resign,
    "talk": _talk,
    "rules": _rules,
}


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise bad(name, "应为文字", "must be a text")
    return value


def _texts(body: Body, name: str) -> list[str]:
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise bad(name, "应为文字列表", "must be a list of texts")
    return list(value)

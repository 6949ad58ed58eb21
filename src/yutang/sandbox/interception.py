"""Rules of what members may not write to customers, 敏感词 (WeCom doc 95097)."""

from __future__ import annotations

import json
import sqlite3
from typing import cast

from yutang.kernel.ids import salt
from yutang.sandbox.owning import check_own, own
from yutang.sandbox.parties import Parties, read_parties
from yutang.sandbox.store import Settings
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid

MOST_RULES, MOST_WORDS, MOST_NODES, MOST_USERS = 100, 300, 1_000, 10_000
NAME_CHARACTERS, WORD_CHARACTERS = 20, 32


def add_rule(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`add_intercept_rule`. Members or departments that are not there are refused (40003, 40123), not left out."""
    name = _name(con, arguments, "")
    words = _words(arguments)
    semantics = _semantics(arguments)
    kind = _type(arguments)
    nodes = arguments.inner("applicable_range")
    if nodes is None:
        raise PlatformError(40063)
    parties = _parties(con, settings, nodes)
    if parties.empty:
        raise PlatformError(40063)
    live, ever = con.execute(
        "SELECT count(*) FILTER (WHERE deleted_at IS NULL), count(*) FROM intercept_rules"
    ).fetchone()
    if live >= MOST_RULES:
        raise PlatformError(41069)
    rule_id = f"{salt('rule', settings.corp_id, settings.seed, ever):016x}{ever:08x}"
    con.execute(
        "INSERT INTO intercept_rules VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            rule_id,
            name,
            json.dumps(words, ensure_ascii=False),
            json.dumps(semantics),
            kind,
            json.dumps(parties.users),
            json.dumps(parties.parties),
            settings.now,
        ),
    )
    own(con, settings, "rule", rule_id)
    return {"rule_id": rule_id}


def list_rules(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_intercept_rule_list`, by GET, in one piece."""
    rows = con.execute("SELECT * FROM intercept_rules WHERE deleted_at IS NULL ORDER BY create_time, rule_id")
    return {
        "rule_list": [
            {"rule_id": row["rule_id"], "rule_name": row["name"], "create_time": row["create_time"]} for row in rows
        ]
    }


def get_rule(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_intercept_rule`, by POST. The semantics stand in `extra_rule`, though they were given beside the words."""
    row = _find(con, arguments)
    return {
        "rule": {
            "rule_id": row["rule_id"],
            "rule_name": row["name"],
            "word_list": json.loads(row["words"]),
            "extra_rule": {"semantics_list": json.loads(row["semantics"])},
            "intercept_type": row["type"],
            "applicable_range": {
                "user_list": json.loads(row["users"]),
                "department_list": json.loads(row["parties"]),
            },
            "create_time": row["create_time"],
        }
    }


def update_rule(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`update_intercept_rule`: what is not said stays; no words leave the words, no semantics clear them. Only the app
    that made it may."""
    row = _find(con, arguments)
    check_own(con, settings, "rule", row["rule_id"])
    said = arguments.values
    name = _name(con, arguments, row["rule_id"]) if said.get("rule_name") is not None else row["name"]
    words = _words(arguments) if said.get("word_list") else json.loads(row["words"])
    extra = said.get("extra_rule")
    if extra is not None and not isinstance(extra, dict):
        raise invalid("extra_rule")
    semantics = _semantics(Arguments(extra)) if extra is not None else json.loads(row["semantics"])
    kind = _type(arguments) if said.get("intercept_type") is not None else row["type"]
    users, parties = json.loads(row["users"]), json.loads(row["parties"])
    if (more := arguments.inner("add_applicable_range")) is not None:
        added = _parties(con, settings, more)
        users = list(dict.fromkeys([*users, *added.users]))
        parties = list(dict.fromkeys([*parties, *added.parties]))
    if (less := arguments.inner("remove_applicable_range")) is not None:
        gone = _parties(con, settings, less)
        users = [one for one in users if one not in gone.users]
        parties = [one for one in parties if one not in gone.parties]
    if len(users) > MOST_USERS:
        raise PlatformError(41076)
    con.execute(
        "UPDATE intercept_rules SET name = ?, words = ?, semantics = ?, type = ?, users = ?, parties = ? "
        "WHERE rule_id = ?",
        (
            name,
            json.dumps(words, ensure_ascii=False),
            json.dumps(semantics),
            kind,
            json.dumps(users),
            json.dumps(parties),
            row["rule_id"],
        ),
    )
    return {}


def delete_rule(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`del_intercept_rule`; again → 41071."""
    row = _find(con, arguments)
    check_own(con, settings, "rule", row["rule_id"])
    con.execute("UPDATE intercept_rules SET deleted_at = ? WHERE rule_id = ?", (settings.now, row["rule_id"]))
    return {}


def _find(con: sqlite3.Connection, arguments: Arguments) -> sqlite3.Row:
    row = con.execute(
        "SELECT * FROM intercept_rules WHERE rule_id = ?", (arguments.text("rule_id", missing=41070),)
    ).fetchone()
    if row is None:
        raise PlatformError(41070)
    if row["deleted_at"] is not None:
        raise PlatformError(41071)
    return cast("sqlite3.Row", row)


def _name(con: sqlite3.Connection, arguments: Arguments, own: str) -> str:
    name = arguments.text("rule_name", missing=40063, limit=1024)
    if len(name) > NAME_CHARACTERS:
        raise invalid("rule_name")
    taken = con.execute(
        "SELECT 1 FROM intercept_rules WHERE name = ? AND rule_id <> ? AND deleted_at IS NULL", (name, own)
    ).fetchone()
    if taken is not None:
        raise PlatformError(41077)
    return name


def _words(arguments: Arguments) -> list[str]:
    words = arguments.values.get("word_list")
    if not isinstance(words, list) or not words:
        raise PlatformError(40063)
    if len(words) > MOST_WORDS:
        raise PlatformError(41068)
    if not all(isinstance(word, str) and 0 < len(word) <= WORD_CHARACTERS for word in words):
        raise PlatformError(41083)
    return list(dict.fromkeys(words))


def _semantics(arguments: Arguments) -> list[int]:
    kinds = arguments.values.get("semantics_list") or []
    if not isinstance(kinds, list) or not all(kind in (1, 2, 3) and not isinstance(kind, bool) for kind in kinds):
        raise PlatformError(41084)
    return sorted(set(kinds))


def _type(arguments: Arguments) -> int:
    kind = arguments.number("intercept_type")
    if kind not in (1, 2):
        raise invalid("intercept_type")
    return kind


def _parties(con: sqlite3.Connection, settings: Settings, nodes: Arguments) -> Parties:
    for name in ("user_list", "department_list"):
        listed = nodes.values.get(name)
        if isinstance(listed, list) and len(listed) > MOST_NODES:
            raise PlatformError(41076)
    parties = read_parties(con, settings, nodes, MOST_NODES, MOST_NODES)
    if parties.no_users:
        raise PlatformError(40003)
    if parties.no_parties:
        raise PlatformError(40123)
    return parties


_OF = "externalcontact/"
CALLS = {
    f"{_OF}add_intercept_rule": Call("POST", add_rule, writes=True),
    f"{_OF}get_intercept_rule_list": Call("GET", list_rules, {"rule_list": []}),
    f"{_OF}get_intercept_rule": Call("POST", get_rule),
    f"{_OF}update_intercept_rule": Call("POST", update_rule, writes=True),
    f"{_OF}del_intercept_rule": Call("POST", delete_rule, writes=True),
}

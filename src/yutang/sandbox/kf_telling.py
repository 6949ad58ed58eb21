"""What customer service tells, in the order of `sync_msg`, with a bell for each (WeCom doc 94670)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from yutang.kernel.clock import wall_now
from yutang.kernel.ids import salt
from yutang.sandbox.callbacks import enqueue

CUSTOMER, SYSTEM, SERVICER = 3, 4, 5
TOKEN_SECONDS = 600.0


def tell(
    con: sqlite3.Connection,
    account: str,
    external: str,
    at: int,
    origin: int,
    kind: str,
    content: Mapping[str, object],
    servicer: str = "",
) -> str:
    """Let `sync_msg` tell something, and ring the bell; returns its id."""
    seq = con.execute("SELECT coalesce(max(seq), 0) + 1 FROM kf_log").fetchone()[0]
    msgid = f"kf_{salt('kf said', account, seq):016x}{seq}"
    about = con.execute(
        "SELECT number FROM kf_sessions WHERE open_kfid = ? AND external_userid = ?", (account, external)
    ).fetchone()
    con.execute(
        "INSERT INTO kf_log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            seq,
            account,
            msgid,
            external,
            at,
            origin,
            servicer,
            kind,
            json.dumps(content, ensure_ascii=False),
            about["number"] if about else 0,
        ),
    )
    token = f"ENC{salt('kf token', account, seq, str(wall_now())):016x}{seq}"
    con.execute("INSERT INTO kf_tokens VALUES (?, ?, ?)", (token, account, wall_now().timestamp() + TOKEN_SECONDS))
    enqueue(con, at, "", "kf_msg_or_event", Token=token, OpenKfId=account)
    return msgid


def tell_event(con: sqlite3.Connection, account: str, external: str, at: int, event: str, **more: object) -> str:
    """A system event among the messages."""
    said = {"event_type": event, "open_kfid": account, **{name: value for name, value in more.items() if value != ""}}
    return tell(con, account, external, at, SYSTEM, "event", said)

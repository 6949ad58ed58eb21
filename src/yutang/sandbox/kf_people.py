"""What people do in customer service: customers who enter and speak, servicers who take over, answer and end.

Each of them is told by `sync_msg`, and a callback rings the bell (WeCom doc 94670).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping

from yutang.kernel.clock import wall_now
from yutang.sandbox.contracts import bad
from yutang.sandbox.kf import ENDED, HUMAN, UNTREATED, WINDOW, Session, give_code, session_of
from yutang.sandbox.kf_telling import CUSTOMER, SERVICER, tell, tell_event
from yutang.sandbox.store import settings_of
from yutang.sandbox.wire import PlatformError


def act(con: sqlite3.Connection, body: Mapping[str, object]) -> dict[str, object]:
    """`{"do": …, "open_kfid", "external_userid", …}`: what somebody does. Raises BadInput for what cannot be done."""
    doings: dict[str, Callable[[sqlite3.Connection, _Body], dict[str, object]]] = {
        "enter": _enter,
        "say": _say,
        "recall": _recall,
        "reject": _reject,
        "claim": _claim,
        "hand_on": _hand_on,
        "answer": _answer,
        "end": _end,
        "status": _status,
        "fail": _fail,
        "bell": _bell,
        "sent": _sent,
    }
    doing = doings.get(str(body.get("do")))
    if doing is None:
        raise bad("do", f"应为 {'、'.join(doings)} 之一", f"must be one of {', '.join(doings)}")
    account = str(body.get("open_kfid", ""))
    if (
        con.execute("SELECT 1 FROM kf_accounts WHERE open_kfid = ? AND deleted_at IS NULL", (account,)).fetchone()
        is None
    ):
        raise bad("open_kfid", "没有这个客服账号", "there is no such account")
    return doing(con, _Body(body, account))


class _Body:
    """What a doing is told."""

    def __init__(self, values: Mapping[str, object], account: str) -> None:
        self.values = values
        self.account = account
        self.external = str(values.get("external_userid", ""))
        self.userid = str(values.get("userid", ""))

    def session(self, con: sqlite3.Connection) -> Session:
        try:
            return session_of(con, settings_of(con).now, self.account, self.external)
        except PlatformError:
            raise bad("external_userid", "这位客户没有进过会话", "that customer never entered") from None


def _enter(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """By the link: with a welcome code where nobody was welcomed or wrote within 48 hours."""
    now = settings_of(con).now
    scene, param = str(body.values.get("scene", "")), str(body.values.get("scene_param", ""))
    con.execute(
        "INSERT OR IGNORE INTO customers VALUES (?, ?, NULL, 0.0, 3.0, 0.5, '', ?, 0.0, 0.0)",
        (body.external, f"咨询客户 {body.external[-6:]}", json.dumps({"general": 1.0})),
    )
    con.execute(
        "INSERT OR IGNORE INTO kf_sessions (open_kfid, external_userid, number, state) VALUES (?, ?, 0, ?)",
        (body.account, body.external, ENDED),
    )
    row = con.execute(
        "SELECT * FROM kf_sessions WHERE open_kfid = ? AND external_userid = ?", (body.account, body.external)
    ).fetchone()
    con.execute(
        "UPDATE kf_sessions SET scene = ?, scene_param = ?, entered_at = ? WHERE open_kfid = ? AND external_userid = ?",
        (scene, param, now, body.account, body.external),
    )
    quiet = all(at is None or at <= now - WINDOW for at in (row["welcomed_at"], row["spoke_at"]))
    code = give_code(con, now, wall_now().timestamp(), body.account, body.external, None) if quiet else ""
    tell_event(
        con, body.account, body.external, now, "enter_session",
        external_userid=body.external, scene=scene, scene_param=param, welcome_code=code,
    )  # fmt: skip
    return {"welcome_code": code}


def _say(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """A customer speaks: text, or any content by its type. A new conversation begins where none is under way."""
    session, now = body.session(con), settings_of(con).now
    begins = session.state == ENDED
    con.execute(
        "UPDATE kf_sessions SET state = ?, spoke_at = ?, sent = 0, number = number + ? "
        "WHERE open_kfid = ? AND external_userid = ?",
        (UNTREATED if begins else session.state, now, int(begins), body.account, body.external),
    )
    kind = str(body.values.get("msgtype", "text"))
    content = body.values.get(kind, {"content": str(body.values.get("text", ""))})
    if kind == "text" and not isinstance(content, dict):
        content = {"content": str(content)}
    if not isinstance(content, dict):
        raise bad(kind, "应为对象", "must be an object")
    serving = session.servicer if session.state == HUMAN else ""
    return {"msgid": tell(con, body.account, body.external, now, CUSTOMER, kind, content, serving)}


def _recall(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    now = settings_of(con).now
    recalled = str(body.values.get("msgid", ""))
    tell_event(
        con, body.account, body.external, now, "user_recall_msg", external_userid=body.external, recall_msgid=recalled
    )
    return {"at": now}


def _reject(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """The customer receives nothing more from here, or again."""
    session, now = body.session(con), settings_of(con).now
    on = body.values.get("on", True) is True
    con.execute(
        "UPDATE kf_sessions SET rejects = ? WHERE open_kfid = ? AND external_userid = ?",
        (on, body.account, session.external_userid),
    )
    tell_event(
        con, body.account, body.external, now, "reject_customer_msg_switch_change",
        external_userid=body.external, servicer_userid=session.servicer, reject_switch=int(on),
    )  # fmt: skip
    return {"at": now}


def _claim(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """A servicer takes a conversation from the pool, or takes up one that had ended."""
    return _changed(con, body, 4 if body.session(con).state == ENDED else 1, HUMAN, body.userid)


def _hand_on(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    return _changed(con, body, 2, HUMAN, body.userid)


def _end(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    return _changed(con, body, 3, ENDED, "")


def _changed(con: sqlite3.Connection, body: _Body, change: int, state: int, servicer: str) -> dict[str, object]:
    session, now = body.session(con), settings_of(con).now
    con.execute(
        "UPDATE kf_sessions SET state = ?, servicer = ?, spoke_at = coalesce(spoke_at, ?) "
        "WHERE open_kfid = ? AND external_userid = ?",
        (state, servicer, now, body.account, body.external),
    )
    code = ""
    if change in (1, 3):
        code = give_code(con, now, wall_now().timestamp(), body.account, body.external, state)
    tell_event(
        con, body.account, body.external, now, "session_status_change",
        external_userid=body.external, change_type=change, msg_code=code,
        old_servicer_userid=session.servicer if change != 1 else "", new_servicer_userid=servicer,
    )  # fmt: skip
    return {"msg_code": code}


def _answer(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """A servicer answers in the client."""
    session, now = body.session(con), settings_of(con).now
    if session.state != HUMAN:
        raise bad("external_userid", "这个会话不在人工接待中", "nobody serves that conversation")
    text = {"content": str(body.values.get("text", ""))}
    return {"msgid": tell(con, body.account, body.external, now, SERVICER, "text", text, session.servicer)}


def _status(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """A servicer begins or stops to serve."""
    now = settings_of(con).now
    on, stop = body.values.get("on", True) is True, 1 if body.values.get("hold") is True else 0
    changed = con.execute(
        "UPDATE kf_servicers SET status = ?, stop_type = ? WHERE open_kfid = ? AND userid = ?",
        (int(not on), stop, body.account, body.userid),
    ).rowcount
    if not changed:
        raise bad("userid", "不是这个账号的接待人员", "does not serve this account")
    tell_event(
        con, body.account, "", now, "servicer_status_change",
        servicer_userid=body.userid, status=1 if on else 2, stop_type=stop,
    )  # fmt: skip
    return {"at": now}


def _fail(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """The platform says afterwards that something sent did not arrive."""
    now, kind = settings_of(con).now, body.values.get("fail_type", 0)
    msgid = str(body.values.get("msgid", ""))
    row = con.execute(
        "SELECT external_userid FROM kf_sent WHERE open_kfid = ? AND msgid = ?", (body.account, msgid)
    ).fetchone()
    if row is None or not isinstance(kind, int):
        raise bad("msgid", "没有这条消息", "there is no such message")
    con.execute("UPDATE kf_sent SET fail_type = ? WHERE open_kfid = ? AND msgid = ?", (kind, body.account, msgid))
    tell_event(
        con, body.account, row["external_userid"], now, "msg_send_fail",
        external_userid=row["external_userid"], fail_msgid=msgid, fail_type=kind,
    )  # fmt: skip
    return {"at": now}


def _bell(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """The token of the last callback of this account."""
    row = con.execute(
        "SELECT token FROM kf_tokens WHERE open_kfid = ? ORDER BY until_wall DESC LIMIT 1", (body.account,)
    ).fetchone()
    return {"token": row["token"] if row else ""}


def _sent(con: sqlite3.Connection, body: _Body) -> dict[str, object]:
    """The ids of what the corp's software sent to a customer, in order of their ids."""
    rows = con.execute(
        "SELECT msgid FROM kf_sent WHERE open_kfid = ? AND external_userid = ? ORDER BY msgid",
        (body.account, body.external),
    )
    return {"sent": [row["msgid"] for row in rows]}

"""What WeCom's client does for a page of ours: says whose browser it is, and lets pages act that signed themselves."""

from __future__ import annotations

import hashlib
import sqlite3
from html import escape
from urllib.parse import urlencode, urlsplit

from yutang.kernel.clock import wall_now
from yutang.sandbox.apps import find_app
from yutang.sandbox.contracts import bad
from yutang.sandbox.directory import give_code
from yutang.sandbox.store import settings_of
from yutang.sandbox.wire import PlatformError

_SHOWN = 40
_WORDS = {
    "zh": ("沙盒：谁在打开这个页面？", "真的企业微信会自动认出是谁。", "按账号查找"),
    "en": ("Sandbox: whose browser is it?", "The real WeCom knows by itself.", "Find an account"),
}


def checked(con: sqlite3.Connection, body: dict[str, object]) -> dict[str, object]:
    """`{"url", "timestamp", "nonceStr", "signature", "appId" | "corpid", "agentid"?}`: what a client does with
    `wx.config`, and, with `agentid`, with `wx.agentConfig` → `{"errMsg"}`: `…:ok`, or what a client says (doc
    90506)."""
    settings = settings_of(con)
    app = body.get("agentid")
    api, kind = ("config", "jsapi") if app is None else ("agentConfig", "agent_config")
    if app is not None:
        try:
            find_app(con, int(str(app)))
        except (PlatformError, ValueError):
            return {"errMsg": f"{api}:fail, invalid agentid"}
    if str(body.get("appId" if app is None else "corpid", "")) != settings.corp_id:
        return {"errMsg": f"{api}:fail, invalid corpid"}
    row = con.execute("SELECT ticket FROM tickets WHERE kind = ? AND expires_wall > ?", (kind, wall_now().timestamp()))
    said = {name: str(body.get(name, "")) for name in ("nonceStr", "timestamp", "url", "signature")}
    rest = f"&noncestr={said['nonceStr']}&timestamp={said['timestamp']}&url={said['url'].partition('#')[0]}"
    good = {hashlib.sha1(f"jsapi_ticket={one['ticket']}{rest}".encode()).hexdigest() for one in row}  # noqa: S324
    if said["signature"] not in good:
        return {"errMsg": f"{api}:fail,Error: 系统错误,错误码：40093,invalid signature"}
    return {"errMsg": f"{api}:ok"}


def authorize(con: sqlite3.Connection, query: dict[str, str]) -> str:
    """The page to which a browser is sent to say whose it is: asks, or, once `userid` says it, where to go back to.

    Only to an http address of whoever asks: this page stands on the reader's own machine. Answers with an address where
    it begins with `http`, else with HTML.
    """
    back = urlsplit(query.get("redirect_uri", ""))
    if back.scheme not in ("http", "https") or not back.netloc:
        raise bad("redirect_uri", "应是网址", "must be an address")
    if userid := query.get("userid", ""):
        code = give_code(con, userid, None, private=False, wall=wall_now().timestamp())["code"]
        more = urlencode({"code": str(code), "state": query.get("state", "")})
        return f"{query['redirect_uri']}{'&' if back.query else '?'}{more}"
    found = query.get("find", "")
    like = f"%{found.replace('%', '')}%"
    rows = con.execute(
        "SELECT userid, name FROM staff WHERE status = 1 AND (userid LIKE ? OR name LIKE ?) ORDER BY userid LIMIT ?",
        (like, like, _SHOWN),
    )
    title, note, find = _WORDS["en" if query.get("lang") == "en" else "zh"]
    kept = {name: value for name, value in query.items() if name not in ("userid", "find")}
    people = "".join(
        f'<li><a href="?{escape(urlencode({**kept, "userid": row["userid"]}))}">{escape(row["name"] or "")} '
        f"<small>{escape(row['userid'])}</small></a></li>"
        for row in rows
    )
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(text)}">' for name, text in kept.items()
    )
    return (
        f'<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>body{{font:16px/1.6 system-ui;margin:1rem auto;max-width:32rem;padding:0 1rem;"
        f"background:#fbfaf7;color:#1d2b2a}}a{{display:block;padding:.6rem 0;color:#0f5c5c}}"
        f"ul{{list-style:none;padding:0}}"
        f"input{{font:inherit;padding:.4rem;width:100%}}</style><h1>{title}</h1><p>{note}</p>"
        f'<form>{hidden}<input type="search" name="find" value="{escape(found)}" aria-label="{find}" '
        f'placeholder="{find}"></form><ul>{people}</ul>'
    )

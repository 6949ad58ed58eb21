"""A read-only page that shows what the sandbox holds. Everything in it is synthetic."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

import qrcode
from qrcode.image.svg import SvgPathImage

from yutang.kernel.calendars import zone
from yutang.sandbox.store import Settings, find_settings

_STYLE = """
:root{--paper:#FBFAF7;--ink:#1D2B2A;--pond:#0F5C5C;--line:#DDE3DF;--quiet:#5B6B69}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
  font:16px/1.6 system-ui,-apple-system,"PingFang SC","Noto Sans SC",sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.5rem;color:var(--pond);margin:0 0 .25rem}h2{font-size:1.1rem;margin:2.5rem 0 .5rem}
p{margin:.25rem 0;color:var(--quiet)}a{color:var(--pond)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.5rem;background:#fff}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.5rem .75rem;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;color:var(--quiet);font-weight:500;white-space:nowrap}
td.n,th.n{text-align:right}td.t{white-space:nowrap}td.w{min-width:9rem;overflow-wrap:anywhere}
@media(max-width:40rem){
  thead{display:none}tr{display:block;padding:.5rem .75rem;border-top:1px solid var(--line)}
  tr:first-child{border-top:0}td{display:flex;gap:1rem;justify-content:space-between;padding:.15rem 0;border:0}
  td::before{content:attr(data-name);color:var(--quiet);white-space:nowrap}td.w{text-align:right}
}
""".strip()

_WORDS = {
    "zh": {
        "title": "沙盒企业微信",
        "note": "这里的成员、客户和购买全部是合成的。",
        "empty": "沙盒还是空的。",
        "now": "业务时间",
        "members": "成员",
        "customers": "客户",
        "habit": "点发送的习惯",
        "tasks": "群发任务",
        "created": "创建时间",
        "content": "内容",
        "state": "状态",
        "sent": "已发送",
        "unsent": "未发送",
        "failed": "未送达",
        "messages": "最近收到的消息",
        "customer": "客户",
        "from": "发送成员",
        "at": "时间",
        "cancelled": "已停止",
        "waiting": "待成员确认",
        "done": "已执行",
        "own": "成员自发",
        "none": "还没有。",
        "other": "English",
        "at_once": "立刻",
        "late": "几小时到三天后",
        "night": "夜里",
        "never": "从不",
        "attachment": "附件",
    },
    "en": {
        "title": "Sandbox WeCom",
        "note": "Members, customers and purchases here are all synthetic.",
        "empty": "The sandbox is empty.",
        "now": "Business time",
        "members": "Members",
        "customers": "Customers",
        "habit": "Taps",
        "tasks": "Mass sends",
        "created": "Created",
        "content": "Content",
        "state": "State",
        "sent": "Sent",
        "unsent": "Unsent",
        "failed": "Failed",
        "messages": "Messages received last",
        "customer": "Customer",
        "from": "Sent by",
        "at": "Time",
        "cancelled": "Stopped",
        "waiting": "Waiting for members",
        "done": "Done",
        "own": "Member's own",
        "none": "None yet.",
        "other": "中文",
        "at_once": "at once",
        "late": "hours to three days later",
        "night": "at night",
        "never": "never",
        "attachment": "attachment",
    },
}


def render_page(con: sqlite3.Connection, language: str) -> str:
    """The page in `zh` or `en`."""
    language = "en" if language.lower().startswith("en") else "zh"
    words = _WORDS[language]
    settings = find_settings(con)
    if settings is None:
        content = f"<p>{words['empty']}</p>"
    else:
        content = "".join(
            [
                f"<p>{words['now']} {_time(settings.now, settings)} · {escape(settings.zone)}</p>",
                f"<h2>{words['members']}</h2>",
                _members(con, words),
                f"<h2>{words['tasks']}</h2>",
                _tasks(con, settings, words),
                f"<h2>{words['messages']}</h2>",
                _messages(con, settings, words),
            ]
        )
    other = "zh" if language == "en" else "en"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{words["title"]}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{words['title']}</h1>"
        f'<p>{words["note"]} <a href="?lang={other}">{words["other"]}</a></p>{content}</main></body></html>'
    )


def _members(con: sqlite3.Connection, words: dict[str, str]) -> str:
    rows = con.execute(
        "SELECT m.*, (SELECT count(*) FROM relations r WHERE r.userid = m.userid) AS customers "
        "FROM members m ORDER BY name LIMIT 200"
    )
    return _table(
        words,
        [("members", ""), ("customers", "n"), ("habit", "w")],
        (
            (
                escape(row["name"]),
                str(row["customers"]),
                escape(" · ".join(words[name] for name in json.loads(row["habit"]))),
            )
            for row in rows
        ),
    )


def _tasks(con: sqlite3.Connection, settings: Settings, words: dict[str, str]) -> str:
    rows = con.execute("""
        SELECT t.*, sum(r.status = 1) AS sent, sum(r.status = 0) AS unsent, sum(r.status > 1) AS failed
        FROM (SELECT * FROM tasks ORDER BY create_time DESC, msgid DESC LIMIT 30) t JOIN recipients r USING (msgid)
        GROUP BY t.msgid ORDER BY t.create_time DESC, t.msgid DESC""")
    return _table(
        words,
        [("created", "t"), ("content", "w"), ("state", "t"), ("sent", "n"), ("unsent", "n"), ("failed", "n")],
        (
            (
                _time(row["create_time"], settings),
                _content(row["content"], words),
                _state(row, words),
                str(row["sent"]),
                str(row["unsent"]),
                str(row["failed"]),
            )
            for row in rows
        ),
    )


def _messages(con: sqlite3.Connection, settings: Settings, words: dict[str, str]) -> str:
    rows = con.execute("""
        SELECT r.send_time, c.name AS customer, m.name AS member, t.content FROM recipients r
        JOIN customers c USING (external_userid) JOIN members m ON m.userid = r.userid JOIN tasks t USING (msgid)
        WHERE r.status = 1 ORDER BY r.send_time DESC, r.external_userid LIMIT 30""")
    return _table(
        words,
        [("at", "t"), ("customer", "t"), ("from", "t"), ("content", "w")],
        (
            (
                _time(row["send_time"], settings),
                escape(row["customer"]),
                escape(row["member"]),
                _content(row["content"], words),
            )
            for row in rows
        ),
    )


def _table(words: dict[str, str], columns: list[tuple[str, str]], rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}" data-name="{words[name]}">{cell}</td>'
            for cell, (name, kind) in zip(row, columns, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    if not body:
        return f"<p>{words['none']}</p>"
    head = "".join(f'<th class="{kind}">{words[name]}</th>' for name, kind in columns)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _state(row: sqlite3.Row, words: dict[str, str]) -> str:
    if row["create_type"] == 1:
        return words["own"]
    if row["cancelled_at"] is not None:
        return words["cancelled"]
    return words["waiting"] if row["unsent"] else words["done"]


def _content(text: str, words: dict[str, str]) -> str:
    content = json.loads(text)
    said = str(content.get("text", {}).get("content", ""))
    attached = len(content.get("attachments", []))
    shown = said if len(said) <= 80 else f"{said[:80]}…"
    return escape(shown) + (f" [{words['attachment']} {attached}]" if attached else "")


def _time(at: int, settings: Settings) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(zone(settings.zone)).strftime("%Y-%m-%d %H:%M")


def qr_picture(text: str) -> bytes:
    """A QR code as an SVG file, such as the platform's server gives for a contact way."""
    made = qrcode.QRCode(border=4, image_factory=SvgPathImage)
    made.add_data(text)
    made.make(fit=True)
    file = io.BytesIO()
    made.make_image().save(file)
    return file.getvalue()

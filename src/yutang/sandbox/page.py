"""A read-only page that shows what the sandbox holds. Everything in it is synthetic."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import urlencode

import qrcode
from qrcode.image.svg import SvgPathImage

from yutang.kernel.calendars import zone
from yutang.sandbox.faults import Fault, Use
from yutang.sandbox.holdings import counted, families, last_rows
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
  td>span{min-width:0;overflow-wrap:anywhere}
}
""".strip()

_WORDS = {
    "zh": {
        "holds": "存了什么",
        "family": "类别",
        "tables": "表与行数",
        "clock": "时钟",
        "next": "下一件事",
        "corps": "企业",
        "calls": "接口应答",
        "api": "接口",
        "code": "错误码",
        "times": "次数",
        "callbacks": "回调",
        "told": "已投递",
        "faults": "设定的故障",
        "kind": "方式",
        "left": "还剩",
        "always": "不限",
        "quotas": "用掉的额度",
        "window": "窗口",
        "used": "已用",
        "most": "上限",
        "blocked": "被封到",
        "minute": "分钟",
        "hour": "小时",
        "day": "天",
        "month": "月",
        "back": "返回",
        "unknown": "没有这张表。",
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
        "image": "图片",
        "link": "链接",
        "miniprogram": "小程序",
        "video": "视频",
        "file": "文件",
    },
    "en": {
        "holds": "What it holds",
        "family": "Family",
        "tables": "Tables and rows",
        "clock": "Clock",
        "next": "Next",
        "corps": "Corps",
        "calls": "Answers",
        "api": "Call",
        "code": "Errcode",
        "times": "Times",
        "callbacks": "Callbacks",
        "told": "Posted",
        "faults": "Faults set",
        "kind": "Kind",
        "left": "Left",
        "always": "for ever",
        "quotas": "Quotas used",
        "window": "Window",
        "used": "Used",
        "most": "Most",
        "blocked": "Blocked until",
        "minute": "minute",
        "hour": "hour",
        "day": "day",
        "month": "month",
        "back": "Back",
        "unknown": "There is no such table.",
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
        "image": "picture",
        "link": "link",
        "miniprogram": "mini program",
        "video": "video",
        "file": "file",
    },
}


@dataclass(frozen=True, slots=True)
class State:
    """What the page shows beside the file: corps in this sandbox, and what is kept in memory of this one. `query`: the
    corp that the page's own links name; `blocked`: until which wall second each call is blocked."""

    corps: tuple[str, ...]
    query: str
    next_at: str
    answers: Mapping[tuple[str, int], int]
    faults: tuple[Fault, ...]
    uses: tuple[Use, ...]
    blocked: Mapping[str, float]


def render_page(con: sqlite3.Connection, language: str, state: State) -> str:
    """The page in `zh` or `en`."""
    language = _language(language)
    words = _WORDS[language]
    settings = find_settings(con)
    if settings is None:
        return _whole(language, f"<p>{words['empty']}</p>", state.query)
    parts = (
        ("", _clock(settings, state, words)),
        ("holds", _holdings(con, language, state)),
        ("calls", _calls(state, words)),
        ("callbacks", _callbacks(con, words)),
        ("quotas", _quotas(settings, state, words)),
        ("faults", _faults(state, words)),
        ("tasks", _tasks(con, settings, words)),
        ("messages", _messages(con, settings, words)),
        ("members", _members(con, words)),
    )
    content = "".join((f"<h2>{words[name]}</h2>" if name else "") + html for name, html in parts)
    return _whole(language, content, state.query)


def render_table(con: sqlite3.Connection, language: str, table: str, query: str) -> str:
    """The last rows of one table."""
    language = _language(language)
    words = _WORDS[language]
    found = last_rows(con, table)
    back = f'<p><a href="?{urlencode({"corp": query, "lang": language})}">{words["back"]}</a></p>'
    if found is None:
        return _whole(language, f"<p>{words['unknown']}</p>{back}", query)
    names = {name: escape(name) for name in found.columns}
    rows = (tuple(escape(cell) for cell in row) for row in found.rows)
    shown = _table(words | names, [(name, "w") for name in found.columns], rows)
    return _whole(language, f"<h2>{escape(table)}</h2>{shown}{back}", query)


def _language(wanted: str) -> str:
    return "en" if wanted.lower().startswith("en") else "zh"


def _whole(language: str, content: str, query: str) -> str:
    words = _WORDS[language]
    other = urlencode({"corp": query, "lang": "zh" if language == "en" else "en"})
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{words["title"]}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{words['title']}</h1>"
        f'<p>{words["note"]} <a href="?{escape(other)}">{words["other"]}</a></p>{content}</main></body></html>'
    )


def _clock(settings: Settings, state: State, words: dict[str, str]) -> str:
    due = ""
    if state.next_at:
        at = int(datetime.fromisoformat(state.next_at).timestamp())
        due = f" · {words['next']} {_time(at, settings)}"
    corps = " · ".join(
        f'<a href="?{escape(urlencode({"corp": corp}))}">{escape(corp)}</a>'
        if corp != settings.corp_id
        else escape(corp)
        for corp in state.corps
    )
    return (
        f"<p>{words['now']} {_time(settings.now, settings)} · {escape(settings.zone)}{due}</p>"
        f"<p>{words['corps']} {corps}</p>"
    )


def _holdings(con: sqlite3.Connection, language: str, state: State) -> str:
    words, counts = _WORDS[language], counted(con)

    def link(table: str) -> str:
        query = urlencode({"corp": state.query, "lang": language, "table": table})
        return f'<a href="?{escape(query)}">{escape(table)}</a>&nbsp;{counts[table]:,}'

    rows = (
        (escape(one.en if language == "en" else one.zh), " · ".join(link(table) for table in one.tables))
        for one in families()
    )
    return _table(words, [("family", "w"), ("tables", "w")], rows)


def _calls(state: State, words: dict[str, str]) -> str:
    rows = ((escape(api), str(code), f"{times:,}") for (api, code), times in sorted(state.answers.items()))
    return _table(words, [("api", "w"), ("code", "n"), ("times", "n")], rows)


def _callbacks(con: sqlite3.Connection, words: dict[str, str]) -> str:
    row = con.execute("SELECT count(*) - sum(done) AS waiting, sum(done) AS told FROM callbacks").fetchone()
    return f"<p>{words['unsent']} {row['waiting'] or 0:,} · {words['told']} {row['told'] or 0:,}</p>"


def _quotas(settings: Settings, state: State, words: dict[str, str]) -> str:
    def until(api: str) -> str:
        return _time(int(state.blocked[api]), settings) if api in state.blocked else ""

    rows = (
        (escape(one.api), words.get(one.window, one.window), f"{one.used:,}", f"{one.most:,}", until(one.api))
        for one in state.uses[:40]
    )
    return _table(words, [("api", "w"), ("window", "t"), ("used", "n"), ("most", "n"), ("blocked", "t")], rows)


def _faults(state: State, words: dict[str, str]) -> str:
    rows = (
        (
            escape(one.api),
            escape(one.kind + (f" {one.errcode}" if one.kind == "refuse" else "")),
            words["always"] if one.times is None else str(one.times),
        )
        for one in state.faults
    )
    return _table(words, [("api", "w"), ("kind", "w"), ("left", "n")], rows)


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
            f'<td class="{kind}" data-name="{words[name]}"><span>{cell}</span></td>'
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
    shown = [said if len(said) <= 80 else f"{said[:80]}…"] if said else []
    for part in content.get("attachments", []):
        title = part[part["msgtype"]].get("title", "")
        shown.append(f"[{words[part['msgtype']]}{' ' if title else ''}{title}]")
    return escape(" ".join(shown))


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

"""Lists that staff work through by hand."""

from __future__ import annotations

from pathlib import Path

import click

from yutang.channels.manual import queries, services
from yutang.channels.manual.contracts import Result
from yutang.cli.context import Shell, command, table
from yutang.cli.imports import FILE
from yutang.kernel.clock import business_now
from yutang.kernel.files import written
from yutang.organisation.contracts import Viewer
from yutang.organisation.services import audit

Answer = tuple[object, list[object]]
MOST = 1_000_000


@click.group("lists")
def lists_group() -> None:
    """人工名单 / lists that are worked through by hand"""


GROUPS = (lists_group,)


@command(lists_group, "list")
@click.option("--limit", default=100, show_default=True, help="至多几份 / at most so many")
def list_lists(shell: Shell, viewer: Viewer, limit: int) -> Answer:
    """看得到的名单，先做的在前 / the lists that you may see, those to be worked first"""
    _, found = queries.lists(viewer, limit=min(max(limit, 0), MOST))
    rows = [
        (one.id, one.sender.userid, one.state.value, one.size, one.sent, one.not_reached, one.until or "-")
        for one in found
    ]
    data = [
        {
            "id": one.id,
            "staff": one.sender.userid,
            "state": one.state,
            "size": one.size,
            "sent": one.sent,
            "not_reached": one.not_reached,
            "left": one.left,
            "until": one.until,
        }
        for one in found
    ]
    return data, [table(("id", "staff", "state", "size", "sent", "not reached", "until"), rows)]


@command(lists_group, "take")
@click.argument("number", type=int)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="写到哪 / where to write"
)
def take_list(shell: Shell, viewer: Viewer, number: int, output: Path) -> Answer:
    """带走一份名单（.csv 或 .xlsx），填好再导入 / take a list along as a file, to be filled in and imported"""
    facts, lines = queries.list_of(viewer, number), queries.lines_of(viewer, number)
    format = "xlsx" if output.suffix.lower() == ".xlsx" else "csv"
    chinese = shell.language == "zh"
    titles = {"序号": "Line", "姓名": "Name", "手机号": "Phone", "文案": "Text", "结果": "Outcome", "时间": "Time"}
    head = [shell.said(*words) for words in (*titles.items(), ("不要联系", "Do not contact"))]
    words = {result: said[0 if chinese else 3] for result, said in services.WORDS.items()}
    rows = [
        (one.number, one.name, one.phone, facts.text, words[one.result] if one.result else "", one.at,
         shell.said("是", "yes") if one.refusal else "")
        for one in lines
    ]  # fmt: skip
    mark = f"list-{number} · {viewer.name} · {business_now():%Y-%m-%d %H:%M} UTC"
    services.take_along(viewer, number)
    audit(viewer, "export", f"list-{number} (shell)", rows=len(rows), format=format)
    with output.open("wb") as file:
        file.writelines(written(format, head, rows, mark))
    return {"file": str(output), "rows": len(rows)}, [f"{output} ({len(rows):,})"]


@command(lists_group, "import")
@click.argument("number", type=int)
@click.argument("file", type=FILE)
@click.option("--encoding", default=None, help="编码，默认自动 / default: found out")
def import_results(shell: Shell, viewer: Viewer, number: int, file: Path, encoding: str | None) -> Answer:
    """导入填好的名单 / write down what a list says that was filled in"""
    report = services.read_results(viewer, number, file, encoding=encoding)
    shell.failed = bool(report.wrong)
    if report.wrong:
        lines: list[object] = [shell.said("有行不对，什么都没有记：", "Rows are wrong; nothing was written down:")]
        lines += [f"{one.row} {one.field} {shell.said(one.zh, one.en)}" for one in report.wrong]
        return report, lines
    return report, [shell.said(f"新记下 {report.noted:,} 条", f"{report.noted:,} were written down")]


@command(lists_group, "note")
@click.argument("number", type=int)
@click.argument("result", type=click.Choice([one.value for one in Result]))
@click.option("--line", "lines", multiple=True, type=int, help="序号，可多次；不写则全部还没记的 / default: all left")
def note_lines(shell: Shell, viewer: Viewer, number: int, result: str, lines: tuple[int, ...]) -> Answer:
    """记下结果 / write down what came of lines"""
    changed = services.note(viewer, number, lines or None, Result(result))
    return {"list": number, "changed": changed}, [f"{changed:,}"]


@command(lists_group, "hand-in")
@click.argument("number", type=int)
def hand_in_list(shell: Shell, viewer: Viewer, number: int) -> Answer:
    """交回名单 / hand a list in: all that was done is written down"""
    services.hand_in(viewer, number)
    return {"list": number, "state": "handed_in"}, [f"list {number}"]

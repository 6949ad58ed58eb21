"""Commands over a person's rights: erasing, and what was erased."""

from __future__ import annotations

import json
from pathlib import Path

import click

from yutang.cli.context import Shell, command, table
from yutang.guard import exporting, queries, retention, services
from yutang.guard.contracts import REASONS
from yutang.kernel.errors import Refused
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("persons")
def persons_group() -> None:
    """客户：谁是谁，以及个人信息权利 / persons: who is who, and a person's rights"""


GROUPS = (persons_group,)


@command(persons_group, "erase")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", type=click.Choice(REASONS), default="asked", show_default=True, help="原因 / why")
@click.option("--yes", is_flag=True, help="真的删除；不写只看会删多少 / do it; without, only say how much there is")
def erase_person(shell: Shell, viewer: Viewer, number: int, reason: str, yes: bool) -> Answer:
    """彻底删除一位客户，不可恢复 / erase a person for good"""
    queries.headquarters(viewer)
    person = PersonId(number)
    if not yes:
        held = queries.holdings(shell.warehouse, viewer, person)
        lines: list[object] = [table(("what", "rows"), list(held.counts.items()))]
        lines.append(
            shell.said(
                f"这些都会被删除，订单只留下金额。确认请运行：yutang persons erase {held.person} --yes",
                "All of this goes; of orders only nobody's amounts stay. "
                f"To do it: yutang persons erase {held.person} --yes",
            )
        )
        return held, lines
    began = services.erase(shell.warehouse, viewer, person, reason)
    services.go_on(shell.warehouse, services.PATIENCE)
    done = next(one for one in queries.erasures(viewer) if one.id == began.id)
    said = shell.said(f"客户 {done.person}：{done.step}。", f"Person {done.person}: {done.step}.")
    return done, [said]


@command(persons_group, "erasures")
def list_erasures(shell: Shell, viewer: Viewer) -> Answer:
    """删除过的客户 / who was erased"""
    found = queries.erasures(viewer)
    columns = ("id", "person", "reason", "asked_by", "asked_at", "step", "done_at")
    return found, [table(columns, [[str(getattr(one, name) or "-") for name in columns] for one in found])]


@command(persons_group, "erase-again")
def erase_again(shell: Shell, viewer: Viewer) -> Answer:
    """恢复备份之后：按 erasures.list 再删一遍 / after a restore: erase again whom erasures.list names"""
    begun = services.erase_again(shell.warehouse, viewer)
    services.go_on(shell.warehouse, services.PATIENCE)
    said = shell.said(f"又回来的客户 {begun} 位，已再次删除。", f"{begun} persons had come back and were erased again.")
    return {"erased": begun}, [said]


@command(persons_group, "export")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="写进文件 / write into a file")
@click.option("--html", is_flag=True, help="写成可读的网页 / as a page to be read")
def export_one(shell: Shell, viewer: Viewer, number: int, out: Path | None, html: bool) -> Answer:
    """导出我们保存的关于一位客户的一切 / everything held of a person"""
    found = exporting.export_person(shell.warehouse, viewer, PersonId(number))
    text = exporting.as_page(found) if html else exporting.as_json(found)
    counts = {name: len(found[name]) for name in exporting.TITLES}
    if out is None:
        return json.loads(exporting.as_json(found)), [text]
    try:
        out.write_text(text, encoding="utf-8")
        out.chmod(0o600)
    except OSError as error:
        raise Refused(f"无法写入 {out}：{error.strerror}。", f"{out} cannot be written: {error.strerror}.") from error
    return {"file": str(out), **counts}, [str(out), table(("what", "rows"), list(counts.items()))]


@command(persons_group, "retention")
def show_retention(shell: Shell, viewer: Viewer) -> Answer:
    """哪些事件设了保存期限、到期的有多少 / which events are not kept for ever, and how many are past their time"""
    found = retention.overview(shell.warehouse, viewer)
    return found, [table(("type", "days", "events", "due"), [(r.type, r.days, r.events, r.due) for r in found])]

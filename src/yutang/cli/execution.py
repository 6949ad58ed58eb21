"""Who carries out what was planned, and asking after it."""

from __future__ import annotations

import secrets
from datetime import datetime

import click

from yutang.cli.context import Shell, command, table
from yutang.execution import queries, services
from yutang.execution.board import below, board
from yutang.execution.telling import told, told_row, wanted
from yutang.kernel.ids import StaffId
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]
DAY = click.DateTime(["%Y-%m-%d"])
COLUMNS = ("name", "rate", "issued", "executed", "late", "waiting", "expired", "people", "people_settled")


@click.group("execution")
def execution_group() -> None:
    """执行看板与催办 / who carries out what was planned, and asking after it"""


GROUPS = (execution_group,)
AT = click.option("--at", default="", help="门店或区域编号，默认全部 / a node's code; default: all")
PLAN = click.option(
    "--plan", type=click.IntRange(1), help="只看一个计划，默认进行中的 / one plan; default: those running"
)


@command(execution_group, "board")
@AT
@PLAN
@click.option("--since", type=DAY, help="从这天应下发的 / due from this day on")
@click.option("--until", type=DAY, help="到这天为止 / up to this day")
def show_board(
    shell: Shell, viewer: Viewer, at: str, plan: int | None, since: datetime | None, until: datetime | None
) -> Answer:
    """已下发、已执行、未执行，执行率低的在前 / issued, executed, left undone; the lowest rate first"""
    chosen = wanted(viewer, plan, since and since.date(), until and until.date())
    found = board(viewer, chosen, at=at, limit=20_000, by_day=False)
    rows = [told_row(row) for row in found.rows]
    total = {"code": None, "staff": None, "name": shell.said("合计", "total"), **told(found.total)}
    lines = [[_cell(row[name]) for name in COLUMNS] for row in (*rows, total)]
    return {"rows": rows, "total": total, "idle_stores": [spot.code for spot in found.idle_stores]}, [
        table(COLUMNS, lines)
    ]


def _cell(value: object) -> object:
    return "-" if value is None else f"{value:.0%}" if isinstance(value, float) else value


@command(execution_group, "reasons")
@AT
def show_reasons(shell: Shell, viewer: Viewer, at: str) -> Answer:
    """没执行的原因 / why tasks were not carried out"""
    found = queries.reasons(viewer, below(viewer, at))
    data = [{"reason": reason.value, "count": count} for reason, count in found.counts]
    return data, [table(("reason", "count"), [(reason.value, count) for reason, count in found.counts])]


@command(execution_group, "chase")
@AT
@PLAN
@click.option("--staff", type=click.IntRange(1), help="只催一位导购（编号） / one guide, by number")
@click.option("--message/--no-message", default=True, help="发应用消息 / by a message of the app")
@click.option("--remind", is_flag=True, help="用平台提醒 / by the platform's own reminder too")
@click.option("--send", is_flag=True, help="真的催；不写只预览 / really ask; without it only a preview")
def chase(
    shell: Shell, viewer: Viewer, at: str, plan: int | None, staff: int | None, message: bool, remind: bool, send: bool
) -> Answer:
    """催办：先预览会催谁、不催谁 / ask after tasks that wait: a preview of whom, and whom not and why"""
    who = None if staff is None else StaffId(staff)
    scope = services.ChaseScope(wanted(viewer, plan, None, None), at, who, message=message, remind=remind)
    found = services.preview_chase(viewer, scope)
    line = shell.said(
        f"会催 {found.guides:,} 位导购的 {found.tasks:,} 个任务（{found.people:,} 位客户）",
        f"{found.guides:,} guides would be asked after {found.tasks:,} tasks ({found.people:,} customers)",
    )
    lines: list[object] = [line, *(f"- {why}: {count:,}" for why, count in found.left_out.items())]
    data: dict[str, object] = {"guides": found.guides, "tasks": found.tasks, "left_out": dict(found.left_out)}
    if send:
        data["chase"] = services.chase(viewer, secrets.token_hex(16), scope)
        lines.append(shell.said("已记下，时钟下一转就发", "kept; it is sent at the next turn of the clock"))
    return data, lines

"""What people are worth: fitting the models, and what they say."""

from __future__ import annotations

import click
from rich.console import Console

from yutang.cli.context import Shell, command, table
from yutang.kernel.errors import Refused
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.profiles.values import queries, services, telling

Answer = tuple[object, list[object]]
COLUMNS = ("category", "persons", "repeaters", "expected", "off", "covered", "cannot")


@click.group("values")
def values_group() -> None:
    """三种价值：既成、潜在、模型 / three values: existing, potential, model"""


GROUPS = (values_group,)


@command(values_group, "fit")
def fit(shell: Shell, viewer: Viewer) -> Answer:
    """重新拟合模型并给所有客户打分（平时由时钟每周、每天做） / fit the models anew and score everybody (the clock does
    so weekly and daily)"""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("只有总部运营能重新拟合。", "Only headquarters fits the models anew.")
    console = Console(stderr=True)

    def say(stage: str, done: int, of: int) -> None:
        console.print(f"{stage} {done}/{of}", highlight=False)

    report = services.bring(shell.warehouse, fit=True, say=say)
    data = {"persons": report.persons, "models": report.models, "as_of": report.as_of, "seconds": report.seconds}
    line = shell.said(
        f"{report.models} 个模型，{report.persons:,} 位客户，用时 {report.seconds:.1f} 秒",
        f"{report.models} models, {report.persons:,} persons, in {report.seconds:.1f} s",
    )
    return data, [line]


@command(values_group, "show")
@click.option("--person", type=click.IntRange(1), help="只看一位客户（编号） / one person, by number")
def show(shell: Shell, viewer: Viewer, person: int | None) -> Answer:
    """上次打分的结果，或一位客户的三种价值 / what the last scoring came to, or one person's three values"""
    found = queries.state(shell.warehouse)
    if person is not None:
        worth = queries.worth_of(shell.warehouse, viewer, PersonId(person))
        told = telling.told_person(worth, found)
        pairs = [(name, "-" if value is None else value) for name, value in (told or {}).items()]
        return told, [table(("", ""), pairs)] if told else [shell.said("还没有。", "There are none yet.")]
    data = telling.told(shell.warehouse, viewer)
    if found is None or data is None:
        return None, [
            shell.said("还没有打过分，请运行 yutang values fit。", "Nothing was scored yet; run `yutang values fit`.")
        ]
    models = queries.models(shell.warehouse, found.version) if viewer.sees_all else []
    totals = [(name, f"{value:,.0f}") for name, value in data["totals"].items()]
    head = shell.said(
        f"截至 {found.as_of:%Y-%m-%d %H:%M} UTC；{found.measure.value}；未来 {found.horizon} 天",
        f"as of {found.as_of:%Y-%m-%d %H:%M} UTC; {found.measure.value}; {found.horizon} days ahead",
    )
    shown: list[object] = [head, table(("", ""), totals)]
    return data, [*shown, table(COLUMNS, telling.lines(models))] if models else shown

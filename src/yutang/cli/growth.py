"""Commands over the growth formula."""

from __future__ import annotations

import click

from yutang.cli.context import Shell, command, table
from yutang.kernel.errors import NotFound
from yutang.organisation.contracts import Viewer
from yutang.review.advisor_queries import advice, advisor_document
from yutang.review.growth_telling import told_advice, told_tree
from yutang.review.growth_tree_queries import growth_tree

Answer = tuple[object, list[object]]


@click.group("growth")
def growth_group() -> None:
    """增长公式 / the growth formula"""


GROUPS = (growth_group,)


@command(growth_group, "tree")
@click.option("--at", default="", help="门店或区域编号 / a node's code")
@click.option("--month", default="", help="哪个月，如 2017-12 / which month")
def tree(shell: Shell, viewer: Viewer, at: str, month: str) -> Answer:
    """变在哪一项、哪家店、哪个渠道 / by which factor, place and source sales changed"""
    found = growth_tree(shell.warehouse, viewer, at, month)
    if found is None:
        raise NotFound("还没有两个月可比。", "There are no two months to compare yet.")
    data = told_tree(found)
    columns = ("name", "sales", "change")
    parts = table(("factor", "part"), list(data["total"]["parts"].items()))
    places = [data["total"], *data["below"]]
    below = table(columns, [[row[name] for name in columns] for row in places])
    sources = table(("source", *columns[1:]), [[row[name] for name in columns] for row in data["sources"]])
    return data, [f"{data['before']} → {data['month']}", parts, below, sources]


@command(growth_group, "advisor")
def advisor(shell: Shell, viewer: Viewer) -> Answer:
    """品类顾问：是哪一类，凭什么 / what kind of category each is, and why"""
    data = [told_advice(one) for one in advice(shell.warehouse, viewer, advisor_document()).value]
    columns = ("category", "kind", "unknown", "buyers", "rate", "price", "again_share", "one_off")
    rows = [[row[name] if row[name] is not None else "-" for name in columns] for row in data]
    return data, [table(columns, rows)]

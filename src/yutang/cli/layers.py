"""Commands over layers."""

from __future__ import annotations

from datetime import timedelta

import click

from yutang.cli.context import Shell, command, table
from yutang.kernel.clock import business_now
from yutang.layers import ladder
from yutang.layers.telling import told_layers, told_move
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("layers")
def layers_group() -> None:
    """分层：RFM、生命周期、客户阶段 / layers: RFM, stages of life, the ladder"""


GROUPS = (layers_group,)


@command(layers_group, "show")
def show(shell: Shell, viewer: Viewer) -> Answer:
    """每一层多少人，值多少钱 / how many are in each layer, and what they spent"""
    found = told_layers(shell.warehouse, viewer)
    columns = ("name", "persons", "reachable", "spend")
    tables = [
        table((key, *columns[1:]), [[row[first], *(row[name] for name in columns[1:])] for row in found[key]])
        for key, first in (("cells", "cell"), ("lifecycle", "name"), ("ladder", "name"))
    ]
    return found, list(tables)


@command(layers_group, "moves")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="过去几天 / of how many days")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="最多几人 / how many")
def moves(shell: Shell, viewer: Viewer, days: int, limit: int) -> Answer:
    """客户阶段里谁升了、谁降了 / who went up and down the ladder"""
    total, found = ladder.moves(shell.warehouse, viewer, business_now() - timedelta(days=days), limit=limit)
    data = [told_move(one) for one in found]
    columns = ("person", "before", "step", "at")
    return {"total": total, "moves": data}, [table(columns, [[row[name] for name in columns] for row in data])]

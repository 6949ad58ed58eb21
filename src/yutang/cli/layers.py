"""Commands over layers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from yutang.cli.context import Shell, command, table
from yutang.kernel.clock import business_now
from yutang.layers import flow, ladder, next_queries, super_users
from yutang.layers.membership import Ends
from yutang.layers.telling import told_flow, told_layers, told_membership, told_move, told_super_user
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import nodes

Answer = tuple[object, list[object]]


@click.group("layers")
def layers_group() -> None:
    """分层：RFM、生命周期、客户阶段 / layers: RFM, stages of life, the ladder"""


GROUPS = (layers_group,)
DAYS = click.IntRange(1, flow.DAYS + 1)


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


@command(layers_group, "flow")
@click.option("--days", type=DAYS, default=14, show_default=True, help="几天 / how many days")
def flowing(shell: Shell, viewer: Viewer, days: int) -> Answer:
    """每天流转：首购、再买、买别的品类、带来朋友 / day by day: who bought first, again, wider, and brought somebody"""
    counted = flow.flow(shell.warehouse, viewer)
    found = counted.value[:days]
    data = {"as_of": counted.as_of.isoformat(), "days": told_flow(found)}
    rates = [("-" if rate is None else f"{rate:.4f}" for rate in one.rates) for one in found]
    rows = [
        [one.day.isoformat(), one.taken[0], *(cell for pair in zip(one.taken[1:], rate, strict=True) for cell in pair)]
        for one, rate in zip(found, rates, strict=True)
    ]
    columns = [cell for step in flow.STEPS[1:] for cell in (step, "rate")]
    return data, [table(("day", flow.STEPS[0], *columns), rows)]


@command(layers_group, "next")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=30, show_default=True, help="最多几对 / how many pairs"
)
def following(shell: Shell, viewer: Viewer, limit: int) -> Answer:
    """买了这个，接着买什么，和猜最热门比谁准 / what leads to what; a back-test against the most popular"""
    found = next_queries.known(shell.warehouse).value
    pairs = found.model.pairs(limit) if found.model else []
    data = {
        "tested": asdict(found.tested) if found.tested else None,
        "pairs": [asdict(one) for one in pairs],
    }
    if found.tested is None:
        return data, [shell.said("还看不出：买新品类的人太少。", "Cannot tell yet: too few came to anything new.")]
    columns = ("measure", "lifts", "popular", "difference", "low", "high")
    tested = [(one.name, *(f"{getattr(one, name):.4f}" for name in columns[1:])) for one in found.tested.measures]
    names = ("has", "next", "support", "confidence", "lift", "low", "high")
    rows = [[one.has, one.next, one.support, *(f"{getattr(one, name):.3f}" for name in names[3:])] for one in pairs]
    return data, [table(columns, tested), table(names, rows)]


@command(layers_group, "super-users")
@click.option("--fees", is_flag=True, help="付费会员各档年费算下来怎样 / what each fee of a membership would bring")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="最多几人 / how many")
def super_users_(shell: Shell, viewer: Viewer, fees: bool, limit: int) -> Answer:
    """超级用户，花得多的在前；邀请谁做付费会员 / super-users; whom to invite to a paid membership"""
    document = super_users.super_users_document()
    if fees:
        found = super_users.membership(shell.warehouse, viewer, document)
        data: dict[str, Any] = told_membership(found, document.membership)
        if found.why:
            return data, [shell.said(f"还看不出（{found.why}）。", f"Cannot tell yet ({found.why}).")]
        rows = [[row.fee, row.invited, *_ends(row.each), *_ends(row.needed_uplift)] for row in found.rows]
        return data, [table(("fee", "invited", "each", "low", "high", "uplift", "low", "high"), rows)]
    codes = {int(node.id): node.code for node in nodes() if viewer.sees(node.id)}
    total, several = super_users.listed(shell.warehouse, viewer, document, limit=limit)
    persons = [told_super_user(row, codes) for row in several]
    columns = ("person", "signs", "spend_365d", "orders_365d", "days_since_last_visit", "home_store")
    lines = [[row[name] if row[name] is not None else "-" for name in columns] for row in persons]
    return {"total": total, "persons": persons}, [table(columns, lines)]


def _ends(given: Ends | None) -> list[object]:
    return ["-"] * 3 if given is None else [f"{end:.2f}" for end in (given.value, given.low, given.high)]

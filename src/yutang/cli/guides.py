"""Commands over guides: how much customers trust them, what they gained, and how their accounts are."""

from __future__ import annotations

from datetime import timedelta

import click

from yutang.cli.context import Shell, command, table
from yutang.guard.accounts.contracts import Level
from yutang.guard.accounts.queries import accounts
from yutang.guard.accounts.telling import told_account
from yutang.kernel.clock import business_now
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import nodes, posts
from yutang.profiles.friends import by_node, net_friends
from yutang.review.telling import told_trust
from yutang.review.trust_queries import guides as trusted

Answer = tuple[object, list[object]]


@click.group("guides")
def guides_group() -> None:
    """导购：信任分、净增好友、账号健康 / guides: trust, net friends, accounts"""


GROUPS = (guides_group,)


@command(guides_group, "trust")
def trust(shell: Shell, viewer: Viewer) -> Answer:
    """导购信任分，高的在前 / the trust score of each guide with its 90 % interval, the highest first"""
    codes = {node.id: node.code for node in nodes()}
    data = [told_trust(one, codes) for one in trusted(shell.warehouse, viewer)]
    columns = ("staff", "store", "value", "low", "high", "standing", "friends", "kept_30", "kept_90")
    return data, [table(columns, [[row[name] if row[name] is not None else "-" for name in columns] for row in data])]


@command(guides_group, "net")
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="过去几天 / of how many days")
def net(shell: Shell, viewer: Viewer, days: int) -> Answer:
    """每家门店的净增好友 = 新增 − 删除 / net new friends of each store: added less lost"""
    codes, now = {node.id: node.code for node in nodes()}, business_now()
    gained = by_node(net_friends(shell.warehouse, viewer, now - timedelta(days=days), now), posts(viewer))
    columns = ("store", "net", "added", "lost", "by_customer", "handed_in", "handed_on")
    rows = [
        (codes.get(store, "-"), one.net, one.added, one.lost, one.by_customer, one.handed_in, one.handed_on)
        for store, one in sorted(gained.items(), key=lambda pair: (-pair[1].net, pair[0]))
    ]
    return [dict(zip(columns, row, strict=True)) for row in rows], [table(columns, rows)]


@command(guides_group, "accounts")
@click.option("--risk", is_flag=True, help="只看有风险的 / those at risk alone")
def account_health(shell: Shell, viewer: Viewer, risk: bool) -> Answer:
    """账号健康和名片缺项，最差的在前 / how accounts are and what their cards lack, the worst first"""
    codes = {node.id: node.code for node in nodes()}
    found = accounts(shell.warehouse, viewer)
    data = [told_account(one, codes) for one in found if not risk or one.level is Level.RISK]
    columns = ("userid", "store", "level", "signs", "missing", "friends", "deleted", "open")
    listed = [[_shown(row[name]) for name in columns] for row in data]
    return data, [table(columns, listed)]


def _shown(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value

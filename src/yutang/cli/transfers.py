"""Commands over the inheritance of customers."""

from __future__ import annotations

import click

from yutang.cli.context import Shell, command, table
from yutang.connect import inheritance
from yutang.connect.inheritance import Preview
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("transfers")
def transfers_group() -> None:
    """客户继承 / handing customers over"""


GROUPS = (transfers_group,)


@command(transfers_group, "waiting")
def waiting(shell: Shell, viewer: Viewer) -> Answer:
    """离职成员还有多少客户没人接 / customers of members who left that wait for somebody"""
    found = inheritance.waiting_for_somebody(viewer)
    data = [{"corp": corp, "handover": member, "customers": count} for (corp, member), count in found.items()]
    return data, [table(("corp", "handover", "customers"), [tuple(row.values()) for row in data])]


@command(transfers_group, "list")
def list_transfers(shell: Shell, viewer: Viewer) -> Answer:
    """转接进行到哪一步 / how transfers stand"""
    found = inheritance.transfers(viewer)
    columns = ("handover", "takeover", "state", "customers", "reason")
    rows = [(one.handover, one.takeover, one.state.value, one.count, one.reason) for one in found]
    return found, [table(columns, rows)]


@command(transfers_group, "preview")
@click.argument("handover")
@click.option("--to", "takers", multiple=True, help="接替的员工账号，可多次 / an account that takes over; repeatable")
@click.option("--store", default="", help="由这家门店的员工平分 / shared evenly by the staff of this store")
def preview(shell: Shell, viewer: Viewer, handover: str, takers: tuple[str, ...], store: str) -> Answer:
    """看看谁会接多少，不发起 / who would take over how many; nothing is asked for"""
    return _shown(shell, inheritance.preview(shell.warehouse, viewer, handover, takers=takers, store=store))


@command(transfers_group, "start")
@click.argument("handover")
@click.option("--to", "takers", multiple=True, help="接替的员工账号，可多次 / an account that takes over; repeatable")
@click.option("--store", default="", help="由这家门店的员工平分 / shared evenly by the staff of this store")
@click.option("--message", default="", help="在职转接成功后发给客户的话 / what customers read after it, on the job")
def start(shell: Shell, viewer: Viewer, handover: str, takers: tuple[str, ...], store: str, message: str) -> Answer:
    """发起转接：24 小时后自动完成，除非客户拒绝 / hand over: done after 24 hours unless the customer refuses"""
    return _shown(
        shell, inheritance.start(shell.warehouse, viewer, handover, takers=takers, store=store, message=message)
    )


def _shown(shell: Shell, found: Preview) -> Answer:
    data = {
        "handover": found.handover,
        "resigned": found.resigned,
        "customers": found.customers,
        "by_taker": dict(found.by_taker),
        "under_way": found.under_way,
        "too_often": found.too_often,
    }
    said = shell.said(
        f"{found.customers} 位客户；另有 {found.under_way} 位正在转接，{found.too_often} 位 90 天内已转接两次",
        f"{found.customers} customers; {found.under_way} more are being handed over, {found.too_often} were twice "
        "within 90 days",
    )
    return data, [table(("takeover", "customers"), sorted(found.by_taker.items())), said]

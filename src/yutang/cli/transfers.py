"""Commands over the inheritance of customers and groups."""

from __future__ import annotations

import click

from yutang.cli.context import Shell, command, table
from yutang.connect import handovers, inheritance
from yutang.connect.handovers import Offer
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("transfers")
def transfers_group() -> None:
    """交接 / handing customers and groups over"""


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


@command(transfers_group, "progress")
def progress(shell: Shell, viewer: Viewer) -> Answer:
    """每场交接：客户和群，还要几天 / every hand-over: customers and groups, days left"""
    data = [
        {
            "corp": one.corp,
            "handover": one.handover,
            "resigned": one.resigned,
            "begun_at": one.begun_at,
            "customers": one.customers.total,
            "customers_done": one.customers.done,
            "customers_failed": one.customers.failed,
            "groups": one.groups.total,
            "groups_done": one.groups.done,
            "groups_failed": one.groups.failed,
            "unassigned": one.unassigned,
            "days_left": one.days_left,
        }
        for one in handovers.all_progress(viewer)
    ]
    columns = ("handover", "customers", "customers_done", "customers_failed", "groups", "groups_done", "groups_failed",
               "days_left")  # fmt: skip
    return data, [table(columns, [[row[name] for name in columns] for row in data])]


@command(transfers_group, "failures")
@click.argument("corp")
@click.argument("handover")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="最多几条 / how many")
def failures(shell: Shell, viewer: Viewer, corp: str, handover: str, limit: int) -> Answer:
    """没成的客户和群，各自的原因和办法 / customers and groups that did not change hands, each with what helps"""
    total, found = handovers.failures(viewer, corp, handover, limit=limit)
    data = [
        {
            "group": one.group or None,
            "person": one.person,
            "name": one.name,
            "takeover": one.takeover,
            "state": one.state.value,
            "zh": one.reason[0],
            "en": one.reason[1],
        }
        for one in found
    ]
    why = shell.said("zh", "en")
    columns = ("name", "takeover", "state", why)
    return {"total": total, "failures": data}, [table(columns, [[row[name] for name in columns] for row in data])]


_TO = click.option(
    "--to", "takers", multiple=True, help="接替的员工账号，可多次 / an account that takes over; repeatable"
)
_STORE = click.option("--store", default="", help="由这家门店的员工平分 / shared evenly by the staff of this store")
_AGAIN = click.option("--again", is_flag=True, help="上次拒绝的客户也再问 / ask those too who refused the last time")
_GROUPS = click.option("--groups/--no-groups", default=True, help="连群一起 / groups go along")


@command(transfers_group, "preview")
@click.argument("handover")
@_TO
@_STORE
@_AGAIN
@_GROUPS
def preview(
    shell: Shell, viewer: Viewer, handover: str, takers: tuple[str, ...], store: str, again: bool, groups: bool
) -> Answer:
    """看看谁会接多少，不发起 / who would take over how many; nothing is asked for"""
    return _shown(
        shell,
        handovers.preview(shell.warehouse, viewer, handover, takers=takers, store=store, again=again, groups=groups),
    )


@command(transfers_group, "start")
@click.argument("handover")
@_TO
@_STORE
@_AGAIN
@_GROUPS
@click.option("--message", default="", help="在职转接成功后发给客户的话 / what customers read after it, on the job")
def start(
    shell: Shell, viewer: Viewer, handover: str, takers: tuple[str, ...], store: str, again: bool, groups: bool,
    message: str,
) -> Answer:  # fmt: skip
    """发起交接：之后自己进行到底 / hand over customers and groups: it goes on by itself until it is through"""
    return _shown(
        shell,
        handovers.start(
            shell.warehouse, viewer, handover, takers=takers, store=store, message=message, again=again, groups=groups
        ),
    )


def _shown(shell: Shell, found: Offer) -> Answer:
    customers, groups = found.customers, found.groups
    data = {
        "handover": customers.handover,
        "resigned": customers.resigned,
        "customers": customers.customers,
        "by_taker": dict(customers.by_taker),
        "under_way": customers.under_way,
        "too_often": customers.too_often,
        "unwilling": customers.unwilling,
        "groups": len(groups.groups),
        "groups_by_taker": dict(groups.by_taker),
        "groups_under_way": groups.under_way,
        "groups_too_often": groups.too_often,
        "days": found.days,
    }
    counts = customers.under_way, customers.too_often, customers.unwilling
    said = shell.said(
        f"{customers.customers} 位客户、{len(groups.groups)} 个群，最快 {found.days} 天；"
        "另有 {} 位正在转接，{} 位 90 天内已转接两次，{} 位上次拒绝".format(*counts),
        f"{customers.customers} customers and {len(groups.groups)} groups, {found.days} days at the soonest; "
        "{} more are being handed over, {} were twice within 90 days, {} refused the last time".format(*counts),
    )
    by_taker, of_groups = customers.by_taker, groups.by_taker
    rows = [(one, by_taker.get(one, 0), of_groups.get(one, 0)) for one in sorted(set(by_taker) | set(of_groups))]
    return data, [table(("takeover", "customers", "groups"), rows), said]

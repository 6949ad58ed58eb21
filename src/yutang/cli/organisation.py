"""Stores and staff."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from django.conf import settings

from yutang.cli.context import Shell, command, headquarters_only, presume, table
from yutang.cli.imports import FILE, pairs
from yutang.intake import rolls
from yutang.kernel.errors import BadInput
from yutang.organisation import departments as directory
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.phones import give_role, make_link
from yutang.organisation.queries import corps, departments, nodes, senders
from yutang.organisation.services import audit

Answer = tuple[object, list[object]]


@click.group("stores")
def stores_group() -> None:
    """门店与区域 / stores and regions"""


@click.group("staff")
def staff_group() -> None:
    """员工与账号 / staff and their accounts"""


GROUPS = (stores_group, staff_group)


@command(stores_group, "list")
def list_stores(shell: Shell, viewer: Viewer) -> Answer:
    """看得到的门店 / the stores that you may see"""
    found = [node for node in nodes() if node.kind is NodeKind.STORE and viewer.sees(node.id)]
    rows = [(one.code, one.name, one.zone, *(f"{degrees:.5f}" for degrees in one.place or ())) for one in found]
    return found, [table(("code", "name", "zone", "latitude", "longitude"), rows)]


@command(stores_group, "import", brand_needed=False)
@click.argument("file", type=FILE)
@click.option("--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="字段=列名 / field=column")
@click.option("--encoding", default=None, help="编码，默认自动 / default: found out")
@click.option("--dry-run", is_flag=True, help="只检查 / check only")
def import_stores(shell: Shell, viewer: Viewer, file: Path, mapping: tuple[str, ...], **options: Any) -> Answer:
    """按名单新建、更新门店和区域 / make and change stores and regions as a list says"""
    headquarters_only(viewer)
    presume()
    return _kept(shell, viewer, "stores", rolls.read_stores(shell.warehouse, file, pairs("--map", mapping), **options))


@command(staff_group, "list")
def list_staff(shell: Shell, viewer: Viewer) -> Answer:
    """看得到的员工账号 / the accounts that you may see"""
    codes = {node.id: node.code for node in nodes()}
    found = senders(viewer)
    rows = [(one.userid, one.name, codes[one.store], one.channel, one.corp, "" if one.active else "–") for one in found]
    return found, [table(("userid", "name", "store", "channel", "corp", ""), rows)]


@command(staff_group, "import", brand_needed=False)
@click.argument("file", type=FILE)
@click.option("--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="字段=列名 / field=column")
@click.option("--channel", default="", help="wecom 或 manual，默认唯一连接的那个 / default: the only one connected")
@click.option("--corp", default="", help="账号所属企业 / whose accounts these are")
@click.option("--encoding", default=None, help="编码，默认自动 / default: found out")
@click.option("--dry-run", is_flag=True, help="只检查 / check only")
def import_staff(
    shell: Shell, viewer: Viewer, file: Path, mapping: tuple[str, ...], channel: str, corp: str, **options: Any
) -> Answer:
    """按名单新建、更新员工账号 / make and change accounts of staff as a list says"""
    headquarters_only(viewer)
    presume()
    channel, corp = _whose(channel, corp)
    report = rolls.read_staff(shell.warehouse, file, pairs("--map", mapping), channel=channel, corp=corp, **options)
    return _kept(shell, viewer, "staff", report)


@command(staff_group, "phone-link")
@click.argument("account")
@click.option("--corp", default="", help="账号所属企业，重名时要写 / whose account it is, where several have it")
def phone_link(shell: Shell, viewer: Viewer, account: str, corp: str) -> Answer:
    """发一个登录手机工作台的一次性链接，只显示一次 / a link that logs in on the phone once; it is shown once"""
    secret, until = make_link(viewer, account, corp)
    link = f"{settings.PUBLIC_ADDRESS}/m/in/{secret}/"
    lines: list[object] = [link, shell.said(f"有效到 {until:%Y-%m-%d %H:%M} UTC", f"until {until:%Y-%m-%d %H:%M} UTC")]
    if urlsplit(link).hostname in ("127.0.0.1", "localhost", "::1"):
        lines.append(
            shell.said(
                "这个地址只在本机打得开：把 YUTANG_ADDRESS 设成手机打得开的地址（https://…），再发一个。",
                "Only this machine opens that address: set YUTANG_ADDRESS to one that phones reach (https://…), and "
                "make another link.",
            )
        )
    return {"link": link, "until": until}, lines


@command(staff_group, "role")
@click.argument("account")
@click.argument("role", type=click.Choice(["guide", "manager"]))
@click.option("--corp", default="", help="账号所属企业，重名时要写 / whose account it is, where several have it")
def role(shell: Shell, viewer: Viewer, account: str, role: str, corp: str) -> Answer:
    """让员工在手机上是本店的导购或店长 / let a member of staff be a guide or the manager of their store"""
    headquarters_only(viewer)
    username = give_role(account, RoleName(role), corp)
    audit(viewer, "give_role", username, role=role)
    return {"user": username, "role": role}, [f"{username}  {role}"]


@command(staff_group, "departments")
@click.argument("corp", required=False)
def list_departments(shell: Shell, viewer: Viewer, corp: str | None) -> Answer:
    """通讯录里的部门各是哪个门店 / which store each department of the directory is"""
    headquarters_only(viewer)
    codes = {node.id: node.code for node in nodes()}
    found = departments(corp)
    rows = [
        (one.corp, str(one.number), str(one.parent or ""), one.name, "" if one.node is None else codes[one.node])
        for one in found
    ]
    return found, [table(("corp", "department", "parent", "name", "store"), rows)]


@command(staff_group, "link")
@click.argument("department", type=int)
@click.argument("store", required=False, default="")
@click.option("--corp", default="", help="哪个企业，默认唯一连接的那个 / default: the only one connected")
def link(shell: Shell, viewer: Viewer, department: int, store: str, corp: str) -> Answer:
    """指定部门是哪个门店；不写门店：都不是 / say which store a department is; without one: none"""
    headquarters_only(viewer)
    channel, corp = _whose("", corp)
    directory.link_department(channel, corp, department, store)
    audit(viewer, "link_department", f"{corp}:{department}", store=store)
    line = shell.said(
        f"部门 {department} {f'是「{store}」' if store else '不是门店'}，下次同步员工时生效",
        f"Department {department} is {f'“{store}”' if store else 'no store'}, from the next sync of staff on",
    )
    return {"department": department, "store": store}, [line]


@command(staff_group, "tree")
@click.argument("department", type=int, required=False)
@click.option("--corp", default="", help="哪个企业，默认唯一连接的那个 / default: the only one connected")
def grow_tree(shell: Shell, viewer: Viewer, department: int | None, corp: str) -> Answer:
    """把部门下的分支建成区域和门店；不写：只匹配 / make regions and stores of a department's branches; none: match"""
    headquarters_only(viewer)
    channel, corp = _whose("", corp)
    directory.make_stores_below(channel, corp, department)
    audit(viewer, "make_stores_below", f"{corp}:{department or ''}")
    line = shell.said(
        "只匹配已有的门店" if department is None else f"部门 {department} 下的分支会在下次同步员工时建成区域和门店",
        "Departments are matched with the stores that are there"
        if department is None
        else f"The branches below department {department} become regions and stores at the next sync of staff",
    )
    return {"department": department}, [line]


def _whose(channel: str, corp: str) -> tuple[str, str]:
    """The corp that was named, else the only one there is, else nobody's: staff who work by hand."""
    if channel or corp:
        return channel or "wecom", corp
    there = [(one.channel, one.corp) for one in corps()]
    if len(there) > 1:
        raise BadInput(
            "连接了不止一个企业，请用 --corp 指明账号属于哪个。", "More than one corp is connected; name one by --corp."
        )
    return there[0] if there else ("manual", "")


def _kept(shell: Shell, viewer: Viewer, what: str, report: rolls.RollReport) -> Answer:
    """What became of a list. Ends with 1 where a row was wrong: then nothing was kept."""
    shell.failed = bool(report.refused)
    lines: list[object] = [
        shell.said(f"第 {one.row} 行的 {one.field}：{one.zh}", f"Row {one.row}, {one.field}: {one.en}")
        for one in report.wrong
    ]
    kept = report.kept
    if report.refused:
        lines.append(shell.said("整份名单都没有存。", "Nothing of the list was kept."))
    else:
        lines.append(
            shell.said(
                f"新增 {kept.new:,}，更新 {kept.changed:,}，没有变化 {kept.same:,}；新建区域 {kept.regions:,} 个",
                f"{kept.new:,} new, {kept.changed:,} changed, {kept.same:,} the same; {kept.regions:,} regions made",
            )
        )
        if report.dry_run:
            lines.append(shell.said("只检查，什么都没有存", "checked only; nothing was kept"))
        else:
            audit(viewer, "keep_list", what, rows=report.rows)
    return report, lines

"""Commands over customer groups."""

from __future__ import annotations

import click

from yutang.cli.context import Shell, command, table
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import NodeKind, Viewer
from yutang.organisation.queries import nodes
from yutang.people import grouped
from yutang.people.contracts import GroupFilter
from yutang.people.telling import shown_group

Answer = tuple[object, list[object]]
COLUMNS = ("id", "name", "owner", "store", "size", "persons", "joined_30d", "left_30d", "last_moved_at")


@click.group("groups")
def groups_group() -> None:
    """客户群 / customer groups"""


GROUPS = (groups_group,)


@command(groups_group, "list")
@click.option("--owner", default="", help="群主的 userid / the owner's userid")
@click.option("--store", default="", help="门店编码 / a store's code")
@click.option("--full/--not-full", default=None, help="扫码已满 / whether nobody comes in by a code any more")
@click.option("--silent", type=click.IntRange(1, 3650), help="这么多天没人进出 / nobody came or left for so many days")
@click.option("--limit", type=click.IntRange(1, 20_000), default=100, show_default=True, help="最多几个 / how many")
def list_groups(
    shell: Shell, viewer: Viewer, owner: str, store: str, full: bool | None, silent: int | None, limit: int
) -> Answer:
    """客户群，人多的在前 / customer groups, the largest first"""
    places = {node.code: node for node in nodes() if node.kind is NodeKind.STORE and viewer.sees(node.id)}
    if store and store not in places:
        raise BadInput(f"没有编号为「{store}」的门店。", f"There is no store with the code “{store}”.")
    asked = GroupFilter(owner=owner, node=places[store].id if store else None, full=full, silent=silent)
    found, total = grouped.groups(viewer, asked, limit=limit)
    codes = {node.id: node.code for node in nodes()}
    data = [shown_group(one, codes) for one in found]
    rows = [[row[name] if row[name] is not None else "-" for name in COLUMNS] for row in data]
    return {"total": total, "groups": data}, [table(COLUMNS, rows)]

"""What staff sent on their own."""

from __future__ import annotations

import click

from yutang.channels.ports.sent import SendKind
from yutang.cli.context import Shell, command, table
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import nodes
from yutang.reach.offgate import By, OffGateFilter, look_at, off_gate

Answer = tuple[object, list[object]]
COLUMNS = (
    "place", "guide", "mass", "groups", "moments", "persons", "could see", "held out", "over cap", "last",
)  # fmt: skip
BY, KINDS = [one.value for one in By], [one.value for one in SendKind]


@click.group("offgate")
def offgate_group() -> None:
    """闸外触达 / what staff sent on their own"""


GROUPS = (offgate_group,)


@command(offgate_group, "list")
@click.option(
    "--by",
    type=click.Choice([one.value for one in By]),
    default=By.GUIDE.value,
    show_default=True,
    help="按什么 / by what",
)
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True, help="近几天 / of so many days")
@click.option("--place", default="", help="大区或门店的编码 / the code of a region or store")
@click.option("--kind", type=click.Choice(KINDS), help="方式 / how it was sent")
@click.option("--limit", type=click.IntRange(1, 20_000), default=100, show_default=True, help="最多几行 / how many")
def list_off_gate(shell: Shell, viewer: Viewer, by: str, days: int, place: str, kind: str | None, limit: int) -> Answer:
    """员工自己发的群发和朋友圈，说到的客户多的在前 / what staff sent on their own, to the most persons first"""
    places = {node.code: node for node in nodes() if viewer.sees(node.id)}
    if place and place not in places:
        raise BadInput(
            f"没有编号为「{place[:60]}」的门店或大区。", f"There is no store or region with the code “{place[:60]}”."
        )
    asked = OffGateFilter(days, places[place].id if place else None, None, SendKind(kind) if kind else None)
    found = off_gate(look_at(shell.warehouse, viewer, asked), By(by)).rows(limit)
    data = [
        {
            "place": row.node.code if row.node else None,
            "guide": row.guide.userid if row.guide else None,
            "kind": row.kind if row.sends == 1 else None,
            "content": row.content if row.sends == 1 else None,
            "mass": row.mass,
            "groups": row.into_groups,
            "moments": row.moments,
            "persons": row.persons,
            "could_see": row.could_see,
            "held_out": row.held_out,
            "over_cap": row.over_cap,
            "last_at": row.last_at,
        }
        for row in found
    ]
    names = ("place", "guide", "mass", "groups", "moments", "persons", "could_see", "held_out", "over_cap")
    rows = [[*(one[name] if one[name] is not None else "-" for name in names), f"{one['last_at']:%Y-%m-%d %H:%M}"]
            for one in data]  # fmt: skip
    return data, [table(COLUMNS, rows)]

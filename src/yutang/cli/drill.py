"""Commands over the ban drill."""

from __future__ import annotations

import click
from django.conf import settings
from django.urls import reverse

from yutang.cli.context import Shell, command, table
from yutang.connect.queries import way as contact_way
from yutang.guard.drill import queries, services
from yutang.guard.drill.contracts import UnitLevel
from yutang.guard.drill.telling import shown_drill, shown_lost, shown_risk
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import node_by_code, nodes

Answer = tuple[object, list[object]]
LEVEL = click.Choice([one.value for one in UnitLevel])


@click.group("drill")
def drill_group() -> None:
    """封号演练 / ban drill"""


GROUPS = (drill_group,)


@command(drill_group, "ranking")
@click.option("--level", type=LEVEL, default="account", show_default=True, help="按账号、企业还是渠道 / by which units")
@click.option("--limit", type=click.IntRange(1, 20_000), default=50, show_default=True, help="最多几个 / how many")
def ranking(shell: Shell, viewer: Viewer, level: str, limit: int) -> Answer:
    """没了谁损失最大 / which single account, corp or channel would cost most"""
    codes = {node.id: node.code for node in nodes()}
    found = queries.ranking(shell.warehouse, viewer, UnitLevel(level)).value[:limit]
    data = [shown_risk(one, codes) for one in found]
    columns = ("of", "userid", "channel", "corp", "store", "reached", "still", "lost")
    return data, [table(columns, [[row[name] if row[name] is not None else "-" for name in columns] for row in data])]


@command(drill_group, "show")
@click.argument("level", type=LEVEL)
@click.argument("of")
def show(shell: Shell, viewer: Viewer, level: str, of: str) -> Answer:
    """没了它还找得到多少人，怎么找 / who is still reached without it, and how, by store"""
    codes = {node.id: node.code for node in nodes()}
    found = queries.drill(shell.warehouse, viewer, queries.unit(viewer, UnitLevel(level), of))
    columns = ("store", "reached", "still", "lost")
    rows = [(codes.get(one.store, "-") if one.store else "-", one.reached, one.still, one.lost) for one in found.stores]
    whole = found.whole
    said = shell.said(
        f"可触达 {whole.reached}，仍可触达 {whole.still}，会失联 {whole.lost}",
        f"{whole.reached} reached, {whole.still} still reached, {whole.lost} lost",
    )
    ways = table(("way", "persons"), sorted(whole.by_way.items()))
    return shown_drill(found, codes), [said, ways, table(columns, rows)]


@command(drill_group, "lost")
@click.argument("level", type=LEVEL)
@click.argument("of")
@click.option("--store", default="", help="门店编码 / a store's code")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="最多几人 / how many")
def lost(shell: Shell, viewer: Viewer, level: str, of: str, store: str, limit: int) -> Answer:
    """会失联的人，花得多的在前 / who would be lost, the dearest first"""
    codes = {node.id: node.code for node in nodes()}
    place = node_by_code(store).id if store else None
    unit = queries.unit(viewer, UnitLevel(level), of)
    total, found = queries.lost(shell.warehouse, viewer, unit, store=place, limit=limit)
    data = [shown_lost(one, codes) for one in found]
    columns = ("person", "store", "orders_ever", "spend_365d")
    rows = [[row[name] if row[name] is not None else "-" for name in columns] for row in data]
    return {"total": total, "persons": data}, [table(columns, rows)]


@command(drill_group, "invite")
@click.argument("level", type=LEVEL)
@click.argument("of")
@click.argument("way")
@click.option("--store", default="", help="只请这家门店的人 / of this store alone")
@click.option("--text", default=services.TEXT, help="文案，含 {link} / what is written, with {link}")
def invite(shell: Shell, viewer: Viewer, level: str, of: str, way: str, store: str, text: str) -> Answer:
    """把会失联的人存为分群，写一份邀请的草稿 / keep who would be lost as a segment; draft the invitation"""
    facts = contact_way(viewer, way)
    made = services.invite(
        shell.warehouse,
        viewer,
        queries.unit(viewer, UnitLevel(level), of),
        way=way,
        address=f"{settings.PUBLIC_ADDRESS}{reverse('landing', args=[facts.slug])}",
        text=text,
        store=node_by_code(store).id if store else None,
    )
    said = shell.said(
        f"{made.persons} 人，分群 {made.segment}，草稿 {made.draft}：在控制台试算后下发",
        f"{made.persons} persons, segment {made.segment}, draft {made.draft}: dry-run and launch it in the console",
    )
    return made, [said]

"""Commands over contact ways and reflex rules."""

from __future__ import annotations

from pathlib import Path

import click

from yutang.cli.context import Shell, command, table
from yutang.connect import queries as ways
from yutang.connect.audiences import PLATFORMS, audience
from yutang.connect.telling import shown
from yutang.kernel.clock import wall_now
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand
from yutang.reflex import queries as reflex

Answer = tuple[object, list[object]]


@click.group("ways")
def ways_group() -> None:
    """活码 / contact ways"""


@click.group("reflex")
def reflex_group() -> None:
    """反应规则 / reflex rules"""


@click.group("audiences")
def audiences_group() -> None:
    """人群回传 / audiences for ad platforms"""


GROUPS = (ways_group, reflex_group, audiences_group)


@command(ways_group, "list")
def list_ways(shell: Shell, viewer: Viewer) -> Answer:
    """活码：花了多少、带来多少 / contact ways with what each cost and brought"""
    found = ways.ways(viewer)
    results = ways.results(shell.warehouse, viewer, found)
    currency = brand().currency
    data = [shown(one, results[one.name], currency) for one in found]
    columns = ("name", "source", "at", "scans", "joined", "first_orders", "spent", "cost", "cost_per_head")
    return data, [table(columns, [[row[name] if row[name] is not None else "-" for name in columns] for row in data])]


@command(ways_group, "show")
@click.argument("name")
def show_way(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """某个活码 / one contact way"""
    facts = ways.way(viewer, name)
    data = shown(facts, ways.results(shell.warehouse, viewer, [facts])[facts.name], brand().currency)
    return {**data, "document": facts.document.as_data()}, [facts.document.as_yaml()]


@command(audiences_group, "export")
@click.argument("segment")
@click.option("--platform", type=click.Choice(tuple(PLATFORMS)), required=True, help="哪个平台 / for which platform")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="写到哪里 / where to")
def export_audience(shell: Shell, viewer: Viewer, segment: str, platform: str, output: Path) -> Answer:
    """同意 ads 的成员的手机号哈希 / hashed phones of the members who consented to ads"""
    found = audience(shell.warehouse, viewer, segment, platform)
    output.write_text("".join(f"{one}\n" for one in found.hashes), encoding="ascii")
    data = {
        "file": str(output),
        "hashes": len(found.hashes),
        "members": found.members,
        "without_consent": found.without_consent,
        "without_phone": found.without_phone,
    }
    said = shell.said(
        f"{found.members:,} 人：{len(found.hashes):,} 个哈希；{found.without_consent:,} 人没有同意，"
        f"{found.without_phone:,} 人没有手机号",
        f"{found.members:,} members: {len(found.hashes):,} hashes; {found.without_consent:,} did not consent, "
        f"{found.without_phone:,} have no phone",
    )
    return data, [said]


@command(reflex_group, "list")
def list_rules(shell: Shell, viewer: Viewer) -> Answer:
    """反应规则做了什么 / what became of the acts of each reflex rule"""
    found = reflex.rule_counts(viewer)
    rows = [
        (one.rule, kind, state, count)
        for one in found
        for kind, states in one.counts.items()
        for state, count in states.items()
    ]
    data = {"at": wall_now(), "waiting": reflex.waiting(), "rules": found}
    return data, [table(("rule", "act", "state", "count"), rows)]

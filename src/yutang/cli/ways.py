"""Commands over contact ways and reflex rules."""

from __future__ import annotations

from pathlib import Path

import click

from yutang.cli.context import Shell, command, table
from yutang.connect import queries as ways
from yutang.connect.audiences import PLATFORMS, audience
from yutang.connect.services import close_way
from yutang.connect.telling import quota_shown, shown
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
    columns = (
        "name",
        "source",
        "at",
        "scans",
        "joined",
        "lost",
        "net",
        "first_orders",
        "spent",
        "cost",
        "cost_per_head",
    )
    return data, [table(columns, [[row[name] if row[name] is not None else "-" for name in columns] for row in data])]


@command(ways_group, "show")
@click.argument("name")
def show_way(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """某个活码 / one contact way"""
    facts = ways.way(viewer, name)
    data = shown(facts, ways.results(shell.warehouse, viewer, [facts])[facts.name], brand().currency)
    return {**data, "document": facts.document.as_data()}, [facts.document.as_yaml()]


@command(ways_group, "close")
@click.argument("name")
@click.option("--open", "again", is_flag=True, help="重新打开 / open it again")
def close(shell: Shell, viewer: Viewer, name: str, again: bool) -> Answer:
    """在平台上关闭一个活码或获客链接 / close a contact way or acquisition link at the platform"""
    stored = close_way(name, viewer, closed=not again)
    data = {"name": name, "version": stored.version, "closed": not again}
    said = shell.said(
        f"{name} 已{'重新打开' if again else '关闭'}，几秒后在平台上生效",
        f"{name} is {'open again' if again else 'closed'}; the platform follows in seconds",
    )
    return data, [said]


@command(ways_group, "quota")
def quota(shell: Shell, viewer: Viewer) -> Answer:
    """获客额度：还剩多少、够用几天 / what is left of the quota of acquisition links"""
    data = [quota_shown(one) for one in ways.quota_outlooks(viewer)]
    columns = ("corp", "balance", "total", "per_day", "days", "lost")
    return data, [table(columns, [[row[name] if row[name] is not None else "-" for name in columns] for row in data])]


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

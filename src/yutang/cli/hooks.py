"""Webhooks: the addresses at which platforms push, what came, and what waits for a better mapping."""

from __future__ import annotations

import click

from yutang.cli.context import Shell, command, headquarters_only, table
from yutang.intake.collect import held
from yutang.intake.hooks import queries, services
from yutang.intake.hooks.contracts import Opened
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("webhooks")
def webhooks_group() -> None:
    """平台推送 / webhooks in"""


GROUPS = (webhooks_group,)


@command(webhooks_group, "list")
def list_hooks(shell: Shell, viewer: Viewer) -> Answer:
    """已打开的地址 / addresses that are open"""
    found = queries.hooks(viewer)
    data = [
        {
            "name": one.name,
            "path": one.path or None,
            "active": one.active,
            "made_at": one.made_at,
            "last_at": one.last_at,
            "refused": one.refused,
        }
        for one in found
    ]
    rows = [(one.name, one.path or "***", "✓" if one.active else "", one.last_at or "-", one.refused) for one in found]
    return data, [table(("name", "path", "active", "last", "refused"), rows)]


@command(webhooks_group, "open")
@click.argument("name")
@click.option("--secret", default="", help="平台的签名密钥；留空则生成 / what the platform signs with; left out, made")
@click.option("--client", default="", help="平台给我们的 client_id / the platform's public name of us")
@click.option("--renew", is_flag=True, help="换新密钥或新地址 / another secret, or another secret address")
def open_hook(shell: Shell, viewer: Viewer, name: str, secret: str, client: str, renew: bool) -> Answer:
    """打开推送地址，密钥只显示一次 / open a webhook's address; its secret is shown once"""
    act = services.renew_hook if renew else services.open_hook
    opened: Opened = act(name, viewer, secret=secret, client=client)
    data = {"name": opened.name, "path": opened.path, "secret": opened.secret or None}
    return data, [opened.path, *([opened.secret] if opened.secret else [])]


@command(webhooks_group, "close")
@click.argument("name")
def close_hook(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """关闭推送地址 / take nothing at an address any more"""
    services.close_hook(name, viewer)
    return {"name": name, "active": False}, [shell.said(f"「{name}」已关闭", f"“{name}” is closed")]


@command(webhooks_group, "deliveries")
@click.argument("name")
@click.option("--limit", default=50, show_default=True, help="至多几次 / at most so many")
def list_deliveries(shell: Shell, viewer: Viewer, name: str, limit: int) -> Answer:
    """最近的推送 / the last deliveries"""
    queries.hook(viewer, name)
    found = queries.deliveries(viewer, name, limit=limit)
    rows = [(one.received_at, one.called, one.outcome.value, one.events, one.problem) for one in found]
    return found, [table(("received", "called", "outcome", "events", "problem"), rows)]


@command(webhooks_group, "replay")
@click.argument("name")
def replay(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """按现在的文档重放留存的推送 / read what is held once more, with the document as it is now"""
    headquarters_only(viewer)
    recorded, left = held.replay(viewer, queries.hook(viewer, name).key)
    said = shell.said(f"{recorded:,} 次已入库，{left:,} 次仍留存", f"{recorded:,} recorded, {left:,} still held")
    return {"recorded": recorded, "held": left}, [said]

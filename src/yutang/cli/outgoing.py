"""Webhooks out: addresses to which events are posted, and what nobody took."""

from __future__ import annotations

import click

from yutang.channels.webhook import queries, services
from yutang.channels.webhook.contracts import ParcelState
from yutang.cli.context import Shell, command, table
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("outgoing")
def outgoing_group() -> None:
    """对外投递 / webhooks out"""


GROUPS = (outgoing_group,)


@command(outgoing_group, "list")
def list_endpoints(shell: Shell, viewer: Viewer) -> Answer:
    """投递地址 / addresses to which events are posted"""
    found = queries.endpoints(viewer)
    rows = [(one.name, one.url, one.off or "on", one.waiting, one.dead, one.last_ok_at or "-") for one in found]
    return found, [table(("name", "url", "state", "waiting", "dead", "last taken"), rows)]


@command(outgoing_group, "add")
@click.argument("name")
@click.argument("url")
@click.option("--type", "types", multiple=True, required=True, help="事件类型，可多次 / an event type, repeatable")
@click.option("--private", is_flag=True, help="可含个人信息 / it may have what is personal")
def add_endpoint(shell: Shell, viewer: Viewer, name: str, url: str, types: tuple[str, ...], private: bool) -> Answer:
    """新增投递地址，密钥只显示一次 / post events to an address; its secret is shown once"""
    fresh = services.add_endpoint(viewer, name, url, types, private=private)
    return {"name": fresh.name, "secret": fresh.secret}, [fresh.secret]


@command(outgoing_group, "ping")
@click.argument("name")
def ping(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """发一次测试 / post a test"""
    answer = services.ping(viewer, name)
    shell.failed = not answer.taken
    said = f"HTTP {answer.status}" if answer.status else answer.reason
    return {"taken": answer.taken, "status": answer.status, "reason": answer.reason}, [said]


@command(outgoing_group, "switch")
@click.argument("name")
@click.argument("state", type=click.Choice(("on", "off")))
def switch(shell: Shell, viewer: Viewer, name: str, state: str) -> Answer:
    """启用或停用 / switch an address on or off"""
    services.switch(viewer, name, on=state == "on")
    return {"name": name, "state": state}, [f"{name} {state}"]


@command(outgoing_group, "letters")
@click.argument("name")
@click.option("--limit", default=50, show_default=True, help="至多几件 / at most so many")
def dead_letters(shell: Shell, viewer: Viewer, name: str, limit: int) -> Answer:
    """死信 / dead letters: what nobody took"""
    queries.endpoint(viewer, name)
    found = queries.parcels(viewer, name, state=ParcelState.DEAD, limit=limit)
    rows = [(one.id, one.uid, one.events, one.tries, one.status or "-", one.reason) for one in found]
    return found, [table(("id", "webhook-id", "events", "tries", "status", "reason"), rows)]


@command(outgoing_group, "redeliver")
@click.argument("name")
def redeliver(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """重投死信 / post dead letters again"""
    count = services.redeliver(viewer, name)
    return {"name": name, "parcels": count}, [shell.said(f"{count:,} 件重新投递", f"{count:,} are posted again")]

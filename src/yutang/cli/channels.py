"""The accounts by which the brand speaks itself: how they are doing, and a test to oneself."""

from __future__ import annotations

import click

from yutang.channels.direct import accounts
from yutang.channels.direct.contracts import Outcome
from yutang.cli.context import Shell, command, table
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("channels")
def channels_group() -> None:
    """渠道账号 / accounts by which the brand speaks itself"""


GROUPS = (channels_group,)


@command(channels_group, "list")
def list_channels(shell: Shell, viewer: Viewer) -> Answer:
    """渠道账号和近 90 天的发送 / the accounts, and what left by them in 90 days"""
    found = accounts.accounts(viewer)
    rows = [
        (one.kind, one.corp, "off" if not one.on else shell.said(*one.trouble) or "on", one.waiting, one.left,
         one.bounced, one.unknown, one.spent)
        for one in found
    ]  # fmt: skip
    return found, [table(("kind", "name", "state", "waiting", "left", "bounced", "unknown", "spent"), rows)]


@command(channels_group, "test")
@click.argument("channel")
@click.argument("name")
@click.argument("recipient")
@click.option("--text", required=True, help="文案，\\n 换行 / the text; \\n breaks the line")
def test_channel(shell: Shell, viewer: Viewer, channel: str, name: str, recipient: str, text: str) -> Answer:
    """给自己试发一条 / send a message to oneself"""
    answer = accounts.send_test(viewer, channel, name, recipient, text.replace("\\n", "\n"))
    shell.failed = answer.outcome is not Outcome.TAKEN
    said = shell.said("服务商收下了", "the provider took it") if not shell.failed else answer.reason
    return {"outcome": answer.outcome.value, "reason": answer.reason}, [said]

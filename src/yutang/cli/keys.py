"""Who may send events to the collect API: write keys."""

from __future__ import annotations

import click

from yutang.cli.context import Shell, command, headquarters_only, presume, table
from yutang.intake.collect import keys
from yutang.log.registry import refresh_vocabulary
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("keys")
def keys_group() -> None:
    """采集写入密钥 / write keys of the collect API"""


GROUPS = (keys_group,)


@command(keys_group, "add", brand_needed=False)
@click.argument("name")
@click.option("--source", required=True, help="来源，如 web / where its events come from, such as web")
@click.option("--type", "types", multiple=True, help="只许这种事件，可多次 / only this event type, repeatable")
@click.option("--rate", default=0, show_default=True, help="每秒事件数，0 不限 / events a second, 0 for no limit")
@click.option("--origin", "origins", multiple=True, help="允许的网页来源，可多次 / origin of pages that may send")
@click.option("--trusted", is_flag=True, help="服务器用：手机号可合并客户 / a server's: phones join persons")
@click.option("--members", is_flag=True, help="userId 是会员号 / its userId is a member number")
def add_key(
    shell: Shell,
    viewer: Viewer,
    name: str,
    source: str,
    types: tuple[str, ...],
    rate: int,
    origins: tuple[str, ...],
    trusted: bool,
    members: bool,
) -> Answer:
    """新建写入密钥，只显示一次 / make a write key; it is shown once"""
    headquarters_only(viewer)
    presume()
    refresh_vocabulary()
    secret = keys.add_key(name, source, types=types, rate=rate, origins=origins, trusted=trusted, members=members)
    organisation.audit(viewer, "add_write_key", name, source=source, trusted=trusted)
    return {"name": name, "key": secret}, [secret]


@command(keys_group, "list")
def list_keys(shell: Shell, viewer: Viewer) -> Answer:
    """写入密钥 / write keys"""
    headquarters_only(viewer)
    found = keys.write_keys()
    data = [
        {
            "name": key.name,
            "source": key.source,
            "types": sorted(key.types),
            "rate": key.rate,
            "origins": key.origins,
            "trusted": key.trusted,
            "members": key.members,
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
        }
        for key in found
    ]
    rows = [(key.name, key.source, "✓" if key.trusted else "", key.rate or "", key.revoked_at or "") for key in found]
    return data, [table(("name", "source", "trusted", "rate", "revoked"), rows)]


@command(keys_group, "revoke")
@click.argument("name")
def revoke_key(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """作废写入密钥 / make a write key useless"""
    headquarters_only(viewer)
    keys.revoke_key(name)
    organisation.audit(viewer, "revoke_write_key", name)
    return {"name": name, "revoked": True}, [name]

"""New keys for old, by the shell."""

from __future__ import annotations

import click

from yutang.cli.context import Shell, command, headquarters_only
from yutang.operations import rotation
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("secrets")
def secrets_group() -> None:
    """加密密钥 / the keys that personal data are encrypted with"""


@command(secrets_group, "rotate")
def rotate(shell: Shell, viewer: Viewer) -> Answer:
    """换新密钥，加密的资料全部换过去；中断后再运行即继续 / make new keys, seal everything anew; again to go on"""
    headquarters_only(viewer)
    unfinished = rotation.status().unfinished
    ring = rotation.begin()
    if not unfinished:
        organisation.audit(viewer, "rotate_keys", ring.active)
    sealer, done = rotation.Sealer(), 0

    def progress(place: str, count: int) -> None:
        nonlocal done
        done += count
        click.echo(f"{place} +{count:,} ({done:,})", err=True)

    while sealer.turn(60.0, progress) and sealer.busy:
        continue
    return _told(shell, rotation.status())


@command(secrets_group, "status")
def status(shell: Shell, viewer: Viewer) -> Answer:
    """密钥轮换到了哪里 / how the rotation of keys stands"""
    headquarters_only(viewer)
    return _told(shell, rotation.status())


def _told(shell: Shell, found: rotation.Rotation) -> Answer:
    zh, en = rotation.said(found)
    lines: list[object] = [shell.said(zh, en), *(f"  {place}  {count:,}" for place, count in found.left.items())]
    return found, lines

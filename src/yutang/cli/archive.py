"""Commands over the session archive: what it lacks, and giving it what is the owner's to give."""

from __future__ import annotations

from typing import TextIO

import click

from yutang.channels.archive import setting_up
from yutang.cli.context import Shell, command, table
from yutang.organisation.contracts import Viewer

Answer = tuple[object, list[object]]


@click.group("archive")
def archive_group() -> None:
    """会话存档 / the session archive"""


GROUPS = (archive_group,)


@command(archive_group, "show")
@click.argument("corp")
def show(shell: Shell, viewer: Viewer, corp: str) -> Answer:
    """还差什么，读到哪里 / what it lacks, and how far it was read"""
    found = setting_up.standing(viewer, corp)
    yes, no = shell.said("有", "yes"), shell.said("没有", "no")
    facts = found.facts
    rows = [
        (shell.said("Secret", "secret"), yes if facts else no),
        (shell.said("私钥版本", "versions of private keys"), ", ".join(map(str, found.keys)) or no),
        (shell.said("SDK", "library"), found.library if found.library_there else no),
        (shell.said("已保存的消息", "messages kept"), facts.kept if facts else 0),
        (shell.said("打不开的消息", "messages unopened"), facts.unopened if facts else 0),
        (shell.said("缺的私钥版本", "keys missing"), ", ".join(map(str, facts.missing_keys)) if facts else ""),
    ]
    return found, [table(("", corp), rows)]


@command(archive_group, "open")
@click.argument("corp")
@click.argument("secret", type=click.File(encoding="utf-8"))
def open_archive(shell: Shell, viewer: Viewer, corp: str, secret: TextIO) -> Answer:
    """设置存档，SECRET 是写着 Secret 的文件（- 为标准输入） / set it up; SECRET is a file with its secret (-: stdin)"""
    setting_up.keep_secret(viewer, corp, secret.read())
    return {"corp": corp}, [shell.said("已保存。", "Kept.")]


@command(archive_group, "key")
@click.argument("corp")
@click.argument("version", type=click.IntRange(1, 1_000_000))
@click.argument("pem", type=click.File(encoding="utf-8"))
def key(shell: Shell, viewer: Viewer, corp: str, version: int, pem: TextIO) -> Answer:
    """加一把私钥：后台显示的版本号和 PEM 文件 / add a private key: its version in the admin console, a PEM file"""
    setting_up.keep_key(viewer, corp, version, pem.read())
    return {"corp": corp, "version": version}, [shell.said("已保存。", "Kept.")]

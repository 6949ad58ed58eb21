"""The `yutang` command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from yutang import __version__
from yutang.app import house
from yutang.kernel.errors import YutangError

if TYPE_CHECKING:
    from yutang.cli.context import Opener


def language() -> str:
    """The reader's language: YUTANG_LANG, else the shell's own."""
    chosen = os.environ.get("YUTANG_LANG") or os.environ.get("LANG", "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def main() -> None:
    """Entry point."""
    try:
        house.configure(house.data_directory())
    except YutangError as error:  # YUTANG_DATABASE; every other setting has a value that holds
        click.echo(error.sentence(language()), err=True)
        raise SystemExit(1) from None
    root()()


def root(opener: Opener | None = None) -> click.Group:
    """The root group with every room's commands; built once Django is set up, since commands use models.

    `opener` opens the house (default: that of the data directory).
    """
    from yutang.app import commands as whole
    from yutang.cli import (
        access,
        archive,
        channels,
        commands,
        content,
        drill,
        execution,
        groups,
        growth,
        guides,
        hooks,
        imports,
        keys,
        layers,
        lists,
        offgate,
        organisation,
        outgoing,
        persons,
        sameness,
        traits,
        transfers,
        values,
        ways,
    )
    from yutang.cli.context import Shell

    @click.group()
    @click.version_option(__version__)
    @click.pass_context
    def yutang(context: click.Context) -> None:
        """Yutang 鱼塘：私域运营平台 / the operations platform for private domains. Data: $YUTANG_DATA or ./data."""
        context.obj = Shell(opener or house.open_house, language())

    yutang.add_command(imports.import_group)
    modules = (
        commands,
        access,
        organisation,
        keys,
        layers,
        ways,
        traits,
        transfers,
        execution,
        values,
        groups,
        growth,
        guides,
        hooks,
        channels,
        outgoing,
        persons,
        lists,
        drill,
        offgate,
        content,
        archive,
    )
    for module in modules:
        for group in module.GROUPS:
            yutang.add_command(group)
    commands.plan(yutang)
    sameness.add_match(yutang)
    whole.add_to(yutang)
    return yutang


if __name__ == "__main__":
    main()

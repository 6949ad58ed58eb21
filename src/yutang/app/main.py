"""The `yutang` command."""

from __future__ import annotations

import os
import sys

import click

from yutang import __version__
from yutang.app import house
from yutang.cli.context import Shell, fail
from yutang.kernel.errors import YutangError


def language() -> str:
    """The reader's language: YUTANG_LANG, else the shell's own."""
    chosen = os.environ.get("YUTANG_LANG") or os.environ.get("LANG", "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def main() -> None:
    """Entry point."""
    try:
        house.prepare(house.data_directory())
        root()(standalone_mode=True)
    except YutangError as error:
        fail(error, "--json" in sys.argv, language())


def root() -> click.Group:
    """The root group with every room's commands; built once Django is set up, since commands use models."""
    from yutang.app import commands as whole
    from yutang.cli import commands

    @click.group()
    @click.version_option(__version__)
    @click.pass_context
    def yutang(context: click.Context) -> None:
        """Yutang 鱼塘：私域运营平台 / the operations platform for private domains. Data: $YUTANG_DATA or ./data."""
        context.obj = Shell(house.open_ready, language())

    for group in (commands.import_group, commands.segments_group, commands.plans_group, commands.rebuild_group):
        yutang.add_command(group)
    commands.plan(yutang)
    whole.add_to(yutang)
    return yutang


if __name__ == "__main__":
    main()

"""The commands that need the whole house: up, demo, doctor, reference."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import click
from django.db import transaction

from yutang.app import house
from yutang.app.corps import corps_group
from yutang.app.secrets import secrets_group
from yutang.app.warehouse import warehouse_group
from yutang.channels.sync.contracts import RunState
from yutang.cli.context import Shell, answering, command, headquarters_only, show, table
from yutang.kernel.database import is_shared
from yutang.kernel.errors import Refused
from yutang.operations import doctor as operations
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand_or_presumed, is_set_up
from yutang.playbooks.services import keep_shipped

AFTER_YOU = 3.0  # seconds in which a worker may become the owner of the warehouse, rather than who answers people


def add_to(group: click.Group) -> None:
    """Add these commands to the root group."""
    group.add_command(up)
    for each in (web, worker, clock):
        group.add_command(each)
    group.add_command(reference)
    group.add_command(secrets_group)
    group.add_command(warehouse_group)
    group.add_command(corps_group)

    @command(group, "demo", brand_needed=False)
    def demo(shell: Shell, viewer: Viewer) -> tuple[object, list[object]]:
        """装入演示数据并显示总数 / load the demo and print its totals"""
        from yutang.demo.load import load_demo, totals

        headquarters_only(viewer)
        load_demo(shell.warehouse, _sandbox(), lambda text: click.echo(text, err=True))
        found = totals(shell.warehouse)
        return found, [f"{name} {value:,}" for name, value in found.items()]

    @command(group, "sync")
    @click.argument("kind", default="")
    @click.option("--corp", default="", help="只同步这个企业 / of this corp only")
    def sync(shell: Shell, viewer: Viewer, kind: str, corp: str) -> tuple[object, list[object]]:
        """把平台上的客户、标签等重读一遍，补上回调漏掉的 / read platforms anew, and find what callbacks missed"""
        from yutang.app.syncing import sync_now

        runs = sync_now(viewer, kind, corp, lambda text: click.echo(text, err=True))
        shell.failed = any(run.state is RunState.FAILED for run in runs)
        rows = [
            (run.corp, run.kind, run.state, run.found.read, run.found.added, run.found.changed, run.found.ended,
             shell.said(*run.error) or shell.said(*run.found.note))
            for run in runs
        ]  # fmt: skip
        return runs, [table(("corp", "kind", "state", "read", "added", "changed", "ended", "note"), rows)]

    @command(group, "doctor", brand_needed=False)
    def doctor(shell: Shell, viewer: Viewer) -> tuple[object, list[object]]:
        """检查安装并说明怎么办；有问题时以 1 结束 / look at everything that can be wrong; ends with 1 if anything is"""
        headquarters_only(viewer)
        found = operations.examine(shell.warehouse, house.data_directory())
        shell.failed = not all(item.ok for item in found)
        data = {"ok": not shell.failed, "findings": found, "totals": operations.totals(shell.warehouse)}
        lines: list[object] = [f"{'✓' if item.ok else '✗'} {shell.said(item.zh, item.en)}" for item in found]
        return data, lines


@click.command("up")
@click.option("--port", default=8000, show_default=True, help="只监听本机 / loopback only; 0 picks a free one")
@click.option("--with-demo", is_flag=True, help="空目录里装入演示数据 / load the demo into an empty data directory")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出地址 / print the address as JSON")
@click.pass_obj
def up(shell: Shell, port: int, with_demo: bool, as_json: bool) -> None:
    """启动：网页、时钟、沙盒，一个进程 / start everything in one process"""
    from yutang.app import serve  # not above: other commands need no web server, and would wait for it
    from yutang.demo.load import load_demo

    with answering(as_json, shell.language):
        opened = house.open_house()
        try:
            if with_demo and (not is_set_up() or organisation.unfinished_demo()):
                load_demo(opened.warehouse, _sandbox(), lambda text: click.echo(text, err=as_json))
            if is_set_up():
                keep_shipped()
                organisation.add_owner()
            ready = is_set_up()
            presumed = brand_or_presumed().presumed
            password = organisation.print_password("owner") if ready else None
            with suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
                serve.serve(opened, port, lambda address: _greet(address, ready, presumed, password, as_json))
            click.echo("再见 / stopped", err=True)
        finally:
            opened.close()
    sys.stdout.flush()
    os._exit(0)  # threads of the web server may still hold database objects, whose ends would be noise


@click.command("web")
@click.option("--port", default=8000, show_default=True, help="只监听本机 / loopback only; 0 picks a free one")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出地址 / print the address as JSON")
@click.pass_obj
def web(shell: Shell, port: int, as_json: bool) -> None:
    """只应答网页与接口（需要 PostgreSQL）/ answer requests only; needs PostgreSQL"""
    from yutang.app import serve

    def greet(address: str) -> None:
        click.echo(json.dumps({"address": address}) if as_json else f"鱼塘 Yutang web  {address}")

    _apart(shell, "web", as_json, lambda opened: serve.web(opened, port, greet), after_you=AFTER_YOU)


@click.command("worker")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出 / print JSON")
@click.pass_obj
def worker(shell: Shell, as_json: bool) -> None:
    """只做后台的活（需要 PostgreSQL）/ pump, hand out, read back, react; needs PostgreSQL"""
    _share(shell, "worker", as_json)


@click.command("clock")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出 / print JSON")
@click.pass_obj
def clock(shell: Shell, as_json: bool) -> None:
    """只做到点该做的事（需要 PostgreSQL）/ plan what is due, end what is over; needs PostgreSQL"""
    _share(shell, "clock", as_json)


def _share(shell: Shell, name: str, as_json: bool) -> None:
    from yutang.app import serve
    from yutang.operations.roles import Share

    def greet() -> None:
        click.echo(json.dumps({"ready": name}) if as_json else f"鱼塘 Yutang {name}")

    _apart(shell, name, as_json, lambda opened: serve.work(opened, Share(name), greet))


def _apart(
    shell: Shell, name: str, as_json: bool, run: Callable[[house.House], None], *, after_you: float = 0.0
) -> None:
    """Run one of several processes. Raises Refused on SQLite."""
    with answering(as_json, shell.language):
        if not is_shared():
            raise Refused(
                f"yutang {name} 要和别的进程一起读写同一个数据库，SQLite 一次只让一个进程写入。请运行 yutang up，"
                "或把 YUTANG_DATABASE 设为 postgresql://… 后再分开运行。",
                f"`yutang {name}` shares its database with other processes, and SQLite lets one process write at a "
                "time. Run `yutang up`, or set YUTANG_DATABASE to postgresql://… and then run them apart.",
            )
        opened = house.open_house(after_you=after_you)
        try:
            if is_set_up():
                with transaction.atomic():
                    keep_shipped()
            with suppress(KeyboardInterrupt):
                run(opened)
            click.echo("再见 / stopped", err=True)
        finally:
            opened.close()
    sys.stdout.flush()
    os._exit(0)  # as with `up`


def _sandbox() -> Path:
    from yutang.app import serve

    return serve.sandbox_directory(house.data_directory())


def _greet(address: str, ready: bool, presumed: bool, password: str | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"address": address, "user": "owner", "password": password}))
        return
    click.echo(f"\n  鱼塘 Yutang  {address}")
    if ready and presumed:
        click.echo(f"  请确认品牌、币种和时区 / confirm brand, currency and time zone: {address}/set-up/")
    if not ready:
        click.echo("  打开网页完成设置 / open it to set up the brand\n")
    elif password:
        click.echo(f"  用户 user      owner\n  一次性密码 one-time password  {password}\n")
    else:
        click.echo("  用户 user      owner（您自己的密码 / your own password）\n")


@click.command("reference")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出 / print JSON")
@click.pass_context
def reference(context: click.Context, folder: Path, as_json: bool) -> None:
    """由代码写出参考文档 / write the reference from the code"""
    from yutang.app.reference import write_reference

    with answering(as_json, context.obj.language):
        written = write_reference(folder, cast("click.Group", context.find_root().command))
    show({"files": written}, written, as_json)

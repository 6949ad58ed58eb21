"""`yutang import KIND FILE`: every kind of list, by the one importer that the console uses too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from yutang.cli.context import Shell, command, headquarters_only, presume
from yutang.intake import imports
from yutang.intake.kinds.contracts import Kind
from yutang.intake.kinds.every import KINDS
from yutang.intake.kinds.fields import field
from yutang.intake.reports import ImportReport
from yutang.intake.reports import Progress as Told
from yutang.kernel.clock import business_now, monotonic
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import PRESUMED, Viewer
from yutang.organisation.queries import is_set_up
from yutang.profiles import services as profiles

Answer = tuple[object, list[object]]
FILE = click.Path(path_type=Path)  # whether it is there is said by whoever reads it, in both languages
STAGES = {
    "reading": ("读取", "reading"),
    "writing": ("整理", "writing"),
    "appending": ("入库", "appending"),
}
OPTIONS = (
    click.argument("file", type=FILE),
    click.option("--map", "mapping", multiple=True, metavar="NAME=COLUMN", help="字段=列名 / field=column"),
    click.option("--set", "constants", multiple=True, metavar="NAME=VALUE", help="整个文件同一个值 / for all rows"),
    click.option("--source", default="import", show_default=True, help="来源 / whose numbers these are"),
    click.option("--corp", default="", help="external_userid 所属企业 / whose external_userids these are"),
    click.option("--zone", default=None, help="没写时区的时间属于哪个 / zone of times that carry none"),
    click.option("--encoding", default=None, help="编码，默认自动 / default: found out"),
    click.option("--skip-bad", is_flag=True, help="跳过有问题的行 / go on without the bad rows"),
    click.option("--dry-run", is_flag=True, help="只检查 / check only"),
)


@click.group("import")
def import_group() -> None:
    """导入 / bring files in"""


def _add(kind: Kind) -> None:
    def run(
        shell: Shell, viewer: Viewer, file: Path, mapping: tuple[str, ...], constants: tuple[str, ...], **options: Any
    ) -> Answer:
        _begin(viewer, file, options["dry_run"])
        with _progress(shell) as told:
            report = imports.import_file(
                shell.warehouse, kind.name, file, mapping=pairs("--map", mapping), author=viewer.name,
                constants=pairs("--set", constants), progress=told, **options,
            )  # fmt: skip
        return _imported(shell, report, options["skip_bad"])

    run.__doc__ = f"导入{kind.zh} / import {kind.en}: CSV, TSV, Excel, Parquet, JSON lines"
    for option in reversed(OPTIONS):
        run = option(run)
    command(import_group, kind.name, brand_needed=False)(run)


for _kind in KINDS.values():
    _add(_kind)


def _begin(viewer: Viewer, file: Path, dry_run: bool) -> None:
    """Make the brand that the file is imported into, if there is none. A dry run decides nothing, and says so."""
    headquarters_only(viewer)
    if not dry_run:
        if file.exists():  # a name that was typed wrongly begins nothing
            presume()
    elif not is_set_up():
        click.echo(
            f"品牌还没有设置，先按默认（{PRESUMED.currency}，{PRESUMED.zone}）检查。 The brand is not set up yet; "
            f"the file was checked as if it were {PRESUMED.currency}, {PRESUMED.zone}.",
            err=True,
        )


@contextmanager
def _progress(shell: Shell) -> Iterator[Told]:
    """A bar with the rate and the time left, on standard error, for whoever looks at a terminal."""
    if not sys.stderr.isatty():
        yield lambda stage, done, of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _bar(shell, shown)


def _bar(shell: Shell, shown: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, tuple[TaskID, float]] = {}

    def told(stage: str, done: int, of: int) -> None:
        if stage not in tasks:
            tasks[stage] = (shown.add_task(shell.said(*STAGES[stage]), rate=""), monotonic())
        task, since = tasks[stage]
        unit = shell.said("行/秒", "rows/s") if stage == "reading" else shell.said("块/秒", "parts/s")
        rate = done / max(monotonic() - since, 0.001)
        shown.update(task, completed=done, total=of, rate=f"{done:,} / {of:,} · {rate:,.0f} {unit}")

    return told


def _imported(shell: Shell, report: ImportReport, skip_bad: bool) -> Answer:
    """What became of a file. A dry run ends as the import itself would: with 1 where rows are bad and not skipped."""
    if report.accepted and not report.dry_run:
        profiles.refresh(shell.warehouse, business_now())
    shell.failed = bool(report.refused) and not skip_bad
    lines = [
        *_read_as(shell, report),
        shell.said(
            f"{report.rows:,} 行：可用 {report.accepted:,}，不能导入 {report.refused:,}；"
            f"客户 {report.persons:,} 位：新 {report.persons_new:,}，已有 {report.persons_known:,}",
            f"{report.rows:,} rows: {report.accepted:,} accepted, {report.refused:,} refused; "
            f"{report.persons:,} persons: {report.persons_new:,} new, {report.persons_known:,} known",
        ),
        shell.said("只检查，什么都没有导入", "checked only; nothing was imported")
        if report.dry_run
        else shell.said(
            f"{report.events:,} 个事件，其中 {report.already_there:,} 个以前就有",
            f"{report.events:,} events, {report.already_there:,} of them already there",
        ),
    ]
    if report.unknown_stores:
        lines.append(f"{shell.said('没有这些门店：', 'unknown stores: ')}{', '.join(report.unknown_stores)}")
    if report.error_file:
        lines.append(f"{shell.said('逐行原因：', 'every reason: ')}{report.error_file}")
    return report, [*lines]


def _read_as(shell: Shell, report: ImportReport) -> Iterator[str]:
    """How the file was understood where it did not say so itself: nothing is guessed silently."""
    if report.header > 1 or report.sheet:
        sheet = shell.said(f"工作表「{report.sheet}」，", f"sheet “{report.sheet}”, ") if report.sheet else ""
        yield sheet + shell.said(f"列名在第 {report.header} 行", f"the header is row {report.header}")
    if report.guessed:
        pairs = (f"{name}={report.columns[name]}" for name in report.guessed)
        yield shell.said("按列名认出：", "told by their names: ") + ", ".join(pairs)


def pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    """What `option`, given again and again, says of each field."""
    result = {}
    for pair in given:
        name, found, value = pair.partition("=")
        if not found or not name or not value:
            right = "字段=列名" if option == "--map" else "字段=值"
            raise BadInput(
                f"{option} 应写成 {right}，而不是「{pair}」。",
                f"{option} takes field={'column' if option == '--map' else 'value'}, not “{pair}”.",
            )
        result[name] = value
    return result


def reference() -> Iterator[str]:
    """Every kind and its fields, for the reference."""
    yield from (
        "CSV and TSV (UTF-8, GB18030), Excel (.xlsx, .xls), Parquet, JSON lines. The header may stand below titles, or",
        "in two rows with merged cells. A column is a field's by `--map`, else as it was when a file of that source",
        "and those columns was last imported, else by its name: the field's, or one of `intake/kinds/synonyms.yaml`.",
        "`--set` gives a field one value for the whole file. Case, spaces and signs of names do not matter.",
        "",
    )
    for kind in KINDS.values():
        yield from (f"## `{kind.name}` {kind.zh}", "", f"`yutang import {kind.name} FILE`", "")
        groups = (("needed", kind.required), ("at least one of", kind.one_of), ("who, at least one of", kind.identity))
        for title, names in (*groups, ("may be there", kind.optional)):
            if names:
                yield f"- {title}: " + ", ".join(f"`{name}` {field(name).zh}" for name in names)
        if kind.constants:
            yield "- `--set` for: " + ", ".join(f"`{name}`" for name in kind.constants)
        yield ""

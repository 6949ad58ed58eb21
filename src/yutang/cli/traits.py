"""Traits: what is known of persons, shipped and the brand's own."""

from __future__ import annotations

from pathlib import Path

import click

from yutang.cli.context import Shell, command, table
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import Viewer
from yutang.playbooks.services import read_file
from yutang.profiles.documents import TraitDocument
from yutang.profiles.spread import spread
from yutang.profiles.traits import TRAITS
from yutang.segments.services import remove_trait

Answer = tuple[object, list[object]]


@click.group("traits")
def traits_group() -> None:
    """客户属性 / traits of persons"""


GROUPS = (traits_group,)


@command(traits_group, "list")
def list_traits(shell: Shell, viewer: Viewer) -> Answer:
    """全部客户属性 / every trait, shipped and the brand's own"""
    own = {document.name for document in TRAITS.documents}
    data = [
        {
            "name": trait.name,
            "type": trait.type,
            "title": {"zh": trait.zh, "en": trait.en},
            "own": trait.name in own,
        }
        for trait in TRAITS.values()
    ]
    rows = [
        (trait.name, shell.said(trait.zh, trait.en), trait.type.value, "✓" if trait.name in own else "")
        for trait in TRAITS.values()
    ]
    return data, [table(("name", "title", "type", "own"), rows)]


@command(traits_group, "check")
@click.argument("file", type=click.Path(path_type=Path))
def check_file(shell: Shell, viewer: Viewer, file: Path) -> Answer:
    """检查属性文档并试算，不保存 / check a trait document and try it on a sample; nothing is kept"""
    document = read_file(file)
    if not isinstance(document, TraitDocument):
        raise BadInput(f"{file} 不是客户属性（kind: trait）。", f"{file} is not a trait (kind: trait).")
    found = spread(shell.warehouse, viewer, document)
    bars = [{"value": bar.value, "until": bar.until, "persons": bar.persons} for bar in found.bars]
    looked_at = {"sample": found.persons, "known": found.known}
    data = {"name": document.name, "type": found.trait.type, **looked_at, "bars": bars}
    spread_out = [
        (bar.value if bar.until is None else f"{bar.value:,g} – {bar.until:,g}", bar.persons) for bar in found.bars
    ]
    lines: list[object] = [
        shell.said(
            f"{document.name}（{found.trait.type}）：抽样 {found.persons:,} 人，{found.known:,} 人有值",
            f"{document.name} ({found.trait.type}): {found.known:,} of {found.persons:,} looked at have a value",
        ),
        table(("value", "persons"), spread_out),
    ]
    return data, lines


@command(traits_group, "remove")
@click.argument("name")
def remove(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """删除自定义属性 / let a trait of the brand's own be no more"""
    remove_trait(name, viewer)
    return {"name": name, "removed": True}, [shell.said(f"已删除 {name}", f"removed {name}")]

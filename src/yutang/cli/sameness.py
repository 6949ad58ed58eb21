"""Commands over who is who: merging, splitting, undoing, and looking for doubles."""

from __future__ import annotations

import click

from yutang.cli.context import Shell, command, table
from yutang.cli.persons import persons_group
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.people import decisions, matching, sameness
from yutang.people.queries import person_card

Answer = tuple[object, list[object]]
NUMBER = click.IntRange(1, 2**63 - 1)
REASON = click.option("--reason", required=True, help="理由，会留下记录 / why; it is kept")


@command(persons_group, "merge")
@click.argument("first", type=NUMBER)
@click.argument("second", type=NUMBER)
@REASON
def merge_persons(shell: Shell, viewer: Viewer, first: int, second: int, reason: str) -> Answer:
    """两位客户其实是同一人 / decide that two persons are one"""
    number = decisions.merge_persons(viewer, PersonId(first), PersonId(second), reason)
    return {"decision": number}, [_undo(shell, number)]


@command(persons_group, "split")
@click.argument("person", type=NUMBER)
@click.option(
    "--out",
    "named",
    multiple=True,
    required=True,
    metavar="KIND[:NAMESPACE]=VALUE",
    help="属于另一个人的标识，可多次 / an identifier that is somebody else's, repeatable",
)
@REASON
def split_person(shell: Shell, viewer: Viewer, person: int, named: tuple[str, ...], reason: str) -> Answer:
    """把一位客户拆开 / decide that some identifiers of a person are somebody else's"""
    who = PersonId(person)
    out = decisions.rows_named(viewer, who, [_named(text) for text in named])
    number = decisions.split_person(viewer, who, out, reason)
    return {"decision": number}, [_undo(shell, number)]


def _named(text: str) -> tuple[str, str | None, str]:
    place, equals, value = text.partition("=")
    kind, colon, namespace = place.partition(":")
    if not (equals and kind and value):
        raise BadInput(
            "标识请写成 KIND=VALUE，如 phone=13800138000 或 member:till=M-1001。",
            "Write an identifier as KIND=VALUE, such as phone=13800138000 or member:till=M-1001.",
        )
    return kind, namespace if colon else None, value


@command(persons_group, "undo")
@click.argument("decision", type=NUMBER)
@REASON
def undo(shell: Shell, viewer: Viewer, decision: int, reason: str) -> Answer:
    """撤销一个决定，恢复原样 / withdraw a decision: persons are as if it had never been made"""
    decisions.withdraw(viewer, decision, reason)
    return {"decision": decision}, [shell.said("已撤销。", "Withdrawn.")]


@command(persons_group, "history")
@click.argument("person", type=NUMBER)
def history(shell: Shell, viewer: Viewer, person: int) -> Answer:
    """一位客户是怎么合成的 / how a person came to be one"""
    found = sameness.history(viewer, person_card(viewer, PersonId(person)))
    seen = [(f"{one.at:%Y-%m-%d %H:%M}", one.first.shown, one.second.shown) for one in found.seen]
    decided = [
        (one.number, one.kind.value, f"{one.at:%Y-%m-%d %H:%M}", one.by, one.reason, "" if one.open else "✗")
        for one in found.decisions
    ]
    lines: list[object] = [table(("at", "seen", "beside"), seen)] if seen else []
    if decided:
        lines.append(table(("decision", "kind", "at", "by", "reason", "withdrawn"), decided))
    return found, lines


@command(persons_group, "suspects")
def suspects(shell: Shell, viewer: Viewer) -> Answer:
    """疑似同一人的客户 / pairs of persons who may be one"""
    found = sameness.suspects(viewer)
    rows = [
        (
            str(one.first),
            str(one.second),
            "-" if one.score is None else f"{one.score:.3f}",
            ", ".join(f"{each.field} {each.level}" for each in one.agreements),
        )
        for one in found
    ]
    return found, [table(("first", "second", "score", "evidence"), rows)]


def _undo(shell: Shell, number: int) -> str:
    return shell.said(
        f"已记下（决定 {number}）。撤销：yutang persons undo {number} --reason …",
        f"Kept as decision {number}. To withdraw it: yutang persons undo {number} --reason …",
    )


def add_match(group: click.Group) -> None:
    """Add `match` to the root group."""

    @command(group, "match")
    def match(shell: Shell, viewer: Viewer) -> Answer:
        """查找疑似同一人，只列出、不合并 / look for persons who are there twice; merges nobody"""
        report = matching.match(viewer, shell.warehouse)
        said = shell.said(
            f"比较了 {report.persons:,} 位客户，{report.found:,} 对疑似同一人，其中 {report.new:,} 对是新的。"
            "请在控制台「核对身份」里逐对决定。",
            f"Compared {report.persons:,} persons: {report.found:,} pairs may be one, {report.new:,} of them new. "
            "Decide on them in the console, under Who is who.",
        )
        return report, [said]

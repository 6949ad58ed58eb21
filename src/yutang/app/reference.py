"""docs/reference, written from the code: commands, traits, segment rules, events, gate rules, API operations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from yutang.api.routes import api
from yutang.kernel.documents import KINDS
from yutang.log.vocabulary import VOCABULARY
from yutang.profiles.traits import TRAITS
from yutang.reach.gate import ARMS, ROW_RULES
from yutang.reach.gate.contracts import RuleName


def write_reference(folder: Path, root: click.Group) -> list[str]:
    """Write every page into `folder`; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = pages_of(root)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(pages)


def pages_of(root: click.Group) -> dict[str, str]:
    """The reference's pages by file name."""
    return {
        "commands.md": _page("Commands 命令", _commands(root, "yutang")),
        "events.md": _page("Events 事件", _events()),
        "traits.md": _page("Traits 客户属性", _traits()),
        "gate.md": _page("Gate rules 触达规则", _rules()),
        "documents.md": _page("Documents 文档", _documents()),
        "api.md": _page("HTTP API", _api()),
    }


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([f"# {title}", "", "Written from the code by `make docs`; do not edit.", "", *lines]) + "\n"


def _commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        full = f"{path} {name}"
        if isinstance(command, click.Group):
            yield from _commands(command, full)
            continue
        yield f"## `{full}`"
        yield ""
        yield (command.help or "").strip()
        yield ""
        for parameter in command.params:
            label = " ".join(parameter.opts) if isinstance(parameter, click.Option) else parameter.human_readable_name
            meaning = parameter.help if isinstance(parameter, click.Option) else "argument"
            yield f"- `{label}` {meaning or ''}".rstrip()
        yield ""


def _events() -> Iterator[str]:
    for kind in VOCABULARY.values():
        yield f"## `{kind.name}` {kind.zh}"
        yield ""
        yield kind.en + "."
        yield ""
        for name, prop in kind.props.items():
            marks = ", ".join(word for word, on in (("required", prop.required), ("personal data", prop.pii)) if on)
            yield f"- `{name}` ({prop.type.__name__}{', ' + marks if marks else ''}): {prop.zh} / {prop.en}"
        yield ""


def _traits() -> Iterator[str]:
    yield "| name | type | 中文 | English | meaning |"
    yield "|---|---|---|---|---|"
    for trait in TRAITS.values():
        yield f"| `{trait.name}` | {trait.type.value} | {trait.zh} | {trait.en} | {trait.note_zh} / {trait.note_en} |"


def _rules() -> Iterator[str]:
    yield "Row rules, in this order: " + ", ".join(f"`{rule.__name__}`" for rule in ROW_RULES) + "."
    yield ""
    yield "Arms: " + ", ".join(f"`{rule.__name__}`" for rule in ARMS) + "."
    yield ""
    yield "Reasons: " + ", ".join(f"`{rule.value}`" for rule in RuleName) + "."
    yield ""
    for rule in ROW_RULES:
        yield f"- `{rule.__name__}`: {(rule.__doc__ or '').strip().splitlines()[0]}"


def _documents() -> Iterator[str]:
    for name, kind in sorted(KINDS.items()):
        yield f"## `kind: {name}`"
        yield ""
        yield " ".join((kind.__doc__ or "").split())
        yield ""
        for field, info in kind.model_fields.items():
            yield f"- `{info.alias or field}`" + ("" if info.is_required() else " (optional)")
        yield ""


def _api() -> Iterator[str]:
    schema = api.get_openapi_schema(path_prefix="/api/v1/")
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            yield f"- `{method.upper()} {path}` {operation.get('description') or operation.get('summary', '')}"

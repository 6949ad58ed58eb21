"""docs/reference, written from the code: commands, events, traits, segment rules, documents, gate rules, API."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from yutang.api.routes import api
from yutang.cli import imports
from yutang.kernel.documents import KINDS
from yutang.log.vocabulary import VOCABULARY, EventType
from yutang.profiles import documents as traits
from yutang.profiles import shapes
from yutang.profiles.formulas import FUNCTIONS
from yutang.profiles.traits import SHIPPED
from yutang.reach.gate import ALLOCATION, ARMS, ROW_RULES
from yutang.segments import documents as segments

Lines = Iterator[str]
_EXIT_CODES = (
    "A command ends with 0 when all is well, with 1 for an error, with 2 for words that make no command. `doctor` ends",
    "with 1 when anything is wrong. An import ends with 1 when a row is refused, and has then kept nothing; with",
    "`--skip-bad` the refused rows were asked for, and it ends with 0. `--dry-run` ends as the import itself would.",
    "Both name the file in which every refused row stands with its reason. `--json` answers errors on stdout, as",
    '`{"error": {"zh", "en"}}`; otherwise the sentence is on stderr.',
    "",
)


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
        "commands.md": _page("Commands 命令", chain(_EXIT_CODES, _commands(root, "yutang"))),
        "imports.md": _page("Imports 导入", imports.reference()),
        "events.md": _page("Events 事件", _events()),
        "traits.md": _page("Traits 客户属性", _traits()),
        "segments.md": _page("Segment rules 分群规则", _segments()),
        "gate.md": _page("Gate rules 触达规则", _rules()),
        "documents.md": _page("Documents 文档", _documents()),
        "api.md": _page("HTTP API", _api()),
    }


def _page(title: str, lines: Lines) -> str:
    return (
        "\n".join([f"# {title}", "", "Written from the code by `make docs`; do not edit.", "", *lines]).rstrip() + "\n"
    )


def _commands(group: click.Group, path: str) -> Lines:
    for name, command in sorted(group.commands.items()):
        full = f"{path} {name}"
        if isinstance(command, click.Group):
            yield from _commands(command, full)
            continue
        yield from (f"## `{full}`", "", (command.help or "").strip(), "")
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                kind = "" if parameter.is_flag else f" {parameter.make_metavar(click.Context(command))}"
                yield f"- `{' '.join(parameter.opts)}{kind}`: {parameter.help or ''}"
            else:
                yield f"- `{parameter.human_readable_name}`"
        yield ""


def _events() -> Lines:
    for kind in VOCABULARY.values():
        yield from (f"## `{kind.name}` {kind.zh}", "", kind.en[0].upper() + kind.en[1:] + ".", "")
        for name, prop in kind.props.items():
            marks = ", ".join(word for word, on in (("required", prop.required), ("personal data", prop.pii)) if on)
            yield f"- `{name}` ({prop.type.__name__}{', ' + marks if marks else ''}): {prop.zh} / {prop.en}"
        yield from ("", "```json", json.dumps(event_example(kind), ensure_ascii=False), "```", "")


def event_example(kind: EventType) -> dict[str, Any]:
    """An event of a type that the door takes."""
    said: dict[str, Any] = {"id": f"{kind.name}-0042", "type": kind.name, "occurred_at": "2026-03-01T09:30:00+08:00"}
    said["identifiers"] = [{"kind": "member", "namespace": "shop", "value": "M-1001"}]
    if kind.amount:
        said |= {"amount": "19.90", "currency": "CNY"}
    if kind.name == "order.placed":
        said["lines"] = [{"sku": "A-7", "category": "milk", "quantity": "1", "amount": "19.90"}]
    props = {name: True if prop.type is bool else "0042" for name, prop in kind.props.items() if prop.required}
    return said | ({"props": props} if props else {})


def _traits() -> Lines:
    yield "| name | type | unit | 中文 | English | meaning |"
    yield "|---|---|---|---|---|---|"
    for trait in SHIPPED.values():
        values = f" ({', '.join(trait.choices)})" if trait.choices else ""
        yield (
            f"| `{trait.name}` | {trait.type.value}{values} | {trait.unit} | {trait.zh} | {trait.en} "
            f"| {trait.note_zh} / {trait.note_en} |"
        )

    yield from (
        "",
        "## Traits of your own",
        "",
        "A document of `kind: trait` adds up rows, or works out a formula.",
        "",
    )
    for of, fields in traits.FIELDS.items():
        where = ", ".join(f"`{name}`" for name in traits.WHERE[of])
        yield f"- `of: {of}`: `what` is one of {', '.join(f'`{name}`' for name in fields)}; `where` asks {where}"
    yield from ("", "`take` is one of " + ", ".join(f"`{take}`" for take in traits.Take) + ".", "")
    yield "In `formula` stand numbers, names of traits, `today`, + − × ÷, comparisons, 'texts' and these functions:"
    yield from ("", *(f"- `{name}` of {least}–{most} parts" for name, (least, most) in FUNCTIONS.items()))


def _segments() -> Lines:
    yield from ("`where` holds one rule. A rule is exactly one of these, told by its field.", "")
    for name, kind in segments.RULES.items():
        yield from (f"## `{name}`", "", _said(kind), "", *_fields(kind), "")
    yield from ("## Comparisons", "", "Which may be used on a trait of a type:", "")
    for type_, operators in segments.OPERATORS.items():
        yield f"- {type_.value}: " + ", ".join(f"`{operator}`" for operator in sorted(operators))
    for name, part in (("Numbers are bounded", shapes.Bounds), ("Events are chosen", shapes.EventWhere)):
        yield from ("", f"{name} by:", "", *_fields(part))


def _rules() -> Lines:
    yield from (
        "## Row rules, in this order",
        "",
        "Each looks at one person; the first that refuses is the reason.",
        "",
    )
    for rule in ROW_RULES:
        yield f"- `{rule.name}` (binds {', '.join(sorted(rule.binds))}): {_said(rule.judge)}"
    yield from ("", "## Allocation, in rounds over rank", "")
    for allotted in ALLOCATION:
        yield f"- `{allotted.name}`: {_said(allotted.opens)}"
    yield from ("", "## Arms", "", "Who is drawn by neither is sent to.", "")
    for arm in ARMS:
        yield f"- `{arm.outcome}`"


def _documents() -> Lines:
    for name, kind in sorted(KINDS.items()):
        yield from (f"## `kind: {name}`", "", _said(kind), "", *_fields(kind), "")


def _fields(kind: type[BaseModel]) -> Lines:
    for field, info in kind.model_fields.items():
        default = "" if info.is_required() else f" (default {_plain(info.get_default(call_default_factory=True))})"
        yield f"- `{info.alias or field}`{default}"


def _plain(value: object) -> str:
    data = value.model_dump(mode="json", exclude_defaults=True) if isinstance(value, BaseModel) else value
    return "none" if data is None else f"`{json.dumps(data, ensure_ascii=False, default=str)}`"


def _said(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").split())


def _api() -> Lines:
    schema = api.get_openapi_schema(path_prefix="/api/v1/")
    yield from ("`Authorization: Bearer yt_…` (`yutang tokens issue`); the whole is at `/api/v1/openapi.json`.", "")
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            yield from (f"## `{method.upper()} {path}`", "", " ".join(operation["description"].split()), "")
            for parameter in operation.get("parameters", ()):
                yield f"- `{parameter['name']}` ({parameter['in']}) {parameter.get('description', '')}".rstrip()
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body:
                example = _example(schema, body)
                yield from ("", "```json", json.dumps(example, ensure_ascii=False, indent=1), "```")
            yield ""


def _example(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Any:
    """The example that a part of the OpenAPI document gives, or one made of its fields that must be there."""
    if "$ref" in part:
        part = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    if part.get("examples"):
        return part["examples"][0]
    if part.get("type") == "array":
        return [_example(schema, part["items"])]
    required = part.get("required", ())
    return {
        name: _example(schema, field)
        for name, field in part.get("properties", {}).items()
        if name in required or field.get("examples")
    }

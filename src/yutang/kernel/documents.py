"""The base of everything people write: segments, plans, policies, contents are documents with the same head."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yutang.kernel.errors import BadDocument, BadInput, Problem

MAX_BYTES = 256_000
MAX_DEPTH = 60
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NAME = r"^[a-z][a-z0-9_]{0,62}$"

D = TypeVar("D", bound="Document")


class Part(BaseModel):
    """A piece of a document: unknown fields are refused by name, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Title(Part):
    """What people call it, in both languages."""

    zh: str = Field(min_length=1, max_length=60)
    en: str = Field(min_length=1, max_length=90)

    def text(self, language: str) -> str:
        """The title in the reader's language."""
        return self.en if language.lower().startswith("en") else self.zh


class Note(Part):
    """A few sentences in both languages."""

    zh: str = Field(min_length=1, max_length=600)
    en: str = Field(min_length=1, max_length=900)

    def text(self, language: str) -> str:
        """The note in the reader's language."""
        return self.en if language.lower().startswith("en") else self.zh


class Document(Part):
    """`kind, name, schema, title` and what the kind adds. `name` is what other documents refer to."""

    KIND: ClassVar[str] = ""

    kind: str
    name: str = Field(pattern=NAME)
    schema_version: int = Field(default=1, alias="schema", ge=1, le=1)
    title: Title
    note: Note | None = None

    def as_data(self) -> dict[str, Any]:
        """Plain data with the document's own field names, defaults left out: what is stored, compared and hashed."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def as_yaml(self) -> str:
        """The document as people read and Git keeps it."""
        return yaml.safe_dump(self.as_data(), allow_unicode=True, sort_keys=False, width=110)


KINDS: dict[str, type[Document]] = {}


def register(kind: type[D]) -> type[D]:
    """Class decorator: makes a kind of document known to `read`."""
    KINDS[kind.KIND] = kind
    return kind


def read(text: str | bytes) -> Document:
    """The document written in YAML (or JSON) `text`. Raises BadInput or BadDocument, which name the place."""
    if len(text) > MAX_BYTES:
        raise BadInput(
            f"文档超过 {MAX_BYTES // 1000} kB，请拆开。",
            f"The document is larger than {MAX_BYTES // 1000} kB; split it.",
        )
    try:
        _unfoldable(text)
        data = yaml.load(text, Loader=LOADER)  # noqa: S506  # a safe loader, the fast one where it is there
    except BadInput:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or a number without end
        mark = getattr(error, "problem_mark", None)
        line = f"（第 {mark.line + 1} 行）" if mark else ""
        english = f" (line {mark.line + 1})" if mark else ""
        raise BadInput(f"文档不是有效的 YAML{line}。", f"The document is not valid YAML{english}.") from error
    return from_data(data)


def _unfoldable(text: str | bytes) -> None:
    """Refuse what is small on paper and endless in memory: aliases of aliases, and nesting without end."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise BadInput(
                "文档里不能用 YAML 的别名（*name），请把内容写出来。",
                "A document may not use YAML aliases (*name); write it out.",
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise BadInput(
                f"文档嵌套超过 {MAX_DEPTH} 层，请简化。",
                f"The document is nested more than {MAX_DEPTH} deep; simplify it.",
            )


def from_data(data: object) -> Document:
    """The document in plain data. Raises BadInput or BadDocument."""
    if not isinstance(data, Mapping):
        raise BadInput("文档应是「字段: 值」的形式。", "A document must be a mapping of fields to values.")
    kind = KINDS.get(str(data.get("kind")))
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise BadInput(
            f"不认识的文档类型 kind「{data.get('kind')}」，可用：{known}。",
            f"Unknown document kind “{data.get('kind')}”; known kinds: {known}.",
        )
    return parse(kind, data)


def parse(kind: type[D], data: Mapping[Any, Any]) -> D:
    """Plain data as a document of one kind. Raises BadDocument with every problem and its place."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        problems = [_problem(kind, dict(item)) for item in error.errors()]
        raise BadDocument(str(data.get("name", "?")), problems) from None


def _shown(value: object) -> str:
    try:
        return str(value)[:60]
    except ValueError:  # Python writes out no number of more than 4,300 digits
        return "…"


_ZH = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这个字段",
    "string_pattern_mismatch": "写法不对，应为小写字母、数字和下划线",
}


def _problem(kind: type[Document], item: dict[str, Any]) -> Problem:
    place = ".".join(str(part) for part in item["loc"]) or kind.KIND
    context = item.get("ctx", {})
    original = context.get("error")
    value = _shown(item.get("input"))
    if isinstance(original, BadInput):  # raised by our own validators, already bilingual
        return Problem(place, value, original.zh, original.en)
    english = str(item["msg"])
    if isinstance(original, ValueError):
        english = str(original)
    chinese = _ZH.get(item["type"], f"值「{value}」不可用（{english}）")
    return Problem(place, value, chinese, english)


def diff(before: Document | None, after: Document) -> str:
    """What changed, as a unified diff of the YAML texts; empty when nothing did."""
    old = [] if before is None else before.as_yaml().splitlines()
    return "\n".join(difflib.unified_diff(old, after.as_yaml().splitlines(), "before", "after", lineterm="", n=2))

"""The reference stands as the code writes it, and everything that can be named is in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from yutang.api.routes import api
from yutang.api.schemas import EventIn
from yutang.app.main import root
from yutang.app.reference import event_example, pages_of
from yutang.log.vocabulary import VOCABULARY, EventType, check
from yutang.profiles.traits import SHIPPED
from yutang.reach.gate.contracts import RuleName
from yutang.segments.documents import OPERATORS, RULES

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


@cache
def pages() -> dict[str, str]:
    """What the code writes now. Not while tests are collected: each worker does that, and it takes a second."""
    return pages_of(root())


def test_the_reference_is_not_stale() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in REFERENCE.glob("*.md")}
    stale = [name for name, text in pages().items() if written.get(name) != text]
    assert stale == [], "run make docs"


def commands(group: click.Group | None = None, before: str = "yutang") -> list[str]:
    """Every command by its words."""
    found = []
    for name, command in (group or root()).commands.items():
        below = isinstance(command, click.Group)
        found += commands(command, f"{before} {name}") if below else [f"{before} {name}"]
    return found


def operations() -> list[str]:
    """Every operation of the API."""
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("events.md", [*VOCABULARY, *(prop for kind in VOCABULARY.values() for prop in kind.props)]),
        ("traits.md", list(SHIPPED)),
        ("segments.md", [*RULES, *(operator for operators in OPERATORS.values() for operator in operators)]),
        ("gate.md", [rule.value for rule in RuleName]),
        ("commands.md", commands),
        ("api.md", operations),
    ],
)
def test_everything_that_can_be_named_is_in_the_reference(
    page: str, names: list[str] | Callable[[], list[str]]
) -> None:
    every = names if isinstance(names, list) else names()
    assert every
    assert [name for name in every if f"`{name}`" not in pages()[page]] == []


def test_every_field_of_a_rule_is_in_the_reference() -> None:
    for kind in RULES.values():
        assert issubclass(kind, BaseModel)
        for name, field in kind.model_fields.items():
            assert f"`{field.alias or name}`" in pages()["segments.md"]


@pytest.mark.parametrize("kind", VOCABULARY.values(), ids=lambda kind: kind.name)
def test_the_example_of_an_event_is_taken_at_the_door(kind: EventType) -> None:
    check(EventIn(**event_example(kind)).event())


def test_every_rule_of_the_gate_says_what_it_does() -> None:
    silent = re.findall(r"^- `(\w+)`(?: \(.*?\))?: *$", pages()["gate.md"], re.MULTILINE)
    assert silent == [], "give the rule a docstring"


def test_every_setting_that_is_read_is_described() -> None:
    read = {
        name
        for path in (ROOT / "src" / "yutang").rglob("*.py")
        for name in re.findall(r"\bYUTANG_[A-Z_]+", path.read_text(encoding="utf-8"))
    }
    described = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert sorted(name for name in read if f"`{name}`" not in described) == []

"""The rules of what may not be said, as documents."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from yutang.content.patterns import pattern
from yutang.kernel.documents import NAME, Document, Note, Part, Title, register
from yutang.kernel.errors import BadInput


class Place(StrEnum):
    """Where something is said: to one person, in a group, or in Moments (朋友圈), where all friends see it."""

    CHAT = "chat"
    GROUP = "group"
    MOMENTS = "moments"


class Excuses(Part):
    """What makes a find harmless: `unless`, where it covers it, as 最佳赏味期 covers 最佳; `unless_before` and
    `unless_behind`, where it stands right there, as 请勿; `unless_beside`, anywhere in the same sentence."""

    unless: tuple[str, ...] = Field(default=(), max_length=400)
    unless_before: tuple[str, ...] = Field(default=(), max_length=400)
    unless_behind: tuple[str, ...] = Field(default=(), max_length=400)
    unless_beside: tuple[str, ...] = Field(default=(), max_length=400)

    def excuses(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.unless, *self.unless_before, *self.unless_behind, *self.unless_beside)


class Clause(Excuses):
    """One way of breaking a rule: any of `say` stands in the text, and, where `needs` is given, one of those beside it.

    `places`: it holds there only.
    """

    say: tuple[str, ...] = Field(min_length=1, max_length=400)
    needs: tuple[str, ...] = Field(default=(), max_length=400)
    places: tuple[Place, ...] = ()


class ContentRule(Excuses):
    """What may not be said, and the law that says so. `words` is a clause of its own, without any condition; the rule's
    excuses hold for all of its clauses."""

    name: str = Field(pattern=NAME)
    title: Title
    law: Note
    words: tuple[str, ...] = Field(default=(), max_length=400)
    clauses: tuple[Clause, ...] = Field(default=(), max_length=20)

    @field_validator("title", "law", mode="before")
    @classmethod
    def _both(cls, given: Any) -> Any:
        """One text stands for both languages: so rules of before there were two are still read."""
        return {"zh": given, "en": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.words and not self.clauses:
            raise BadInput("规则要写 words 或 clauses。", "a rule needs words or clauses.")
        return self

    def every_clause(self) -> tuple[Clause, ...]:
        """Its clauses, that of its words first."""
        return (*((Clause(say=self.words),) if self.words else ()), *self.clauses)


@register
class ContentRules(Document):
    """What may not be said, rule by rule, each with the law that it stands on.

    `groups` are words that patterns name as `{group}`. `names` are names of brands, goods and places that may contain
    such words. `approval`: a content is used only once somebody other than its author has approved it.

    A pattern is words and gaps, with spaces between: `转发|分享 .. 领|得` is one of the first, up to 8 characters, and
    one of the others within the clause; `...` is up to 24 within the sentence; `了?` may be missing; `{number}`,
    `{money}`, `{money>50000}` and `{link}` are known. Spaces, dots, full width and characters that nobody sees hide
    nothing.
    """

    KIND: ClassVar[str] = "content_rules"

    rules: tuple[ContentRule, ...] = Field(max_length=50)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict, max_length=50)
    names: tuple[str, ...] = Field(default=(), max_length=1000)
    approval: bool = False

    @model_validator(mode="after")
    def _readable(self) -> Self:
        """Every pattern is compiled once, so that a mistake is told when it is written and not when it is used."""
        groups = self.vocabulary()
        for name in self.names:
            pattern(name.replace("|", " "), groups)
        for rule in self.rules:
            patterns = [*rule.excuses()]
            for clause in rule.every_clause():
                patterns += [*clause.say, *clause.needs, *clause.excuses()]
            for text in patterns:
                pattern(text, groups)
        return self

    def vocabulary(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Its groups, as something that can be remembered."""
        return _frozen(self.groups)


def _frozen(groups: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted(groups.items()))

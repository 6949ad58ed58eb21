"""A kind of list: which fields it has, and what a row comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from yutang.intake.parsing import Why
from yutang.log.contracts import IdentifierValue
from yutang.organisation.contracts import BrandFacts


class BadRow(Exception):  # never reaches a person as itself: the error file says it
    """A row of which nothing can be made, for what stands in one field."""

    def __init__(self, field: str, why: Why) -> None:
        super().__init__(field)
        self.field = field
        self.why = why


@dataclass(frozen=True, slots=True)
class Told:
    """An event that a row tells of, before it has an id."""

    type: str
    at: datetime
    props: Mapping[str, object]
    store: str | None = None
    staff: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row: its words by field (those with something in them), its times, and who it is about."""

    words: Mapping[str, str]
    times: Mapping[str, datetime]
    who: tuple[IdentifierValue, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What rows are read against."""

    facts: BrandFacts
    stores: frozenset[str]
    staff: frozenset[str]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of list. `required`: each needs a column or a value that holds for the whole file; `identity`: at least
    one; `one_of`: at least one of these too. `constants`: which may be said for the whole file at once.

    `tell` gives the events of a row and raises BadRow; None for orders and events, which have readers of their own.
    """

    name: str
    zh: str
    en: str
    required: tuple[str, ...]
    identity: tuple[str, ...]
    optional: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    tell: Callable[[Line, Context], Iterable[Told]] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field, those that are needed first."""
        return (*self.required, *self.one_of, *self.identity, *self.optional)

"""What others see of an erasure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from yutang.kernel.ids import PersonId


class Step(StrEnum):
    """What an erasure does next; each may be done again, and the last leaves nothing but a number and a hash."""

    PEOPLE = "people"
    TRACES = "traces"
    INBOX = "inbox"
    WAREHOUSE = "warehouse"
    PAGES = "pages"
    DONE = "done"


REASONS = ("asked", "withdrawn", "unlawful", "expired", "restored")
"""Why a person is erased: they asked, they withdrew consent, it was not lawful, it was kept long enough, or a backup
brought back who had been erased."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """How much is held of a person, by what it is; `person` is the survivor, `births` all their numbers."""

    person: PersonId
    births: tuple[PersonId, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ErasureFacts:
    """An erasure: of whom (a number that leads nowhere once it is done), asked by whom, how far it is."""

    id: int
    person: PersonId
    reason: str
    asked_by: str
    asked_at: datetime
    step: Step
    counts: Mapping[str, int]
    done_at: datetime | None
    trouble: str

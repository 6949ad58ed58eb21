"""What other rooms see of the layers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from yutang.kernel.ids import PersonId

CELLS = (
    ("champions", "重要价值", "Champions", (True, True, True)),
    ("promising", "重要发展", "Promising", (True, False, True)),
    ("keep", "重要保持", "To keep", (False, True, True)),
    ("win_back", "重要挽留", "To win back", (False, False, True)),
    ("regular", "一般价值", "Regulars", (True, True, False)),
    ("newcomer", "一般发展", "Newcomers", (True, False, False)),
    ("drifting", "一般保持", "Drifting", (False, True, False)),
    ("gone", "一般挽留", "Hardly there", (False, False, False)),
)
"""The eight cells of RFM: code, Chinese, English, and whether R, F and M are high."""


@dataclass(frozen=True, slots=True)
class RfmCell:
    """Persons of one store type with the same three scores. `spend` is of the last 365 days; `reachable` of them may be
    written to. `type` is empty where the brand has no types, or the store is of none."""

    type: str
    recency: int
    frequency: int
    monetary: int
    persons: int
    reachable: int
    spend: Decimal


@dataclass(frozen=True, slots=True)
class LayerCount:
    """Persons of one layer: of a stage of life, or of a step."""

    name: str
    persons: int
    reachable: int
    spend: Decimal


@dataclass(frozen=True, slots=True)
class Climbed:
    """What a look at the ladder wrote: who came to a step for the first time that anything was told of them, who went
    up, who went down. `looked` is False where nothing can have changed since the last look."""

    looked: bool
    told: int = 0
    up: int = 0
    down: int = 0


@dataclass(frozen=True, slots=True)
class MoveCount:
    """How many persons went from one step to another on a local day."""

    day: date
    before: str
    step: str
    persons: int


@dataclass(frozen=True, slots=True)
class Move:
    """One person's move. `at`: the instant (UTC) of the profiles by which it was seen."""

    person: PersonId
    before: str
    step: str
    at: datetime

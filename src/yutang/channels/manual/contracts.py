"""What other rooms see of lists that are worked through by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from yutang.channels.contracts import Attached
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import SenderFacts

CHANNEL = "manual"
UNDO = timedelta(minutes=10)
"""For so long a word that was written down can be taken back; a plan learns of it a little later."""
SETTLED = timedelta(minutes=15)
LATE = timedelta(days=10)
"""So long after its end a list that was taken along may still be written on: as long as late taps are read back."""


class Result(StrEnum):
    """What became of one person of a list."""

    SENT = "sent"
    NOT_REACHED = "not_reached"


class ListState(StrEnum):
    """OPEN while it is worked; HANDED_IN when all is written down; OVER when it was called back."""

    OPEN = "open"
    HANDED_IN = "handed_in"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class ListFacts:
    """A list as its viewers see it. `late`: it is past its end, and a copy of it is still out."""

    id: int
    task: str
    sender: SenderFacts
    text: str
    links: tuple[str, ...]
    attached: tuple[Attached, ...]
    state: ListState
    created_at: datetime
    until: datetime | None
    taken: bool
    late: bool
    reminded_at: datetime | None
    size: int
    sent: int
    not_reached: int

    @property
    def done(self) -> int:
        """Of how many something is written down."""
        return self.sent + self.not_reached

    @property
    def left(self) -> int:
        """How many nobody has said anything of."""
        return self.size - self.done


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A person of a list: by name where the viewer may know it, else by the end of their phone number.

    `undoable`: what was written down can still be taken back. `refusal`: since the list was made they asked not to be
    spoken to, or may not be for another reason: a name of reach's reasons. `text`: what is said to them, where the list
    calls each by name; else empty, and it is the list's.
    """

    number: int
    person: PersonId
    name: str
    phone: str
    result: Result | None
    at: datetime | None
    noted_by: str
    undoable: bool
    refusal: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a row of a file. Rows count as in a spreadsheet."""

    row: int
    field: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file of results. With `wrong` rows nothing was written down."""

    rows: int
    noted: int = 0
    same: int = 0
    wrong: tuple[Wrong, ...] = ()

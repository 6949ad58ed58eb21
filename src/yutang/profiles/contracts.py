"""What other rooms see of profiles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from yutang.kernel.calendars import local_day

WINDOWS = (30, 90, 365)
"""The spans of windowed traits, in days of 24 hours: a window of N days holds instants in (as_of − N, as_of]."""


class Mode(StrEnum):
    """How profiles were brought to an instant."""

    REBUILD = "rebuild"
    REFRESH = "refresh"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """What a refresh did. `recomputed` of `persons` rows were written; `seconds` is wall time."""

    mode: Mode
    as_of: datetime
    persons: int
    recomputed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant and the zone at which traits are read: those of the last refresh."""

    as_of: datetime
    zone: str

    @property
    def today(self) -> date:
        """The local day of the instant."""
        return local_day(self.as_of, self.zone)

    def before(self, days: int) -> datetime:
        """The open lower end of the window of `days` days."""
        return self.as_of - timedelta(days=days)

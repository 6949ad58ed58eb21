"""What other rooms see of reviews."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from yutang.review.difference import Difference

DEFAULT_DAYS = 56
"""The window of a campaign that does not say when it ended: eight weeks."""
SHORTEST, LONGEST = 7, 182


class Readiness(StrEnum):
    """Whether a past campaign can be judged: both windows must lie whole within what is known, and before a sandbox's
    invented purchases begin."""

    READY = "ready"
    STILL_RUNNING = "still_running"
    NO_BEFORE = "no_before"
    NO_COMPARISON = "no_comparison"
    INVENTED = "invented"


@dataclass(frozen=True, slots=True)
class Window:
    """The days of a campaign, both ends included, and as many days just before them; in the brand's zone."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days each of the two windows has."""
        return (self.last - self.first).days + 1

    @property
    def before_first(self) -> date:
        """The first day of the window before."""
        return self.first - timedelta(days=self.days)

    @property
    def before_last(self) -> date:
        """The last day of the window before."""
        return self.first - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PastCampaign:
    """A campaign of the past and what can be said of it. `targeted` counts all on its list whom the viewer may see;
    the difference is over those who ever bought, and None unless ready."""

    name: str
    window: Window
    targeted: int
    readiness: Readiness
    data_from: date | None
    difference: Difference | None

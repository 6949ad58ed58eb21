"""What other rooms see of reflex acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from yutang.channels.contracts import WelcomePort
from yutang.kernel.ids import NodeId, PersonId

WelcomePorts = Mapping[tuple[str, str], WelcomePort]
"""The channels by (channel, corp)."""


class ActState(StrEnum):
    """DUE → DOING → one of the others, which are final.

    MISSED: its deadline passed before it was done, so it was not. REFUSED: the gate's reason, or that there was no way
    to do it. FAILED: the platform said no. UNKNOWN: it may have been done; nobody can say, and it is not tried again.
    """

    DUE = "due"
    DOING = "doing"
    DONE = "done"
    MISSED = "missed"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


FINAL = (ActState.DONE, ActState.MISSED, ActState.REFUSED, ActState.FAILED, ActState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """What became of the acts of one rule, by act (`welcome`, `tag` …) and state."""

    rule: str
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class FollowUpFacts:
    """Somebody to be followed up, by whom, until when. `rule`: which asked for it; empty where they said so."""

    id: int
    person: PersonId
    userid: str
    node: NodeId
    note: Mapping[str, str]
    due_at: datetime
    done_at: datetime | None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Worked:
    """What one turn of the lane did."""

    claimed: int = 0
    done: int = 0
    missed: int = 0
    other: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing was due."""
        return not (self.claimed or self.missed)

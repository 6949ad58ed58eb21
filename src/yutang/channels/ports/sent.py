"""What a platform lists of what was sent through it, whoever asked for it: software, an administrator, a member."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SendKind(StrEnum):
    """MASS speaks to each customer; GROUP to whoever reads a group; MOMENTS to whoever looks among their moments."""

    MASS = "mass"
    GROUP = "group"
    MOMENTS = "moments"


@dataclass(frozen=True, slots=True)
class ListedSend:
    """A send as the platform lists it. `creator` is the member who made it, empty where software did; `personal`: they
    made it alone, and nobody else was asked to confirm it. `said` stands for all that it says."""

    ref: str
    kind: SendKind
    creator: str
    personal: bool
    created_at: datetime
    text: str = field(repr=False)
    said: str = field(repr=False)

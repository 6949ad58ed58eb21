"""What the parts of this room, and those who show it, say to one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

MOST_BYTES = 512 * 1024
"""A larger body is refused before it is read whole."""
KEPT_DAYS = 30
KEPT_PER_HOOK = 10_000
"""The newest deliveries of a webhook, for so long: the rest is let go, what is held last."""


class Outcome(StrEnum):
    """What a delivery came to: events, nothing (as its document says), or it waits until its mapping is corrected."""

    RECORDED = "recorded"
    IGNORED = "ignored"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it came over the wire. Header and query names are in lower case and as sent."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HookFacts:
    """A webhook's address as its pages show it. `path` is empty where the address is secret: it was shown once."""

    id: int
    name: str
    key: int
    path: str
    client: str
    active: bool
    made_at: datetime
    last_at: datetime | None
    refused: int
    refused_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """One delivery, without what is in it."""

    id: int
    hook: str
    called: str
    received_at: datetime
    outcome: Outcome
    events: int
    problem: str
    repeats: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A webhook just made: its address and its secret, which are shown this once."""

    name: str
    path: str
    secret: str = field(repr=False)

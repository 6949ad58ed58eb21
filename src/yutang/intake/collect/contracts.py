"""What the collect API's parts say to one another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yutang.log.envelopes import Row

MESSAGE_BYTES = 32 * 1024
BATCH_BYTES = 500 * 1000
BATCH_MESSAGES = 2500
"""Segment's own limits for a message, a batch's body, and the messages of a batch."""


@dataclass(frozen=True, slots=True, eq=False)
class KeyFacts:
    """A write key without its secret. See `models.WriteKey` for what the fields mean."""

    id: int
    name: str
    source: str
    types: frozenset[str]
    rate: int
    origins: tuple[str, ...]
    trusted: bool
    members: bool
    created_at: datetime
    revoked_at: datetime | None = None

    def lets(self, origin: str) -> bool:
        """Whether a page of that origin may send with this key."""
        return "*" in self.origins or origin in self.origins


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a message is no event yet. `problem` is its short name, by which such messages are counted."""

    problem: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Held:
    """A message to be kept as it came. `id` is its messageId (or a made one), `mark` its event's id."""

    key: int
    id: str
    type: str
    mark: str
    trouble: Trouble
    message: bytes


@dataclass(slots=True)
class Lot:
    """What one request brought: events that the vocabulary took, and messages that are held.

    The time of `unsure` ones is ours and must be looked up before they are recorded: an earlier arrival's counts.
    """

    rows: list[Row]
    unsure: list[Row]
    held: list[Held]
    bytes: int

    @property
    def size(self) -> int:
        """How many messages' worth of work this is."""
        return len(self.rows) + len(self.unsure) + len(self.held)

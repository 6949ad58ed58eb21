"""What others see of accounts: how they are, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from yutang.organisation.contracts import AccountState

PARTS = ("avatar", "alias", "position", "qr_code", "external_position", "external_corp_name", "external_attr")
"""What customers see of a member beside the name, as the directory calls it."""


class Level(StrEnum):
    """RISK: customers cannot be served, or may be lost soon. WATCH: look at it this week."""

    RISK = "risk"
    WATCH = "watch"
    FINE = "fine"


class Sign(StrEnum):
    """What is wrong with an account."""

    DISABLED = "disabled"
    LEFT = "left"
    NOT_ACTIVATED = "not_activated"
    SWITCHED_OFF = "switched_off"
    FULL = "full"
    DELETED = "deleted"
    NEARLY_FULL = "nearly_full"
    UNTAPPED = "untapped"
    OWING = "owing"
    SPENT = "spent"
    MUCH = "much"
    IDLE = "idle"
    INCOMPLETE = "incomplete"


LEVELS = {
    Sign.DISABLED: Level.RISK,
    Sign.LEFT: Level.RISK,
    Sign.NOT_ACTIVATED: Level.RISK,
    Sign.SWITCHED_OFF: Level.RISK,
    Sign.FULL: Level.RISK,
    Sign.DELETED: Level.RISK,
    Sign.NEARLY_FULL: Level.WATCH,
    Sign.UNTAPPED: Level.WATCH,
    Sign.OWING: Level.WATCH,
    Sign.SPENT: Level.WATCH,
    Sign.MUCH: Level.WATCH,
    Sign.IDLE: Level.WATCH,
    Sign.INCOMPLETE: Level.WATCH,
}


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account did and has. `friends` are live ones, of at most `room`; `deleted` is by customers in the window,
    `expected` what others with as many friends see; `quiet_days` since anybody was added, wrote or was written to;
    `sent_today` counts recipients of this local day, `sent_30` of 30 days; `open` tasks wait for a tap, and of those
    `closed` in 30 days `untapped` were never tapped."""

    friends: int = 0
    room: int = 5000
    deleted: int = 0
    expected: float = 0.0
    quiet_days: int | None = None
    sent_today: int = 0
    sent_30: int = 0
    open: int = 0
    closed: int = 0
    untapped: int = 0

    @property
    def full(self) -> float:
        """How full it is, as a share."""
        return self.friends / self.room

    @property
    def times(self) -> float | None:
        """How many times as often as of others customers delete; None where none is expected."""
        return self.deleted / self.expected if self.expected > 0 else None

    @property
    def per_friend(self) -> float | None:
        """Messages a friend in 30 days; None without friends."""
        return self.sent_30 / self.friends if self.friends else None


@dataclass(frozen=True, slots=True)
class Account:
    """An account with what it did, what is wrong, and which wanted parts of its card are `missing` or `untold`: the
    platform does not tell our app of those. `known`: whether a directory ever told anything of it."""

    state: AccountState
    usage: Usage
    signs: tuple[Sign, ...]
    wanted: tuple[str, ...]
    missing: tuple[str, ...]
    untold: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether a directory ever told of its card."""
        return bool(self.state.told)

    @property
    def level(self) -> Level:
        """The worst of its signs."""
        levels = {LEVELS[sign] for sign in self.signs}
        return next((level for level in Level if level in levels), Level.FINE)

    @property
    def filled(self) -> tuple[int, int]:
        """How many of the wanted parts that we are told of are filled in, and how many those are."""
        told = len(self.wanted) - len(self.untold)
        return told - len(self.missing), told

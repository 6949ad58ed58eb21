"""What the app says to the corp's own staff, and the signatures of its pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StaffText:
    """A text for staff: at most 2,048 bytes of UTF-8, beyond which the platform cuts it. Links as HTML anchors."""

    text: str


@dataclass(frozen=True, slots=True)
class StaffCard:
    """A card that opens a page of ours. Characters: title ≤ 128, text ≤ 512, button ≤ 4 (WeCom doc 90236)."""

    title: str
    text: str
    url: str
    button: str = ""


@dataclass(frozen=True, slots=True)
class CardButton:
    """A button that is told to us when it is pressed, by its key; with an address, one that opens a page."""

    text: str
    key: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class StaffTask:
    """A card with facts (≤ 6) and buttons (≤ 6). `task` names it to whoever hears of a button: letters, digits and
    `_-@`, ≤ 128, never used twice for one app. Without buttons it opens `url`."""

    task: str
    title: str
    text: str = ""
    url: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    buttons: tuple[CardButton, ...] = ()


StaffMessage = StaffText | StaffCard | StaffTask


@dataclass(frozen=True, slots=True)
class StaffSent:
    """What the platform took. `refused`: members who are not there, or outside of what the app sees, in lower case.

    The platform drops what is beyond a member's cap without a word: taken is not read. `ids`: by which it can be taken
    back; `codes`: by which the cards can be settled, once each.
    """

    ids: tuple[str, ...]
    refused: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


class StaffMessagePort(Protocol):
    """Messages to our own staff, by their account. Every call may raise `TryLater` or `RefusedByPlatform`."""

    def tell(self, members: Sequence[str], message: StaffMessage) -> StaffSent:
        """Tell these members. The same message to the same members within half an hour is shown once, so a call whose
        answer was lost may be made again. No member that can be told: nothing is raised, all are `refused`."""
        ...

    def take_back(self, sent: StaffSent) -> None:
        """Within 24 hours; again is no error."""
        ...

    def settle(self, code: str, members: Sequence[str], text: str) -> None:
        """Make a card's buttons into this one text that nobody can press. Within 72 hours, once for each code."""
        ...


@dataclass(frozen=True, slots=True)
class PageSignature:
    """What a page hands to `wx.config` (`agent` None) or `wx.agentConfig`, so that the client lets it act."""

    corp: str
    agent: int | None
    timestamp: int
    nonce: str
    signature: str

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from yutang.content.documents import Content


class Standing(StrEnum):
    """Where a version stands: FREE where the brand asks for no approval, and what is shipped."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REFUSED = "refused"
    FREE = "free"

    @property
    def usable(self) -> bool:
        """Whether it may be launched."""
        return self in (Standing.APPROVED, Standing.FREE)


@dataclass(frozen=True, slots=True)
class ContentFacts:
    """A version of a content and where it stands. `usable` is the newest version that may be used, None if none."""

    document: Content
    version: int
    author: str
    created_at: datetime
    shipped: bool
    standing: Standing
    asked_by: str = ""
    decided_by: str = ""
    word: str = ""
    usable: int | None = None


@dataclass(frozen=True, slots=True)
class Usable:
    """A content as it may be used now."""

    document: Content
    version: int

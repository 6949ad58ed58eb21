"""What other rooms see of the quota and of what was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

LOW = 20
"""Below so many the platform itself says that the quota is low (WeCom doc 97299)."""


class LinkNews(StrEnum):
    """UNAVAILABLE: none of a link's members can add anybody for now. DELETED: in the admin console, by a person."""

    UNAVAILABLE = "link_unavailable"
    DELETED = "delete_link"


@dataclass(frozen=True, slots=True)
class QuotaFacts:
    """What is left of a corp's quota. `expiring`: how many of it until which moment; read at `read_at` (wall clock)."""

    corp: str
    total: int
    balance: int
    expiring: tuple[tuple[datetime, int], ...]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class LinkNotice:
    """The last that was told of a link, at the platform's own time."""

    corp: str
    link_id: str
    news: LinkNews
    at: datetime

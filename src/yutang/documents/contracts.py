from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yutang.kernel.documents import Document


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as it was kept: which version, by whom, when (UTC)."""

    document: Document
    version: int
    digest: str
    author: str
    created_at: datetime
    shipped: bool

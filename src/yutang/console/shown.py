"""The brand as the page that is being answered shows it, read once per request."""

from __future__ import annotations

from contextvars import ContextVar

from yutang.organisation.contracts import BrandFacts
from yutang.organisation.queries import brand

_shown: ContextVar[BrandFacts | None] = ContextVar("shown_brand", default=None)


def show(facts: BrandFacts | None) -> None:
    """Keep the brand for the rest of this request (None: forget it)."""
    _shown.set(facts)


def shown_brand() -> BrandFacts:
    """The brand of this request. Raises Refused before set-up."""
    return _shown.get() or brand()

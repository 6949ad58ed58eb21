"""How the phone says times and numbers."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import get_language


def language() -> str:
    """The reader's language, as documents' titles have it."""
    return "en" if (get_language() or "").startswith("en") else "zh"


def local(moment: datetime, place: ZoneInfo) -> datetime:
    """The wall time of an instant, without its zone: templates show it as it stands."""
    return moment.astimezone(place).replace(tzinfo=None)

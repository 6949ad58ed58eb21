"""How many callbacks came, and which of them nobody handles yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max

from yutang.channels.models import Callback


@dataclass(frozen=True, slots=True)
class CallbackCount:
    """How often one kind of callback came and when last (wall clock). `handled`: an event was recorded of it."""

    corp: str
    kind: str
    handled: bool
    count: int
    last_at: datetime


def callback_counts() -> list[CallbackCount]:
    """Of each kind that is still kept, the most frequent first. (Unscoped: it names no person and no store.)"""
    rows = Callback.objects.values("corp", "kind", "event").annotate(count=Count("pk"), last=Max("received_at"))
    found = [CallbackCount(row["corp"], row["kind"], bool(row["event"]), row["count"], row["last"]) for row in rows]
    return sorted(found, key=lambda one: (-one.count, one.kind))

"""How many callbacks came, of which kinds, which of them nobody handles yet, and how many were turned away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max

from yutang.channels.models import Callback, PlatformBlock, RefusedCallback, Uploaded
from yutang.channels.sync.registry import HINTED
from yutang.channels.wecom.events import KINDS, THINGS
from yutang.kernel.clock import wall_now


@dataclass(frozen=True, slots=True)
class CallbackCount:
    """How often one kind of callback came and when last (wall clock). `handled`: an event was recorded of it, or what
    it is about is read again."""

    corp: str
    kind: str
    handled: bool
    count: int
    last_at: datetime

    @property
    def zh(self) -> str:
        """Its name; the platform's own where we have none."""
        known = KINDS.get(self.kind)
        return known.zh if known is not None else self.kind

    @property
    def en(self) -> str:
        """The same in English."""
        known = KINDS.get(self.kind)
        return known.en if known is not None else self.kind

    @property
    def concerns(self) -> tuple[tuple[str, str], ...]:
        """What such an event is about, in Chinese and in English."""
        known = KINDS.get(self.kind)
        return tuple(THINGS[name] for name in known.concerns) if known is not None else ()


@dataclass(frozen=True, slots=True)
class Turned:
    """How many bodies for a corp were turned away because of their signature or seal, and when last (wall clock)."""

    count: int
    last_at: datetime


def _hints(kind: str) -> bool:
    """Whether a kind makes us read again what it is about."""
    return any(kind in one.on or f"{kind.partition('/')[0]}/*" in one.on for one in HINTED)


def callback_counts() -> list[CallbackCount]:
    """Of each kind that is still kept, the most frequent first. (Unscoped: it names no person and no store.)"""
    rows = Callback.objects.values("corp", "kind", "event").annotate(count=Count("pk"), last=Max("received_at"))
    found = [
        CallbackCount(row["corp"], row["kind"], bool(row["event"]) or _hints(row["kind"]), row["count"], row["last"])
        for row in rows
    ]
    return sorted(found, key=lambda one: (-one.count, one.kind))


def turned_away() -> dict[str, Turned]:
    """By corp, for ever. (Unscoped: it names no person and no store.)"""
    rows = RefusedCallback.objects.filter(count__gt=0)
    return {row.corp: Turned(row.count, row.last_at) for row in rows}


def last_callback(corp: str) -> datetime | None:
    """When a corp's last callback came (wall clock); None where none has been kept. (Unscoped: it names nobody.)"""
    found: datetime | None = Callback.objects.filter(corp=corp).aggregate(at=Max("received_at"))["at"]
    return found


@dataclass(frozen=True, slots=True)
class BlockedCall:
    """A call that a platform blocks now, until when (wall clock), the `strikes`-th time in a row. `scope` names the
    corp."""

    scope: str
    api: str
    until: datetime
    strikes: int


def blocked_calls() -> list[BlockedCall]:
    """What platforms block now. (Unscoped: calls of whole corps.)"""
    rows = PlatformBlock.objects.filter(until__gt=wall_now()).order_by("scope", "api")
    return [BlockedCall(row.scope, row.api, row.until, row.strikes) for row in rows]


def pictures_kept() -> dict[str, int]:
    """How many pictures each corp has uploaded for good. (Unscoped: numbers of whole corps.)"""
    rows = Uploaded.objects.filter(until=None).exclude(handle="").values_list("corp").annotate(count=Count("pk"))
    return dict(rows)

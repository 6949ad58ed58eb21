"""Which processes of the house have been alive lately, where there is more than one (PostgreSQL)."""

from __future__ import annotations

from datetime import timedelta

from yutang.intake.models import Pulse
from yutang.kernel.clock import wall_now

EVERY = 5.0  # wall seconds between two beats
LATELY = timedelta(seconds=20)
KEPT = timedelta(days=1)


def beat(holder: str, role: str) -> None:
    """Note that a process is alive; those unseen for a day are forgotten."""
    now = wall_now()
    Pulse.objects.update_or_create(holder=holder, role=role, defaults={"seen_at": now})
    Pulse.objects.filter(seen_at__lt=now - KEPT).delete()


def fell_silent(holder: str) -> None:
    """Note that a process ended in good order."""
    Pulse.objects.filter(holder=holder).delete()


def alive(role: str) -> int:
    """How many processes with that role have been alive lately. Unscoped because it tells nothing of anybody."""
    return Pulse.objects.filter(role=role, seen_at__gte=wall_now() - LATELY).count()

"""One process at a time, by a lease whose token grows with every holder."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from yutang.intake.models import Lease
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.errors import Unavailable

SPAN = timedelta(seconds=60)
_HOST = socket.gethostname()
_NEVER = wall_now().replace(year=2000)


class Busy(Unavailable):
    """Somebody else holds the lease."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"另一个进程正在做同一件事（{name}），请稍后再试。",
            f"Another process is doing the same ({name}); try again in a moment.",
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A lease in hand. Whoever writes under it says `token`; a later holder's is greater."""

    name: str
    holder: str
    token: int

    def renew(self) -> None:
        """Keep it for another span. Raises Busy if another process has taken it meanwhile."""
        if not Lease.objects.filter(name=self.name, token=self.token).update(until=wall_now() + SPAN):
            raise Busy(self.name)


@contextmanager
def lease(name: str, patience: float = 0.0) -> Iterator[Held]:
    """Hold the lease of that name. Raises Busy if another holds it for longer than `patience` seconds.

    A holder whose process has died on this machine is replaced at once, any other when its span is over.
    """
    give_up = monotonic() + patience
    while (held := _take(name)) is None:
        if monotonic() >= give_up:
            raise Busy(name)
        time.sleep(0.05)
    try:
        yield held
    finally:
        Lease.objects.filter(name=name, token=held.token).update(until=_NEVER)


def me() -> str:
    """A holder's name: this machine, this process, and a nonce."""
    return f"{_HOST}:{os.getpid()}:{secrets.token_hex(4)}"


def _take(name: str) -> Held | None:
    holder = me()
    with transaction.atomic():
        Lease.objects.get_or_create(name=name, defaults={"holder": "", "until": _NEVER})
        row = Lease.objects.select_for_update().get(name=name)
        if row.until > wall_now() and lives(row.holder):
            return None
        row.holder, row.token, row.until = holder, row.token + 1, wall_now() + SPAN
        row.save()
    return Held(name, holder, row.token)


def lives(holder: str) -> bool:
    """Whether the holder may still be at work: unknown for another machine, so yes."""
    host, pid, _ = holder.split(":")
    if host != _HOST:
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

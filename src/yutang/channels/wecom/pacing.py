"""Keeping within the platform's rates, and out of its way once it has said stop. State is this process's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from yutang.channels.contracts import MassSendLimits, TryLater
from yutang.kernel.clock import Clock

# WeCom doc 90312: over the minute's limit the API is blocked for 60 s, over the hour's for 60 min. The code is the
# same for both, so the short window is tried first, and the long one when the platform still says stop after it.
BLOCKS = (timedelta(seconds=60), timedelta(minutes=60))


@dataclass(frozen=True, slots=True)
class WeComLimits:
    """Rates per corp and API (WeCom doc 90312). The parallel limit is undocumented; users report 5, so 4 is kept."""

    per_minute: int = 10_000
    per_hour: int = 150_000
    parallel: int = 4
    tries: int = 3
    pause: timedelta = timedelta(seconds=1)
    patience: timedelta = timedelta(seconds=5)
    mass_send: MassSendLimits = field(default_factory=MassSendLimits)


class _Bucket:
    """A token bucket that keeps within `limit` in every window of `period`, not only on average.

    A bucket of size c that refills at rate r lets c + r × period through at most; so a tenth of the limit is the
    bucket and nine tenths are the refill.
    """

    def __init__(self, limit: int, period: timedelta, now: datetime) -> None:
        self._size = max(1.0, limit / 10)
        self._rate = max(limit - self._size, limit / 2) / period.total_seconds()
        self._level = self._size
        self._at = now

    def wait(self, now: datetime) -> float:
        """Seconds until a token is there; takes none."""
        elapsed = max(0.0, (now - self._at).total_seconds())  # a wall clock set back must not drain the bucket
        self._level = min(self._size, self._level + elapsed * self._rate)
        self._at = now
        return max(0.0, (1.0 - self._level) / self._rate)

    def take(self) -> None:
        self._level -= 1.0


class Pace:
    """Says for each API when the next call may go, and remembers the windows in which the platform blocks it."""

    def __init__(self, limits: WeComLimits, now: Clock, sleep: Callable[[float], None] = time.sleep) -> None:
        self._limits = limits
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[_Bucket, _Bucket]] = {}
        self._blocked: dict[str, tuple[datetime, int]] = {}

    def admit(self, api: str) -> None:
        """Return when the call may go, after a short wait at most; `TryLater` in a block or when the wait is long."""
        while wait := self._claim(api):
            self._sleep(wait)

    def _claim(self, api: str) -> float:
        """Take a token of each bucket and return 0, or take none and return the seconds to wait."""
        with self._lock:
            now = self._now()
            until, _ = self._blocked.get(api, (now, 0))
            if now < until:
                raise _blocked(api, until)
            buckets = self._buckets.get(api)
            if buckets is None:
                buckets = self._buckets[api] = (
                    _Bucket(self._limits.per_minute, timedelta(minutes=1), now),
                    _Bucket(self._limits.per_hour, timedelta(hours=1), now),
                )
            wait = max(bucket.wait(now) for bucket in buckets)
            if wait > self._limits.patience.total_seconds():
                raise TryLater(api, now + timedelta(seconds=wait), "已接近平台的调用频率上限", "the rate limit is near")
            if wait <= 0:
                for bucket in buckets:
                    bucket.take()
            return wait

    def block(self, api: str) -> TryLater:
        """The platform said 45009: no call of this API until the error's instant. Longer if it says so again."""
        with self._lock:
            now = self._now()
            until, strikes = self._blocked.get(api, (now, 0))
            if now < until:
                return _blocked(api, until)  # calls that were under way together count as one strike
            until = now + BLOCKS[min(strikes, len(BLOCKS) - 1)]
            self._blocked[api] = (until, strikes + 1)
            return _blocked(api, until)

    def passed(self, api: str) -> None:
        """The platform let a call through. Within a block that is an answer to an earlier call, and lifts nothing."""
        with self._lock:
            until, _ = self._blocked.get(api, (None, 0))
            if until is not None and self._now() >= until:
                del self._blocked[api]


def _blocked(api: str, until: datetime) -> TryLater:
    return TryLater(api, until, "超过了平台的调用频率", "the platform's rate limit was exceeded")

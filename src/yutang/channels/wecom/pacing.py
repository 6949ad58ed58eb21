"""Keeping within the platform's rates, and out of its way once it has said stop.

Rates are counted by each process for itself, which takes its share of them; blocks are everybody's, where the
composition says so (`Blocks`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from yutang.channels.contracts import MassSendLimits, TryLater
from yutang.kernel.clock import Clock

# WeCom doc 90312: over the minute's limit the API is blocked for 60 s, over the hour's for 60 min. The code is the
# same for both, so the short window is tried first, and the long one when the platform still says stop after it.
BLOCKS = (timedelta(seconds=60), timedelta(minutes=60))
# Docs 95094, 91782, 91614 and 92951.
SLOWER = {
    "externalcontact/add_moment_task": 10,
    "msgaudit/check_single_agree": 2_500,
    "msgaudit/check_room_agree": 1_500,
    "msgaudit/get_permit_user_list": 1_000,
    "msgaudit/groupchat/get": 2_000,
}


FEWER_FOR = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Block:
    """An API that the platform blocks until a moment, for the `strikes`-th time in a row."""

    until: datetime
    strikes: int


class Blocks(Protocol):
    """Where the blocks of one corp are kept, by API."""

    def read(self) -> Mapping[str, Block]: ...

    def put(self, api: str, block: Block) -> None: ...

    def drop(self, api: str) -> None: ...


class MemoryBlocks:
    """For one process."""

    def __init__(self) -> None:
        self._blocks: dict[str, Block] = {}

    def read(self) -> Mapping[str, Block]:
        return self._blocks

    def put(self, api: str, block: Block) -> None:
        self._blocks[api] = block

    def drop(self, api: str) -> None:
        self._blocks.pop(api, None)


@dataclass(frozen=True, slots=True)
class WeComLimits:
    """Rates per corp and API (WeCom doc 90312). The parallel limit is undocumented; users report 5, so 4 is kept.

    `slower`: APIs that take fewer calls a minute than the others.
    """

    per_minute: int = 10_000
    per_hour: int = 150_000
    parallel: int = 4
    tries: int = 3
    pause: timedelta = timedelta(seconds=1)
    patience: timedelta = timedelta(seconds=5)
    mass_send: MassSendLimits = field(default_factory=MassSendLimits)
    slower: Mapping[str, int] = field(default_factory=lambda: dict(SLOWER))


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

    def __init__(
        self,
        limits: WeComLimits,
        now: Clock,
        sleep: Callable[[float], None] = time.sleep,
        blocks: Blocks | None = None,
    ) -> None:
        self._limits = limits
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[_Bucket, _Bucket]] = {}
        self._blocks = blocks or MemoryBlocks()
        self._share = 1

    def share(self, processes: int) -> None:
        """Take one of so many equal shares of the rates from now on."""
        with self._lock:
            if max(1, processes) != self._share:
                self._share = max(1, processes)
                self._buckets.clear()

    def admit(self, api: str) -> None:
        """Return when the call may go, after a short wait at most; `TryLater` in a block or when the wait is long."""
        while wait := self._claim(api):
            self._sleep(wait)

    def _claim(self, api: str) -> float:
        """Take a token of each bucket and return 0, or take none and return the seconds to wait."""
        now = self._now()
        block = self._blocks.read().get(api)
        if block is not None and now < block.until:
            raise _blocked(api, block.until)
        with self._lock:
            buckets = self._buckets.get(api)
            if buckets is None:
                per_minute = self._limits.slower.get(api, self._limits.per_minute)
                buckets = self._buckets[api] = (
                    _Bucket(max(1, per_minute // self._share), timedelta(minutes=1), now),
                    _Bucket(max(1, self._limits.per_hour // self._share), timedelta(hours=1), now),
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
            known = self._blocks.read().get(api)
            if known is not None and now < known.until:
                return _blocked(api, known.until)  # calls that were under way together count as one strike
            strikes = known.strikes if known is not None else 0
            until = now + BLOCKS[min(strikes, len(BLOCKS) - 1)]
            self._blocks.put(api, Block(until, strikes + 1))
            return _blocked(api, until)

    def passed(self, api: str) -> None:
        """The platform let a call through. Within a block that is an answer to an earlier call, and lifts nothing."""
        block = self._blocks.read().get(api)
        if block is not None and self._now() >= block.until:
            self._blocks.drop(api)


class Parallel:
    """So many calls at once; half as many for a minute after the platform said that they were too many (45033)."""

    def __init__(self, most: int, now: Clock) -> None:
        self._most = self._allowed = most
        self._now = now
        self._lowered_at: datetime | None = None
        self._under_way = 0
        self._free = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many may go at once now."""
        if self._lowered_at is not None and self._now() >= self._lowered_at + FEWER_FOR:
            self._allowed, self._lowered_at = self._most, None
        return self._allowed

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place; wait until one is free."""
        with self._free:
            self._free.wait_for(lambda: self._under_way < self.allowed)
            self._under_way += 1
        try:
            yield
        finally:
            with self._free:
                self._under_way -= 1
                self._free.notify_all()

    def lower(self, began: datetime) -> None:
        """A call that began then was one too many; several that were under way together lower it once."""
        with self._free:
            if self._lowered_at is None or began > self._lowered_at:
                self._allowed = max(1, self.allowed // 2)
                self._lowered_at = self._now()


def _blocked(api: str, until: datetime) -> TryLater:
    return TryLater(api, until, "超过了平台的调用频率", "the platform's rate limit was exceeded")

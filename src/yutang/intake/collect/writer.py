"""Durable before the answer: one thread writes all that waits in one transaction, then answers all.

The queue is bounded. What does not fit is refused at once, so that the sender waits and tries again; what is taken is
answered only when its transaction has been committed (SQLite: synchronous=FULL), or has failed whole.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError, close_old_connections, connection, transaction

from yutang.intake.collect.contracts import KeyFacts, Lot
from yutang.intake.collect.held import hold, settled, tidy
from yutang.intake.collect.keys import keys_in_use
from yutang.intake.collect.reading import Letter, Malformed, lot_of
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.database import is_full
from yutang.kernel.errors import OutOfSpace, Unavailable, YutangError
from yutang.kernel.failpoints import failpoint
from yutang.log.queries import waiting
from yutang.log.registry import refresh_vocabulary
from yutang.log.services import record_rows
from yutang.organisation.queries import brand_currency

MOST_EVENTS = 50_000
MOST_BYTES = 64_000_000
MOST_WAITING = 2_000_000
"""Events that may wait for the pump: beyond, the door takes nothing until it has caught up. (Some 400 MB of inbox.)"""

GROUP_EVENTS = 20_000
PRESSED, LATE = 1_000, 0.5
FRESH = 1.0
RECENT = 0.2
TIDY = 3600.0
_log = structlog.get_logger(__name__)

Answer = YutangError | Malformed | int
"""What became of a letter: why nothing of it is kept, or how many of its messages are held."""

Waiting = tuple[Letter, Lot | None, "asyncio.Future[Answer]"]


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class Known:
    """What the door must know to open, as of at most FRESH seconds ago. `currency` is None before set-up. `waiting`:
    how many events the pump has still to take in."""

    keys: Mapping[bytes, KeyFacts] = field(default_factory=dict)
    currency: str | None = None
    origins: frozenset[str] = frozenset()
    waiting: int = 0


class Collector:
    """The queue and its one writer. `offer` is called in the server's event loop, all else anywhere."""

    def __init__(
        self, *, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES, most_waiting: int = MOST_WAITING
    ) -> None:
        self.most_events, self.most_bytes, self.most_waiting = most_events, most_bytes, most_waiting
        self.known = Known()
        self.trouble: YutangError | None = None
        self._events = self._bytes = self._taken = 0
        self._pressed, self._counted = False, (monotonic(), 0)
        self._queue: deque[Waiting] = deque()
        self._wake = threading.Condition()
        self._idle = self._stopping = False
        self._looked = float("-inf")
        self._lookers: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._buckets: dict[int, _Bucket] = {}

    # In the event loop ---------------------------------------------------------------------------------------------

    def full(self, messages: int, size: int) -> bool:
        """Whether so much more does not fit now. A queue that is empty takes anything, unless the inbox is full."""
        if self.known.waiting >= self.most_waiting:
            return True
        return bool(self._events) and (
            self._events + messages > self.most_events or self._bytes + size > self.most_bytes
        )

    def wait_for(self, key: KeyFacts, messages: int) -> int:
        """Seconds after which the key may send so many messages; 0: now, and they are taken off its allowance.

        A key may send ten seconds' worth at once, and always one whole batch.
        """
        if not key.rate:
            return 0
        now, most = monotonic(), max(key.rate * 10.0, 2500.0)
        bucket = self._buckets.setdefault(key.id, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.at) * key.rate)
        bucket.at = now
        if bucket.tokens >= messages:
            bucket.tokens -= messages
            return 0
        return int((messages - bucket.tokens) / key.rate) + 1

    def offer(self, letter: Letter, lot: Lot | None = None) -> asyncio.Future[Answer]:
        """Wait for a letter to be durable.

        A batch is read where it arrives (`lot`), while the writer waits for the disk. Single calls are read by the
        writer, all that wait one after the other: alone, between two requests, each took three times as long.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._loop = loop
        self._events += letter.count
        self._taken += letter.count
        self._bytes += len(letter.body)
        self._queue.append((letter, lot, future))
        if self._idle:
            with self._wake:
                self._wake.notify()
        return future

    async def look(self) -> None:
        """Have the writer look at keys and types, at once or a moment after its last look: for an unknown key."""
        if (early := RECENT - (monotonic() - self._looked)) > 0:
            await asyncio.sleep(early)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._wake:
            self._lookers.append((loop, future))
            self._wake.notify()
        await asyncio.wait([future], timeout=5)

    def _answer(self, group: Sequence[Waiting], answers: Sequence[Answer]) -> None:
        for (letter, _, future), answer in zip(group, answers, strict=True):
            self._events -= letter.count
            self._bytes -= len(letter.body)
            if not future.done():
                future.set_result(answer)

    # Anywhere ------------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether what is offered will be written."""
        return self._thread is not None and self._thread.is_alive() and not isinstance(self.trouble, OutOfSpace)

    @property
    def pressed(self) -> bool:
        """Whether PRESSED events a second or more came in of late. For the one pump beside the door."""
        now = monotonic()
        since, before = self._counted
        if now - since >= LATE:
            self._pressed = self._taken - before >= PRESSED * (now - since)
            self._counted = (now, self._taken)
        return self._pressed

    def start(self) -> None:
        """Read the keys and start the writer."""
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end the writer."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(30)

    # In the writer's thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        tidied = float("-inf")
        try:
            while True:
                now = monotonic()
                if self._lookers or now - self._looked >= FRESH:
                    self._look()
                if now - tidied >= TIDY and self.known.currency:
                    self._tidy()
                    tidied = now
                group = self._next()
                if group:
                    answers = self._write(group)
                    assert self._loop is not None
                    self._loop.call_soon_threadsafe(self._answer, group, answers)
                elif self._stopping:
                    return
        finally:
            connection.close()

    def _look(self) -> None:
        try:
            keys = keys_in_use()
            refresh_vocabulary()
            origins = frozenset(origin for key in keys.values() for origin in key.origins)
            self.known = Known(keys, brand_currency(), origins, waiting())
        except (DatabaseError, YutangError) as error:
            _log.warning("keys not read", reason=str(error))
            close_old_connections()
        self._looked = monotonic()
        with self._wake:
            asked, self._lookers = self._lookers, []
        for loop, future in asked:
            loop.call_soon_threadsafe(_done, future)

    def _tidy(self) -> None:
        try:
            tidy()
        except DatabaseError as error:  # tomorrow is soon enough
            _log.warning("held messages not tidied", reason=str(error))

    def _next(self) -> list[Waiting]:
        if not self._queue:
            with self._wake:
                self._idle = True  # said before the last look: whoever offers after it sees it, and wakes us
                if not (self._queue or self._stopping or self._lookers):
                    self._wake.wait(FRESH)
                self._idle = False
        group: list[Waiting] = []
        size = 0
        while self._queue and size < GROUP_EVENTS:
            group.append(self._queue.popleft())
            size += group[-1][0].count
        return group

    def _write(self, group: Sequence[Waiting]) -> list[Answer]:
        try:
            lots: list[Lot] = []
            answers: list[Answer] = []
            for letter, lot, _ in group:
                try:
                    lots.append(lot_of(letter) if lot is None else lot)
                    answers.append(len(lots[-1].held))
                except Malformed as error:
                    answers.append(error)
            write(lots)
            self.trouble = None
            return answers
        except DatabaseError as error:
            close_old_connections()
            self.trouble = _said(error)
            return [self.trouble] * len(group)
        except Exception:  # noqa: BLE001  # whatever it is, each sender must be answered, and the others' lots be kept
            _log.exception("a group failed")
            if len(group) > 1:
                return [answer for one in group for answer in self._write([one])]
            return [_said(None)]


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def write(lots: Sequence[Lot]) -> None:
    """Keep everything that lots hold, in one transaction."""
    rows = [row for lot in lots for row in lot.rows]
    unsure = [row for lot in lots for row in lot.unsure]
    held = [one for lot in lots for one in lot.held]
    with transaction.atomic():
        if unsure:
            rows += settled(unsure)
        if rows:
            record_rows(rows)
        if held:
            hold(held, wall_now())
        failpoint("collect.before_commit")
    failpoint("collect.after_commit")


def _said(error: DatabaseError | None) -> YutangError:
    if error is not None and is_full(error):
        return OutOfSpace(
            "磁盘已满，这次写入已全部撤销。请腾出空间后再试。",
            "The disk is full and this write was undone whole. Free some space and try again.",
        )
    return Unavailable("暂时无法写入，请稍后再试。", "This cannot be written now; try again in a moment.")


_current: Collector | None = None


def install_collector(collector: Collector | None) -> None:
    """Set the process's collector. Called once, by `app`, at start."""
    global _current
    _current = collector


def current_collector() -> Collector | None:
    """The process's collector; None where this process has no such door."""
    return _current

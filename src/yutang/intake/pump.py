"""The pump: from the inbox into the warehouse, once.

The slice's membership is stored first; identity and operational facts are kept next (again does no harm); then events,
orders, lines, facts and the slice's marker are written in one warehouse transaction. Killed anywhere, the next pump
goes on with the same slice.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from django.db import transaction

from yutang.intake.append import append_statements, fact_statements, fence_statements, fenced
from yutang.intake.collect.writer import current_collector
from yutang.intake.columns import apply_facts, distinct, incoming, known, persons_of, unknown_stores
from yutang.intake.invites import invite_statements, invites_of
from yutang.intake.lease import Held, lease
from yutang.intake.mirror import LEASE, mirror_changed
from yutang.intake.models import Slice
from yutang.intake.turned_away import forget_in_inbox, turn_away
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.errors import Unavailable
from yutang.kernel.failpoints import failpoint
from yutang.log import queries as log
from yutang.log import services as inbox
from yutang.log.contracts import EventColumns
from yutang.people import queries as people
from yutang.people import services
from yutang.people.shunned import count_turned_away
from yutang.warehouse.contracts import Statement, Warehouse

# What a slice costs whatever its size (six tables of facts, the orders that may have changed) is shared by its events.
# Identity takes the operational write lock only for what is new, so a large slice keeps nobody waiting.
SLICE_EVENTS = 100_000

# How the pump shares a process with a door that is pressed: see `Pump`.
PRESSED_EVENTS = 25_000
REST = 2.0
SOON = 500_000


@dataclass(frozen=True, slots=True)
class PumpReport:
    """What one run of the pump did. `duplicates` had arrived before; events naming unknown stores are kept without."""

    events: int = 0
    duplicates: int = 0
    mirrored: int = 0
    unknown_stores: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def __add__(self, other: PumpReport) -> PumpReport:
        stores = {code: self.unknown_stores.get(code, 0) + count for code, count in other.unknown_stores.items()}
        return PumpReport(
            self.events + other.events,
            self.duplicates + other.duplicates,
            self.mirrored + other.mirrored,
            {**self.unknown_stores, **stores},
            self.seconds + other.seconds,
        )

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.events or self.duplicates or self.mirrored)


def inbox_head() -> int:
    """The last envelope in the inbox now; for `pumped_to`."""
    return log.head()


def pumped_to(head: int) -> bool:
    """Whether the pump has passed that head: all that arrived before it stands in the warehouse."""
    return log.passed(head)


def pump_until_empty(warehouse: Warehouse, *, limit: int = SLICE_EVENTS, patience: float = 60.0) -> PumpReport:
    """Pump until nothing waits, or, where ever more comes in, until what waited when it was called stands; the reports
    added up. Waits up to `patience` seconds for another pump at work."""
    head, total = log.head(), PumpReport()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="pump-ahead") as reader:
        ahead = Ahead(reader)
        while not (one := pump_once(warehouse, limit=limit, patience=patience, ahead=ahead)).idle:
            total += one
            if one.events and log.head() > head and log.passed(head):
                break
    return total


@dataclass(slots=True)
class Ahead:
    """The next slice, opened and read by a thread of its own while the one before is being written, for DuckDB writes
    without Python. What was read is used only if that slice is still the next one: so it may be forgotten any time."""

    reader: ThreadPoolExecutor
    slice_id: int | None = None
    columns: Future[EventColumns] | None = None

    def begin(self, limit: int) -> None:
        """Claim the slice after the one that is begun, and have it read."""
        self.slice_id = self.columns = None
        if log.anything_unclaimed() and (following := _claimed(limit)) is not None:
            self.slice_id = following.pk
            self.columns = self.reader.submit(inbox.columns, inbox.envelopes(following.pk))

    def read(self, slice_id: int) -> EventColumns:
        """A slice's events: those that were read ahead, or read now."""
        if self.columns is not None and self.slice_id == slice_id:
            return self.columns.result()
        return inbox.columns(inbox.envelopes(slice_id))


@dataclass(slots=True)
class Pump:
    """The pump as a turn of the clock runs it, beside a door that takes events in.

    Both are Python in one process, so one works at the other's cost. While the door is pressed (`Collector.pressed`), a
    slice is small and is followed by a rest of REST seconds; but the more events wait, the shorter, and from SOON on
    the pump rests no more and takes its half. Should even that not be enough, the door takes nothing more (429) until
    fewer than `collect.writer.MOST_WAITING` wait. When the door is pressed no longer, the rest is over.
    """

    warehouse: Warehouse
    rested: float = float("-inf")

    def turn(self, *, patience: float = 60.0) -> PumpReport:
        """Pump what waits, resting while the door is pressed."""
        head, total = log.head(), PumpReport()
        while self._pressed():
            if monotonic() < self.rested:
                return total
            one = pump_once(self.warehouse, limit=PRESSED_EVENTS, patience=patience)
            self.rested = monotonic() + REST * max(0.0, 1 - log.waiting() / SOON)
            total += one
            if one.idle or log.passed(head):
                return total
        return total + pump_until_empty(self.warehouse, patience=patience)

    def _pressed(self) -> bool:
        door = current_collector()
        return door is not None and door.pressed


def pump_once(
    warehouse: Warehouse, *, limit: int = SLICE_EVENTS, patience: float = 0.0, ahead: Ahead | None = None
) -> PumpReport:
    """Pump one slice of about `limit` events, or, when none waits, the facts of whoever changed.

    With `ahead`, the next slice is read while this one is written. Raises Unavailable when another process pumps for
    longer than `patience` seconds.
    """
    started = monotonic()
    with lease(LEASE, patience) as held:
        current = _slice(limit)
        if current is None:
            return PumpReport(mirrored=mirror_changed(warehouse, held), seconds=monotonic() - started)
        failpoint("pump.after_claim")
        arrived = ahead.read(current.pk) if ahead else inbox.columns(inbox.envelopes(current.pk))
        report = _append(warehouse, held, current, arrived, lambda: ahead.begin(limit) if ahead else None)
        failpoint("pump.after_done")
    return PumpReport(report.events, report.duplicates, report.mirrored, report.unknown_stores, monotonic() - started)


def _slice(limit: int) -> Slice | None:
    """The slice that was begun and not finished, or a new one; None when nothing waits."""
    with transaction.atomic():
        begun = Slice.objects.filter(done=False).order_by("pk").first()
        if begun is not None or not log.anything_waits():
            return begun
        return _claimed(limit)


def _claimed(limit: int) -> Slice | None:
    """A new slice of what waits; None when nothing does."""
    with transaction.atomic():
        fresh = Slice.objects.create()
        if inbox.claim(fresh.pk, limit):
            return fresh
        fresh.delete()
        return None


def _append(
    warehouse: Warehouse, held: Held, current: Slice, arrived: EventColumns, meanwhile: Callable[[], None]
) -> PumpReport:
    chosen = distinct(arrived)
    codes = known()
    persons = persons_of(chosen)
    failpoint("pump.after_persons")
    chosen, persons, dropped, nobodys = turn_away(chosen, persons)
    apply_facts(chosen, persons, codes)
    invites = invites_of(chosen, persons)
    failpoint("pump.after_identity")
    marks, changed = people.unmirrored()
    facts = people.fact_tables(changed) if changed else None
    table, lines = incoming(chosen, persons, codes)
    held.renew()
    meanwhile()
    wrote = warehouse.write(
        [
            *append_statements(table, lines, slice_id=current.pk),
            *invite_statements(invites),
            *(fact_statements(facts) if facts is not None else ()),
            *fence_statements(held.token),
            Statement("INSERT INTO slices VALUES ($slice, $at)", {"slice": current.pk, "at": wall_now()}),
        ],
        unless=_written(current.pk, held.token),
    )
    failpoint("pump.after_append")
    if not wrote and not _is_written(warehouse, current.pk):
        raise Unavailable("已有另一个进程接手，请稍后再试。", "Another process has taken over; try again in a moment.")
    if wrote:
        services.mirrored(marks)
    failpoint("pump.after_mirrored")
    with transaction.atomic():
        inbox.finish(current.pk)
        if dropped or nobodys:
            count_turned_away(dropped, nobodys)
            _unsay(current.pk)
        Slice.objects.filter(pk=current.pk).update(done=True)
    fresh = _count(warehouse, "SELECT count(*) FROM events WHERE slice = $slice", current.pk)
    mirrored = len(facts.keys) if wrote and facts is not None else 0
    return PumpReport(fresh, arrived.events.num_rows - fresh, mirrored, unknown_stores(chosen, codes))


def _unsay(slice_id: int) -> None:
    """Take out of a slice's envelopes what was said of erased persons."""
    first, last = inbox.span_of(slice_id)
    at: int | None = first - 1
    while at is not None:
        at = forget_in_inbox(frozenset(), at, last)


def _written(slice_id: int, token: int) -> Statement:
    """Whether the slice stands already, or a later holder of the lease has written."""
    later = fenced(token)
    return Statement(
        f"SELECT EXISTS (SELECT 1 FROM slices WHERE slice = $slice) OR ({later.sql})",  # noqa: S608 – texts of ours
        {**later.params, "slice": slice_id},
    )


def _is_written(warehouse: Warehouse, slice_id: int) -> bool:
    return bool(_count(warehouse, "SELECT count(*) FROM slices WHERE slice = $slice", slice_id))


def _count(warehouse: Warehouse, text: str, slice_id: int) -> int:
    return int(warehouse.query(Statement(text, {"slice": slice_id})).column(0)[0].as_py())


def repump_missing(warehouse: Warehouse) -> int:
    """After a restore: open again every slice that is done here and absent from the warehouse; returns how many."""
    there = set(warehouse.query(Statement("SELECT slice FROM slices"))["slice"].to_pylist())
    missing = [pk for pk in Slice.objects.filter(done=True).values_list("pk", flat=True) if pk not in there]
    return Slice.objects.filter(pk__in=missing).update(done=False)

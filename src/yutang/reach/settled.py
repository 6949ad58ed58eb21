"""Batches of which nothing more will become known, kept in columns: what a long period adds up of them is added up
without the store. Nothing can be told wrong by it, for what is settled stays as it is.

A batch is settled a while after it was closed: a late tap is read back for some days. All that were due before the
first that is not are kept, by a lane (`profiles.beforehand`); where none runs, the store is asked of everything.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from django.db.models import Min, Q

from yutang.kernel.clock import business_now
from yutang.profiles.beforehand import Beforehand
from yutang.reach.contracts import BatchState, Standing
from yutang.reach.models import Batch
from yutang.reach.returns import READ_LATE_FOR
from yutang.warehouse.contracts import Warehouse

Numbers = npt.NDArray[np.int64]
KEPT = timedelta(days=400)  # the longest period of the board
HOURS = 25  # 24, and none
_STANDINGS = max(Standing) + 1


@dataclass(frozen=True, slots=True)
class Settled:
    """All batches due from `since` up to, not including, `until`, in columns, by when they were due. `sender` and
    `due` are places in `senders` and `dues`; `hour` is 24 where nobody tapped."""

    since: datetime
    until: datetime
    senders: Numbers
    dues: tuple[datetime, ...]
    sender: Numbers
    due: Numbers
    standing: Numbers
    hour: Numbers
    asked: Numbers
    done: Numbers

    def covers(self, since: datetime) -> bool:
        """Whether a period that begins then begins among what is kept."""
        return self.since <= since < self.until

    def by_sender(self, since: datetime, until: datetime) -> Numbers:
        """Rows of sender, standing, batches, asked and done, of those due in a period."""
        part = self._due(since, until)
        keys, *sums = self._sums(part, self.sender[part] * _STANDINGS + self.standing[part])
        return np.column_stack([self.senders[keys // _STANDINGS], keys % _STANDINGS, *sums])

    def by_time(
        self, since: datetime, until: datetime, without: Collection[int]
    ) -> Iterator[tuple[datetime, int, int | None, int, int, int]]:
        """When due, standing, hour of the tap, batches, asked and done, of those due in a period, of other senders."""
        whole = self._due(since, until)
        part = np.arange(whole.start, whole.stop)
        if without:
            part = part[~np.isin(self.senders, list(without))[self.sender[part]]]
        keys = (self.due[part] * _STANDINGS + self.standing[part]) * HOURS + self.hour[part]
        sums = (column.tolist() for column in self._sums(part, keys))
        for key, batches, asked, done in zip(*sums, strict=True):
            at, hour = self.dues[key // HOURS // _STANDINGS], key % HOURS
            yield at, key // HOURS % _STANDINGS, None if hour == HOURS - 1 else hour, batches, asked, done

    def _due(self, since: datetime, until: datetime) -> slice:
        """Those due in a period: all stand by when they were due."""
        ends = np.searchsorted(self.due, [bisect_left(self.dues, since), bisect_left(self.dues, until)])
        return slice(int(ends[0]), int(ends[1]))

    def _sums(self, part: slice | Numbers, keys: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Each key that is there, with batches, asked and done."""
        counts = np.bincount(keys)
        asked, done = (np.bincount(keys, weights=column[part]).astype(np.int64) for column in (self.asked, self.done))
        there = np.flatnonzero(counts)
        return there, counts[there], asked[there], done[there]


def _settled(_warehouse: Warehouse) -> Settled:
    """Of everybody. (Unscoped: whoever sees the whole brand asks it.)"""
    now = business_now()
    closed_long_ago = Q(state=BatchState.CLOSED.value, closed_at__lt=now - READ_LATE_FOR - timedelta(days=1))
    first = Batch.objects.exclude(closed_long_ago).aggregate(first=Min("due_at"))["first"]
    since, until = now - KEPT, min(now, first or now)
    rows = Batch.objects.filter(due_at__gte=since, due_at__lt=until).order_by("due_at")
    dues: dict[datetime, int] = {}
    numbers: list[tuple[int, ...]] = []
    columns = ("due_at", "sender", "standing", "tapped_hour", "asked", "done")
    for due_at, sender, standing, hour, asked, done in rows.values_list(*columns).iterator(10_000):
        place = dues.setdefault(due_at, len(dues))
        numbers.append((place, sender, standing, HOURS - 1 if hour is None else hour, asked, done))
    table = np.array(numbers, dtype=np.int64).reshape(-1, len(columns)).T
    senders, places = np.unique(table[1], return_inverse=True)
    kept = [np.ascontiguousarray(column) for column in (places, table[0], *table[2:])]
    return Settled(since, until, senders, tuple(dues), *kept)


SETTLED = Beforehand(_settled, often=3_600.0, follows=False)

"""What staff sent on their own, in columns: what a page tells of it is a few sums over them, for any viewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.channels.ports.sent import SendKind
from yutang.kernel.calendars import naive
from yutang.kernel.ids import StaffId

Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
Times = npt.NDArray[np.datetime64]
KINDS = tuple(sorted(SendKind))
MASS, GROUP, MOMENTS = (KINDS.index(one) for one in (SendKind.MASS, SendKind.GROUP, SendKind.MOMENTS))
_TOLD = ("mass", "into_groups", "moments", "held_out", "over_cap")  # of a pair


@dataclass(frozen=True, slots=True)
class Sums:
    """What the staff of each key sent: `sends` of each of `KINDS`, whom they spoke to, and so on, as in `OffGateRow`.
    Send by send, a key stands once for each, and `content` tells its words; else there is none."""

    key: Numbers
    last_at: Times
    kind: Numbers
    content: pa.Array | None
    sends: Numbers
    persons: Numbers
    could_see: Numbers
    held_out: Numbers
    over_cap: Numbers

    @property
    def all_sends(self) -> Numbers:
        """How many of every kind."""
        return np.asarray(self.sends.sum(axis=1), dtype=np.int64)

    def in_order(self, column: str, *, descending: bool = True) -> Numbers:
        """Places of all rows by one column; those alike by whom they reached, the latest first."""
        first = self.all_sends if column == "sends" else getattr(self, column)
        number = first.astype(np.int64)
        latest = self.last_at.astype(np.int64)
        return np.lexsort((self.key, -latest, -self.could_see, -self.persons, -number if descending else number))


@dataclass(frozen=True, slots=True)
class Sends:
    """Every send of one window: by whom (a place among the staff), `send` the same number where several sent one."""

    staff: Numbers
    send: Numbers
    kind: Numbers
    content: pa.Array
    last_at: Times
    reached: Numbers
    held_out: Numbers
    over_cap: Numbers


@dataclass(frozen=True, slots=True)
class Spoken:
    """In each of some windows, so many days up to one instant: every send, and how many persons the staff spoke to.
    `alone` counts those whom one of the staff alone spoke to or wrote to, by window and place among `staff`. Of the
    others there are pairs, `by` whom and `person`, in order of persons; `told` says in which window each thing was so
    of a pair for the last time: the place of the shortest among `days`."""

    days: tuple[int, ...]
    staff: Numbers
    alone: Mapping[str, Numbers]
    by: Numbers
    person: Numbers
    told: Mapping[str, npt.NDArray[np.int8]]
    sends: Mapping[int, Sends]

    @staticmethod
    def of(pairs: pa.Table, sends: pa.Table, starts: Mapping[int, datetime]) -> Spoken:
        """From the rows of `sql/offgate_pairs` and `sql/offgate_sends`; `starts`: when the window of so many days
        begins."""
        days = tuple(sorted(starts))
        staff, by = np.unique(pairs["staff"].to_numpy(), return_inverse=True)
        edges = np.array([naive(starts[one]) for one in reversed(days)], dtype="datetime64[us]")
        told = {name: _window(pairs[name].to_numpy(), edges) for name in _TOLD}
        told["could_see"] = np.minimum(told["into_groups"], told["moments"])
        person = pairs["person"].to_numpy()
        change = np.ones(len(person) + 1, dtype=bool)
        change[1:-1] = person[1:] != person[:-1]
        alone = change[1:] & change[:-1]
        others = np.flatnonzero(~alone)
        return Spoken(
            days,
            staff,
            {name: _counts(by[alone], one[alone], len(staff), len(days)) for name, one in told.items()},
            by[others],
            np.unique(person[others], return_inverse=True)[1],
            {name: one[others] for name, one in told.items()},
            _by_window(sends, staff, days),
        )

    def sums(self, keys: Mapping[StaffId, int], days: int, kind: SendKind | None, *, each: bool = False) -> Sums:
        """What these staff sent in a window, of one kind or all: together for each key, or (`each`) send by send. Keys
        that sent nothing do not stand there."""
        names = np.array(sorted(set(keys.values())), dtype=np.int64)
        place = np.full(len(self.staff), -1, dtype=np.int64)  # of the key of each member of staff, among the names
        known = [(at, keys[StaffId(one)]) for at, one in enumerate(self.staff.tolist()) if one in keys]
        at, key = np.array(known, dtype=np.int64).reshape(-1, 2).T
        place[at] = np.searchsorted(names, key)
        sends = self.sends[days]
        mine = np.flatnonzero((place[sends.staff] >= 0) & _of_kind(sends.kind, kind))
        if each:
            return _each(sends, mine, names[place[sends.staff[mine]]])
        return self._by_key(sends, mine, place, names, self.days.index(days), kind)

    def _by_key(
        self, sends: Sends, mine: Numbers, place: Numbers, names: Numbers, window: int, kind: SendKind | None
    ) -> Sums:
        key, of, size = place[sends.staff[mine]], sends.kind[mine], len(names)
        counts = [_distinct(key[of == one], sends.send[mine][of == one], size) for one in range(len(KINDS))]
        last_at = np.full(size, np.datetime64(0, "us"))
        np.maximum.at(last_at, key, sends.last_at[mine])
        kinds = np.full(size, -1, dtype=np.int64)
        np.maximum.at(kinds, key, of)
        there = np.flatnonzero(kinds >= 0)
        whose = place[self.by]

        def heads(name: str) -> Numbers:
            """Of how many persons this is told, for each key."""
            here = place >= 0
            alone = np.bincount(place[here], weights=self.alone[name][window][here], minlength=size).astype(np.int64)
            pairs = np.flatnonzero((self.told[name] <= window) & (whose >= 0))
            return (alone + _distinct(whose[pairs], self.person[pairs], size))[there]

        none = np.zeros(len(there), dtype=np.int64)
        seen_in = {None: "could_see", SendKind.GROUP: "into_groups", SendKind.MOMENTS: "moments"}
        spoken = [heads(name) if kind in (None, SendKind.MASS) else none for name in ("mass", "held_out", "over_cap")]
        could_see = heads(seen_in[kind]) if kind in seen_in else none
        sent = np.stack(counts, axis=1)[there]
        return Sums(names[there], last_at[there], kinds[there], None, sent, spoken[0], could_see, *spoken[1:])


def _of_kind(kinds: Numbers, kind: SendKind | None) -> Truths:
    return np.ones(len(kinds), dtype=bool) if kind is None else kinds == KINDS.index(kind)


def _each(sends: Sends, mine: Numbers, key: Numbers) -> Sums:
    kind, reached = sends.kind[mine], sends.reached[mine]
    counts = (kind[:, None] == np.arange(len(KINDS))).astype(np.int64)
    spoken = np.where(kind == MASS, reached, 0)
    return Sums(
        key, sends.last_at[mine], kind, sends.content.take(pa.array(mine)), counts, spoken, reached - spoken,
        sends.held_out[mine], sends.over_cap[mine],
    )  # fmt: skip


def _window(last: Times, edges: Times) -> npt.NDArray[np.int8]:
    """In which window each instant is: the place of the shortest, their number where it is in none or never was.
    `edges` are where they begin, the longest first; what is at an edge is before it."""
    found = len(edges) - np.searchsorted(edges, last, side="left")
    return np.where(np.isnat(last), len(edges), found).astype(np.int8)


def _counts(by: Numbers, windows: npt.NDArray[np.int8], staff: int, days: int) -> Numbers:
    """By window, and who: of how many pairs it is so in that window."""
    in_each = np.bincount(windows.astype(np.int64) * staff + by, minlength=(days + 1) * staff)
    return np.asarray(in_each.reshape(days + 1, staff)[:days].cumsum(axis=0), dtype=np.int64)


def _by_window(rows: pa.Table, staff: Numbers, days: tuple[int, ...]) -> Mapping[int, Sends]:
    columns: dict[str, Any] = {name: rows[name].to_numpy() for name in ("last_at", "reached", "held_out", "over_cap")}
    columns["staff"] = np.searchsorted(staff, rows["staff"].to_numpy())
    columns["send"] = rows["send"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    columns["kind"] = np.searchsorted(np.array(KINDS), np.array(rows["kind"].to_pylist(), dtype=str)).astype(np.int64)
    content, window = rows["content"].combine_chunks(), rows["days"].to_numpy()
    parts = {}
    for one in days:
        at = np.flatnonzero(window == one)
        parts[one] = Sends(content=content.take(pa.array(at)), **{name: each[at] for name, each in columns.items()})
    return parts


def _distinct(key: Numbers, of: npt.NDArray[Any], size: int) -> Numbers:
    """How many different ones each key has."""
    if size == 1:  # nothing to tell apart: marked, not sorted
        there = np.zeros(int(of.max(initial=-1)) + 1, dtype=bool)
        there[of] = True
        return np.array([np.count_nonzero(there)], dtype=np.int64)
    both = of.astype(np.int64) * size + key
    both.sort(kind="stable")  # nearly in order already: quickly sorted
    first = np.ones(len(both), dtype=bool)
    first[1:] = both[1:] != both[:-1]
    return np.bincount(both[first] % size, minlength=size) if size else np.zeros(0, dtype=np.int64)

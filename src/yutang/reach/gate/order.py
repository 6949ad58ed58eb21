"""Orders and running counts over columns: what the allocation does instead of walking from person to person."""

from __future__ import annotations

import numpy as np

from yutang.reach.gate.docket import Bools, Column, Ints


def ranking(*keys: Column) -> Ints:
    """The row numbers in ascending order of the first key, its ties by the second, and so on.

    What `numpy.lexsort` gives, but a later key is looked at only where the earlier ones tie: in a ranking by expected
    value almost nowhere.
    """
    order = _argsort(keys[0])
    tied = _ties(keys[0][order])
    places = np.flatnonzero(tied[:-1] | tied[1:])
    for index, key in enumerate(keys[1:], start=1):
        if not len(places):
            break
        # `places` covers whole runs of rows that are equal so far: sort each run by the next key.
        rows = order[places]
        runs = np.cumsum(~tied[:-1][places])
        by_key = _argsort(key[rows])
        if runs[-1] > runs[0]:
            by_key = by_key[np.argsort(runs[by_key], kind="stable")]
        rows = rows[by_key]
        order[places] = rows
        if index + 1 < len(keys):
            same = np.zeros(len(places) + 1, np.bool_)
            same[1:-1] = (key[rows][1:] == key[rows][:-1]) & (runs[1:] == runs[:-1])
            tied = np.zeros(len(order) + 1, np.bool_)
            tied[:-1][places] = same[:-1]
            places = np.flatnonzero(tied[:-1] | tied[1:])
    return order


def _argsort(key: Column) -> Ints:
    """Any ascending order of a column; none is made where it is already ascending."""
    if (key[1:] >= key[:-1]).all():
        return np.arange(len(key))
    return np.argsort(key).astype(np.int64, copy=False)


def _ties(ordered: Column) -> Bools:
    """For each row and one past the end: does it equal the row before?"""
    tied = np.zeros(len(ordered) + 1, np.bool_)
    tied[1:-1] = ordered[1:] == ordered[:-1]
    return tied


class Line:
    """Rows standing in line, in order, each in the group of its code: how many of a group stand before a row?"""

    __slots__ = ("_order", "_starts", "alone", "codes")

    def __init__(self, codes: Column, groups: int) -> None:
        """`codes` lie in 0–groups-1."""
        self.codes = codes
        self._order = _grouped(codes, groups)
        self._measure()

    def _measure(self) -> None:
        ordered = self.codes[self._order]
        changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        self.alone = len(changes) + 1 >= len(ordered)
        starts = np.zeros(len(ordered), np.int64)
        starts[changes] = changes
        self._starts = np.maximum.accumulate(starts) if len(starts) else starts

    def before(self, counted: Bools) -> Ints:
        """For each row, how many counted rows of its group stand before it."""
        counts = np.zeros(len(counted), np.int64)
        if self.alone or not counted.any():
            return counts
        running = np.zeros(len(counted) + 1, np.int64)
        np.cumsum(counted[self._order], out=running[1:])
        counts[self._order] = running[:-1] - running[self._starts]
        return counts

    def keep(self, kept: Bools) -> None:
        """Let the others leave the line."""
        moved = np.cumsum(kept) - 1
        self._order = moved[self._order[kept[self._order]]]
        self.codes = self.codes[kept]
        self._measure()


def _grouped(codes: Column, groups: int) -> Ints:
    """The rows ordered by code, and within one as they stand.

    A stable sort of 16-bit numbers is a radix sort; two of them cost half of one sort of 64-bit numbers.
    """
    low = np.argsort(codes.astype(np.uint16), kind="stable")  # astype keeps the lower 16 bits
    if groups <= 1 << 16:
        return low
    if groups > 1 << 32:
        return np.argsort(codes, kind="stable")
    high = (codes >> 16).astype(np.uint16)[low]
    return low[np.argsort(high, kind="stable")]


def compact(low: int, high: int, count: int) -> bool:
    """Whether so many ids between two bounds were as good as given in sequence: then a table does for a search."""
    return high - low < 4 * count + 1024


def numbered(ids: Ints) -> tuple[int, Ints]:
    """Ids as small numbers, equal for equal ids, and a bound above all numbers."""
    if not len(ids):
        return 0, ids
    low, high = int(ids.min()), int(ids.max())
    if compact(low, high, len(ids)):
        return high - low + 1, ids - low
    distinct, numbers = np.unique(ids, return_inverse=True)
    return len(distinct), numbers

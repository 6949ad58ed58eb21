"""Who is reached by whom, in columns: what is lost with some accounts is a few sums over them, for any viewer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.ids import NodeId, SenderId
from yutang.organisation.contracts import Viewer
from yutang.profiles.beforehand import Known
from yutang.warehouse.contracts import Warehouse

Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]
BITS = 62  # units of which one number can tell which they are


@dataclass(frozen=True, slots=True)
class Left:
    """Of every person: whether what is gone reached them, whether nothing else does, and by which other ways (bits)."""

    hit: Truths
    lost: Truths
    ways: Numbers


@dataclass(frozen=True, slots=True)
class Contacts:
    """Everybody whom anything reaches, in order, and the accounts that do. `first` is where each person's accounts
    begin in `account`, `at` whose each is; `home` is a place in `homes`, `dearest` are places by what they spent, and
    `could` those who could be reached by a channel that nothing is connected to."""

    known: Known
    home: Numbers
    homes: tuple[NodeId | None, ...]
    synthetic: Truths
    orders: Numbers
    spend: npt.NDArray[np.float64]
    dearest: Numbers
    first: Numbers
    at: Numbers
    account: Numbers
    could: Mapping[str, Numbers]

    @staticmethod
    def of(warehouse: Warehouse, pairs: pa.Table, could: Mapping[str, Sequence[object]]) -> Contacts:
        """From the rows of `sql/pairs` and `sql/could`."""
        columns = {name: pairs[name].to_numpy() for name in pairs.column_names}
        persons, first, at = np.unique(columns["person"], return_index=True, return_inverse=True)
        homes, home = np.unique(columns["store"][first], return_inverse=True)
        spend = columns["spend_365d"][first].astype(np.float64)
        who = np.array(could.get("person", ()), dtype=np.int64)
        there = np.searchsorted(persons, who).clip(max=max(len(persons) - 1, 0))
        known = persons[there] == who if len(persons) else np.zeros(len(who), dtype=bool)
        channels = np.array(could.get("channel", ()), dtype=object)
        return Contacts(
            Known.of(warehouse, persons),
            home,
            tuple(NodeId(int(one)) if one else None for one in homes),
            columns["synthetic"][first],
            columns["orders_ever"][first],
            spend,
            np.lexsort((persons, -spend)),
            first,
            at,
            columns["account"],
            {str(channel): there[known & (channels == channel)] for channel in dict.fromkeys(channels)},
        )

    def by_unit(self, units: Sequence[Collection[SenderId]], viewer: Viewer) -> tuple[Numbers, Numbers]:
        """Of each of these units, how many of those whom the viewer sees it reaches, and how many of them nothing else
        does. Any other account is a way of its own."""
        size = len(units)
        number = self._numbers({account: at for at, one in enumerate(units) for account in one})
        unit = np.where(number < 0, size + self.account, number)
        at, seen = self.at, self.known.seen_by(viewer)
        if not seen.all():
            kept = seen[at]
            at, unit = at[kept], unit[kept]
        if len(units) != sum(len(one) for one in units):  # else no unit has a person twice
            if size < BITS and not (number < 0).any():
                return self._by_bits(number, size, seen)
            at, unit = np.divmod(np.unique(at * (int(unit.max(initial=0)) + 1) + unit), int(unit.max(initial=0)) + 1)
        alone = np.bincount(at, minlength=len(seen)) == 1
        reached = np.bincount(unit, minlength=size)[:size]
        return reached, np.bincount(unit[alone[at]], minlength=size)[:size]

    def _by_bits(self, number: Numbers, size: int, seen: Truths) -> tuple[Numbers, Numbers]:
        ways = self._ways(np.left_shift(1, number))[seen]
        reached = [int(np.count_nonzero(ways >> one & 1)) for one in range(size)]
        lost = [int(np.count_nonzero(ways == 1 << one)) for one in range(size)]
        return np.array(reached, dtype=np.int64), np.array(lost, dtype=np.int64)

    def without(self, other: Mapping[SenderId, int], names: int, viewer: Viewer) -> Left:
        """Who of those whom the viewer sees is hit where all accounts but the `other` are gone, each of which is one
        of so many ways."""
        assert names <= BITS
        number = self._numbers(other)
        hit = np.zeros(len(self.first), dtype=bool)
        hit[self.at[number < 0]] = True
        hit &= self.known.seen_by(viewer)
        ways = self._ways(np.where(number < 0, 0, np.left_shift(1, number.clip(min=0))))
        return Left(hit, hit & (ways == 0), ways)

    def by_home(self, persons: Truths) -> Numbers:
        """How many of these persons live at each of `homes`."""
        return np.bincount(self.home[persons], minlength=len(self.homes))

    def _ways(self, bits: Numbers) -> Numbers:
        """The bits of each person's accounts together."""
        return np.bitwise_or.reduceat(bits, self.first) if len(bits) else bits

    def _numbers(self, of: Mapping[SenderId, int]) -> Numbers:
        """The number of each pair's account; -1 where it has none."""
        table = np.full(max([int(self.account.max(initial=0)), *map(int, of)]) + 1, -1, dtype=np.int64)
        table[np.fromiter(of.keys(), np.int64, len(of))] = np.fromiter(of.values(), np.int64, len(of))
        return table[self.account]

"""The pond in columns, counted beforehand: how each person can be reached, where they are at home, how far they came.

What a viewer is shown is a few sums over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from yutang.kernel.clock import business_now
from yutang.layers.flow import with_steps
from yutang.organisation.contracts import Viewer
from yutang.profiles.beforehand import Beforehand, Known
from yutang.profiles.queries import as_of
from yutang.warehouse.contracts import Warehouse, named
from yutang.warehouse.dialects import beside

REACHABLE = "reachable"
STEPS = (
    "customers", "customers_now", "customers_then", "repeat", "repeat_now", "repeat_then", "widened", "brought",
    "prospects_then", "prospects_bought",
)  # fmt: skip
NOWHERE = -1
Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ways:
    """Heads by (bought, synthetic, way); a way is `reachable` or why somebody is not."""

    heads: Mapping[tuple[bool, bool, str], int]

    def count(self, *, bought: bool | None = None, synthetic: bool | None = None, way: str | None = None) -> int:
        """How many are so."""
        return sum(
            heads
            for (was_bought, was_synthetic, its_way), heads in self.heads.items()
            if (bought is None or bought is was_bought)
            and (synthetic is None or synthetic is was_synthetic)
            and (way is None or way == its_way)
        )

    @property
    def everybody(self) -> int:
        """All in scope."""
        return self.count()

    @property
    def reachable(self) -> int:
        """Who is in a pool."""
        return self.count(way=REACHABLE)

    @property
    def share(self) -> float | None:
        """Reachable, of all."""
        return self.reachable / self.everybody if self.everybody else None

    @property
    def lost(self) -> int:
        """Whose only friendships have ended."""
        return self.count(way="lost")

    def because(self) -> list[tuple[str, int, int]]:
        """Why people cannot be reached: the way, how many of those who bought, how many of those who did not."""
        found = sorted({way for _, _, way in self.heads if way != REACHABLE})
        rows = [(way, self.count(bought=True, way=way), self.count(bought=False, way=way)) for way in found]
        return sorted(rows, key=lambda row: -(row[1] + row[2]))


@dataclass(frozen=True, slots=True)
class AtHome:
    """Of a store (`NOWHERE`: of none) whose home it is: heads, and what they spent in 90 days."""

    store: int
    customers: int
    prospects: int
    reachable: int
    repeat: int
    active: int
    spend: float


@dataclass(frozen=True, slots=True)
class Pond:
    """Everybody, in columns: which of some `kinds` (bought, synthetic, way) they are, at which of the `stores` at home,
    which `steps` they took, and what they spent in hundredths. Profiles stood at `at`."""

    at: datetime
    known: Known
    kind: Numbers
    kinds: tuple[tuple[bool, bool, str], ...]
    home: Numbers
    stores: Numbers
    spend: Numbers
    twice: Truths
    active: Truths
    steps: Mapping[str, Truths]

    def part(self, viewer: Viewer) -> Ways:
        """How those can be reached whom the viewer sees."""
        heads = np.bincount(self.kind[self.known.seen_by(viewer)], minlength=len(self.kinds))
        return Ways({kind: int(count) for kind, count in zip(self.kinds, heads, strict=True) if count})

    def took(self, viewer: Viewer) -> Mapping[tuple[str, bool], int]:
        """How many took each step, by whether they are synthetic, of those whom the viewer sees."""
        seen = self.known.seen_by(viewer)
        invented = np.array([synthetic for _, synthetic, _ in self.kinds], dtype=bool)[self.kind]
        return {
            (name, synthetic): int(np.count_nonzero(took & seen & (invented == synthetic)))
            for name, took in self.steps.items()
            for synthetic in (False, True)
        }

    def at_home(self, viewer: Viewer) -> list[AtHome]:
        """Every store, with those at home there whom the viewer sees."""
        seen = self.known.seen_by(viewer)
        bought = np.array([kind[0] for kind in self.kinds], dtype=bool)[self.kind]
        may = np.array([kind[2] == REACHABLE for kind in self.kinds], dtype=bool)[self.kind]
        # whole numbers, so that the sums are exact
        spend = np.bincount(self.home[seen], weights=self.spend[seen], minlength=len(self.stores)) / 100
        told = zip(
            self.stores.tolist(),
            *(self._heads(seen & who).tolist() for who in (bought, ~bought, bought & may, self.twice, self.active)),
            spend.tolist(),
            strict=True,
        )
        anybody = self._heads(seen)
        return [AtHome(*row) for row, some in zip(told, anybody, strict=True) if some]

    def _heads(self, who: Truths) -> Numbers:
        return np.bincount(self.home[who], minlength=len(self.stores))


def _pond(warehouse: Warehouse) -> Pond:
    """(Unscoped: the parts say whom a viewer sees.)"""
    at = as_of(warehouse) or business_now()
    params = {"as_of": at, **{f"from_{days}": at - timedelta(days=days) for days in (30, 60, 90)}}
    asked = with_steps(beside(named("console/pond", params), "reachability", "console/reachability"))
    rows = warehouse.query(asked)
    columns = {name: rows[name].to_numpy() for name in rows.column_names if name != "way"}
    way = rows["way"].combine_chunks().dictionary_encode()
    kind = way.indices.to_numpy() * 4 + columns["bought"] * 2 + columns["synthetic"]
    kinds = tuple((bought, invented, str(name)) for name in way.dictionary.to_pylist()
                  for bought in (False, True) for invented in (False, True))  # fmt: skip
    stores, home = np.unique(columns["store"], return_inverse=True)
    return Pond(
        at,
        Known.of(warehouse, columns["person"]),
        kind.astype(np.int64),
        kinds,
        home,
        stores,
        columns["spend"],
        columns["twice"],
        columns["active"],
        {name: columns[name] for name in STEPS},
    )


POND = Beforehand(_pond)

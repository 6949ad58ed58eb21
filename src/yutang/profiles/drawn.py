"""Some persons of whom a question is asked instead of everybody: all whom a viewer sees, where they are few; otherwise
a sample of them, drawn by hash and so the same again for the next question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yutang.kernel.ids import draw_array, salt
from yutang.organisation.contracts import Viewer
from yutang.profiles.queries import DRAWN
from yutang.profiles.remembered import Remembered
from yutang.warehouse.contracts import Statement, Warehouse, named

SAMPLE = 50_000
"""No more persons than about this are looked at: enough to tell how much spend varies."""
Z = 1.96  # 95 %
_EVERYBODY: Remembered[Drawn] = Remembered(size=1)


@dataclass(frozen=True, slots=True)
class Told:
    """How many of everybody are so: of a sample (`share` below 1) an estimate, with its 95 % interval."""

    count: int
    low: int
    high: int
    share: float = 1.0

    @property
    def exact(self) -> bool:
        """Whether everybody was looked at."""
        return self.share == 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """Persons (`person`) with every number of theirs (`birth`), some of `everybody` whom the viewer sees."""

    births: pa.Table
    persons: npt.NDArray[np.int64]
    everybody: int

    @property
    def share(self) -> float:
        """How many of everybody they are."""
        return len(self.persons) / self.everybody if self.everybody else 1.0

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """What a query names that asks of them alone (`among=DRAWN`)."""
        return {DRAWN: self.births}

    def of(self, others: Drawn) -> Drawn:
        """Those of them who are among these others."""
        some = np.intersect1d(self.persons, others.persons)
        births = self.births.filter(pc.is_in(self.births["person"], value_set=pa.array(some, pa.int64())))
        return Drawn(births, some, self.everybody)

    def told(self, found: int) -> Told:
        """What `found` of them say of everybody: the score interval of a share (Wilson 1927), by how many of everybody
        were not looked at (Cochran 1977, eq. 2.20); never fewer than were found."""
        of = len(self.persons)
        if of == self.everybody:
            return Told(found, found, found)
        if not of:  # of the few whom a viewer sees, none was drawn: nobody can tell
            return Told(0, 0, self.everybody, 0.0)
        share, loose = found / of, Z * Z * (self.everybody - of) / max(1, self.everybody - 1)
        centre = (share + loose / (2 * of)) / (1 + loose / of)
        half = sqrt(loose * share * (1 - share) / of + loose * loose / (4 * of * of)) / (1 + loose / of)
        most = self.everybody - (of - found)
        low, high = (min(most, max(found, round(self.everybody * (centre + by)))) for by in (-half, half))
        return Told(round(found / self.share), low, high, self.share)


def drawn(warehouse: Warehouse, viewer: Viewer) -> Drawn:
    """About `SAMPLE` of the persons of `profiles` whom the viewer sees, or all of them, where they are no more."""
    most = SAMPLE
    if viewer.nodes is None:  # everybody, as the last refresh knows them
        everybody = Statement("SELECT person FROM profiles", name="profiles/everybody")
        return _EVERYBODY.answer(warehouse, most, lambda: _drawn(warehouse, everybody, most))
    nodes = pa.table({"node": pa.array(sorted(viewer.nodes), pa.int64())})
    return _drawn(warehouse, named("profiles/seen", tables={"seen": nodes}), most)


def _drawn(warehouse: Warehouse, everybody: Statement, most: int) -> Drawn:
    persons = warehouse.query(everybody)["person"].to_numpy()
    share = most / max(1, len(persons))
    some = persons if share >= 1 else persons[draw_array(persons, salt("past profiles")) < share]
    wanted = pa.table({"person": some})
    births = warehouse.query(named("profiles/births_of", tables={"wanted": wanted}))
    return Drawn(births, some, len(persons))

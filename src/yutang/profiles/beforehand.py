"""What is counted beforehand for the whole brand, so that no page waits while it is counted: each viewer's part is cut
from it, and the page says as of when it stands.

Where pages are served, a lane (`keep_up`) looks after every such count: again when profiles were computed anew, and
every few minutes for what changes without them; but it rests 20 times as long as the count took, or a busy pond would
do nothing else. Where no lane runs (the shell, tests), nothing is kept, and whoever asks counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.clock import business_now, monotonic
from yutang.organisation.contracts import Viewer
from yutang.profiles.queries import kept_state, parse_refresh
from yutang.warehouse.contracts import Statement, Warehouse

T = TypeVar("T")
MINUTES = 600.0  # wall seconds after which it is counted again, whatever is known to have changed
REST = 20.0  # times as long as the counting took
_KEPT_UP: WeakSet[Warehouse] = WeakSet()


@dataclass(frozen=True, slots=True)
class Counted(Generic[T]):
    """What was counted, and as of when (business time)."""

    value: T
    as_of: datetime


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    key: object
    refresh: str
    ended: float  # by this process's monotonic clock
    took: float
    counted: Counted[T]


class Beforehand(Generic[T]):
    """One dear question about the whole brand. `key` says what an answer must never differ in from what stands now: a
    document, a local day. What else has changed since is as of then. `often`: wall seconds after which it is asked
    again; `follows`: whether it is when profiles were computed anew. One thread asks at a time; the others wait for
    what it finds."""

    def __init__(
        self,
        ask: Callable[[Warehouse], T],
        key: Callable[[], object] = lambda: None,
        *,
        often: float = MINUTES,
        follows: bool = True,
    ) -> None:
        self._ask = ask
        self._key = key
        self._often = often
        self._follows = follows
        self._lock = Lock()
        self._kept: WeakKeyDictionary[Warehouse, _Kept[T]] = WeakKeyDictionary()

    def answer(self, warehouse: Warehouse) -> Counted[T]:
        """What the lane found last; counted now where no lane runs, or none has found it for this key yet."""
        if warehouse not in _KEPT_UP:
            return self.afresh(warehouse)
        key = self._key()
        kept = self._kept.get(warehouse)
        return kept.counted if kept is not None and kept.key == key else self._counted(warehouse, key).counted

    def found(self, warehouse: Warehouse) -> Counted[T] | None:
        """What the lane found last for this key; None where no lane runs or none has found it. For what can be asked
        of the rows themselves too."""
        kept = self._kept.get(warehouse) if warehouse in _KEPT_UP else None
        return kept.counted if kept is not None and kept.key == self._key() else None

    def afresh(self, warehouse: Warehouse) -> Counted[T]:
        """Counted now, for whoever must not be told what was."""
        as_of = business_now()
        return Counted(self._ask(warehouse), as_of)

    def kept(self) -> T | None:
        """What a lane of this process keeps; None where none runs. For what stays right whatever happened since."""
        return next((one.counted.value for of, one in self._kept.items() if of in _KEPT_UP), None)

    def look(self, warehouse: Warehouse, refresh: str) -> bool:
        """Count again if it is time; whether it was. `refresh`: the last that computed profiles, empty before one."""
        if self._follows and not refresh:
            return False  # nothing came in yet
        key = self._key()
        kept = self._kept.get(warehouse)
        if kept is not None and kept.key == key:
            rested = monotonic() - kept.ended
            if rested < REST * kept.took or (rested < self._often and (not self._follows or kept.refresh == refresh)):
                return False
        self._counted(warehouse, key, kept)
        return True

    def _counted(self, warehouse: Warehouse, key: object, old: _Kept[T] | None = None) -> _Kept[T]:
        with self._lock:
            kept = self._kept.get(warehouse)
            if kept is not None and kept.key == key and kept is not old:
                return kept  # another thread has found it meanwhile
            start, refresh, as_of = monotonic(), parse_refresh(kept_state(warehouse)), business_now()
            counted = Counted(self._ask(warehouse), as_of)
            end = monotonic()
            found = self._kept[warehouse] = _Kept(key, refresh, end, end - start, counted)
            return found


def keep_up(warehouse: Warehouse, questions: Iterable[Beforehand[Any]]) -> int:
    """Count again whichever of these it is time for, and keep answers in this process from now on; how many."""
    _KEPT_UP.add(warehouse)
    refresh = parse_refresh(kept_state(warehouse))  # once: a house at which nothing happens looks all the time
    return sum(one.look(warehouse, refresh) for one in questions)


def let_go(warehouse: Warehouse) -> None:
    """Keep nothing of it any more: nobody looks after it."""
    _KEPT_UP.discard(warehouse)


@dataclass(frozen=True, slots=True)
class Known:
    """Some persons, and at which nodes each is known: whoever sees one of the nodes sees the person. `persons` are in
    order, each once; `at` are places among them."""

    persons: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    nodes: npt.NDArray[np.int64]

    @staticmethod
    def of(warehouse: Warehouse, persons: npt.NDArray[np.int64]) -> Known:
        """These persons, in order, each once. (Unscoped: who is seen by whom is what it tells.)"""
        rows = warehouse.query(
            Statement("SELECT person, node FROM fact_scopes ORDER BY person", name="profiles/known")
            if len(persons) > MANY
            else Statement(
                "SELECT person, node FROM fact_scopes WHERE person IN (SELECT person FROM wanted) ORDER BY person",
                tables={"wanted": pa.table({"person": pa.array(persons, pa.int64())})},
                name="profiles/known",
            )
        )
        scoped, nodes = rows["person"].to_numpy(), rows["node"].to_numpy()
        place = np.searchsorted(persons, scoped)
        found = (
            persons[place.clip(max=len(persons) - 1)] == scoped if len(persons) else np.zeros(len(scoped), dtype=bool)
        )
        return Known(persons, place[found], nodes[found])

    def seen_by(self, viewer: Viewer) -> npt.NDArray[np.bool_]:
        """Which of the persons the viewer sees."""
        if viewer.nodes is None:
            return np.ones(len(self.persons), dtype=bool)
        seen = np.zeros(len(self.persons), dtype=bool)
        theirs = np.zeros(int(self.nodes.max(initial=-1)) + 1, dtype=bool)
        mine = np.array([one for one in viewer.nodes if one < len(theirs)], dtype=np.int64)
        theirs[mine] = True
        seen[self.at[theirs[self.nodes]]] = True
        return seen


MANY = 100_000  # persons from which all scopes are read

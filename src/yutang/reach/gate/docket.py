"""The docket: the candidates of a tick as numpy columns, and what each stage has entered beside them so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.ids import touch_ids
from yutang.reach.gate.contracts import DECISIONS, INSTANT, Decisions, Outcome, PlanTerms, RuleName, Tick, TouchClass

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]
Column = npt.NDArray[Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NEVER = int(np.iinfo(np.int64).min)
UNBOUND = int(np.iinfo(np.int64).max)

OUTCOMES = tuple(Outcome)
REASONS = tuple(RuleName)
OPEN = -1
SUPPRESSED = OUTCOMES.index(Outcome.SUPPRESSED)


def micros(at: datetime) -> int:
    """An aware instant as whole microseconds since 1970 UTC."""
    return (at - EPOCH) // MICROSECOND


def numbers(table: pa.Table, column: str) -> Column:
    """A column as numpy; instants as microseconds since 1970 UTC, null as NEVER."""
    values = table[column].combine_chunks()
    if values.type == INSTANT:
        values = values.cast(pa.int64())
        values = values.fill_null(NEVER) if values.null_count else values
    array: Column = values.to_numpy(zero_copy_only=False)
    return array


@dataclass(slots=True)
class Docket:
    """A tick's candidates while they are decided. Only this package sees it.

    `outcome` is an index into OUTCOMES, or OPEN; `reason` one into REASONS, or OPEN. `sender` and `store` are ids,
    true where `placed`. `due` and `deadline` are microseconds since 1970 UTC.
    """

    tick: Tick
    plan: npt.NDArray[np.int32]
    person: Ints
    outcome: Codes
    reason: Codes
    due: Ints
    deadline: Ints
    sender: Ints
    store: Ints
    placed: Bools

    @classmethod
    def of(cls, tick: Tick) -> Docket:
        """A docket with every candidate open, due as early and as late as its plan allows."""
        plan = numbers(tick.candidates, "plan").astype(np.int32, copy=False)
        person = numbers(tick.candidates, "person").astype(np.int64, copy=False)
        _refuse_twins(plan, person, len(tick.plans))
        size = len(plan)
        now = micros(tick.now)
        return cls(
            tick,
            plan,
            person,
            outcome=np.full(size, OPEN, np.int8),
            reason=np.full(size, OPEN, np.int8),
            due=np.array([max(now, micros(terms.start)) for terms in tick.plans], np.int64)[plan],
            deadline=np.array([micros(terms.deadline) for terms in tick.plans], np.int64)[plan],
            sender=np.zeros(size, np.int64),
            store=np.zeros(size, np.int64),
            placed=np.zeros(size, np.bool_),
        )

    def column(self, name: str) -> Column:
        """A column of the candidates; instants as microseconds since 1970 UTC."""
        return numbers(self.tick.candidates, name)

    def wished(self, name: str) -> Ints:
        """A number that a candidate may have asked for; UNBOUND where she did not."""
        values = self.tick.candidates[name].combine_chunks().cast(pa.int64()).fill_null(UNBOUND)
        array: Ints = values.to_numpy(zero_copy_only=False)
        return array

    def bound(self, classes: Iterable[TouchClass]) -> Bools:
        """Which candidates' touches are of one of these classes."""
        return self.of_plans([terms.touch_class in classes for terms in self.tick.plans])

    def of_plans(self, holds: list[bool]) -> Bools:
        """What holds of each plan, for each candidate."""
        if len(set(holds)) == 1:
            return np.full(len(self.plan), holds[0])
        answer: Bools = np.array(holds, np.bool_)[self.plan]
        return answer

    def suppress(self, rows: Bools | Ints, reason: RuleName | Codes) -> None:
        """Close candidates with a reason (a name, or a column of indices into REASONS)."""
        self.outcome[rows] = SUPPRESSED
        self.reason[rows] = REASONS.index(reason) if isinstance(reason, RuleName) else reason

    def decisions(self) -> Decisions:
        """The docket as ledger rows, in the candidates' order. Every candidate must be closed."""
        if (self.outcome == OPEN).any():
            raise ValueError("a candidate left the gate without an outcome")
        terms = self.tick.plans
        suppressed = self.outcome == SUPPRESSED
        unplaced = suppressed | ~self.placed
        occasions = list(dict.fromkeys(one.occasion for one in terms))
        columns = [
            pa.array(np.array([one.plan for one in terms], np.int64)[self.plan]),
            self.tick.candidates["person"].combine_chunks(),
            pa.array(self._touches(terms)),
            pa.DictionaryArray.from_arrays(pa.array(self.outcome), [str(outcome) for outcome in OUTCOMES]),
            pa.DictionaryArray.from_arrays(pa.array(self.reason, mask=~suppressed), [str(rule) for rule in REASONS]),
            pa.array(self.sender, mask=unplaced),
            pa.array(self.store, mask=unplaced),
            pa.array(self.due, mask=suppressed).cast(INSTANT),
            pa.array(self.deadline, mask=suppressed).cast(INSTANT),
            pa.DictionaryArray.from_arrays(
                pa.array(np.array([occasions.index(one.occasion) for one in terms], np.int32)[self.plan]), occasions
            ),
            pa.array(np.array([one.attempt for one in terms], np.int32)[self.plan]),
        ]
        return Decisions(pa.Table.from_arrays(columns, schema=DECISIONS))

    def _touches(self, plans: tuple[PlanTerms, ...]) -> Ints:
        touches = np.empty(len(self.plan), np.int64)
        for index, terms in enumerate(plans):
            rows = slice(None) if len(plans) == 1 else self.plan == index
            touches[rows] = touch_ids(terms.plan, terms.occasion, "person", self.person[rows], terms.attempt)
        return touches


def _refuse_twins(plan: npt.NDArray[np.int32], person: Ints, plans: int) -> None:
    """Raise if a person stands twice in one plan's audience: caps would count her as two people."""
    for index in range(plans):
        people = person if plans == 1 else person[plan == index]
        ordered = people if (people[1:] > people[:-1]).all() else np.sort(people)
        if (ordered[1:] == ordered[:-1]).any():
            raise ValueError(f"a person stands twice in the audience of plan index {index}")


Stage = Callable[[Docket], None]

"""The ledger: every decision of the gate, every receipt, and what they add up to. Appended, never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.calendars import naive
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import PersonId, PlanId
from yutang.reach.contracts import PlanCounts, ReceiptState, RunState, TouchFact
from yutang.reach.models import Run
from yutang.warehouse.contracts import Statement, Warehouse, named
from yutang.warehouse.dialects import beside

STAMP = pa.timestamp("us")
RECEIPTS = pa.schema(
    [
        ("touch", pa.int64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("at", STAMP),
        ("recorded_at", STAMP),
        ("batch", pa.int64()),
        ("sender", pa.int64()),
        ("receipt_key", pa.string()),
    ]
)


def committed(plans: Sequence[PlanId] | None = None) -> pa.Table:
    """The runs (of these plans, or all) that readers may see.

    Naming those, and not the others, also hides a run that is opened meanwhile.
    """
    runs = Run.objects.filter(state=RunState.COMMITTED)
    runs = runs if plans is None else runs.filter(plan__in=plans)
    return pa.table({"run": pa.array(list(runs.values_list("pk", flat=True)), pa.int64())})


def receipts_of(
    touches: npt.NDArray[np.int64] | Sequence[int],
    state: ReceiptState,
    *,
    at: datetime | Sequence[datetime],
    key: str,
    batch: int,
    sender: int | None = None,
    reason: str | Sequence[str | None] | None = None,
) -> pa.Table:
    """Receipts of one state for many touches. `key` names the fact told (such as a task): told twice, kept once."""
    size = len(touches)
    if isinstance(at, datetime):
        moments = repeated(naive(at), STAMP, size)
    else:
        moments = pa.array([naive(each) for each in at], STAMP)
    told = reason is None or isinstance(reason, str)
    return pa.table(
        {
            "touch": pa.array(touches, pa.int64()),
            "state": repeated(state.value, pa.string(), size),
            "reason": repeated(reason, pa.string(), size) if told else pa.array(reason, pa.string()),
            "at": moments,
            "recorded_at": repeated(naive(wall_now()), STAMP, size),
            "batch": repeated(batch, pa.int64(), size),
            "sender": repeated(sender, pa.int64(), size),
            "receipt_key": repeated(f"{state.value}:{key}", pa.string(), size),
        },
        schema=RECEIPTS,
    )


def repeated(value: object, kind: pa.DataType, size: int) -> pa.Array:
    """A column that says the same in every row."""
    return pa.repeat(pa.scalar(value, kind), size)


def write_receipts(warehouse: Warehouse, receipts: pa.Table) -> None:
    """Append receipts; those told before change nothing."""
    if receipts.num_rows:
        warehouse.write([write_receipts_statement(receipts)])


def write_receipts_statement(receipts: pa.Table) -> Statement:
    """The statement that appends receipts not told before."""
    return named("reach/write_receipts", tables={"new_receipts": receipts})


def still_open(warehouse: Warehouse, touches: Sequence[int]) -> set[int]:
    """Those of the touches of which nothing final is known."""
    wanted = pa.table({"touch": pa.array(touches, pa.int64())})
    return set(warehouse.query(named("reach/open_touches", tables={"wanted": wanted}))["touch"].to_pylist())


def with_latest(statement: Statement) -> Statement:
    """The SELECT with a table `latest` (`touch`, `state`, `reason`, `at`): what became of the touches that it calls
    `told`."""
    return beside(statement, "latest", "reach/latest")


def plan_counts(warehouse: Warehouse, plans: Sequence[PlanId]) -> dict[PlanId, PlanCounts]:
    """What became of the touches of plans. (Unscoped because the equation holds for a plan as a whole; who may see a
    plan at all is decided by whoever lists plans.)"""
    wanted = pa.table({"plan": pa.array(plans, pa.int64())})
    tables = {"wanted": wanted, "committed": committed(plans)}
    rows = warehouse.query(with_latest(named("reach/plan_counts", tables=tables)))
    states: dict[PlanId, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    reasons: dict[PlanId, dict[str, int]] = defaultdict(dict)
    for row in rows.to_pylist():
        plan = PlanId(row["plan"])
        if row["state"] == "suppressed":
            reasons[plan][row["reason"]] = reasons[plan].get(row["reason"], 0) + row["touches"]
        else:
            states[plan][row["state"]] += row["touches"]
    return {plan: _counts(states[plan], reasons[plan]) for plan in plans}


def _counts(states: Mapping[str, int], reasons: Mapping[str, int]) -> PlanCounts:
    parts = {name: states.get(name, 0) for name in ("sent", "failed", "expired", "unknown", "pending")}
    held = {name: states.get(name, 0) for name in ("held_out", "globally_held_out")}
    ordered = dict(sorted(reasons.items(), key=lambda item: -item[1]))
    return PlanCounts(sum(states.values()) + sum(reasons.values()), **parts, **held, suppressed=ordered)


def touches_of(warehouse: Warehouse, person: PersonId, limit: int = 50) -> list[TouchFact]:
    """What the gate said of one person, newest first. (Unscoped because the caller has already looked the person up
    as the viewer.)"""
    asked = named("reach/touches_of", {"person": person, "limit": limit}, {"committed": committed()})
    rows = warehouse.query(with_latest(asked))
    return [TouchFact(**row | {"plan": PlanId(row["plan"])}) for row in rows.to_pylist()]

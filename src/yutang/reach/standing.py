"""What staff are asked to do person by person goes the same way as a broadcast: through the gate, into the ledger.

A standing plan is the plan of such work: it is never launched, each run of it is one choice of persons, each with the
one account that is to speak to them, and there are no batches. What its people are asked on one day is one task of
theirs: it counts for the tap budget of broadcasts (`reach/standing.sql`), and broadcasts count for it. Its arms are
drawn by plan and person, so whoever is held out is so every time, and the lift of all its days is one comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction

from yutang.intake import pump
from yutang.intake.lease import lease
from yutang.kernel.clock import business_now
from yutang.kernel.failpoints import failpoint
from yutang.profiles import services as profiles
from yutang.reach.contracts import PlanState, RunState
from yutang.reach.documents import BroadcastDocument
from yutang.reach.gate import decide
from yutang.reach.gate.contracts import RELATIONS, RuleName, Tick
from yutang.reach.models import Plan, Run
from yutang.reach.planning import (
    LEASE,
    Due,
    Rulebook,
    decisions_statement,
    gather,
    instants,
    of_plan,
    rulebook,
    terms_of,
)
from yutang.warehouse.contracts import Warehouse

MEASURED_BY = ("hold_out", "horizon_days", "channel", "purpose")
"""What a plan is measured by does not change under it: another value begins another plan."""

Ask = Callable[[int, datetime, Rulebook], pa.Table]
"""(the plan's number, now, the documents) → whom to put before the gate: `person`, `sender`, `store`, `added_at`,
`last_talk_at`, `value` (the greater the better; ranks, never pays), a person once, by person."""
Keep = Callable[[int, pa.Table], None]
"""(the run's number, what was decided) → keeps what was granted, in the transaction that makes the run exist."""


def decide_standing(
    warehouse: Warehouse, document: BroadcastDocument, occasion: str, until: datetime, each: int, ask: Ask, keep: Keep
) -> int:
    """Choose persons by `ask`, let the gate decide them, and keep what it said, until `each` of every account's persons
    are granted to be sent; returns how many decisions were kept. Raises Unavailable while somebody else plans.

    `occasion` (≤ 16 characters) names the run, which happens once. Who comes after an account's `each` was not decided:
    whether somebody is, hangs on those before them and never on their own arm.
    """
    with lease(LEASE, 5.0) as held:
        Run.objects.filter(state=RunState.DECIDING).exclude(token=held.token).update(state=RunState.ABANDONED)
        pump.pump_until_empty(warehouse)
        now = profiles.refresh_now(warehouse).as_of
        book = rulebook()
        plan = _plan(document, now)
        if until <= now or plan.runs.filter(occasion=occasion, state=RunState.COMMITTED).exists():
            return 0
        asked = ask(plan.pk, now, book)
        terms = terms_of(plan.pk, document, now, book.rules, occasion=occasion)
        item = Due(plan, replace(terms, deadline=until), asked.select(["person"]))
        run = Run.objects.create(
            plan=plan, occasion=occasion, token=held.token, decided_at=now, as_of=now, candidates=asked.num_rows,
            versions=book.versions,
        )  # fmt: skip
        failpoint("standing.run_opened")
        if asked.num_rows:
            decisions = decide(_tick(gather(warehouse, [item], book, now), asked, each))
            rows = _in_line(of_plan(decisions, item), asked, each)
            warehouse.write([decisions_statement(item, run, rows, now)])
        else:
            rows = asked.select([])
        failpoint("standing.decisions_written")
        with transaction.atomic():
            held.renew()
            run.granted = int(pc.sum(pc.not_equal(rows["outcome"], "suppressed")).as_py() or 0) if rows.num_rows else 0
            run.state = RunState.COMMITTED
            run.save(update_fields=["state", "granted"])
            keep(run.pk, rows)
            failpoint("standing.before_commit")
    return int(rows.num_rows)


def _plan(document: BroadcastDocument, now: datetime) -> Plan:
    """The plan of this work: the last one of its name, unless it would be measured otherwise from now on."""
    body = document.as_data()
    before = Plan.objects.filter(name=document.name, standing=True).order_by("-pk").first()
    if before is not None and all(before.body.get(name) == body.get(name) for name in MEASURED_BY):
        if before.body != body:
            before.body = body
            before.save(update_fields=["body"])
        return before
    return Plan.objects.create(
        name=document.name, body=body, author="yutang", state=PlanState.FINISHED, created_at=business_now(), start=now,
        audience_frozen=True, standing=True,
    )  # fmt: skip


def _tick(tick: Tick, asked: pa.Table, each: int) -> Tick:
    """The gate's tick with one account for each person, our own rank, and places for no more than can be needed."""
    rank = dict(zip(asked["person"].to_pylist(), asked["value"].to_pylist(), strict=True))
    candidates = tick.candidates
    value = pa.array([rank[person] for person in candidates["person"].to_pylist()], pa.float64())
    place = candidates.column_names.index("expected_value")
    friends = instants(instants(asked.select(RELATIONS.names), "added_at"), "last_talk_at").cast(RELATIONS)
    left = tick.senders["quota_left"].to_numpy()
    senders = tick.senders.set_column(2, "quota_left", pa.array(np.minimum(left, _line(each)), pa.int64()))
    return replace(
        tick, candidates=candidates.set_column(place, "expected_value", value), relations=friends, senders=senders
    )


def _line(each: int) -> int:
    """So many in line are enough for `each`, of whom half may be held out at most."""
    return 3 * each


def _in_line(rows: pa.Table, asked: pa.Table, each: int) -> pa.Table:
    """The decisions of those who stand in their account's line before its places are taken. A full day of the account
    takes places too: else all whom she knows would be written down as refused for it."""
    order = np.argsort(asked["person"].to_numpy())
    found = order[np.searchsorted(asked["person"].to_numpy(), rows["person"].to_numpy(), sorter=order)]
    sender, value = asked["sender"].to_numpy()[found], asked["value"].to_numpy()[found]
    outcome, reason = rows["outcome"].to_pylist(), rows["reason"].to_pylist()
    takes = np.array(
        [one == "send" or why == RuleName.TAP_BUDGET for one, why in zip(outcome, reason, strict=True)], np.int64
    )
    line = np.lexsort((rows["person"].to_numpy(), -value, sender))
    running = np.cumsum(takes[line]) - takes[line]
    first = np.r_[True, sender[line][1:] != sender[line][:-1]]
    before = running - np.maximum.accumulate(np.where(first, running, 0))
    kept = np.zeros(rows.num_rows, np.bool_)
    kept[line] = before < each
    kept &= np.array([why != RuleName.PLATFORM_QUOTA for why in reason], np.bool_)
    return rows.filter(pa.array(kept))

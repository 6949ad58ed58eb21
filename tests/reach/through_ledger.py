"""Simulated plans through the real gate and the real ledger: decisions, receipts and orders in one warehouse.

Each plan lives in 400 days of its own, with persons and guides of its own, so that all stand side by side and none
disturbs another. The waves go out a day apart, each person's spend lies in the window of their own wave, and orders
beyond a window lie in wait for whoever counts the wrong days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tests.reach.simulation import WAVES, Arms, Outcome, Plan, Report, make_plan, oracle_error, read, report, truth
from yutang.kernel.clock import business_clock
from yutang.kernel.ids import BUCKETS, PlanId
from yutang.organisation.queries import OWNER
from yutang.reach import models, queries
from yutang.reach.contracts import PlanState, ReceiptState, RunState
from yutang.reach.documents import BroadcastDocument
from yutang.reach.gate import decide
from yutang.reach.gate.contracts import CANDIDATES, NULLABLE, RELATIONS, SENDERS, Policy, Tick
from yutang.reach.ledger import receipts_of, repeated, write_receipts_statement
from yutang.reach.planning import Due, decisions_statement, of_plan, terms_of
from yutang.warehouse.contracts import Statement, Warehouse, named

BEGIN = datetime(2001, 1, 1, 9, tzinfo=UTC)
APART, DAY = timedelta(days=400), timedelta(days=1)
HORIZON = 28
CENT = 0.05  # orders are kept in cents, halves of them rounded; nothing is counted that differs by more
SILENT = 0.03  # of the persons gave no consent: the gate suppresses them, and nobody speaks of them again
STAMP = pa.timestamp("us")
PERSONS = 10_000  # ids kept for each plan
CHUNK = 50  # plans written at once


@dataclass
class Written:
    """What a chunk of plans comes to, until it is written."""

    decisions: list[pa.Table]
    receipts: list[pa.Table]
    orders: list[pa.Table]


def read_all(warehouse: Warehouse, plans: int, seed: int) -> Report:
    """Load so many plans, then read each one's lift as its page does."""
    rng = np.random.default_rng(seed)
    kept: list[tuple[PlanId, Plan, Arms]] = []
    while len(kept) < plans:
        written = Written([], [], [])
        for _ in range(min(CHUNK, plans - len(kept))):
            plan = make_plan(rng)
            kept.append(_load(written, plan, len(kept), rng))
        _write(warehouse, written)
    return report(_readings(warehouse, kept))


def _readings(warehouse: Warehouse, kept: list[tuple[PlanId, Plan, Arms]]) -> Iterator[Outcome]:
    for plan_id, plan, arms in kept:
        with business_clock(BEGIN + (len(kept) + 1) * APART):
            lift = queries.lift(warehouse, OWNER, plan_id)
        assert lift is not None
        straight = read(plan, arms).lift  # from the simulation itself, with no ledger between
        assert (lift.treated, lift.held_out, lift.sent) == (straight.treated, straight.held_out, straight.sent)
        assert lift.per_person is not None
        assert straight.per_person is not None
        assert abs(lift.per_person.value - straight.per_person.value) < CENT
        assert abs(lift.per_person.high - straight.per_person.high) < CENT
        yield Outcome(plan.errors, truth(plan), 1.96 * oracle_error(plan), lift)


def _load(written: Written, plan: Plan, number: int, rng: np.random.Generator) -> tuple[PlanId, Plan, Arms]:
    """Decide a plan's waves; returns it narrowed to who was decided."""
    document = _document(number, plan.share)
    start = BEGIN + number * APART
    row = models.Plan.objects.create(
        name=document.name,
        body=document.as_data(),
        author="simulation",
        state=PlanState.RUNNING,
        created_at=start,
        start=start,
    )
    persons = number * PERSONS + 1 + np.arange(len(plan.wave))
    consent = rng.random(len(persons)) >= SILENT
    sent, held = np.zeros((2, len(persons)), np.bool_)
    for wave in range(len(WAVES)):
        rows = np.flatnonzero(plan.wave == wave)
        sent[rows], held[rows] = _wave(written, row, document, plan, persons, consent, rows, wave)
    _orders(written, plan, start, persons, sent)
    decided = np.arange(int(consent.sum()))
    return PlanId(row.pk), _narrowed(plan, consent), Arms(decided, held[consent], sent[consent])


def _document(number: int, share: float) -> BroadcastDocument:
    data = {
        "kind": "broadcast",
        "name": f"simulated_{number}",
        "title": {"zh": "模拟", "en": "Simulated"},
        "audience": {"everyone": True},
        "purpose": "marketing",
        "message": {"text": "本周新品到店。"},
        "hold_out": share,
        "waves": list(WAVES),
        "horizon_days": HORIZON,
    }
    return BroadcastDocument.model_validate(data)


def _wave(
    written: Written,
    row: models.Plan,
    document: BroadcastDocument,
    plan: Plan,
    persons: np.ndarray[Any, Any],
    consent: np.ndarray[Any, Any],
    rows: np.ndarray[Any, Any],
    wave: int,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """One wave through the gate; returns for each of `rows` whether the touch went out, and whether it was held out."""
    assert row.start is not None
    now = row.start + wave * DAY
    terms = terms_of(row.pk, document, now, None, occasion=f"w{wave + 1}")
    run = models.Run.objects.create(
        plan=row, occasion=terms.occasion, state=RunState.COMMITTED, token=1, decided_at=now, as_of=now
    )
    decisions = decide(_tick(terms, now, persons[rows], consent[rows], plan.guide[rows]))
    item = Due(row, terms, pa.table({"person": persons[rows]}))
    written.decisions.append(decisions_statement(item, run, of_plan(decisions, item), now).tables["new_decisions"])
    outcome = decisions.table["outcome"].cast(pa.string()).to_numpy(zero_copy_only=False)
    send = outcome == "send"
    tapped = plan.taps[decisions.table["sender"].fill_null(0).to_numpy()]
    touches = decisions.table["touch"].to_numpy()
    for state, chosen in ((ReceiptState.SENT, send & tapped), (ReceiptState.EXPIRED, send & ~tapped)):
        at = now + timedelta(hours=3) if state is ReceiptState.SENT else terms.deadline
        written.receipts.append(receipts_of(touches[chosen], state, at=at, key=str(run.pk), batch=run.pk))
    return send & tapped, outcome == "held_out"


def _tick(terms: Any, now: datetime, person: Any, consent: Any, guide: Any) -> Tick:
    size = len(person)
    friend_since = pa.scalar(now - 90 * DAY, pa.timestamp("us", tz="UTC"))
    columns = {
        **{name: pa.nulls(size) if name in NULLABLE else np.zeros(size, np.int32) for name in CANDIDATES.names},
        "person": person,
        "expected_value": np.ones(size),
        "consent": consent,
        "preference": np.ones(size, np.bool_),
        "reachable": np.ones(size, np.bool_),
        "friend_since": pa.repeat(friend_since, size),
        "bucket": np.full(size, BUCKETS - 1),
    }
    relations = {
        "person": person,
        "sender": guide,
        "store": guide,
        "added_at": pa.repeat(friend_since, size),
        "last_talk_at": pa.nulls(size, friend_since.type),
    }
    known = np.unique(guide)
    senders = {"sender": known, "active": np.ones(len(known), np.bool_), "quota_left": np.full(len(known), 10_000)}
    return Tick(
        now,
        (terms,),
        Policy(),
        ("UTC",),
        pa.table(columns).cast(CANDIDATES),
        pa.table(relations).cast(RELATIONS),
        pa.table(senders).cast(SENDERS),
    )


def _orders(written: Written, plan: Plan, start: datetime, persons: Any, sent: Any) -> None:
    """Half of what is known beforehand 60 days before the wave and half at its very minute, the outcome within the
    window and on its last day, and as much again just before the half year and just after the window."""
    went_out = np.datetime64(start.replace(tzinfo=None), "us") + plan.wave * np.timedelta64(1, "D")
    spend = plan.without + plan.extra * sent
    before = plan.pre[:, 0]
    for days, amount in (
        (-183.5, before),
        (-60, before / 2),
        (0, before / 2),
        (5, spend / 2),
        (27.9, spend / 2),
        (28.1, spend),
    ):
        bought = amount > 0
        size = int(bought.sum())
        cents = pa.array(np.round(amount[bought], 2)).cast(pa.decimal128(18, 2), safe=False)
        written.orders.append(
            pa.table(
                {
                    "source": repeated("simulation", pa.string(), size),
                    "person": persons[bought],
                    "placed_at": pa.array((went_out + np.timedelta64(int(days * 86_400_000_000), "us"))[bought], STAMP),
                    "net_amount": cents,
                }
            )
        )


def _write(warehouse: Warehouse, written: Written) -> None:
    orders = pa.concat_tables(written.orders)
    warehouse.write(
        [
            named("reach/write_decisions", tables={"new_decisions": pa.concat_tables(written.decisions)}),
            write_receipts_statement(pa.concat_tables(written.receipts)),
            Statement("INSERT INTO orders BY NAME SELECT * FROM simulated", tables={"simulated": orders}),
        ]
    )


def _narrowed(plan: Plan, chosen: Any) -> Plan:
    return replace(
        plan,
        wave=plan.wave[chosen],
        guide=plan.guide[chosen],
        pre=plan.pre[chosen],
        without=plan.without[chosen],
        extra=plan.extra[chosen],
        expected_extra=plan.expected_extra[chosen],
    )

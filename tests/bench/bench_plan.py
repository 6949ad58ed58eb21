"""A broadcast plan with all its stages beside the same stages written by hand for this one case (aim ≤ 1.5 ×).

100,000 persons, 5,000,000 events, 594,000 decisions of six earlier plans with their receipts, some of them told late or
never. Ours is one tick of `reach.planning`: gather, decide, write, commit with batches. By hand: one SQL text that
knows this policy and this plan, a few lines of numpy, the same writes. Both must decide every person alike.

Run: python -m tests.bench.bench_plan
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tests.ways import ways_told
from yutang.app import house

if TYPE_CHECKING:
    from yutang.reach.models import Plan
    from yutang.reach.planning import Due, Rulebook
    from yutang.warehouse.contracts import Warehouse

HERE = Path(__file__).parent
GUIDES = 1_000
EARLIER = 6
RUNS = 7
AT_MOST = 30_000
DAY = timedelta(days=1)
STAMP = pa.timestamp("us")


@dataclass
class Watch:
    """Wall seconds by stage, one entry per run."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def time(self, stage: str, act: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = act()
        self.seconds.setdefault(stage, []).append(time.perf_counter() - start)
        return result

    def told(self) -> str:
        return ", ".join(f"{stage} {median(seconds):.3f}" for stage, seconds in self.seconds.items())


@dataclass(frozen=True)
class Cost:
    """Seconds of the wall, and of all processors: the second says more on a busy machine."""

    wall: float
    processor: float


@dataclass
class Bench:
    """A filled pond and the plan that is due in it."""

    directory: Path
    warehouse: Warehouse
    now: datetime
    item: Due
    book: Rulebook

    @property
    def plan(self) -> Plan:
        return self.item.plan


def main() -> None:
    """Print both figures and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        opened = house.open_house(Path(folder))
        try:
            start = time.perf_counter()
            bench = fill(opened.warehouse, Path(folder))
            print(f"100,000 persons, 5,000,000 events, ledger and people stored in {time.perf_counter() - start:.1f} s")
            ours, theirs = run(bench)
            print(
                f"a broadcast plan, all stages: {ours.wall:.3f} s; hand-written stages: {theirs.wall:.3f} s; "
                f"ratio {ours.wall / theirs.wall:.2f} (aim ≤ 1.5); of processor time "
                f"{ours.processor:.3f} s and {theirs.processor:.3f} s, ratio {ours.processor / theirs.processor:.2f}"
            )
        finally:
            opened.close()


def run(bench: Bench) -> tuple[Cost, Cost]:
    """What ours and the hand-written stages cost, medians of runs taken in turns; both must decide alike."""
    ours: list[Cost] = []
    theirs: list[Cost] = []
    watch = Watch()
    for _ in range(RUNS):
        ours.append(_cost(lambda: _tick(bench)))
        decided = _take_back(bench)
        theirs.append(_cost(lambda: _by_hand(bench, watch)))
        expected = _take_back(bench)
        if decided != expected:
            raise SystemExit(f"the two decide unlike each other: {_difference(decided, expected)}")
    told = Counter((outcome, reason or "") for outcome, reason, *_ in decided[0].values())
    print("  " + ", ".join(f"{outcome} {reason} {count:,}" for (outcome, reason), count in sorted(told.items())))
    print(f"  {decided[1]:,} batches; by hand: {watch.told()}; ours by stage: {_stages(bench)}")
    return _median(ours), _median(theirs)


def _cost(act: Callable[[], None]) -> Cost:
    wall, processor = time.perf_counter(), time.process_time()
    act()
    return Cost(time.perf_counter() - wall, time.process_time() - processor)


def _median(costs: list[Cost]) -> Cost:
    return Cost(median(cost.wall for cost in costs), median(cost.processor for cost in costs))


def _tick(bench: Bench) -> None:
    from yutang.intake.lease import lease
    from yutang.reach import planning

    with lease(planning.LEASE) as held:
        planning._tick(bench.warehouse, [bench.item], held, bench.now, bench.book)


def _stages(bench: Bench) -> str:
    """Where our time goes, measured once more stage by stage."""
    from yutang.intake.lease import lease
    from yutang.reach import planning
    from yutang.reach.gate import decide

    watch = Watch()
    for _ in range(3):
        with lease(planning.LEASE) as held:
            due = [bench.item]
            (run,) = planning._open_runs(due, held, bench.now, bench.book)
            tick = watch.time("gather", lambda due=due: planning.gather(bench.warehouse, due, bench.book, bench.now))
            decisions = watch.time("decide", lambda tick=tick: decide(tick))
            rows = planning.of_plan(decisions, bench.item)
            statement = planning.decisions_statement(bench.item, run, rows, bench.now)
            watch.time("write", lambda one=statement: bench.warehouse.write([one]))
            watch.time("commit", lambda due=due, run=run, rows=rows, h=held: planning._commit(due, [run], [rows], h))
        _take_back(bench)
    return watch.told()


def _difference(one: Any, other: Any) -> object:
    unlike = [(person, one[0].get(person), said) for person, said in other[0].items() if one[0].get(person) != said]
    return unlike[:3] or (one[1], other[1])


def _take_back(bench: Bench) -> tuple[dict[int, tuple[Any, ...]], int]:
    """What was decided of each person, and into how many batches it was cut; then all of it is undone."""
    from yutang.reach.models import Batch, Run
    from yutang.warehouse.contracts import Statement

    params = {"plan": bench.plan.pk}
    sql = "SELECT person, outcome, reason, touch, sender, store, due_at, deadline FROM decisions WHERE plan = $plan"
    rows = bench.warehouse.query(Statement(sql, params))
    columns = [column.to_pylist() for column in rows.columns]
    decided = dict(zip(columns[0], zip(*columns[1:], strict=True), strict=True))
    batches = Batch.objects.filter(run__plan=bench.plan)
    cut = batches.count()
    batches.delete()
    Run.objects.filter(plan=bench.plan).delete()
    bench.warehouse.write([Statement("DELETE FROM decisions WHERE plan = $plan", params)])
    return decided, cut


# By hand ----------------------------------------------------------------------------------------------------------


def _by_hand(bench: Bench, watch: Watch) -> None:
    from yutang.warehouse.contracts import Statement

    terms = bench.item.terms
    with closing(sqlite3.connect(bench.directory / "yutang.sqlite3", timeout=20)) as connection:
        active = connection.execute("SELECT id FROM organisation_senderaccount WHERE active").fetchall()
        tables = {"active_senders": pa.table({"sender": pa.array([row[0] for row in active], pa.int64())})}
        params = {"start": terms.start, "deadline": terms.deadline}
        text = (HERE / "plan_by_hand.sql").read_text(encoding="utf-8")
        rows = watch.time("SQL", lambda: bench.warehouse.query(Statement(text, params, tables)))
        decisions = watch.time("numpy", lambda: _decided_by_hand(bench, rows))
        sql = "INSERT INTO decisions BY NAME SELECT * FROM made"
        watch.time("write", lambda: bench.warehouse.write([Statement(sql, tables={"made": decisions})]))
        watch.time("batches", lambda: _batches_by_hand(bench, decisions, connection))


def _decided_by_hand(bench: Bench, rows: pa.Table) -> pa.Table:
    from yutang.kernel.ids import draw_array, salt, touch_ids

    plan, terms = bench.plan.pk, bench.item.terms
    person = rows["person"].to_numpy()
    reason = rows["reason"].to_numpy(zero_copy_only=False).astype(object)
    passed = np.flatnonzero(rows["reason"].is_null().to_numpy())
    worth = rows["worth"].to_numpy()[passed]
    order = np.lexsort((person[passed], draw_array(person[passed], salt(plan)), -worth))
    reason[passed[order[AT_MOST:]]] = "capacity"
    granted = passed[order[:AT_MOST]]
    outcome = np.full(len(person), "suppressed", object)
    held = draw_array(person[granted], salt("arm", plan)) < terms.hold_out
    outcome[granted] = np.where(held, "held_out", "send")
    none = np.ones(len(person), np.bool_)
    none[granted] = False
    opens, closes = _today(bench)
    size = len(person)
    return pa.table(
        {
            "touch": touch_ids(plan, "w1", "person", person, 1),
            "run": pa.repeat(pa.scalar(0, pa.int64()), size),
            "plan": pa.repeat(pa.scalar(plan, pa.int64()), size),
            "occasion": pa.repeat("w1", size),
            "target_kind": pa.repeat("person", size),
            "person": person,
            "attempt": pa.repeat(1, size),
            "touch_class": pa.repeat("marketing", size),
            "channel": pa.repeat("wecom", size),
            "value": pa.repeat(False, size),
            "outcome": pa.array(outcome, pa.string()),
            "reason": pa.array(reason, pa.string()),
            "sender": pa.array(rows["sender"].fill_null(0).to_numpy(), pa.int64(), mask=none),
            "store": pa.array(rows["store"].fill_null(0).to_numpy(), pa.int64(), mask=none),
            "due_at": pa.array(np.full(size, np.datetime64(opens, "us")), STAMP, mask=none),
            "deadline": pa.array(np.full(size, np.datetime64(closes, "us")), STAMP, mask=none),
            "decided_at": pa.repeat(pa.scalar(bench.now.replace(tzinfo=None), STAMP), size),
        }
    )


def _today(bench: Bench) -> tuple[datetime, datetime]:
    """From now to 21:30 in Shanghai, naive UTC."""
    now = bench.now.replace(tzinfo=None)
    return now, now.replace(hour=13, minute=30, second=0, microsecond=0)


def _batches_by_hand(bench: Bench, decisions: pa.Table, connection: sqlite3.Connection) -> None:
    sent = decisions.filter(pa.compute.equal(decisions["outcome"], "send"))
    groups = sent.group_by("sender").aggregate([([], "count_all")]).sort_by("sender").to_pylist()
    opens, closes = (str(moment) for moment in _today(bench))
    now = str(bench.now.replace(tzinfo=None))
    with connection:
        run = connection.execute(
            "INSERT INTO reach_run (plan_id, occasion, attempt, state, token, decided_at, as_of, candidates, granted,"
            " versions) VALUES (?, 'w1', 1, 'committed', 0, ?, ?, 0, 0, '{}')",
            (bench.plan.pk, now, now),
        ).lastrowid
        connection.executemany(
            "INSERT INTO reach_batch (run_id, sender, due_at, deadline, ordinal, offset, size, digest, state, task,"
            " called_by, calls, left, trouble, created_at)"
            " VALUES (?, ?, ?, ?, 0, 0, ?, '', 'planned', '', '', 0, 0, '', ?)",
            [(run, group["sender"], opens, closes, group["count_all"], now) for group in groups],
        )


# The pond ---------------------------------------------------------------------------------------------------------


def fill(warehouse: Warehouse, directory: Path, persons: int = 100_000, events: int = 5_000_000) -> Bench:
    """Everything that a plan reads, from a seed."""
    from tests.bench.generator import AS_OF, ZONE
    from tests.bench.generator import fill as fill_log
    from tests.soak.pond import broadcast
    from yutang.organisation import services as organisation
    from yutang.organisation.contracts import NodeKind
    from yutang.organisation.queries import OWNER
    from yutang.organisation.services import NewNode, NewSender
    from yutang.playbooks.services import keep_shipped
    from yutang.profiles.services import rebuild
    from yutang.reach import planning
    from yutang.reach.models import Plan

    now = AS_OF.replace(hour=2)  # 10:41 in Shanghai: the day is open
    organisation.set_up_brand("池塘", "CNY", ZONE)
    organisation.step_clock(now)
    keep_shipped()
    organisation.add_nodes([NewNode("s", "门店", NodeKind.STORE)])
    senders = organisation.add_senders(
        NewSender("s", f"导购 {number}", "wecom", "bench", f"g{number}") for number in range(GUIDES)
    )
    fill_log(warehouse, persons, events)
    random = np.random.default_rng(11)
    _people(warehouse, random, persons, np.array(sorted(senders.values())), now)
    _ledger(warehouse, random, persons, now)
    rebuild(warehouse, now)
    document = broadcast("bench", hold_out=0.1, within_hours=48, at_most=AT_MOST)
    plan = Plan.objects.create(
        name="bench", body=document.as_data(), author="bench", state="running", created_at=now, start=now
    )
    book = planning.rulebook()
    item = planning.Due(
        plan, planning.terms_of(plan.pk, document, now, book.rules), planning.audience_of(warehouse, document, OWNER)
    )
    return Bench(directory, warehouse, now, item, book)


def _people(warehouse: Warehouse, random: np.random.Generator, persons: int, senders: Any, now: datetime) -> None:
    """A guide for 95 of 100, a second one for 20; some new, some never talked to; flags for the rules to find."""
    from tests.warehouse.fixtures import insert
    from yutang.warehouse.contracts import Statement

    births = np.arange(1, persons + 1)
    living = births[births % 100 != 0]
    first = living[random.random(len(living)) < 0.95]
    second = first[random.random(len(first)) < 0.2]
    person = np.concatenate([first, second])
    place = person * 7 % len(senders)
    place[len(first) :] = (place[len(first) :] + 1) % len(senders)
    start = np.datetime64(now.replace(tzinfo=None), "us")
    added = start - random.integers(0, 700 * 86_400, len(person)).astype("timedelta64[s]")
    talked = start - random.integers(0, 300 * 86_400, len(person)).astype("timedelta64[s]")
    relations = {
        "person": person,
        "sender": senders[place],
        "store": 100 + place % 300,
        "channel": pa.repeat("wecom", len(person)),
        "added_at": pa.array(added, STAMP),
        "last_talk_at": pa.array(talked, STAMP, mask=random.random(len(person)) < 0.5),
        "live": random.random(len(person)) < 0.97,
    }
    warehouse.write(
        [
            Statement("DELETE FROM fact_relations"),
            insert("fact_relations", pa.table(relations)),
            *ways_told(),
            Statement("UPDATE facts SET bucket = person % 10000, zone = 'Asia/Shanghai', risk = person % 50 // 49 * 2"),
        ]
    )


def _ledger(warehouse: Warehouse, random: np.random.Generator, persons: int, now: datetime) -> None:
    """Six earlier plans, the last one three days ago and one every ten days before, every other of value."""
    from tests.warehouse.fixtures import insert
    from yutang.kernel.ids import touch_ids
    from yutang.reach.models import Plan, Run

    births = np.arange(1, persons + 1)
    person = births[births % 100 != 0]
    for number in range(EARLIER):
        decided = now - (3 + 10 * (EARLIER - 1 - number)) * DAY
        plan = Plan.objects.create(
            name=f"earlier_{number}", body={}, author="bench", state="finished", created_at=decided, start=decided
        )
        run = Run.objects.create(
            plan=plan, occasion="w1", state="committed", token=1, decided_at=decided, as_of=decided
        )
        drawn = random.random(len(person))
        outcome = np.where(drawn < 0.6, "send", np.where(drawn < 0.7, "held_out", "suppressed"))
        touch = touch_ids(plan.pk, "w1", "person", person, 1)
        size = len(person)
        same = {
            "run": run.pk, "plan": plan.pk, "occasion": "w1", "target_kind": "person", "attempt": 1,
            "touch_class": "marketing", "channel": "wecom", "value": number % 2 == 0,
        }  # fmt: skip
        window = {"due_at": decided, "deadline": decided + DAY / 2, "decided_at": decided}
        table = {
            "touch": touch,
            "person": person,
            "outcome": outcome,
            "reason": pa.array(np.where(outcome == "suppressed", "caps", ""), pa.string()),
            **{name: pa.repeat(value, size) for name, value in same.items()},
            **{name: pa.repeat(pa.scalar(at.replace(tzinfo=None), STAMP), size) for name, at in window.items()},
        }
        told = touch[outcome == "send"]
        told = told[random.random(len(told)) < 0.98]  # of two in a hundred nobody ever heard what became
        state = np.where(random.random(len(told)) < 0.75, "sent", "expired")
        start = np.datetime64(decided.replace(tzinfo=None), "us")
        # Five in a hundred are tapped up to three days late: the platform could not cancel them.
        hours = np.where(random.random(len(told)) < 0.05, random.uniform(12, 72, len(told)), 6)
        at = pa.array(start + (hours * 3.6e9).astype("timedelta64[us]"), STAMP)
        receipts = {"touch": told, "state": state, "at": at, "recorded_at": at, "receipt_key": state}
        warehouse.write([insert("decisions", pa.table(table)), insert("receipts", pa.table(receipts))])


if __name__ == "__main__":
    main()

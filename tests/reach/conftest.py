"""A small brand with a real warehouse and a real sandbox over HTTP, whose clock a test steps as it likes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from tests.kept import made_once
from tests.sandbox.conftest import serving
from tests.soak import pond
from tests.warehouse.fixtures import fresh_warehouse, insert, prepared
from yutang.app.serve import ports_at, sandbox_clock
from yutang.intake import mirror
from yutang.kernel.clock import business_clock, business_now
from yutang.kernel.ids import PersonId, PlanId, SenderId
from yutang.operations.loop import MOMENT, Loop
from yutang.organisation import clock as brand_clock
from yutang.organisation.queries import OWNER, senders
from yutang.people import services as people
from yutang.profiles import services as profiles
from yutang.reach import queries, services
from yutang.reach.contracts import BatchFacts, PlanCounts
from yutang.sandbox.asgi import create_app
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.engine import open_warehouse

START = pond.START
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CREATE = "externalcontact/add_msg_template"


@dataclass
class Stage:
    """A brand whose plans are played through. `persons` are everybody's ids by their external_userid."""

    directory: Path
    warehouse: Warehouse
    sandbox: str
    loop: Loop
    persons: Mapping[str, PersonId]

    def launch(self, name: str, **changes: object) -> PlanId:
        """Launch a broadcast to everyone, changed as asked, as the owner."""
        return services.launch(pond.broadcast(name, **changes), OWNER)

    def to(self, hours: float) -> None:
        """Step the clock to so many hours after the start, stopping wherever something is due."""
        self.loop.step_to(START + timedelta(hours=hours))

    def jump(self, hours: float) -> None:
        """Move both clocks without a turn."""
        moment = START + timedelta(hours=hours)
        self.loop._advance(moment - MOMENT)
        brand_clock.move_clock(moment)
        self.loop._now()

    def turn(self) -> services.Turn:
        """One turn, the clock standing still."""
        return services.turn(self.warehouse, self.loop.ports())

    def counts(self, plan: PlanId) -> PlanCounts:
        """The plan's counts; the equation must hold whenever they are read."""
        found = queries.counts(self.warehouse, OWNER, plan)
        assert found.balances(), found
        return found

    def batches(self, plan: PlanId) -> list[BatchFacts]:
        """The plan's batches in the order in which they were planned."""
        return sorted(queries.batches(OWNER, plan), key=lambda batch: batch.id)

    def rows(self, sql: str, **params: object) -> list[tuple[Any, ...]]:
        """What the warehouse answers."""
        found = self.warehouse.query(Statement(sql, params))
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def told(self, plan: PlanId, state: str) -> dict[int, str | None]:
        """The persons of a plan whose touch got this receipt, with its reason."""
        said = "receipts r JOIN decisions d USING (touch)"
        sql = f"SELECT d.person, r.reason FROM {said} WHERE plan = $plan AND state = $state"
        return dict(self.rows(sql, plan=plan, state=state))

    def decided(self, plan: PlanId, attempt: int = 1, occasion: str = "w1") -> dict[int, tuple[str, str | None]]:
        """What the gate said of each person: outcome and reason."""
        sql = (
            "SELECT person, outcome, d.reason FROM decisions d"
            " WHERE plan = $plan AND attempt = $attempt AND occasion = $occasion"
        )
        rows = self.rows(sql, plan=plan, attempt=attempt, occasion=occasion)
        assert len(rows) == len({row[0] for row in rows})
        return {person: (outcome, reason) for person, outcome, reason in rows}

    def with_outcome(self, plan: PlanId, outcome: str, attempt: int = 1, occasion: str = "w1") -> set[int]:
        """Whom the gate gave this outcome."""
        return {person for person, (what, _) in self.decided(plan, attempt, occasion).items() if what == outcome}

    def faults(self, *faults: Mapping[str, object]) -> None:
        """Replace the sandbox's faults."""
        self.ask("faults", faults=list(faults))

    def ask(self, door: str, **body: object) -> Any:
        """Ask the sandbox at one of its control doors."""
        return httpx.post(f"{self.sandbox}/control/{door}", json=body, timeout=300).raise_for_status().json()

    def relation(self, member: str, customer: str, **changes: object) -> None:
        """Set a friendship on the platform alone."""
        row = {"userid": member, "external_userid": customer, "added_at": (START - 60 * DAY).isoformat(), **changes}
        self.ask("relations", relations=[row])

    def tasks(self) -> list[tuple[str, str]]:
        """(text, task) of every task that exists on the platform."""
        return self._platform(
            "SELECT json_extract(content, '$.text.content'), msgid FROM tasks ORDER BY create_time, msgid"
        )

    def reached(self) -> list[tuple[str, datetime]]:
        """Who really got a message, and when, by the platform's own books."""
        rows = self._platform("SELECT external_userid, send_time FROM recipients WHERE status = 1 ORDER BY send_time")
        return [(customer, datetime.fromtimestamp(at, START.tzinfo)) for customer, at in rows]

    def _platform(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.directory / "sandbox" / "sandbox.sqlite3", timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def sender(self, userid: str) -> SenderId:
        """The id of a guide's account."""
        return next(row.id for row in senders(OWNER) if row.userid == userid)


@contextmanager
def staged(directory: Path, settings: Settings, *, whole: bool = False, **size: object) -> Iterator[Stage]:
    """Build a pond and serve its sandbox; Django's database must be at hand. `whole`: the loop looks after the ladder
    and after who comes into segments too, which no plan waits for."""
    settings.DATA = directory
    clock = brand_clock.BrandClock()

    def build(folder: Path) -> dict[str, PersonId]:
        with closing(open_warehouse(prepared(folder), threads=2)) as warehouse:
            pond.build(folder, pond.Pond(**{"persons": 60, "guides": 3, "daily_rate": 0.0, **size}))  # type: ignore[arg-type]
            clock.forget()
            mirror.mirror_nodes(warehouse)
            mirror.mirror_facts(warehouse)
            profiles.rebuild(warehouse, business_now())
        return _everybody(int(size.get("persons", 60)))  # type: ignore[call-overload]

    with business_clock(clock):
        persons = made_once(("staged", repr(sorted(size.items()))), directory, build)
        clock.forget()
        with (
            closing(open_warehouse(directory, threads=2)) as warehouse,
            serving(create_app(directory / "sandbox", events_url=None, events_token=None)) as address,
        ):
            loop = Loop(warehouse, ports_at(address), clock, sandbox_clock(address))
            if not whole:
                loop.climbs = loop.records = inf
            yield Stage(directory, warehouse, address, loop, persons)


def _everybody(count: int) -> dict[str, PersonId]:
    import pyarrow as pa

    names = [f"wm{index:05}" for index in range(count)]
    births = people.resolve_column("external_userid", pond.CORP, pa.array(names))
    return {name: PersonId(person) for name, person in zip(names, births.tolist(), strict=True)}


@pytest.fixture
def stage(db: None, tmp_path: Path, settings: Settings, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A brand of 60 persons and 3 guides who tap at once; `@pytest.mark.parametrize("stage", [{...}], indirect=True)`
    builds another."""
    with staged(tmp_path, settings, **getattr(request, "param", {})) as built:
        yield built


@dataclass
class Ledger:
    """A warehouse whose ledger a test writes as it likes, in hours from `START`."""

    warehouse: Warehouse

    def fill(
        self,
        touches: Sequence[Mapping[str, Any]],
        offgate: Sequence[tuple[int, int]] = (),
        merged: Mapping[int, int] = {},
    ) -> None:
        """Replace everything. A touch is a decision's columns, with `due` and `hours` for its window, and `receipts`,
        the states it was told to be in; `state:call` names the call that an `issued` or `unknown` is about. The wall
        clock stood anywhere when each was told."""
        decisions, receipts = [], []
        for number, given in enumerate(touches):
            due = naive(START + given["due"] * HOUR)
            window = {"due_at": due, "deadline": due + given["hours"] * HOUR, "decided_at": due}
            plain = {name: value for name, value in given.items() if name not in ("due", "hours", "receipts")}
            decisions.append({"touch": number, "plan": 1, "occasion": "w1", "attempt": 1, **window, **plain})
            for order, told in enumerate(given["receipts"]):
                at = naive(START + timedelta(seconds=order))
                state, _, call = told.partition(":")
                anywhere = at - (order * 7 + number) % 11 * HOUR
                key = f"{state}:{call or order}"
                said = {"touch": number, "state": state, "at": at, "recorded_at": anywhere, "receipt_key": key}
                receipts.append({**said, "reason": f"told {state}" if state == "suppressed" else None})
        events = [
            {"event_id": str(number), "type": "offgate.sent", "occurred_at": naive(START + at * HOUR), "person": person}
            for number, (person, at) in enumerate(offgate)
        ]
        overrides = [{"birth": birth, "survivor": survivor} for birth, survivor in merged.items()]
        filled = {"decisions": decisions, "receipts": receipts, "events": events, "person_overrides": overrides}
        self.warehouse.write(
            [*(Statement(f"DELETE FROM {table}") for table in filled), *(insert(*pair) for pair in filled.items())]
        )


def naive(at: datetime) -> datetime:
    """As the warehouse keeps it."""
    return at.replace(tzinfo=None)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """An empty warehouse of the module's own."""
    warehouse = fresh_warehouse(tmp_path_factory.mktemp("ledger"))
    yield Ledger(warehouse)
    warehouse.close()

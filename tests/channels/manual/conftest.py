"""A brand without any platform: two stores, three people who speak, and forty who may be spoken to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.warehouse.fixtures import fresh_warehouse
from yutang.channels.manual import queries
from yutang.channels.manual.contracts import ListFacts
from yutang.channels.manual.mass_send import ManualMassSend
from yutang.intake.mirror import mirror_facts, mirror_nodes
from yutang.kernel.clock import business_clock
from yutang.kernel.ids import PersonId, PlanId
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeKind, RoleName
from yutang.organisation.queries import OWNER, viewer_named
from yutang.organisation.services import NewNode, NewSender
from yutang.people import services as people
from yutang.playbooks.services import keep_shipped
from yutang.profiles import services as profiles
from yutang.reach import services as reach
from yutang.reach.contracts import PlanCounts
from yutang.reach.documents import BroadcastDocument
from yutang.reach.ledger import plan_counts
from yutang.warehouse.contracts import Statement, Warehouse

START = datetime(2026, 3, 2, 2, tzinfo=UTC)  # ten in the morning in Shanghai
PORTS = {("manual", ""): ManualMassSend()}
PASSWORD = "correct horse battery"


@dataclass
class Hand:
    """The brand, and its clock. The first thirty are at home in `east`, the others in `west`."""

    warehouse: Warehouse
    persons: list[PersonId]
    now: list[datetime] = field(default_factory=lambda: [START])

    def launch(self, name: str = "by_hand", **changes: object) -> PlanId:
        """A plan by hand for everybody, up to its lists."""
        data = {
            "kind": "broadcast", "name": name, "title": {"zh": name, "en": name}, "audience": {"everyone": True},
            "purpose": "marketing", "channel": "manual", "message": {"text": "会员日，欢迎来店。"}, "hold_out": 0.2,
            "within_hours": 8, "attempts": 2, **changes,
        }  # fmt: skip
        plan = reach.launch(BroadcastDocument.model_validate(data), OWNER)
        self.turn()
        return plan

    def turn(self, hours: float = 0) -> None:
        """A turn of the clock, so many hours later."""
        self.now[0] += timedelta(hours=hours)
        reach.turn(self.warehouse, PORTS)

    def counts(self, plan: PlanId) -> PlanCounts:
        """What became of the plan; the equation must hold."""
        found = plan_counts(self.warehouse, [plan])[plan]
        assert found.balances(), found
        return found

    def lists(self, viewer: str = "") -> list[ListFacts]:
        """The lists that a user sees."""
        return queries.lists(viewer_named(viewer) if viewer else OWNER)[1]

    def decided(self, plan: PlanId) -> dict[int, tuple[str, str | None, int | None]]:
        """Outcome, reason and sender of each person, at the last attempt."""
        rows = self.warehouse.query(
            Statement(
                "SELECT person, outcome, reason, sender FROM decisions WHERE plan = $plan ORDER BY attempt",
                {"plan": plan},
            )
        ).to_pylist()
        return {row["person"]: (row["outcome"], row["reason"], row["sender"]) for row in rows}


def stamps(at: datetime, size: int) -> pa.Array:
    """The same instant, again and again."""
    return pa.array([at] * size, pa.timestamp("us", "UTC"))


@pytest.fixture
def hand(db: None, tmp_path: Path) -> Iterator[Hand]:
    """The brand at START. `east` has two people who speak, `west` one; both have a manager who logs in."""
    warehouse = fresh_warehouse(tmp_path)
    now = [START]
    with business_clock(lambda: now[0]):
        organisation.set_up_brand("手工", "CNY", "Asia/Shanghai")
        keep_shipped()
        organisation.add_nodes([NewNode(code, code, NodeKind.STORE) for code in ("east", "west")])
        for store in ("east", "west"):
            organisation.add_user(f"{store}_manager", PASSWORD, RoleName.MANAGER, store)
        organisation.add_senders(
            NewSender(store, f"导购{userid}", "manual", "", userid)
            for store, userid in (("east", "ann"), ("east", "bob"), ("west", "cid"))
        )
        births = people.load_persons(
            pa.table(
                {
                    "phone": [f"138001380{index:02}" for index in range(40)],
                    "name": [f"客{index:02}" for index in range(40)],
                    "home_store": ["east" if index < 30 else "west" for index in range(40)],
                    "born_at": stamps(START - timedelta(days=1), 40),
                }
            ),
            source="till",
            corp="",
        )
        people.load_consents(
            pa.table(
                {
                    "person": births,
                    "purpose": ["marketing"] * 40,
                    "channel": ["*"] * 40,
                    "granted": np.arange(40) % 10 != 9,
                    "at": stamps(START - timedelta(days=30), 40),
                    "proof": ["form"] * 40,
                }
            )
        )
        mirror_nodes(warehouse)
        mirror_facts(warehouse)
        profiles.rebuild(warehouse, START)
        yield Hand(warehouse, [PersonId(birth) for birth in births.tolist()], now)
    warehouse.close()

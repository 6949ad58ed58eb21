"""Leads: one list, worked by people, measured to the first order by source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.people.pond import found_pond, manager
from tests.warehouse.fixtures import prepared
from yutang.connect.leads import LeadState, by_source, leads, work_lead
from yutang.intake.mirror import mirror_nodes
from yutang.intake.pump import pump_until_empty
from yutang.kernel.errors import BadInput, NotFound
from yutang.kernel.ids import EventId
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation.queries import OWNER
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.engine import open_warehouse

AT = datetime(2026, 3, 1, 2, tzinfo=UTC)


def lead(number: int, who: int, source: str, days: int = 0, **props: object) -> Event:
    """Somebody filled in a form."""
    phone = IdentifierValue("phone", "", f"1380013{who:04}")
    more = {"form": "预约", "campaign": "春", **props}
    return Event(
        EventId(f"l{number}"), "lead.submitted", AT + timedelta(days=days), (phone,), source=source, props=more
    )


def order(number: int, who: int, days: int, amount: str) -> Event:
    """Somebody bought, by phone, at store s1."""
    phone = IdentifierValue("phone", "", f"+861380013{who:04}")
    return Event(EventId(f"o{number}"), "order.placed", AT + timedelta(days=days), (phone,), store="s1", source="till",
                 amount=Decimal(amount), currency="CNY", props={"order_id": f"o{number}"})  # fmt: skip


@pytest.fixture
def warehouse(db: None, tmp_path: Path, settings: Settings) -> Iterator[Warehouse]:
    """Three people who left leads: one bought afterwards, one had bought before, one never."""
    settings.DATA = tmp_path
    found_pond()
    opened = open_warehouse(prepared(tmp_path), threads=1)
    mirror_nodes(opened)
    record(
        [
            lead(1, 1, "oceanengine", cost=30.0, name="李雷"),
            lead(2, 1, "tencent_ads", 1, cost=20.0),  # the same person again, elsewhere
            lead(3, 2, "oceanengine", cost=30.5),
            lead(4, 3, "tencent_ads"),
            order(1, 1, 2, "100.00"),
            order(2, 2, -5, "50.00"),
            order(3, 2, 5, "70.00"),
        ]
    )
    pump_until_empty(opened)
    yield opened
    opened.close()


def test_leads_are_one_list_measured_to_the_first_order(warehouse: Warehouse) -> None:
    found = {one.id: one for one in leads(warehouse, OWNER)}
    assert list(found) == ["l2", "l1", "l3", "l4"]
    assert found["l1"].person == found["l2"].person
    assert found["l1"].first_order_at == AT + timedelta(days=2)
    assert (found["l1"].form, found["l1"].campaign, found["l1"].cost) == ("预约", "春", Decimal("30.0"))
    assert (found["l3"].bought_before, found["l3"].first_order_at, found["l3"].spent) == (True, None, Decimal("70.00"))
    ocean, tencent = sorted(by_source(list(found.values())), key=lambda one: one.source)
    assert (ocean.leads, ocean.persons, ocean.firsts, ocean.cost) == (2, 2, 1, Decimal("60.5"))
    assert (ocean.spent, ocean.per_first, ocean.first_rate) == (Decimal("170.00"), Decimal("60.50"), None)
    assert (tencent.leads, tencent.persons, tencent.firsts, tencent.per_first) == (2, 1, 0, None)


def test_a_lead_is_worked_by_somebody_at_some_time(warehouse: Warehouse) -> None:
    work_lead(warehouse, OWNER, "l1", "contacted")
    work_lead(warehouse, OWNER, "l1", "won")
    (worked,) = [one for one in leads(warehouse, OWNER) if one.state is not LeadState.NEW]
    assert (worked.id, worked.state, worked.by) == ("l1", LeadState.WON, "owner")
    assert worked.worked_at is not None
    with pytest.raises(BadInput):
        work_lead(warehouse, OWNER, "l1", "sold")
    with pytest.raises(NotFound):
        work_lead(warehouse, OWNER, "l9", "won")


def test_a_store_sees_the_leads_of_its_own_persons_only(warehouse: Warehouse) -> None:
    mine = {one.id for one in leads(warehouse, manager("s2"))}
    assert mine == set()
    with pytest.raises(NotFound):
        work_lead(warehouse, manager("s2"), "l1", "won")

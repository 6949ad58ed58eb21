"""Leads of every door in one list: worked by people, and measured to the first order.

A lead is its event in the log; here stands only how far it was worked. What it brought is read, not noted: who they are
now, whether they are somebody's friend, and what they bought since their first lead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa
from django.db import transaction

from yutang.connect.contracts import FEWEST, Interval
from yutang.connect.models import LeadStep
from yutang.connect.telling import payback, wilson
from yutang.kernel.calendars import aware
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import PersonId
from yutang.organisation import services as organisation
from yutang.organisation.contracts import RoleName, Viewer
from yutang.people.bulk import chunks
from yutang.warehouse.contracts import Warehouse, named
from yutang.warehouse.dialects import beneath

_STATEMENT = 500


class LeadState(StrEnum):
    """NEW until somebody works it. WON and LOST are people's words; first orders are counted beside them."""

    NEW = "new"
    CONTACTED = "contacted"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead as a viewer may see it. `first_order_at`: their first order after their first lead, if they had none
    before; `spent` since then."""

    id: str
    at: datetime
    source: str
    form: str
    campaign: str
    cost: Decimal | None
    person: PersonId
    friend: bool
    bought_before: bool
    first_order_at: datetime | None
    spent: Decimal
    state: LeadState
    by: str
    worked_at: datetime | None


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What the leads of one source cost and brought; persons count once, and at their first lead's source."""

    source: str
    leads: int
    persons: int
    worked: int
    won: int
    friends: int
    firsts: int
    spent: Decimal
    cost: Decimal
    per_first: Decimal | None
    first_rate: Interval | None
    payback: Interval | None


def leads(warehouse: Warehouse, viewer: Viewer) -> list[Lead]:
    """Every lead whose person the viewer may see, newest first."""
    seen = pa.table({"node": pa.array(sorted(viewer.nodes or ()), pa.int64())})
    asked = named("connect/leads", {"sees_all": viewer.sees_all}, {"seen": seen})
    rows = warehouse.query(beneath(asked, "bought", "connect/bought")).to_pylist()
    steps = _latest(row["event_id"] for row in rows)
    found = []
    for row in rows:
        step = steps.get(row["event_id"])
        before = bool(row["bought_before"])
        found.append(
            Lead(
                row["event_id"],
                aware(row["occurred_at"]),
                row["source"] or "",
                row["form"] or "",
                row["campaign"] or "",
                Decimal(str(row["cost"])) if row["cost"] else None,
                PersonId(row["person"]),
                bool(row["friend"]),
                before,
                aware(row["first_order_at"]) if row["first_order_at"] and not before else None,
                Decimal(str(row["spent"])).quantize(Decimal("0.01")),
                LeadState(step.state) if step else LeadState.NEW,
                step.by if step else "",
                step.at if step else None,
            )
        )
    return found


def _latest(events: Iterable[str]) -> dict[str, LeadStep]:
    latest: dict[str, LeadStep] = {}
    for part in chunks(events, _STATEMENT):
        for step in LeadStep.objects.filter(lead__in=part).order_by("pk"):
            latest[step.lead] = step
    return latest


def by_source(found: Sequence[Lead]) -> list[SourceResult]:
    """What each source cost and brought, the most leads first."""
    groups: dict[str, list[Lead]] = defaultdict(list)
    for lead in found:
        groups[lead.source].append(lead)
    first: dict[PersonId, Lead] = {}
    for lead in sorted(found, key=lambda one: (one.at, one.id)):
        first.setdefault(lead.person, lead)
    own: dict[str, list[Lead]] = defaultdict(list)
    for lead in first.values():
        own[lead.source].append(lead)
    results = [_result(source, mine, own[source]) for source, mine in groups.items()]
    return sorted(results, key=lambda one: (-one.leads, one.source))


def _result(source: str, mine: Sequence[Lead], persons: Sequence[Lead]) -> SourceResult:
    cost = sum((lead.cost or Decimal(0) for lead in mine), Decimal(0))
    spent = sum((lead.spent for lead in persons), Decimal(0))
    firsts = sum(lead.first_order_at is not None for lead in persons)
    squares = sum(float(lead.spent) ** 2 for lead in persons)
    return SourceResult(
        source,
        len(mine),
        len(persons),
        sum(lead.state is not LeadState.NEW for lead in mine),
        sum(lead.state is LeadState.WON for lead in mine),
        sum(lead.friend for lead in persons),
        firsts,
        spent,
        cost,
        (cost / firsts).quantize(Decimal("0.01")) if firsts and cost else None,
        wilson(firsts, len(persons)) if len(persons) >= FEWEST else None,
        payback(len(persons), float(spent), squares, float(cost)),
    )


def work_lead(warehouse: Warehouse, viewer: Viewer, lead: str, state: str) -> None:
    """Note how far a lead was worked, by whom and when. Raises NotFound outside the viewer's scope, BadInput and
    Refused."""
    if viewer.role is RoleName.ANALYST:
        raise Refused("你的角色只能查看。", "Your role may only look.")
    if state not in list(LeadState):
        raise BadInput(f"没有「{state[:20]}」这种状态。", f"There is no state “{state[:20]}”.")
    if lead not in {one.id for one in leads(warehouse, viewer)}:
        raise NotFound("没有这条线索。", "There is no such lead.")
    with transaction.atomic():
        LeadStep.objects.create(lead=lead, state=state, by=viewer.name)
        organisation.audit(viewer, "work_lead", lead[:120], state=state)

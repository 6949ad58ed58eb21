"""Off-gate touches (闸外触达): what staff sent on their own, by whom, and what it does to plans and caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import sqrt
from typing import Any

import pyarrow as pa

from yutang.channels.ports.sent import SendKind
from yutang.kernel.calendars import aware, naive
from yutang.kernel.clock import business_now
from yutang.kernel.ids import NodeId, StaffId
from yutang.organisation.contracts import NodeFacts, NodeKind, SenderFacts, Viewer
from yutang.organisation.queries import nodes, senders
from yutang.reach.contracts import RunState
from yutang.reach.crowding import ENOUGH
from yutang.reach.ledger import STAMP, committed
from yutang.reach.lift import Interval
from yutang.reach.models import Run
from yutang.reach.planning import document_of, rulebook
from yutang.reach.policy import PersonCaps
from yutang.warehouse.contracts import Warehouse, named

Z = 1.959964


class By(StrEnum):
    """By what off-gate touches are counted; ALL of them in one row."""

    ALL = "all"
    REGION = "region"
    STORE = "store"
    GUIDE = "guide"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class OffGateFilter:
    """Those sent in the last `days` by the people of a region or store (`node`, with all below it) or by one account's
    `staff`, of one `kind`."""

    days: int = 7
    node: NodeId | None = None
    staff: StaffId | None = None
    kind: SendKind | None = None


@dataclass(frozen=True, slots=True)
class OffGateRow:
    """What a region, a store or a guide sent on their own, or one send of a guide's (`content` stands for its words).

    `mass`, `into_groups` and `moments` count sends; `persons` were spoken to themselves, `could_see` are those in whose
    group it was written, or among whose moments it stands. Of `persons`, `held_out` of a plan that was being measured,
    and `over_cap` by it. `node` and `guide` are null for members who are none of our accounts."""

    node: NodeFacts | None
    guide: SenderFacts | None
    last_at: datetime
    kind: SendKind
    content: str
    mass: int
    into_groups: int
    moments: int
    persons: int
    could_see: int
    held_out: int
    over_cap: int

    @property
    def sends(self) -> int:
        """How many in all."""
        return self.mass + self.into_groups + self.moments


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked up once, for however many tables of the same filter: whose sends a viewer sees (`accounts`, by
    staff), where they are, and the caps that bind now. `strangers`: members who are none of our accounts count too."""

    asked: OffGateFilter
    accounts: Mapping[StaffId, SenderFacts]
    places: Mapping[NodeId, NodeFacts]
    strangers: bool
    caps: PersonCaps
    now: datetime
    measured: pa.Table
    committed: pa.Table


def look_at(viewer: Viewer, asked: OffGateFilter) -> Look:
    """What the people whom a viewer sees sent on their own. Of members who are none of our accounts only who sees the
    whole brand is told."""
    places = {node.id: node for node in nodes()}
    accounts = {one.staff: one for one in senders(viewer) if _asked_for(one, asked, places)}
    strangers = viewer.sees_all and asked.node is None and asked.staff is None
    now = business_now()
    since = now - timedelta(days=asked.days)
    return Look(asked, accounts, places, strangers, rulebook().policy.caps, now, _measured(since), committed())


def off_gate(warehouse: Warehouse, look: Look, by: By, limit: int = 10_000) -> list[OffGateRow]:
    """What was sent, most persons first. (Unscoped because whose sends are looked at was said by `look_at`.)"""
    if by in (By.GUIDE, By.SEND):
        keys = {staff: int(staff) for staff in look.accounts}
    elif by is By.ALL:
        keys = dict.fromkeys(look.accounts, 0)
    else:
        keys = {staff: _place(one.store, by, look.places) for staff, one in look.accounts.items()}
    strangers = [0] if look.strangers else []
    who = pa.table(
        {
            "staff": pa.array([*keys, *strangers], pa.int64()),
            "key": pa.array([*keys.values(), *strangers], pa.int64()),
        }
    )
    caps = {"day": look.caps.day, "week": look.caps.week, "month": look.caps.month}
    params = {
        "since": look.now - timedelta(days=look.asked.days),
        "until": look.now,
        "each": by is By.SEND,
        "kind": look.asked.kind or "",
        "limit": limit,
        **{name: ENOUGH if most is None else most for name, most in caps.items()},
    }
    tables = {"who": who, "committed": look.committed, "measured": look.measured}
    rows = warehouse.query(named("reach/offgate", params, tables)).to_pylist()
    return [_row(row, by, look.accounts, look.places) for row in rows]


def _asked_for(one: SenderFacts, asked: OffGateFilter, places: Mapping[NodeId, NodeFacts]) -> bool:
    if asked.staff is not None and one.staff != asked.staff:
        return False
    return asked.node is None or asked.node in _above(one.store, places)


def _above(node: NodeId, places: Mapping[NodeId, NodeFacts]) -> list[NodeId]:
    """The node and those it belongs to, the nearest first."""
    found: list[NodeId] = []
    here: NodeId | None = node
    while here is not None and here in places:
        found.append(here)
        here = places[here].parent
    return found


def _place(store: NodeId, by: By, places: Mapping[NodeId, NodeFacts]) -> int:
    """The store itself, or the nearest region above it; a store without one stands for itself."""
    if by is By.REGION:
        regions = [node for node in _above(store, places) if places[node].kind is NodeKind.REGION]
        return int(regions[0]) if regions else int(store)
    return int(store)


def _measured(since: datetime) -> pa.Table:
    """The waves whose window of measurement was open after an instant, and when it ends."""
    runs = Run.objects.filter(state=RunState.COMMITTED, attempt=1).select_related("plan")
    rows = [(run, run.decided_at + timedelta(days=document_of(run.plan).horizon_days)) for run in runs]
    rows = [(run, until) for run, until in rows if until > since]
    return pa.table(
        {
            "plan": pa.array([run.plan_id for run, _ in rows], pa.int64()),
            "occasion": pa.array([run.occasion for run, _ in rows], pa.string()),
            "until": pa.array([naive(until) for _, until in rows], STAMP),
        }
    )


def _row(
    row: Mapping[str, Any], by: By, accounts: Mapping[StaffId, SenderFacts], places: Mapping[NodeId, NodeFacts]
) -> OffGateRow:
    values = dict(row)
    key = values.pop("key")
    values.pop("send")
    guide = accounts.get(StaffId(key)) if by in (By.GUIDE, By.SEND) else None
    node = places.get(guide.store if guide is not None else NodeId(key)) if key else None
    values["kind"] = SendKind(values["kind"])
    values["last_at"] = aware(values["last_at"])
    return OffGateRow(node, guide, **values)


@dataclass(frozen=True, slots=True)
class Contaminated:
    """Of some of a plan's held out (those whom one account would have spoken to, or all), how many were spoken to all
    the same while they were measured: by staff on their own (`off_gate`), or by another plan (`other_plans`).
    `could_see` are others in whose group staff wrote, or among whose moments they published: nobody knows who read it.
    """

    held_out: int = 0
    off_gate: int = 0
    could_see: int = 0
    other_plans: int = 0

    def __add__(self, other: Contaminated) -> Contaminated:
        return Contaminated(
            self.held_out + other.held_out,
            self.off_gate + other.off_gate,
            self.could_see + other.could_see,
            self.other_plans + other.other_plans,
        )

    @property
    def share(self) -> Interval | None:
        """The share that staff spoke to; None of nobody."""
        return share_of(self.off_gate, self.held_out)

    @property
    def larger_by(self) -> Interval | None:
        """By what the lift would have to be multiplied if one message of staff's did what one of the plan's does, and a
        second no more: a share of the hold-out then had the effect too. None where (nearly) all were spoken to: nothing
        is left to compare."""
        found = self.share
        if found is None or found.high >= 1:
            return None
        return Interval(1 / (1 - found.value), 1 / (1 - found.low), 1 / (1 - found.high))


@dataclass(frozen=True, slots=True)
class Contamination:
    """How a plan's hold-out was contaminated, in all and by the account that would have spoken to them."""

    total: Contaminated
    by_sender: Mapping[int, Contaminated]


def share_of(part: int, whole: int) -> Interval | None:
    """A share with its 95 % score interval (Wilson 1927); None of nobody."""
    if not whole:
        return None
    share, square = part / whole, Z * Z
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    half = Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole)) / (1 + square / whole)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def contamination_of(warehouse: Warehouse, plan: int, runs: Sequence[Run], horizon_days: int) -> Contamination:
    """By the first attempts of a plan's waves, each measured for so many days, until now at the most. (Unscoped because
    the caller has looked the plan up as the viewer.)"""
    if not runs:
        return Contamination(Contaminated(), {})
    now = business_now()
    ends = [min(run.decided_at + timedelta(days=horizon_days), now) for run in runs]
    waves = pa.table(
        {
            "occasion": pa.array([run.occasion for run in runs], pa.string()),
            "horizon": pa.array([naive(end) for end in ends], STAMP),
        }
    )
    params = {"plan": plan, "since": min(run.decided_at for run in runs), "until": max(ends)}
    rows = warehouse.query(named("reach/contamination", params, {"committed": committed(), "waves": waves})).to_pylist()
    parts = {int(row["sender"] or 0): Contaminated(*(row[name] for name in Contaminated.__slots__)) for row in rows}
    return Contamination(sum(parts.values(), Contaminated()), parts)

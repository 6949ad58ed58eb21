"""Off-gate touches (闸外触达): what staff sent on their own, by whom, and what it does to plans and caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import sqrt

import pyarrow as pa

from yutang.channels.ports.sent import SendKind
from yutang.kernel.calendars import aware, naive
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, StaffId
from yutang.organisation.contracts import NodeKind, SenderFacts, Viewer
from yutang.organisation.queries import Home, Place, homes, places, senders
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.reach.contracts import RunState
from yutang.reach.crowding import ENOUGH
from yutang.reach.ledger import STAMP, committed
from yutang.reach.lift import Interval
from yutang.reach.models import Run
from yutang.reach.planning import document_of, rulebook
from yutang.reach.policy import PersonCaps
from yutang.reach.spoken import GROUP, KINDS, MASS, MOMENTS, Spoken, Sums
from yutang.warehouse.contracts import Statement, Warehouse, named
from yutang.warehouse.dialects import beside

Z = 1.959964
DAYS = (1, 7, 30, 90)  # the windows that are counted beforehand
MANY = 1_000  # accounts from which all are read
NOBODY = StaffId(0)  # who is none of our accounts


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

    node: Place | None
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
    staff), where they are, the caps that bind now, and everything that was sent (`spoken`): of the windows in `DAYS` as
    counted beforehand. `strangers`: members who are none of our accounts count too."""

    viewer: Viewer
    asked: OffGateFilter
    accounts: Mapping[StaffId, Home]
    places: Mapping[NodeId, Place]
    strangers: bool
    caps: PersonCaps
    spoken: Counted[Spoken]


@dataclass(frozen=True, slots=True)
class OffGate:
    """What was sent, by whatever was asked for, in columns: rows are made of those that are shown."""

    look: Look
    by: By
    sums: Sums

    def __len__(self) -> int:
        return len(self.sums.key)

    def rows(
        self, limit: int | None = None, *, offset: int = 0, order: str = "persons", descending: bool = True
    ) -> list[OffGateRow]:
        """Some of the rows, by default those first whose sends spoke to most persons. Names are opened of these."""
        shown = self.sums.in_order(order, descending=descending)[offset:][:limit]
        keys = self.sums.key[shown].tolist()
        guides = self._guides(keys) if self.by in (By.GUIDE, By.SEND) else {}
        names = ("persons", "could_see", "held_out", "over_cap")
        counts = zip(*(getattr(self.sums, name)[shown].tolist() for name in names), strict=True)
        kinds, sends = self.sums.kind[shown].tolist(), self.sums.sends[shown].tolist()
        content = [""] * len(keys) if self.sums.content is None else self.sums.content.take(shown).to_pylist()
        found = []
        for key, kind, said, at, of_kind, heads in zip(
            keys, kinds, content, self.sums.last_at[shown].tolist(), sends, counts, strict=True
        ):
            guide = guides.get(StaffId(key))
            node = self.look.places.get(guide.store if guide is not None else NodeId(key)) if key else None
            numbers = (of_kind[one] for one in (MASS, GROUP, MOMENTS))
            found.append(OffGateRow(node, guide, aware(at), KINDS[kind], said, *numbers, *heads))
        return found

    def _guides(self, keys: Sequence[int]) -> Mapping[StaffId, SenderFacts]:
        wanted = {self.look.accounts[StaffId(key)].sender for key in keys if key}
        only = wanted if len(wanted) < MANY else None
        return {one.staff: one for one in senders(self.look.viewer, only) if one.id in wanted}


def look_at(warehouse: Warehouse, viewer: Viewer, asked: OffGateFilter) -> Look:
    """What the people whom a viewer sees sent on their own; a window that is not counted beforehand is counted now. Of
    members who are none of our accounts only who sees the whole brand is told."""
    all_places = {place.id: place for place in places()}
    accounts = {one.staff: one for one in homes(viewer, staff=asked.staff) if _asked_for(one, asked, all_places)}
    strangers = viewer.sees_all and asked.node is None and asked.staff is None
    if asked.days in DAYS:
        spoken = SPOKEN.answer(warehouse)
    else:
        now = business_now()
        spoken = Counted(_spoken(warehouse, (asked.days,), now), now)
    return Look(viewer, asked, accounts, all_places, strangers, _caps(), spoken)


def off_gate(look: Look, by: By) -> OffGate:
    """What was sent. (Unscoped because whose sends are looked at was said by `look_at`.)"""
    if by in (By.GUIDE, By.SEND):
        keys = {staff: int(staff) for staff in look.accounts}
    elif by is By.ALL:
        keys = dict.fromkeys(look.accounts, 0)
    else:
        nodes = {one.node for one in look.accounts.values()}
        place = {node: _place(node, by, look.places) for node in nodes}
        keys = {staff: place[one.node] for staff, one in look.accounts.items()}
    if look.strangers:
        keys[NOBODY] = 0
    sums = look.spoken.value.sums(keys, look.asked.days, look.asked.kind, each=by is By.SEND)
    return OffGate(look, by, sums)


def _caps() -> PersonCaps:
    return rulebook().policy.caps


def _said(query: Statement, since: datetime, until: datetime) -> Statement:
    """A query over `said`: every touch that staff sent on their own between two instants. (Unscoped.)"""
    caps = _caps()
    most = {"day": caps.day, "week": caps.week, "month": caps.month}
    params = {"since": since, "until": until, **{name: ENOUGH if one is None else one for name, one in most.items()}}
    tables = {"committed": committed(), "measured": _measured(since)}
    asked = replace(query, params={**params, **query.params}, tables={**tables, **query.tables})
    return beside(asked, "said", "reach/offgate_said")


def _spoken(warehouse: Warehouse, windows: Sequence[int], now: datetime) -> Spoken:
    """Of everybody, in windows of so many days."""
    starts = {days: now - timedelta(days=days) for days in windows}
    edges = pa.array([naive(one) for one in starts.values()], STAMP)
    of_sends = {"windows": pa.table({"days": pa.array(list(starts), pa.int64()), "since": edges})}
    pairs, sends = (
        warehouse.query(_said(named(name, tables=tables), min(starts.values()), now))
        for name, tables in (("reach/offgate_pairs", {}), ("reach/offgate_sends", of_sends))
    )
    return Spoken.of(pairs, sends, starts)


def _bound_by() -> PersonCaps | None:
    try:
        return _caps()
    except NotFound:
        return None  # nothing is set up yet


SPOKEN = Beforehand(lambda warehouse: _spoken(warehouse, DAYS, business_now()), _bound_by)


def _asked_for(one: Home, asked: OffGateFilter, places: Mapping[NodeId, Place]) -> bool:
    return asked.node is None or asked.node in _above(one.node, places)


def _above(node: NodeId, places: Mapping[NodeId, Place]) -> list[NodeId]:
    """The node and those it belongs to, the nearest first."""
    found: list[NodeId] = []
    here: NodeId | None = node
    while here is not None and here in places:
        found.append(here)
        here = places[here].parent
    return found


def _place(store: NodeId, by: By, places: Mapping[NodeId, Place]) -> int:
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

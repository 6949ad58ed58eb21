"""The person beside a chat: what whoever looks after them should know before writing. Reads only, and keeps nothing.

What is asked of the warehouse is asked of one person by all their numbers, so that it stays quick among millions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from sqlglot import exp

from yutang.kernel.calendars import aware, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand, node_names
from yutang.people.contracts import ALL_CHANNELS, PersonCard
from yutang.people.queries import standing_consents
from yutang.profiles.queries import kept_state, parse_state, select_traits
from yutang.reach.contracts import TouchFact
from yutang.reach.ledger import touches_of
from yutang.reflex.contracts import FollowUpFacts
from yutang.reflex.queries import follow_ups
from yutang.tasks.rhythm import Need, Rhythm, next_need, rhythm_of
from yutang.warehouse.contracts import Statement, Warehouse, named

LOOK_BACK = timedelta(days=400)
"""Habits are of the last thirteen months: what somebody bought earlier says little of what they need now."""
MOST_ORDERS = 400
LATELY = timedelta(days=30)
CATEGORIES = 3
_TRAITS = ("lifecycle", "orders_ever", "spend_365d", "last_visit_day")
_UNTOUCHED = frozenset({"suppressed", "held_out", "globally_held_out"})


@dataclass(frozen=True, slots=True)
class Bought:
    """An order: what it came to, and the categories of its lines, those that came to most first."""

    day: date
    amount: Decimal
    categories: tuple[str, ...]
    more: int
    store: NodeId | None
    store_name: str


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said about one purpose to us: on every channel, or on this one where they said it of it."""

    purpose: str
    granted: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """A person as the chat's sidebar shows them.

    `last` is their last order at a store that the viewer sees, `elsewhere` the day of a later one at another store.
    `known`: whether anything was computed of them yet. `left_alone`: why nothing may be sent, such as `silent`; None
    where nothing forbids everything. `not_reached` are the latest plans that left them out, newest first.
    """

    card: PersonCard
    today: date
    friend_since: datetime | None
    known: bool
    lifecycle: str
    pool: str
    orders: int
    spend: Decimal
    last: Bought | None
    last_day: date | None
    elsewhere: date | None
    rhythm: Rhythm | None
    need: Need | None
    left_alone: str | None
    consents: tuple[Said, ...]
    follow_ups: tuple[FollowUpFacts, ...]
    not_reached: tuple[TouchFact, ...]

    @property
    def person(self) -> PersonId:
        """Whom it is about."""
        return self.card.person

    @property
    def days_since(self) -> int | None:
        """Days since they last bought anything anywhere."""
        return None if self.last_day is None else (self.today - self.last_day).days


def beside(
    warehouse: Warehouse, viewer: Viewer, card: PersonCard, channel: str, senders: frozenset[SenderId] = frozenset()
) -> Beside:
    """All of it. `card` is the person as the viewer was shown them; `senders`: the viewer's own accounts, of which one
    may be a friend."""
    now, zone = business_now(), brand().zone
    today = local_day(now, zone)
    orders, goods = _purchases(warehouse, viewer, card, now)
    traits = _traits(warehouse, card.person)
    consents = _consents(card.person, channel)
    days = [local_day(aware(row["at"]), zone) for row in orders]
    last_day = max([*days, *([traits["last_visit_day"]] if traits.get("last_visit_day") else [])], default=None)
    last = _last(orders, goods, zone)
    mine = [one for one in card.relations if one.live and (one.sender in senders or not senders)]
    bought: dict[str, set[date]] = defaultdict(set)
    for row, day in zip(orders, days, strict=True):
        for category in goods.get((row["source"], row["order_id"]), {}):
            bought[category].add(day)
    return Beside(
        card=card,
        today=today,
        friend_since=min((one.added_at for one in mine if one.added_at), default=None),
        known=bool(traits),
        lifecycle=traits.get("lifecycle") or "",
        pool=_pool(card, consents, traits),
        orders=traits.get("orders_ever") or 0,
        spend=traits.get("spend_365d") or Decimal(0),
        last=last,
        last_day=last_day,
        elsewhere=last_day if last_day is not None and (last is None or last_day > last.day) else None,
        rhythm=rhythm_of(days),
        need=next_need(bought, today),
        left_alone=left_alone(card),
        consents=consents,
        follow_ups=tuple(follow_ups(viewer, births=card.births, limit=5)),
        not_reached=_not_reached(touches_of(warehouse, card.person, limit=12), now),
    )


def left_alone(card: PersonCard) -> str | None:
    """Why a person must be left alone whatever it is about; None if they need not be."""
    if card.blocked:
        return "blocked"
    if card.silent:
        return "silent"
    return "wish" if ALL_CHANNELS in card.wish.topics or ALL_CHANNELS in card.wish.channels else None


def _purchases(
    warehouse: Warehouse, viewer: Viewer, card: PersonCard, now: datetime
) -> tuple[list[dict[str, Any]], dict[tuple[str, str], dict[str, Decimal]]]:
    """A person's orders, newest first, and what each came to by category, where the viewer sees its store."""
    tables = {
        "births": pa.table({"person": pa.array(card.births, pa.int64())}),
        "seen": pa.table({"node": pa.array(sorted(viewer.nodes or ()), pa.int64())}),
    }
    params = {"since": now - LOOK_BACK, "now": now, "sees_all": viewer.sees_all}
    asked = named("tasks/purchases", {**params, "limit": MOST_ORDERS}, tables)
    orders = warehouse.query(asked).to_pylist()
    goods: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    for row in warehouse.query(named("tasks/goods", params, tables)).to_pylist() if orders else ():
        goods[row["source"], row["order_id"]][row["category"]] = row["amount"]
    return orders, goods


def _last(
    orders: Sequence[Mapping[str, Any]], goods: Mapping[tuple[str, str], Mapping[str, Decimal]], zone: str
) -> Bought | None:
    row = next((row for row in orders if row["shown"]), None)
    if row is None:
        return None
    lines = goods.get((row["source"], row["order_id"]), {})
    categories = sorted(lines, key=lambda name: (-lines[name], name))
    store = None if row["store"] is None else NodeId(row["store"])
    return Bought(
        local_day(aware(row["at"]), zone),
        row["amount"],
        tuple(categories[:CATEGORIES]),
        len(categories[CATEGORIES:]),
        store,
        node_names([store])[store] if store is not None else "",
    )


def _traits(warehouse: Warehouse, person: PersonId) -> dict[str, Any]:
    """The few that are shown. (None of them asks who is reachable, which is worked out over everybody.)"""
    at = parse_state(kept_state(warehouse))
    if at is None:
        return {}
    query = select_traits(_TRAITS, at).where(exp.column("person", "profiles").eq(int(person)))
    rows = warehouse.query(Statement(query, name="tasks/traits")).to_pylist()
    return rows[0] if rows else {}


def _consents(person: PersonId, channel: str) -> tuple[Said, ...]:
    """What counts per purpose, on this channel."""
    said: dict[str, dict[str, bool]] = defaultdict(dict)
    for (purpose, where, partner), granted in standing_consents(person).items():
        if not partner and where in (channel, ALL_CHANNELS):
            said[purpose][where] = granted
    return tuple(
        Said(purpose, words.get(channel, words.get(ALL_CHANNELS, False))) for purpose, words in sorted(said.items())
    )


def _pool(card: PersonCard, consents: Sequence[Said], traits: Mapping[str, Any]) -> str:
    """As `profiles/reachable` and the trait of that name tell it of everybody; empty for who is in none."""
    agreed = any(one.purpose == "marketing" and one.granted for one in consents)
    if card.silent or card.blocked or not agreed or not any(one.live for one in card.relations):
        return ""
    return "customer" if traits.get("orders_ever") else "nurturing"


def _not_reached(touches: Sequence[TouchFact], now: datetime) -> tuple[TouchFact, ...]:
    return tuple(one for one in touches if one.outcome in _UNTOUCHED and aware(one.decided_at) > now - LATELY)[:3]

"""Everything known of one person, as far as the viewer may see it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console import words
from yutang.console.figures import columns
from yutang.console.pages import Page, language, page
from yutang.console.scope import seen_by
from yutang.console.templatetags.console import money
from yutang.kernel.calendars import aware, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.ids import NodeId, PersonId, StaffId
from yutang.layers.next_queries import next_of
from yutang.log.vocabulary import VOCABULARY
from yutang.organisation.contracts import NodeFacts, SenderFacts
from yutang.organisation.queries import nodes, senders, staff_names
from yutang.people.contracts import ALL_CHANNELS, PersonCard
from yutang.people.grouped import groups_of
from yutang.people.queries import person_card
from yutang.people.sameness import history
from yutang.profiles.queries import as_of, traits_of
from yutang.profiles.traits import TRAITS, Trait, TraitType
from yutang.profiles.values import queries as values
from yutang.profiles.values.contracts import without_gaps
from yutang.reach import queries as reach
from yutang.reach.contracts import REASONS, PlanFacts, TouchFact
from yutang.reach.ledger import touches_of
from yutang.reach.ways import ways_to
from yutang.warehouse.contracts import named

STEP = 30
MICROSECOND = timedelta(microseconds=1)
_GROUPS = (
    ("rhythm", ("first_visit_day", "last_visit_day", "days_since_last_visit", "median_gap_days", "overdue_ratio")),
    ("scores", ("recency_score", "frequency_score", "monetary_score", "discount_share_90d")),
)
_TABLE = ("orders", "spend", "visit_days", "categories")
_SPANS = ("30d", "90d", "365d", "ever")


@dataclass(frozen=True, slots=True)
class Shown:
    """A trait with its value as a template shows it. `kind` is the trait's type."""

    trait: Trait
    value: Any

    @property
    def kind(self) -> str:
        """How to format the value."""
        return self.trait.type.value if self.trait.type is not TraitType.COUNT else "number"

    @property
    def unit(self) -> str:
        """What is counted; empty where the number says it all."""
        return words.unit(self.trait, self.value)


@dataclass(frozen=True, slots=True)
class Friend:
    """A friendship with its guide; `guide` is None for one of a store that the viewer does not see."""

    guide: SenderFacts | None
    store: NodeFacts | None
    added_at: datetime | None
    lost_at: datetime | None
    last_talk_at: datetime | None
    live: bool


@dataclass(slots=True)
class Happening:
    """An entry of the timeline: an order with its lines, or another event, with the `staff` who did it."""

    at: datetime
    kind: str
    label: str
    store: NodeFacts | None = None
    order: Mapping[str, Any] | None = None
    lines: list[Mapping[str, Any]] = field(default_factory=list)
    details: list[tuple[str, str]] = field(default_factory=list)
    staff: int | None = None
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Touch:
    """A decision of the gate, told as a sentence. `code` is its outcome or what became of it."""

    fact: TouchFact
    plan: PlanFacts | None
    code: str
    why: str
    tone: str


@page
@require_safe
def person(request: Page, number: int) -> HttpResponse:
    """The page of one surviving person; `?before=` goes on with an older part of the timeline."""
    card = person_card(request.viewer, PersonId(number))
    ready = as_of(request.warehouse) is not None
    traits = traits_of(request.warehouse, request.viewer, card.person) if ready else {}
    places = {node.id: node for node in nodes()}
    home = traits.get("home_store") or card.home_node
    before = _before(request)
    births = pa.table({"person": pa.array(card.births, pa.int64())})
    guides = senders(request.viewer, [relation.sender for relation in card.relations])
    happened, older = timeline(request, births, places, before)
    _put_guides(request, happened)
    context = {
        "card": card,
        "traits": traits,
        "home": places.get(NodeId(home)) if home else None,
        "groups": [
            (name, [Shown(TRAITS[trait], traits[trait]) for trait in names]) for name, names in _GROUPS if ready
        ],
        "table": [
            (TRAITS[f"{kind}_ever"].type.value, kind, [traits[f"{kind}_{span}"] for span in _SPANS])
            for kind in _TABLE
            if ready
        ],
        **_values(request, card.person, births, ready=ready),
        "friends": _friends(guides, card, places),
        "in_groups": groups_of(request.viewer, card.births),
        "way": _way(card),
        "timeline": happened,
        "older": older,
        "paged": request.GET.get("before"),
        "next": next_of(request.warehouse, request.viewer, card.births) if ready else [],
        "elsewhere": _elsewhere(request, births),
        "touches": _touches(request, card.person),
        "may_say": request.viewer.may_operate,
        "history": history(request.viewer, card),
        "decides": request.viewer.may_operate and request.viewer.sees_all,
    }
    return render(request, "console/person.html", context)


@page
@require_safe
def person_ways(request: Page, number: int) -> HttpResponse:
    """By which channels marketing may reach this person today; after the page, which waits for none of it."""
    card = person_card(request.viewer, PersonId(number))
    ways = [
        {"channel": one.channel, "open": one.open, "why": REASONS[one.reason] if one.reason else None}
        for one in ways_to(card)
    ]
    return render(request, "console/_person_ways.html", {"ways": ways})


def _values(request: Page, who: PersonId, births: pa.Table, *, ready: bool) -> dict[str, object]:
    """The three values. What is expected by category is of all stores, and only for who sees them all."""
    found = values.state(request.warehouse) if ready else None
    worth = values.worth_of(request.warehouse, request.viewer, who) if found is not None else None
    if found is None or worth is None:
        return {"worth": None}
    shelves = values.categories_of(request.warehouse, births, worth, found) if request.viewer.sees_all else []
    bought = values.quarters_of(request.warehouse, births, found)[::-1]
    quarters = without_gaps(bought, local_day(found.as_of, found.zone))[-8:]
    told = [(f"{one.year % 100:02} Q{one.quarter}", one.amount) for one in quarters]
    chart = columns(told, lambda value: money(value, 0), _("既成价值，按季度")) if len(told) > 1 else ""
    return {"worth": worth, "valued": found, "shelves": shelves, "quarters": quarters, "chart": chart}


def _way(card: PersonCard) -> str:
    """Why marketing cannot reach this person, or `reachable`; as `sql/reachability.sql` tells it of everybody."""
    if card.blocked:
        return "blocked"
    if not card.relations:
        return "never_friend"
    if not any(relation.live for relation in card.relations):
        return "lost"
    if card.silent:
        return "silent"
    latest: dict[str, bool] = {}
    for word in reversed(card.consents):
        if word.purpose == "marketing" and not word.partner:
            latest[word.channel] = word.granted
    granted = latest.get("wecom", latest.get(ALL_CHANNELS))
    return "unasked" if granted is None else "reachable" if granted else "refused"


def _before(request: Page) -> datetime:
    try:
        asked = datetime.fromisoformat(request.GET.get("before", ""))
    except ValueError:
        return business_now() + MICROSECOND
    return aware(asked)


def _friends(accounts: Sequence[SenderFacts], card: PersonCard, places: Mapping[NodeId, NodeFacts]) -> list[Friend]:
    guides = {sender.id: sender for sender in accounts}
    found = []
    for relation in card.relations:
        guide = guides.get(relation.sender)
        store = places.get(guide.store) if guide else None
        found.append(Friend(guide, store, relation.added_at, relation.lost_at, relation.last_talk_at, relation.live))
    return sorted(found, key=lambda one: not one.live)


def timeline(
    request: Page, births: pa.Table, places: Mapping[NodeId, NodeFacts], before: datetime
) -> tuple[list[Happening], datetime | None]:
    """The latest entries before an instant, newest first, and the instant from which to go on (None: no more).

    `births` holds every number of the person.
    """
    params = {"as_of": business_now(), "before": before, "limit": STEP + 1}
    of = {"births": births}
    orders = request.warehouse.query(seen_by(request.viewer, "console/timeline_orders", params, of)).to_pylist()
    events = request.warehouse.query(seen_by(request.viewer, "console/timeline_events", params, of)).to_pylist()
    found = [
        Happening(aware(row["at"]), "order", "", places.get(row["store"]), row, synthetic=row["synthetic"])
        for row in orders
    ]
    found += [_event(row, places) for row in events]
    found.sort(key=lambda one: one.at, reverse=True)
    shown, more = found[:STEP], len(found) > STEP
    _put_lines(request, births, [one for one in shown if one.order])
    return shown, shown[-1].at if more else None


def _put_guides(request: Page, happened: Sequence[Happening]) -> None:
    """Who sent what was sent beside the gate, as far as the viewer sees them."""
    names = staff_names(request.viewer, {StaffId(one.staff) for one in happened if one.staff is not None})
    for one in happened:
        if one.staff is not None and (name := names.get(StaffId(one.staff))):
            one.details.append((_("导购"), name))


def _event(row: Mapping[str, Any], places: Mapping[NodeId, NodeFacts]) -> Happening:
    kind = VOCABULARY.get(row["type"])
    english = language().startswith("en")
    props = json.loads(row["props"] or "{}")
    details = [
        ((_short(prop.en) if english else prop.zh), str(props[name]))
        for name, prop in (kind.props.items() if kind else ())
        if name in props and name != "synthetic"
    ]
    own = row["type"] == "offgate.sent"
    if own:  # its marks tell a person nothing
        details = [(_("方式"), words.said(words.OFF_GATE_KINDS, props.get("kind", "mass")))]
    label = (_short(kind.en) if english else kind.zh) if kind else row["type"]
    return Happening(
        aware(row["at"]),
        row["type"],
        label[:1].upper() + label[1:],
        places.get(row["store"]),
        details=details,
        staff=row["staff"] if own else None,
        synthetic=bool(props.get("synthetic")),
    )


def _short(meaning: str) -> str:
    """What the vocabulary says in English, without what explains it."""
    return re.split(r"; |, such as | \(", meaning)[0]


def _put_lines(request: Page, births: pa.Table, orders: list[Happening]) -> None:
    keys = [(one.order["source"], one.order["order_id"]) for one in orders if one.order]
    if not keys:
        return
    wanted = pa.table({"source": [source for source, _ in keys], "order_id": [order for _, order in keys]})
    lines: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    tables = {"wanted": wanted, "births": births}
    for line in request.warehouse.query(named("console/timeline_lines", tables=tables)).to_pylist():
        lines[line["source"], line["order_id"]].append(line)
    for one, key in zip(orders, keys, strict=True):
        one.lines = lines[key]


def _elsewhere(request: Page, births: pa.Table) -> Mapping[str, Decimal | int] | None:
    if request.viewer.sees_all:
        return None
    asked = seen_by(request.viewer, "console/elsewhere", {"as_of": business_now()}, {"births": births})
    row: Mapping[str, Decimal | int] = request.warehouse.query(asked).to_pylist()[0]
    return row if row["orders"] else None


def _touches(request: Page, who: PersonId) -> list[Touch]:
    facts = touches_of(request.warehouse, who)
    plans = {plan.id: plan for plan in reach.plans(request.viewer, limit=500)} if facts else {}
    return [_touch(fact, plans.get(fact.plan)) for fact in facts]


def _touch(fact: TouchFact, plan: PlanFacts | None) -> Touch:
    code = fact.outcome
    if fact.outcome == "send":
        code = "pending" if fact.state in (None, "issued") else str(fact.state)
    reason = fact.reason if fact.outcome == "suppressed" else fact.state_reason
    why = _why(reason) if reason else words.said(words.EXPLAINED, code)
    tone = {"sent": "good", "pending": "pond", "failed": "needs", "unknown": "watch", "expired": "watch"}.get(code, "")
    return Touch(fact, plan, words.said(words.OUTCOMES, code), why, tone)


def _why(reason: str) -> str:
    if reason.startswith("platform_"):
        return _("平台拒绝了这个任务（错误码 %(code)s）。") % {"code": reason.removeprefix("platform_")}
    return words.said(words.REASONS, reason)

"""Small ponds with everything a rule can ask of, and the documents that ask it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.profiles.worlds import Order, World, emptied, fill_orders, naive, put_people, put_touches
from tests.warehouse.fixtures import insert
from tests.ways import ways_told
from yutang.kernel.documents import from_data
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.profiles.traits import TRAITS, TraitType
from yutang.segments.contracts import Nodes
from yutang.segments.documents import LOOKS_BY, OPERATORS, SegmentDocument
from yutang.warehouse.contracts import Statement

ZONE = "America/New_York"
INSTANTS = (
    datetime(2017, 3, 12, 6, 59, 59, 999999, tzinfo=UTC),  # one microsecond before the clocks go forward
    datetime(2017, 11, 5, 5, 30, tzinfo=UTC),  # in the hour that comes twice
    datetime(2017, 6, 1, 17, 23, 5, 123456, tzinfo=UTC),
    datetime(2018, 1, 1, 5, tzinfo=UTC),  # midnight there
)
WORTH_VERSION = 7
STALE_WORTH = {"existing_365d": Decimal(1), "potential": Decimal(1), "alive": 1.0, "churn": 0.0}
AWKWARD = ["it's", "back\\slash", "优惠 '券'", "plain"]


def node(id_: int, parent: int | None, kind: NodeKind, code: str) -> NodeFacts:
    return NodeFacts(NodeId(id_), parent and NodeId(parent), kind, code, code, ZONE, False)


NODES = Nodes(
    lambda: (
        node(1, None, NodeKind.BRAND, "brand"),
        node(10, 1, NodeKind.REGION, "north"),
        node(7, 10, NodeKind.STORE, "s7"),
        node(8, 10, NodeKind.STORE, "s8"),
        node(11, 1, NodeKind.REGION, "south"),
        node(9, 11, NodeKind.STORE, "s9"),
    )
)


@dataclass
class Pond(World):
    """A world of orders, and what else is told of its people. Rows are as the warehouse's tables hold them."""

    facts: dict[int, dict[str, Any]] = field(default_factory=dict)
    relations: list[dict[str, Any]] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    worth: dict[int, dict[str, Any]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)


def put_pond(pond: Pond) -> list[Statement]:
    """Statements that leave this pond, and nothing else, in the warehouse."""
    flags = [{"person": person, **pond.facts.get(person, {})} for person in sorted(pond.persons)]
    tables = {
        "events": pond.events,
        "fact_relations": pond.relations,
        "fact_consents": pond.consents,
        "fact_tags": pond.tags,
        "fact_scopes": pond.scopes,
        "person_values": [
            {"version": version, "person": person, **row}
            for person, told in pond.worth.items()
            for version, row in ((WORTH_VERSION, told), (WORTH_VERSION - 1, STALE_WORTH))
        ],
        "profile_state": [{"name": "values_version", "value": str(WORTH_VERSION)}],
        "segment_changes": pond.changes,
    }
    people = [*put_people(pond), Statement("DELETE FROM facts"), insert("facts", flags)]
    ledger = put_touches(pond.touches)
    return [
        *emptied(),
        *fill_orders(list(pond.orders.values())),
        *ledger,
        *people,
        *[insert(t, r) for t, r in tables.items()],
        *ways_told(),
    ]


# Ponds ------------------------------------------------------------------------------------------------------------

PEOPLE = range(1, 9)
persons = st.sampled_from(PEOPLE)
cents = st.integers(0, 3000).map(lambda n: Decimal(n) / 100)


def moments(at: datetime) -> st.SearchStrategy[datetime]:
    """Instants about `at`: on the edges of windows, at local midnights, in the future."""
    spans = [timedelta(days=n) for n in (0, 1, 30, 35, 90, 365)]
    edges = [at - span for span in (*spans, timedelta(hours=36))] + [
        at + timedelta(days=2),
        at + timedelta(microseconds=1),
    ]
    midnight = at.replace(hour=4, minute=0, second=0, microsecond=0)
    return st.one_of(
        st.sampled_from(edges),
        st.sampled_from(edges),
        st.integers(0, 400 * 86400).map(lambda s: at - timedelta(seconds=s, microseconds=s % 3)),
        st.tuples(st.integers(-60, 1), st.integers(0, 1), st.integers(-1, 1)).map(
            lambda t: midnight + timedelta(days=t[0], hours=t[1], microseconds=t[2])
        ),
    )


def rows(strategy: dict[str, st.SearchStrategy[Any]], key: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries(strategy), max_size=14, unique_by=lambda row: tuple(row[k] for k in key))


@st.composite
def ponds(draw: st.DrawFn, at: datetime) -> Pond:
    """A pond of up to eight births; facts are of survivors, as the pump keeps them."""
    merged = draw(st.dictionaries(st.sampled_from([6, 7, 8]), st.sampled_from([1, 2]), max_size=2))
    survivors = sorted(set(PEOPLE) - set(merged))
    living = st.sampled_from(survivors)
    orders = draw(st.lists(_orders(at), min_size=10, max_size=25, unique_by=lambda o: o.id))
    events = draw(st.lists(told_events(at), min_size=10, max_size=25))
    return Pond(
        persons=set(survivors),
        overrides=merged,
        orders={o.id: o for o in orders},
        events=[{"event_id": str(n), **told} for n, told in enumerate(events)],
        touches=draw(touches(moments(at))),
        facts={p: {"blocked": draw(rare), "silent": draw(rare)} for p in survivors},
        relations=draw(rows({"person": living, "channel": channels, "live": st.booleans()}, ("person", "channel"))),
        consents=draw(
            rows(
                {"person": living, "purpose": purposes, "channel": channels_or_all, "granted": st.booleans()},
                ("person", "purpose", "channel"),
            )
        ),
        tags=draw(rows({"person": living, "tag": st.sampled_from(AWKWARD)}, ("person", "tag"))),
        scopes=draw(rows({"person": living, "node": st.sampled_from([1, 7, 8, 9, 10, 11])}, ("person", "node"))),
        worth=draw(st.dictionaries(living, st.fixed_dictionaries(WORTH), max_size=5)),
        changes=draw(changes(at)),
    )


maybe_cents = st.none() | cents
chances = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])
WORTH: dict[str, st.SearchStrategy[Any]] = {
    "existing_365d": cents,
    "potential": maybe_cents,
    "potential_low": maybe_cents,
    "potential_high": maybe_cents,
    "alive": chances,
    "churn": chances,
    "next_order_day": st.none() | st.dates(date(2017, 1, 1), date(2018, 3, 1)),
    "brought": st.integers(0, 3),
    "model_one": cents,
    "model_tree": cents,
}
rare = st.sampled_from([False, False, False, True, None])
channels = st.sampled_from(["wecom", "sms"])
channels_or_all = st.sampled_from(["wecom", "sms", "*"])
purposes = st.sampled_from(["marketing", "service"])
category = st.sampled_from(["milk", "beef", *AWKWARD[:3], None])


def changes(at: datetime) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Who was seen to enter a segment and to leave it."""
    one = {
        "segment": st.sampled_from(["other", "another"]),
        "version": st.just(1),
        "person": persons,
        "entered": st.sampled_from([True, True, False]),
        "at": st.sampled_from([naive(at - timedelta(days=days)) for days in (0, 1, 30)]),
        "run": st.integers(1, 3),
    }
    return st.lists(st.fixed_dictionaries(one), max_size=14)


def _orders(at: datetime) -> st.SearchStrategy[Order]:
    return st.builds(
        Order,
        id=st.integers(1, 60).map(str),
        person=persons,
        store=st.sampled_from([None, 7, 8, 9]),
        placed_at=moments(at),
        amount=cents,
        discount=cents,
        lines=st.lists(st.tuples(category, cents), max_size=3).map(tuple),
        cancelled=st.sampled_from([False, False, False, True]),
    )


def touches(at: st.SearchStrategy[datetime]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Touches that were sent."""
    one = {
        "touch": st.integers(1, 99),
        "person": persons,
        "at": at,
        "channel": channels,
        "touch_class": st.sampled_from(["marketing", "service"]),
        "plan": st.integers(1, 3),
    }
    return st.lists(st.fixed_dictionaries(one), max_size=12, unique_by=lambda row: row["touch"])


@st.composite
def told_events(draw: st.DrawFn, at: datetime) -> dict[str, Any]:
    kinds = ["campaign.targeted", "coupon.redeemed", "message.sent", "order.refunded", "group.joined", "group.left"]
    kind = draw(st.sampled_from(kinds))
    beside = st.sampled_from([{}, {"class": "marketing"}])
    props = {
        "campaign.targeted": {"campaign": draw(st.sampled_from(AWKWARD))},
        "coupon.redeemed": {"coupon": "c", **draw(st.sampled_from([{}, {"campaign": "plain"}]))},
        "message.sent": draw(beside),
        "order.refunded": {"order_id": "1"},
        "group.joined": {"group": draw(st.sampled_from(AWKWARD[:2])), "scene": 3},
        "group.left": {"group": draw(st.sampled_from(AWKWARD[:2]))},
    }[kind]
    return {
        "type": kind,
        "person": draw(persons),
        "occurred_at": naive(draw(moments(at))),
        "source": draw(st.sampled_from(["shop", "app"] if kind != "message.sent" else ["shop", "app", "sidebar"])),
        "channel": draw(st.sampled_from(["wecom", None])),
        "amount": draw(st.none() | cents),
        "props": json.dumps(props, ensure_ascii=False) if props else None,
    }


# Documents ----------------------------------------------------------------------------------------------------------

_VALUES: dict[TraitType, st.SearchStrategy[Any]] = {
    TraitType.COUNT: st.integers(0, 6) | st.sampled_from([14, 30, 90]),
    TraitType.MONEY: st.sampled_from([0, 5, 10.5, 25.01, 40]),
    TraitType.NUMBER: st.sampled_from([0, 0.1, 0.5, 1, 2, 7.5]),
    TraitType.DAY: st.dates(date(2016, 6, 1), date(2018, 1, 2)).map(str),
    TraitType.INSTANT: st.dates(date(2016, 6, 1), date(2018, 1, 2)),
    TraitType.TEXT: st.sampled_from(["shop", "wecom", "milk", AWKWARD[0], AWKWARD[2], "sku of beef"]),
}


@st.composite
def trait_rules(draw: st.DrawFn) -> dict[str, Any]:
    trait = TRAITS[draw(st.sampled_from(sorted(TRAITS)))]
    values = st.sampled_from(trait.choices) if trait.choices else _VALUES.get(trait.type, st.booleans())
    rule: dict[str, Any] = {"trait": trait.name}
    for operator in draw(st.sets(st.sampled_from(sorted(OPERATORS[trait.type])), min_size=1, max_size=2)):
        if operator == "known":
            rule[operator] = draw(st.booleans())
        elif operator == "between":
            rule[operator] = sorted(draw(st.tuples(values, values)))
        else:
            rule[operator] = draw(st.lists(values, min_size=1, max_size=3) if operator == "in" else values)
    return rule


@st.composite
def bounds(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> dict[str, Any]:
    names = st.sampled_from(["is", "is_not", "at_least", "at_most", "more_than", "less_than", "between"])
    return {
        name: sorted(draw(st.tuples(values, values))) if name == "between" else draw(values)
        for name in draw(st.sets(names, min_size=1, max_size=2))
    }


counts = bounds(st.integers(0, 3))
sums = bounds(st.sampled_from([0, 5, 10.5, 30]))
windows = st.one_of(
    st.just({}),
    st.sampled_from(["30d", "90d", "1d", "36h", "5w"]).map(lambda w: {"within": w}),
    st.dates(date(2016, 6, 1), date(2018, 1, 2)).map(lambda d: {"since": d}),
    st.tuples(st.dates(date(2016, 9, 1), date(2017, 6, 2)), st.integers(0, 300)).map(
        lambda t: {"since": str(t[0]), "until": t[0] + timedelta(days=t[1])}
    ),
)


def some(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=strategies)


texts = st.lists(st.sampled_from(AWKWARD), min_size=1, max_size=2)
event_where = some(
    source=st.sampled_from(["shop", ["app", "shop"]]), channel=channels, amount=sums
) | st.fixed_dictionaries({"props": st.fixed_dictionaries({"campaign": texts})})
event_rules = st.tuples(
    st.sampled_from(["campaign.targeted", "coupon.redeemed"]), windows, some(count=counts, where=event_where)
).map(lambda t: {"event": t[0], **t[1], **t[2]}) | st.tuples(
    st.sampled_from(["message.sent", "order.refunded"]), windows, some(count=counts)
).map(lambda t: {"event": t[0], **t[1], **t[2]})
wares = st.lists(category.filter(bool), min_size=1, max_size=2)
goods = wares.map(lambda c: {"categories": c}) | wares.map(lambda c: {"skus": [f"sku of {one}" for one in c]})
bought_rules = st.tuples(goods, windows, some(baskets=counts, spend=sums)).map(
    lambda t: {"bought": t[0], **t[1], **t[2]}
)
by = st.sampled_from([{}, {"by": "home"}, {"by": "scope"}])
place_rules = st.tuples(st.sampled_from([{"store": ["s7"]}, {"store": ["s8", "s9"]}, {"region": "north"}]), by).map(
    lambda t: {**t[0], **t[1]}
)
likenesses = st.tuples(
    st.sampled_from(["other", "another"]),
    st.sampled_from([{}, {"share": 0.3}, {"share": 0.5}, {"top": 1}, {"top": 3}, {"top": 99}]),
    some(traits=st.lists(st.sampled_from(LOOKS_BY), min_size=1, max_size=3, unique=True)),
).map(lambda t: {"looks_like": {"segment": t[0], **t[1], **t[2]}})
leaves = st.one_of(
    trait_rules(),
    trait_rules(),
    likenesses,
    event_rules,
    bought_rules,
    texts.map(lambda t: {"tag": t}),
    texts.map(lambda t: {"in_group": t}),
    place_rules,
    st.tuples(purposes, channels_or_all).map(lambda t: {"consent": {"purpose": t[0], "channel": t[1]}}),
    st.sampled_from([{"pool": "nurturing"}, {"pool": "customer"}]),
    st.sampled_from([{"segment": "other"}, {"segment": "another"}]),
    st.tuples(st.sampled_from(["other", "another"]), st.sampled_from(INSTANTS), st.sampled_from([0, 1, 30])).map(
        lambda t: {"recorded": {"segment": t[0], "at": (t[1] - timedelta(days=t[2])).isoformat()}}
    ),
)
own_leaves = leaves.filter(lambda rule: not {"segment", "looks_like"} & set(rule))


def trees(of: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        of,
        lambda below: st.one_of(
            st.lists(below, min_size=1, max_size=3).map(lambda b: {"all": b}),
            st.lists(below, min_size=1, max_size=3).map(lambda b: {"any": b}),
            below.map(lambda b: {"not": b}),
        ),
        max_leaves=5,
    )


def segment(where: dict[str, Any], name: str = "one") -> SegmentDocument:
    """The document of a rule written as data."""
    data = {"kind": "segment", "name": name, "schema": 1, "title": {"zh": "一个", "en": "one"}, "where": where}
    document = from_data(data)
    assert isinstance(document, SegmentDocument)
    return document

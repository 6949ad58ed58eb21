"""Whatever a document says, the compiled query answers what a naive reading of it answers, on both engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from tests.profiles.brand import brands, read_traits
from tests.profiles.worlds import Order, naive
from tests.segments.oracle import Oracle
from tests.segments.worlds import (
    INSTANTS,
    NODES,
    ZONE,
    Pond,
    leaves,
    moments,
    own_leaves,
    ponds,
    put_pond,
    segment,
    trees,
)
from tests.warehouse.fixtures import fresh_warehouse
from yutang.kernel.documents import read
from yutang.kernel.ids import PersonId
from yutang.organisation.queries import OWNER
from yutang.profiles.contracts import Moment
from yutang.profiles.past import traits_at
from yutang.profiles.queries import DRAWN
from yutang.profiles.registry import learn_these
from yutang.profiles.services import rebuild
from yutang.profiles.traits import TRAITS
from yutang.segments.compile import compile_memberships, compile_segment
from yutang.segments.contracts import Context, unfitted
from yutang.segments.fitting import fit
from yutang.segments.queries import each_drawn
from yutang.segments.why import Reason, reason
from yutang.warehouse.contracts import Statement, Warehouse, named

RANKS = frozenset({"recency_score", "frequency_score", "monetary_score"})


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    one = fresh_warehouse(tmp_path_factory.mktemp("segments"))
    yield one
    one.close()


def context(at: datetime, others: dict[str, dict[str, Any]], fitted: Warehouse | None = None) -> Context:
    model = partial(fit, fitted) if fitted else unfitted
    return Context(Moment(at, ZONE), NODES, lambda name: segment(others[name], name), model)


@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(INSTANTS))
def test_random_documents_on_random_ponds_equal_the_oracle(
    warehouse: Warehouse, data: st.DataObject, at: datetime
) -> None:
    pond, brand = data.draw(ponds(at)), data.draw(brands())
    learn_these(read_traits(brand))
    others = {"other": data.draw(trees(own_leaves)), "another": {"not": {"segment": "other"}}}
    rules = data.draw(st.lists(trees(leaves), min_size=8, max_size=12))
    documents = [segment(rule, f"s{n}") for n, rule in enumerate(rules)]
    warehouse.write(put_pond(pond))
    rebuild(warehouse, at, zone=ZONE)
    naive = Oracle(pond, at, ZONE, others, brand)
    together = warehouse.query(Statement(compile_memberships(documents, context(at, others, warehouse)))).to_pylist()
    assert sorted(row["person"] for row in together) == sorted(pond.persons)
    for document, rule in zip(documents, rules, strict=True):
        expected = naive.members(rule)
        assert {row["person"] for row in together if row[document.name]} == expected, rule
        assert read(document.as_yaml()) == document
    some = data.draw(st.lists(st.sampled_from(sorted(pond.persons)), max_size=4, unique=True))
    wanted = {"wanted": pa.table({"person": pa.array(some, pa.int64())})}
    births = warehouse.query(named("profiles/births_of", tables=wanted))
    told = each_drawn(documents, context(at, others, warehouse))
    drawn = warehouse.query(Statement(told, tables={DRAWN: births})).sort_by("person").to_pylist()
    theirs = [row for row in sorted(together, key=itemgetter("person")) if row["person"] in some]
    assert drawn == theirs, "the same is told of those drawn"
    alone = warehouse.query(Statement(compile_segment(documents[0], context(at, others, warehouse))))
    assert Counter(alone["person"].to_pylist()) == Counter(naive.members(rules[0]))
    earlier = data.draw(moments(at).filter(lambda one: one <= at))
    look_back(warehouse, Oracle(pond, earlier, ZONE, others, brand), context(earlier, others, warehouse), rules)
    learn_these(())


def look_back(warehouse: Warehouse, naive: Oracle, then: Context, rules: list[dict[str, Any]]) -> None:
    """What was so at an earlier instant: of everybody, of some, and why somebody was in a segment."""
    everyone = traits_at(warehouse, OWNER, TRAITS, then.moment).to_pylist()
    some = traits_at(warehouse, OWNER, TRAITS, then.moment, sorted(naive.pond.persons)[:3]).to_pylist()
    assert {row["person"] for row in everyone} == naive.pond.persons
    for rows, unknown in ((everyone, frozenset()), (some, RANKS)):
        for row in rows:
            told = {name: naive.value(name, row["person"]) for name in TRAITS if name not in unknown}
            assert {name: row[name] for name in told} == told
    for few in (["spend_30d"], ["median_gap_days", "home_store"], ["categories_90d"], ["recency_score", "lifecycle"]):
        asked = {row["person"]: row for row in traits_at(warehouse, OWNER, few, then.moment).to_pylist()}
        assert asked == {row["person"]: {name: row[name] for name in ("person", *few)} for row in everyone}
    person = min(naive.pond.persons)
    for rule in rules[:3]:
        found = reason(warehouse, OWNER, segment(rule), PersonId(person), then, past=True)
        assert_told(found, rule, naive, person)


def assert_told(found: Reason, rule: dict[str, Any], naive: Oracle, person: int) -> None:
    if not found.unknown and not any(name in str(rule) for name in RANKS):
        assert found.holds == naive.holds(rule, person), rule
    below = rule.get("all") or rule.get("any") or [rule["not"]] if {"all", "any", "not"} & set(rule) else []
    for one, its in zip(found.below, below, strict="segment" not in rule):
        assert_told(one, its, naive, person)


INSTANT = INSTANTS[2]
MIDNIGHT = datetime(2017, 5, 31, 4, tzinfo=UTC)  # in New York
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ({}, [INSTANT, INSTANT - timedelta(days=900)], [INSTANT + TICK]),
        (
            {"within": "36h"},
            [INSTANT, INSTANT - timedelta(hours=36) + TICK],
            [INSTANT - timedelta(hours=36), INSTANT + TICK],
        ),
        ({"since": "2017-05-31"}, [MIDNIGHT, INSTANT], [MIDNIGHT - TICK, INSTANT + TICK]),
        ({"until": "2017-05-30"}, [MIDNIGHT - TICK], [MIDNIGHT]),
        (
            {"since": "2017-05-30", "until": "2017-05-30"},
            [MIDNIGHT - timedelta(days=1)],
            [MIDNIGHT - timedelta(days=1) - TICK],
        ),
    ],
)
def test_a_window_is_open_at_its_far_end_and_ends_with_the_instant(
    warehouse: Warehouse, window: dict[str, str], inside: list[datetime], outside: list[datetime]
) -> None:
    at_person = dict(enumerate([*inside, *outside], 1))
    told = [
        {"event_id": str(p), "type": "message.sent", "person": p, "occurred_at": naive(at)}
        for p, at in at_person.items()
    ]
    lines = (("milk", Decimal(1)),)
    orders = {str(p): Order(str(p), p, 7, at, Decimal(1), Decimal(0), lines) for p, at in at_person.items()}
    warehouse.write(put_pond(Pond(set(at_person), {}, orders, told)))
    rebuild(warehouse, INSTANT, zone=ZONE)
    for rule in ({"event": "message.sent", **window}, {"bought": {"categories": "milk"}, **window}):
        found = warehouse.query(Statement(compile_segment(segment(rule), context(INSTANT, {}))))
        assert sorted(found["person"].to_pylist()) == list(range(1, len(inside) + 1))


def test_a_segment_of_segments_reads_each_table_once() -> None:
    bought = {"bought": {"categories": "milk"}, "within": "30d"}
    others = {
        "other": {"all": [{"event": "message.sent"}, bought, {"tag": "plain"}, {"trait": "pool", "is": "customer"}]},
        "another": {"any": [{"segment": "other"}, {"event": "campaign.targeted", "within": "90d"}]},
    }
    whole = {"all": [{"segment": "other"}, {"not": {"segment": "another"}}, {"event": "coupon.redeemed"}, bought]}
    compiled = compile_memberships(
        [segment(whole), *(segment(rule, name) for name, rule in others.items())], context(INSTANT, others)
    )
    scans = Counter(table.name for table in compiled.find_all(exp.Table))
    assert {name: scans[name] for name in ("profiles", "events", "order_lines", "orders", "fact_tags")} == {
        "profiles": 1, "events": 1, "order_lines": 1, "orders": 0, "fact_tags": 1,
    }  # fmt: skip
    alone = compile_segment(segment({"event": "message.sent"}), context(INSTANT, others))
    assert Counter(table.name for table in alone.find_all(exp.Table))["events"] == scans["events"]

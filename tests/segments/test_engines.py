"""One text serves two engines: compiled documents answer alike on DuckDB and on ClickHouse's engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp

from tests.profiles.brand import read_traits, trait
from tests.profiles.worlds import Order, naive
from tests.segments.oracle import Oracle
from tests.segments.worlds import AWKWARD, NODES, ZONE, Pond, put_pond, segment
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import fresh_warehouse
from yutang.kernel.documents import read
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import RoleName, Viewer
from yutang.profiles.aggregates import selects
from yutang.profiles.contracts import Moment
from yutang.profiles.queries import in_scope, select_traits
from yutang.profiles.registry import aggregates, learn_these
from yutang.profiles.services import rebuild
from yutang.profiles.traits import TRAITS
from yutang.segments.compile import compile_memberships, compile_segment
from yutang.segments.contracts import Context
from yutang.segments.documents import SegmentDocument
from yutang.segments.fitting import fit
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.long  # both engines; the soak runs it

AS_OF = datetime(2017, 11, 5, 5, 30, 0, 250000, tzinfo=UTC)  # in the hour that comes twice, not on a whole second
SHIPPED = sorted((Path(__file__).parents[2] / "playbooks" / "segments").glob("*.yaml"))
OTHERS: dict[str, dict[str, Any]] = {
    "other": {"trait": "orders_ever", "at_least": 3},
    "seed": {"tag": AWKWARD[0]},
}

RULES: list[dict[str, Any]] = [
    {"trait": "orders_90d", "at_least": 2, "less_than": 5},
    {"trait": "spend_ever", "between": [10.5, 200]},
    {"trait": "median_gap_days", "known": False},
    {"trait": "median_gap_days", "is_not": 3},
    {"trait": "discount_share_90d", "less_than": 0.25},
    {"trait": "overdue_ratio", "more_than": 2},
    {"trait": "days_since_last_visit", "at_most": 40},
    {"trait": "lifecycle", "in": ["active", "silent"]},
    {"trait": "first_order_at", "at_least": "2017-08-01"},
    {"trait": "last_visit_day", "between": ["2017-09-01", "2017-11-04"]},
    {"trait": "reachable", "is": True},
    {"not": {"trait": "pool", "is": "customer"}},
    {"event": "campaign.targeted", "within": "90d", "count": {"at_least": 2}},
    {"event": "campaign.targeted", "where": {"props": {"campaign": AWKWARD[:3]}}},
    {"event": "campaign.targeted", "since": "2017-09-01", "until": "2017-10-31", "count": {"is": 0}},
    {"event": "message.sent", "where": {"source": "shop", "channel": "wecom", "amount": {"more_than": 3.5}}},
    {"bought": {"categories": ["milk", AWKWARD[2]]}, "within": "180d", "baskets": {"at_least": 2}},
    {"bought": {"skus": ["sku of beef"]}, "spend": {"more_than": 2.34}},
    {"not": {"bought": {"categories": AWKWARD}, "within": "60d"}},
    {"tag": AWKWARD[:2]},
    {"store": ["s7", "s9"]},
    {"region": "north", "by": "scope"},
    {"region": "south"},
    {"consent": {"purpose": "marketing", "channel": "wecom"}},
    {"pool": "nurturing"},
    {"in_group": AWKWARD[:2]},
    {"recorded": {"segment": "other", "at": "2017-11-01T00:00:00+00:00"}},
    {"looks_like": {"segment": "seed", "share": 0.2}},
    {"looks_like": {"segment": "seed", "top": 3, "traits": ["lifecycle", "visit_days_ever", "overdue_ratio"]}},
    {"any": [{"segment": "other"}, {"all": [{"tag": AWKWARD[3]}, {"not": {"pool": "customer"}}]}]},
]


def pond() -> Pond:
    """Forty people, some merged, with everything on some of them; drawn by arithmetic, the same on every run."""
    births, merged = range(1, 41), {40: 1, 39: 1, 38: 2}
    survivors = [p for p in births if p not in merged]
    orders = {}
    for n in range(160):
        lines = tuple((["milk", "beef", *AWKWARD, None][(n * i) % 7], Decimal(n * i % 900) / 100) for i in range(1, 4))
        placed_at = AS_OF - timedelta(seconds=(n * n * 1999) % (420 * 86400) - 86400)
        amount, discount = Decimal(n * 37 % 5000) / 100, Decimal(n * 11 % 300) / 100
        who = births[(n * n + n // 7) % 32]
        orders[str(n)] = Order(str(n), who, 7 + n % 3, placed_at, amount, discount, lines, cancelled=n % 11 == 0)
    events = [
        {
            "event_id": str(n), "type": ["campaign.targeted", "message.sent"][n % 2], "person": births[n * 7 % 40],
            "occurred_at": naive(AS_OF - timedelta(hours=n * n % 5000)), "source": ["shop", "app"][n % 3 % 2],
            "channel": ["wecom", None][n % 5 % 2], "amount": Decimal(n % 9),
            "props": None if n % 2 else json.dumps({"campaign": AWKWARD[n // 2 % 4]}),
        }
        for n in range(120)
    ] + [
        {
            "event_id": f"g{n}", "type": ["group.joined", "group.left"][n % 3 % 2], "person": births[n * 7 % 40],
            "occurred_at": naive(AS_OF - timedelta(hours=n * n % 5000 - 20)), "source": "sync:groups",
            "channel": "wecom", "amount": None, "props": json.dumps({"group": AWKWARD[n % 3]}),
        }
        for n in range(60)
    ]  # fmt: skip
    return Pond(
        set(survivors),
        merged,
        orders,
        events,
        {p: {"blocked": p % 13 == 0, "silent": None if p % 7 else True} for p in survivors},
        [{"person": p, "channel": ["wecom", "sms"][p % 2], "live": p % 5 > 0} for p in survivors],
        [
            {"person": p, "purpose": "marketing", "channel": ["wecom", "*"][p // 3 % 2], "granted": p % 4 > 0}
            for p in survivors
        ],
        [{"person": p, "tag": AWKWARD[p % 4]} for p in survivors[:20]],
        [{"person": p, "node": n} for p in survivors[:20] for n in (1, 10 + p % 2, 7 + p % 3)],
        changes=[
            {
                "segment": ["other", "another"][n % 3 % 2], "version": 1, "person": births[n * 7 % 40],
                "entered": n % 4 > 0, "at": datetime(2017, 10, 30) + timedelta(days=n % 4), "run": n,
            }
            for n in range(60)
        ],
        touches=[
            {
                "touch": n, "person": births[n * 3 % 40], "at": AS_OF - timedelta(hours=n * n * 7 % 3000),
                "channel": ["wecom", "sms"][n % 2], "touch_class": ["marketing", "service"][n % 3 % 2], "plan": n % 4,
            }
            for n in range(60)
        ],
    )  # fmt: skip


BRAND = [
    trait("spend_45d", of="orders", take="sum", what="amount", within="45d"),
    trait("biggest", of="orders", take="max", what="amount", since="2017-06-01"),
    trait("usual_hour", of="orders", take="most_frequent", what="hour"),
    trait("usual_goods", of="lines", take="most_frequent", what="category", within="200d"),
    trait("milk_baskets", of="lines", take="distinct", what="order", where={"categories": ["milk", AWKWARD[2]]}),
    trait("mean_line", of="lines", take="mean", what="amount", where={"amount": {"more_than": 1}}),
    trait("campaigns", of="events", take="distinct", what="props.campaign", where={"type": "campaign.targeted"}),
    trait("last_touch", of="touches", take="last", where={"channel": "wecom"}),
    trait("last_way", of="touches", take="last", what="channel", within="80d"),
    trait("unanswered", of="touches", take="count", after_last=["message.sent"]),
    trait("answered_days", of="events", take="distinct", what="day", where={"type": "message.sent"}, within="36h"),
    trait("share", formula="spend_45d / max(spend_ever, 1)"),
    trait("hot", formula="days_between(last_touch, today) < 30"),
    trait("worth", formula="if(lifecycle = 'active', coalesce(mean_line, 0), milk_baskets - 1)"),
]
OF_BRAND: list[dict[str, Any]] = [
    {"trait": "spend_45d", "more_than": 10.5},
    {"trait": "biggest", "known": False},
    {"trait": "usual_hour", "between": [3, 12]},
    {"trait": "usual_goods", "in": ["milk", AWKWARD[0], AWKWARD[2]]},
    {"trait": "milk_baskets", "at_least": 2},
    {"trait": "mean_line", "less_than": 4.4},
    {"trait": "campaigns", "is": 1},
    {"trait": "last_touch", "at_least": "2017-09-01"},
    {"trait": "last_way", "is_not": "wecom"},
    {"trait": "unanswered", "at_least": 1},
    {"trait": "answered_days", "is": 0},
    {"trait": "share", "more_than": 0.1},
    {"trait": "hot", "is": True},
    {"trait": "worth", "less_than": 1},
]


@pytest.fixture(autouse=True)
def _brand(_no_brand: None) -> None:
    learn_these(read_traits(BRAND))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with closing(fresh_warehouse(tmp_path_factory.mktemp("engines"))) as one:
        yield one


@pytest.fixture(scope="module")
def tables(warehouse: Warehouse) -> dict[str, pa.Table]:
    warehouse.write(put_pond(pond()))
    learn_these(read_traits(BRAND))
    rebuild(warehouse, AS_OF, zone=ZONE)
    names = (
        "events orders order_lines facts fact_relations fact_consents fact_tags fact_scopes fact_ways person_overrides "
        "profiles profile_more decisions receipts segment_changes"
    )
    stored = {name: warehouse.query(Statement(f"SELECT * FROM {name}")) for name in names.split()}
    # Built anew: chdb range-checks even what stands under a null, and DuckDB leaves INT_MIN there for a day.
    return {name: pa.Table.from_pylist(table.to_pylist(), schema=table.schema) for name, table in stored.items()}


@pytest.fixture(scope="module")
def context(warehouse: Warehouse, tables: dict[str, pa.Table]) -> Context:
    return Context(Moment(AS_OF, ZONE), NODES, lambda name: segment(OTHERS[name], name), partial(fit, warehouse))


@pytest.mark.parametrize("rule", [*RULES, *OF_BRAND], ids=lambda rule: str(rule)[:60])
def test_a_rule_answers_alike_on_both_engines_and_as_the_oracle_says(
    rule: dict[str, Any], context: Context, tables: dict[str, pa.Table]
) -> None:
    answer = assert_equal_on_both_engines(Statement(compile_segment(segment(rule), context)), tables)
    expected = Oracle(pond(), AS_OF, ZONE, OTHERS, BRAND).members(rule)
    assert set(answer["person"].to_pylist()) == expected
    assert 0 < len(expected) < 37, "a rule that holds for nobody or everybody shows nothing here"


def test_the_brands_traits_are_added_up_alike(context: Context, tables: dict[str, pa.Table]) -> None:
    births = pa.table({"birth": [*range(1, 41)], "person": [{40: 1, 39: 1, 38: 2}.get(p, p) for p in range(1, 41)]})
    parts = selects(aggregates(), context.moment, lambda _: exp.select("birth", "person").from_("births_of"))
    found = [
        row
        for select, given in parts
        for row in assert_equal_on_both_engines(
            Statement(select, tables={**given, "births_of": births}), tables
        ).to_pylist()
    ]
    stored = tables["profile_more"].to_pylist()
    assert sorted(map(str, found)) == sorted(map(str, stored))
    assert {row["trait"] for row in stored} == {one["name"] for one in BRAND if "formula" not in one}


def test_every_shipped_segment_reads_and_answers_alike(context: Context, tables: dict[str, pa.Table]) -> None:
    documents = [read(file.read_bytes()) for file in SHIPPED]
    assert [document.name for document in documents] == [file.stem for file in SHIPPED]
    assert all(isinstance(document, SegmentDocument) and document.note for document in documents)
    answer = assert_equal_on_both_engines(Statement(compile_memberships(documents, context)), tables)
    assert {"overdue", "super_users", "baby_families", "nurturing_pool"} < set(answer.column_names)


def test_all_rules_in_one_pass_and_every_trait_answer_alike(context: Context, tables: dict[str, pa.Table]) -> None:
    documents = [segment(rule, f"s{n}") for n, rule in enumerate(RULES)]
    viewer = Viewer("manager", RoleName.MANAGER, frozenset({NodeId(7), NodeId(9)}))
    together = compile_memberships(documents, context)
    everyone = assert_equal_on_both_engines(Statement(together), tables)
    scoped = assert_equal_on_both_engines(Statement(in_scope(together, viewer)), tables)
    assert 0 < scoped.num_rows < everyone.num_rows == 37
    assert_equal_on_both_engines(Statement(select_traits(TRAITS, context.moment)), tables)

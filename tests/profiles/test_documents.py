"""Trait documents: what they may say, what is refused and how, and how they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.profiles.brand import read_traits, stored_more, trait
from tests.profiles.worlds import Order, World, emptied, fill_orders, naive, put_people
from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.documents import queries as documents
from yutang.kernel.documents import read
from yutang.kernel.errors import BadDocument, BadInput, NotFound, Refused
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.organisation.services import set_up_brand
from yutang.profiles import registry
from yutang.profiles.contracts import Mode, Moment
from yutang.profiles.documents import TraitDocument
from yutang.profiles.formulas import Call, Name, Number, parse_formula
from yutang.profiles.past import is_a_rank, is_todays
from yutang.profiles.queries import join_beside, select_traits
from yutang.profiles.registry import learn_these
from yutang.profiles.services import refresh
from yutang.profiles.spread import spread
from yutang.profiles.traits import TRAITS, TraitType
from yutang.segments.documents import SegmentDocument
from yutang.segments.services import check, remove_trait
from yutang.segments.services import save as save_segment
from yutang.warehouse.contracts import Statement, Warehouse

ZONE = "Asia/Shanghai"
AT = datetime(2026, 3, 2, 2, tzinfo=UTC)
REPLIES = {"of": "events", "take": "count", "where": {"type": "message.received"}, "within": "30d"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    warehouse = fresh_warehouse(tmp_path_factory.mktemp("documents"))
    yield warehouse
    warehouse.close()


@pytest.fixture
def warehouse(shared: Warehouse) -> Warehouse:
    shared.write(emptied())
    return shared


def one(name: str = "mine", **said: Any) -> TraitDocument:
    return read_traits([trait(name, **said)])[0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "of and take"),
        ({"of": "events", "take": "count"}, "which type of event"),
        ({"of": "events", "take": "count", "where": {"type": "message.recieved"}}, "message.received"),
        ({"of": "orders", "take": "sum"}, "say of what"),
        ({"of": "orders", "take": "count", "what": "amount"}, "distinct"),
        ({"of": "orders", "take": "sum", "what": "source"}, "amount, discount"),
        ({"of": "orders", "take": "distinct", "what": "sku"}, "amount"),
        ({"of": "orders", "take": "count", "where": {"categories": "milk"}}, "source, amount"),
        ({"of": "touches", "take": "count", "within": "1y"}, "90d"),
        ({**REPLIES, "where": {"type": "message.received", "props": {"phone": "1"}}}, "kind"),
        ({**REPLIES, "after_last": "order.plaecd"}, "order.placed"),
        ({"formula": "1", "of": "orders"}, "no of"),
        ({"formula": "1 +"}, "ends too early"),
        ({"formula": "(1 + 2"}, "ends too early"),
        ({"formula": "1 2"}, "does not belong"),
        ({"formula": "__import__"}, "Character 1"),
        ({"formula": "exec(orders_ever)"}, "exec"),
        ({"formula": "if(1, 2)"}, "takes 3 parts"),
        ({"formula": "(" * 60 + "1" + ")" * 60}, "nests deeper"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_what_to_do(said: dict[str, Any], told: str) -> None:
    with pytest.raises(BadDocument) as refused:
        one(**said)
    assert told in str(refused.value.problems[0].en)


def test_a_document_survives_its_yaml_and_keeps_its_order() -> None:
    document = one(**REPLIES, unit={"zh": "次", "en": "times"}, after_last=["order.placed"])
    assert read(document.as_yaml()) == document
    assert document.as_yaml().startswith("kind: trait\nname: mine\n")
    assert document.type is TraitType.COUNT


def test_a_formula_is_read_as_arithmetic_is() -> None:
    times = Call("*", (Name("b"), Number(2.0)))
    assert parse_formula("a − b × 2 ÷ c") == Call("-", (Name("a"), Call("/", (times, Name("c")))))
    assert parse_formula("-a <= 0.5") == Call("<=", (Call("-", (Number(0), Name("a"))), Number(0.5)))


@pytest.mark.parametrize(
    ("formulas", "told"),
    [
        (["f1 + 1", "f2", "f0"], "f0 → f1 → f2 → f0"),
        (["f0"], "f0 → f0"),
        (["orders_evr"], "orders_ever"),
        (["lifecycle + 1"], "does not take a text"),
        (["lifecycle"], "a number or a condition"),
        (["days_between(orders_ever, today)"], "does not take a number"),
        (["home_store"], "home_store"),
        (["lifecycle < 'new'"], "does not take a text"),
        (["f1 + f1", *(f"f{n + 1} + f{n + 1} + f{n + 1} + f{n + 1}" for n in range(1, 40)), "1"], ""),
    ],
    ids=str,
)
@pytest.mark.django_db
def test_a_formula_that_cannot_be_worked_out_is_refused(formulas: list[str], told: str) -> None:
    named = [one(f"f{n}", formula=formula) for n, formula in enumerate(formulas)]
    maker = registry._Maker({document.name: document for document in named})
    if not told:  # each name is worked out once, however often it is said
        assert maker.trait("f0").type is TraitType.NUMBER
        return
    with pytest.raises(BadInput, match=told.replace("(", r"\(")):
        maker.trait("f0")


def test_whoever_named_what_an_upgrade_took_away_is_left_out_and_no_other() -> None:
    learn_these([one("good", formula="orders_ever + 1"), one("bad", formula="no_more + 1")])
    assert "good" in TRAITS
    assert "bad" not in TRAITS
    assert TRAITS.ever("bad") is not None


# Kept -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_trait_is_kept_by_headquarters_used_and_let_go_of_last() -> None:
    set_up_brand("青石", "CNY", ZONE)
    registry.save_trait(one(**REPLIES), OWNER)
    registry.save_trait(one("twice", formula="mine * 2"), OWNER)
    rule = {"kind": "segment", "name": "talkers", "schema": 1, "title": {"zh": "爱聊", "en": "Talkers"}}
    talkers = SegmentDocument.model_validate({**rule, "where": {"trait": "twice", "at_least": 4}})
    save_segment(talkers, OWNER)
    with pytest.raises(Refused):
        registry.save_trait(one("other", **REPLIES), Viewer("keeper", RoleName.MANAGER, frozenset()))
    with pytest.raises(BadInput, match="of type count and would become money"):
        registry.save_trait(one(of="orders", take="sum", what="amount"), OWNER)
    with pytest.raises(BadInput, match="a trait that ships"):
        registry.save_trait(one("orders_ever", **REPLIES), OWNER)
    with pytest.raises(BadInput, match="mine → twice → mine"):
        registry.save_trait(one(formula="twice + 1"), OWNER)
    with pytest.raises(BadInput, match="talkers"):
        remove_trait("twice", OWNER)
    with pytest.raises(BadInput, match="twice"):
        remove_trait("mine", OWNER)
    other = SegmentDocument.model_validate({**rule, "where": {"trait": "orders_ever", "at_least": 4}})
    save_segment(other, OWNER)
    remove_trait("twice", OWNER)
    remove_trait("twice", OWNER)  # again does no harm
    assert "twice" not in TRAITS
    assert len(documents.versions(SegmentDocument, "talkers")) == 2, "its history can still be read"
    with pytest.raises(BadInput, match="is no more"):
        check(talkers)
    with pytest.raises(NotFound):
        remove_trait("never_was", OWNER)


@pytest.mark.django_db
def test_what_another_process_keeps_is_known_when_it_is_asked_for() -> None:
    registry.open_traits()
    registry.save_trait(one(**REPLIES), OWNER)
    learn_these(())  # as a process that read before
    assert TRAITS["mine"].type is TraitType.COUNT


# Computed ---------------------------------------------------------------------------------------------------------


def written(person: int, at: datetime, number: int = 0) -> dict[str, Any]:
    return {
        "event_id": f"{person}-{number}-{at}",
        "type": "message.received",
        "person": person,
        "occurred_at": naive(at),
    }


def test_only_what_is_defined_anew_is_computed_for_everybody(warehouse: Warehouse) -> None:
    told = [written(1, AT - timedelta(days=2)), written(2, AT - timedelta(days=40))]
    warehouse.write([*put_people(World({1, 2})), insert("events", told)])
    learn_these([one("kept", **REPLIES), one("gone", **REPLIES), one("other", **REPLIES)])
    assert refresh(warehouse, AT, zone=ZONE).mode is Mode.REBUILD
    warehouse.write([Statement("UPDATE profile_more SET number = 77 WHERE trait = 'kept'")])
    learn_these([one("kept", **REPLIES), one("other", **{**REPLIES, "within": "90d"})])
    assert refresh(warehouse, AT, zone=ZONE).mode is Mode.REFRESH
    found = {key: row["number"] for key, row in stored_more(warehouse).items()}
    assert found == {(1, "kept"): 77, (1, "other"): 1, (2, "other"): 1}
    assert refresh(warehouse, AT, zone=ZONE).mode is Mode.NOTHING
    learn_these([read_traits([{**trait("kept", **REPLIES), "title": {"zh": "新", "en": "new"}}])[0]])
    refresh(warehouse, AT, zone=ZONE)
    assert stored_more(warehouse)[1, "kept"]["number"] == 77, "what it is called changes no value"


def test_who_only_wrote_has_no_orders_looked_at(warehouse: Warehouse) -> None:
    order = Order("a", 1, 7, AT - timedelta(days=3), Decimal(10), Decimal(0))
    warehouse.write([*put_people(World({1, 2})), *fill_orders([order])])
    learn_these([one("replies", **REPLIES), one("spend", of="orders", take="sum", what="amount")])
    refresh(warehouse, AT, zone=ZONE)
    warehouse.write([Statement("UPDATE profile_more SET amount = 77 WHERE trait = 'spend'")])
    slices = insert("slices", [{"slice": 1, "applied_at": naive(AT)}])
    warehouse.write([insert("events", [{**written(1, AT), "slice": 1}]), slices])
    assert refresh(warehouse, AT, zone=ZONE).recomputed == 0
    found = stored_more(warehouse)
    assert (found[1, "replies"]["number"], found[1, "spend"]["amount"]) == (1, 77)


def test_a_window_is_left_to_the_microsecond(warehouse: Warehouse) -> None:
    warehouse.write([*put_people(World({1})), insert("events", [written(1, AT - timedelta(days=30))])])
    learn_these([one("mine", **REPLIES)])
    tick = timedelta(microseconds=1)
    refresh(warehouse, AT - tick, zone=ZONE)
    assert stored_more(warehouse)[1, "mine"]["next_edge_at"] == naive(AT)
    assert refresh(warehouse, AT, zone=ZONE).mode is Mode.REFRESH
    assert stored_more(warehouse) == {}
    value = select_traits(["mine"], Moment(AT, ZONE))
    assert warehouse.query(Statement(value)).to_pylist() == [{"person": 1, "mine": 0}]


def test_a_query_may_ask_for_one_trait_more_after_it_was_joined(warehouse: Warehouse) -> None:
    warehouse.write([*put_people(World({1})), insert("events", [written(1, AT - timedelta(days=2))])])
    learn_these([one("mine", **REPLIES), one("other", of="events", take="last", where={"type": "message.received"})])
    refresh(warehouse, AT, zone=ZONE)
    at = Moment(AT, ZONE)
    query = select_traits(["mine"], at).select(TRAITS["other"].expression(at).as_("other"))
    found = warehouse.query(Statement(join_beside(query))).to_pylist()
    assert found == [{"person": 1, "mine": 1, "other": naive(AT - timedelta(days=2))}]


@pytest.mark.django_db
def test_a_document_can_be_tried_before_it_is_kept(warehouse: Warehouse) -> None:
    events = [written(person, AT - timedelta(days=n), n) for person in range(1, 13) for n in range(person)]
    warehouse.write([*put_people(World(set(range(1, 21)))), insert("events", events)])
    refresh(warehouse, AT, zone=ZONE)
    found = spread(warehouse, OWNER, one(**REPLIES))
    assert (found.persons, found.known, found.bars[0].value, found.bars[0].until) == (20, 20, 0, 1.5)
    assert sum(bar.persons for bar in found.bars) == 20
    learn_these([one(**REPLIES)])
    derived = spread(warehouse, OWNER, one("f", formula="if(orders_ever = 0, 2, 3)"))
    assert [(bar.value, bar.persons) for bar in derived.bars] == [(2.0, 20)]


def test_what_a_past_day_cannot_know_is_known_also_of_formulas() -> None:
    learn_these([one("dear", formula="potential_value > 100"), one("near", formula="recency_score + orders_90d")])
    todays = {
        "reachable",
        "reachable_sms",
        "pool",
        "ladder",
        "existing_value_365d",
        "potential_value",
        "brought",
        "dear",
    }
    assert {name for name in TRAITS if is_todays(name)} >= todays
    assert not any(is_todays(name) for name in ("orders_90d", "lifecycle", "overdue_ratio", "near"))
    assert [is_a_rank(name) for name in ("recency_score", "near", "dear")] == [True, True, False]

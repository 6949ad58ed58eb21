"""From the inbox into the warehouse, once."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.intake.tables import one, rows, told_otherwise
from tests.people.pond import T0, event, friend, member, node, phone
from yutang.intake import mirror, pump
from yutang.intake.collect import writer
from yutang.intake.collect.writer import Collector, install_collector
from yutang.intake.lease import lease
from yutang.intake.models import Lease, Slice
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, Unavailable
from yutang.kernel.ids import EventId, PersonId
from yutang.log.contracts import Event, Line
from yutang.log.models import InboxEnvelope
from yutang.log.services import record
from yutang.organisation.queries import OWNER
from yutang.people import grouped, queries, services
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
LINES = (
    Line("milk", "dairy", Decimal(2), Decimal("9.00"), Decimal("1.00"), Decimal("3.00")),
    Line("bag", "", Decimal(1), Decimal("0.00")),
)


def order(kind: str, number: str, amount: str | None = None, **fields: object) -> Event:
    money = {} if amount is None else {"amount": Decimal(amount), "currency": "CNY"}
    return event(f"order.{kind}", member("1"), props={"order_id": number}, **money, **fields)  # type: ignore[arg-type]


def test_an_order_enters_with_its_lines_person_and_store(warehouse: Warehouse) -> None:
    record([order("placed", "o1", "9.00", store="s1", lines=LINES)])
    report = pump.pump_until_empty(warehouse)
    assert (report.events, report.duplicates) == (1, 0)
    person = services.birth_persons([[member("1")]], seen_at=T0)[0]
    assert rows(warehouse, "SELECT person, store, net_amount, discount, currency FROM orders") == [
        (person, node("s1"), Decimal("9.00"), Decimal("1.00"), "CNY")
    ]
    found = rows(
        warehouse, "SELECT sku, quantity, amount, person, revised_at = placed_at FROM order_lines ORDER BY ordinal"
    )
    assert found == [("milk", Decimal(2), Decimal("9.00"), person, True), ("bag", Decimal(1), Decimal(0), person, True)]
    assert rows(warehouse, "SELECT person FROM facts") == [(person,)]


def test_a_second_arrival_changes_nothing_in_its_slice_or_later(warehouse: Warehouse) -> None:
    refund = order("refunded", "o1", "2.00", id="r")
    record([order("placed", "o1", "9.00", lines=LINES, id="p"), refund, refund])
    assert pump.pump_until_empty(warehouse).duplicates == 1
    record([refund])
    again = pump.pump_until_empty(warehouse)
    assert (again.events, again.duplicates) == (0, 1)
    assert rows(warehouse, "SELECT net_amount, refunded_amount FROM orders") == [(Decimal("7.00"), Decimal("2.00"))]
    assert one(warehouse, "SELECT count(*) FROM order_lines") == 2


def test_margin_is_told_of_what_has_a_cost_and_follows_refunds_corrections_and_cancelling(
    warehouse: Warehouse,
) -> None:
    tea = Line("tea", "dry", Decimal(2), Decimal("30.00"), cost=Decimal("12.00"))
    bag = Line("bag", "", Decimal(1), Decimal("0.00"))
    cup = Line("cup", "ware", Decimal(1), Decimal("10.00"))

    def told(lines: tuple[Line, ...], *later: Event, amount: str = "40.00") -> tuple[object, ...]:
        number = f"m{next(numbers)}"
        record([order("placed", number, amount, lines=lines), *(_renamed(each, number) for each in later)])
        pump.pump_until_empty(warehouse)
        sql = "SELECT net_amount, costed, margin FROM orders WHERE order_id = $number"
        return rows(warehouse, sql, number=number)[0]

    numbers = itertools.count()
    d = Decimal
    assert told((cup, bag)) == (d(40), None, None), "nothing known is not nothing"
    assert told((tea, cup)) == (d(40), d(30), d(18))
    assert told((tea, bag), amount="30.00") == (d(30), d(30), d(18)), "what is free needs no cost"
    assert told((tea,)) == (d(40), d(40), d(28)), "what is charged beside the lines is the order's"
    back = order("refunded", "x", "10.00", at=T0 + HOUR)
    assert told((tea, cup), back) == (d(30), d("22.50"), d("13.50"))
    assert told((tea, cup), back, order("cancelled", "x", at=T0 + 2 * HOUR)) == (d(0), d(0), d(0))
    all_back = order("refunded", "x", "40.00", at=T0 + HOUR)
    assert told((tea, cup), all_back) == (d(0), d(0), d(0)), "the goods are back"
    right = order("corrected", "x", "20.00", at=T0 + HOUR, lines=(Line("tea", "dry", d(1), d(20), cost=d(6)),))
    assert told((tea, cup), right) == (d(20), d(20), d(14))
    gift = Line("tea", "dry", d(1), d(0), cost=d(6))
    assert told((gift,), amount="0.00") == (d(0), d(0), d(-6))
    assert rows(warehouse, "SELECT sku, cost FROM order_lines WHERE order_id = 'm1' ORDER BY ordinal") == [
        ("tea", d(12)), ("cup", None),
    ]  # fmt: skip


STORY = (
    order("placed", "o1", "9.00", store="s1", lines=LINES),
    order("paid", "o1", at=T0 + HOUR),
    order("refunded", "o1", "2.00", at=T0 + 2 * HOUR),
    order("corrected", "o1", "8.00", at=T0 + 3 * HOUR, lines=LINES[:1]),
    order("corrected", "o1", "7.50", at=T0 + 4 * HOUR),
    order("refunded", "o1", "1.00", at=T0 + 5 * HOUR),
)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.permutations(STORY), cuts=st.sets(st.integers(1, len(STORY) - 1), max_size=3), number=st.uuids())
def test_an_order_is_a_function_of_the_set_of_its_events(
    warehouse: Warehouse, story: list[Event], cuts: set[int], number: object
) -> None:
    edges = [0, *sorted(cuts), len(story)]
    for begin, end in itertools.pairwise(edges):
        record([_renamed(each, str(number)) for each in story[begin:end]])
        pump.pump_until_empty(warehouse)
        assert told_otherwise(warehouse) == []
    where = "WHERE order_id = $number"
    found = rows(
        warehouse,
        f"SELECT net_amount, discount, placed_amount, store, costed, margin FROM orders {where}",
        number=str(number),
    )
    kept = (Decimal("4.50"), Decimal("2.70"))  # of 7.50, which cost 3.00, 3.00 was paid back
    assert found == [(Decimal("4.50"), Decimal("1.00"), Decimal("9.00"), node("s1"), *kept)]
    current = rows(
        warehouse,
        "SELECT sku, l.placed_at IS NOT NULL, l.person = o.person "
        f"FROM order_lines l JOIN orders o USING (source, order_id) {where} AND revised_at = lines_at",
        number=str(number),
    )
    assert current == [("milk", True, True)]


def _renamed(each: Event, number: str) -> Event:
    return replace(each, id=EventId(f"{each.id}-{number}"), props={"order_id": number})


OTHERS = (
    order("placed", "o1", "9.00", store="s1", lines=LINES),
    event("order.placed", member("2"), id="another", at=T0 - HOUR, amount=Decimal(8), currency="CNY", lines=LINES[:1]),
    order("corrected", "o1", "8.00", at=T0 + HOUR, lines=LINES[:1]),
    order("corrected", "o1", "7.50", at=T0 + HOUR, lines=LINES),
    order("cancelled", "o1", at=T0 + 2 * HOUR),
)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.permutations(OTHERS), cuts=st.sets(st.integers(1, len(OTHERS) - 1), max_size=4), number=st.uuids())
def test_in_whatever_order_lines_learn_what_their_order_comes_to(
    warehouse: Warehouse, story: list[Event], cuts: set[int], number: object
) -> None:
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(story)]):
        record([_renamed(each, str(number)) for each in story[begin:end]])
        pump.pump_until_empty(warehouse)
        assert told_otherwise(warehouse) == []
    text = "SELECT void, count(*) FROM order_lines WHERE order_id = $number GROUP BY 1"
    void = rows(warehouse, text, number=str(number))
    assert void == [(True, 6)]


def test_lines_follow_an_order_that_turns_out_to_be_anothers_and_are_void_once_it_is_cancelled(
    warehouse: Warehouse,
) -> None:
    record([order("placed", "o1", "9.00", lines=LINES), order("placed", "o2", "9.00", lines=LINES)])
    record([order("corrected", "o3", "2.00", lines=LINES)])
    pump.pump_until_empty(warehouse)
    told = "SELECT order_id, strayed FROM orders ORDER BY order_id"
    assert rows(warehouse, told) == [("o1", False), ("o2", False), ("o3", False)]
    assert told_otherwise(warehouse) == []
    of_another = event(
        "order.placed", member("2"), at=T0 - HOUR, props={"order_id": "o1"}, amount=Decimal(9), currency="CNY"
    )
    record([of_another, order("refunded", "o2", "1.00"), order("placed", "o3", "2.00")])
    pump.pump_until_empty(warehouse)
    assert rows(warehouse, told) == [("o1", True), ("o2", False), ("o3", False)]
    persons = "SELECT order_id, count(DISTINCT person), sum(CAST(void AS INT)) FROM order_lines GROUP BY 1 ORDER BY 1"
    assert rows(warehouse, persons) == [("o1", 1, 0), ("o2", 1, 0), ("o3", 1, 0)]
    assert told_otherwise(warehouse) == []
    record([order("cancelled", "o1"), order("corrected", "o2", "5.00", at=T0 + HOUR, lines=LINES[:1])])
    pump.pump_until_empty(warehouse)
    assert rows(warehouse, told)[0] == ("o1", True)
    assert rows(warehouse, persons) == [("o1", 1, 2), ("o2", 1, 2), ("o3", 1, 0)]
    late = event(
        "order.placed", member("1"), id="late", at=T0, props={"order_id": "o1"}, amount=Decimal(9), currency="CNY",
        lines=LINES[:1],
    )  # fmt: skip
    record([late])
    pump.pump_until_empty(warehouse)
    assert rows(warehouse, persons)[0] == ("o1", 1, 3)
    assert told_otherwise(warehouse) == []


def test_a_cancelled_order_counts_for_nothing(warehouse: Warehouse) -> None:
    record([order("cancelled", "o1", at=T0 + HOUR), order("placed", "o1", "9.00")])
    pump.pump_until_empty(warehouse)
    assert one(warehouse, "SELECT net_amount FROM orders") == Decimal(0)


def test_facts_follow_events_and_merges(warehouse: Warehouse) -> None:
    record(
        [
            event("relation.added", friend("wm1"), staff="wang"),
            event(
                "consent.given",
                friend("wm1"),
                props={"purpose": "marketing", "channel": "wecom", "proof": "王小明签字"},
            ),
            event("tag.added", member("1"), props={"tag": "vip"}),
        ]
    )
    pump.pump_until_empty(warehouse)
    assert one(warehouse, "SELECT count(*) FROM facts") == 2
    record([event("person.seen", friend("wm1"), member("1"), props={"name": "王小明", "phone": "13800138000"})])
    pump.pump_until_empty(warehouse)
    assert one(warehouse, "SELECT count(*) FROM facts") == 1
    survivor = one(warehouse, "SELECT person FROM facts")
    for table in ("fact_relations", "fact_consents", "fact_tags"):
        assert rows(warehouse, f"SELECT DISTINCT person FROM {table}") == [(survivor,)]
    assert one(warehouse, "SELECT count(*) FROM person_overrides") == 2
    assert queries.identifiers_of([PersonId(int(str(survivor)))], "phone", "") == {survivor: "+8613800138000"}
    assert not [
        text
        for (text,) in rows(warehouse, "SELECT props FROM events")
        if text and ("138" in str(text) or "王" in str(text))
    ]


def test_a_change_that_is_no_event_reaches_the_warehouse_too(warehouse: Warehouse) -> None:
    person = services.resolve([[member("1")]], seen_at=T0)[0]
    services.give_consent(person, "marketing", "*", at=T0, proof="form")
    assert pump.pump_once(warehouse).mirrored == 1
    assert rows(warehouse, "SELECT purpose, channel, granted FROM fact_consents") == [("marketing", "*", True)]
    assert pump.pump_once(warehouse).idle


def test_an_unknown_store_or_person_keeps_the_event_and_is_counted(warehouse: Warehouse) -> None:
    record([order("placed", "o1", "1.00", store="nowhere"), event("message.sent", person=PersonId(404))])
    assert pump.pump_until_empty(warehouse).unknown_stores == {"nowhere": 1}
    assert rows(warehouse, "SELECT type, person IS NULL, store FROM events ORDER BY type") == [
        ("message.sent", True, None),
        ("order.placed", False, None),
    ]


def test_the_head_is_passed_once_all_before_it_stands_in_the_warehouse(warehouse: Warehouse) -> None:
    record([order("placed", "o1", "1.00")])
    head = pump.inbox_head()
    assert not pump.pumped_to(head)
    pump.pump_once(warehouse)
    record([order("placed", "o2", "1.00")])
    assert pump.pumped_to(head)
    assert not pump.pumped_to(pump.inbox_head())


def test_an_envelope_that_becomes_visible_late_is_not_lost(warehouse: Warehouse) -> None:
    record([order("placed", "early", "1.00")])
    late = InboxEnvelope.objects.get()
    late.delete()
    record([order("placed", "o2", "1.00")])
    pump.pump_until_empty(warehouse)
    late.save(force_insert=True)  # a slow transaction's lower number, committed now
    assert pump.pump_until_empty(warehouse).events == 1


def test_a_slice_that_was_read_ahead_is_pumped_by_whoever_comes_next_if_its_reader_dies(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        record([order("placed", f"o{number}", "1.00", id=str(number))])

    def dies(*_: object, **__: object) -> bool:
        raise RuntimeError("killed")

    with monkeypatch.context() as dying:
        dying.setattr(warehouse, "write", dies)
        with pytest.raises(RuntimeError):
            pump.pump_until_empty(warehouse, limit=1)
    assert Slice.objects.filter(done=False).count() == 2, "the one being written, and the one read ahead"
    with ThreadPoolExecutor(1) as reader:
        ahead = pump.Ahead(reader)
        assert pump.pump_once(warehouse, limit=1, ahead=ahead).events == 1
        assert pump.pump_once(warehouse, limit=1).events == 1, "another pump takes what was read ahead"
        assert pump.pump_once(warehouse, limit=1, ahead=ahead).events == 1, "and who read it goes on behind"
    assert pump.pump_until_empty(warehouse, limit=1).events == 2
    assert one(warehouse, "SELECT count(*) FROM events") == one(warehouse, "SELECT count(*) FROM slices") == 5
    assert not Slice.objects.filter(done=False).exists()


def test_who_holds_the_lease_pumps_alone_and_a_dead_holder_is_replaced(warehouse: Warehouse) -> None:
    record([order("placed", "o1", "1.00")])
    with lease("pump"), pytest.raises(Unavailable):
        pump.pump_once(warehouse)
    host = Lease.objects.get(name="pump").holder.split(":")[0]
    Lease.objects.update(holder=f"{host}:999999999:dead", until=wall_now() + HOUR)
    assert pump.pump_once(warehouse).events == 1


def test_a_holder_who_wakes_up_after_another_wrote_writes_nothing(warehouse: Warehouse) -> None:
    record([order("placed", "o1", "1.00")])
    warehouse.write([Statement("INSERT INTO profile_state VALUES ('intake.fence', '1000')")])
    with pytest.raises(Unavailable):
        pump.pump_once(warehouse)
    assert one(warehouse, "SELECT count(*) FROM events") == 0
    assert not Slice.objects.get().done


def test_after_a_restore_slices_missing_in_the_warehouse_are_pumped_again(warehouse: Warehouse) -> None:
    record([order("placed", "o1", "1.00")])
    pump.pump_until_empty(warehouse)
    warehouse.write([Statement(f"DELETE FROM {table}") for table in ("events", "orders", "slices")])
    assert pump.repump_missing(warehouse) == 1
    assert pump.pump_until_empty(warehouse).events == 1


def test_the_vocabulary_refuses_an_identifier_of_no_kind_and_nothing_is_recorded() -> None:
    bad = event("person.seen", phone(" "))
    with pytest.raises(BadInput, match=r"identifiers\.0\.value"):
        record([event("person.seen", member("1")), bad])
    assert not InboxEnvelope.objects.exists()


def test_a_repair_mirrors_everybody_and_nothing_else_is_left(warehouse: Warehouse) -> None:
    persons = services.resolve([[member("1")], [member("2")]], seen_at=T0)
    warehouse.write([Statement("INSERT INTO facts (person) VALUES (404)"), Statement("DELETE FROM nodes")])
    assert mirror.mirror_facts(warehouse) == 2
    mirror.mirror_nodes(warehouse)
    assert {person for (person,) in rows(warehouse, "SELECT person FROM facts")} == set(persons)
    assert one(warehouse, "SELECT count(*) FROM nodes") == 4
    assert pump.pump_once(warehouse).idle


def test_beside_a_pressed_door_the_pump_rests_but_never_falls_behind_for_ever(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is pressed: one small slice, then a rest, which is over when too much waits, or nothing comes in."""
    for number in range(6):
        record([event("message.sent", member("1"), id=str(number))])
    monkeypatch.setattr(pump, "PRESSED_EVENTS", 1)
    monkeypatch.setattr(pump, "REST", 1e6)
    monkeypatch.setattr(writer, "LATE", 0.0)
    monkeypatch.setattr(writer, "PRESSED", -1)
    install_collector(Collector())
    try:
        ours = pump.Pump(warehouse)
        assert ours.turn().events == 1
        assert ours.turn().idle, "it rests"
        assert pump.pump_once(warehouse, limit=1).events == 1, "who needs what was said does not wait for it"
        monkeypatch.setattr(pump, "SOON", 1)
        ours.rested = 0.0
        assert ours.turn().events == 4, "too much waits: slice after slice, without a rest"
        record([event("message.sent", member("1"), id=str(number)) for number in range(6, 8)])
        monkeypatch.setattr(pump, "SOON", 500_000)
        assert ours.turn().events == 0
        monkeypatch.setattr(writer, "PRESSED", 1_000)
        assert ours.turn().events == 2, "nothing comes in any more"
    finally:
        install_collector(None)


def test_groups_are_kept_where_the_platforms_word_is_kept(warehouse: Warehouse) -> None:
    joined = event("group.joined", member("1"), props={"group": "wr1", "name": "老客群", "scene": 3, "state": "yt1"})
    left = event("group.left", member("1"), at=T0 + timedelta(hours=1), props={"group": "wr1"})
    record([left, event("group.joined", member("2"), props={"group": "wr1"})])
    pump.pump_until_empty(warehouse)
    record([joined])
    pump.pump_until_empty(warehouse)
    (group,), total = grouped.groups(OWNER)
    assert (total, group.name, group.persons, group.moved_at) == (1, "老客群", 1, T0 + timedelta(hours=1))
    (gone,), _ = grouped.group_members(OWNER, group.id, live=False)
    assert (gone.joined_at, gone.scene, gone.state) == (T0, 3, "yt1")
    assert "老客群" not in str(warehouse.query(Statement("SELECT props FROM events"))["props"].to_pylist())

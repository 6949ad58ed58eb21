"""A refresh costs what changed, and leaves what a rebuild would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.profiles import oracle
from tests.profiles.brand import Traits, aggregates, brands, expected_more, read_traits, stored_more, trait
from tests.profiles.worlds import Order, World, emptied, naive, put_orders, put_people, put_touches, stored
from tests.segments.worlds import moments, told_events, touches
from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.guard import statements as erasing
from yutang.kernel.errors import Refused
from yutang.profiles import queries
from yutang.profiles.contracts import Mode
from yutang.profiles.registry import learn_these
from yutang.profiles.services import rebuild, refresh
from yutang.warehouse.contracts import Statement, Warehouse

ZONE = "America/New_York"
START = datetime(2017, 3, 11, 17, 23, 5, 123456, tzinfo=UTC)  # the day before the clocks go forward there
DST = (datetime(2017, 3, 12, 6, 59, 59, 999999, tzinfo=UTC), datetime(2017, 11, 5, 5, 30, tzinfo=UTC))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    warehouse = fresh_warehouse(tmp_path_factory.mktemp("profiles"))
    yield warehouse
    warehouse.close()


@pytest.fixture
def warehouse(shared: Warehouse) -> Warehouse:
    shared.write(emptied())
    return shared


def order(name: str, person: int, at: datetime, amount: str = "10.00", **more: Any) -> Order:
    given_ = {"store": 7, "discount": Decimal("1.00"), "lines": (("milk", Decimal(amount)),), **more}
    return Order(name, person, placed_at=at, amount=Decimal(amount), **given_)


def settle(warehouse: Warehouse, world: World, orders: list[Order], slice_: int) -> None:
    """One slice of the pump: these orders, and people as they now are."""
    orders = [one for one in orders if one.person in world.alive or one.person in world.persons]
    world.moved |= {o.id for o in orders if o.id in world.orders and world.orders[o.id].person != o.person}
    world.orders.update({o.id: o for o in orders})
    applied = insert("slices", [{"slice": slice_, "applied_at": naive(START)}])
    strayed = Statement(
        "UPDATE orders SET strayed = TRUE WHERE list_contains($ids, order_id)", {"ids": sorted(world.moved)}
    )
    warehouse.write([*put_orders(orders, slice_), strayed, *put_people(world), applied])


# The law ----------------------------------------------------------------------------------------------------------

PEOPLE = range(1, 9)
instants = st.one_of(
    st.integers(-400 * 86400, 40 * 86400).map(lambda s: START + timedelta(seconds=s, microseconds=s % 7)),
    st.sampled_from([START - timedelta(days=n) for n in (0, 30, 90, 365)]),
    st.sampled_from(DST),
    st.tuples(st.integers(-40, 40), st.integers(-2, 2)).map(
        lambda d: datetime(2017, 3, 12, 5, tzinfo=UTC) + timedelta(days=d[0], microseconds=d[1])  # local midnights
    ),
)
amounts = st.integers(0, 3000).map(lambda cents: Decimal(cents) / 100)
categories = st.sampled_from(["milk", "beef", "wine", None])
orders = st.builds(
    Order,
    id=st.integers(1, 20).map(str),  # a known id corrects, cancels, refunds or un-cancels that order
    person=st.sampled_from(PEOPLE),
    store=st.sampled_from([None, 7, 8, 9]),
    placed_at=instants,
    amount=amounts,
    discount=amounts,
    lines=st.lists(st.tuples(categories, amounts), max_size=3).map(tuple),
    cancelled=st.sampled_from([False, False, False, True]),
    costed=st.none() | amounts,
    margin=st.none() | amounts,
)
jumps = st.one_of(
    st.just(timedelta(0)),
    st.just(timedelta(microseconds=1)),
    st.integers(1, 45 * 86400).map(lambda s: timedelta(seconds=s, microseconds=s % 5)),
    st.sampled_from([timedelta(days=n) for n in (30, 90, 365)]),
    st.just(timedelta(days=-3)),
)
merges = st.dictionaries(st.sampled_from([5, 6, 7, 8]), st.sampled_from([1, 2, 3]), max_size=3)
edges = st.tuples(st.sampled_from([0, 30, 90, 365]), st.sampled_from([0, 0, 1, -1])).map(
    lambda edge: timedelta(days=-edge[0], microseconds=edge[1])  # of a window, seen from the refresh that follows
)
steps = st.tuples(
    st.lists(st.tuples(orders, st.none() | edges), max_size=9, unique_by=lambda told: told[0].id),
    st.none() | merges,
    jumps,
)


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(st.data(), st.lists(steps, min_size=2, max_size=4), st.sampled_from([ZONE, "Asia/Shanghai"]))
def test_refreshes_equal_the_oracle_and_a_rebuild(
    shared: Warehouse,
    data: st.DataObject,
    given_steps: list[tuple[list[tuple[Order, timedelta | None]], dict[int, int] | None, timedelta]],
    zone: str,
) -> None:
    warehouse, world, at = shared, World(set(PEOPLE)), START
    brand = data.draw(brands())
    learn_these(read_traits(brand))
    warehouse.write([*emptied(), *put_people(world)])
    rebuild(warehouse, at, zone=zone)
    for number, (new, merged, jump) in enumerate(given_steps):
        at += jump
        if merged is not None:
            world.overrides = {birth: to for birth, to in merged.items() if {birth, to} <= world.alive}
            world.persons = world.alive - set(world.overrides)
        if data.draw(st.booleans()):
            erase(warehouse, world, data.draw(st.sampled_from(PEOPLE)))
        if data.draw(st.booleans()):  # a document is written anew, or is no more
            brand = [one for one in brand if one["name"] != "x0"] + data.draw(
                st.lists(aggregates("x0"), max_size=1), label="instead"
            )
            learn_these(read_traits(brand))
        tell(warehouse, world, data.draw(st.lists(told_events(at), max_size=6)), number, len(world.events))
        if data.draw(st.booleans()):
            send(warehouse, world, data.draw(touches(moments(at))))
        settle(warehouse, world, [told(o, edge, at) for o, edge in new], number)
        event(str(refresh(warehouse, at, zone=zone).mode))
        assert stored(warehouse) == oracle.profiles(world, at, zone)
        assert stored_more(warehouse) == expected_more(Traits(world, at, zone, brand)), brand
    refreshed, more = stored(warehouse), stored_more(warehouse)
    rebuild(warehouse, at, zone=zone)
    assert (stored(warehouse), stored_more(warehouse)) == (refreshed, more)
    learn_these(())


def tell(warehouse: Warehouse, world: World, events: list[dict[str, Any]], slice_: int, first: int) -> None:
    """Events of one slice of the pump, some late, some to come."""
    known = [{"event_id": f"e{first + n}", **one} for n, one in enumerate(events) if one["person"] in world.alive]
    world.events += known
    warehouse.write([insert("events", [{**one, "slice": slice_} for one in known])])


def send(warehouse: Warehouse, world: World, told_of: list[dict[str, Any]]) -> None:
    """Touches that were sent since, some of them long ago."""
    new = [one for one in told_of if one["touch"] not in world.numbers and one["person"] in world.alive]
    world.touches += new
    world.numbers |= {one["touch"] for one in new}
    warehouse.write(put_touches(new))


def erase(warehouse: Warehouse, world: World, person: int) -> None:
    """All of a person, merged births too, as `guard` does it: orders and decisions stay as nobody's."""
    births = {birth for birth in world.alive if world.survivor(birth) == world.survivor(person)}
    if person not in world.alive or births == world.alive:
        return
    world.gone |= births
    world.persons -= births
    world.overrides = {birth: to for birth, to in world.overrides.items() if birth not in births}
    world.orders = {id_: one for id_, one in world.orders.items() if one.person not in births}
    world.events = [one for one in world.events if one["person"] not in births]
    world.touches = [one for one in world.touches if one["person"] not in births]
    warehouse.write(erasing.statements(warehouse, {birth: -birth for birth in births}))


def told(new: Order, edge: timedelta | None, at: datetime) -> Order:
    """An order on the edge of a window if so drawn; one that is known may turn out to be another's."""
    return new.changed(placed_at=new.placed_at if edge is None else at + edge)


def test_who_was_parted_from_an_erased_person_keeps_nothing_of_theirs(warehouse: Warehouse) -> None:
    world = World({1}, {7: 1})
    settle(warehouse, world, [order("a", 7, START - timedelta(days=3))], 1)
    learn_these(read_traits([trait("sent", of="touches", take="count")]))
    send(warehouse, world, [{"touch": 1, "person": 7, "at": START, "channel": "sms", "touch_class": "x", "plan": 1}])
    refresh(warehouse, START, zone=ZONE)
    assert (stored(warehouse)[1]["orders_ever"], stored_more(warehouse)[1, "sent"]["number"]) == (1, 1)
    world.overrides, world.persons = {}, {1, 7}
    warehouse.write(put_people(world))
    erase(warehouse, world, 7)
    refresh(warehouse, START, zone=ZONE)
    assert (stored(warehouse)[1]["orders_ever"], stored_more(warehouse)) == (0, {})


# Examples that say what it costs -------------------------------------------------------------------------------------


def test_with_nothing_new_and_no_edge_passed_nothing_is_recomputed(warehouse: Warehouse) -> None:
    world = World({1, 2})
    settle(warehouse, world, [order("a", 1, START - timedelta(days=3))], 1)
    assert refresh(warehouse, START, zone=ZONE).mode is Mode.REBUILD
    report = refresh(warehouse, START + timedelta(days=1), zone=ZONE)
    assert (report.mode, report.recomputed, report.persons) == (Mode.NOTHING, 0, 2)
    assert queries.as_of(warehouse) == START + timedelta(days=1)


def test_an_edge_recomputes_only_whom_it_passes(warehouse: Warehouse) -> None:
    world = World({1, 2, 3})
    settle(warehouse, world, [order("a", 1, START - timedelta(days=29)), order("b", 2, START - timedelta(days=9))], 1)
    rebuild(warehouse, START, zone=ZONE)
    almost = refresh(warehouse, START + timedelta(days=1, microseconds=-1), zone=ZONE)
    assert almost.mode is Mode.NOTHING
    passed = refresh(warehouse, START + timedelta(days=1), zone=ZONE)
    assert (passed.mode, passed.recomputed) == (Mode.REFRESH, 1)
    assert stored(warehouse)[1]["orders_30d"] == 0


def test_a_slice_applied_after_a_later_one_is_not_lost(warehouse: Warehouse) -> None:
    world = World({1, 2})
    settle(warehouse, world, [order("a", 1, START - timedelta(days=1))], 9)
    rebuild(warehouse, START, zone=ZONE)
    settle(warehouse, world, [order("b", 2, START - timedelta(days=2))], 4)
    assert refresh(warehouse, START, zone=ZONE).recomputed == 1
    assert stored(warehouse)[2]["orders_ever"] == 1


def test_an_import_is_seen_chunk_by_chunk(warehouse: Warehouse) -> None:
    world = World({1, 2})
    warehouse.write(put_people(world))
    rebuild(warehouse, START, zone=ZONE)
    for chunk, person in enumerate((1, 2)):
        new = order(str(chunk), person, START - timedelta(days=400))
        chunk_row = insert("import_chunks", [{"import_id": 5, "chunk": chunk, "rows": 1}])
        warehouse.write([*put_orders([new], import_id=5), chunk_row])
        assert refresh(warehouse, START, zone=ZONE).mode is Mode.REFRESH
        assert stored(warehouse)[person]["orders_ever"] == 1


def test_people_without_events_come_and_go(warehouse: Warehouse) -> None:
    warehouse.write(put_people(World({1})))
    rebuild(warehouse, START, zone=ZONE)
    warehouse.write(put_people(World({1, 2, 3})))
    assert refresh(warehouse, START, zone=ZONE).persons == 3
    warehouse.write(put_people(World({3})))
    refresh(warehouse, START, zone=ZONE)
    assert set(stored(warehouse)) == {3}


def test_an_event_that_names_another_identifier_still_touches_the_orders_person(warehouse: Warehouse) -> None:
    world = World({1, 2})
    settle(warehouse, world, [order("a", 1, START - timedelta(days=1))], 1)
    rebuild(warehouse, START, zone=ZONE)
    settle(warehouse, world, [order("a", 1, START - timedelta(days=1), "3.50")], 2)
    warehouse.write([Statement("UPDATE events SET person = 2 WHERE slice = 2")])
    refresh(warehouse, START, zone=ZONE)
    assert stored(warehouse)[1]["spend_ever"] == Decimal("3.50")


def test_whoever_an_order_was_taken_to_be_of_loses_it_though_it_has_no_lines(warehouse: Warehouse) -> None:
    world = World({1, 2, 3})
    placed = order("a", 1, START - timedelta(days=1)).changed(lines=())
    settle(warehouse, world, [placed], 1)
    rebuild(warehouse, START, zone=ZONE)
    settle(warehouse, world, [placed.changed(person=2)], 2)
    settle(warehouse, world, [placed.changed(person=3)], 3)
    refresh(warehouse, START, zone=ZONE)
    assert [stored(warehouse)[person]["orders_ever"] for person in (1, 2, 3)] == [0, 0, 1]


def test_an_earlier_instant_another_zone_or_other_definitions_rebuild(warehouse: Warehouse) -> None:
    warehouse.write(put_people(World({1})))
    assert refresh(warehouse, START, zone=ZONE).mode is Mode.REBUILD
    assert refresh(warehouse, START - timedelta(seconds=1), zone=ZONE).mode is Mode.REBUILD
    assert refresh(warehouse, START, zone="Asia/Shanghai").mode is Mode.REBUILD
    warehouse.write(
        [Statement('UPDATE profile_state SET value = replace(value, \'"definitions": "\', \'"definitions": "x\')')]
    )
    assert refresh(warehouse, START, zone="Asia/Shanghai").mode is Mode.REBUILD
    assert refresh(warehouse, START, zone="Asia/Shanghai").mode is Mode.NOTHING


def test_before_the_first_refresh_there_is_no_moment(warehouse: Warehouse) -> None:
    assert queries.as_of(warehouse) is None
    with pytest.raises(Refused, match="rebuild profiles"):
        queries.moment(warehouse)

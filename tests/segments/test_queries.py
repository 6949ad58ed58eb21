"""Counts and members, for those who may see them; keeping segments; who came and who went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.profiles.worlds import Order
from tests.segments.worlds import ZONE, Pond, put_pond, segment
from tests.warehouse.fixtures import fresh_warehouse
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import NodeId, PersonId, RunId
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.organisation.services import NewNode, add_nodes, set_up_brand
from yutang.profiles import drawn as drawing
from yutang.profiles.beforehand import keep_up, let_go
from yutang.profiles.drawn import Told
from yutang.profiles.queries import traits_of
from yutang.profiles.services import rebuild
from yutang.segments import queries, services, then, why
from yutang.segments.documents import SegmentDocument
from yutang.segments.kept import MEMBERSHIPS, found_members
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
AS_OF = datetime(2018, 1, 1, 5, tzinfo=UTC)
BUYERS = {"trait": "orders_ever", "at_least": 1}


def bought(name: str, person: int, days_ago: int, amount: str = "5.00") -> Order:
    return Order(name, person, 7, AS_OF - timedelta(days=days_ago), Decimal(amount), Decimal(0))


def milk(name: str, person: int, days_ago: int) -> Order:
    return replace(bought(name, person, days_ago), lines=(("milk", Decimal(1)),))


def pond(*orders: Order) -> Pond:
    scopes = [{"person": 1, "node": 7}, {"person": 2, "node": 7}, {"person": 3, "node": 8}]
    return Pond({1, 2, 3, 4}, {}, {o.id: o for o in orders}, scopes=scopes)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    set_up_brand("鱼", "CNY", ZONE)
    add_nodes([NewNode("s7", "七店", NodeKind.STORE, "brand")])
    one = fresh_warehouse(tmp_path)
    one.write(put_pond(pond(bought("a", 1, 1), bought("b", 2, 9, "50.00"), bought("c", 3, 40), bought("d", 1, 2))))
    rebuild(one, AS_OF)
    yield one
    one.close()


def manager(*nodes: int) -> Viewer:
    return Viewer("manager", RoleName.MANAGER, frozenset(NodeId(n) for n in nodes))


def test_a_viewer_counts_and_lists_only_whom_they_may_see(warehouse: Warehouse) -> None:
    buyers = segment(BUYERS)
    assert [queries.count(warehouse, who, buyers) for who in (OWNER, manager(7), manager(8), manager())] == [3, 2, 1, 0]
    assert queries.members(warehouse, manager(8), buyers)["person"].to_pylist() == [3]
    other = segment({"not": BUYERS}, "other")
    assert queries.counts(warehouse, manager(7, 8), [buyers, other]) == {"one": 3, "other": 0}
    assert queries.counts(warehouse, OWNER, []) == {}
    at = queries.context(warehouse)
    assert warehouse.query(queries.statement(buyers, manager(7), at))["person"].to_pylist() in ([1, 2], [2, 1])


def test_members_come_in_order_page_by_page_with_their_traits(warehouse: Warehouse) -> None:
    everyone = segment({"any": [BUYERS, {"not": BUYERS}]})
    first = queries.members(warehouse, OWNER, everyone, limit=2, order="-spend_ever", traits=("spend_ever", "pool"))
    rest = queries.members(warehouse, OWNER, everyone, limit=9, offset=2, order="-spend_ever")
    assert first["person"].to_pylist() == [2, 1]
    assert first["spend_ever"].to_pylist() == [Decimal("50.00"), Decimal("10.00")]
    assert rest["person"].to_pylist() == [3, 4]
    late_first = queries.members(warehouse, OWNER, everyone, order="-days_since_last_visit")
    assert late_first["person"].to_pylist() == [3, 2, 1, 4], "who has no value comes last"
    assert queries.members(warehouse, OWNER, everyone, order="-person")["person"].to_pylist() == [4, 3, 2, 1]
    with pytest.raises(BadInput, match="spend_ever"):
        queries.members(warehouse, OWNER, everyone, order="spend_evr")


def test_the_traits_of_a_person_are_for_those_who_may_see_her(warehouse: Warehouse) -> None:
    shown = traits_of(warehouse, manager(8), PersonId(3))
    assert (shown["orders_ever"], shown["days_since_last_visit"], shown["lifecycle"]) == (1, 40, "active")
    with pytest.raises(NotFound):
        traits_of(warehouse, manager(7), PersonId(3))


def test_a_segment_is_kept_in_versions_once_it_is_right(warehouse: Warehouse) -> None:
    assert services.save(segment(BUYERS), OWNER).version == 1
    assert services.save(segment({"segment": "one"}, "two"), OWNER).version == 1
    assert [document.name for document in queries.segments()] == ["one", "two"]
    with pytest.raises(BadInput, match="one → two → one"):
        services.save(segment({"segment": "two"}), OWNER)
    with pytest.raises(BadInput, match="s7"):
        services.save(segment({"store": "s9"}), OWNER)
    with pytest.raises(BadInput, match="nobody"):
        services.save(segment({"segment": "nobody"}), OWNER)
    with pytest.raises(Refused):
        services.save(segment(BUYERS), manager(7))
    assert queries.segment_named("one") == segment(BUYERS)
    assert queries.count(warehouse, OWNER, segment({"segment": "two"}, "three")) == 3


def test_who_entered_and_who_left_is_recorded_once(warehouse: Warehouse) -> None:
    stored = services.save(segment({"trait": "orders_30d", "at_least": 1}), OWNER)
    first = services.record_changes(warehouse, stored, RunId(1))
    assert (first.segment, first.entered, first.left, first.at) == ("one", 2, 0, AS_OF)
    rebuild(warehouse, AS_OF + timedelta(days=25))
    second = services.record_changes(warehouse, stored, RunId(2))
    assert (second.entered, second.left) == (0, 1)
    again = services.record_changes(warehouse, stored, RunId(3))
    assert (again.entered, again.left) == (0, 0)
    rebuild(warehouse, AS_OF)
    assert services.record_changes(warehouse, stored, RunId(4)).entered == 1
    kept = warehouse.query(Statement("SELECT person, entered, run FROM segment_changes ORDER BY run, person"))
    assert [tuple(row.values()) for row in kept.to_pylist()] == [
        (1, True, 1),
        (2, True, 1),
        (2, False, 2),
        (2, True, 4),
    ]


def test_a_document_survives_its_yaml() -> None:
    document = segment({"all": [{"trait": "last_order_at", "at_least": "2017-08-01"}, {"not": {"tag": ["a"]}}]})
    assert isinstance(document, SegmentDocument)
    assert "at_least: '2017-08-01'" in document.as_yaml()
    assert "within" not in document.as_yaml(), "defaults are left out"


def test_what_is_kept_of_every_segment_is_what_asking_says(warehouse: Warehouse) -> None:
    services.save(segment({"trait": "orders_ever", "at_least": 2}, "twice"), OWNER)
    services.save(
        segment({"any": [{"segment": "twice"}, {"bought": {"categories": ["milk"]}}]}, "milk_or_twice"), OWNER
    )
    kept = MEMBERSHIPS.answer(warehouse).value
    every = queries.segments()
    assert {"twice", "milk_or_twice"} <= kept.members.keys()
    for viewer in (OWNER, manager(7), manager()):
        assert kept.counts(viewer) == queries.counts(warehouse, viewer, every)
        for one in every:
            assert kept.overlaps(viewer, one.name) == queries.overlaps(warehouse, viewer, one, every)
            members = queries.members(warehouse, viewer, one, limit=99)["person"].to_pylist()
            assert sorted(kept.of(viewer, one.name).tolist()) == sorted(members)
    assert kept.counts(OWNER)["twice"]
    assert found_members(warehouse, OWNER, "twice") is None, "nothing is kept where no lane runs"
    keep_up(warehouse, [MEMBERSHIPS])
    for viewer in (OWNER, manager(7), manager()):
        found = found_members(warehouse, viewer, "twice")
        assert found is not None
        asked = {"limit": 2, "offset": 1, "order": "-spend_ever", "traits": ["spend_ever"]}
        pages = [
            queries.members_page(warehouse, viewer, queries.segment_named("twice"), found=who, **asked)
            for who in (None, found.persons)
        ]
        assert pages[0][0] == pages[1][0]
        assert pages[0][1].equals(pages[1][1])
    services.save(segment({"trait": "orders_ever", "at_least": 3}, "twice"), OWNER)
    assert found_members(warehouse, OWNER, "twice") is None, "the document is another"
    let_go(warehouse)


def test_a_sample_says_of_each_why_they_are_in_it(warehouse: Warehouse) -> None:
    rule = segment({"any": [{"trait": "spend_ever", "at_least": 50}, {"not": {"trait": "orders_30d", "at_least": 1}}]})
    found = why.sample(warehouse, OWNER, rule, 9)
    assert set(found) == {2, 3, 4}
    assert all(one.holds for one in found.values())
    spend, quiet = found[PersonId(2)].below
    assert (spend.holds, spend.value, quiet.holds, quiet.below[0].value) == (True, Decimal("50.00"), False, 1)
    assert set(why.sample(warehouse, manager(8), rule)) == {3}, "a sample shows nobody whom the viewer does not see"
    assert why.sample(warehouse, manager(), rule) == {}


def test_who_looks_like_others_is_told_by_what_weighs_most(warehouse: Warehouse) -> None:
    services.save(segment({"trait": "spend_ever", "at_least": 50}, "seed"), OWNER)
    rule = segment({"looks_like": {"segment": "seed", "top": 1, "traits": ["orders_ever"]}}, "alike")
    found = why.sample(warehouse, OWNER, rule)
    assert set(found) == {3}
    told = found[PersonId(3)].evidence
    assert told is not None
    first = told.weights[0]
    assert (first.trait, first.value, first.low, first.high, first.thousandths) == ("orders_ever", 1, 0.75, 1.0, 288)
    assert (told.inside, told.model.seed, told.model.separation.area) == (False, 1, None)
    assert told.model.asked == ()
    seed = why.why(warehouse, OWNER, rule, PersonId(2)).evidence
    assert seed is not None
    assert seed.inside
    services.save(
        segment({"all": [{"segment": "seed"}, {"trait": "days_since_last_visit", "known": True}]}, "of"), OWNER
    )
    compared = ["orders_ever", "spend_ever", "days_since_last_visit", "overdue_ratio"]
    both = segment({"looks_like": {"segment": "of", "traits": compared}}, "alike")
    said = why.why(warehouse, OWNER, both, PersonId(3)).evidence
    assert said is not None
    assert said.model.asked == ("spend_ever", "days_since_last_visit", "overdue_ratio"), (
        "by a segment, and by what it says"
    )
    assert queries.count(warehouse, manager(7), rule) == 0, "who looks alike is told among all, and shown to their own"
    assert then.as_of(warehouse, OWNER, rule, AS_OF - timedelta(days=8)).members["person"].to_pylist() == [3]
    assert then.as_of(warehouse, OWNER, rule, AS_OF - timedelta(days=20)).told.count == 0, "nobody was in the seed then"
    past = why.why(warehouse, OWNER, rule, PersonId(3), AS_OF - timedelta(days=8))
    assert (past.holds, past.evidence and past.evidence.model.others) == (True, 3)
    services.save(rule, OWNER)
    with pytest.raises(BadInput, match="seed → alike → seed"):
        services.save(segment({"segment": "alike"}, "seed"), OWNER)


def test_what_a_change_of_the_document_does_to_its_members(warehouse: Warehouse) -> None:
    before, after = segment({"trait": "spend_ever", "at_least": 10}), segment({"trait": "orders_30d", "is": 0})
    asked = ((OWNER, after, (2, 2, 0)), (manager(8), after, (1, 0, 0)), (OWNER, before, (0, 0, 2)))
    for ask in (then.differing, then.about_differing):
        for viewer, last, told in asked:
            assert ask(warehouse, viewer, before, last) == then.Difference(*(Told(one, one, one) for one in told))


def test_a_sample_says_how_many_there_may_be(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    many = Pond(set(range(1, 401)), {400: 399}, {str(n): milk(str(n), n, n % 50) for n in range(1, 401)})
    scopes = [{"person": n, "node": 7 + n % 2} for n in range(1, 400)]
    warehouse.write(put_pond(replace(many, scopes=scopes)))
    rebuild(warehouse, AS_OF)
    rule = segment({"bought": {"categories": "milk"}, "within": "10d"})
    whole = queries.count(warehouse, OWNER, rule)
    assert queries.about(warehouse, OWNER, rule) == Told(whole, whole, whole)
    monkeypatch.setattr(drawing, "SAMPLE", 200)
    told, again = queries.about(warehouse, OWNER, rule), queries.about(warehouse, OWNER, rule)
    assert told == again
    assert (told.exact, told.low <= whole <= told.high) == (False, True)
    half = queries.about(warehouse, manager(7), rule)
    assert half == Told(*3 * [queries.count(warehouse, manager(7), rule)]), "of few persons everybody is counted"
    past = then.as_of(warehouse, OWNER, rule, AS_OF - timedelta(days=20))
    assert past.told.share == told.share < 1
    assert len(past.members) == round(past.told.count * told.share)
    assert not then.about_differing(warehouse, OWNER, rule, segment(BUYERS)).exact
    ranked = segment({"trait": "monetary_score", "at_least": 1})
    seen = then.as_of(warehouse, manager(7), ranked, AS_OF - timedelta(days=20))
    assert seen.told.share < 1, "fifths are those of everybody, of whom a sample is drawn"
    assert set(seen.members["person"].to_pylist()) <= {row["person"] for row in scopes if row["node"] == 7}


def test_a_past_day_says_what_is_only_known_as_of_today(warehouse: Warehouse) -> None:
    services.save(segment({"tag": "vip"}, "tagged"), OWNER)
    rule = segment(
        {"any": [{"trait": "orders_30d", "at_least": 1}, {"segment": "tagged"}, {"trait": "reachable", "is": True}]}
    )
    past = then.as_of(warehouse, OWNER, rule, AS_OF - timedelta(days=5))
    assert (past.members["person"].to_pylist(), past.told) == ([2], Told(1, 1, 1))
    assert [type(leaf).__name__ for leaf in past.today] == ["TagRule", "TraitRule"]
    with pytest.raises(BadInput, match="over"):
        then.as_of(warehouse, OWNER, rule, AS_OF + timedelta(days=1))


def test_the_clock_records_all_segments_and_the_flow_tells_days(warehouse: Warehouse) -> None:
    services.save(segment({"trait": "orders_30d", "at_least": 1}), OWNER)
    services.save(segment(BUYERS, "buyers"), OWNER)
    services.save(segment(BUYERS, "watched"), OWNER)
    assert then.flow(warehouse, OWNER, "one") is None, "nobody has looked"
    told = {one.segment: (one.entered, one.left) for one in services.record_all(warehouse, {"watched"})}
    assert told == {"one": (2, 0), "buyers": (3, 0)}
    assert then.flow(warehouse, OWNER, "one") == [], "who was found in it has not come"
    rebuild(warehouse, AS_OF + timedelta(days=25))
    for _again in range(2):  # killed after it was written, the same look is had again
        services.record_all(warehouse, {"watched"})
        days = then.flow(warehouse, OWNER, "one")
        assert days is not None
        assert [(str(one.day), one.entered, one.left, one.versions) for one in days] == [("2018-01-26", 0, 1, (1,))]
    assert then.flow(warehouse, manager(8), "one") == [], "whoever came or went there is not seen"
    assert then.flow(warehouse, OWNER, "watched") is None


def test_a_segment_held_fast_stays_as_it_was(warehouse: Warehouse) -> None:
    services.save(segment({"trait": "orders_30d", "at_least": 1}), OWNER)
    still = services.freeze(warehouse, "one", "one_then", OWNER)
    assert services.freeze(warehouse, "one", "one_then", OWNER) == still, "twice is once"
    rebuild(warehouse, AS_OF + timedelta(days=60))
    services.record_all(warehouse)
    assert queries.count(warehouse, OWNER, segment({"segment": "one"}, "live")) == 0
    assert queries.count(warehouse, OWNER, queries.segment_named("one_then")) == 2
    assert queries.count(warehouse, manager(8), queries.segment_named("one_then")) == 0
    assert "recorded" in still.document.as_yaml()
    flow = then.flow(warehouse, OWNER, "one_then")
    assert flow == [], "nobody comes or goes"
    for name in ("one", "One then", "one_then"):  # taken, no name, and of another instant
        with pytest.raises(BadInput):
            services.freeze(warehouse, "one", name, OWNER)
    with pytest.raises(Refused):
        services.freeze(warehouse, "one", "mine", manager(8))
    with pytest.raises(BadInput, match="nobody"):
        services.save(segment({"recorded": {"segment": "nobody", "at": "2018-01-01T00:00:00Z"}}, "typo"), OWNER)
    for at in ("2018-01-01", "2018-01-01T00:00:00", "yesterday"):
        with pytest.raises(BadInput):
            segment({"recorded": {"segment": "one", "at": at}}, "naive")

"""The next category: found where one leads to another, not found where nothing does, and told to whom it may be."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from tests.layers.conftest import AS_OF, bought, manager, tables_of
from tests.profiles.worlds import put_orders
from tests.segments.worlds import ZONE
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import insert
from yutang.layers import next_queries
from yutang.layers.next_category import NEVER, Firsts, Model, arranged, back_test, fit
from yutang.organisation.queries import OWNER
from yutang.profiles.services import rebuild
from yutang.warehouse.contracts import Statement, Warehouse, named

NAMES = tuple("abcdefgh")
CHANCE = np.array([0.5, 0.5, 0.4, 0.4, 0.4, 0.3, 0.1, 0.6])


def world(*, leads: bool, persons: int = 3000, seed: int = 1) -> Firsts:
    """Eight categories in two years; if `leads`, who buys h mostly comes to g within a year."""
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 730, (persons, len(NAMES)))
    days[rng.random(days.shape) > CHANCE] = NEVER
    if leads:
        follows = (days[:, 7] < 700) & (rng.random(persons) < 0.8)
        days[follows, 6] = days[follows, 7] + rng.integers(5, 300, follows.sum())
    return Firsts(np.arange(persons), NAMES, days.astype(np.int32))


def test_what_leads_to_another_is_found_and_beats_popularity() -> None:
    found = fit(world(leads=True), 730, 90)
    assert found is not None
    assert found.weight > 0
    first = found.pairs(3)[0]
    assert (first.has, first.next) == ("h", "g")
    assert 1 < first.low < first.lift < first.high
    assert first.confidence == pytest.approx(first.lift * found.base[6])
    tested = back_test(world(leads=True), 640, 90)
    assert tested is not None
    assert tested.beats
    assert all(one.low < one.difference < one.high for one in tested.measures)
    assert tested.measures[0].lifts - tested.measures[0].popular == pytest.approx(tested.measures[0].difference)


def test_where_nothing_leads_anywhere_no_win_is_claimed() -> None:
    wins = 0
    for seed in range(12):
        tested = back_test(world(leads=False, persons=1200, seed=seed), 640, 90)
        assert tested is not None
        wins += tested.beats
    assert wins <= 1


def test_a_pair_is_counted_as_by_hand() -> None:
    table = world(leads=True, persons=600)
    found = fit(table, 600, 90)
    assert found is not None
    a, b = 7, 6
    had = [row for row in table.days if row[a] < 510 and not row[b] < 510]
    came = [row for row in had if row[b] < 600]
    pair = found.pair(a, b)
    assert (pair.support, round(pair.confidence * pair.support)) == (len(had), len(came))
    knew = [row for row in table.days if (row < 510).any() and not row[b] < 510]
    base = sum(row[b] < 600 for row in knew) / len(knew)
    assert pair.lift == pytest.approx(len(came) / len(had) / base)


def test_nobody_is_offered_what_they_have_and_few_are_told_nothing() -> None:
    table = world(leads=True)
    found = fit(table, 730, 90)
    assert isinstance(found, Model)
    has = table.days < 730
    assert not np.isfinite(found.scores(has)[has]).any()
    assert np.isfinite(found.scores(has)[~has]).all()
    assert fit(world(leads=True, persons=150), 730, 90) is None
    assert back_test(world(leads=True, persons=150), 640, 90) is None


def test_rows_become_a_table_of_the_commonest() -> None:
    found = arranged([5, 5, 9, 9, 9], ["tea", "milk", "milk", "tea", "rare"], [3, 8, 2, 4, 1], 2)
    assert (found.persons.tolist(), found.categories) == ([5, 9], ("milk", "tea"))
    assert found.days.tolist() == [[8, 3], [2, 4]]


@pytest.mark.django_db
def test_firsts_are_read_once_per_person_of_what_stands(warehouse: Warehouse, stores: dict[str, int]) -> None:
    more = [
        bought("x1", 101, 50, "1.00", stores["s7"], "tea", "beef"),
        bought("x2", 102, 60, "1.00", stores["s8"], "beef"),
        bought("x3", 101, 70, "1.00", stores["s7"], "gone").changed(cancelled=True),
        bought("x4", 101, -3, "1.00", stores["s7"], "later"),
    ]
    merged = [
        insert("person_overrides", [{"birth": 102, "survivor": 101}]),
        insert("facts", [{"person": 101}]),
        Statement("DELETE FROM facts WHERE person <= 40"),
    ]
    warehouse.write([*put_orders(more), *merged])
    rebuild(warehouse, AS_OF, zone=ZONE)
    found = next_queries.firsts(warehouse, AS_OF)
    assert found.persons.tolist() == [101]
    day = next_queries.day_of(AS_OF)
    assert dict(zip(found.categories, found.days[0].tolist(), strict=True)) == {"beef": day - 60, "tea": day - 50}
    chosen = pa.table({"birth": [101, 102], "person": [101, 101]})
    tables = {**tables_of(warehouse, "orders", "order_lines", "profiles", "person_overrides"), "chosen": chosen}
    params = {"as_of": AS_OF, "everywhere": False, "seen": [stores["s7"]]}
    assert assert_equal_on_both_engines(named("layers/next_firsts", params), tables).num_rows == 2
    assert assert_equal_on_both_engines(named("layers/next_births"), tables).num_rows == 2


@pytest.mark.django_db
def test_a_person_is_told_of_by_what_the_viewer_may_see(
    warehouse: Warehouse, stores: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = world(leads=True)
    found = fit(Firsts(table.persons, ("w", "x", "y", "z", "milk", "bread", "beef", "tea"), table.days), 730, 90)
    kept = next_queries.NextCategories(found, None)
    monkeypatch.setattr(next_queries, "NEXT", next_queries.Beforehand(lambda _: kept))
    warehouse.write(put_orders([bought("own", 3, 50, "1.00", stores["s8"], "tea")]))
    rebuild(warehouse, AS_OF + timedelta(hours=1))
    told = {one.category: one.why for one in next_queries.next_of(warehouse, OWNER, [3], limit=8)}
    assert set(told) == {"w", "x", "y", "z", "milk", "bread", "beef"}, "all but tea"
    why = told["beef"]
    assert why is not None
    assert (why.has, why.next) == ("tea", "beef")
    elsewhere = {one.category: one.why for one in next_queries.next_of(warehouse, manager(stores["s9"]), [3], limit=8)}
    assert all(why is None or why.has != "tea" for why in elsewhere.values())
    assert next_queries.next_of(warehouse, OWNER, [999]) == []

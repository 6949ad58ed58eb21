"""客户阶段: who stands on which step, who moved; told once, whoever looks how often and is killed when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.layers.conftest import AS_OF, bought, manager, tables_of
from tests.profiles.worlds import put_orders
from tests.segments.oracle import Oracle
from tests.segments.worlds import ZONE, Pond, segment
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from yutang.documents.services import save_document
from yutang.kernel.documents import from_data
from yutang.kernel.errors import BadDocument, BadInput, Refused
from yutang.layers import ladder
from yutang.layers.documents import LadderDocument
from yutang.organisation.queries import OWNER
from yutang.profiles.services import rebuild, refresh
from yutang.profiles.traits import LADDER
from yutang.segments import queries as segments
from yutang.warehouse.contracts import Statement, Warehouse, named

pytestmark = pytest.mark.django_db
RULES: dict[str, dict[str, Any]] = {
    "customer": {"trait": "orders_ever", "at_least": 1},
    "fan": {"all": [{"trait": "orders_365d", "at_least": 4}, {"trait": "days_since_last_visit", "at_most": 20}]},
    "partner": {"all": [{"trait": "orders_ever", "at_least": 6}, {"trait": "reachable", "is": True}]},
}


def document(rules: Mapping[str, Any], name: str = "default") -> LadderDocument:
    data = {
        "kind": "ladder",
        "name": name,
        "title": {"zh": "阶段", "en": "Ladder"},
        "steps": [{"step": step, "where": where} for step, where in rules.items()],
    }
    found = from_data(data)
    assert isinstance(found, LadderDocument)
    return found


def standing(warehouse: Warehouse) -> dict[int, str]:
    found = segments.members(warehouse, OWNER, EVERYBODY, limit=1000, traits=("ladder",)).to_pylist()
    return {row["person"]: row["ladder"] for row in found}


EVERYBODY = segment({"any": [RULES["customer"], {"not": RULES["customer"]}]}, "everybody")


def told(warehouse: Warehouse) -> list[tuple[int, Any, int, int]]:
    found = warehouse.query(Statement("SELECT person, before, step, turn FROM ladder_moves ORDER BY turn, person"))
    return [tuple(row.values()) for row in found.to_pylist()]


def expected(pond: Pond, days: float = 0) -> dict[int, str]:
    oracle = Oracle(pond, AS_OF + timedelta(days=days), ZONE, {})
    return {
        person: next((step for step in reversed(RULES) if oracle.holds(RULES[step], person)), "prospect")
        for person in pond.persons
    }


@pytest.fixture
def ruled(stores: dict[str, int]) -> None:
    save_document(document(RULES), "owner")


def test_everybody_stands_on_the_highest_step_whose_rule_holds(ruled: None, warehouse: Warehouse, pond: Pond) -> None:
    first = ladder.climb(warehouse)
    assert (first.looked, first.told, first.up, first.down) == (True, 40, 0, 0)
    assert standing(warehouse) == expected(pond)
    counts = Counter(expected(pond).values())
    assert len(counts) == 4
    assert [(one.name, one.persons) for one in ladder.steps(warehouse, OWNER)] == [(n, counts[n]) for n in LADDER]
    fans = segment({"trait": "ladder", "in": ["fan", "partner"]}, "fans")
    assert segments.count(warehouse, OWNER, fans) == counts["fan"] + counts["partner"]


def test_who_moved_is_told_once_with_where_from(ruled: None, warehouse: Warehouse, pond: Pond) -> None:
    ladder.climb(warehouse)
    assert not ladder.climb(warehouse).looked, "nothing can have changed"
    rebuild(warehouse, AS_OF + timedelta(days=15))
    before, after = expected(pond), expected(pond, 15)
    moved = {person: (before[person], step) for person, step in after.items() if before[person] != step}
    found = ladder.climb(warehouse)
    downs = sum(LADDER.index(new) < LADDER.index(old) for old, new in moved.values())
    assert moved
    assert (found.told, found.up, found.down) == (0, len(moved) - downs, downs)
    total, listed = ladder.moves(warehouse, OWNER, AS_OF)
    assert total == len(moved)
    assert {int(one.person): (one.before, one.step) for one in listed} == moved
    assert {one.at for one in listed} == {AS_OF + timedelta(days=15)}
    assert ladder.moves(warehouse, OWNER, AS_OF, down=False)[0] == len(moved) - downs
    counted = ladder.move_counts(warehouse, OWNER, AS_OF, ZONE)
    assert Counter({(one.before, one.step): one.persons for one in counted}) == Counter(moved.values())
    assert standing(warehouse) == after


def test_an_order_lifts_a_prospect(ruled: None, warehouse: Warehouse, stores: dict[str, int]) -> None:
    ladder.climb(warehouse)
    warehouse.write(put_orders([bought("new", 9, -0.5, "9.00", stores["s7"])], slice_=1))
    warehouse.write([Statement("INSERT INTO slices VALUES (1, NULL)")])
    refresh(warehouse, AS_OF + timedelta(days=1))
    ladder.climb(warehouse)
    assert (9, 0, 1, 2) in told(warehouse)


def test_a_viewer_is_told_of_their_own_only(ruled: None, warehouse: Warehouse, stores: dict[str, int]) -> None:
    ladder.climb(warehouse)
    rebuild(warehouse, AS_OF + timedelta(days=15))
    ladder.climb(warehouse)
    mine = manager(stores["s8"])
    total, listed = ladder.moves(warehouse, mine, AS_OF)
    assert 0 < total < ladder.moves(warehouse, OWNER, AS_OF)[0]
    assert {int(one.person) % 3 for one in listed} == {1}
    assert sum(one.persons for one in ladder.move_counts(warehouse, mine, AS_OF, ZONE)) == total
    assert sum(one.persons for one in ladder.steps(warehouse, mine)) == 14
    assert ladder.moves(warehouse, manager(), AS_OF) == (0, [])


class Dies:
    """A warehouse whose process dies before or after a write took place."""

    def __init__(self, warehouse: Warehouse, *, after: bool) -> None:
        self.warehouse, self.after = warehouse, after

    def query(self, statement: Statement) -> Any:
        return self.warehouse.query(statement)

    def write(self, statements: Sequence[Statement], *, unless: Statement | None = None) -> bool:
        if self.after:
            self.warehouse.write(statements, unless=unless)
        raise KeyboardInterrupt


@pytest.mark.parametrize("after", [False, True])
def test_killed_in_the_middle_the_next_look_goes_on(ruled: None, warehouse: Warehouse, pond: Pond, after: bool) -> None:
    ladder.climb(warehouse)
    rebuild(warehouse, AS_OF + timedelta(days=15))
    with pytest.raises(KeyboardInterrupt):
        ladder.climb(Dies(warehouse, after=after))  # type: ignore[arg-type]
    ladder.climb(warehouse)
    ladder.climb(warehouse)
    assert len({(person, turn) for person, _, _, turn in told(warehouse)}) == len(told(warehouse))
    assert {turn for *_, turn in told(warehouse)} == {1, 2}
    assert standing(warehouse) == expected(pond, 15)


class Overtaken(Dies):
    """Somebody else looks between our reading and our writing."""

    def write(self, statements: Sequence[Statement], *, unless: Statement | None = None) -> bool:
        ladder.climb(self.warehouse)
        return self.warehouse.write(statements, unless=unless)


def test_two_at_once_tell_a_move_once(ruled: None, warehouse: Warehouse, pond: Pond) -> None:
    assert not ladder.climb(Overtaken(warehouse, after=False)).looked  # type: ignore[arg-type]
    assert len(told(warehouse)) == 40
    assert standing(warehouse) == expected(pond)


def test_new_rules_at_the_same_instant_count_as_the_latest(ruled: None, warehouse: Warehouse, pond: Pond) -> None:
    ladder.climb(warehouse)
    ladder.keep_ladder(document({"loyalist": RULES["customer"]}), OWNER)
    ladder.climb(warehouse)
    assert set(standing(warehouse).values()) == {"prospect", "loyalist"}
    ladder.keep_ladder(document(RULES), OWNER)
    ladder.climb(warehouse)
    assert standing(warehouse) == expected(pond)


def test_a_rule_of_the_ladder_may_not_ask_for_the_ladder(stores: dict[str, int]) -> None:
    circle = {"trait": "ladder", "is": "fan"}
    with pytest.raises(BadDocument, match="may not use the trait ladder"):
        document({"fan": {"all": [RULES["customer"], {"not": circle}]}})
    save_document(segment(circle, "the_fans"), "owner")
    save_document(segment({"segment": "the_fans"}, "behind"), "owner")
    with pytest.raises(BadInput, match="may not use the trait ladder"):
        ladder.keep_ladder(document({"fan": {"segment": "behind"}}), OWNER)
    with pytest.raises(BadInput, match="nowhere"):
        ladder.keep_ladder(document({"fan": {"segment": "nowhere"}}), OWNER)
    with pytest.raises(BadInput, match="s99"):
        ladder.keep_ladder(document({"fan": {"store": "s99"}}), OWNER)
    with pytest.raises(BadDocument, match="in this order"):
        document({"fan": RULES["fan"], "customer": RULES["customer"]})
    with pytest.raises(Refused):
        ladder.keep_ladder(document(RULES), manager(stores["s7"]))


def test_without_profiles_or_without_a_ladder_nothing_is_told(warehouse: Warehouse) -> None:
    warehouse.write([Statement("DELETE FROM profile_state")])
    assert not ladder.climb(warehouse).looked
    assert set(standing_steps(warehouse)) == set()


def standing_steps(warehouse: Warehouse) -> list[int]:
    return [step for _, _, step, _ in told(warehouse)]


def test_both_engines_tell_alike(ruled: None, warehouse: Warehouse, pond: Pond) -> None:
    ladder.climb(warehouse)
    rebuild(warehouse, AS_OF + timedelta(days=15))
    ladder.climb(warehouse)
    names = ("ladder_moves", "profiles", "facts", "fact_ways", "fact_scopes")
    tables = tables_of(warehouse, *names)
    scope = {"sees_all": False, "seen": [8, 9], "since": AS_OF}
    assert_equal_on_both_engines(named("profiles/layer"), tables)
    assert_equal_on_both_engines(named("layers/climbed", {"after": 1}), tables)
    assert_equal_on_both_engines(named("layers/move_counts", {**scope, "sees_all": True, "zone": ZONE}), tables)
    page = {**scope, "sees_all": True, "up": True, "down": False, "limit": 3, "offset": 1}
    page["up"], page["down"] = False, True
    assert assert_equal_on_both_engines(named("layers/moves", page), tables).num_rows == 3
    document_ = ladder.ladder_document()
    assert document_ is not None
    query = ladder.standing_on(document_, segments.context(warehouse))
    assert assert_equal_on_both_engines(Statement(query, name="layers/standing"), tables).num_rows == 40

"""RFM: every score against a naive twin; cells and grid add up; each viewer their own."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from tests.layers.conftest import AS_OF, manager, tables_of
from tests.segments.worlds import Pond
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from yutang.documents.services import save_document
from yutang.kernel.documents import from_data
from yutang.kernel.errors import BadDocument, BadInput
from yutang.layers import ladder, rfm
from yutang.layers.contracts import RfmCell
from yutang.layers.documents import RfmDocument
from yutang.layers.standing import STANDING
from yutang.organisation.queries import OWNER
from yutang.profiles.queries import moment
from yutang.warehouse.contracts import Warehouse

pytestmark = pytest.mark.django_db
BOUNDS = {"recency": [40, 25, 12, 6], "frequency": [2, 3, 5, 7], "monetary": [20, 60, 100, 150]}
STRICT = {"recency": [20, 10, 5, 2], "frequency": [3, 5, 7, 8], "monetary": [50, 100, 200, 300]}
TYPES = [
    {"name": "mall", "title": {"zh": "商场店", "en": "Mall"}, "regions": ["north"]},
    {"name": "flagship", "title": {"zh": "旗舰店", "en": "Flagship"}, "stores": ["s8"], "bounds": STRICT},
]


def document(**more: Any) -> RfmDocument:
    found = from_data({"kind": "rfm", "name": "default", "title": {"zh": "R", "en": "R"}, **more})
    assert isinstance(found, RfmDocument)
    return found


def by_hand(pond: Pond, chosen: dict[str, Any], stores: dict[str, int], only: int | None = None) -> dict[Any, Any]:
    """Type and scores → persons, reachable, spend, one person at a time."""
    types = {stores["s7"]: "mall", stores["s8"]: "flagship"} if chosen.get("types") else {}
    people: list[dict[str, Any]] = []
    for person in sorted(pond.persons):
        mine = [o for o in pond.orders.values() if o.person == person]
        if mine:
            store = mine[0].store
            assert store is not None
            people.append(
                {
                    "person": person,
                    "type": types.get(store, ""),
                    "store": store,
                    "recency": max(o.placed_at for o in mine),
                    "frequency": len(mine),
                    "monetary": sum((o.amount for o in mine), Decimal(0)),
                }
            )
    found: dict[Any, list[Any]] = defaultdict(lambda: [0, 0, Decimal(0)])
    for one in people:
        scores = tuple(_score(one, part, people, chosen) for part in ("recency", "frequency", "monetary"))
        if only in (None, one["store"]):
            cell = found[one["type"], *scores]
            cell[0] += 1
            cell[1] += one["person"] % 3 == 0
            cell[2] += one["monetary"]
    return {key: tuple(value) for key, value in found.items()}


def _score(one: dict[str, Any], part: str, people: list[dict[str, Any]], chosen: dict[str, Any]) -> int:
    if chosen.get("by") == "bounds":
        bounds = (STRICT if one["type"] == "flagship" else chosen.get("bounds", BOUNDS))[part]
        if part == "recency":
            days = (AS_OF - one[part]).days
            return 1 + sum(days <= bound for bound in bounds)
        return 1 + sum(one[part] >= bound for bound in bounds)
    same = sorted((other[part], other["person"]) for other in people if other["type"] == one["type"])
    return 5 * same.index((one[part], one["person"])) // len(same) + 1


def keyed(found: list[RfmCell]) -> dict[Any, Any]:
    return {(c.type, c.recency, c.frequency, c.monetary): (c.persons, c.reachable, c.spend) for c in found}


@pytest.mark.parametrize(
    "chosen",
    [{}, {"by": "bounds", "bounds": BOUNDS}, {"types": TYPES}, {"by": "bounds", "bounds": BOUNDS, "types": TYPES}],
    ids=["fifths", "bounds", "fifths by type", "bounds by type"],
)
def test_scores_are_as_told_by_hand(
    warehouse: Warehouse, pond: Pond, stores: dict[str, int], chosen: dict[str, Any]
) -> None:
    cut = document(**chosen)
    assert keyed(rfm.rfm(warehouse, OWNER, cut)) == by_hand(pond, chosen, stores)
    mine = keyed(rfm.rfm(warehouse, manager(stores["s8"]), cut))
    assert mine == by_hand(pond, chosen, stores, stores["s8"])
    assert rfm.rfm(warehouse, manager(), cut) == []
    tables = tables_of(warehouse, "profiles", "facts", "fact_ways", "fact_scopes")
    for viewer in (OWNER, manager(stores["s8"])):
        assert_equal_on_both_engines(rfm.rfm_statement(viewer, cut, moment(warehouse)), tables)


@pytest.mark.parametrize("chosen", [{}, {"by": "bounds", "bounds": BOUNDS, "types": TYPES}], ids=["fifths", "bounds"])
def test_what_is_counted_beforehand_is_what_counting_says(
    warehouse: Warehouse, stores: dict[str, int], chosen: dict[str, Any]
) -> None:
    cut = document(**chosen)
    save_document(cut, "owner")
    whole = STANDING.answer(warehouse).value
    assert whole is not None
    for viewer in (OWNER, manager(stores["s8"]), manager(stores["s7"], stores["s9"]), manager()):
        assert keyed(whole.rfm(viewer)) == keyed(rfm.rfm(warehouse, viewer, cut))
        assert whole.lives(viewer) == rfm.lives(warehouse, viewer)
        assert whole.steps(viewer) == ladder.steps(warehouse, viewer)
    assert len(whole.cells) > 5


def test_cells_and_grid_add_up(warehouse: Warehouse) -> None:
    found = rfm.rfm(warehouse, OWNER, document())
    cells, grid = rfm.named_cells(found, 4), rfm.heat_grid(found)
    buyers = sum(one.persons for one in found)
    assert [cell.zh for cell in cells[:4]] == ["重要价值", "重要发展", "重要保持", "重要挽留"]
    assert sum(cell.persons for cell in cells) == sum(f.persons for _, row in grid for f in row) == buyers == 36
    assert sum(cell.spend for cell in cells) == sum(one.spend for one in found)
    assert sum(cell.share or 0 for cell in cells) == pytest.approx(1)
    high = [one for one in found if min(one.recency, one.frequency, one.monetary) >= 4]
    assert cells[0].persons == sum(one.persons for one in high)
    assert max(field.heat for _, row in grid for field in row) == 1
    assert [score for score, _ in grid] == [5, 4, 3, 2, 1]


def test_lives_are_counted_whole(warehouse: Warehouse) -> None:
    found = rfm.lives(warehouse, OWNER)
    assert [one.name for one in found] == ["prospect", "new", "active", "silent", "lapsed"]
    assert sum(one.persons for one in found) == 40
    assert sum(one.reachable for one in found) == 13
    assert found[0].persons == 4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bounds": {**BOUNDS, "recency": [1, 2, 3, 4]}}, "fall"),
        ({"bounds": {**BOUNDS, "monetary": [1, 1, 3, 4]}}, "rise"),
        ({"types": [{"name": "a", "title": {"zh": "a", "en": "a"}}]}, "needs a store"),
        ({"types": [{**TYPES[1], "name": "b"}, TYPES[1]]}, "two places"),
        ({"high": 6}, "high"),
    ],
)
def test_a_wrong_document_is_refused_with_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        document(**wrong)


def test_a_store_that_does_not_exist_is_named(warehouse: Warehouse) -> None:
    with pytest.raises(BadInput, match="s99"):
        rfm.rfm(warehouse, OWNER, document(types=[{**TYPES[1], "stores": ["s99"]}]))

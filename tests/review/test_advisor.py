"""The category advisor: figures as by hand, a kind with its evidence, and no word where it cannot tell."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.layers.conftest import AS_OF, bought, manager, pond, stores, tables_of, warehouse
from tests.profiles.worlds import put_orders
from tests.segments.worlds import Pond
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import insert
from yutang.kernel.documents import from_data, read
from yutang.kernel.errors import BadDocument, BadInput, NotFound, Refused
from yutang.organisation.queries import OWNER
from yutang.profiles.services import rebuild
from yutang.review.advisor import Level, Measured, Unknown, advise, break_even_orders, rated
from yutang.review.advisor_documents import AdvisorDocument, Answers, Effort
from yutang.review.advisor_queries import HALF, SPAN, advice, advice_of, advisor_document
from yutang.review.advisor_services import answer, keep_advisor
from yutang.warehouse.contracts import Statement, Warehouse, named

__all__ = ["pond", "stores", "warehouse"]  # fixtures
DATA = read((Path(__file__).parents[2] / "playbooks/advisor/default.yaml").read_bytes()).as_data()
YEAR = timedelta(days=365.25)


def document(**more: Any) -> AdvisorDocument:
    found = from_data({**DATA, **more})
    assert isinstance(found, AdvisorDocument)
    return found


def measured(rate: float, price: float, **more: Any) -> Measured:
    facts: dict[str, Any] = {"buyers": 500, "baskets": 900, "years": 400.0, "old": 300, "again": 200, **more}
    return Measured("x", rate=rate, low=rate - 0.5, high=rate + 0.5, price=price, **facts)


KNOWING, NOT = Answers(asks=True, talks=True, once=False), Answers(asks=False, talks=True, once=False)


@pytest.mark.parametrize(
    ("rate", "price", "answers", "letter", "exact"),
    [
        (12, 500, KNOWING, "A", True),
        (1, 500, KNOWING, "B", True),
        (1, 9000, KNOWING, "C", True),
        (30, 20, NOT, "D", True),
        (1, 20, NOT, "E", True),
        (30, 20, KNOWING, "A", False),
        (30, 500, NOT, "D", False),
        (1, 20, KNOWING, "B", False),
        (1, 9000, NOT, "C", False),
    ],
)
def test_each_kind_is_told_with_its_evidence(
    rate: float, price: float, answers: Answers, letter: str, exact: bool
) -> None:
    found = advise(measured(rate, price), answers, document())
    assert found.kind is not None
    assert (found.kind.letter, found.exact, found.unknown) == (letter, exact, None)
    assert [one.name for one in found.evidence] == ["frequency", "price", "cognition"]
    assert found.evidence[0].value == rate
    assert (found.evidence[0].level is Level.HIGH) == (rate >= 4)


def test_it_says_when_it_cannot_tell() -> None:
    assert advise(measured(9, 9, buyers=49), KNOWING, document()).unknown is Unknown.FEW_BUYERS
    assert advise(measured(9, 9, years=3.0), KNOWING, document()).unknown is Unknown.SHORT
    unanswered = advise(measured(9, 9), None, document())
    assert (unanswered.kind, unanswered.unknown) == (None, Unknown.UNANSWERED)
    assert advise(measured(4.2, 9), KNOWING, document()).evidence[0].close
    assert not advise(measured(9, 9), KNOWING, document()).evidence[0].close


def test_what_is_bought_once_is_said() -> None:
    for once in (advise(measured(0.02, 9000, again=3), KNOWING, document()),
                 advise(measured(1, 9000), Answers(asks=True, talks=True, once=True), document())):  # fmt: skip
        assert once.one_off
    assert not advise(measured(0.02, 9000, old=10, again=0), KNOWING, document()).one_off, "too few to say so"


@pytest.mark.django_db
def test_answers_are_kept_beside_each_other_and_plans_must_exist(stores: dict[str, int]) -> None:
    tea, brand = Answers(category="tea", asks=True, talks=True, once=False), Answers(asks=False, talks=True, once=False)
    for given in (tea, brand, tea):
        answer(given, OWNER)
    kept = advisor_document()
    assert {one.category: one for one in kept.answers} == {"": brand, "tea": tea}
    assert kept.answers_of("milk") == brand
    with pytest.raises(Refused):
        answer(tea, manager(stores["s7"]))
    wrong = kept.model_copy(update={"kinds": (kept.kinds[0].model_copy(update={"plans": ("hook_offer",)}),)})
    with pytest.raises(BadInput, match="no such plan"):
        keep_advisor(wrong, OWNER)
    keep_advisor(kept, OWNER)


def test_messages_before_buying_count_as_knowing() -> None:
    talked = advise(measured(12, 500, consulted=0.4), NOT, document())
    assert talked.evidence[2].value == 2
    assert talked.kind is not None
    assert talked.kind.letter == "A"


def test_a_rate_has_its_interval_over_persons() -> None:
    rate, low, high = rated(30.0, 10.0, (300.0, 100.0, 40.0), 5)
    error = 1.959963984540054 * ((300 - 2 * 3 * 100 + 9 * 40) * 5 / 4) ** 0.5 / 10
    assert (rate, low, high) == (3.0, pytest.approx(3 - error), pytest.approx(3 + error))
    assert rated(0.0, 0.0, (0.0, 0.0, 0.0), 1) == (0.0, 0.0, 0.0)


def test_effort_pays_from_so_many_orders_on() -> None:
    assert break_even_orders(Effort(hours=40, wage=30, margin=0.3), 20.0) == pytest.approx(200)
    assert break_even_orders(Effort(), 0.0) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"very_high_price": 100}, "must be above"),
        ({"answers": [{"asks": True, "talks": True, "once": False}] * 2}, "answered once"),
        ({"kinds": []}, "kinds"),
    ],
)
def test_a_wrong_document_is_refused_with_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        document(**wrong)


@pytest.mark.django_db
def test_figures_are_those_of_the_orders(warehouse: Warehouse, pond: Pond, stores: dict[str, int]) -> None:
    gone = [bought("g", 5, 3, "9.00", stores["s7"], "beef").changed(cancelled=True)]
    asked = {"event_id": "m", "type": "message.received", "occurred_at": AS_OF - timedelta(days=8), "person": 7}
    asked["occurred_at"] = asked["occurred_at"].replace(tzinfo=None)  # type: ignore[attr-defined]
    warehouse.write([*put_orders(gone), insert("events", [asked])])
    rebuild(warehouse, AS_OF + timedelta(seconds=1))
    found = {one.measured.category: one.measured for one in advice(warehouse, OWNER, document()).value}
    mine: dict[int, list[Any]] = defaultdict(list)
    for order in pond.orders.values():
        mine[order.person].append(order)
    years = sum((AS_OF - min(o.placed_at for o in orders)) / YEAR for orders in mine.values())
    whole = found[""]
    assert (whole.buyers, whole.baskets) == (36, len(pond.orders))
    assert whole.years == pytest.approx(years, rel=1e-4)
    assert whole.rate == pytest.approx((len(pond.orders) - 36) / years, rel=1e-4)
    prices = sorted(float(o.amount) for o in pond.orders.values())
    middle = len(prices) // 2
    assert whole.price == pytest.approx((prices[middle] + prices[~middle]) / 2)
    assert whole.consulted == pytest.approx(1 / 36)
    tea = [person for person in mine if person % 4 == 3]
    assert found["tea"].buyers == len(tea)
    assert sum(one.buyers for name, one in found.items() if name) == 36
    assert advice_of(warehouse, OWNER, "tea").unknown is Unknown.FEW_BUYERS
    with pytest.raises(NotFound):
        advice_of(warehouse, OWNER, "silk")
    with pytest.raises(Refused):
        advice(warehouse, manager(stores["s7"]), document())
    chosen = pa.table({"birth": pa.array(range(1, 41), pa.int64()), "person": pa.array(range(1, 41), pa.int64())})
    tables = {**tables_of(warehouse, "orders", "order_lines", "events"), "chosen": chosen}
    params = {"as_of": AS_OF, "since": AS_OF - SPAN}
    assert assert_equal_on_both_engines(named("review/advisor", {**params, "half": AS_OF - HALF}), tables).num_rows == 5
    assert_equal_on_both_engines(named("review/advisor_talks", params), tables)
    assert warehouse.query(Statement("SELECT count(*) FROM events")).num_rows == 1

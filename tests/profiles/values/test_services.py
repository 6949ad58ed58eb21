"""Everybody's values: told once, by one version, and only where the models hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.profiles.values.ponds import put, timelines
from tests.profiles.worlds import naive
from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.documents.services import save_document
from yutang.kernel.documents import from_data
from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import NodeId, PersonId
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.profiles.services import rebuild
from yutang.profiles.values import queries, services
from yutang.profiles.values.contracts import Cannot, Measure, Quarter, ValueState, without_gaps
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 420
TITLE = {"zh": "试", "en": "Test"}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    one = fresh_warehouse(tmp_path_factory.mktemp("values"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def grocers() -> dict[int, list[tuple[int, Decimal]]]:
    """400 persons, the first of whom begins on the first day."""
    bought = timelines(400, "grocer", DAYS)
    bought[1] = [(0, Decimal(5)), *[one for one in bought[1] if one[0] > 0]]
    return bought


@pytest.fixture
def pond(warehouse: Warehouse, grocers: dict[int, Any], db: None) -> Warehouse:
    warehouse.write(put(grocers, NOW, DAYS))
    rebuild(warehouse, NOW, zone="UTC")
    decide()
    return warehouse


def decide(**said: object) -> None:
    """Keep the brand's settings."""
    document = {"kind": "values", "name": "values", "title": TITLE, "least_repeaters": 60, "categories": 0, **said}
    save_document(from_data(document), "test")


def one(warehouse: Warehouse, sql: str, **params: object) -> Any:
    return warehouse.query(Statement(sql, params)).column(0)[0].as_py()


def stands(warehouse: Warehouse) -> ValueState:
    found = queries.state(warehouse)
    assert found is not None
    return found


def test_everybody_is_scored_and_the_sums_are_those_of_the_rows(pond: Warehouse) -> None:
    decide(categories=1)
    stages: list[str] = []
    report = services.bring(pond, say=lambda stage, done, of: stages.append(stage))
    assert (report.persons, report.models, report.fitted) == (400, 2, True)
    assert list(dict.fromkeys(stages)) == ["history", "fitting", "scoring"]
    state = stands(pond)
    assert (state.as_of, state.measure, state.totals.told) == (NOW, Measure.SPEND, 400)
    assert one(pond, "SELECT sum(potential) FROM person_values") == pytest.approx(Decimal(state.totals.potential))
    assert sum(tenth.potential for tenth in state.tenths) == pytest.approx(state.totals.potential)
    assert sum(quarter.amount for quarter in state.quarters) == pytest.approx(state.totals.existing_ever)
    same = """SELECT count(*) FROM person_values v JOIN profiles p ON p.person = v.person
        WHERE v.existing_365d <> p.spend_365d OR v.existing_ever <> p.spend_ever"""
    assert one(pond, same) == 0
    assert one(pond, "SELECT count(*) FROM person_values WHERE potential_low > potential_high") == 0
    assert one(pond, "SELECT count(*) FROM person_values WHERE alive IS NULL") == one(
        pond, "SELECT count(*) FROM profiles WHERE visit_days_ever = 1"
    )
    brand, milk = queries.models(pond, state.version)
    assert (brand.category, milk.category) == (None, "milk")
    assert brand.test is not None
    assert brand.test.predicted_orders == pytest.approx(brand.test.actual_orders, rel=0.35)
    assert sum(decile.persons for decile in brand.test.deciles) == brand.test.persons
    assert brand.expected == pytest.approx(state.totals.potential, abs=5)


def test_models_are_fitted_rarely_and_persons_scored_every_day(pond: Warehouse) -> None:
    assert services.turn(pond) is not None
    assert services.turn(pond) is None
    for days, fitted in ((1, False), (8, True)):
        rebuild(pond, NOW + timedelta(days=days), zone="UTC")
        report = services.turn(pond)
        assert report is not None
        assert report.fitted is fitted
    decide(horizon_days=180)
    report = services.turn(pond)
    assert report is not None
    assert report.fitted, "the settings changed"


class Meanwhile:
    """A warehouse in which another process does something just before the first write."""

    def __init__(self, inner: Warehouse, act: Any) -> None:
        self.inner, self.act = inner, act

    def query(self, statement: Statement) -> Any:
        return self.inner.query(statement)

    def write(self, statements: Any, *, unless: Statement | None = None) -> bool:
        act, self.act = self.act, None
        if act is not None:
            act()
        return self.inner.write(statements, unless=unless)


def test_two_at_once_leave_one_version(pond: Warehouse) -> None:
    pond.write([insert("fact_scopes", [{"person": 5, "node": 7}])])
    other: list[Any] = []
    mine = services.bring(Meanwhile(pond, lambda: other.append(services.bring(pond))), fit=False)  # type: ignore[arg-type]
    assert other[0].version != mine.version
    state = stands(pond)
    assert state.version == mine.version
    for table in ("person_values", "value_models", "value_quarters"):
        assert one(pond, f"SELECT count(DISTINCT version) FROM {table}") == 1
    assert not mine.fitted, "the other's models were fitted a moment before"


def test_rows_of_a_version_that_is_not_named_are_not_read(pond: Warehouse) -> None:
    services.bring(pond)
    before = queries.worth_of(pond, OWNER, PersonId(5))
    pond.write([Statement("INSERT INTO person_values SELECT * REPLACE (version + 1 AS version) FROM person_values")])
    assert queries.worth_of(pond, OWNER, PersonId(5)) == before
    services.bring(pond)
    assert one(pond, "SELECT count(*) FROM person_values") == 400, "what a killed one left is gone"


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (Cannot.FEW_REPEATERS, {"least_repeaters": 5000}),
        (Cannot.SHORT_HISTORY, {"horizon_days": 700}),
    ],
)
def test_who_cannot_be_told_has_no_number(pond: Warehouse, why: Cannot, said: dict[str, object]) -> None:
    decide(**said)
    services.bring(pond)
    assert one(pond, "SELECT count(*) FROM person_values WHERE cannot = $why", why=why.value) == 400
    blank = "potential, potential_low, potential_high, alive, churn, expected_orders"
    assert one(pond, f"SELECT count(*) FROM person_values WHERE coalesce({blank}) IS NOT NULL") == 0
    found = queries.worth_of(pond, OWNER, PersonId(1))
    assert found is not None
    assert (found.cannot, found.potential, found.existing_ever > 0) == (why, None, True)


def test_identical_purchases_tell_nothing(pond: Warehouse, grocers: dict[int, Any]) -> None:
    same = {person: [(day, Decimal(10)) for day, _ in times] for person, times in grocers.items()}
    pond.write(put(same, NOW, DAYS))
    rebuild(pond, NOW, zone="UTC")
    services.bring(pond)
    state = stands(pond)
    assert state.totals.told == 0
    assert queries.models(pond, state.version)[0].cannot is Cannot.IDENTICAL


@pytest.mark.long
def test_a_model_that_was_far_off_before_is_silent(pond: Warehouse, grocers: dict[int, Any]) -> None:
    shut = {person: [one for one in times if one[0] < DAYS - 95] or times[:1] for person, times in grocers.items()}
    pond.write(put(shut, NOW, DAYS))  # the shop shut three months ago, which no model of single persons can know
    rebuild(pond, NOW, zone="UTC")
    services.bring(pond)
    state = stands(pond)
    brand = queries.models(pond, state.version)[0]
    assert brand.cannot is Cannot.WRONG_BEFORE
    assert brand.test is not None
    assert brand.test.off > 1


def test_whom_somebody_brought_counts_once_and_merged_persons_as_one(pond: Warehouse) -> None:
    def invite(number: int, newcomer: int, inviter: int) -> dict[str, object]:
        return {
            "event_id": str(number),
            "person": newcomer,
            "inviter": inviter,
            "at": naive(NOW - timedelta(50 - number)),
        }

    told = [invite(1, 2, 1), invite(2, 3, 2), invite(3, 3, 1), invite(4, 1, 3), invite(5, 4, 900), invite(6, 6, 5)]
    merged = [{"birth": 900, "survivor": 1}]
    pond.write([insert("invites", told), insert("person_overrides", merged)])
    services.bring(pond)

    def worth(person: int) -> Decimal:
        sql = "SELECT existing_ever + coalesce(potential, 0) FROM person_values WHERE person = $person"
        return Decimal(one(pond, sql, person=person))

    first = queries.worth_of(pond, OWNER, PersonId(1))
    assert first is not None
    assert (first.brought, first.brought_all) == (2, 3)  # 2 and 4; and 3 by 2. That 3 brought 1 closes a ring
    assert first.model_one == worth(2) + worth(4)
    assert first.model_tree == worth(2) + worth(4) + worth(3)
    state = stands(pond)
    assert (state.totals.inviters, state.totals.brought) == (3, 4)
    assert state.totals.model_one == pytest.approx(float(worth(2) + worth(3) + worth(4) + worth(6)))


def test_a_viewer_sees_the_values_of_those_in_scope(pond: Warehouse) -> None:
    pond.write([insert("fact_scopes", [{"person": person, "node": 7} for person in range(1, 41)])])
    services.bring(pond)
    store = Viewer("guide", RoleName.MANAGER, frozenset({NodeId(7)}))
    totals, tenths = queries.totals_of(pond, store)
    assert (totals.persons, sum(tenth.persons for tenth in tenths)) == (40, 40)
    sql = "SELECT sum(potential) FROM person_values WHERE person <= 40"
    assert totals.potential == pytest.approx(float(one(pond, sql)))
    assert queries.worth_of(pond, store, PersonId(40)) is not None
    with pytest.raises(NotFound):
        queries.worth_of(pond, store, PersonId(41))


def cut(cents: Decimal) -> Decimal:
    return cents.quantize(Decimal("0.01"))


def test_margin_counts_where_enough_costs_are_known_and_spend_where_they_are_not(
    warehouse: Warehouse, grocers: dict[int, Any], db: None
) -> None:
    """Costs of the persons up to 350 of 400 are known: seven eighths of orders."""
    warehouse.write(
        put(grocers, NOW, DAYS, cost=lambda who, amount: cut(amount * Decimal("0.6")) if who <= 350 else None)
    )
    warehouse.write([insert("fact_scopes", [{"person": who, "node": 7} for who in range(1, 41)])])
    rebuild(warehouse, NOW, zone="UTC")
    decide(categories=1, known_from=0.8)
    services.bring(warehouse)
    state = stands(warehouse)
    sql = "SELECT sum(costed_365d) / sum(spend_365d) FROM profiles"
    assert state.measure is Measure.MARGIN
    assert (state.basis.known, state.basis.by_category) == (pytest.approx(float(one(warehouse, sql))), 0)
    assert state.basis.rate == pytest.approx(0.4, abs=0.001)
    exact = "SELECT count(*) FROM person_values v JOIN profiles p USING (person) WHERE v.existing_ever <> p.margin_ever"
    assert one(warehouse, exact) == 0, "what is known is exact"
    rest = "SELECT sum(v.existing_ever) / sum(p.spend_ever) FROM person_values v JOIN profiles p USING (person) "
    assert float(one(warehouse, rest + "WHERE v.person > 350")) == pytest.approx(0.4, abs=0.002)
    milk = queries.models(warehouse, state.version)[1]
    assert milk.rate == pytest.approx(0.4, abs=0.001)

    here = queries.quarters_at(warehouse, OWNER, NodeId(7))
    within = "SELECT sum(existing_ever) FROM person_values WHERE person <= 40"
    assert sum(quarter.amount for quarter in here) == pytest.approx(float(one(warehouse, within)))
    assert sum(quarter.amount for quarter in queries.quarters_at(warehouse, OWNER)) == pytest.approx(
        state.totals.existing_ever
    )
    with pytest.raises(NotFound):
        queries.quarters_at(warehouse, Viewer("guide", RoleName.MANAGER, frozenset({NodeId(8)})), NodeId(7))
    for who in (1, 400):
        births = pa.table({"person": pa.array([who], pa.int64())})
        worth = queries.worth_of(warehouse, OWNER, PersonId(who))
        assert worth is not None
        mine = queries.quarters_of(warehouse, births, state, most=100)
        assert sum(quarter.amount for quarter in mine) == pytest.approx(float(worth.existing_ever))

    decide(categories=1, known_from=0.95)
    services.bring(warehouse)
    assert stands(warehouse).measure is Measure.SPEND
    assert stands(warehouse).basis.known == state.basis.known, "and it is said how much is known"
    decide(categories=1, known_from=0.95, margins={"categories": {"milk": 0.2}})
    services.bring(warehouse)
    told = stands(warehouse)
    assert (told.measure, told.basis.known) == (Measure.MARGIN, pytest.approx(1))
    assert float(one(warehouse, rest + "WHERE v.person > 350")) == pytest.approx(0.2, abs=0.002)


def test_a_quarter_in_which_nothing_came_is_drawn_as_nothing() -> None:
    found = without_gaps([Quarter(2025, 3, 5.0, 1), Quarter(2026, 1, 7.0, 2)], date(2026, 6, 30))
    assert [(one.year, one.quarter, one.amount) for one in found] == [
        (2025, 3, 5.0), (2025, 4, 0.0), (2026, 1, 7.0), (2026, 2, 0.0),
    ]  # fmt: skip
    assert without_gaps([], date(2026, 6, 30)) == []


def test_a_category_tells_its_interval_by_its_own_model_and_none_by_a_share(pond: Warehouse) -> None:
    size = {"category": "milk", "yearly_per_buyer": 1, "source": "Household panel 2025"}
    save_document(from_data({"kind": "category_size", "name": "milk", "title": TITLE, **size}), "test")
    births = pa.table({"person": pa.array([2], pa.int64())})
    for categories in (1, 0):
        decide(categories=categories)
        services.bring(pond)
        worth = queries.worth_of(pond, OWNER, PersonId(2))
        assert worth is not None
        assert worth.potential is not None
        assert worth.potential_low is not None
        (milk,) = queries.categories_of(pond, births, worth, stands(pond))
        assert milk.expected == pytest.approx(float(worth.potential), rel=0.02), "they bought nothing but milk"
        assert milk.wallet == 1, "who spends more than a buyer spends leaves nothing to others"
        if categories:
            assert milk.low == pytest.approx(float(worth.potential_low), rel=0.1, abs=1)
            assert milk.high is not None
            assert milk.low is not None
            assert milk.low <= milk.expected <= milk.high
        else:
            assert (milk.own, milk.low, milk.high) == (False, None, None)


@pytest.mark.long
def test_margins_count_what_is_left(pond: Warehouse) -> None:
    services.bring(pond)
    spend = stands(pond)
    decide(categories=1, margins={"otherwise": 0.5, "categories": {"milk": 0.2}})
    services.bring(pond)
    margin = stands(pond)
    assert margin.measure is Measure.MARGIN
    assert margin.totals.existing_ever == pytest.approx(0.2 * spend.totals.existing_ever, rel=1e-3)
    assert margin.totals.potential == pytest.approx(0.2 * spend.totals.potential, rel=1e-2)
    assert queries.models(pond, margin.version)[1].expected == pytest.approx(
        0.2 * float(spend.totals.potential), rel=1e-2
    )


def test_a_share_of_wallet_is_told_where_the_size_is_known(pond: Warehouse) -> None:
    services.bring(pond)
    bare = stands(pond)
    assert bare.wallets == ()
    size = {"category": "milk", "yearly_per_buyer": 5000, "source": "Household panel 2025"}
    save_document(from_data({"kind": "category_size", "name": "milk", "title": TITLE, **size}), "test")
    assert services.turn(pond) is not None
    state = stands(pond)
    (wallet,) = state.wallets
    spend = one(pond, "SELECT sum(spend_365d) / count(*) FROM profiles WHERE orders_365d > 0")
    assert wallet.share == pytest.approx(float(spend) / 5000)


def test_nothing_is_told_before_profiles_stand(warehouse: Warehouse, db: None) -> None:
    warehouse.write([Statement("DELETE FROM profile_state")])
    assert services.turn(warehouse) is None
    with pytest.raises(Refused):
        services.bring(warehouse)

"""Super-users: who they are against the naive oracle, for whom one may see; a membership by a calculation by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count
from typing import Any

import numpy as np
import pytest
from django.test import Client

from tests.layers.conftest import AS_OF, manager, tables_of
from tests.segments.oracle import Oracle
from tests.segments.worlds import ZONE, Pond
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import insert
from yutang.documents.queries import versions
from yutang.documents.services import save_document
from yutang.kernel.documents import from_data
from yutang.kernel.errors import BadDocument
from yutang.layers import super_users
from yutang.layers.documents import Membership, SuperUsersDocument
from yutang.layers.membership import Expected, fees
from yutang.organisation.contracts import RoleName
from yutang.organisation.models import User
from yutang.organisation.queries import OWNER
from yutang.organisation.services import add_user
from yutang.profiles.values.contracts import BackTest, Cannot, Measure, ModelFacts, Totals, ValueState
from yutang.segments import queries
from yutang.segments.documents import SegmentDocument
from yutang.segments.queries import context
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.current import install_warehouse

RULES: dict[str, Any] = {
    "repeat": {"trait": "orders_365d", "at_least": 4},
    "spend": {"trait": "spend_365d", "at_least": 80},
    "loyalty": {"trait": "days_since_last_visit", "at_most": 25},
}


def document(**more: Any) -> SuperUsersDocument:
    data = {"kind": "super_users", "name": "default", "title": {"zh": "超级", "en": "Super"}, **RULES, **more}
    found = from_data(data)
    assert isinstance(found, SuperUsersDocument)
    return found


@pytest.mark.django_db
def test_they_are_those_whom_the_rules_name(warehouse: Warehouse, pond: Pond, stores: dict[str, int]) -> None:
    oracle = Oracle(pond, AS_OF, ZONE, {})
    signs = {person: {name for name, rule in RULES.items() if oracle.holds(rule, person)} for person in pond.persons}
    for chosen, must, needed in (
        (document(needed=3), {"repeat", "spend"}, 3),
        (document(must=["spend"]), {"spend"}, 2),
    ):
        expected = {person for person, mine in signs.items() if must <= mine and len(mine) >= needed}
        assert 0 < len(expected) < 40
        total, rows = super_users.listed(warehouse, OWNER, chosen, limit=100)
        assert {row["person"] for row in rows} == expected
        assert total == len(expected)
        spends = [row["spend_365d"] for row in rows]
        assert spends == sorted(spends, reverse=True)
        found = super_users.counts(warehouse, OWNER, chosen)
        assert found.signs == {name: sum(name in mine for mine in signs.values()) for name in RULES}
        assert found.persons == len(expected)
        assert found.spend == pytest.approx(float(sum(spends)))
        assert found.reachable == sum(person % 3 == 0 for person in expected)
        mine = super_users.listed(warehouse, manager(stores["s8"]), chosen, limit=100)[1]
        assert {row["person"] for row in mine} == {person for person in expected if person % 3 == 1}
    only = super_users.listed(warehouse, OWNER, document(), sign="loyalty", reachable=True)[1]
    assert all(row["loyalty"] and row["reachable"] for row in only)
    assert super_users.listed(warehouse, manager(), document()) == (0, [])
    names = ("profiles", "facts", "fact_ways", "fact_scopes")
    query = super_users.everybody(document(), OWNER, context(warehouse))
    assert assert_equal_on_both_engines(Statement(query), tables_of(warehouse, *names)).num_rows == 40


def expected(value: Any, off: float = 0.0, margin: float | None = None, spread: float = 0.0) -> Expected:
    """People whose values are known to so many standard errors either way."""
    found = np.asarray(value, np.float64)
    return Expected(found, found - 1.2815515655446004 * spread, found + 1.2815515655446004 * spread, off, margin)


def test_a_fee_is_worked_out_as_by_hand() -> None:
    of = expected([400.0] * 30 + [2000.0] * 20, off=0.1, spread=50.0)
    plan = Membership(fees=(20, 60), uplift=0.2, margin=0.4, benefit=0.05, cost=5)
    found = fees(of, 3, plan)
    low, high = found.rows
    assert (found.told, found.untold, found.why) == (50, 3, "")
    assert (low.invited, high.invited, low.least, high.least) == (50, 20, 400.0, 1200.0)
    assert high.spend is not None
    assert high.spend.value == 2000
    error = 1.959963984540054 * ((50 / 20**0.5) ** 2 + (0.1 * 2000) ** 2) ** 0.5
    assert (high.spend.low, high.spend.high) == pytest.approx((2000 - error, 2000 + error))
    assert high.each is not None
    assert high.each.value == pytest.approx(60 + 0.2 * 0.4 * 2000 - 0.05 * 1.2 * 2000 - 5)
    assert high.each.high == pytest.approx(60 + 0.2 * 0.4 * (2000 + error) - 0.05 * 1.2 * (2000 + error) - 5)
    assert low.together is not None
    assert low.each is not None
    assert low.together.value == pytest.approx(50 * low.each.value)
    assert low.needed_uplift is not None
    mean, needed = 1040.0, low.needed_uplift.value
    assert 20 + needed * 0.4 * mean - 0.05 * (1 + needed) * mean - 5 == pytest.approx(0)
    assert found.least is not None
    assert found.least.value == pytest.approx(0.05 * 1.2 * mean - 0.2 * 0.4 * mean + 5)
    assert found.best is not None
    assert found.best.fee == 60
    assert fees(expected([400.0] * 9), 0, plan).why == "few"


def test_values_in_margin_are_spend_times_what_is_left_of_it() -> None:
    spend = np.linspace(100, 3000, 40)
    plan = Membership(fees=(60,), uplift=0.2, margin=0.4, benefit=0.05, cost=5)
    for left in (0.25, 0.03):  # of which more is given back than is earned, in the second
        of = expected(spend * left, off=0.1, margin=left)
        by_margin = fees(of, 0, plan).rows[0]
        by_spend = fees(expected(spend, off=0.1), 0, plan.model_copy(update={"margin": left})).rows[0]
        assert by_margin.invited == by_spend.invited == int((spend >= 1200).sum())
        assert by_margin.each is not None
        assert by_spend.each is not None
        assert by_margin.each.value == pytest.approx(by_spend.each.value)
        assert (by_margin.needed_uplift is None) == (left < plan.benefit)


def test_the_interval_covers_what_people_then_spend() -> None:
    rng, plan = np.random.default_rng(5), Membership(fees=(1,), uplift=0.2, margin=0.4, benefit=0.05, cost=5)
    value = rng.gamma(2, 500, 120) + 100
    row = fees(expected(value, off=0.03, spread=200.0), 0, plan).rows[0]
    assert row.spend is not None
    spent = [(value * (1 + rng.normal(0, 0.03)) + rng.normal(0, 200.0, 120)).mean() for _ in range(400)]
    covered = sum(row.spend.low <= one <= row.spend.high for one in spent)
    assert 368 <= covered <= 392


@pytest.mark.django_db
def test_whom_a_fee_serves_is_a_segment_and_silence_says_why(warehouse: Warehouse, stores: dict[str, int]) -> None:
    free = document(needed=2, must=["spend"], membership={"fees": [1, 3, 500], "benefit": 0.05})
    assert super_users.membership(warehouse, OWNER, free).why == "unscored"
    everybody = super_users.listed(warehouse, OWNER, free, limit=100)[1]
    assert len(everybody) > 10
    for horizon, cannot, off, why in (
        (365, None, 0.05, ""),
        (200, None, 0.05, "horizon"),
        (365, Cannot.FEW_REPEATERS, 0.05, "few_repeaters"),
        (365, None, None, "untried"),
    ):
        score(warehouse, {row["person"]: float(row["spend_365d"]) for row in everybody[1:]}, horizon, cannot, off)
        found = super_users.membership(warehouse, OWNER, free)
        assert found.why == why
    score(warehouse, {row["person"]: float(row["spend_365d"]) for row in everybody[1:]}, 365, None, 0.05)
    found = super_users.membership(warehouse, OWNER, free)
    assert (found.told, found.untold) == (len(everybody) - 1, 1)
    for row in found.rows:
        assert row.least is not None
        served = {one["person"] for one in everybody[1:] if one["spend_365d"] * 5 >= row.fee * 100}
        segment = super_users.invited(free, row.fee, row.least)
        members = queries.members(warehouse, OWNER, segment, limit=100)["person"].to_pylist()
        assert set(members) == served
        assert row.invited == len(served)
        assert (row.each is None) == (len(served) < 10)
    assert found.rows[0].invited > 10 > found.rows[-1].invited
    mine = super_users.membership(warehouse, manager(stores["s8"]), free)
    assert mine.why == "few"


@pytest.mark.django_db
def test_whom_to_invite_is_previewed_and_then_kept_once(warehouse: Warehouse, stores: dict[str, int]) -> None:
    free = document(needed=2, must=["spend"], membership={"fees": [1.5], "benefit": 0.05})
    save_document(free, "owner")
    everybody = super_users.listed(warehouse, OWNER, free, limit=100)[1]
    score(warehouse, {row["person"]: float(row["spend_365d"]) for row in everybody}, 365, None, 0.05)
    row = super_users.membership(warehouse, OWNER, free).rows[0]
    add_user("owner", "correct horse battery", RoleName.OWNER)
    add_user("keeper", "correct horse battery", RoleName.MANAGER, "s8")
    install_warehouse(warehouse)
    try:
        client, theirs = Client(), Client()
        for one, name in ((client, "owner"), (theirs, "keeper")):
            one.force_login(User.objects.get(username=name), "allauth.account.auth_backends.AuthenticationBackend")
        address = "/layers/super-users/invite/"
        assert f"{address}?fee=1.5" in client.get("/layers/super-users/").content.decode()
        page = client.get(f"{address}?fee=1.5").content.decode()
        assert f'<div class="figure">{row.invited}</div>' in page
        assert page.count('class="mark"') == min(sum(not one["reachable"] for one in everybody), 20)
        assert client.get(f"{address}?fee=2").status_code == 404
        assert client.get(f"{address}?fee=nan").status_code == 404
        assert theirs.get(f"{address}?fee=1.5").status_code == 403
        assert theirs.post(address, {"fee": "1.5"}).status_code == 403
        for _ in range(2):
            assert client.post(address, {"fee": "1.5"}).headers["Location"] == "/segments/of/member_fee_1_5/"
        assert len(versions(SegmentDocument, "member_fee_1_5")) == 1
        kept = queries.segment_named("member_fee_1_5")
        assert queries.count(warehouse, OWNER, kept) == row.invited
    finally:
        install_warehouse(None)


def score(
    warehouse: Warehouse, worth: dict[int, float], horizon: int, cannot: Cannot | None, off: float | None
) -> None:
    """Values as a scoring leaves them: who is worth what, by a model that was off by so much when it was tried."""
    test = None if off is None else BackTest(AS_OF.date(), 91, 40, 1 + off, 1, 1, 1, 1, 1, 0.8, ())
    model = ModelFacts(None, AS_OF, 40, 20, cannot, test=test)
    state = ValueState(next(VERSIONS), AS_OF, ZONE, AS_OF, "", Measure.SPEND, horizon, 0.0, 0, 0, Totals(), (), (), ())
    people = [
        {"version": state.version, "person": person, "potential": Decimal(str(value)), "existing_365d": Decimal(1),
         "potential_low": Decimal(str(value)) - 1, "potential_high": Decimal(str(value)) + 1}
        for person, value in worth.items()
    ]  # fmt: skip
    bodies = [{"version": state.version, "category": None, "body": json.dumps(model.as_data())}]
    kept = {"values": json.dumps(state.as_data()), "values_version": str(state.version)}
    warehouse.write(
        [
            *[Statement("DELETE FROM profile_state WHERE name = $name", {"name": name}) for name in kept],
            Statement("DELETE FROM person_values"),
            insert("profile_state", [{"name": name, "value": value} for name, value in kept.items()]),
            insert("person_values", people),
            insert("value_models", bodies),
        ]
    )


VERSIONS = count(1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"needed": 4}, "may ask only for signs"),
        ({"must": ["sharing"]}, "may ask only for signs"),
        ({"membership": {"margin": 0.05, "benefit": 0.05}}, "below margin"),
    ],
)
def test_a_wrong_document_is_refused_with_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        document(**wrong)

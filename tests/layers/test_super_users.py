"""Super-users: who they are against the naive oracle, for whom one may see; a membership by a calculation by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.layers.conftest import AS_OF, manager, tables_of
from tests.segments.oracle import Oracle
from tests.segments.worlds import ZONE, Pond
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from yutang.kernel.documents import from_data
from yutang.kernel.errors import BadDocument
from yutang.layers import super_users
from yutang.layers.documents import Membership, SuperUsersDocument
from yutang.layers.membership import best, fee_rows, least_fee
from yutang.organisation.queries import OWNER
from yutang.segments.queries import context
from yutang.warehouse.contracts import Statement, Warehouse

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
    names = ("profiles", "facts", "fact_relations", "fact_consents", "fact_scopes")
    query = super_users.everybody(document(), OWNER, context(warehouse))
    assert assert_equal_on_both_engines(Statement(query), tables_of(warehouse, *names)).num_rows == 40


def test_a_fee_is_worked_out_as_by_hand() -> None:
    spend = np.array([400.0] * 30 + [2000.0] * 20)
    plan = Membership(fees=(20, 60), uplift=0.2, margin=0.4, benefit=0.05, cost=5)
    low, high = fee_rows(spend, plan)
    assert (low.invited, high.invited) == (50, 20)
    assert high.each is not None
    assert high.each.value == pytest.approx(60 + 0.2 * 0.4 * 2000 - 0.05 * 1.2 * 2000 - 5)
    assert (high.each.low, high.each.high) == (high.each.value, high.each.value), "all spend alike"
    assert low.each is not None
    assert low.each.low < low.each.value < low.each.high
    assert low.together is not None
    assert low.together.value == pytest.approx(50 * low.each.value)
    assert low.needed_uplift is not None
    mean, needed = 1040.0, low.needed_uplift.value
    assert 20 + needed * 0.4 * mean - 0.05 * (1 + needed) * mean - 5 == pytest.approx(0)
    least = least_fee(spend, plan)
    assert least is not None
    assert least.value == pytest.approx(0.05 * 1.2 * mean - 0.2 * 0.4 * mean + 5)
    chosen = best([low, high])
    assert chosen is not None
    assert chosen.fee == 60
    assert fee_rows(spend[:9], plan)[0].each is None
    assert least_fee(spend[:9], plan) is None


def test_the_interval_covers_the_true_mean() -> None:
    rng, plan = np.random.default_rng(5), Membership(fees=(1,), uplift=0.2, margin=0.4, benefit=0.05, cost=5)
    true = 1 + (0.08 - 0.06) * 1000 - 5
    rows = [fee_rows(rng.gamma(2, 500, 120) + 0.0, plan)[0] for _ in range(200)]
    covered = sum(row.each is not None and row.each.low <= true <= row.each.high for row in rows)
    assert 176 <= covered <= 199


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

"""Whose friends count for a guide's trust, and whose do not; and the whole way from events to scores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.profiles.test_friends import AT, CHEN, LI, START, WANG, Word, events
from tests.review import trust_world
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import fresh_warehouse, insert, rows
from yutang.kernel.clock import business_clock
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.queries import OWNER, posts
from yutang.organisation.services import NewNode, NewSender, add_nodes, add_senders, set_up_brand
from yutang.profiles.friends import with_friendships
from yutang.review.trust_queries import SPANS, Kept, Standing, guides, judge, league, shipped_trust
from yutang.warehouse.contracts import Warehouse, named

NOW = START + timedelta(days=100)
SINCE = NOW - timedelta(days=365)
WROTE = {"event_id": "m", "type": "message.received", "props": "{}"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    opened = fresh_warehouse(tmp_path)
    yield opened
    opened.close()


def kept(warehouse: Warehouse, *words: Word) -> dict[int, Kept]:
    warehouse.write([insert("events", events(*words))])
    return {staff: one.kept for staff, one in judge(warehouse, shipped_trust(), AT, NOW).guides.items()}


def of(friends: int, lost: int, *shares: float | None) -> Kept:
    return Kept(friends, lost, tuple(pytest.approx(one) if one is not None else None for one in shares))


def test_friends_stay_by_kaplan_and_meier(warehouse: Warehouse) -> None:
    """Of eight, one leaves after 5 days; one of those six who are 20 days old and still there after 20; the youngest is
    followed for two days only, and says nothing of later ones."""
    words: list[Word] = [("+", person, WANG, 10) for person in range(1, 8)]
    words += [("+", 8, WANG, 98), ("-c", 1, WANG, 15), ("-m", 2, WANG, 30)]
    assert kept(warehouse, *words) == {WANG: of(8, 2, 1, 6 / 7, 5 / 7, 5 / 7)}


def test_who_was_handed_over_is_not_won_by_the_one_nor_lost_by_the_other(warehouse: Warehouse) -> None:
    words: list[Word] = [("+", person, WANG, 2) for person in range(1, 11)]
    words += [("-t", 1, WANG, 20), ("+", 1, LI, 20), ("-c", 1, LI, 22), ("-c", 2, WANG, 60)]
    assert kept(warehouse, *words) == {WANG: of(10, 1, 1, 1, 1, 8 / 9)}  # nine were still followed when one left


def test_deleted_by_either_side_is_lost_and_who_comes_back_is_not_won_again(warehouse: Warehouse) -> None:
    words: list[Word] = [("+", person, WANG, 2) for person in range(1, 7)]
    words += [("-c", 1, WANG, 4), ("-m", 2, WANG, 5), ("+", 1, WANG, 6), ("-c", 3, CHEN, 5), ("+", 3, CHEN, 9)]
    assert kept(warehouse, *words) == {WANG: of(6, 2, 1, 4 / 6, 4 / 6, 4 / 6)}


def test_two_accounts_of_one_person_are_one_friend(warehouse: Warehouse) -> None:
    warehouse.write([insert("person_overrides", [{"birth": 2, "survivor": 1}])])
    words: list[Word] = [("+", person, WANG, 2) for person in range(1, 8)]
    assert kept(warehouse, *words, ("-c", 2, WANG, 4)) == {WANG: of(6, 0, 1, 1, 1, 1)}


def test_of_few_friends_no_score_is_given(warehouse: Warehouse) -> None:
    warehouse.write([insert("events", events(*[("+", person, LI, 2) for person in range(1, 4)]))])
    found = judge(warehouse, shipped_trust(), AT, NOW).guides[LI]
    assert (found.standing, found.score) == (Standing.TOO_FEW, None)
    assert found.kept.shares == (None,) * 4  # of three, no share either


def counted(tables: dict[str, pa.Table]) -> dict[tuple[int, str], tuple[float, float]]:
    cohort = assert_equal_on_both_engines(
        with_friendships(named("review/trust_cohort", {"since": SINCE, "now": NOW}), AT), tables
    )
    both = {"cohort": cohort, "spans": pa.table(SPANS)}
    found = assert_equal_on_both_engines(named("review/trust_counts", {"now": NOW}, both), tables).to_pylist()
    return {(row["staff"], row["component"]): (row["observed"], row["expected"]) for row in found}


@pytest.mark.long
def test_what_is_expected_is_what_the_brand_sees_at_that_age_and_of_such_people() -> None:
    naive = START.replace(tzinfo=None)
    told: list[Word] = [("+", person, WANG, 2) for person in range(1, 5)] + [("+", person, LI, 2) for person in (5, 6)]
    told += [("-c", 1, WANG, 4), ("-t", 2, WANG, 4), ("+", 2, CHEN, 4), ("+", 7, CHEN, 9), ("-c", 7, CHEN, 9.5)]
    wrote = [
        {**WROTE, "person": person, "staff": staff, "occurred_at": naive + timedelta(days=day)}
        for person, staff, day in (
            (5, LI, 3),
            (6, LI, 50),
            (1, WANG, 5),
            (3, LI, 3),
        )  # 50: too late; 5: left; 3: not hers
    ]
    order = {"source": "till", "net_amount": Decimal(9)}
    sold = [
        {**order, "order_id": str(number), "person": person, "placed_at": naive + timedelta(days=day)}
        for number, (person, day) in enumerate(((5, -9), (5, 8), (3, 40), (4, 95), (2, 50)))
    ]
    tables = {
        "events": pa.concat_tables([events(*told), rows("events", *wrote)]),
        "orders": rows("orders", *sold),
    }
    found = counted(tables)
    assert {key: one[0] for key, one in found.items()} == {
        (WANG, "retention"): 1, (LI, "retention"): 0, (CHEN, "retention"): 1,
        (WANG, "replies"): 0, (LI, "replies"): 1, (CHEN, "replies"): 0,
        (WANG, "purchases"): 1, (LI, "purchases"): 1, (CHEN, "purchases"): 0,
    }  # fmt: skip
    # In all, what is expected is what happened; the only one who had bought before is compared with nobody else.
    for component in ("retention", "replies", "purchases"):
        sums = [sum(one[side] for key, one in found.items() if key[1] == component) for side in (0, 1)]
        assert sums[0] == pytest.approx(sums[1])
    assert found[LI, "purchases"][1] > 1  # one by who buys anyway, and something by the other
    places = pa.table({"staff": list(AT), "place": list(AT)})
    cohort = assert_equal_on_both_engines(
        with_friendships(named("review/trust_cohort", {"since": SINCE, "now": NOW}), AT), tables
    )
    stays = assert_equal_on_both_engines(
        named("review/trust_kept", {"now": NOW}, {"cohort": cohort, "places": places}), tables
    ).to_pylist()
    assert [(row["place"], row["friends"], row["lost"]) for row in stays] == [(WANG, 4, 1), (LI, 2, 0), (CHEN, 1, 1)]


def test_guides_of_known_effect_are_found_from_their_events(warehouse: Warehouse) -> None:
    world = trust_world.trust_world(1, guides=300)
    warehouse.write([insert(name, table) for name, table in world.tables.items()])
    found = judge(warehouse, shipped_trust(), world.at, trust_world.NOW).guides
    scored = [(found[one].score, true) for one, true in zip(world.at, world.truth, strict=True) if one in found]
    told = [(score, true) for score, true in scored if score is not None]
    from scipy.stats import spearmanr  # half a second to import

    rank = spearmanr([score.value for score, _ in told], [true for _, true in told]).statistic
    covered = np.mean([score.low <= true <= score.high for score, true in told])
    raw = [one.kept.shares[2] or 0 for one in found.values() if one.score is not None]
    naive = spearmanr(raw, [world.truth[one - 1] for one in found if found[one].score is not None]).statistic
    assert rank >= 0.8
    assert rank > naive + 0.15
    assert 0.85 <= covered <= 0.95


@pytest.mark.django_db
def test_a_viewer_sees_their_own_and_the_same_scores(warehouse: Warehouse) -> None:
    set_up_brand("鱼", "CNY", "Asia/Shanghai")
    places = add_nodes([NewNode("s1", "一店", NodeKind.STORE), NewNode("s2", "二店", NodeKind.STORE)])
    staff = [NewSender("s" + store, "导购", "wecom", "ww", f"g{store}") for store in "12"]
    senders = add_senders(staff)
    assert len(senders) == 2
    at = posts(OWNER)
    one, other = at
    told = events(*[("+", person, one, 80) for person in (1, 2, 3)], ("+", 9, other, 90), ("-c", 1, one, 99))
    order = {"source": "till", "order_id": "1", "person": 1, "placed_at": START + timedelta(days=99), "store": at[one]}
    warehouse.write([insert("events", told), insert("orders", [order])])
    with business_clock(NOW):
        far = Viewer("far", RoleName.MANAGER, frozenset({places["s2"]}))
        assert {row.staff for row in guides(warehouse, OWNER)} == {one, other}
        assert [row.staff for row in guides(warehouse, far)] == [other]
        first, second = league(warehouse, OWNER)
        assert (first.store, first.net.net, first.orders, first.friends_per_hundred_orders) == (at[one], 2, 1, 300)
        assert (second.net.net, second.friends_per_hundred_orders) == (1, None)
        assert [row.store for row in league(warehouse, far)] == [places["s2"]]

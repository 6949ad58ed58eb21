"""导购信任分: what it finds, what it does not say, and that its traps are none."""

from __future__ import annotations

import numpy as np
import pytest

from yutang.review.trust import Component, Counts, Rate, Score, scores

WEIGHTS = {Component.RETENTION: 0.4, Component.REPLIES: 0.2, Component.PURCHASES: 0.4}
SIGNS = np.array([-1.0, 1.0, 1.0])


def world(seed: int, guides: int, stores: int, friends: float = 60, spread: float = 0.4) -> tuple[Counts, np.ndarray]:
    draw = np.random.default_rng(seed)
    store = np.concatenate([np.arange(stores), draw.integers(0, stores, guides - stores)])
    truth = draw.normal(size=(guides, 1)) * 0.8 + draw.normal(size=(guides, 3)) * 0.6
    places = spread * draw.normal(size=(stores, 3))
    expected = np.exp(np.log(friends) + 0.9 * draw.normal(size=guides))[:, None] * np.array([0.3, 0.35, 0.3])
    rate = expected * np.exp(spread * truth * SIGNS + places[store])
    return Counts(store, draw.poisson(rate).astype(float), expected), truth @ np.array([0.4, 0.2, 0.4])


def ranks(values: list[float] | np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values))


def test_it_ranks_guides_as_they_are_and_covers() -> None:
    counts, truth = world(1, 300, 60)
    found = scores(counts, WEIGHTS)
    assert found is not None
    assert np.corrcoef(ranks([one.value for one in found]), ranks(truth))[0, 1] >= 0.8
    places = 100 * (ranks(truth) + 0.5) / len(truth)
    covered = np.mean([one.low <= place <= one.high for one, place in zip(found, places.tolist(), strict=True)])
    assert 0.85 <= covered <= 0.95


def test_a_guide_with_few_friends_is_shrunk_and_says_so() -> None:
    counts, _ = world(2, 100, 20)
    counts.expected[0], counts.observed[0] = (0.6, 0.7, 0.6), (0, 2, 2)  # nobody left, all bought: of two friends
    counts.expected[1], counts.observed[1] = (60, 70, 60), (20, 140, 120)  # the same, of two hundred
    found = scores(counts, WEIGHTS)
    assert found is not None
    assert not found[0].above
    assert found[1].above
    assert found[1].high - found[1].low < (found[0].high - found[0].low) / 2


def test_a_good_location_is_not_a_good_guide() -> None:
    """Every guide of half the stores has a third of the losses: that is where their customers live."""
    draw = np.random.default_rng(3)
    store = np.repeat(np.arange(40), 5)
    expected = np.full((200, 3), 40.0)
    location = np.where(store < 20, np.log(1 / 3), 0.0)[:, None] * np.array([1.0, 0, 0])
    own = 0.3 * draw.normal(size=(200, 3))
    counts = Counts(store, draw.poisson(expected * np.exp(location + own)).astype(float), expected)
    found = scores(counts, {Component.RETENTION: 1.0})
    assert found is not None
    value = np.array([one.value for one in found])
    good, other = value[store < 20].mean(), value[store >= 20].mean()
    assert abs(good - other) < 12
    naive = -counts.observed[:, 0] / counts.expected[:, 0]
    assert (
        np.corrcoef(ranks(naive), ranks(-own[:, 0]))[0, 1]
        < np.corrcoef(ranks([one.value for one in found]), ranks(-own[:, 0]))[0, 1]
    )


def test_guides_that_do_not_differ_are_not_ranked() -> None:
    draw = np.random.default_rng(4)
    expected = np.full((80, 3), 50.0)
    found = scores(Counts(np.arange(80) // 4, draw.poisson(expected).astype(float), expected), WEIGHTS)
    assert found is None or not any(one.above or one.below for one in found)


@pytest.mark.parametrize("guides", [1, 7])
def test_of_too_few_guides_nothing_is_said(guides: int) -> None:
    counts, _ = world(5, guides, 1)
    assert scores(counts, WEIGHTS) is None


@pytest.mark.parametrize("stores", [1, 2])
def test_one_or_two_stores_compare_guides_within_each(stores: int) -> None:
    counts, truth = world(6, 24, stores, friends=300)
    found = scores(counts, WEIGHTS)
    assert found is not None
    inside = [
        np.corrcoef([found[g].value for g in np.flatnonzero(counts.store == s)], truth[counts.store == s])[0, 1]
        for s in range(stores)
    ]
    assert min(inside) > 0.7


def test_a_component_without_data_and_one_without_weight_count_for_nothing() -> None:
    counts, _ = world(7, 60, 12)
    silent = Counts(counts.store, counts.observed * [1, 0, 1], counts.expected * [1, 0, 1])
    found = scores(silent, WEIGHTS)
    assert found is not None
    assert set(found[0].parts) == {Component.RETENTION, Component.PURCHASES}
    alone = scores(counts, {Component.RETENTION: 3.0})
    assert alone is not None
    same = scores(counts, {Component.RETENTION: 0.1, Component.REPLIES: 0, Component.PURCHASES: 0})
    assert same is not None
    assert [one.value for one in alone] == pytest.approx([one.value for one in same])  # proportions alone matter


def test_a_guide_of_whom_nothing_happened_stands_in_the_middle_with_the_widest_interval() -> None:
    counts, _ = world(8, 50, 10)
    counts.expected[0], counts.observed[0] = 0, 0
    found = scores(counts, WEIGHTS)
    assert found is not None
    widest = max(found, key=lambda one: one.high - one.low)
    assert widest is found[0]
    assert found[0].value == pytest.approx(50)


def test_the_order_of_guides_does_not_matter() -> None:
    counts, _ = world(9, 40, 8)
    turned = Counts(counts.store[::-1].copy(), counts.observed[::-1].copy(), counts.expected[::-1].copy())
    one, other = scores(counts, WEIGHTS), scores(turned, WEIGHTS)
    assert one is not None
    assert other is not None
    assert [row.value for row in one] == pytest.approx([row.value for row in other[::-1]], abs=1e-6)


def test_the_ends_of_a_score_say_whether_it_is_sure() -> None:
    rate = {Component.RETENTION: Rate(1, 0.9, 1.1)}
    assert Score(80, 60, 93, rate).above
    assert Score(20, 5, 40, rate).below
    unclear = Score(60, 40, 80, rate)
    assert not unclear.above
    assert not unclear.below

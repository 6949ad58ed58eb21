"""What makes somebody look like others: weights by hand, the area by counting pairs, its interval by drawing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.segments.worlds import segment
from yutang.kernel.errors import BadDocument
from yutang.segments.likeness import FEWEST, Bands, Cells, Model, Weight, area_under, fitted, separation

BANDS = [Bands("orders_365d", (100.0, 150.0, 300.0)), Bands("lifecycle", (), ("prospect", "new"))]


def cells(*rows: tuple[int, int, bool, int, int]) -> Cells:
    first, second, seed, fold, count = (np.array(column) for column in zip(*rows, strict=True))
    return Cells(np.array([first, second]), seed.astype(bool), fold, count)


def test_weights_and_cutoff_by_hand() -> None:
    found = cells((4, 2, True, 0, 6), (1, 2, True, 1, 2), (4, 2, False, 2, 1), (2, 2, False, 3, 3), (1, 1, False, 4, 6))
    model, room = fitted(BANDS, found, 2)
    of_orders = [math.log((s + 1) / 13) - math.log((r + 1) / 15) for s, r in ((0, 0), (2, 6), (0, 3), (0, 0), (6, 1))]
    of_lifecycle = [math.log((s + 1) / 11) - math.log((r + 1) / 13) for s, r in ((0, 0), (0, 6), (8, 4))]
    assert model.weights == (
        tuple(round(1000 * one) for one in of_orders),
        tuple(round(1000 * w) for w in of_lifecycle),
    )
    best = model.weights[0][4] + model.weights[1][2]
    assert model.weights[0][2] + model.weights[1][2] < 0 < best, "the three others are not like them"
    assert (model.seed, model.others, model.cutoff, room) == (8, 10, 0, 0)
    crowd, room = fitted(BANDS, cells((4, 2, True, 0, 6), (4, 2, False, 2, 9), (1, 1, False, 4, 60)), 5)
    assert (crowd.cutoff, room) == (crowd.weights[0][4] + crowd.weights[1][2], 5), (
        "of nine equals there is room for five"
    )
    nobody, _ = fitted(BANDS, cells((4, 2, False, 2, 9)), 5)
    assert (nobody.bands, nobody.others) == ((), 9)


def test_what_weighs_most_comes_first_with_the_ends_of_its_band() -> None:
    model = Model(tuple(BANDS), ((5, -10, 30, 40, 50), (0, -700, 1)))
    assert model.weigh({"orders_365d": 1.5, "lifecycle": "prospect"}) == [
        Weight("lifecycle", "prospect", None, None, -700),
        Weight("orders_365d", 1.5, 1.0, 1.5, 30),
    ]
    unknown = model.weigh({"orders_365d": None, "lifecycle": None})
    assert [(one.trait, one.thousandths) for one in unknown] == [("orders_365d", 5), ("lifecycle", 0)]
    assert Weight("orders_365d", 1, None, None, 693).times == pytest.approx(2, rel=1e-3)


def test_the_area_counts_pairs_and_its_interval_covers() -> None:
    dice = np.random.default_rng(7)
    inside, outside = dice.integers(2, 12, 60), dice.integers(0, 10, 90)
    pairs = (inside[:, None] > outside) + (inside[:, None] == outside) / 2
    area, variance = area_under(inside, np.ones(60, int), outside, np.ones(90, int))
    assert area == pytest.approx(pairs.mean())
    by_hand = pairs.mean(1).var(ddof=1) / 60 + pairs.mean(0).var(ddof=1) / 90
    assert variance == pytest.approx(by_hand)
    grouped = area_under(*np.unique(inside, return_counts=True), *np.unique(outside, return_counts=True))
    assert grouped == pytest.approx((area, variance))
    drawn = [_area(dice) for _ in range(2000)]
    covered = np.mean([abs(one - 0.7602499) < 1.959964 * math.sqrt(spread) for one, spread in drawn])  # Φ(1/√2)
    assert 0.93 < covered < 0.97


def _area(dice: np.random.Generator) -> tuple[float, float]:
    scored = [np.rint(1000 * (dice.normal(size=n) + shift)).astype(int) for n, shift in ((80, 1), (200, 0))]
    return area_under(scored[0], np.ones(80, int), scored[1], np.ones(200, int))


def test_traits_that_tell_nothing_separate_nobody_and_few_cannot_be_told() -> None:
    dice = np.random.default_rng(3)

    def drawn(n: int, shift: int) -> list[tuple[int, int, bool, int, int]]:
        return [(int(dice.integers(1, 4)) + shift, 2, bool(shift), k % 5, 1) for k in range(n)]

    nothing = [(int(dice.integers(1, 5)), int(dice.integers(1, 3)), k % 3 == 0, k % 5, 1) for k in range(3000)]
    told = separation(BANDS, cells(*nothing))
    assert told.low is not None
    assert told.high is not None
    assert told.low < 0.5 < told.high < told.low + 0.08
    some = separation(BANDS, cells(*drawn(400, 0), *drawn(FEWEST, 1)))
    assert some.low is not None
    assert some.low > 0.6
    few = separation(BANDS, cells(*drawn(400, 0), *drawn(FEWEST - 1, 1)))
    assert (few.area, few.low, few.high) == (None, None, None)


def test_beside_the_area_stands_what_the_traits_give_for_which_the_seed_does_not_ask() -> None:
    dice = np.random.default_rng(4)
    rows = [(int(dice.integers(1, 5)), 2 if k % 3 else 1, k % 3 == 0, k % 5, 1) for k in range(900)]
    whole, _ = fitted(BANDS, cells(*rows), 50, ("lifecycle",))
    assert (whole.separation.area, whole.asked) == (1.0, ("lifecycle",)), "the rule itself told them apart"
    assert whole.beyond == separation(BANDS[:1], replace(cells(*rows), band=cells(*rows).band[:1]))
    assert whole.beyond.low is not None
    assert whole.beyond.low < 0.5 < whole.beyond.high < 0.56  # type: ignore[operator]
    for asked in ((), ("orders_365d", "lifecycle")):
        assert fitted(BANDS, cells(*rows), 50, asked)[0].beyond.area is None


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ({"segment": "a", "traits": ["home_store"]}, "found alike"),
        ({"segment": "a", "share": 0.1, "top": 5}, "either share or top"),
        ({"segment": "a", "share": 0.9}, "0.5"),
        ({"traits": ["orders_ever"]}, "segment"),
    ],
)
def test_a_likeness_that_may_not_be_is_refused(rule: dict[str, Any], hint: str) -> None:
    with pytest.raises(BadDocument, match=hint):
        segment({"looks_like": rule})

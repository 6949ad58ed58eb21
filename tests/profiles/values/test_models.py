"""The models are the published ones, hold where the published forms overflow, and say how sure they are."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import hyp2f1

from tests.profiles.values.pools import CHARACTERS, draw
from yutang.profiles.values import bgnbd, gammagamma
from yutang.profiles.values.bgnbd import BgNbd, Histories
from yutang.profiles.values.gammagamma import GammaGamma, Spends
from yutang.profiles.values.predictive import Model, Persons

WEEK = 7.0


def cdnow() -> dict[str, Any]:
    """The columns of the file beside."""
    with (Path(__file__).parent / "cdnow.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    return cdnow()


def test_bgnbd_on_cdnow_gives_the_published_estimates(sample: dict[str, Any]) -> None:
    """Fader, Hardie & Lee 2005, table 2."""
    histories = Histories.of(sample["x"], sample["t_x"] / WEEK, sample["T"] / WEEK, sample["n"])
    assert (histories.persons, histories.repeaters) == (2357, 946)
    found = bgnbd.fit(histories)
    assert [f"{value:.3f}" for value in found.params] == ["0.243", "4.414", "0.793", "2.426"]
    assert f"{found.log_likelihood:.1f}" == "-9582.4"
    assert found.converged
    assert all(0 < error < value for error, value in zip(found.errors, found.params, strict=True))


def test_gamma_gamma_on_cdnow_gives_the_published_estimates(sample: dict[str, Any]) -> None:
    """Fader & Hardie 2013, section 5: the 946 who came again."""
    spends = Spends.of(sample["x"], sample["cents"] / 100 / np.maximum(sample["x"], 1), sample["n"])
    assert spends.persons == 946
    found = gammagamma.fit(spends)
    assert [f"{value:.2f}" for value in found.params] == ["6.25", "3.74", "15.44"]
    assert found.converged


@pytest.mark.parametrize("room", ["buying", "spending"])
def test_the_gradients_are_those_of_the_likelihoods(room: str) -> None:
    pool = draw(np.random.default_rng(3), 60, "cafe")
    if room == "buying":
        histories, at = Histories.of(pool.x, pool.t_x, pool.T), np.log([0.7, 11.0, 0.4, 1.2])
        told = lambda point: bgnbd.log_likelihood(histories, point)  # noqa: E731
    else:
        spends, at = Spends.of(pool.x, pool.m), np.log([2.0, 3.5, 20.0])
        told = lambda point: gammagamma.log_likelihood(spends, point)  # noqa: E731
    steps = 1e-6 * np.eye(len(at))
    by_hand = [(told(at + step)[0] - told(at - step)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(told(at)[1], by_hand, rtol=1e-5, atol=1e-5)


def test_grouped_persons_have_the_likelihood_of_single_ones() -> None:
    pool, at = draw(np.random.default_rng(4), 500, "records"), np.log([0.3, 20.0, 0.7, 2.0])
    whole = np.tile(np.column_stack([pool.x, pool.t_x, pool.T]), (2, 1))
    alone = sum(
        bgnbd.log_likelihood(Histories(*(row[n : n + 1] for n in range(3)), np.ones(1)), at)[0] for row in whole
    )
    together = Histories.of(*whole.T)
    assert len(together.x) < len(whole)
    assert bgnbd.log_likelihood(together, at)[0] == pytest.approx(alone)


def published(model: BgNbd, x: Any, t_x: Any, T: Any, t: float) -> Any:  # noqa: N803
    """FHL eq. 10 as it is printed."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    f = hyp2f1(r + x, b + x, a + b + x - 1, t / (alpha + T + t))
    top = (a + b + x - 1) / (a - 1) * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * f)
    return top / (1 + (x > 0) * a / (b + np.maximum(x, 1) - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x))


def test_expected_purchases_are_those_of_the_printed_equation() -> None:
    for character in CHARACTERS:
        model = BgNbd(*CHARACTERS[character][:4])
        pool = draw(np.random.default_rng(5), 200, character)
        expected = published(model, pool.x, pool.t_x, pool.T, 180.0)
        np.testing.assert_allclose(model.expected(pool.x, pool.t_x, pool.T, 180.0), expected, rtol=1e-7, atol=1e-9)


def test_nothing_overflows_where_the_printed_equation_does() -> None:
    model = BgNbd(1.0, 1.0, 1.0, 3.0)  # a = 1: the printed form divides by zero
    x = np.array([0.0, 5.0, 300.0, 3000.0, 30000.0])
    T = np.full(5, 3650.0)  # noqa: N806
    found = model.expected(x, T - 1, T, 3650.0)
    near = BgNbd(1.0, 1.0, 1.0 + 1e-6, 3.0).expected(x, T - 1, T, 3650.0)
    assert np.all(np.isfinite(found))
    assert np.all(np.diff(found) > 0)
    np.testing.assert_allclose(found, near, rtol=1e-4)
    value, gradient = bgnbd.log_likelihood(Histories.of(x, T - 1, T), np.log([1.0, 1.0, 1.0, 3.0]))
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradient))


def test_the_tails_add_up_to_the_mean() -> None:
    model, x, T = BgNbd(0.6, 30.0, 0.8, 3.0), np.array([0.0, 4.0, 40.0]), np.array([100.0, 200.0, 300.0])  # noqa: N806
    tails = model.at_least(x, 365 / (30 + T + 365), np.arange(1.0, 600.0))
    np.testing.assert_allclose(tails.sum(axis=1), model.expected_alive(x, T, 365.0), rtol=1e-6)


def test_half_of_the_next_orders_come_by_the_median() -> None:
    model, x, T = BgNbd(0.6, 30.0, 0.8, 3.0), np.array([1.0, 9.0, 9.0]), np.array([90.0, 90.0, 360.0])  # noqa: N806
    alive = model.alive(x, np.array([80.0, 89.0, 90.0]), T)
    by = model.next_order(x, T, alive)
    np.testing.assert_allclose(alive[:2] * (1 - model.silent(x, T, by))[:2], 0.5)
    assert np.isnan(by[2])  # likelier gone than not


def test_the_mean_of_a_newcomer_is_everybodys_and_of_a_regular_their_own() -> None:
    model = GammaGamma(6.25, 3.74, 15.44)
    newcomer, regular = model.mean(np.array([0.0, 5000.0]), np.array([0.0, 80.0]))
    assert newcomer == pytest.approx(6.25 * 15.44 / 2.74)
    assert regular == pytest.approx(80.0, rel=1e-3)


def known(character: str) -> Model:
    """The model whose parameters are known almost exactly."""
    r, alpha, a, b, p, q, v = CHARACTERS[character]
    return Model(BgNbd(r, alpha, a, b), GammaGamma(p, q, v), 1e-6 * np.eye(4), 1e-6 * np.eye(3))


def told_of(pool: Any, model: Model, discount: float = 0.0) -> Any:
    return model.tell(Persons(pool.x, pool.t_x, pool.T, pool.m), 365.0, discount)


def test_intervals_hold_about_four_times_in_five() -> None:
    """Small here; `python -m tests.soak.coverage --pools 1000` is the whole proof."""
    chance, held, persons = np.random.default_rng(6), 0, 0
    for character in ("grocer", "cafe"):
        pool = draw(chance, 600, character)
        fits = bgnbd.fit(Histories.of(pool.x, pool.t_x, pool.T)), gammagamma.fit(Spends.of(pool.x, pool.m))
        told = told_of(pool, Model.of(*fits))
        assert np.all(told.low <= told.high)
        open_ = told.high > 0
        held += int(((told.low <= pool.spent) & (pool.spent <= told.high))[open_].sum())
        persons += int(open_.sum())
    assert 0.75 < held / persons < 0.85


def test_an_interval_is_wider_where_less_is_known() -> None:
    model, pool = known("cafe"), draw(np.random.default_rng(9), 200, "cafe")
    unsure = Model(model.buying, model.spending, 0.1 * np.eye(4), 0.1 * np.eye(3))
    narrow, wide = told_of(pool, model), told_of(pool, unsure)
    assert (wide.high - wide.low).sum() > 1.01 * (narrow.high - narrow.low).sum()
    np.testing.assert_allclose(wide.value, narrow.value)


def test_what_comes_later_is_worth_less_today() -> None:
    pool = draw(np.random.default_rng(7), 300, "loyal")
    now, later = told_of(pool, known("loyal")), told_of(pool, known("loyal"), 0.1)
    share = later.value.sum() / now.value.sum()
    assert 1 / 1.1 < share < 1
    np.testing.assert_allclose(now.orders, later.orders)


def test_the_chance_of_no_order_is_that_of_an_empty_year() -> None:
    pool = draw(np.random.default_rng(8), 3000, "grocer")
    told = told_of(pool, known("grocer"))
    assert told.churn.mean() == pytest.approx((pool.later == 0).mean(), abs=0.03)
    assert told.orders.mean() == pytest.approx(pool.later.mean(), rel=0.1)
    assert np.all(np.isnan(told.alive) == (pool.x == 0))

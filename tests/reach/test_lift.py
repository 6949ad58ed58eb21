"""Lift is intention-to-treat, stratified by wave, adjusted by the pre-period, and knows when it cannot tell."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reach.simulation import false_alarms
from yutang.kernel.errors import BadInput
from yutang.reach.lift import SMALLEST_ARM, Lift, Verdict, balance_of, estimate_lift, smallest_effect


def spenders(seed: int, persons: int = 4_000) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Spend in a window and in the time before it, both heavy-tailed and alike."""
    rng = np.random.default_rng(seed)
    level = rng.lognormal(4, 0.7, persons)
    return level * rng.gamma(2, 0.5, persons), level * rng.gamma(6, 1, persons), rng


def ends(lift: Lift) -> tuple[float, float, float]:
    assert lift.per_person is not None
    return lift.per_person.value, lift.per_person.low, lift.per_person.high


def test_without_waves_or_history_it_is_the_difference_of_the_means() -> None:
    spend, _, rng = spenders(1)
    held = rng.random(len(spend)) < 0.3
    value, low, high = ends(estimate_lift(spend, np.zeros(len(spend)), held, np.zeros(len(spend))))
    assert value == pytest.approx(spend[~held].mean() - spend[held].mean())
    welch = np.sqrt(spend[held].var(ddof=1) / held.sum() + spend[~held].var(ddof=1) / (~held).sum())
    assert (high - low) / 2 == pytest.approx(1.96 * welch, rel=0.03)


def test_a_plain_effect_is_seen_with_its_size() -> None:
    spend, pre, rng = spenders(2)
    held = rng.random(len(spend)) < 0.2
    lift = estimate_lift(spend + 15.0 * ~held, pre, held, np.zeros(len(spend)))
    value, low, high = ends(lift)
    assert lift.verdict is Verdict.VISIBLE
    assert low < 15.0 < high
    assert value == pytest.approx(15.0, abs=8)


def test_the_pre_period_narrows_the_interval_by_what_it_explains() -> None:
    spend, pre, rng = spenders(3)
    held = rng.random(len(spend)) < 0.2
    wave = np.zeros(len(spend))
    _, low, high = ends(estimate_lift(spend, pre, held, wave))
    _, bare_low, bare_high = ends(estimate_lift(spend, np.empty((len(spend), 0)), held, wave))
    explained = np.corrcoef(spend, pre)[0, 1] ** 2
    assert (high - low) / (bare_high - bare_low) == pytest.approx(np.sqrt(1 - explained), rel=0.1)


def test_waves_that_spend_differently_are_compared_each_with_itself() -> None:
    """The later wave's window is Christmas and, by chance of the draw, it holds fewer of the held out."""
    spend, pre, rng = spenders(4)
    wave = (np.arange(len(spend)) < 3_000).astype(int)
    spend = spend + 500.0 * wave
    held = rng.random(len(spend)) < np.where(wave == 1, 0.19, 0.21)
    _, low, high = ends(estimate_lift(spend, pre, held, wave))
    _, blind_low, blind_high = ends(estimate_lift(spend, pre, held, np.zeros(len(spend))))
    assert low < 0 < high
    assert high - low < (blind_high - blind_low) / 2


def test_a_wave_too_small_to_compare_goes_with_its_neighbour() -> None:
    spend, pre, rng = spenders(5)
    held = rng.random(len(spend)) < 0.05
    wave = np.searchsorted([0.01, 0.05, 0.2, 1.0], rng.random(len(spend)))
    assert np.count_nonzero(held & (wave == 0)) < 10
    assert estimate_lift(spend, pre, held, wave).verdict is Verdict.NOT_VISIBLE
    assert estimate_lift(spend, pre, held, np.arange(len(spend)) // 2).verdict is Verdict.NOT_VISIBLE


@pytest.mark.parametrize("few", [0, 1, SMALLEST_ARM - 1])
def test_too_few_held_out_carry_no_interval(few: int) -> None:
    spend, pre, _ = spenders(6, 500)
    lift = estimate_lift(spend, pre, np.arange(500) < few, np.zeros(500))
    assert lift == Lift(Verdict.TOO_SMALL, 500 - few, few, None)


def test_the_fewest_that_may_carry_an_interval_do() -> None:
    spend, pre, _ = spenders(6, 500)
    lift = estimate_lift(spend, pre, np.arange(500) < SMALLEST_ARM, np.zeros(500))
    assert lift.verdict is Verdict.NOT_VISIBLE


def test_total_and_effect_per_sent_touch_are_the_same_finding_in_other_units() -> None:
    spend, pre, rng = spenders(7, 20_000)
    held = rng.random(len(spend)) < 0.2
    sent = ~held & (rng.random(len(spend)) < 0.4)
    lift = estimate_lift(spend + 40.0 * sent, pre, held, np.zeros(len(spend)), sent)
    assert lift.per_person is not None
    assert lift.total is not None
    assert lift.per_sent is not None
    assert lift.sent == np.count_nonzero(sent)
    assert lift.total.value == pytest.approx(lift.per_person.value * np.count_nonzero(~held))
    assert lift.per_sent.value == pytest.approx(lift.total.value / lift.sent)
    assert lift.per_sent.low < 40.0 < lift.per_sent.high


def test_nothing_sent_has_no_effect_per_sent_touch() -> None:
    spend, pre, rng = spenders(8)
    held = rng.random(len(spend)) < 0.2
    lift = estimate_lift(spend, pre, held, np.zeros(len(spend)), np.zeros(len(spend), dtype=bool))
    assert lift.sent == 0
    assert lift.per_sent is None
    assert lift.total is not None


def test_comparing_only_the_confirmed_would_have_lied() -> None:
    """Guides with better customers tap more: the confirmed spend more though no message did anything."""
    spend, pre, rng = spenders(9)
    held = rng.random(len(spend)) < 0.2
    sent = ~held & (rng.random(len(spend)) < np.where(pre > np.median(pre), 0.9, 0.2))
    wave = np.zeros(len(spend))
    assert estimate_lift(spend, pre, held, wave, sent).verdict is Verdict.NOT_VISIBLE
    confirmed = sent | held
    bare = np.empty((int(confirmed.sum()), 0))
    assert estimate_lift(spend[confirmed], bare, held[confirmed], wave[confirmed]).verdict is Verdict.VISIBLE


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.floats(-30, 30), st.sampled_from([0.05, 0.2, 0.5]))
def test_the_relative_interval_never_contradicts_the_verdict(seed: int, effect: float, share: float) -> None:
    spend, pre, rng = spenders(seed, 1_500)
    held = rng.random(len(spend)) < share
    lift = estimate_lift(spend + effect * ~held, pre, held, np.zeros(len(spend)))
    assert lift.relative is not None
    assert lift.per_person is not None
    assert lift.baseline is not None
    assert (lift.relative.low > 0 or lift.relative.high < 0) == (lift.verdict is Verdict.VISIBLE)
    assert lift.relative.value == pytest.approx(lift.per_person.value / lift.baseline)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-1_000, 1_000))
def test_currency_order_and_a_constant_change_nothing(seed: int, rate: float, constant: float) -> None:
    spend, pre, rng = spenders(seed, 800)
    held = rng.random(len(spend)) < 0.2
    wave = rng.integers(0, 3, len(spend))
    shuffled = rng.permutation(len(spend))
    value, low, high = ends(estimate_lift(spend, pre, held, wave))
    other = estimate_lift(
        (spend * rate + constant)[shuffled], (pre * rate)[shuffled], held[shuffled], wave[shuffled] * 7 - 3
    )
    assert ends(other) == pytest.approx((value * rate, low * rate, high * rate), rel=1e-6, abs=1e-6 * rate)


def test_a_column_given_twice_or_the_same_for_all_takes_no_part() -> None:
    spend, pre, rng = spenders(10)
    held = rng.random(len(spend)) < 0.2
    wave = np.zeros(len(spend))
    once = ends(estimate_lift(spend, pre, held, wave))
    again = ends(estimate_lift(spend, np.column_stack([pre, pre * 3, np.ones(len(pre))]), held, wave))
    assert again == pytest.approx(once)


def test_nobody_differing_is_no_effect() -> None:
    held = np.arange(200) % 4 == 0
    lift = estimate_lift(np.full(200, 19.9), np.zeros(200), held, np.zeros(200))
    assert lift.verdict is Verdict.NOT_VISIBLE
    assert ends(lift) == pytest.approx((0, 0, 0), abs=1e-6)


def test_a_hold_out_in_which_nobody_bought_does_not_make_it_sure() -> None:
    """1 % of 1,000 treated bought and none of 100 held out: one in three such hold-outs is empty by chance."""
    spend = np.zeros(1_100)
    spend[:10] = 100.0
    held = np.arange(1_100) >= 1_000
    assert estimate_lift(spend, np.zeros(1_100), held, np.zeros(1_100)).verdict is Verdict.NOT_VISIBLE


@pytest.mark.parametrize("spoilt", ["short", "missing", "endless", "sent"])
def test_bad_columns_are_refused_with_a_sentence(spoilt: str) -> None:
    spend, pre, rng = spenders(11, 200)
    held = rng.random(200) < 0.5
    sent = np.ones(199 if spoilt == "sent" else 200, dtype=bool)
    if spoilt == "missing":
        spend[3] = np.nan
    if spoilt == "endless":
        pre[3] = np.inf
    with pytest.raises(BadInput) as refused:
        estimate_lift(spend, pre, held, np.zeros(199 if spoilt == "short" else 200), sent)
    assert refused.value.zh
    assert refused.value.en


def test_the_smallest_effect_is_found_about_as_often_as_promised() -> None:
    spend, pre, rng = spenders(12)
    (point,) = smallest_effect(spend, pre, [0.1])
    assert point.per_person is not None
    assert point.relative == pytest.approx(point.per_person / spend.mean())
    found = 0
    for _ in range(400):
        held = rng.permutation(np.arange(len(spend)) < point.held_out)
        found += (
            estimate_lift(spend + point.per_person * ~held, pre, held, np.zeros(len(spend))).verdict is Verdict.VISIBLE
        )
    assert 0.74 <= found / 400 <= 0.86


def test_a_larger_hold_out_shows_smaller_effects_up_to_half() -> None:
    spend, pre, _ = spenders(13)
    sizes = [point.per_person for point in smallest_effect(spend, pre, [0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5])]
    assert sizes == sorted(sizes, key=lambda size: -(size or 0))


def test_a_hold_out_too_small_for_an_interval_shows_nothing() -> None:
    spend, pre, _ = spenders(14, 1_000)
    none, some = smallest_effect(spend, pre, [0.02, 0.03])
    assert (none.held_out, none.per_person, none.relative) == (20, None, None)
    assert some.per_person is not None
    assert [point.per_person for point in smallest_effect(spend[:50], pre[:50], [0.5])] == [None]


def test_a_sample_of_the_history_speaks_for_all_persons_of_the_plan() -> None:
    spend, pre, _ = spenders(15)
    (small,) = smallest_effect(spend, pre, [0.1])
    (large,) = smallest_effect(spend, pre, [0.1], persons=400_000)
    assert large.held_out == 40_000
    assert large.per_person == pytest.approx((small.per_person or 0) / 10, rel=1e-6)


def test_fifty_places_of_the_slider_cost_no_more_than_sorting_the_persons_a_few_times() -> None:
    spend, pre, _ = spenders(16, 100_000)
    shares = [share / 100 for share in range(1, 51)]
    assert _seconds(lambda: smallest_effect(spend, pre, shares)) <= 12 * _seconds(lambda: np.sort(spend))  # 2 to 3


def _seconds(call: Callable[[], object]) -> float:
    """Of the processor, the best of several: a ratio of two does not ask how fast the machine is."""
    taken = []
    for _ in range(5):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def test_random_splits_raise_false_alarms_at_the_promised_rate() -> None:
    spend, pre, _ = spenders(17, 2_000)
    assert 0.03 <= false_alarms(spend, pre, 0.1, 600, seed=1) <= 0.07


def test_arms_drawn_as_declared_pass_their_own_check() -> None:
    _, pre, _ = spenders(21, 4_000)
    odd = 0
    for seed in range(200):
        held = np.random.default_rng(seed).random(len(pre)) < 0.1
        found = balance_of(pre, held, np.zeros(len(pre)), 0.1)
        assert found is not None
        assert found.right_share
        odd += not found.alike
    assert odd <= 8  # one in a hundred is right


def test_a_hold_out_of_another_size_or_of_other_people_fails_it() -> None:
    _, pre, _ = spenders(22, 4_000)
    wave = np.zeros(len(pre))
    held = np.random.default_rng(1).random(len(pre)) < 0.1
    fewer = held & (np.arange(len(pre)) % 5 > 0)
    assert not balance_of(pre, fewer, wave, 0.1).right_share  # type: ignore[union-attr]
    poorest = np.argsort(np.argsort(pre, kind="stable")) < held.sum()
    assert not balance_of(pre, poorest, wave, 0.1).alike  # type: ignore[union-attr]


def test_too_few_to_compare_are_too_few_to_check() -> None:
    held = np.arange(500) < SMALLEST_ARM - 1
    assert balance_of(np.ones(500), held, np.zeros(500), 0.1) is None


def test_where_nobody_bought_yet_there_is_nothing_to_say() -> None:
    held = np.arange(400) % 5 == 0
    lift = estimate_lift(np.zeros(400), np.arange(400.0), held, np.zeros(400))
    assert (lift.verdict, lift.per_person, lift.total) == (Verdict.NOTHING_YET, None, None)
    assert (lift.treated, lift.held_out) == (320, 80)

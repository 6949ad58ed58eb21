"""A thousand simulated plans with heavy tails, untapped batches and waves: the intervals keep their word."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reach.simulation import make_plan, naive_arms, read, run, truth
from yutang.reach.lift import estimate_lift


@pytest.mark.long
def test_intervals_cover_claim_nothing_from_nothing_and_see_three_standard_errors() -> None:
    seen = run(plans=1_000, seed=2)
    assert seen.plans == 1_000
    assert 0.935 <= seen.covered <= 0.965
    assert seen.silent_at_none >= 0.93
    assert seen.visible_at_three >= 0.80
    assert seen.half_width <= 1.1


def test_the_simulated_plans_are_as_hard_as_they_say() -> None:
    """Heavy tails, batches never tapped, and guides whose customers differ; else passing would prove little."""
    rng = np.random.default_rng(3)
    plans = [make_plan(rng, errors=3.0) for _ in range(30)]
    standardised = [(plan.without - plan.without.mean()) / plan.without.std() for plan in plans]
    assert np.median([np.mean(spend**4) for spend in standardised]) > 20
    assert all(0.4 < plan.sent_if_treated.mean() < 0.8 for plan in plans)
    assert all(len(np.unique(plan.wave)) >= 3 for plan in plans)
    confirmed_only = 0.0
    for plan in plans:
        arms = naive_arms(plan, rng)
        assert not (arms.sent & arms.held_out).any()
        kept = arms.sent | arms.held_out
        spend = plan.without + plan.extra * arms.sent
        biased = estimate_lift(spend[kept], np.empty((int(kept.sum()), 0)), arms.held_out[kept], plan.wave[kept])
        fair = read(plan, arms).lift
        assert biased.per_person is not None
        assert fair.per_person is not None
        confirmed_only += (biased.per_person.value - fair.per_person.value) / truth(plan) / len(plans)
    assert confirmed_only > 0.3

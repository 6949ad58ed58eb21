"""Stage (c): who of the granted is left alone, so that lift can be measured. The first arm to draw her has her."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from yutang.kernel.ids import draw_array, salt
from yutang.reach.gate.contracts import Outcome, TouchClass
from yutang.reach.gate.docket import OPEN, OUTCOMES, Bools, Docket


@dataclass(frozen=True, slots=True)
class Arm:
    """An outcome, and whom it draws."""

    outcome: Outcome
    draws: Callable[[Docket], Bools]


def part_arms(docket: Docket, arms: Sequence[Arm]) -> None:
    """Give every open candidate to an arm; who is drawn by none is sent to."""
    for arm in arms:
        docket.outcome[(docket.outcome == OPEN) & arm.draws(docket)] = OUTCOMES.index(arm.outcome)
    docket.outcome[docket.outcome == OPEN] = OUTCOMES.index(Outcome.SEND)


def _in_held_bucket(docket: Docket) -> Bools:
    held: Bools = docket.column("bucket") < docket.tick.policy.held_buckets
    return held & docket.bound({TouchClass.MARKETING})


def _in_control(docket: Docket) -> Bools:
    control = np.zeros(len(docket.plan), np.bool_)
    for index, terms in enumerate(docket.tick.plans):
        if terms.hold_out > 0:
            rows = np.flatnonzero((docket.plan == index) & (docket.outcome == OPEN))
            control[rows] = draw_array(docket.person[rows], salt("arm", terms.plan)) < terms.hold_out
    return control


# Asked first: whom the brand never markets to is no plan's control.
global_holdout = Arm(Outcome.GLOBALLY_HELD_OUT, _in_held_bucket)
plan_holdout = Arm(Outcome.HELD_OUT, _in_control)

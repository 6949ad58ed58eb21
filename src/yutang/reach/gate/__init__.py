"""The gate: the one place where every intended touch is allowed or refused, with a reason.

The whole policy reads as three stages, in this order; each hands on what it left open.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from yutang.reach.gate.allocation import allocate, capacity, caps, platform_quota, sender_choice, tap_budget
from yutang.reach.gate.arms import global_holdout, part_arms, plan_holdout
from yutang.reach.gate.contracts import Decisions, Tick
from yutang.reach.gate.docket import Docket, Stage
from yutang.reach.gate.rows import (
    consent,
    content,
    grace_period,
    judge_rows,
    no_address,
    preference,
    quiet_hours,
    relation,
    risk,
    value_ratio,
)

ROW_RULES = (relation, no_address, consent, preference, content, risk, grace_period, quiet_hours, value_ratio)
ALLOCATION = (sender_choice, caps, capacity, platform_quota, tap_budget)
ARMS = (global_holdout, plan_holdout)

STAGES: tuple[Stage, ...] = (
    partial(judge_rows, rules=ROW_RULES),
    partial(allocate, rules=ALLOCATION),
    partial(part_arms, arms=ARMS),
)


def decide(tick: Tick, stages: Sequence[Stage] = STAGES) -> Decisions:
    """Decide every candidate of a planning tick. Pure: the same tick gives the same decisions."""
    docket = Docket.of(tick)
    for stage in stages:
        stage(docket)
    return docket.decisions()

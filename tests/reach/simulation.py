"""Simulated plans whose true effect is known: heavy-tailed spend, guides who do not tap, waves with own windows.

`make_plan` says what each person would spend without and with the touch, and which guides tap; it draws no arms.
Whoever runs it (`naive_arms` here, or the real gate and ledger) says who was decided, in which arm, whose touch went
out; `read` then gives `estimate_lift` its columns, and `report` judges a thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from yutang.reach.lift import Lift, Verdict, estimate_lift

Numbers = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

WAVES = (0.01, 0.05, 0.20, 1.00)
"""Cumulative shares of the roll-out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan over persons 0 … n-1. `errors` is the size of its true effect in oracle's standard errors."""

    errors: float
    share: float
    wave: Whole
    guide: Whole
    taps: Flags  # by guide
    pre: Numbers  # n x 1: spend in the six months before launch
    without: Numbers  # spend in the window of the person's own wave, if no touch goes out
    extra: Numbers  # what a touch that goes out adds to it, as drawn
    expected_extra: Numbers  # and on average

    @property
    def sent_if_treated(self) -> Flags:
        """Whether the touch goes out if it is decided `send`: the guide taps before the deadline, or never."""
        return self.taps[self.guide]


@dataclass(frozen=True, slots=True)
class Arms:
    """What gate and ledger made of a plan: rows into the plan's columns, arm and what was read back."""

    persons: Whole
    held_out: Flags
    sent: Flags


@dataclass(frozen=True, slots=True)
class Outcome:
    """One simulated plan's reading beside the truth and the oracle's half-width."""

    errors: float
    truth: float
    oracle: float
    lift: Lift


@dataclass(frozen=True, slots=True)
class Report:
    """Shares over plans; `half_width` is the mean of each plan's half-width over its oracle's."""

    plans: int
    covered: float
    silent_at_none: float
    visible_at_three: float
    half_width: float


def make_plan(rng: np.random.Generator, errors: float | None = None) -> Plan:
    """A plan over 1,000 to 8,000 persons; a third have no effect, a third one of three standard errors."""
    persons = int(np.exp(rng.uniform(np.log(1_000), np.log(8_000))))
    if errors is None:
        errors = float(rng.choice([0.0, rng.uniform(0, 3), 3.0]))
    share = float(rng.choice([0.05, 0.10, 0.20, 0.50]))
    wave = np.searchsorted(WAVES, rng.random(persons)).astype(np.int64)
    level = rng.lognormal(0, 0.8, persons) if rng.random() < 0.5 else 0.6 * (1 + rng.pareto(2.5, persons))
    pre = level * rng.gamma(4, 0.25, persons) * 6 * 150
    buys = rng.random(persons) < 0.7
    window = np.array([1.2, 1.0, 0.9, 1.1])[wave]  # each wave has its own four weeks
    without = window * level * rng.lognormal(-0.18, 0.6, persons) * buys * 150 / 0.7
    guides = persons // 40
    guide = rng.integers(0, guides, persons)
    # Guides with better customers tap more: who was confirmed is no random draw.
    worth = np.bincount(guide, pre, guides) / np.maximum(np.bincount(guide, minlength=guides), 1)
    taps = rng.random(guides) < np.where(worth > np.median(worth), 0.75, 0.45)
    none = np.zeros(persons)
    plan = Plan(errors, share, wave, guide, taps, pre[:, None], without, none, none)
    likely = rng.uniform(0.1, 0.3)  # persons who answer a touch, by one more basket
    answers = (rng.random(persons) < likely) * rng.gamma(2, 0.5, persons) / likely
    for _ in range(3):  # the effect widens the noise in which it is measured
        size = errors * oracle_error(plan) / float(plan.sent_if_treated.mean())
        plan = replace(plan, extra=size * answers, expected_extra=np.full(persons, size))
    return plan


def truth(plan: Plan, persons: Whole | None = None) -> float:
    """The true effect by intention to treat: per decided person, tapped or not, held out or not."""
    chosen = slice(None) if persons is None else persons
    return float((plan.expected_extra * plan.sent_if_treated)[chosen].mean())


def oracle_error(plan: Plan) -> float:
    """The standard error of one who sees what each person would spend in either arm, and so knows slope and noise."""
    sizes = np.maximum(np.bincount(plan.wave), 1)
    pre = plan.pre[:, 0] - (np.bincount(plan.wave, plan.pre[:, 0]) / sizes)[plan.wave]
    without = plan.without - float(pre @ plan.without / (pre @ pre)) * pre
    touched = without + plan.extra * plan.sent_if_treated
    variance = 0.0
    for wave in range(len(WAVES)):
        inside = plan.wave == wave
        if (count := int(inside.sum())) > 1:
            noise = touched[inside].var(ddof=1) / (1 - plan.share) + without[inside].var(ddof=1) / plan.share
            variance += (count / len(inside)) ** 2 * noise / count
    return float(np.sqrt(variance))


def naive_arms(plan: Plan, rng: np.random.Generator) -> Arms:
    """Everybody is decided, each one's arm drawn alone, as the gate's hash does."""
    held = rng.random(len(plan.without)) < plan.share
    return Arms(np.arange(len(held)), held, plan.sent_if_treated & ~held)


def read(plan: Plan, arms: Arms) -> Outcome:
    """What the plan's page would say at its horizon."""
    chosen = arms.persons
    spend = plan.without[chosen] + plan.extra[chosen] * arms.sent
    lift = estimate_lift(spend, plan.pre[chosen], arms.held_out, plan.wave[chosen], arms.sent)
    return Outcome(plan.errors, truth(plan, chosen), 1.96 * oracle_error(plan), lift)


def report(outcomes: Iterable[Outcome]) -> Report:
    """Judge the readings; every plan must carry an interval."""
    rows = []
    for outcome in outcomes:
        effect = outcome.lift.per_person
        assert effect is not None
        seen = outcome.lift.verdict is Verdict.VISIBLE
        inside = effect.low <= outcome.truth <= effect.high
        rows.append((outcome.errors, inside, seen, (effect.high - effect.low) / 2 / outcome.oracle))
    errors, inside, seen, widths = (np.array(column) for column in zip(*rows, strict=True))
    return Report(
        len(rows),
        float(inside.mean()),
        float((~seen[errors == 0]).mean()),
        float(seen[errors == 3].mean()),
        float(widths.mean()),
    )


def run(
    plans: int, seed: int, decide: Callable[[Plan, np.random.Generator], Arms] = naive_arms, errors: float | None = None
) -> Report:
    """So many plans from a seed; `errors` sets the same true effect for all."""
    rng = np.random.default_rng(seed)

    def outcomes() -> Iterable[Outcome]:
        for _ in range(plans):
            plan = make_plan(rng, errors)
            yield read(plan, decide(plan, rng))

    return report(outcomes())


def false_alarms(outcome: Numbers, pre: Numbers, share: float, splits: int, seed: int) -> float:
    """The share of random splits of one history, with no message at all, that read `visible`; about 5 % is right."""
    draws = np.random.default_rng(seed)
    wave = np.zeros(len(outcome))
    held = np.arange(len(outcome)) < round(len(outcome) * share)
    read = (estimate_lift(outcome, pre, draws.permutation(held), wave).verdict for _ in range(splits))
    return sum(verdict is Verdict.VISIBLE for verdict in read) / splits

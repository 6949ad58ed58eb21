"""Whether a paid membership pays back, and at which fee: a calculation that shows its assumptions. Pure.

A member pays `fee`, spends `uplift` more, and gets `benefit` of all they spend back; the brand earns `margin` of what
is spent more, and `cost` is spent on each. So one member of spend S brings, a year,
fee + uplift × margin × S − benefit × (1 + uplift) × S − cost. Invited are those whom it serves as they buy today:
benefit × S ≥ fee. Everything but S is stated; S is last year's spend, whose mean has an interval by the bootstrap over
persons (Efron 1979, Annals of Statistics 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yutang.layers.documents import Membership

Floats = npt.NDArray[np.float64]
DRAWS = 400
MANY = 5_000
"""From so many persons on a mean is as good as normal, and is not drawn again and again."""
FEWEST = 10
Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Ends:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FeeRow:
    """One yearly fee: whom it serves (`invited`), what each of them brings the brand a year and all together, and the
    uplift from which on it pays back. Figures are None where it serves fewer than 10."""

    fee: float
    invited: int
    spend: float | None
    each: Ends | None
    together: Ends | None
    needed_uplift: Ends | None

    @property
    def pays(self) -> bool:
        """Whether it surely pays back, if the assumptions hold."""
        return self.each is not None and self.each.low > 0


def fee_rows(spend: Floats, plan: Membership) -> list[FeeRow]:
    """Every fee of the plan, over these persons' spend of a year."""
    return [_row(spend[plan.benefit * spend >= fee], fee, plan) for fee in sorted(plan.fees)]


def least_fee(spend: Floats, plan: Membership) -> Ends | None:
    """The fee from which on the brand loses nothing, were everybody a member; None for fewer than 10. It may be below
    nothing: then it would pay back for free."""
    mean = _mean(spend)
    if mean is None:
        return None
    slope = plan.benefit * (1 + plan.uplift) - plan.uplift * plan.margin
    return _through(mean, lambda spent: slope * spent + plan.cost)


def best(rows: list[FeeRow]) -> FeeRow | None:
    """The fee that brings most of those that surely pay back."""
    sure = [row for row in rows if row.pays and row.together]
    return max(sure, key=lambda row: row.together.value if row.together else 0.0, default=None)


def _row(spend: Floats, fee: float, plan: Membership) -> FeeRow:
    mean = _mean(spend)
    if mean is None:
        return FeeRow(fee, len(spend), None, None, None, None)
    slope = plan.uplift * plan.margin - plan.benefit * (1 + plan.uplift)
    each = _through(mean, lambda spent: fee + slope * spent - plan.cost)
    together = Ends(each.value * len(spend), each.low * len(spend), each.high * len(spend))
    needed = _through(
        mean, lambda spent: max(0.0, (plan.benefit + (plan.cost - fee) / spent) / (plan.margin - plan.benefit))
    )
    return FeeRow(fee, len(spend), mean.value, each, together, needed)


def _mean(spend: Floats) -> Ends | None:
    size = len(spend)
    if size < FEWEST:
        return None
    mean = float(spend.mean())
    if size >= MANY:
        error = Z * float(spend.std(ddof=1)) / size**0.5
        return Ends(mean, mean - error, mean + error)
    draws = np.random.default_rng(size).integers(0, size, (DRAWS, size))
    low, high = np.quantile(spend[draws].mean(axis=1), (0.025, 0.975))
    return Ends(mean, float(low), float(high))


def _through(mean: Ends, formula: Callable[[float], float]) -> Ends:
    """What follows from a mean by a formula that only rises or only falls with it."""
    low, high = sorted((formula(mean.low), formula(mean.high)))
    return Ends(formula(mean.value), low, high)

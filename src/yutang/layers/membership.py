"""Whether a paid membership pays back, and at which fee: a calculation that shows its assumptions. Pure.

A member pays `fee`, spends `uplift` more, and gets `benefit` of all they spend back; the brand earns `margin` of what
is spent more, and `cost` is spent on each. So one member of spend S brings, a year,
fee + uplift × margin × S − benefit × (1 + uplift) × S − cost. Invited are those whom it serves as they are expected to
buy: benefit × S ≥ fee. Everything but S is stated. S is what the values' model expects of each in a year: who spent
much last year partly was lucky, and the model has taken that back already. The interval of S's mean holds that
people differ from what is expected of them, each by their own interval and each for themselves, and that the model
was off by some share when it was tried on the past; both as if normal, and independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from yutang.layers.documents import Membership

Floats = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]
FEWEST = 10
Z = 1.959963984540054
Z_TENTH = 1.2815515655446004
"""From the ends of a person's 80 % interval to their standard error."""
LEAST_SPEND = 0.01


class Untold(StrEnum):
    """Why no fee is told, where it is not the model of values that cannot tell."""

    UNSCORED = "unscored"
    UNTRIED = "untried"
    HORIZON = "horizon"
    FEW = "few"


@dataclass(frozen=True, slots=True)
class Ends:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of each person in a year, with the ends of their 80 % interval: spend, or where `margin` (what
    is left of spend) is known, margin. `off`: by which share the model missed the whole when tried on the past."""

    value: Floats
    low: Floats
    high: Floats
    off: float
    margin: float | None = None

    def least(self, fee: float, plan: Membership) -> float | None:
        """From which value on a fee serves, to the cent; None where nothing is given back."""
        return round(fee * (self.margin or 1.0) / plan.benefit, 2) if plan.benefit else None


@dataclass(frozen=True, slots=True)
class FeeRow:
    """One yearly fee: from which value on it serves (`least`), how many (`invited`), what each of them brings the brand
    a year and all together, and the uplift from which on it pays back. Figures are None where it serves fewer than 10;
    `needed_uplift` also where more is given back than is earned."""

    fee: float
    least: float | None
    invited: int
    spend: Ends | None = None
    each: Ends | None = None
    together: Ends | None = None
    needed_uplift: Ends | None = None

    @property
    def pays(self) -> bool:
        """Whether it surely pays back, if the assumptions hold."""
        return self.each is not None and self.each.low > 0


@dataclass(frozen=True, slots=True)
class Fees:
    """What each fee would bring of `told` super-users, and the least that loses nothing. `untold` have no potential
    value. `why`: why nothing is told (a word of `Untold` or of values' `Cannot`), empty where it is."""

    why: str = ""
    rows: tuple[FeeRow, ...] = ()
    least: Ends | None = None
    told: int = 0
    untold: int = 0
    off: float | None = None
    margin: float | None = None

    def row(self, fee: float) -> FeeRow | None:
        """That of a fee."""
        return next((one for one in self.rows if one.fee == fee), None)

    @property
    def best(self) -> FeeRow | None:
        """The fee that brings most of those that surely pay back."""
        sure = [row for row in self.rows if row.pays and row.together]
        return max(sure, key=lambda row: row.together.value if row.together else 0.0, default=None)


def fees(of: Expected, untold: int, plan: Membership) -> Fees:
    """Every fee of the plan."""
    told = len(of.value)
    if told < FEWEST:
        return Fees(why=Untold.FEW.value, told=told, untold=untold)
    rows = tuple(_row(of, fee, plan) for fee in sorted(plan.fees))
    return Fees("", rows, least_fee(of, plan), told, untold, of.off, of.margin)


def least_fee(of: Expected, plan: Membership) -> Ends | None:
    """The fee from which on the brand loses nothing, were everybody a member; None for fewer than 10. It may be below
    nothing: then it would pay back for free."""
    mean = _mean(of, np.ones(len(of.value), bool))
    if mean is None:
        return None
    slope = plan.benefit * (1 + plan.uplift) - plan.uplift * (of.margin or plan.margin)
    return _through(mean, lambda spent: slope * spent + plan.cost)


def _row(of: Expected, fee: float, plan: Membership) -> FeeRow:
    least = of.least(fee, plan)
    chosen = of.value >= least if least is not None else np.zeros(len(of.value), bool)
    size, mean = int(chosen.sum()), _mean(of, chosen)
    if mean is None:
        return FeeRow(fee, least, size)
    margin = of.margin or plan.margin
    slope = plan.uplift * margin - plan.benefit * (1 + plan.uplift)
    each = _through(mean, lambda spent: fee + slope * spent - plan.cost)
    together = Ends(each.value * size, each.low * size, each.high * size)
    needed = None
    if margin > plan.benefit:
        needed = _through(
            mean, lambda spent: max(0.0, (plan.benefit + (plan.cost - fee) / spent) / (margin - plan.benefit))
        )
    return FeeRow(fee, least, size, mean, each, together, needed)


def _mean(of: Expected, chosen: Chosen) -> Ends | None:
    """What one of them is expected to spend."""
    size = int(chosen.sum())
    if size < FEWEST:
        return None
    rate = of.margin or 1.0
    mean = float(of.value[chosen].mean()) / rate
    each = (of.high[chosen] - of.low[chosen]) / (2 * Z_TENTH * rate)
    error = Z * float(np.hypot(np.sqrt((each**2).sum()) / size, of.off * mean))
    return Ends(mean, max(mean - error, LEAST_SPEND), mean + error)


def _through(mean: Ends, formula: Callable[[float], float]) -> Ends:
    """What follows from a mean by a formula that only rises or only falls with it."""
    low, high = sorted((formula(mean.low), formula(mean.high)))
    return Ends(formula(mean.value), low, high)

"""What somebody will bring within a horizon: its mean, and an interval that holds four times in five. Pure.

Of purchases Y and their sum S, given the parameters: P(Y ≥ y | alive) is `BgNbd.at_least`; given Y = y, S ÷ (v + x m)
is Beta prime with p y and p x + q, since ν is Gamma with p x + q and v + x m (FH section 2), so P(S ≤ s | y) is
I_u(p y, p x + q) with u = s ÷ (s + v + x m). That the parameters are only estimates is put in by moving them: the
law is the mean over the points of a cubature rule in their logarithms.

An interval has a tail of one tenth on either side. Where the chance of nothing at all is more than that, its lower end
is 0 and all of the fifth that it leaves out is above; where that chance is four fifths or more, it is 0 to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from yutang.profiles.values.bgnbd import BgNbd
from yutang.profiles.values.fitting import Fitted, Floats, cubature
from yutang.profiles.values.gammagamma import GammaGamma

SHARE = 0.8
"""How often the interval holds."""
TAIL = (1 - SHARE) / 2
GROUPS = 20_000
"""Intervals are worked out for so many groups of like persons at most, and scaled to each person's own mean."""
CELLS = 400
"""And the shape of the law, which changes slowly, for so many of (x, T)."""
EXACT = 12.0
"""Up to so many purchases are told apart one by one; above, in steps that grow with them."""
_GRID = np.exp(np.linspace(np.log(0.006), np.log(25.0), 48))
_STEP = np.log(_GRID[1] / _GRID[0])


@dataclass(frozen=True, slots=True)
class Persons:
    """What the models know of each person, as columns of floats: `x` repeat days, `t_x` and `T` in days, `m` the mean
    of the repeat days' money (any number where x is 0)."""

    x: Floats
    t_x: Floats
    T: Floats
    m: Floats


@dataclass(frozen=True, slots=True)
class Told:
    """What is expected of each within the horizon. `alive` is no number for whom bought on one day only: the model
    takes those for alive by definition. `next_days` is no number where no next order is likelier."""

    orders: Floats
    value: Floats
    low: Floats
    high: Floats
    alive: Floats
    churn: Floats
    next_days: Floats


@dataclass(frozen=True, slots=True)
class Model:
    """Both models with how well their parameters are known. `discount` is a yearly rate."""

    buying: BgNbd
    spending: GammaGamma
    buying_covariance: Floats
    spending_covariance: Floats

    @staticmethod
    def of(buying: Fitted, spending: Fitted) -> Model:
        """As fitted."""
        return Model(BgNbd(*buying.params), GammaGamma(*spending.params), buying.covariance, spending.covariance)

    def expect(self, of: Persons, horizon: float, discount: float = 0.0) -> tuple[Floats, Floats]:
        """Only the means of `tell`: of orders and of value, without intervals."""
        orders = self.buying.expected(of.x, of.t_x, of.T, horizon)
        value = orders * self.spending.mean(of.x, of.m)
        if discount > 0 and len(of.x):
            cells, cell = _coarse(of.x, of.T)
            mean = self.buying.expected_alive(cells.x, cells.T, horizon)
            value = value * self._present(cells, horizon, discount, mean)[cell]
        return orders, value

    def tell(self, of: Persons, horizon: float, discount: float = 0.0) -> Told:
        """Everything of everybody."""
        if not len(of.x):
            return Told(*(np.zeros(0) for _ in range(7)))
        alive = self.buying.alive(of.x, of.t_x, of.T)
        pairs, back = np.unique(of.x * 1e7 + of.T, return_inverse=True)
        times, watched = np.floor(pairs / 1e7), np.mod(pairs, 1e7)
        if_alive = self.buying.expected_alive(times, watched, horizon)[back]
        each = self.spending.mean(of.x, of.m)
        silent = self.buying.silent(of.x, of.T, horizon)
        low, high, present = self._interval(of, horizon, discount, if_alive)
        orders = alive * if_alive
        scale = if_alive * each * present
        return Told(
            orders=orders,
            value=alive * scale,
            low=low * scale,
            high=high * scale,
            alive=np.where(of.x > 0, alive, np.nan),
            churn=1 - alive * (1 - silent),
            next_days=self.buying.next_order(of.x, of.T, alive),
        )

    def _interval(
        self, of: Persons, horizon: float, discount: float, if_alive: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Of each person the ends of the interval, as multiples of the mean if alive, and what the mean is worth now
        as a share of what it will be."""
        groups, at = _grouped(of, if_alive)
        cells, cell = _coarse(groups.x, groups.T)
        shapes = _Shapes.of(self, cells, horizon)
        points = cubature([self.buying_covariance, self.spending_covariance])
        mean = self.buying.expected_alive(cells.x, cells.T, horizon)
        each = self.spending.mean(groups.x, groups.m)
        nothing, scale = [], []
        for buying_step, spending_step in points:
            buying, spending = self.buying.moved(buying_step), self.spending.moved(spending_step)
            alive = buying.alive(groups.x, groups.t_x, groups.T)
            silent = buying.silent(groups.x, groups.T, horizon)
            moved = mean if not buying_step.any() else buying.expected_alive(cells.x, cells.T, horizon)
            money = spending.mean(groups.x, groups.m) / each if spending_step.any() else np.ones(len(each))
            money = np.where((money > 0) & np.isfinite(money), money, 1.0)  # a moved q may have no mean
            nothing.append(1 - alive * (1 - silent))
            scale.append((moved / mean)[cell] * money / np.maximum(1 - silent, 1e-12))
        low, high = _ends(np.array(nothing), np.log(np.array(scale)), shapes.law[cell])
        present = self._present(cells, horizon, discount, mean)[cell]
        return low[at], high[at], present[at]

    def _present(self, cells: Persons, horizon: float, discount: float, mean: Floats) -> Floats:
        """∫ e^(−δt) dE[Y(t)] ÷ E[Y(h)] = e^(−δh) + δ ∫ e^(−δt) E[Y(t)] dt ÷ E[Y(h)], by Gauss and Legendre."""
        if discount <= 0:
            return np.ones(len(mean))
        rate = np.log1p(discount) / 365.0
        nodes, weights = np.polynomial.legendre.leggauss(6)
        total = np.exp(-rate * horizon) * mean
        for node, weight in zip(nodes, weights, strict=True):
            t = (node + 1) * horizon / 2
            part = self.buying.expected_alive(cells.x, cells.T, float(t))
            total += rate * weight * horizon / 2 * np.exp(-rate * t) * part
        result: Floats = total / mean
        return result


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Of each cell the law of S given at least one purchase, at `_GRID` times its mean."""

    law: Floats

    @staticmethod
    def of(model: Model, cells: Persons, horizon: float) -> _Shapes:
        buying, spending = model.buying, model.spending
        z = horizon / (buying.alpha + cells.T + horizon)
        mean = buying.expected_alive(cells.x, cells.T, horizon) / (1 - buying.silent(cells.x, cells.T, horizon))
        counts, edges = _steps(float(np.max((buying.r + cells.x) * z / (1 - z))))
        tails = buying.at_least(cells.x, z, edges)
        chances = (tails - np.append(tails[:, 1:], np.zeros((len(z), 1)), axis=1)) / tails[:, :1]
        shape = spending.p * cells.x + spending.q
        money = spending.p / np.maximum(shape - 1, 1e-9)  # the mean of one purchase, in units of v + x m
        law = np.empty((len(z), len(_GRID)))
        for index in range(len(z)):
            used = chances[index] > 1e-7
            sums = _GRID * mean[index] * money[index]
            cdf = betainc(spending.p * counts[used][:, None], shape[index], (sums / (1 + sums))[None, :])
            law[index] = chances[index][used] @ cdf / chances[index][used].sum()
        return _Shapes(law)


def _steps(most: float) -> tuple[Floats, Floats]:
    """Counts that stand for those from their edge to the next."""
    edges = [float(y) for y in range(1, int(EXACT) + 1)]
    while edges[-1] < 3 * most + 60:
        edges.append(np.ceil(edges[-1] * 1.2))
    lower = np.array(edges)
    upper = np.append(lower[1:] - 1, np.ceil(lower[-1] * 1.2))
    return (lower + upper) / 2, lower


def _ends(nothing: Floats, log_scale: Floats, law: Floats) -> tuple[Floats, Floats]:
    """The interval's ends in units of the mean if alive: of the mixture over the points, one row each of `nothing` and
    `log_scale`; `law` has a row for each group."""
    none = nothing.mean(axis=0)
    rows, size = np.arange(law.shape[0]), len(_GRID)
    mixed = np.zeros_like(law)
    for zero, moved in zip(nothing, log_scale, strict=True):
        shift = -moved / _STEP
        whole = np.floor(shift).astype(np.int64)
        part = (shift - whole)[:, None]
        place = np.arange(size)[None, :] + whole[:, None]
        below = law[rows[:, None], np.clip(place, 0, size - 1)]
        above = law[rows[:, None], np.clip(place + 1, 0, size - 1)]
        mixed += zero[:, None] + (1 - zero)[:, None] * (below + part * (above - below))
    mixed /= len(nothing)
    low = np.where(none < TAIL, _reached(mixed, np.full(len(none), TAIL), none), 0.0)
    level = np.where(none < TAIL, 1 - TAIL, SHARE)
    high = np.where(none < SHARE, _reached(mixed, level, none), 0.0)
    return low, high


def _reached(law: Floats, level: Floats, none: Floats) -> Floats:
    """Where each row passes its level; from `none` at 0, straight to the first place of the grid."""
    after = np.minimum((law < level[:, None]).sum(axis=1), law.shape[1] - 1)
    rows = np.arange(len(law))
    right, left = law[rows, after], np.where(after > 0, law[rows, np.maximum(after - 1, 0)], none)
    at_right, at_left = _GRID[after], np.where(after > 0, _GRID[np.maximum(after - 1, 0)], 0.0)
    share = np.clip((level - left) / np.maximum(right - left, 1e-12), 0, 1)
    result: Floats = at_left + share * (at_right - at_left)
    return result


def _grouped(of: Persons, if_alive: Floats) -> tuple[Persons, npt.NDArray[np.intp]]:
    """Persons who are alike, as their means, and of each person which of them."""
    level = np.zeros(len(of.x))
    known = of.x > 0
    if known.any():
        log_m = np.log(np.maximum(of.m[known], 1e-9))
        middle, spread = float(np.median(log_m)), max(float(np.std(log_m)), 1e-9)
        level[known] = np.clip(np.round((log_m - middle) / spread / 0.5), -7, 7)
    width = 1.0 if len(of.x) <= GROUPS else max(1.0, float(np.max(of.T)) / 100)
    while True:
        times = np.where(of.x <= EXACT, of.x, np.round(np.log(np.maximum(of.x, 1)) / np.log(1.08)) + 1000)
        recent = np.round((of.T - of.t_x) / width)
        watched = np.round(of.T / (2 * width))
        key = ((times * 4096 + recent) * 4096 + watched) * 32 + level
        _, at, count = np.unique(key, return_inverse=True, return_counts=True)
        if len(count) <= GROUPS or width > 512:
            break
        width *= 1.5
    means = (np.bincount(at, weights=part) / count for part in (of.x, of.t_x, of.T, np.where(known, of.m, 0.0)))
    return Persons(*means), at


def _coarse(x: Floats, T: Floats) -> tuple[Persons, npt.NDArray[np.intp]]:  # noqa: N803
    """Cells of (x, T)."""
    step = 1.12
    while True:
        times = np.where(x <= EXACT, np.round(x), np.round(np.log(np.maximum(x, 1)) / np.log(step)) + 1000)
        width = max(float(np.max(T)) / 10, 1e-9)
        _, at, count = np.unique(times * 4096 + np.floor(T / width), return_inverse=True, return_counts=True)
        if len(count) <= CELLS or step > 3:
            break
        step *= 1.1
    means = [np.bincount(at, weights=part) / count for part in (x, T)]
    return Persons(means[0], means[1], means[1], means[1]), at

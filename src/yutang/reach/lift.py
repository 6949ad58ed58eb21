"""Lift: what a plan brought in beyond what the hold-out did without it, and what a plan can show at best.

Pure statistics over one row per decided person; no clock, database or network. How it was chosen, measured on the
demo's spend and on heavier tails (docs/measured.md):

- Intention-to-treat, post-stratified by wave (Miratrix, Sekhon & Yu 2013, JRSS-B 75): within each wave the hold-out
  is a random draw, so each wave is compared with itself and weighed by its persons.
- CUPED (Deng, Xu, Kohavi & Walker 2013, WSDM) with one slope, pooled within wave and arm. Lin's arm-wise slopes (2013,
  Annals of Applied Statistics 7) put nearly all weight on a slope fitted to the few held out, and cover less.
- Moderated variances. With 100 persons of heavy-tailed spend, the hold-out's own variance is noise that goes along
  with its mean: Welch's interval then covers 88-93 %. How noisy a variance is follows from the kurtosis (O'Neill 2014,
  The American Statistician 68), and the arms' log variances are drawn together by as much as that says (empirical
  Bayes, as Smyth 2004). With many persons, or light tails, nothing is drawn and the interval is Welch's.
- Student's t with Satterthwaite's degrees of freedom.

Known limit: where a handful of persons carry most of the spend (residual kurtosis in the thousands), or each
arm has only some 150 of such heavy tails, intervals cover 93-95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from yutang.kernel.errors import BadInput

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SMALLEST_ARM = 30
"""Fewer persons than this in an arm carry no interval that can be trusted."""
RATIO_ALARM = 0.001
"""A hold-out whose size chance brings about less often than this was not drawn as declared."""
SMALLEST_CELL = 10
"""A wave with fewer persons than this in an arm is compared together with the next wave."""
SPREAD_CHANGE = 1.0
"""By how much (standard deviation of the log) a message may change the variance of spend, as believed beforehand."""
NOTHING = 1e-12
"""A variance of spend below this is rounding."""
LEAST_SPREAD = 0.2
"""An arm's variance is believed down to this part of its own relative noise, times the variance over both arms."""


class Verdict(StrEnum):
    """看得出, 还看不出, 人数太少, 还没量到."""

    VISIBLE = "visible"
    NOT_VISIBLE = "not_visible"
    TOO_SMALL = "too_small"
    NOTHING_YET = "nothing_yet"


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the ends of its interval, in the unit of what was measured."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Interval:
        """The same in another unit; `factor` is known, not estimated, and not negative."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Lift:
    """What a plan brought in. All intervals say yes or no to "nothing" alike; they are None where `too_small`, and
    where nobody of either arm has spent anything in their window (`nothing_yet`): there is nothing to measure.

    `per_person` is per decided person, whether or not the touch went out (intention-to-treat); `total` (多带来的) is
    that times the persons not held out; `per_sent` is the total shared among the touches that did go out (Bloom
    1984), None if none did; `relative` is to what the held out spent (Fieller's interval), None if that cannot be
    told from zero. `baseline` is what a person spends without the plan, adjusted as the rest.
    """

    verdict: Verdict
    treated: int
    held_out: int
    sent: int | None
    per_person: Interval | None = None
    total: Interval | None = None
    per_sent: Interval | None = None
    relative: Interval | None = None
    baseline: float | None = None
    balance: Balance | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """The check of a plan's own draw: were its arms alike before anything was said?

    `chance` is how often a draw at the declared `share` leaves a hold-out at least as far off as this one (binomial,
    two-sided). `before` is by how much more per person the not held out spent in the half year before their window,
    with its 99 % interval; None where nobody spent anything then.
    """

    share: float
    held_out: int
    decided: int
    chance: float
    before: Interval | None

    @property
    def found(self) -> float:
        """The share that was held out."""
        return self.held_out / self.decided

    @property
    def right_share(self) -> bool:
        """Whether as many were held out as declared, give or take what chance does once in a thousand plans (the sample
        ratio, as Fabijan et al. 2019, KDD)."""
        return self.chance >= RATIO_ALARM

    @property
    def alike(self) -> bool:
        """Whether both arms spent alike beforehand; one sound plan in a hundred reads no."""
        return self.before is None or self.before.low <= 0 <= self.before.high


@dataclass(frozen=True, slots=True)
class SmallestEffect:
    """The smallest effect that a plan shows with the asked power, at one share of hold-out.

    `per_person` is in money per decided person, `relative` is its share of mean spend. Both are None where the arms
    would be too small to carry an interval; `relative` also where nobody spent anything.
    """

    share: float
    held_out: int
    per_person: float | None
    relative: float | None


@dataclass(frozen=True, slots=True)
class _Arms:
    """Treated and held out, in this order, over all waves."""

    means: Numbers
    variances: Numbers  # of the means
    degrees: Numbers  # of freedom of the variances


def estimate_lift(
    outcome: npt.ArrayLike,
    pre: npt.ArrayLike,
    held_out: npt.ArrayLike,
    stratum: npt.ArrayLike,
    sent: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Lift:
    """The lift of a plan at its horizon. One row per person decided `send` or `held_out`, each person once.

    `outcome`: spend in the window of the person's own wave. `pre`: one or more columns (n, or n x k) of what was known
    before that window, such as spend in the six months before. `stratum`: number of the wave; the share held out must
    be the same in each. `sent`: whether the touch went out, as read back; failed, expired and unknown are not sent.
    Raises BadInput if lengths differ or a number is missing.
    """
    y, x = _columns(outcome, pre)
    held = np.asarray(held_out, dtype=bool)
    waves = np.asarray(stratum)
    gone = None if sent is None else np.asarray(sent, dtype=bool)
    if not len(y) == len(held) == len(waves) or (gone is not None and len(gone) != len(y)):
        raise _unequal()
    went_out = None if gone is None else int(np.count_nonzero(gone & ~held))
    few = int(np.count_nonzero(held))
    many = len(y) - few
    if min(few, many) < SMALLEST_ARM:
        return Lift(Verdict.TOO_SMALL, many, few, went_out)
    if not y.any():
        return Lift(Verdict.NOTHING_YET, many, few, went_out)
    cells = _waves_with_both_arms(waves, held) * 2 + held
    arms = _arms(y, x, cells)
    quantile = _quantile(arms, confidence)
    effect = _difference(arms, quantile)
    total = effect.times(many)
    return Lift(
        Verdict.VISIBLE if effect.low > 0 or effect.high < 0 else Verdict.NOT_VISIBLE,
        many,
        few,
        went_out,
        effect,
        total,
        total.times(1 / went_out) if went_out else None,
        _relative(arms, quantile),
        float(arms.means[1]),
    )


def balance_of(pre: npt.ArrayLike, held_out: npt.ArrayLike, stratum: npt.ArrayLike, share: float) -> Balance | None:
    """Whether a plan's arms were drawn as declared. Rows as for `estimate_lift`; `share` is the declared hold-out.

    None where an arm is too small to be judged.
    """
    held = np.asarray(held_out, dtype=bool)
    few, decided = int(np.count_nonzero(held)), len(held)
    if min(few, decided - few) < SMALLEST_ARM or not 0 < share < 1:
        return None
    from scipy.special import bdtr, bdtrc  # see _quantile

    at_most = float(bdtr(few, decided, share))
    at_least = float(bdtrc(few - 1, decided, share))
    spent = np.asarray(pre, dtype=np.float64)
    before = estimate_lift(spent, np.empty((decided, 0)), held, stratum, confidence=0.99).per_person
    return Balance(share, few, decided, min(1.0, 2 * min(at_most, at_least)), before)


def smallest_effect(
    outcome: npt.ArrayLike,
    pre: npt.ArrayLike,
    shares: Sequence[float],
    power: float = 0.8,
    alpha: float = 0.05,
    persons: int | None = None,
) -> tuple[SmallestEffect, ...]:
    """What a plan over these persons could show, for each share of hold-out, from their own history before launch.

    `outcome`: spend in the last window as long as the plan's horizon that ended before launch; `pre`: what was known
    before that window. `persons`: how many the plan decides, if the history is a sample of them. Bloom's multiple of
    the standard error (1995, Evaluation Review 19), with normal quantiles to two decimals as printed there: 1.96 +
    0.84 = 2.80 for 80 % power at 5 %, two-sided.
    """
    y, x = _columns(outcome, pre)
    decided = len(y) if persons is None else persons
    if len(y) < 2 * SMALLEST_ARM:
        return tuple(SmallestEffect(share, round(decided * share), None, None) for share in shares)
    adjusted = y - _adjustment(y, x, np.zeros(len(y), dtype=np.int64))
    spread = float(adjusted.std(ddof=1))
    normal = NormalDist().inv_cdf
    multiple = round(normal(1 - alpha / 2), 2) + round(normal(power), 2)
    average = float(y.mean())

    def point(share: float) -> SmallestEffect:
        few = round(decided * share)
        if min(few, decided - few) < SMALLEST_ARM:
            return SmallestEffect(share, few, None, None)
        effect = multiple * spread * float(np.sqrt(1 / few + 1 / (decided - few)))
        return SmallestEffect(share, few, effect, effect / average if average > 0 else None)

    return tuple(point(share) for share in shares)


def _columns(outcome: npt.ArrayLike, pre: npt.ArrayLike) -> tuple[Numbers, Numbers]:
    y = np.asarray(outcome, dtype=np.float64)
    x = np.asarray(pre, dtype=np.float64)
    x = x.reshape(len(x), -1) if x.size else np.empty((len(y), 0))
    if len(x) != len(y):
        raise _unequal()
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise BadInput(
            "消费数据里有缺失值，请先把没有消费的客户记为 0。",
            "A spend figure is missing; give persons who bought nothing a zero first.",
        )
    return y, x


def _unequal() -> BadInput:
    return BadInput(
        "每位客户必须恰好一行：各列长度不一致，请检查传入的数据。",
        "Each person needs exactly one row: the columns differ in length; check what was passed in.",
    )


def _waves_with_both_arms(stratum: npt.NDArray[np.generic], held: Flags) -> npt.NDArray[np.int64]:
    """Number the waves 0, 1, … in order, small ones joined to the next (the last to the one before)."""
    _, waves = np.unique(stratum, return_inverse=True)
    counts = np.stack([np.bincount(waves, ~held), np.bincount(waves, held)])
    joined = np.zeros(counts.shape[1], dtype=np.int64)
    group, filled = 0, np.zeros(2)
    for wave in range(counts.shape[1]):
        joined[wave] = group
        filled += counts[:, wave]
        if filled.min() >= SMALLEST_CELL:
            group, filled = group + 1, np.zeros(2)
    return np.minimum(joined, max(group - 1, 0))[waves]


def _within(values: Numbers, cells: npt.NDArray[np.int64], sizes: Numbers) -> Numbers:
    """Each value less the mean of its cell."""
    return values - (np.bincount(cells, values) / sizes)[cells]


def _adjustment(y: Numbers, x: Numbers, cells: npt.NDArray[np.int64]) -> Numbers:
    """What the pre-period says of each outcome, with slopes pooled within cells; zero on average over all rows."""
    sizes = np.maximum(np.bincount(cells), 1).astype(np.float64)
    inside = np.empty_like(x)
    for column in range(x.shape[1]):
        inside[:, column] = _within(x[:, column], cells, sizes)
    length = np.sqrt((inside**2).sum(axis=0))
    length[length == 0] = 1.0
    # Columns of equal length, and a cut-off: one that repeats another, or is the same for all, then takes no part.
    alike = inside.T @ inside / np.outer(length, length)
    slopes = np.linalg.lstsq(alike, inside.T @ _within(y, cells, sizes) / length, rcond=1e-9)[0] / length
    centred: Numbers = (x - x.mean(axis=0)) @ slopes
    return centred


def _arms(y: Numbers, x: Numbers, cells: npt.NDArray[np.int64]) -> _Arms:
    """Both arms' adjusted means, each wave weighed by its persons. `cells` is 2 x wave + held out."""
    adjusted = y - _adjustment(y, x, cells)
    persons = np.bincount(cells).astype(np.float64)
    means = np.bincount(cells, adjusted) / persons
    squares = (adjusted - means[cells]) ** 2
    sizes = persons.reshape(-1, 2)  # waves x arms, as all that follows
    sums = np.bincount(cells, squares).reshape(-1, 2)
    weights = sizes.sum(axis=1) / len(y)
    degrees = (sizes - 1).sum(axis=0)
    spread = np.maximum(sums.sum(axis=0) / degrees, NOTHING)
    kurtosis = float(np.mean((squares / spread[cells & 1]) ** 2))
    parts = (weights[:, None] ** 2 / sizes).sum(axis=0)
    return _Arms(weights @ means.reshape(-1, 2), parts * _moderated(spread, kurtosis, degrees), degrees)


def _moderated(spread: Numbers, kurtosis: float, persons: Numbers) -> Numbers:
    """Both arms' variances of one person's spend, drawn together as far as they are noise.

    The log of a sample variance has variance (kurtosis - 1) / n; the difference between the arms' true logs is
    believed to be normal about zero with `SPREAD_CHANGE`; their common level is free.
    """
    noise = max(kurtosis - 1, 1e-9) / persons
    # The log knows no bottom: an arm in which nobody happened to buy would otherwise pass for one without spread.
    least = float(spread @ persons / persons.sum()) * np.minimum(noise, 1.0) * LEAST_SPREAD
    logs = np.log(np.maximum(spread, least))
    kept = SPREAD_CHANGE**2 / (SPREAD_CHANGE**2 + noise.sum())
    share = noise / noise.sum()
    level = float(logs @ share[::-1])
    together: Numbers = np.exp(level + kept * (logs[1] - logs[0]) * share * np.array([-1.0, 1.0]))
    return together


def _quantile(arms: _Arms, confidence: float) -> float:
    """Student's quantile with Satterthwaite's degrees of freedom."""
    from scipy.special import stdtrit  # not above: it would take a third of a second of every command

    v = arms.variances
    degrees = float(v.sum() ** 2 / (v**2 / arms.degrees).sum())
    return float(stdtrit(degrees, (1 + confidence) / 2))


def _difference(arms: _Arms, quantile: float) -> Interval:
    effect = float(arms.means[0] - arms.means[1])
    half = quantile * float(np.sqrt(arms.variances.sum()))
    return Interval(effect, effect - half, effect + half)


def _relative(arms: _Arms, quantile: float) -> Interval | None:
    """Fieller's interval (1954) of treated / held out - 1: it holds zero exactly when the difference's does."""
    (treated, control), (v, u) = arms.means, arms.variances * quantile**2
    scale = control**2 - u
    if control <= 0 or scale <= 0:
        return None
    middle = treated * control / scale
    half = float(np.sqrt(max(u * treated**2 + v * control**2 - u * v, 0.0))) / scale
    return Interval(float(treated / control) - 1, float(middle - half) - 1, float(middle + half) - 1)

"""上次活动真有用吗: an old list of who was targeted, against purchases before and after.

Nobody was held out at random, so those on the list differ from the others beforehand. What each person spent before is
taken off what she spent during (difference of differences), which is only as good as the belief that both kinds would
have moved alike; the page says so beside every figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from yutang.kernel.errors import BadInput
from yutang.reach.lift import SMALLEST_ARM, Interval, Verdict

UNLIKE = 0.25
"""Groups whose means before differ by more than this many standard deviations are unlike (Rubin 2001, Health Services
and Outcomes Research Methodology 2)."""


@dataclass(frozen=True, slots=True)
class Means:
    """What the targeted and the others spent on average per person, in one window."""

    targeted: float
    others: float

    @property
    def ratio(self) -> float | None:
        """Targeted over others; None where the others spent nothing."""
        return self.targeted / self.others if self.others > 0 else None


@dataclass(frozen=True, slots=True)
class Difference:
    """What a past campaign changed, per targeted person; `change` is None where `too_small`, and where
    nobody spent anything in either window (`nothing_yet`).

    `unlike_before` is the warning that the two groups were no match before the campaign began: `gap_before` is their
    distance then, in standard deviations.
    """

    verdict: Verdict
    targeted: int
    others: int
    during: Means
    before: Means
    change: Interval | None
    gap_before: float
    unlike_before: bool


def difference_of_differences(
    during: npt.ArrayLike, before: npt.ArrayLike, targeted: npt.ArrayLike, confidence: float = 0.95
) -> Difference:
    """One row per person: spend during, spend in an equally long window just before, and whether she was on the list.

    The interval has Welch's standard error and the normal quantile. Raises BadInput if lengths differ, a figure is
    missing, or all or none were targeted.
    """
    after, prior = np.asarray(during, dtype=np.float64), np.asarray(before, dtype=np.float64)
    listed = np.asarray(targeted, dtype=bool)
    if not len(after) == len(prior) == len(listed) or not (np.isfinite(after).all() and np.isfinite(prior).all()):
        raise BadInput(
            "每位客户必须恰好一行，活动前和活动中的消费都要有（没有消费记为 0）。",
            "Each person needs exactly one row with spend before and during (zero if nothing was bought).",
        )
    if listed.all() or not listed.any():
        raise BadInput(
            "名单里要既有触达过的客户，也有没触达过的客户，才能比较。",
            "There must be both targeted and other persons, or there is nothing to compare.",
        )
    gap = _gap(prior[listed], prior[~listed])
    spent = bool(after.any() or prior.any())
    change = _welch((after - prior)[listed], (after - prior)[~listed], confidence) if spent else None
    return Difference(
        _verdict(change) if spent else Verdict.NOTHING_YET,
        int(np.count_nonzero(listed)),
        int(np.count_nonzero(~listed)),
        Means(float(after[listed].mean()), float(after[~listed].mean())),
        Means(float(prior[listed].mean()), float(prior[~listed].mean())),
        change,
        gap,
        abs(gap) > UNLIKE,
    )


def _verdict(change: Interval | None) -> Verdict:
    if change is None:
        return Verdict.TOO_SMALL
    return Verdict.VISIBLE if change.low > 0 or change.high < 0 else Verdict.NOT_VISIBLE


def _welch(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], confidence: float) -> Interval | None:
    if min(len(one), len(other)) < SMALLEST_ARM:
        return None
    value = float(one.mean() - other.mean())
    error = float(np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other)))
    half = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Interval(value, value - half, value + half)


def _gap(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """The standardised difference of two means; zero where nobody spent anything."""
    spread = float(np.sqrt((one.var() + other.var()) / 2))
    return float(one.mean() - other.mean()) / spread if spread > 0 else 0.0

"""Gamma-Gamma: how much somebody spends each time. Pure.

P. S. Fader, B. G. S. Hardie, “The Gamma-Gamma Model of Monetary Value”, 2013, note 025: “FH” below, with its equation
numbers. A person's purchases are Gamma with shape p and a rate ν of their own; ν is Gamma with shape q and rate v (FH's
γ) over persons. What is known of a person is their number of purchases x and the mean m of them (FH's z̄). How much
somebody spends is taken to say nothing of how often: `correlation` tells whether that can be believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, psi

from yutang.profiles.values.fitting import Fitted, Floats, maximise

STARTERS = 4_000


@dataclass(frozen=True, slots=True)
class Spends:
    """Number of purchases `x` ≥ 1, their mean `m` > 0, and how many persons (`n`) have these."""

    x: Floats
    m: Floats
    n: Floats

    @property
    def persons(self) -> float:
        """How many there are."""
        return float(self.n.sum())

    @staticmethod
    def of(x: npt.ArrayLike, m: npt.ArrayLike, n: npt.ArrayLike | None = None) -> Spends:
        """Those with a purchase of a positive mean."""
        times, mean = np.asarray(x, dtype=np.float64), np.asarray(m, dtype=np.float64)
        counts = np.ones(len(times)) if n is None else np.asarray(n, dtype=np.float64)
        kept = (times > 0) & (mean > 0)
        return Spends(times[kept], mean[kept], counts[kept])

    def correlation(self) -> float:
        """Pearson's, of x and m: near 0 if the model's assumption holds."""
        if len(self.x) < 2 or np.ptp(self.x) == 0 or np.ptp(self.m) == 0:
            return 0.0
        return float(np.corrcoef(self.x, self.m)[0, 1])

    @property
    def identical(self) -> bool:
        """Whether everybody's mean is the same, so that there is nothing to tell apart."""
        return not len(self.m) or float(np.std(self.m)) <= 1e-9 * float(np.mean(self.m))


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """The three parameters."""

    p: float
    q: float
    v: float

    def moved(self, by: Floats) -> GammaGamma:
        """With its logarithms moved."""
        return GammaGamma(*(np.array([self.p, self.q, self.v]) * np.exp(by)).tolist())

    def mean(self, x: Floats, m: Floats) -> Floats:
        """E[M | x, m] = p (v + x m) ÷ (p x + q − 1): FH eq. 5. With x = 0 it is everybody's, p v ÷ (q − 1)."""
        result: Floats = self.p * (self.v + x * m) / (self.p * x + self.q - 1)
        return result


def log_likelihood(spends: Spends, at: Floats) -> tuple[float, Floats]:
    """FH eq. 1a of everybody and its gradient, in the parameters' logarithms:
    lnΓ(px+q) − lnΓ(px) − lnΓ(q) + q ln v + (px−1) ln m + px ln x − (px+q) ln(v + x m)."""
    p, q, v = np.exp(at)
    x, m, n = spends.x, spends.m, spends.n
    values, place = np.arange(1, x.max() + 1), x.astype(np.intp) - 1  # counts
    whole = v + x * m
    log_whole, log_sum, log_m = np.log(whole), np.log(x * m), np.log(m)
    of_x = gammaln(p * values + q) - gammaln(p * values) - gammaln(q) + q * np.log(v)
    value = float(np.dot(n, of_x[place] + p * x * log_sum - log_m - (p * x + q) * log_whole))
    both = psi(p * values + q)
    by_p = values * (both - psi(p * values))
    by_q = both - psi(q) + np.log(v)
    gradient = np.array(
        [
            np.dot(n, by_p[place] + x * (log_sum - log_whole)),
            np.dot(n, by_q[place] - log_whole),
            np.dot(n, q / v - (p * x + q) / whole),
        ]
    )
    return value, gradient * np.exp(at)


def fit(spends: Spends) -> Fitted:
    """The parameters (p, q, v) of the highest likelihood, from several starts."""
    mean = float(np.average(spends.m, weights=spends.n))
    starts: list[tuple[float, ...]] = [(p, q, mean * (q - 1) / p) for p, q in ((6.0, 4.0), (1.0, 3.0), (3.0, 12.0))]
    step = len(spends.x) // STARTERS
    some = None
    if step >= 2:
        few = Spends(spends.x[::step], spends.m[::step], spends.n[::step])
        some = ((lambda at: log_likelihood(few, at)), few.persons)
    return maximise(lambda at: log_likelihood(spends, at), starts, spends.persons, some)

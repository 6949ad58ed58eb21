"""BG/NBD: how often somebody comes back, and whether they still do. Pure, and over groups, not over persons.

P. S. Fader, B. G. S. Hardie, K. L. Lee, “Counting Your Customers” the Easy Way: An Alternative to the Pareto/NBD Model,
Marketing Science 24 (2), 2005, 275–284: “FHL” below, with its equation numbers. While a person is a customer they come
at a rate λ of their own (Gamma with shape r and rate α over persons), and after every purchase they leave for ever with
a chance p of their own (Beta with a and b). What is known of a person is (x, t_x, T): how often they came again after
the first time, when last, and until when they were watched, in days since the first time.

Where FHL has a Gaussian hypergeometric function, which overflows for large x (Fader & Hardie 2013, note 027), here
stands a sum over how many purchases there would be without leaving, which is negative binomial: all its terms are
positive and at most one, so nothing overflows and nothing cancels, at a = 1 too, where FHL's form divides by zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, expit, gammaln, psi

from yutang.profiles.values.fitting import Fitted, Floats, maximise

LEAST_LOG = -600.0
"""Below this a probability's logarithm cannot be left: the recursion would start from zero."""
FINEST = 1e-12
STARTERS = 4_000
"""The way to the maximum is sought on so many groups, about; all of them decide where it is."""


@dataclass(frozen=True, slots=True)
class Histories:
    """(x, t_x, T), each distinct one once, and how many persons (`n`) have it. All are floats, in one unit of time."""

    x: Floats
    t_x: Floats
    T: Floats
    n: Floats

    @property
    def persons(self) -> float:
        """How many there are."""
        return float(self.n.sum())

    @property
    def repeaters(self) -> int:
        """How many came again."""
        return int(self.n[self.x > 0].sum())

    @staticmethod
    def of(x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, n: npt.ArrayLike | None = None) -> Histories:  # noqa: N803
        """Persons, or groups of `n` of them, brought together."""
        whole = np.column_stack([np.asarray(part, dtype=np.float64) for part in (x, t_x, T)])
        counts = np.ones(len(whole)) if n is None else np.asarray(n, dtype=np.float64)
        if not len(whole):
            return Histories(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0))
        order = _sorted(whole)
        ordered = whole[order]
        first = np.append(True, np.any(ordered[1:] != ordered[:-1], axis=1))
        starts = np.flatnonzero(first)
        once = ordered[starts]
        return Histories(once[:, 0], once[:, 1], once[:, 2], np.add.reduceat(counts[order], starts))


def _sorted(whole: Floats) -> npt.NDArray[np.intp]:
    """An order in which equal rows stand together. Whole days fit into one key, which sorts several times as fast."""
    if np.all(whole == np.floor(whole)) and whole.min() >= 0 and whole.max() < 2**20:
        x, t_x, T = whole.astype(np.int64).T  # noqa: N806
        return np.argsort((x << 40) | (t_x << 20) | T)
    return np.lexsort(whole.T)


@dataclass(frozen=True, slots=True)
class BgNbd:
    """The four parameters. Times are in the unit of those that they were fitted to."""

    r: float
    alpha: float
    a: float
    b: float

    def moved(self, by: Floats) -> BgNbd:
        """With its logarithms moved."""
        return BgNbd(*(np.array([self.r, self.alpha, self.a, self.b]) * np.exp(by)).tolist())

    def alive(self, x: Floats, t_x: Floats, T: Floats) -> Floats:  # noqa: N803
        """P(alive | x, t_x, T): Fader & Hardie 2008, “Computing P(alive) Using the BG/NBD Model” (note 021), eq. 1,
        which is the denominator of FHL eq. 10. 1 for x = 0, because nobody leaves before a second purchase."""
        log_odds = (
            (self.r + x) * (np.log(self.alpha + T) - np.log(self.alpha + t_x))
            + np.log(self.a)
            - np.log(self.b + np.maximum(x, 1) - 1)
        )
        result: Floats = np.where(x > 0, expit(-log_odds), 1.0)
        return result

    def silent(self, x: Floats, T: Floats, horizon: float | Floats) -> Floats:  # noqa: N803
        """The chance that somebody who is alive does not come within the horizon: λ is Gamma with r + x and α + T."""
        s = self.alpha + T
        result: Floats = np.exp((self.r + x) * (np.log(s) - np.log(s + horizon)))
        return result

    def next_order(self, x: Floats, T: Floats, alive: Floats) -> Floats:  # noqa: N803
        """The time from now by which the next purchase comes with a chance of one half: the median of its predictive
        law. Not a number for whom it is likelier that none comes at all."""
        left = np.where(alive > 0.5, 1 - 0.5 / np.maximum(alive, 0.5), np.nan)
        with np.errstate(over="ignore", divide="ignore"):
            grown = np.exp(-np.log(np.where(left > 0, left, np.nan)) / (self.r + x)) - 1
        result: Floats = (self.alpha + T) * grown
        return np.where(np.isfinite(result), result, np.nan)

    def expected_alive(self, x: Floats, T: Floats, horizon: float) -> Floats:  # noqa: N803
        """E[Y(t) | alive, x, T], FHL eq. 10 without its denominator: Σ_j P(N > j) · E[(1 − p)^j].

        N, the purchases if nobody left, is negative binomial (r + x; z = t ÷ (α + T + t)), and p is Beta(a, b + x): the
        (j + 1)-th purchase happens if there are that many and none of the j before it was the last.
        """
        result = np.zeros(len(x))
        z = horizon / (self.alpha + T + horizon)
        start = (self.r + x) * np.log1p(-z)
        deep = start < LEAST_LOG
        result[deep] = self._by_tails(x[deep], z[deep])
        at = np.flatnonzero(~deep)
        shape, survives, dies = (self.r + x)[at], (self.b + x)[at], (self.a + self.b + x)[at]
        z, pmf = z[at], np.exp(start[at])
        tail, kept, total, j = 1 - pmf, np.ones(len(at)), np.zeros(len(at)), 0
        while len(at):
            total += tail * kept
            kept *= (survives + j) / (dies + j)
            pmf *= z * (shape + j) / (j + 1)
            tail -= pmf
            j += 1
            if j % 8 == 0:
                done = tail * kept < FINEST * np.maximum(total, 1e-6)
                if done.any():
                    result[at[done]] = total[done]
                    go = ~done
                    at, shape, survives, dies = at[go], shape[go], survives[go], dies[go]
                    z, pmf, tail, kept, total = z[go], pmf[go], tail[go], kept[go], total[go]
        return result

    def _by_tails(self, x: Floats, z: Floats) -> Floats:
        """The same where the recursion would start from zero: its tails are incomplete Beta functions."""
        result = np.zeros(len(x))
        for index in range(len(x)):
            mean = (self.r + x[index]) * z[index] / (1 - z[index])
            most = int(mean + 12 * np.sqrt(mean / (1 - z[index])) + 60)
            y: Floats = np.arange(1, most + 1, dtype=np.float64)
            result[index] = float(np.sum(self.at_least(x[index : index + 1], z[index : index + 1], y)))
        return result

    def at_least(self, x: Floats, z: Floats, y: Floats) -> Floats:
        """P(Y ≥ y | alive) for y = 1, 2, …: one row per (x, z), with z = t ÷ (α + T + t), one column per y.

        I_z(y, r + x) · Γ(b+x+y−1) Γ(a+b+x) ÷ (Γ(b+x) Γ(a+b+x+y−1)): the law behind FHL eq. 10, told as its tails.
        """
        x, z, y = x[:, None], z[:, None], y[None, :]
        log_kept = (
            gammaln(self.b + x + y - 1)
            - gammaln(self.b + x)
            + gammaln(self.a + self.b + x)
            - gammaln(self.a + self.b + x + y - 1)
        )
        result: Floats = betainc(y, self.r + x, z) * np.exp(log_kept)
        return result

    def expected(self, x: Floats, t_x: Floats, T: Floats, horizon: float) -> Floats:  # noqa: N803
        """E[Y(t) | x, t_x, T]: how many purchases are expected within the horizon (FHL eq. 10)."""
        pairs, back = np.unique(np.column_stack([x, T]), axis=0, return_inverse=True)
        told = self.expected_alive(pairs[:, 0], pairs[:, 1], horizon)[back.ravel()]
        result: Floats = self.alive(x, t_x, T) * told
        return result


def log_likelihood(histories: Histories, at: Floats) -> tuple[float, Floats]:
    """FHL eq. 6 of everybody, in the form of FHL section 7 (A1 to A4), and its gradient, in the parameters' logarithms.

    A1 = lnΓ(r+x) − lnΓ(r) + r lnα; A2 = ln B(a, b+x) without its a-th part: lnΓ(a+b) + lnΓ(b+x) − lnΓ(b) − lnΓ(a+b+x);
    A3 = −(r+x) ln(α+T); A4 = ln a − ln(b+x−1) − (r+x) ln(α+t_x); the sum is A1 + A2 + ln(e^A3 + [x > 0] e^A4).
    """
    r, alpha, a, b = np.exp(at)
    x, n = histories.x, histories.n
    values, place = np.arange(x.max() + 1), x.astype(np.intp)  # counts
    of_x = (
        gammaln(r + values)
        - gammaln(r)
        + gammaln(a + b)
        + gammaln(b + values)
        - gammaln(b)
        - gammaln(a + b + values)
        + r * np.log(alpha)
    )
    s, u = alpha + histories.T, alpha + histories.t_x
    log_s, log_u = np.log(s), np.log(u)
    last = np.maximum(b + x - 1, 1e-300)
    third = -(r + x) * log_s
    fourth = np.where(x > 0, np.log(a) - np.log(last) - (r + x) * log_u, -np.inf)
    whole = np.logaddexp(third, fourth)
    gone = np.exp(fourth - whole)  # 1 − P(alive)
    stays = 1 - gone
    total = psi(a + b + values)
    by_r = psi(r + values) - psi(r) + np.log(alpha)
    by_a = psi(a + b) - total
    by_b = psi(a + b) + psi(b + values) - psi(b) - total
    gradient = np.array(
        [
            np.dot(n, by_r[place] - stays * log_s - gone * log_u),
            np.dot(n, r / alpha - (r + x) * (stays / s + gone / u)),
            np.dot(n, by_a[place] + gone / a),
            np.dot(n, by_b[place] - gone / last),
        ]
    )
    return float(np.dot(n, of_x[place] + whole)), gradient * np.exp(at)


def fit(histories: Histories) -> Fitted:
    """The parameters (r, α, a, b) of the highest likelihood, from several starts."""
    few = _some(histories)
    rate = max(float(np.average(few.x, weights=few.n)), 1e-3) / max(float(np.average(few.T, weights=few.n)), 1e-9)
    starts = [(shape, shape / rate, a, b) for shape in (0.3, 1.5) for a, b in ((0.8, 2.5), (0.2, 6.0))]
    some = None if few is histories else ((lambda at: log_likelihood(few, at)), few.persons)
    return maximise(lambda at: log_likelihood(histories, at), starts, histories.persons, some)


def _some(histories: Histories) -> Histories:
    """Of very many groups, some, drawn evenly."""
    step = len(histories.x) // STARTERS
    if step < 2:
        return histories
    return Histories(*(part[::step] for part in (histories.x, histories.t_x, histories.T, histories.n)))

"""The next category: of what somebody will first buy next, given what they have bought, by association with lift.

A person's purchases are a basket that grows. Of those who at an instant had A and not B, some bought B for the first
time in the span that follows: how many had A alone (support), what share of them came to B (confidence), and how many
times as often as all who lacked B (lift; Brin, Motwani, Ullman & Tsur 1997, SIGMOD), the last with an interval.

A person's order of categories is popularity moved by lifts: log P(B) + w × the mean, over all categories A, of the
logarithm of how often those like the person in A (having it, or lacking it) came to B, against everybody. `w` is chosen
on the span before, which the test never sees; w = 0 is "the most popular that they lack", the one to beat. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
NEVER = np.iinfo(np.int32).max
WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
PRIOR = 20.0
"""So many persons of the common rate are added to each pair, so that few make no lift."""
Z = 1.959963984540054  # of a 95 % interval
FEWEST = 200
"""With fewer persons who came to something new, nothing is told."""
FEWEST_PAIR = 50
TOP = (1, 3)


@dataclass(frozen=True, slots=True)
class Firsts:
    """When each person first bought of each category: `days` (persons × categories) since any fixed day, NEVER."""

    persons: npt.NDArray[np.int64]
    categories: tuple[str, ...]
    days: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Pair:
    """Who had `has` and lacked `next`: `support` persons, of whom `confidence` first bought it within the span; `lift`
    against all who lacked it, with the ends of its 95 % interval."""

    has: str
    next: str
    support: int
    confidence: float
    lift: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Model:
    """What came after what, in a span of `days` before an instant, and how much it counts (`weight`)."""

    categories: tuple[str, ...]
    popularity: Floats
    weight: float
    days: int
    having: Floats  # log lift of [A, B] for those who have A
    lacking: Floats  # and for those who lack A
    support: npt.NDArray[np.int64]
    came: npt.NDArray[np.int64]
    base: Floats
    persons: int

    def scores(self, has: Bools) -> Floats:
        """The score of every category (persons × categories); −∞ for those that they have."""
        moved = (has @ self.having + ~has @ self.lacking) / max(1, len(self.categories))
        found: Floats = np.log(self.popularity) + self.weight * moved
        return np.where(has, -np.inf, found)

    def pair(self, has: int, following: int) -> Pair:
        """What is known of one pair of categories, by their places."""
        support, came = int(self.support[has, following]), int(self.came[has, following])
        confidence = came / support if support else 0.0
        base = float(self.base[following])
        lift = confidence / base if base else 0.0
        # The logarithm of a ratio of two shares; the common rate comes of so many more that its own error is left out.
        error = ((1 - confidence) / max(came, 1)) ** 0.5
        names = self.categories[has], self.categories[following]
        return Pair(
            *names, support, confidence, lift, lift * float(np.exp(-Z * error)), lift * float(np.exp(Z * error))
        )

    def pairs(self, limit: int) -> list[Pair]:
        """The pairs of which we are surest that the one leads to the other: by the lower end of their lift."""
        with np.errstate(divide="ignore", invalid="ignore"):
            confidence = np.where(self.support > 0, self.came / np.maximum(self.support, 1), 0.0)
            lift = np.where(self.base > 0, confidence / self.base, 0.0)
            low = lift * np.exp(-Z * np.sqrt((1 - confidence) / np.maximum(self.came, 1)))
        low = np.where((self.support >= FEWEST_PAIR) & (self.came >= 10), low, 0.0)
        np.fill_diagonal(low, 0.0)
        order = np.argsort(-low, axis=None, kind="stable")[:limit]
        places = [divmod(int(place), len(self.categories)) for place in order]
        return [self.pair(a, b) for a, b in places if low[a, b] > 1]

    def telling(self, has: Bools, following: int) -> Pair | None:
        """Of what one person has, what leads most surely to a category; None where nothing does."""
        found = [self.pair(int(one), following) for one in np.flatnonzero(has)]
        sure = [one for one in found if one.support >= FEWEST_PAIR and one.low > 1]
        return max(sure, key=lambda one: one.low, default=None)


@dataclass(frozen=True, slots=True)
class Measure:
    """A share of persons for whom the order was right, by lifts and by popularity, and the difference with the ends of
    its 95 % interval over persons."""

    name: str
    lifts: float
    popular: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BackTest:
    """Told at an instant, and compared with what then came in `days`: `persons` who came to something new."""

    persons: int
    days: int
    weight: float
    measures: tuple[Measure, ...]

    @property
    def beats(self) -> bool:
        """Whether lifts were surely better than popularity, by every measure."""
        return all(one.low > 0 for one in self.measures)


def fit(firsts: Firsts, until: int, span: int) -> Model | None:
    """What leads to what, from what was bought before the day `until`; None where too few came to anything new."""
    before = _came(firsts, until - span, until)
    if np.count_nonzero(before[1].any(axis=1)) < FEWEST:
        return None
    return _fitted(firsts, until, span, _weight(firsts, until, span))


def back_test(firsts: Firsts, until: int, span: int) -> BackTest | None:
    """Told at the day `until` by what was before it; judged by the `span` days after it. None where too few."""
    model = fit(firsts, until, span)
    has, came = _came(firsts, until, until + span)
    judged = came.any(axis=1) & has.any(axis=1)
    if model is None or np.count_nonzero(judged) < FEWEST:
        return None
    has, came = has[judged], came[judged]
    ours, popular = _right(model.scores(has), came), _right(_popular(model, has), came)
    names = [*(f"first_{top}" for top in TOP), "rank"]
    return BackTest(
        len(has), span, model.weight, tuple(_measure(*row) for row in zip(names, ours, popular, strict=True))
    )


def _came(firsts: Firsts, since: int, until: int) -> tuple[Bools, Bools]:
    """Who had what at an instant, and who came to what until another."""
    return firsts.days < since, (firsts.days >= since) & (firsts.days < until)


def _fitted(firsts: Firsts, until: int, span: int, weight: float) -> Model:
    has, came = _came(firsts, until - span, until)
    known = has.any(axis=1)  # of who had nothing yet, nothing follows
    a, new, lacked = (one[known].astype(np.float32) for one in (has, came, ~has))
    support, steps = a.T @ lacked, a.T @ new
    support_not, steps_not = (1 - a).T @ lacked, (1 - a).T @ new
    base = new.sum(axis=0, dtype=np.float64) / np.maximum(lacked.sum(axis=0, dtype=np.float64), 1)
    bought = firsts.days < until
    popularity = (bought.sum(axis=0) + 0.5) / (len(firsts.persons) + 1.0)
    return Model(
        firsts.categories,
        popularity,
        weight,
        span,
        _log_lift(steps, support, base),
        _log_lift(steps_not, support_not, base),
        support.round().astype(np.int64),
        steps.round().astype(np.int64),
        base,
        int(known.sum()),
    )


def _log_lift(steps: npt.NDArray[np.float32], support: npt.NDArray[np.float32], base: Floats) -> Floats:
    floor = np.maximum(base, 1e-6)
    found: Floats = np.log((steps + PRIOR * floor) / (support + PRIOR) / floor)
    return found


def _weight(firsts: Firsts, until: int, span: int) -> float:
    """The weight that would have served best one span earlier; 0 where there was nobody to tell by."""
    has, came = _came(firsts, until - span, until)
    judged = came.any(axis=1) & has.any(axis=1)
    if np.count_nonzero(judged) < FEWEST:
        return 0.0
    has, came = has[judged], came[judged]
    earlier = _fitted(firsts, until - span, span, 1.0)
    base = np.log(earlier.popularity)
    moved = (has @ earlier.having + ~has @ earlier.lacking) / max(1, len(firsts.categories))
    ranks = [float(_right(np.where(has, -np.inf, base + weight * moved), came)[-1].mean()) for weight in WEIGHTS]
    return WEIGHTS[int(np.argmax(ranks))]


def _popular(model: Model, has: Bools) -> Floats:
    return np.where(has, -np.inf, np.log(model.popularity))


def _right(scores: Floats, came: Bools) -> list[Floats]:
    """Per person: the share of the first one and of the first three that came, and one over the rank of the first."""
    order = np.argsort(-scores, axis=1, kind="stable")
    hit = np.take_along_axis(came, order, axis=1)
    rank = 1.0 / (1.0 + hit.argmax(axis=1))
    return [*(hit[:, :top].mean(axis=1) for top in TOP), rank]


def _measure(name: str, ours: Floats, popular: Floats) -> Measure:
    difference = ours - popular
    mean = float(difference.mean())
    error = Z * float(difference.std(ddof=1)) / len(difference) ** 0.5
    return Measure(name, float(ours.mean()), float(popular.mean()), mean, mean - error, mean + error)


def arranged(persons: Sequence[int], categories: Sequence[str], days: Sequence[int], most: int) -> Firsts:
    """Rows of person, category and day as a table of the `most` categories that most persons bought."""
    who, row = np.unique(np.asarray(persons, np.int64), return_inverse=True)
    names, column = np.unique(np.asarray(categories, dtype=object).astype(str), return_inverse=True)
    heads = np.bincount(column, minlength=len(names))
    kept = np.sort(np.argsort(-heads, kind="stable")[:most])
    place = np.full(len(names), -1)
    place[kept] = np.arange(len(kept))
    table = np.full((len(who), len(kept)), NEVER, dtype=np.int32)
    known = place[column] >= 0
    np.minimum.at(table, (row[known], place[column][known]), np.asarray(days, np.int32)[known])
    return Firsts(who, tuple(str(names[one]) for one in kept), table)

"""What makes a person look like the members of a segment (the seed), by weight of evidence.

Each trait is cut into bands: quarters of everybody who has a value, or its choices; no value is a band too. With s of
the seed's S members and r of the R others in a band of K, the band weighs

    ln((s + 1) / (S + K)) − ln((r + 1) / (R + K))

in thousandths, rounded; a person's score is the sum over traits. That is the log-odds of naive Bayes without its prior
(I. J. Good, Probability and the Weighing of Evidence, 1950, ch. 6; the ones are Laplace's rule of succession). It takes
the traits for independent, so a score orders persons and is no probability. How well it orders is not taken on trust:
`separation` scores each fifth of the persons by weights from the other four, and gives the area under the ROC curve
with its interval (E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44, 1988, eq. 3 and 5, for one curve).

Where the seed's own rule asks for a trait that is compared, that area says little: the rule tells its members apart by
definition. Leaving the trait out of the comparison would be no remedy. Others follow from it (who spends much in a year
buys often, and did in the last quarter), what a list or a rule about events asks stands in no trait, and it is a
document's to say by what persons are compared. So the area stays that of the score that is used, and beside it stands
what the other traits alone would give (`beyond`).

Engines only count, and logarithms are taken here: both engines answer alike to the last person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from yutang.profiles.conditions import literal, text
from yutang.profiles.contracts import Moment
from yutang.profiles.traits import TRAITS

FOLDS = 5
FEWEST = 50
"""Of seed and others each: with fewer the interval would be as wide as what it is about."""
Z_95 = 1.959964
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bands:
    """How a trait is cut: at `edges`, in whole hundredths (a value on an edge is below it), or into `choices`."""

    trait: str
    edges: tuple[float, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """How many bands there are; the first holds those without a value."""
        return len(self.choices) + 1 if self.choices else len(self.edges) + 2

    def told(self, of: Sequence[exp.Expr], moment: Moment) -> exp.Expr:
        """One of these expressions, by the band in which a row of `profiles` is."""
        value = TRAITS[self.trait].expression(moment)
        if not self.choices:
            value = hundredths(self.trait, moment)
        case = exp.Case().when(value.copy().is_(exp.null()), of[0])
        for choice, told in zip(self.choices, of[1:], strict=False):
            case = case.when(exp.EQ(this=value.copy(), expression=text(choice)), told)
        if self.choices:
            return case.else_(of[0])
        for edge, told in zip(self.edges, of[1:], strict=False):
            case = case.when(exp.LTE(this=value.copy(), expression=literal(edge)), told)
        return case.else_(of[-1])

    def band(self, value: Any) -> int:
        """The band of a value; the same as `told` says."""
        if self.choices:
            return self.choices.index(value) + 1 if value in self.choices else 0
        if value is None:
            return 0
        return 1 + int(np.searchsorted(self.edges, np.floor(float(value) * 100), side="left"))

    def ends(self, band: int) -> tuple[float | None, float | None]:
        """Above what, and up to what, the values of a band of numbers are; None where it has no such end."""
        cut = [None, *(edge / 100 for edge in self.edges), None]
        return cut[band - 1], cut[band]


def hundredths(trait: str, moment: Moment) -> exp.Expr:
    """A number in whole hundredths, so that quarters of it fall exactly alike on both engines."""
    double = exp.cast(TRAITS[trait].expression(moment), "double")
    return exp.Floor(this=exp.Mul(this=double, expression=exp.Literal.number(100)))


@dataclass(frozen=True, slots=True)
class Separation:
    """How well scores tell the seed's members from the others: `area` is the chance that of one of each the member's is
    the higher, with its 95 % interval; all None where there are fewer than `FEWEST` of either."""

    area: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Weight:
    """What a trait says of one person: in which band their `value` is, and how much that weighs."""

    trait: str
    value: Any
    low: float | None
    high: float | None
    thousandths: int

    @property
    def times(self) -> float:
        """How many times as common the band is among the seed's members as among the others."""
        return float(np.exp(self.thousandths / 1000))


@dataclass(frozen=True, slots=True)
class Model:
    """Weights by trait and band. In are those who score above `cutoff`, and of those who score it, persons up to
    `last`. `seed` and `others` are how many there were. `asked` are the traits that the seed's own rule asks for, and
    `beyond` is how well the others separate."""

    bands: tuple[Bands, ...] = ()
    weights: tuple[tuple[int, ...], ...] = ()
    cutoff: int = 0
    last: int = 0
    seed: int = 0
    others: int = 0
    separation: Separation = Separation()
    asked: tuple[str, ...] = ()
    beyond: Separation = Separation()

    def score(self, moment: Moment) -> exp.Expr:
        """What a row of `profiles` scores."""
        parts = [
            bands.told([literal(one) for one in weights], moment)
            for bands, weights in zip(self.bands, self.weights, strict=True)
        ]
        whole = parts[0]
        for part in parts[1:]:
            whole = exp.Add(this=whole, expression=part)
        return exp.paren(whole)

    def alike(self, moment: Moment) -> exp.Expr:
        """Whether a row of `profiles` scores high enough."""
        if not self.bands:
            return exp.false()
        early = exp.LTE(this=exp.column("person", "profiles"), expression=literal(self.last))
        edge = exp.Case().when(early, literal(self.cutoff - 1)).else_(literal(self.cutoff))  # scores are whole numbers
        return exp.GT(this=self.score(moment), expression=edge)

    def weigh(self, values: Mapping[str, Any]) -> list[Weight]:
        """What each trait says of a person with these values, what weighs most, for or against, first."""
        told = []
        for bands, weights in zip(self.bands, self.weights, strict=True):
            value = values[bands.trait]
            band = bands.band(value)
            low, high = (None, None) if bands.choices or band == 0 else bands.ends(band)
            told.append(Weight(bands.trait, value, low, high, weights[band]))
        return sorted(told, key=lambda one: -abs(one.thousandths))


@dataclass(frozen=True, slots=True)
class Cells:
    """Everybody, in groups of equals: `band` (a row per trait), whether they are of the seed, `fold`, how many."""

    band: Counts
    seed: npt.NDArray[np.bool_]
    fold: Counts
    count: Counts


def weights(bands: Sequence[Bands], cells: Cells, among: npt.NDArray[np.bool_]) -> list[Counts]:
    """The weight of each band of each trait, from the cells that are `among`."""
    found = []
    for its, band in zip(bands, cells.band, strict=True):
        inside, outside = (
            np.bincount(band[mine], cells.count[mine], its.number) for mine in (among & cells.seed, among & ~cells.seed)
        )
        log_seed = np.log((inside + 1) / (inside.sum() + its.number))
        log_rest = np.log((outside + 1) / (outside.sum() + its.number))
        found.append(np.rint(1000 * (log_seed - log_rest)).astype(np.int64))
    return found


def scores(weighed: Sequence[Counts], cells: Cells) -> Counts:
    """What the persons of each cell score."""
    total = np.zeros(len(cells.count), np.int64)
    for its, band in zip(weighed, cells.band, strict=True):
        total += its[band]
    return total


def fitted(bands: Sequence[Bands], cells: Cells, wanted: int, asked: tuple[str, ...] = ()) -> tuple[Model, int]:
    """The model of these cells, by which at most `wanted` of the others are in, and how many of those who score the
    cut-off itself; `last` is not known yet. `asked`: the traits for which the seed's own rule asks."""
    everyone = np.ones(len(cells.count), bool)
    seed, others = (int(cells.count[mine].sum()) for mine in (cells.seed, ~cells.seed))
    if not seed or not others:
        return Model(seed=seed, others=others), 0
    weighed = weights(bands, cells, everyone)
    rest = ~cells.seed
    each, place = np.unique(scores(weighed, cells)[rest], return_inverse=True)
    numbers = np.bincount(place, cells.count[rest], len(each)).astype(np.int64)
    upto, positive = np.cumsum(numbers[::-1])[::-1], each > 0  # how many score as much, or more
    whole = positive & (upto <= wanted)
    inside = int(upto[whole].max(initial=0))
    edge = each[positive & ~whole].max(initial=0)
    model = Model(
        tuple(bands), tuple(tuple(int(one) for one in its) for its in weighed), int(edge), -1, seed, others,
        separation(bands, cells), asked, _beyond(asked, bands, cells),
    )  # fmt: skip
    return model, wanted - inside if edge > 0 else 0


def _beyond(asked: Sequence[str], bands: Sequence[Bands], cells: Cells) -> Separation:
    others = [place for place, its in enumerate(bands) if its.trait not in asked]
    if not asked or not others:
        return Separation()
    return separation([bands[place] for place in others], replace(cells, band=cells.band[others]))


def separation(bands: Sequence[Bands], cells: Cells) -> Separation:
    """How well persons are told apart by weights in which they had no part."""
    if min(cells.count[cells.seed].sum(), cells.count[~cells.seed].sum()) < FEWEST:
        return Separation()
    areas, variances, shares = [], [], []
    for fold in range(FOLDS):
        held = cells.fold == fold
        told = scores(weights(bands, cells, ~held), cells)
        inside, outside = held & cells.seed, held & ~cells.seed
        if min(cells.count[inside].sum(), cells.count[outside].sum()) < 2:  # no variance of one
            return Separation()
        area, variance = area_under(told[inside], cells.count[inside], told[outside], cells.count[outside])
        areas.append(area)
        variances.append(variance)
        shares.append(cells.count[inside].sum())
    share = np.array(shares) / np.sum(shares)
    area = float(share @ areas)
    half = Z_95 * float(np.sqrt(share**2 @ variances))
    return Separation(area, max(0.0, area - half), min(1.0, area + half))


def area_under(inside: Counts, n_inside: Counts, outside: Counts, n_outside: Counts) -> tuple[float, float]:
    """The area under the ROC curve and its variance, from scores that so many persons have each; ties count half."""
    whole_in, whole_out = int(n_inside.sum()), int(n_outside.sum())
    of_inside = _beaten(inside, outside, n_outside) / whole_out
    of_outside = 1 - _beaten(outside, inside, n_inside) / whole_in
    area = float(of_inside @ n_inside / whole_in)
    spread_in = float((of_inside - area) ** 2 @ n_inside / (whole_in - 1))
    spread_out = float((of_outside - area) ** 2 @ n_outside / (whole_out - 1))
    return area, spread_in / whole_in + spread_out / whole_out


def _beaten(scored: Counts, against: Counts, number: Counts) -> Floats:
    """How many of the others score less than each, those who score the same by half."""
    order = np.argsort(against, kind="stable")
    upto = np.concatenate([[0], np.cumsum(number[order])])
    less, most = (np.searchsorted(against[order], scored, side=side) for side in ("left", "right"))
    return np.asarray((upto[less] + upto[most]) / 2)

"""Which kind of category this is (A to E), by how often it is bought, what it costs and how much one must know of it.
Every verdict shows the figures and bounds that it came of; with too few data, or questions unanswered, there is none.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from yutang.review.advisor_documents import AdvisorDocument, Answers, Effort, Kind

Z = 1.959963984540054  # of a 95 % interval


class Level(StrEnum):
    """How a figure stands to its bounds."""

    LOW = "low"
    HIGH = "high"
    VERY_HIGH = "very_high"


_HEIGHTS = {level: height for height, level in enumerate(Level)}


class Unknown(StrEnum):
    """Why nothing is told."""

    FEW_BUYERS = "few_buyers"
    SHORT = "short"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Measured:
    """What orders say of a category ('': of everything). `again` of `old`: of those who first bought half a year ago or
    longer, who did so again. `rate`: times bought again per buyer and year, with the ends of its 95 % interval.
    `price`: the median of what is spent on it at once. `consulted`: the share of buyers who wrote to us in the week
    before an order; None where nobody's messages are known."""

    category: str
    buyers: int
    baskets: int
    years: float
    rate: float
    low: float
    high: float
    price: float
    old: int
    again: int
    consulted: float | None = None

    @property
    def again_share(self) -> float | None:
        """The share of those who could have come again who did."""
        return self.again / self.old if self.old else None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A yardstick with its figure, its bound and what follows. `close`: the figure's interval holds the bound."""

    name: str
    value: float | None
    bound: float
    level: Level
    close: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """What a category is. `kind` is None where it cannot be told, and `unknown` says why; `exact`: all three yardsticks
    are those of the kind, else it is the nearest one. `one_off`: hardly anybody buys it twice."""

    measured: Measured
    evidence: tuple[Evidence, ...]
    kind: Kind | None
    exact: bool
    one_off: bool
    unknown: Unknown | None = None


def rated(
    repeats: float, years: float, squares: tuple[float, float, float], persons: int
) -> tuple[float, float, float]:
    """Repeats per person-year with the ends of its 95 % interval, persons being what is drawn: the ratio estimator's
    error (Cochran 1977, Sampling Techniques, eq. 6.13). `squares`: sums of repeats², repeats × years, years²."""
    if years <= 0:
        return 0.0, 0.0, 0.0
    rate = repeats / years
    spread = squares[0] - 2 * rate * squares[1] + rate**2 * squares[2]
    error = Z * max(spread * persons / max(persons - 1, 1), 0.0) ** 0.5 / years
    return rate, max(rate - error, 0.0), rate + error


def advise(measured: Measured, answers: Answers | None, document: AdvisorDocument) -> Advice:
    """What the rules say of a category."""
    share = measured.again_share
    once = bool(answers and answers.once) or (
        share is not None and measured.old >= document.fewest_buyers and share < document.one_off
    )
    frequency = Evidence(
        "frequency",
        measured.rate,
        document.frequency,
        Level.HIGH if measured.rate >= document.frequency else Level.LOW,
        measured.low < document.frequency < measured.high,
    )
    price = Evidence("price", measured.price, *_priced(measured.price, document))
    evidence: tuple[Evidence, ...] = (frequency, price)
    if measured.buyers < document.fewest_buyers:
        return Advice(measured, evidence, None, False, once, Unknown.FEW_BUYERS)
    if measured.years < document.fewest_years:
        return Advice(measured, evidence, None, False, once, Unknown.SHORT)
    if answers is None:
        return Advice(measured, evidence, None, False, once, Unknown.UNANSWERED)
    points = answers.asks + answers.talks + ((measured.consulted or 0.0) >= document.consulted)
    known = Level.HIGH if points >= document.cognition else Level.LOW
    evidence += (Evidence("cognition", float(points), float(document.cognition), known),)
    kind, exact = _nearest([one.level for one in evidence], document.kinds)
    return Advice(measured, evidence, kind, exact, once)


def _priced(price: float, document: AdvisorDocument) -> tuple[float, Level]:
    if price >= document.very_high_price:
        return document.very_high_price, Level.VERY_HIGH
    return document.high_price, Level.HIGH if price >= document.high_price else Level.LOW


def _nearest(levels: Sequence[Level], kinds: Sequence[Kind]) -> tuple[Kind, bool]:
    """The kind to which fewest steps lead (a step: from one level to the next), and whether none does. Of several, one
    whose cognition fits: whether there is much to be known decides between tending people and reminding them."""

    def away(kind: Kind) -> tuple[int, int]:
        wanted = (kind.frequency, kind.price, kind.cognition)
        steps = [
            min(abs(_HEIGHTS[level] - _HEIGHTS[Level(one)]) for one in several)
            for level, several in zip(levels, wanted, strict=True)
        ]
        return sum(steps), steps[-1]

    best = min(kinds, key=away)
    return best, away(best) == (0, 0)


def break_even_orders(effort: Effort, price: float) -> float | None:
    """How many more orders a month pay for the hours spent; None where an order earns nothing."""
    earned = price * effort.margin
    return effort.hours * effort.wage / earned if earned > 0 else None

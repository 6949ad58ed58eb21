"""Which kind of category this is (A to E), by how often it is bought, what it costs and how much one must know of it.
Every verdict shows the figures and bounds that it came of; with too few data, or questions unanswered, there is none.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from yutang.kernel.errors import Refused
from yutang.review.advisor_documents import AdvisorDocument, Answers, Effort, Kind

Z = 1.959963984540054  # of a 95 % interval


class Level(StrEnum):
    """How a figure stands to its bounds."""

    LOW = "low"
    HIGH = "high"
    VERY_HIGH = "very_high"


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
    kind, fits = _nearest([one.level for one in evidence], document.kinds)
    return Advice(measured, evidence, kind, fits == len(evidence), once)


def _priced(price: float, document: AdvisorDocument) -> tuple[float, Level]:
    if price >= document.very_high_price:
        return document.very_high_price, Level.VERY_HIGH
    return document.high_price, Level.HIGH if price >= document.high_price else Level.LOW


def _nearest(levels: Sequence[Level], kinds: Sequence[Kind]) -> tuple[Kind, int]:
    """The first of the kinds that fit best, and how many yardsticks fit."""
    fits = [
        sum(level.value in wanted for level, wanted in zip(levels, (k.frequency, k.price, k.cognition), strict=True))
        for k in kinds
    ]
    best = max(fits)
    return kinds[fits.index(best)], best


def refuse_hook(advice: Advice) -> None:
    """Raise Refused where a hook offer (19.9, 99 …) makes no sense: who buys only once is not brought back by it."""
    if advice.one_off:
        raise Refused(
            "这是一辈子多半只买一次的品类，低价钩子换不来第二单，请把钱花在口碑和转介绍上。",
            "This is mostly bought once in a life: a cheap hook brings no second order. Spend on being recommended.",
        )


def break_even_orders(effort: Effort, price: float) -> float | None:
    """How many more orders a month pay for the hours spent; None where an order earns nothing."""
    earned = price * effort.margin
    return effort.hours * effort.wage / earned if earned > 0 else None

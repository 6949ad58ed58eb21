"""The growth formula as a tree: sales = traffic × conversion × frequency × basket of a place, and its change split over
the factors and over the places below it, to the cent. Pure.

Where traffic is not known the formula begins with buyers. What operation can move is how many come and buy; how often
and for how much one buys is mostly set by the category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from itertools import permutations
from math import exp, log

CENT = Decimal("0.01")


class Cause(StrEnum):
    """A factor of the formula, in its order. BUYERS stands for the first two where nobody counted who came."""

    TRAFFIC = "traffic"
    CONVERSION = "conversion"
    BUYERS = "buyers"
    FREQUENCY = "frequency"
    BASKET = "basket"


WHOLE = (Cause.TRAFFIC, Cause.CONVERSION, Cause.FREQUENCY, Cause.BASKET)
SHORT = (Cause.BUYERS, Cause.FREQUENCY, Cause.BASKET)
OPERATED = frozenset({Cause.TRAFFIC, Cause.CONVERSION, Cause.BUYERS})
"""What operation can move."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What a place sold in a month. `visitors`: persons who came, bought or not; None where nobody counted. `new`: of
    persons whose first order ever lies in the month."""

    visitors: int | None = None
    buyers: int = 0
    orders: int = 0
    sales: Decimal = Decimal(0)
    new_buyers: int = 0
    new_sales: Decimal = Decimal(0)

    @property
    def repeat_sales(self) -> Decimal:
        """Of persons who had bought before the month."""
        return self.sales - self.new_sales

    def value(self, cause: Cause) -> float | None:
        """A factor; None where its divisor is nothing."""
        match cause:
            case Cause.TRAFFIC:
                return None if self.visitors is None else float(self.visitors)
            case Cause.CONVERSION:
                return self.buyers / self.visitors if self.visitors else None
            case Cause.BUYERS:
                return float(self.buyers)
            case Cause.FREQUENCY:
                return self.orders / self.buyers if self.buyers else None
        return float(self.sales) / self.orders if self.orders else None


@dataclass(frozen=True, slots=True)
class Branch:
    """A place with both months, what each factor did, and the places below. Parts add up to its change; so do the
    changes of the places below it."""

    name: str
    before: Sold
    after: Sold
    parts: Mapping[Cause, Decimal]
    below: tuple[Branch, ...] = field(default=())

    @property
    def change(self) -> Decimal:
        """What its sales changed by."""
        return self.after.sales - self.before.sales

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The factors that are known."""
        return tuple(self.parts)

    @property
    def operated(self) -> Decimal:
        """What came of that which operation can move."""
        return sum((part for cause, part in self.parts.items() if cause in OPERATED), Decimal(0))

    @property
    def set_by_category(self) -> Decimal:
        """And of that which the category mostly sets."""
        return self.change - self.operated

    @property
    def new_change(self) -> Decimal:
        """What new customers' sales changed by; the rest is repeat."""
        return self.after.new_sales - self.before.new_sales

    @property
    def repeat_change(self) -> Decimal:
        """What the sales of those who had bought before the month changed by."""
        return self.change - self.new_change


def branch(name: str, before: Sold, after: Sold, below: Sequence[Branch] = ()) -> Branch:
    """A place with its change split."""
    return Branch(name, before, after, split(before, after), tuple(below))


def split(before: Sold, after: Sold) -> dict[Cause, Decimal]:
    """What each factor did to sales, in cents that add up to the change.

    The additive LMDI-I (Ang 2005, Energy Policy 33, eq. 4 and 5) where both months sold for more than nothing. A place
    that opened or closed has no factors in one month: there everything came of how many came, its limit (Ang & Liu
    2007, Energy Policy 35, table 2). Where more was refunded than sold, a logarithm knows nothing: there each factor
    gets its Shapley share (Shapley 1953), the mean over all orders of changing one factor after another, exact too.
    """
    causes = WHOLE if before.visitors and after.visitors else SHORT
    change = after.sales - before.sales
    if not (before.orders and after.orders):
        return {cause: change if cause is causes[0] else Decimal(0) for cause in causes}
    old, new = ([_known(one, cause) for cause in causes] for one in (before, after))
    if before.sales > 0 and after.sales > 0:
        mean = _logarithmic_mean(float(before.sales), float(after.sales))
        parts = [mean * log(now / then) for then, now in zip(old, new, strict=True)]
    else:
        parts = _shapley(old, new)
    return dict(zip(causes, to_the_cent(parts, change), strict=True))


def _known(one: Sold, cause: Cause) -> float:
    value = one.value(cause)
    assert value is not None  # who has orders has buyers, and buyers are visitors
    return value


def _logarithmic_mean(one: float, other: float) -> float:
    return one if one == other else (other - one) / log(other / one)


def _shapley(old: Sequence[float], new: Sequence[float]) -> list[float]:
    shares = [0.0] * len(old)
    orders = list(permutations(range(len(old))))
    for order in orders:
        values = list(old)
        for place in order:
            start = _product(values)
            values[place] = new[place]
            shares[place] += (_product(values) - start) / len(orders)
    return shares


def _product(values: Sequence[float]) -> float:
    found = 1.0
    for value in values:
        found *= value
    return found


def to_the_cent(parts: Sequence[float], total: Decimal) -> list[Decimal]:
    """Parts in cents that add up to the total: what rounding leaves over goes to the largest part."""
    cents = [Decimal(repr(part)).quantize(CENT, ROUND_HALF_EVEN) for part in parts]
    largest = max(range(len(parts)), key=lambda place: abs(parts[place]))
    cents[largest] += total - sum(cents, Decimal(0))
    return cents


def what_if(now: Sold, changes: Mapping[Cause, float]) -> Decimal:
    """Sales if factors changed by these shares (0.1: a tenth more) and the others did not; each alike for everybody."""
    ratio = exp(sum(log(1 + share) for share in changes.values()))
    return (now.sales * Decimal(repr(ratio))).quantize(CENT, ROUND_HALF_EVEN)

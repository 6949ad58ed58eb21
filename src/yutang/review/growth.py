"""The growth formula: sales = customers × frequency × basket, and what each of them did between two months. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from math import log

from yutang.kernel.calendars import days_in_month


class Factor(StrEnum):
    """What the formula multiplies, in its order."""

    CUSTOMERS = "customers"
    FREQUENCY = "frequency"
    BASKET = "basket"


@dataclass(frozen=True, slots=True)
class MonthSales:
    """A local month's sales. `month` is its first day; `orders` are those not cancelled, of known persons; `customers`
    are the persons who placed them; `sales` is net of refunds. `synthetic` of the orders are invented."""

    month: date
    customers: int
    orders: int
    sales: Decimal
    synthetic: int = 0

    @property
    def days(self) -> int:
        """How many days the month has."""
        return days_in_month(self.month)

    @property
    def before(self) -> date:
        """The first day of the month before."""
        return (self.month - timedelta(days=1)).replace(day=1)

    @property
    def frequency(self) -> float | None:
        """Orders per customer; None without customers."""
        return self.orders / self.customers if self.customers else None

    @property
    def basket(self) -> float | None:
        """Sales per order; None without orders."""
        return float(self.sales) / self.orders if self.orders else None

    def value(self, factor: Factor) -> float | None:
        """One of the three factors; their product is the sales."""
        values = {Factor.CUSTOMERS: float(self.customers), Factor.FREQUENCY: self.frequency, Factor.BASKET: self.basket}
        return values[factor]


@dataclass(frozen=True, slots=True)
class Split:
    """A change of sales, in the brand's currency, and what each factor did to it; the three add up to the change."""

    change: float
    customers: float
    frequency: float
    basket: float

    def part(self, factor: Factor) -> float:
        """What one factor did."""
        parts = {
            Factor.CUSTOMERS: self.customers,
            Factor.FREQUENCY: self.frequency,
            Factor.BASKET: self.basket,
        }
        return parts[factor]


def split_change(before: MonthSales, after: MonthSales) -> Split | None:
    """The additive LMDI-I split (Ang 2005, Energy Policy 33, eq. 4 and 5): the logarithmic mean of both months' sales,
    times the logarithm of each factor's ratio. Exact, and the same whichever factor is taken first.

    None where a month had no sales, or more was refunded than sold: a logarithm knows neither.
    """
    old, new = float(before.sales), float(after.sales)
    if min(old, new) <= 0:
        return None
    mean = _logarithmic_mean(old, new)
    parts = {factor: mean * log(_of(after, factor) / _of(before, factor)) for factor in Factor}
    return Split(new - old, parts[Factor.CUSTOMERS], parts[Factor.FREQUENCY], parts[Factor.BASKET])


def _of(month: MonthSales, factor: Factor) -> float:
    value = month.value(factor)
    assert value is not None  # sales above zero have orders, and orders have customers
    return value


def _logarithmic_mean(one: float, other: float) -> float:
    return one if one == other else (other - one) / log(other / one)

"""What other rooms see of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from math import inf
from typing import Any


class Measure(StrEnum):
    """In what values are counted."""

    MARGIN = "margin"
    SPEND = "spend"


class Cannot(StrEnum):
    """Why a potential value is not told."""

    NEVER_BOUGHT = "never_bought"
    FEW_REPEATERS = "few_repeaters"
    SHORT_HISTORY = "short_history"
    IDENTICAL = "identical"
    NO_CONVERGENCE = "no_convergence"
    NO_MEAN = "no_mean"
    WRONG_BEFORE = "wrong_before"
    AT_A_LOSS = "at_a_loss"


class NextBy(StrEnum):
    """By what the next order's day is told."""

    MODEL = "model"
    RHYTHM = "rhythm"


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the persons by what was predicted of them (1: the least), with means per person of what was predicted
    and of what came."""

    number: int
    persons: int
    predicted_orders: float
    actual_orders: float
    predicted: float
    actual: float


@dataclass(frozen=True, slots=True)
class BackTest:
    """Trained on what was known at `cut`, compared with the `days` after it. `error` is the mean absolute error per
    person, `naive_error` that of saying that everybody repeats the `days` before; `covered` is how often the 80 %
    interval held; totals are of those who had bought before."""

    cut: date
    days: int
    persons: int
    predicted: float
    actual: float
    predicted_orders: float
    actual_orders: float
    error: float
    naive_error: float
    covered: float
    deciles: tuple[Decile, ...]

    @property
    def off(self) -> float:
        """By how much the total was off, as a share of what came."""
        return self.predicted / self.actual - 1 if self.actual else inf


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A fitted model: the brand's (`category` None) or a category's. `cannot` says why it tells nothing, None if it
    does; parameters are there whenever the fit came so far. `rate` is a category's margin, 1 of the brand's and where
    values are counted in spend."""

    category: str | None
    as_of: datetime
    persons: int
    repeaters: int
    cannot: Cannot | None
    rate: float = 1.0
    buying: tuple[float, ...] = ()
    buying_errors: tuple[float, ...] = ()
    buying_covariance: tuple[tuple[float, ...], ...] = ()
    buying_likelihood: float = 0.0
    spending: tuple[float, ...] = ()
    spending_errors: tuple[float, ...] = ()
    spending_covariance: tuple[tuple[float, ...], ...] = ()
    spending_likelihood: float = 0.0
    correlation: float = 0.0
    expected_orders: float | None = None
    expected: float | None = None
    test: BackTest | None = None

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        said = asdict(self)
        said["as_of"] = self.as_of.isoformat()
        if self.test is not None:
            said["test"]["cut"] = self.test.cut.isoformat()
        return said

    @staticmethod
    def of(said: Mapping[str, Any]) -> ModelFacts:
        """What `as_data` wrote."""
        given = {field.name: said[field.name] for field in fields(ModelFacts) if field.name in said}
        given["as_of"] = datetime.fromisoformat(said["as_of"])
        given["cannot"] = Cannot(said["cannot"]) if said["cannot"] else None
        if said["test"] is not None:
            test = dict(said["test"])
            test["cut"] = date.fromisoformat(test["cut"])
            test["deciles"] = tuple(Decile(**one) for one in test["deciles"])
            given["test"] = BackTest(**test)
        for name in ("buying_covariance", "spending_covariance"):
            given[name] = tuple(tuple(row) for row in given[name])
        return ModelFacts(**given)


@dataclass(frozen=True, slots=True)
class Basis:
    """By what margin is known of the last year's `spend`: by the costs of order lines (`exact`), by the margin that the
    brand told of a category (`by_category`), the rest not at all. `rate` is what is left of a unit of what is known
    (or as the brand told it of everything else), by which the rest is counted; None where nothing is known."""

    spend: float = 0.0
    exact: float = 0.0
    by_category: float = 0.0
    rate: float | None = None

    @property
    def exact_share(self) -> float:
        """Of what was spent."""
        return self._share(self.exact)

    @property
    def category_share(self) -> float:
        """Of what was spent."""
        return self._share(self.by_category)

    @property
    def known(self) -> float:
        """Of what was spent, the share of which margin is known."""
        return self._share(self.exact + self.by_category)

    @property
    def unknown(self) -> float:
        """And of which it is not."""
        return 1 - self.known

    def _share(self, part: float) -> float:
        return min(1.0, max(0.0, part / self.spend)) if self.spend > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Quarter:
    """The existing value of a local quarter."""

    year: int
    quarter: int
    amount: float
    persons: int


def without_gaps(quarters: Sequence[Quarter], until: date) -> list[Quarter]:
    """The quarters, the earliest first, with those in which nothing came, up to that of a local day: a chart that
    leaves them out would draw a pause as none."""
    if not quarters:
        return []
    told = {(one.year, one.quarter): one for one in quarters}
    first, last = 4 * quarters[0].year + quarters[0].quarter - 1, 4 * until.year + (until.month - 1) // 3
    places = [(number // 4, number % 4 + 1) for number in range(first, last + 1)]
    return [told.get(place) or Quarter(*place, 0.0, 0) for place in places]


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the persons with a potential value (1: the least): sums over them."""

    number: int
    persons: int
    existing_365d: float
    potential: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Wallet:
    """What share of the yearly spend of a category's buyer (`size`, by `source`) comes to us: mean over `buyers`."""

    category: str
    buyers: int
    spend: float
    size: float
    source: str

    @property
    def each(self) -> float:
        """What a buyer spends with us in a year."""
        return self.spend / self.buyers if self.buyers else 0.0

    @property
    def share(self) -> float:
        """At most one: who spends more than a buyer spends in a year leaves nothing to others."""
        return min(1.0, self.each / self.size)


@dataclass(frozen=True, slots=True)
class Totals:
    """What the values of many persons come to. `told` of `persons` have a potential value; `model_one` counts each
    newcomer once; there is no sum over trees, which would count them again at every level."""

    persons: int = 0
    told: int = 0
    existing_365d: float = 0.0
    existing_ever: float = 0.0
    potential: float = 0.0
    expected_orders: float = 0.0
    inviters: int = 0
    brought: int = 0
    model_one: float = 0.0


@dataclass(frozen=True, slots=True)
class ValueState:
    """What stands: which version, as of when, how it was told. `fitted_at` is the instant whose data the models saw."""

    version: int
    as_of: datetime
    zone: str
    fitted_at: datetime
    settings: str
    measure: Measure
    horizon: int
    discount: float
    fit_seconds: float
    score_seconds: float
    totals: Totals
    quarters: tuple[Quarter, ...]
    tenths: tuple[Tenth, ...]
    wallets: tuple[Wallet, ...]
    basis: Basis = Basis()

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {**asdict(self), "as_of": self.as_of.isoformat(), "fitted_at": self.fitted_at.isoformat()}

    @staticmethod
    def of(said: Mapping[str, Any]) -> ValueState:
        """What `as_data` wrote."""
        given = dict(said)
        given["as_of"] = datetime.fromisoformat(given["as_of"])
        given["fitted_at"] = datetime.fromisoformat(given["fitted_at"])
        given["measure"] = Measure(given["measure"])
        given["totals"] = Totals(**given["totals"])
        given["quarters"] = tuple(Quarter(**one) for one in given["quarters"])
        given["tenths"] = tuple(Tenth(**one) for one in given["tenths"])
        given["wallets"] = tuple(Wallet(**one) for one in given["wallets"])
        given["basis"] = Basis(**given.get("basis", {}))
        return ValueState(**given)


@dataclass(frozen=True, slots=True)
class PersonWorth:
    """A person's three values at the last scoring. `cannot` says why there is no potential value, None if there is."""

    cannot: Cannot | None
    existing_365d: Decimal
    existing_ever: Decimal
    expected_orders: float | None
    potential: Decimal | None
    potential_low: Decimal | None
    potential_high: Decimal | None
    alive: float | None
    churn: float | None
    next_order_day: date | None
    next_by: NextBy | None
    brought: int
    brought_all: int
    model_one: Decimal
    model_tree: Decimal


@dataclass(frozen=True, slots=True)
class CategoryWorth:
    """What is expected of a person in one category: by its own model (`own`), with an 80 % interval, or as their share
    of what the brand's model expects, of which no interval can be told. `expected` None: cannot be told. `wallet` where
    an external size is known: their share of it, at most one."""

    category: str
    spend_365d: float
    expected: float | None
    low: float | None
    high: float | None
    own: bool
    wallet: float | None


@dataclass(frozen=True, slots=True)
class ValueReport:
    """What a turn did. `fitted`: models were fitted anew, not only persons scored."""

    version: int
    as_of: datetime
    persons: int
    models: int
    fitted: bool
    seconds: float

"""From histories to a model that is willing to speak, or says why it is not; and what it says. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pyarrow as pa

from yutang.profiles.values import bgnbd, gammagamma
from yutang.profiles.values.bgnbd import BgNbd, Histories
from yutang.profiles.values.contracts import BackTest, Cannot, Decile, ModelFacts, Tenth
from yutang.profiles.values.fitting import Floats
from yutang.profiles.values.gammagamma import GammaGamma, Spends
from yutang.profiles.values.predictive import Model, Persons, Told

FAR_OFF = 2.0
"""A model whose prediction of the past was more than so many times too much or too little does not hold."""
STEADY = 0.5
"""Whose gaps vary by at most so much of their mean is a regular: their next day is told by their own rhythm."""
LEAST_GAPS = 3


@dataclass(frozen=True, slots=True)
class Known:
    """Rows of `profiles/values/history`, those who ever paid for something: columns of floats, and `person`."""

    person: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    x: Floats
    t_x: Floats
    T: Floats
    repeats: Floats
    squares: Floats

    @staticmethod
    def of(table: pa.Table) -> Known:
        """The rows with a day on which something was paid."""
        paid = table.filter(table["x"].is_valid())
        names = ("x", "t_x", "watched", "repeats", "squares")
        columns = [paid[name].cast(pa.float64()).to_numpy() for name in names]
        return Known(paid["person"].to_numpy(), *columns)

    def persons(self, rate: float = 1.0) -> Persons:
        """As the models take them; `rate` is what is left of the money."""
        return Persons(self.x, self.t_x, self.T, rate * self.repeats / np.maximum(self.x, 1))


def fitted(known: Known, category: str | None, as_of: datetime, least: int, rate: float = 1.0) -> ModelFacts:
    """Both models fitted to these persons."""
    histories = Histories.of(known.x, known.t_x, known.T)
    facts = ModelFacts(category, as_of, int(histories.persons), histories.repeaters, None, rate)
    if histories.repeaters < least:
        return replace(facts, cannot=Cannot.FEW_REPEATERS)
    persons = known.persons(rate)
    spends = Spends.of(persons.x, persons.m)
    if spends.identical:
        return replace(facts, cannot=Cannot.IDENTICAL)
    buying, spending = bgnbd.fit(histories), gammagamma.fit(spends)
    cannot = None
    if not (buying.converged and spending.converged):
        cannot = Cannot.NO_CONVERGENCE
    elif spending.params[1] <= 1:  # the mean of everybody's means has no end
        cannot = Cannot.NO_MEAN
    return replace(
        facts,
        cannot=cannot,
        buying=buying.params,
        buying_errors=buying.errors,
        buying_covariance=tuple(tuple(row) for row in buying.covariance.tolist()),
        buying_likelihood=buying.log_likelihood,
        spending=spending.params,
        spending_errors=spending.errors,
        spending_covariance=tuple(tuple(row) for row in spending.covariance.tolist()),
        spending_likelihood=spending.log_likelihood,
        correlation=spends.correlation(),
    )


def model_of(facts: ModelFacts) -> Model:
    """The model of these facts, which must have been fitted."""
    return Model(
        BgNbd(*facts.buying),
        GammaGamma(*facts.spending),
        np.array(facts.buying_covariance),
        np.array(facts.spending_covariance),
    )


def judged(facts: ModelFacts, test: BackTest | None) -> ModelFacts:
    """With how it did on the past; silent where that was far off."""
    if facts.cannot is None and test is not None:
        low, high = sorted((test.predicted, test.actual))
        if high > FAR_OFF * low:
            return replace(facts, cannot=Cannot.WRONG_BEFORE, test=test)
    return replace(facts, test=test)


def tried(
    facts: ModelFacts, known: Known, afterwards: pa.Table, before: pa.Table, cut: date, days: int
) -> BackTest | None:
    """How a model, fitted to what was known at `cut`, told the `days` after it; `before` are those before it, of the
    same length. None where it tells nothing."""
    if facts.cannot is not None:
        return None
    told = model_of(facts).tell(known.persons(facts.rate), float(days))
    orders, amount = _matched(known, afterwards)
    amount = amount * facts.rate
    naive = _matched(known, before)[1] * facts.rate
    return BackTest(
        cut=cut,
        days=days,
        persons=len(known.person),
        predicted=float(told.value.sum()),
        actual=float(amount.sum()),
        predicted_orders=float(told.orders.sum()),
        actual_orders=float(orders.sum()),
        error=float(np.mean(np.abs(told.value - amount))),
        naive_error=float(np.mean(np.abs(naive - amount))),
        covered=float(np.mean((told.low <= amount) & (amount <= told.high))),
        deciles=deciles(told, orders, amount),
    )


def _matched(known: Known, found: pa.Table) -> tuple[Floats, Floats]:
    """The orders and the money of each known person in another table of persons, 0 of who is not in it."""
    there = found["person"].to_numpy()
    place = np.searchsorted(there, known.person)
    place = np.minimum(place, max(len(there) - 1, 0))
    same = there[place] == known.person if len(there) else np.zeros(len(known.person), bool)
    columns = [found[name].cast(pa.float64()).to_numpy() for name in ("orders", "amount")]
    orders, amount = (np.where(same, one[place] if len(there) else 0.0, 0.0) for one in columns)
    return orders, amount


def deciles(told: Told, orders: Floats, amount: Floats) -> tuple[Decile, ...]:
    """Ten equal groups by predicted value."""
    parts = np.array_split(np.argsort(told.value, kind="stable"), 10)
    return tuple(
        Decile(
            number,
            len(part),
            *(float(column[part].mean()) for column in (told.orders, orders, told.value, amount)),
        )
        for number, part in enumerate(parts, 1)
        if len(part)
    )


def tenths(existing: Floats, potential: Floats, low: Floats, high: Floats) -> tuple[Tenth, ...]:
    """Ten equal groups by potential value, of those who have one."""
    parts = np.array_split(np.argsort(potential, kind="stable"), 10)
    return tuple(
        Tenth(number, len(part), *(float(column[part].sum()) for column in (existing, potential, low, high)))
        for number, part in enumerate(parts, 1)
        if len(part)
    )


def by_rhythm(known: Known) -> Floats:
    """Days until the next day of regulars, by their mean gap; not a number for others, and for whom it has passed."""
    mean = known.t_x / np.maximum(known.x, 1)
    varies = np.sqrt(np.maximum(known.squares / np.maximum(known.x, 1) - mean**2, 0))
    ahead = mean - (known.T - known.t_x)
    regular = (known.x >= LEAST_GAPS) & (varies <= STEADY * mean) & (ahead >= 0)
    result: Floats = np.where(regular, ahead, np.nan)
    return result

"""Everybody scored: the rows of `person_values`, what they come to, and who is how much of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yutang.profiles.values import brought, modelling
from yutang.profiles.values.contracts import Cannot, ModelFacts, NextBy, Tenth, Totals
from yutang.profiles.values.fitting import Floats

_MONEY = pa.decimal128(18, 2)
_TOLD = ("orders", "value", "low", "high", "alive", "churn", "next_days")


@dataclass(frozen=True, slots=True)
class Scored:
    """`rows` are those of `person_values` without their version."""

    rows: pa.Table
    totals: Totals
    tenths: tuple[Tenth, ...]


def score(
    facts: ModelFacts, history: pa.Table, links: pa.Table, today: date, horizon: int, discount: float = 0.0
) -> Scored:
    """Everybody who bought (`history`) or brought somebody, or was brought (`links`), by the brand's model."""
    bought = history["person"].to_numpy()
    person = np.unique(np.concatenate([bought, links["person"].to_numpy(), links["inviter"].to_numpy()]))
    size = len(person)
    known = modelling.Known.of(history)
    at, place = np.searchsorted(person, bought), np.searchsorted(person, known.person)
    existing, recent = (_spread(size, at, _floats(history[name]), 0.0) for name in ("existing_ever", "existing_365d"))
    paid = np.zeros(size, bool)
    paid[place] = True
    rhythm = _spread(size, place, modelling.by_rhythm(known))
    told = dict.fromkeys(_TOLD, np.full(size, np.nan))
    if facts.cannot is None:
        found = modelling.model_of(facts).tell(known.persons(), float(horizon), discount)
        told = {name: _spread(size, place, getattr(found, name)) for name in _TOLD}
    potential = np.round(told["value"], 2)
    newer, older = (np.searchsorted(person, links[name].to_numpy()) for name in ("person", "inviter"))
    credited = brought.credit(newer, older, existing + np.nan_to_num(potential))
    days = np.where(np.isnan(rhythm), told["next_days"], rhythm)
    days = np.where(days > horizon, np.nan, days)
    rows = pa.table(
        {
            "person": pa.array(person, pa.int64()),
            "cannot": _words(np.where(paid, facts.cannot.value if facts.cannot else "", Cannot.NEVER_BOUGHT.value)),
            "existing_365d": _money(recent),
            "existing_ever": _money(existing),
            "expected_orders": _number(told["orders"]),
            "potential": _money(potential),
            "potential_low": _money(told["low"]),
            "potential_high": _money(told["high"]),
            "alive": _number(told["alive"]),
            "churn": _number(told["churn"]),
            "next_order_day": _days(today, days),
            "next_by": _words(_next_by(days, rhythm)),
            "brought": pa.array(credited.one, pa.int32()),
            "brought_all": pa.array(credited.all, pa.int32()),
            "model_one": _money(credited.worth_one),
            "model_tree": _money(credited.worth_tree),
        }
    )
    open_ = ~np.isnan(potential)
    totals = Totals(
        persons=size,
        told=int(open_.sum()),
        existing_365d=float(recent.sum()),
        existing_ever=float(existing.sum()),
        potential=float(np.nansum(potential)),
        expected_orders=float(np.nansum(told["orders"])),
        inviters=int((credited.one > 0).sum()),
        brought=int(credited.one.sum()),
        model_one=float(credited.worth_one.sum()),
    )
    parts = (column[open_] for column in (recent, potential, told["low"], told["high"]))
    return Scored(rows, totals, modelling.tenths(*parts))


def _spread(size: int, at: npt.NDArray[np.intp], values: Floats, empty: float = np.nan) -> Floats:
    """Values at their places, `empty` elsewhere."""
    whole: Floats = np.full(size, empty)
    whole[at] = values
    return whole


def _floats(column: pa.ChunkedArray) -> Floats:
    found: Floats = column.cast(pa.float64()).to_numpy()
    return found


def _next_by(days: Floats, rhythm: Floats) -> npt.NDArray[np.str_]:
    by: npt.NDArray[np.str_] = np.where(np.isnan(rhythm), NextBy.MODEL.value, NextBy.RHYTHM.value)
    return np.where(np.isnan(days), "", by)


def _words(values: npt.NDArray[np.str_]) -> pa.Array:
    """Words, null where there is none."""
    found = pa.array(values, pa.string())
    return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)


def _days(today: date, ahead: Floats) -> pa.Array:
    """Days from today, null where there is no number."""
    none = np.isnan(ahead)
    whole = np.ceil(np.where(none, 0, ahead)).astype("timedelta64[D]")
    return pa.array(np.datetime64(today, "D") + whole, pa.date32(), mask=none)


def _money(values: Floats) -> pa.Array:
    """Amounts to the cent, null where there is no number."""
    return pa.array(np.round(values, 2), mask=np.isnan(values)).cast(_MONEY)


def _number(values: Floats) -> pa.Array:
    """Numbers, null where there is none."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))

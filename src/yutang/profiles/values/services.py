"""Bringing values up to date: models are fitted rarely, persons are scored every day, and all is written at once.

A turn writes its rows under a version of its own and names that version in `profile_state`, in one transaction, unless
another turn did so meanwhile: then nothing is written. So it may run twice, at once, and be killed anywhere.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yutang.documents.queries import documents_of
from yutang.kernel.calendars import day_start
from yutang.kernel.clock import monotonic
from yutang.kernel.errors import Unavailable
from yutang.profiles import queries as profiles
from yutang.profiles.contracts import Moment
from yutang.profiles.values.contracts import (
    BackTest,
    Basis,
    Cannot,
    Measure,
    ModelFacts,
    Quarter,
    ValueReport,
    ValueState,
    Wallet,
)
from yutang.profiles.values.documents import CategorySizeDocument, ValuesDocument
from yutang.profiles.values.queries import STATE, VERSION, models, parse_state, settings, state_text
from yutang.profiles.values.sources import over_uncosted, over_worth
from yutang.warehouse.contracts import Statement, Warehouse, named
from yutang.warehouse.dialects import beneath

SCORE = timedelta(days=1)
"""Business time between two scorings."""
_NEVER = date(1970, 1, 1)
_ATTEMPTS = 3
Say = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much."""


def _silent(stage: str, done: int, of: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a turn works with: until when, by which settings, and how much of margin is known."""

    warehouse: Warehouse
    at: Moment
    settings: ValuesDocument
    basis: Basis

    @property
    def measure(self) -> Measure:
        return measure_of(self.basis, self.settings)

    def rate(self, shelf: Mapping[str, Any]) -> float:
        """What is left of a category's sales: by the costs of its lines where they are known enough, else as the brand
        told it, else by the mean of what is known."""
        if self.measure is Measure.SPEND:
            return 1.0
        spend, costed, cost = (float(shelf[name]) for name in ("spend", "costed", "cost"))
        if costed > 0 and costed >= self.settings.known_from * spend:
            return 1 - cost / costed
        margins = self.settings.margins
        told = margins.categories.get(shelf["category"], margins.otherwise) if margins is not None else None
        return told if told is not None else self.basis.rate or 0.0

    def ask(self, name: str, category: str | None = None, **params: object) -> pa.Table:
        """A query over the table `worth`: of the brand's orders, or of one category's lines."""
        given: dict[str, object] = {"zone": self.at.zone, **params}
        query = f"profiles/values/{name}"
        if category is not None:
            shelf = named(query, {**given, "category": category})
            return self.warehouse.query(beneath(shelf, "worth", "profiles/values/shelf"))
        return self.warehouse.query(over_worth(named(query, given), self.measure, self.basis, self.settings))

    def history(self, as_of: datetime, today: date, category: str | None = None) -> pa.Table:
        """Everybody's history at an instant."""
        recent = as_of - timedelta(days=365)
        params = {"as_of": as_of, "from_365": recent, "today": today, "never": _NEVER}
        return self.ask("history", category, **params)


def bring(warehouse: Warehouse, *, fit: bool = False, say: Say = _silent) -> ValueReport:
    """Score everybody at the instant of the profiles; fit the models first where that is due, or asked for.

    Raises Refused before profiles were ever computed, Unavailable where other processes keep getting ahead.
    """
    for _ in range(_ATTEMPTS):
        start = monotonic()
        kept = state_text(warehouse)
        report, statements = _turn(warehouse, parse_state(kept), fit=fit, say=say, start=start)
        overtaken = Statement(
            "SELECT coalesce((SELECT value FROM profile_state WHERE name = $name), '') <> $kept",
            {"name": STATE, "kept": kept},
            name="profiles/values/overtaken",
        )
        if warehouse.write(statements, unless=overtaken):
            return report
    raise Unavailable(
        "价值正被别的进程反复重算，请稍后再试。", "Other processes keep computing the values; try again in a moment."
    )


def turn(warehouse: Warehouse) -> ValueReport | None:
    """What the clock does: `bring`, where the last scoring is a day old, or made by other settings; else None, and as
    long as nobody ever bought."""
    at, last = profiles.as_of(warehouse), parse_state(state_text(warehouse))
    if at is None or (last is None and not _anybody_bought(warehouse)):
        return None
    if last is not None and timedelta(0) <= at - last.as_of < SCORE and last.settings == digest_of(settings()):
        return None
    return bring(warehouse)


def _anybody_bought(warehouse: Warehouse) -> bool:
    asked = Statement("SELECT EXISTS (SELECT 1 FROM orders)", name="profiles/values/anybody")
    return bool(warehouse.query(asked).column(0)[0].as_py())


def digest_of(document: ValuesDocument) -> str:
    """Changes whenever what is computed would: the settings, and the sizes of categories."""
    sizes = [one.as_data() for one in documents_of(CategorySizeDocument)]
    text = json.dumps([document.as_data(), sizes], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _turn(
    warehouse: Warehouse, last: ValueState | None, *, fit: bool, say: Say, start: float
) -> tuple[ValueReport, list[Statement]]:
    document, at = settings(), profiles.moment(warehouse)
    basis = basis_of(warehouse, at, document)
    from yutang.profiles.values.scoring import score  # not above: SciPy takes a third of a second of every command

    seen = _Seen(warehouse, at, document, basis)
    digest = digest_of(document)
    say("history", 0, 1)
    history = seen.history(at.as_of, at.today)
    say("history", 1, 1)
    stale = last is None or last.settings != digest or at.as_of < last.fitted_at or last.measure is not seen.measure
    due = stale or (last is not None and at.as_of - last.fitted_at >= timedelta(days=document.fit_every_days))
    fitting = fit or due or last is None
    if last is None or fitting:
        found, fitted_at, began = fit_all(seen, history, say), at.as_of, monotonic()
        fit_seconds = began - start
    else:
        found, fitted_at, fit_seconds, began = models(warehouse, last.version), last.fitted_at, last.fit_seconds, start
    say("scoring", 0, 1)
    version = secrets.randbits(62)
    links = warehouse.query(named("profiles/values/brought", {"as_of": at.as_of}))
    scored = score(found[0], history, links, at.today, document.horizon_days, document.discount_rate)
    places = seen.ask("quarters", as_of=at.as_of)
    state = ValueState(
        version=version,
        as_of=at.as_of,
        zone=at.zone,
        fitted_at=fitted_at,
        settings=digest,
        measure=seen.measure,
        horizon=document.horizon_days,
        discount=document.discount_rate,
        fit_seconds=round(fit_seconds, 3),
        score_seconds=round(monotonic() - began, 3),
        totals=scored.totals,
        quarters=_quarters(places.filter(pc.is_null(places["node"]))),
        tenths=scored.tenths,
        wallets=_wallets(seen),
        basis=basis,
    )
    say("scoring", 1, 1)
    report = ValueReport(version, at.as_of, scored.totals.persons, len(found), fitting, monotonic() - start)
    return report, _written(state, found, scored.rows, places.filter(pc.is_valid(places["node"])))


def _written(state: ValueState, found: Sequence[ModelFacts], rows: pa.Table, places: pa.Table) -> list[Statement]:
    """The rows of a version beside those of others, then that version named, then the others let go of: again, under
    another version, comes to the same."""
    whole, quarters = (
        table.add_column(0, "version", pa.array(np.full(table.num_rows, state.version), pa.int64()))
        for table in (rows, places)
    )
    bodies = pa.table(
        {
            "version": pa.array([state.version] * len(found), pa.int64()),
            "category": pa.array([one.category for one in found], pa.string()),
            "body": pa.array([json.dumps(one.as_data(), ensure_ascii=False) for one in found], pa.string()),
        }
    )
    kept = {STATE: json.dumps(state.as_data(), ensure_ascii=False), VERSION: str(state.version)}
    return [
        Statement("INSERT INTO person_values BY NAME SELECT * FROM told", tables={"told": whole}),
        Statement("INSERT INTO value_models BY NAME SELECT * FROM bodies", tables={"bodies": bodies}),
        Statement("INSERT INTO value_quarters BY NAME SELECT * FROM quarters", tables={"quarters": quarters}),
        *(
            statement
            for name, value in kept.items()
            for statement in (
                Statement("DELETE FROM profile_state WHERE name = $name", {"name": name}),
                Statement("INSERT INTO profile_state VALUES ($name, $value)", {"name": name, "value": value}),
            )
        ),
        *(
            Statement(f"DELETE FROM {table} WHERE version <> $version", {"version": state.version})  # noqa: S608
            for table in ("person_values", "value_models", "value_quarters")
        ),
    ]


# Fitting ------------------------------------------------------------------------------------------------------------


def fit_all(seen: _Seen, history: pa.Table, say: Say = _silent) -> list[ModelFacts]:
    """The brand's model first, then those of the categories with most buyers, each tried on the past."""
    shelves = _shelves(seen).slice(0, seen.settings.categories).to_pylist()
    found = [fit_one(seen, history, None)]
    for index, shelf in enumerate(shelves, 1):
        say("fitting", index, 1 + len(shelves))
        category = shelf["category"]
        found.append(fit_one(seen, seen.history(seen.at.as_of, seen.at.today, category), category, seen.rate(shelf)))
    say("fitting", 1 + len(shelves), 1 + len(shelves))
    return found


def fit_one(seen: _Seen, history: pa.Table, category: str | None, rate: float = 1.0) -> ModelFacts:
    """A model, tried on the past, with what it expects of everybody; `rate` is what is left of its money."""
    from yutang.profiles.values import modelling  # not above: SciPy takes a third of a second of every command

    known = modelling.Known.of(history)
    if rate <= 0:  # nothing is left of its sales: there is no such money to model
        return ModelFacts(category, seen.at.as_of, len(known.person), int((known.x > 0).sum()), Cannot.AT_A_LOSS, rate)
    least, horizon = seen.settings.least_repeaters, seen.settings.horizon_days
    facts = modelling.fitted(known, category, seen.at.as_of, least, rate)
    days = int(known.T.max()) if len(known.T) else 0
    if facts.cannot is None and horizon > days:
        facts = replace(facts, cannot=Cannot.SHORT_HISTORY)
    facts = modelling.judged(facts, _back_test(seen, category, rate, days))
    if facts.cannot is not None:
        return facts
    orders, value = modelling.model_of(facts).expect(known.persons(rate), float(horizon), seen.settings.discount_rate)
    return replace(facts, expected_orders=float(orders.sum()), expected=float(value.sum()))


def _back_test(seen: _Seen, category: str | None, rate: float, history: int) -> BackTest | None:
    """The same model of what was known `test_days` ago, beside what came since; None where the past is too short."""
    from yutang.profiles.values import modelling  # as above

    days, today = seen.settings.test_days, seen.at.today
    if history < 3 * days:
        return None
    cut = today - timedelta(days=days)
    edges = [day_start(day, seen.at.zone) - timedelta(microseconds=1) for day in (cut - timedelta(days=days), cut)]
    earlier, until = edges
    known = modelling.Known.of(seen.history(until, cut, category))
    facts = modelling.fitted(known, category, until, seen.settings.least_repeaters, rate)
    after = seen.ask("afterwards", category, as_of=until, until=day_start(today, seen.at.zone))
    before = seen.ask("afterwards", category, as_of=earlier, until=until)
    return modelling.tried(facts, known, after, before, cut, days)


def _shelves(seen: _Seen) -> pa.Table:
    recent = seen.at.before(365)
    return seen.warehouse.query(named("profiles/values/categories", {"as_of": seen.at.as_of, "from_365": recent}))


def _wallets(seen: _Seen) -> tuple[Wallet, ...]:
    sizes = {one.category: one for one in documents_of(CategorySizeDocument)}
    shelves = _shelves(seen).to_pylist() if sizes else ()
    return tuple(
        Wallet(
            row["category"],
            row["buyers_365d"],
            float(row["spend_365d"]),
            sizes[row["category"]].yearly_per_buyer,
            sizes[row["category"]].source,
        )
        for row in shelves
        if row["category"] in sizes and row["buyers_365d"]
    )


def measure_of(basis: Basis, document: ValuesDocument) -> Measure:
    """Margin where enough of it is known, else spend."""
    told = document.margins is not None and document.margins.otherwise is not None  # then it is of everything
    known = told or (basis.rate is not None and basis.known >= document.known_from)
    return Measure.MARGIN if known else Measure.SPEND


def basis_of(warehouse: Warehouse, at: Moment, document: ValuesDocument) -> Basis:
    """How much of margin is known, and by what."""
    window: dict[str, object] = {"as_of": at.as_of, "from_365": at.before(365)}
    found = warehouse.query(named("profiles/values/known_costs", window)).to_pylist()[0]
    spend, exact, margin = (float(found[name]) for name in ("spend", "exact", "margin"))
    margins = document.margins
    if margins is not None and margins.otherwise is not None:
        return Basis(spend, exact, spend - exact, margins.otherwise)
    by_category = earned = 0.0
    if margins is not None and margins.categories:
        asked = over_uncosted(named("profiles/values/known_categories", window), document)
        told = warehouse.query(asked).to_pylist()[0]
        by_category, earned = float(told["by_category"]), float(told["earned"])
    known = exact + by_category
    return Basis(spend, exact, by_category, (margin + earned) / known if known > 0 else None)


def _quarters(found: pa.Table) -> tuple[Quarter, ...]:
    rows = found.to_pylist()
    return tuple(Quarter(row["year"], row["quarter"], float(row["amount"]), row["persons"]) for row in rows)

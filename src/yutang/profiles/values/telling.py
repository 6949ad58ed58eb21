"""Values as plain data, the same for API and shell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from yutang.organisation.contracts import Viewer
from yutang.profiles.values import queries
from yutang.profiles.values.contracts import ModelFacts, PersonWorth, ValueState
from yutang.warehouse.contracts import Warehouse

PARAMETERS = (("buying", ("r", "alpha", "a", "b")), ("spending", ("p", "q", "v")))


def told(warehouse: Warehouse, viewer: Viewer) -> dict[str, Any] | None:
    """What stands, as far as the viewer sees it: sums of the persons in scope, and the brand's models for who sees the
    whole brand. None before the first scoring."""
    found = queries.state(warehouse)
    if found is None:
        return None
    totals, tenths = queries.totals_of(warehouse, viewer)
    whole = viewer.sees_all
    return {
        "as_of": found.as_of,
        "fitted_at": found.fitted_at,
        "measure": found.measure.value,
        "horizon_days": found.horizon,
        "discount_rate": found.discount,
        "totals": asdict(totals),
        "tenths": [asdict(one) for one in tenths],
        "basis": told_basis(found),
        "quarters": [asdict(one) for one in queries.quarters_at(warehouse, viewer)],
        "wallets": [{**asdict(one), "share": one.share} for one in found.wallets] if whole else [],
        "models": [told_model(one) for one in queries.models(warehouse, found.version)] if whole else [],
    }


def told_basis(found: ValueState) -> dict[str, float]:
    """By what margin is known, as shares of the last year's spend."""
    basis = found.basis
    return {"exact": basis.exact_share, "by_category": basis.category_share, "unknown": basis.unknown}


def told_model(facts: ModelFacts) -> dict[str, Any]:
    """A model: its parameters with their standard errors, how it did on the past, and why it says nothing if so."""
    given = asdict(facts)
    parameters = {
        name: {"value": value, "error": error}
        for part, names in PARAMETERS
        for name, value, error in zip(names, given[part], given[f"{part}_errors"], strict=False)
    }
    kept = ("category", "persons", "repeaters", "cannot", "expected_orders", "expected", "correlation", "test")
    likelihoods = {"buying": facts.buying_likelihood, "spending": facts.spending_likelihood}
    return {**{name: given[name] for name in kept}, "parameters": parameters, "log_likelihood": likelihoods}


def told_person(worth: PersonWorth | None, found: ValueState | None) -> dict[str, Any] | None:
    """A person's three values; None where there are none."""
    if worth is None or found is None:
        return None
    return {
        **asdict(worth),
        "as_of": found.as_of,
        "measure": found.measure.value,
        "horizon_days": found.horizon,
    }


def lines(models: Sequence[ModelFacts]) -> list[tuple[object, ...]]:
    """Models as rows of a table: name, persons, repeaters, what is expected, by how much the last test was off, how
    often its interval held, and why nothing is said."""
    return [
        (
            one.category or "*",
            one.persons,
            one.repeaters,
            "-" if one.expected is None else f"{one.expected:,.0f}",
            "-" if one.test is None else f"{one.test.off:+.1%}",
            "-" if one.test is None else f"{one.test.covered:.1%}",
            one.cannot.value if one.cannot else "",
        )
        for one in models
    ]

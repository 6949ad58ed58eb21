"""The next category of the brand's own customers: the model, its back-test, and what it says of one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from yutang.kernel.ids import draw_array, salt
from yutang.layers.next_category import BackTest, Firsts, Model, Pair, arranged, back_test, fit
from yutang.layers.shared import scope_of
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.profiles.queries import as_of
from yutang.warehouse.contracts import Warehouse, named

SAMPLE = 20_000
"""No more persons than this are learned from, drawn by hash."""
CATEGORIES = 300
SPAN = 92
"""Days within which something new counts as next."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NextCategories:
    """What leads to what now, and how well it would have told the last span. None: too little to tell."""

    model: Model | None
    tested: BackTest | None


@dataclass(frozen=True, slots=True)
class Next:
    """One category that a person may come to next, and what of theirs tells of it (None: only that many buy it)."""

    category: str
    why: Pair | None


def firsts(warehouse: Warehouse, until: datetime, sample: int = SAMPLE) -> Firsts:
    """When customers first bought of each category, until an instant. (Unscoped: pairs of goods tell of nobody.)"""
    chosen = sampled(warehouse, sample)
    params = {"as_of": until, **_everywhere(OWNER)}
    rows = warehouse.query(named("layers/next_firsts", params, {"chosen": chosen}))
    days = rows["first_at"].cast(pa.timestamp("s")).cast(pa.int64()).to_numpy() // 86_400
    return arranged(rows["person"].to_numpy(), rows["category"].to_pylist(), days, CATEGORIES)


def sampled(warehouse: Warehouse, sample: int) -> pa.Table:
    """Customers by every number of theirs (`birth`, `person`), no more than about so many of them, drawn by hash."""
    chosen = warehouse.query(named("layers/next_births"))
    everybody = np.unique(chosen["person"].to_numpy())
    if len(everybody) <= sample:
        return chosen
    drawn = draw_array(chosen["person"].to_numpy(), salt("next category")) < sample / len(everybody)
    return chosen.filter(pa.array(drawn))


def _everywhere(viewer: Viewer) -> dict[str, object]:
    scope = scope_of(viewer)
    return {"everywhere": scope["sees_all"], "seen": scope["seen"]}


def day_of(at: datetime) -> int:
    """Which day since 1970 (UTC) an instant lies in."""
    return (at.astimezone(UTC) - _EPOCH) // timedelta(days=1)


def next_categories(warehouse: Warehouse) -> NextCategories:
    """The model at the instant of the profiles, and its test on the span before."""
    at = as_of(warehouse)
    if at is None:
        return NextCategories(None, None)
    table, today = firsts(warehouse, at), day_of(at)
    if not table.categories:
        return NextCategories(None, None)
    return NextCategories(fit(table, today, SPAN), back_test(table, today - SPAN, SPAN))


NEXT: Beforehand[NextCategories] = Beforehand(next_categories, often=86_400.0)


def known(warehouse: Warehouse) -> Counted[NextCategories]:
    """What was found last."""
    return NEXT.answer(warehouse)


def next_of(warehouse: Warehouse, viewer: Viewer, births: Sequence[int], limit: int = 3) -> list[Next]:
    """What a person may come to next, the likeliest first, by what they bought where the viewer may see it. `births`
    are all numbers of the person. Nothing where there is no model, or the person bought nothing known."""
    model, at = known(warehouse).value.model, as_of(warehouse)
    if model is None or at is None:
        return []
    chosen = pa.table({"birth": pa.array(births, pa.int64()), "person": pa.array([0] * len(births), pa.int64())})
    params = {"as_of": at, **_everywhere(viewer)}
    rows = warehouse.query(named("layers/next_firsts", params, {"chosen": chosen}))
    bought = set(rows["category"].to_pylist())
    has = np.array([name in bought for name in model.categories], dtype=bool)
    if not has.any() or has.all():
        return []
    scores = model.scores(has[None, :])[0]
    order = [int(one) for one in np.argsort(-scores, kind="stable")[:limit] if np.isfinite(scores[one])]
    return [Next(model.categories[one], model.telling(has, one)) for one in order]

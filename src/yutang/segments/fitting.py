"""Fitting what makes somebody look like a segment's members: everybody is counted once, in groups of equals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from math import ceil

import numpy as np
import pyarrow as pa
from sqlglot import exp

from yutang.organisation.queries import OWNER
from yutang.profiles.conditions import literal
from yutang.profiles.drawn import drawn
from yutang.profiles.past import profiles_at
from yutang.profiles.queries import join_beside, moment
from yutang.profiles.remembered import Remembered
from yutang.profiles.traits import MORE, TRAITS
from yutang.segments.compile import compile_memberships, compile_segment
from yutang.segments.contracts import Context
from yutang.segments.documents import SHARE, Likeness, SegmentDocument
from yutang.segments.likeness import FOLDS, Bands, Cells, Counts, Model, fitted, hundredths
from yutang.warehouse.contracts import Statement, Warehouse

_QUARTERS = (0.25, 0.5, 0.75)
_MODELS: Remembered[Model] = Remembered()


def remembering(warehouse: Warehouse) -> Callable[[Likeness, Context], Model]:
    """As `fit`, asked once between two refreshes of profiles: so what facts change by themselves (a tag, a consent)
    moves the seed at once, and the weights with the next refresh."""

    def model(likeness: Likeness, at: Context) -> Model:
        seed = compile_segment(at.segments(likeness.segment), at).sql()
        key = likeness, seed, at.moment
        return _MODELS.answer(warehouse, key, lambda: fit(warehouse, likeness, at))

    return model


def fit(warehouse: Warehouse, likeness: Likeness, at: Context) -> Model:
    """The model of a seed among everybody (unscoped: weights tell of nobody), at the instant of the context; of one
    before that of the profiles, among those whom `profiles_at` looks at."""
    seed = at.segments(likeness.segment)
    tables: Mapping[str, pa.Table] = {}
    share = 1.0
    if at.moment != moment(warehouse):
        some = drawn(warehouse, OWNER)
        tables = profiles_at(warehouse, at.moment, _asked(likeness, seed, at), some)
        share = some.share
    bands = _bands(warehouse, likeness, at, tables)
    cells = _cells(warehouse, bands, seed, at, tables)
    others = int(cells.count[~cells.seed].sum())
    wanted = (
        ceil(round(likeness.top * share, 6)) if likeness.top else ceil(round((likeness.share or SHARE) * others, 6))
    )
    model, room = fitted(bands, cells, wanted, _asked_by_both(likeness, seed, at))
    return _closed(warehouse, model, room, seed, at, tables) if room else model


def _asked(likeness: Likeness, seed: SegmentDocument, at: Context) -> Collection[str]:
    compared = (_columns(TRAITS[name].expression(at.moment)) for name in likeness.traits)
    return _columns(compile_segment(seed, at)).union(*compared)


def _asked_by_both(likeness: Likeness, seed: SegmentDocument, at: Context) -> tuple[str, ...]:
    """The traits compared for which the seed's rule asks, itself or by a segment that it names: told by the columns
    that both read, so that it is seen too where a trait is worked out of what another says."""
    asked = _columns(compile_segment(seed, at)) - {"person"}
    return tuple(name for name in likeness.traits if not asked.isdisjoint(_columns(TRAITS[name].expression(at.moment))))


def _columns(query: exp.Expr) -> set[str]:
    return {column.name for column in query.find_all(exp.Column) if column.table in ("profiles", MORE)}


def _bands(warehouse: Warehouse, likeness: Likeness, at: Context, tables: Mapping[str, pa.Table]) -> list[Bands]:
    numbers = [name for name in likeness.traits if not TRAITS[name].choices]
    edges: dict[str, tuple[float, ...]] = {}
    if numbers:
        quarters = [
            exp.PercentileCont(this=hundredths(name, at.moment), expression=literal(share)).as_(f"{name}_{place}")
            for name in numbers
            for place, share in enumerate(_QUARTERS)
        ]
        query = exp.select(*quarters).from_("profiles")
        row = warehouse.query(Statement(join_beside(query), tables=tables, name="segments/quarters")).to_pylist()[0]
        for name in numbers:
            found = [row[f"{name}_{place}"] for place in range(len(_QUARTERS))]
            edges[name] = () if None in found else tuple(float(edge) for edge in found)
    return [Bands(name, edges.get(name, ()), TRAITS[name].choices) for name in likeness.traits]


def _everyone(bands: list[Bands], seed: SegmentDocument, at: Context) -> exp.Select:
    """SELECT `person`, whether they are of the seed (under its name), and each trait's band, of everybody."""
    query = compile_memberships([seed], at)
    for place, its in enumerate(bands):
        numbers = [exp.Literal.number(band) for band in range(its.number)]
        query = query.select(its.told(numbers, at.moment).as_(f"b{place}"))
    return join_beside(query)


def _cells(
    warehouse: Warehouse, bands: list[Bands], seed: SegmentDocument, at: Context, tables: Mapping[str, pa.Table]
) -> Cells:
    names = [f"b{place}" for place in range(len(bands))]
    fold = exp.Mod(this=exp.column("person", "each"), expression=exp.Literal.number(FOLDS))
    inside = exp.Case().when(exp.column(seed.name, "each", quoted=True), exp.Literal.number(1))
    keys = [
        *(exp.column(name, "each").as_(name) for name in names),
        inside.else_(exp.Literal.number(0)).as_("inside"),
        fold.as_("fold"),
    ]
    query = exp.select(*keys, exp.Count(this=exp.Star()).as_("n")).from_(_everyone(bands, seed, at).subquery("each"))
    query = query.group_by(*[str(place + 1) for place in range(len(keys))])
    found = warehouse.query(Statement(query, tables=tables, name="segments/cells"))

    def whole(name: str) -> Counts:
        return np.asarray(found[name].to_numpy(), np.int64)

    band = np.array([whole(name) for name in names]).reshape(len(names), found.num_rows)
    return Cells(band, whole("inside") == 1, whole("fold"), whole("n"))


def _closed(
    warehouse: Warehouse, model: Model, room: int, seed: SegmentDocument, at: Context, tables: Mapping[str, pa.Table]
) -> Model:
    """The model with the last person for whom there is room among those who score the cut-off itself."""
    query = compile_memberships([seed], at).select(model.score(at.moment).as_("score"))
    each = join_beside(query).subquery("each")
    on_edge = exp.EQ(this=exp.column("score", "each"), expression=literal(model.cutoff))
    person = exp.column("person", "each")
    query = exp.select(person).from_(each).where(on_edge)
    query = query.where(exp.not_(exp.column(seed.name, "each", quoted=True))).order_by(person.copy()).limit(room)
    found = warehouse.query(Statement(query, tables=tables, name="segments/edge"))["person"]
    return replace(model, last=max(found.to_pylist(), default=-1))

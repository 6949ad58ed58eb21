"""How a trait's values are spread, looked at in a sample: also one of a document that was not kept yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from sqlglot import exp

from yutang.kernel.calendars import aware, local_day
from yutang.organisation.contracts import Viewer
from yutang.profiles.aggregates import selects
from yutang.profiles.contracts import Moment
from yutang.profiles.documents import Of, TraitDocument
from yutang.profiles.queries import in_scope, join_beside, moment, number
from yutang.profiles.registry import check_trait
from yutang.profiles.traits import Trait, TraitType
from yutang.warehouse.contracts import Statement, Warehouse, named

SAMPLE = 2000
FEW, BARS = 9, 8
NUMBERS = frozenset({TraitType.COUNT, TraitType.MONEY, TraitType.NUMBER})


@dataclass(frozen=True, slots=True)
class Bar:
    """So many of the sample have this value; or, with `until`, one from it on and below `until` (the last: up to)."""

    value: Any
    persons: int
    until: Any = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Of `persons` looked at, `known` have a value. `middle` are the quartiles of numbers."""

    trait: Trait
    persons: int
    known: int
    bars: tuple[Bar, ...]
    middle: tuple[float, float, float] | None = None

    @property
    def most(self) -> int:
        """The longest bar."""
        return max((bar.persons for bar in self.bars), default=0)


def spread(warehouse: Warehouse, viewer: Viewer, document: TraitDocument) -> Spread:
    """How the document's values would be spread among some of those whom the viewer sees, at the instant at which
    profiles stand. Raises BadInput for a document that cannot be (see `check_trait`)."""
    made = check_trait(document)
    at = moment(warehouse)
    people = sample(warehouse, viewer)
    found = values(warehouse, document, made, at, people)
    return _spread(made, found, len(people), at)


def spread_of(warehouse: Warehouse, viewer: Viewer, trait: Trait) -> Spread:
    """The same of a trait that stands."""
    at = moment(warehouse)
    people = sample(warehouse, viewer)
    return _spread(trait, _read(warehouse, trait, at, people), len(people), at)


def sample(warehouse: Warehouse, viewer: Viewer) -> list[int]:
    """Some of the persons whom the viewer sees; the same ones each time."""
    every = max(1, number(warehouse, "SELECT count(*) FROM profiles") // SAMPLE)
    share = exp.EQ(
        this=exp.Mod(this=exp.column("person", "profiles"), expression=exp.Literal.number(every)),
        expression=exp.Literal.number(0),
    )
    query = exp.select(exp.column("person", "profiles")).from_("profiles").where(share)
    found = warehouse.query(Statement(in_scope(query, viewer).limit(SAMPLE), name="profiles/sample"))
    return [int(person) for person in found.column(0).to_pylist()]


def values(
    warehouse: Warehouse, document: TraitDocument, made: Trait, at: Moment, people: list[int]
) -> Mapping[int, Any]:
    """The values of a document's trait, kept or not, of these persons who have one."""
    if document.formula is not None:
        return _read(warehouse, made, at, people)
    births = warehouse.query(named("profiles/births_of", tables={"wanted": _people(people)}))

    def work(_: Of) -> exp.Query:
        return exp.select("birth", "person").from_("births_of")

    found: dict[int, Any] = {}
    for select, tables in selects([document], at, work):
        given = {**tables, "births_of": births}
        for row in warehouse.query(Statement(select, tables=given, name="profiles/spread")).to_pylist():
            if row[document.column] is not None:
                found[row["person"]] = row[document.column]
    return {person: found.get(person, 0) for person in people} if document.counts else found


def _read(warehouse: Warehouse, trait: Trait, at: Moment, people: list[int]) -> Mapping[int, Any]:
    query = exp.select(exp.column("person", "profiles"), trait.expression(at).as_("value")).from_("profiles")
    query = query.join("wanted", on="wanted.person = profiles.person")
    statement = Statement(join_beside(query), tables={"wanted": _people(people)}, name="profiles/spread")
    rows = warehouse.query(statement).to_pylist()
    return {row["person"]: row["value"] for row in rows if row["value"] is not None}


def _people(people: list[int]) -> pa.Table:
    return pa.table({"person": pa.array(people, pa.int64())})


def _spread(trait: Trait, found: Mapping[int, Any], persons: int, at: Moment) -> Spread:
    plain = [_plain(value, at) for value in found.values()]
    times = Counter(plain)
    middle = None
    if trait.type in NUMBERS and plain:
        low, half, high = np.quantile(np.array(plain, float), [0.25, 0.5, 0.75])
        middle = (float(low), float(half), float(high))
    if len(times) <= FEW or (trait.type not in NUMBERS and not _are_days(plain)):
        shown = sorted(times.items()) if len(times) <= FEW else times.most_common(FEW)
        bars = tuple(Bar(value, count) for value, count in shown)
    elif _are_days(plain):
        bars = tuple(Bar(year, count) for year, count in sorted(Counter(day.year for day in plain).items())[-FEW:])
    else:
        counts, edges = np.histogram(np.array(plain, float), bins=BARS)
        bars = tuple(
            Bar(float(low), int(count), float(high))
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        )
    return Spread(trait, persons, len(plain), bars, middle)


def _are_days(plain: list[Any]) -> bool:
    return bool(plain) and hasattr(plain[0], "year")


def _plain(value: Any, at: Moment) -> Any:
    """A number as it is counted, an instant by its local day."""
    match value:
        case Decimal():
            return _plain(float(value), at)
        case float() if value.is_integer():
            return int(value)
        case datetime():
            return local_day(aware(value), at.zone)
    return value

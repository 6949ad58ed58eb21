"""Why somebody is in a segment, or was on a past day: rule by rule, by the very query that says who is in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from yutang.kernel.documents import Part, Title
from yutang.kernel.errors import BadInput, NotFound
from yutang.kernel.ids import PersonId, draw_array, salt
from yutang.organisation.contracts import Viewer
from yutang.profiles.contracts import Moment
from yutang.profiles.past import is_a_rank, is_todays, tables_at
from yutang.profiles.queries import DRAWN, in_scope, join_beside
from yutang.profiles.traits import TRAITS
from yutang.segments.compile import compile_memberships
from yutang.segments.contracts import Context
from yutang.segments.documents import (
    All,
    Any_,
    ConsentRule,
    LooksLikeRule,
    Not,
    PoolRule,
    RegionRule,
    SegmentDocument,
    SegmentRule,
    StoreRule,
    TagRule,
    TraitRule,
)
from yutang.segments.likeness import Model, Weight
from yutang.segments.queries import context, statement
from yutang.warehouse.contracts import Statement, Warehouse, named

MOST = 300
SHOWN = 5
VALUE = "value"
TELLING = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule, whether it holds of the person, and the rules of which it is made. `value` is that of a trait's rule;
    `today`: known as of today only, whatever the day; `unknown`: of no past day. `evidence` is of a rule that asks whom
    somebody looks like."""

    rule: Part
    holds: bool
    below: tuple[Reason, ...] = ()
    value: Any = None
    today: bool = False
    unknown: bool = False
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why somebody looks like the members of a segment: the traits that weigh most, for it or against, and the score
    beside the one that is needed. Who is `inside` that segment is not like it."""

    model: Model
    weights: tuple[Weight, ...]
    score: int
    inside: bool


def why(
    warehouse: Warehouse,
    viewer: Viewer,
    document: SegmentDocument,
    person: PersonId,
    at: datetime | None = None,
    tables: Mapping[str, pa.Table] | None = None,
) -> Reason:
    """Why the person is or is not in the segment; with `at`, was at an instant before now (`tables`: `tables_at` of the
    person then, where they are at hand). Raises NotFound for one whom
    the viewer does not see, and BadInput for an instant to come or a segment of too many rules."""
    now = context(warehouse)
    if at is not None and at > now.moment.as_of:
        raise BadInput("请选今天以前的日子。", "Choose a day that is over.")
    then = now if at is None else replace(now, moment=Moment(at, now.moment.zone))
    return reason(warehouse, viewer, document, person, then, past=at is not None, tables=tables)


def reason(
    warehouse: Warehouse, viewer: Viewer, document: SegmentDocument, person: PersonId, then: Context, *, past: bool,
    tables: Mapping[str, pa.Table] | None = None,
) -> Reason:  # fmt: skip
    """The same, compiled against a context whose moment may be past."""
    found = _reasons(warehouse, viewer, document, [person], then, past=past, tables=tables)
    if person not in found:
        raise NotFound(f"没有编号为 {person} 的客户。", f"There is no person {person}.")
    return found[person]


def sample(
    warehouse: Warehouse,
    viewer: Viewer,
    document: SegmentDocument,
    size: int = SHOWN,
    members: npt.NDArray[np.int64] | None = None,
) -> dict[PersonId, Reason]:
    """Some of the members whom the viewer sees, drawn by hash (the same again while nobody comes or goes), each with
    why they are in it. `members` are those known already; of who is none any more nothing is told. Raises BadInput for
    a segment of too many rules."""
    now = context(warehouse)
    asked = warehouse.query(statement(document, viewer, now))["person"].to_numpy() if members is None else members
    everyone = np.asarray(asked, np.int64)
    drawn = everyone[np.argsort(draw_array(everyone, salt(f"sample of {document.name}")))[:size]]
    found = _reasons(warehouse, viewer, document, [PersonId(int(one)) for one in drawn], now, past=False)
    return {person: reason for person, reason in found.items() if reason.holds}


def _reasons(
    warehouse: Warehouse, viewer: Viewer, document: SegmentDocument, persons: Collection[PersonId], then: Context,
    *, past: bool, tables: Mapping[str, pa.Table] | None = None,
) -> dict[PersonId, Reason]:  # fmt: skip
    asked = _Asked(then)
    whole = asked.rule(document.where)
    if not persons:
        return {}
    query = compile_memberships(asked.documents, then, persons, drawn=not past)
    for name in sorted(asked.traits):
        query = query.select(TRAITS[name].expression(then.moment).as_(f"{VALUE}_{name}"))
    query = in_scope(join_beside(query, persons), viewer).where(
        exp.column("person", "profiles").isin(*map(int, persons))
    )
    if past:
        tables = tables or tables_at(warehouse, persons, then.moment)
    else:
        wanted = pa.table({"person": pa.array([int(one) for one in persons], pa.int64())})
        tables = {DRAWN: warehouse.query(named("profiles/births_of", tables={"wanted": wanted}))}
    rows = warehouse.query(Statement(query, tables=tables, name="segments/why")).to_pylist()
    by_person = {PersonId(row["person"]): _reason(whole, row, past=past) for row in rows}
    return {person: by_person[person] for person in persons if person in by_person}


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    rule: Part
    below: tuple[_Rule, ...] = ()
    seed: str = ""
    model: Model | None = None


class _Asked:
    """Every rule of a segment as a segment of its own, those of the segments that it refers to among them."""

    def __init__(self, at: Context) -> None:
        self.documents: list[SegmentDocument] = []
        self.traits: set[str] = set()
        self._at = at

    def rule(self, rule: Part) -> _Rule:
        name = self._named(rule)
        match rule:
            case LooksLikeRule(looks_like=likeness):
                self.traits.update(likeness.traits)
                seed = self._named(self._at.segments(likeness.segment).where)
                return _Rule(name, rule, seed=seed, model=self._at.model(likeness, self._at))
            case All():
                below = tuple(self.rule(branch) for branch in rule.all_)
            case Any_():
                below = tuple(self.rule(branch) for branch in rule.any_)
            case Not():
                below = (self.rule(rule.not_),)
            case SegmentRule():
                below = (self.rule(self._at.segments(rule.segment).where),)
            case TraitRule():
                self.traits.add(rule.trait)
                below = ()
            case _:
                below = ()
        return _Rule(name, rule, below)

    def _named(self, rule: Part) -> str:
        """The name under which it is asked of every person whether a rule holds."""
        if len(self.documents) >= MOST:
            raise BadInput(f"规则超过 {MOST} 条，说不过来。", f"It has more than {MOST} rules: too many to tell.")
        name = f"r{len(self.documents)}"
        title = Title(zh=name, en=name)
        self.documents.append(SegmentDocument.model_construct(kind="segment", name=name, title=title, where=rule))
        return name


def _reason(asked: _Rule, row: Mapping[str, Any], *, past: bool) -> Reason:
    rule = asked.rule
    value, unknown = None, False
    if isinstance(rule, TraitRule):
        value, unknown = row[f"{VALUE}_{rule.trait}"], past and is_a_rank(rule.trait)
    today = past and of_today(rule)
    below = tuple(_reason(one, row, past=past) for one in asked.below)
    return Reason(rule, bool(row[asked.name]), below, value, today, unknown, _evidence(asked, row))


def _evidence(asked: _Rule, row: Mapping[str, Any]) -> Evidence | None:
    if asked.model is None:
        return None
    weights = asked.model.weigh({bands.trait: row[f"{VALUE}_{bands.trait}"] for bands in asked.model.bands})
    score = sum(one.thousandths for one in weights)
    return Evidence(asked.model, tuple(weights[:TELLING]), score, bool(row[asked.seed]))


def of_today(rule: Part) -> bool:
    """Whether what a leaf asks is known as of today only, whatever the day."""
    match rule:
        case TraitRule():
            return is_todays(rule.trait)
        case StoreRule() | RegionRule():
            return rule.by == "scope"
    return isinstance(rule, TagRule | ConsentRule | PoolRule)

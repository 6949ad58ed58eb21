"""超级用户: who they are, by the brand's own document, and what a paid membership would bring of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sqlglot import exp

from yutang.documents import queries as documents
from yutang.kernel.documents import parse
from yutang.layers.documents import DEFAULT, SuperUsersDocument
from yutang.layers.membership import Expected, Fees, Untold, fees
from yutang.organisation.contracts import Viewer
from yutang.profiles.queries import in_scope, join_beside
from yutang.profiles.remembered import Remembered
from yutang.profiles.traits import TRAITS
from yutang.profiles.values import queries as values
from yutang.profiles.values.contracts import Measure, ValueState
from yutang.segments.compile import compile_memberships
from yutang.segments.contracts import Context
from yutang.segments.documents import SegmentDocument
from yutang.segments.queries import context
from yutang.warehouse.contracts import Statement, Warehouse

SHOWN = ("orders_365d", "spend_365d", "days_since_last_visit", "home_store", "reachable")
SORTS = ("spend_365d", "orders_365d", "days_since_last_visit", "signs")
TOTAL = "super_users_in_all"
WORTH = ("potential_value", "potential_low", "potential_high", "existing_value_365d")
A_YEAR = range(360, 372)
"""For how many days values must look ahead to be held against a yearly fee."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many have each sign, how many are super-users, and what these spent of all in the last 365 days."""

    signs: dict[str, int]
    persons: int
    reachable: int
    spend: float
    everybody_spend: float

    @property
    def share(self) -> float | None:
        """Their share of spend."""
        return self.spend / self.everybody_spend if self.everybody_spend else None


_COUNTS: Remembered[Counts] = Remembered()
_FEES: Remembered[Fees] = Remembered()


def super_users_document() -> SuperUsersDocument:
    """The rules in force. Raises NotFound where the brand has retired them."""
    return documents.document_named(SuperUsersDocument, DEFAULT)


def everybody(document: SuperUsersDocument, viewer: Viewer, at: Context, traits: Sequence[str] = SHOWN) -> exp.Select:
    """SELECT `person`, a boolean for each sign, how many signs they have (`signs`), whether they are a super-user
    (`super`), and these traits, of everybody whom the viewer sees."""
    rules = [
        SegmentDocument.model_validate({"kind": "segment", "name": sign, "title": document.title, "where": rule})
        for sign, rule in document.rules().items()
    ]
    inner = in_scope(compile_memberships(rules, at), viewer)
    inner = join_beside(inner.select(*[TRAITS[name].expression(at.moment).as_(name) for name in traits]))
    has = {one.name: exp.column(one.name, "each", quoted=True) for one in rules}
    points = [
        exp.Paren(this=exp.Case().when(sign.copy(), exp.Literal.number(1)).else_(exp.Literal.number(0)))
        for sign in has.values()
    ]
    signs: exp.Expr = points[0]
    for point in points[1:]:
        signs = exp.Add(this=signs, expression=point)
    enough = exp.GTE(this=exp.Paren(this=signs.copy()), expression=exp.Literal.number(document.needed))
    is_one = exp.and_(enough, *[has[sign].copy() for sign in document.must])
    columns = [exp.column(name, "each", quoted=True) for name in ("person", *has, *traits)]
    return exp.select(*columns, exp.Paren(this=signs).as_("signs"), exp.Paren(this=is_one).as_("super")).from_(
        inner.subquery("each")
    )


def counts(warehouse: Warehouse, viewer: Viewer, document: SuperUsersDocument) -> Counts:
    """How many have which sign."""
    key = (viewer.nodes, document.as_yaml(), context(warehouse).moment)
    return _COUNTS.answer(warehouse, key, lambda: _counts(warehouse, viewer, document))


def _counts(warehouse: Warehouse, viewer: Viewer, document: SuperUsersDocument) -> Counts:
    every = everybody(document, viewer, context(warehouse)).subquery("every")

    def total(condition: exp.Expr, value: exp.Expr | None = None) -> exp.Expr:
        none = exp.Literal.number(0)
        return exp.Sum(this=exp.Case().when(condition, value or exp.Literal.number(1)).else_(none))

    spend, those = exp.column("spend_365d", "every"), exp.column("super", "every", quoted=True)
    query = exp.select(
        *[total(exp.column(sign, "every", quoted=True)).as_(f"n_{sign}") for sign in document.rules()],
        total(those).as_("persons"),
        total(exp.and_(those.copy(), exp.column("reachable", "every"))).as_("reachable"),
        total(those.copy(), spend).as_("spend"),
        exp.Sum(this=spend.copy()).as_("everybody_spend"),
    ).from_(every)
    row = warehouse.query(Statement(query, name="layers/super_user_counts")).to_pylist()[0]
    signs = {sign: int(row[f"n_{sign}"] or 0) for sign in document.rules()}
    money = (float(row["spend"] or 0), float(row["everybody_spend"] or 0))
    return Counts(signs, int(row["persons"] or 0), int(row["reachable"] or 0), *money)


def listed(
    warehouse: Warehouse,
    viewer: Viewer,
    document: SuperUsersDocument,
    *,
    sign: str = "",
    reachable: bool | None = None,
    order: str = "-spend_365d",
    limit: int = 50,
    offset: int = 0,
) -> tuple[int, list[dict[str, Any]]]:
    """How many super-users there are, and some of them with signs and traits; `sign` and `reachable` keep some."""
    every = everybody(document, viewer, context(warehouse)).subquery("every")
    conditions: list[exp.Expr] = [exp.column("super", "every", quoted=True)]
    if sign in document.rules():
        conditions.append(exp.column(sign, "every", quoted=True))
    if reachable is not None:
        may = exp.column("reachable", "every")
        conditions.append(may if reachable else exp.not_(may))
    name = order.removeprefix("-")
    key = exp.column(name if name in SORTS else SORTS[0], "every", quoted=True)
    by_person = exp.Ordered(this=exp.column("person", "every"), desc=False, nulls_first=False)
    query = (
        exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("every")))
        .select(exp.Window(this=exp.Count(this=exp.Star())).as_(TOTAL))
        .from_(every)
        .where(*conditions)
        .order_by(exp.Ordered(this=key, desc=order.startswith("-"), nulls_first=False), by_person)
        .limit(limit)
        .offset(offset)
    )
    rows = warehouse.query(Statement(query, name="layers/super_users")).to_pylist()
    total = int(rows[0][TOTAL]) if rows else 0
    return total, [{key: value for key, value in row.items() if key not in (TOTAL, "super")} for row in rows]


def membership(warehouse: Warehouse, viewer: Viewer, document: SuperUsersDocument) -> Fees:
    """What each fee would bring of the super-users whom the viewer sees, by what each is expected to be worth."""
    found = values.state(warehouse)
    if found is None:
        return Fees(why=Untold.UNSCORED.value)
    key = (viewer.nodes, document.as_yaml(), context(warehouse).moment, found.version)
    return _FEES.answer(warehouse, key, lambda: _membership(warehouse, viewer, document, found))


def _membership(warehouse: Warehouse, viewer: Viewer, document: SuperUsersDocument, found: ValueState) -> Fees:
    model = values.models(warehouse, found.version)[0]
    if model.cannot is not None:
        return Fees(why=model.cannot.value)
    if model.test is None:
        return Fees(why=Untold.UNTRIED.value)
    if found.horizon not in A_YEAR:
        return Fees(why=Untold.HORIZON.value)
    every = everybody(document, viewer, context(warehouse), (*WORTH, "spend_365d")).subquery("every")
    query = (
        exp.select(*[exp.cast(exp.column(name, "every"), "double").as_(name) for name in (*WORTH, "spend_365d")])
        .from_(every)
        .where(exp.column("super", "every", quoted=True))
        .order_by("potential_value")
    )
    rows = warehouse.query(Statement(query, name="layers/super_user_worth"))
    told = rows.filter(rows["potential_value"].is_valid())
    columns = {name: told[name].to_numpy() for name in told.column_names}
    margin = None
    if found.measure is Measure.MARGIN:
        spent, left = float(columns["spend_365d"].sum()), float(columns["existing_value_365d"].sum())
        if spent <= 0 or left <= 0:
            return Fees(why=Untold.FEW.value, told=told.num_rows, untold=rows.num_rows - told.num_rows)
        margin = left / spent
    value, low, high = (columns[name] for name in WORTH[:3])
    of = Expected(value, low, high, abs(model.test.off), margin)
    return fees(of, rows.num_rows - told.num_rows, document.membership)


def invited(document: SuperUsersDocument, fee: float, least: float) -> SegmentDocument:
    """Super-users whom a yearly fee serves, as a segment: those expected to be worth `least` or more in a year."""
    where = {"all": [*_super(document), {"trait": "potential_value", "at_least": least}]}
    said = {
        "kind": "segment",
        "name": f"member_fee_{fee:g}".replace(".", "_").replace("+", "_"),
        "title": {"zh": f"付费会员，年费 {fee:g}", "en": f"Paid membership, {fee:g} a year"},
        "note": {
            "zh": f"超级用户里，年费 {fee:g} 对其划算的人：返给会员的够年费。",
            "en": f"Super-users whom {fee:g} a year serves: what is given back to them is worth the fee.",
        },
        "where": where,
    }
    return parse(SegmentDocument, said)


def _super(document: SuperUsersDocument) -> list[dict[str, Any]]:
    """The rules of which all hold for super-users and for nobody else."""
    data = document.as_data()
    rules = {sign: data[sign] for sign in document.rules()}
    others = [rule for sign, rule in rules.items() if sign not in document.must]
    more = document.needed - len(document.must)
    found = [rules[sign] for sign in document.must]
    if more > 0:
        found.append({"any": [{"all": list(several)} for several in combinations(others, more)]})
    return found

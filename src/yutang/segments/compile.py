"""Documents to one query: `profiles`, joined to what each other table says of a person, each table read once.

Every leaf becomes an expression that is true or false, never null, so `not` is the complement within all persons.
What leaves ask of another table becomes *measures*: aggregates per person with a filter of their own, worked out in
one pass over the table however many leaves and documents ask. No measure for a person means a count of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from yutang.kernel.documents import Part
from yutang.kernel.errors import BadInput, NotFound
from yutang.organisation.contracts import NodeKind
from yutang.profiles.conditions import (
    column,
    compared,
    counting,
    instant,
    literal,
    of_events,
    of_lines,
    one_of,
    prop,
    text,
    windowed,
)
from yutang.profiles.queries import DRAWN, Among, is_among, join_beside
from yutang.profiles.shapes import Bounds
from yutang.profiles.traits import TRAITS, TraitType
from yutang.segments.contracts import Context
from yutang.segments.documents import (
    All,
    Any_,
    BoughtRule,
    ConsentRule,
    EventRule,
    InGroupRule,
    LooksLikeRule,
    Not,
    PoolRule,
    RecordedRule,
    RegionRule,
    SegmentDocument,
    SegmentRule,
    StoreRule,
    TagRule,
    TraitRule,
)

MAX_LEAVES = 2000
COUNT, ONCE, SUM, ANY, NET = "count", "once", "sum", "any", "net"
JOINED = "group.joined"


def compile_segment(document: SegmentDocument, context: Context, *, drawn: bool = False) -> exp.Select:
    """SELECT `person` of every member, among all or among those `drawn`, who stand in the table of that name. Raises
    BadInput for a store, region or segment that does not exist."""
    compiler = _Compiler(context, drawn=drawn)
    query = exp.select(exp.column("person", "profiles")).where(compiler.document(document))
    if not drawn:
        return compiler.over_profiles(query)
    return compiler.over_profiles(query.where(is_among(exp.column("person", "profiles"), DRAWN)), DRAWN)


def compile_memberships(
    documents: Sequence[SegmentDocument], context: Context, among: Among | None = None, *, drawn: bool = False
) -> exp.Select:
    """SELECT `person` and one boolean per document, named as it is, of everyone; tables are read once for all. Where
    the query will ask of some persons alone, `among` whom they are, what stands beside profiles is read of them; and
    of no others what they did and bought, where they are `drawn`, that is stand in the table of that name."""
    compiler = _Compiler(context, drawn=drawn)
    columns = [exp.alias_(compiler.document(document), document.name, quoted=True) for document in documents]
    return compiler.over_profiles(exp.select(exp.column("person", "profiles"), *columns), among)


@dataclass
class _Measures:
    """What is asked of one table: aggregates by the text of their kind and filter, so that the same is asked once."""

    table: str
    asked: dict[str, tuple[str, str, exp.Expr]] = field(default_factory=dict)

    def ask(self, kind: str, condition: exp.Expr) -> exp.Column:
        key = f"{kind} {condition.sql()}"
        name, _, _ = self.asked.setdefault(key, (f"m{len(self.asked)}", kind, condition))
        return exp.column(name, f"{self.table}_of")

    def either(self) -> exp.Expr:
        """Rows that any measure needs."""
        conditions = {condition.sql(): condition.copy() for _, _, condition in self.asked.values()}
        return exp.or_(*conditions.values())


class _Compiler:
    def __init__(self, context: Context, *, drawn: bool = False) -> None:
        self._context = context
        self._drawn = drawn
        self._measures: dict[str, _Measures] = {}
        self._open: list[str] = []
        self._leaves = 0

    # The tree

    def document(self, document: SegmentDocument) -> exp.Expr:
        """A document's rule. `_open` holds the names on the way down, to refuse a cycle by name."""
        if document.name in self._open:
            path = " → ".join([*self._open[self._open.index(document.name) :], document.name])
            raise BadInput(
                f"分群互相引用成了环：{path}，请断开一处。",
                f"Segments refer to one another in a cycle: {path}; break it.",
            )
        self._open.append(document.name)
        try:
            return self.rule(document.where)
        finally:
            self._open.pop()

    def rule(self, rule: Part) -> exp.Expr:
        match rule:
            case All():
                return exp.and_(*[self.rule(branch) for branch in rule.all_])
            case Any_():
                return exp.or_(*[self.rule(branch) for branch in rule.any_])
            case Not():
                return exp.not_(exp.paren(self.rule(rule.not_)))
        self._leaves += 1
        if self._leaves > MAX_LEAVES:
            raise BadInput(
                f"分群连同它引用的分群超过 {MAX_LEAVES} 个条件，请精简。",
                f"The segment with those it refers to has more than {MAX_LEAVES} conditions; simplify it.",
            )
        return self.leaf(rule)

    def leaf(self, rule: Part) -> exp.Expr:
        match rule:
            case TraitRule():
                return self.trait(rule)
            case EventRule():
                return self.event(rule)
            case BoughtRule():
                return self.bought(rule)
            case TagRule():
                return self.counted("fact_tags", one_of(column("tag", "fact_tags"), rule.tag))
            case StoreRule():
                return self.place(rule.store, NodeKind.STORE, rule.by)
            case RegionRule():
                return self.place(rule.region, NodeKind.REGION, rule.by)
            case ConsentRule():
                return self.consent(rule)
            case SegmentRule():
                return self.segment(rule.segment)
            case InGroupRule():
                return exp.or_(*[self.in_group(group) for group in dict.fromkeys(rule.in_group)])
            case RecordedRule():
                return self.recorded(rule)
            case LooksLikeRule():
                return self.looks_like(rule)
            case PoolRule():
                return _true(exp.EQ(this=TRAITS["pool"].expression(self._context.moment), expression=text(rule.pool)))
        raise TypeError(f"no rule: {type(rule).__name__}")

    # Leaves

    def trait(self, rule: TraitRule) -> exp.Expr:
        if rule.trait not in TRAITS:
            raise BadInput(
                f"属性「{rule.trait}」已被删除，请改用别的。", f"The trait “{rule.trait}” is no more; use another one."
            )
        trait = TRAITS[rule.trait]
        value = trait.expression(self._context.moment)
        conditions: list[exp.Expr] = []
        if rule.known is not None:
            missing = value.copy().is_(exp.null())
            conditions.append(exp.not_(missing) if rule.known else missing)
        if trait.type is TraitType.INSTANT:  # compared by its local day
            value = exp.Anonymous(this="day_in_zone", expressions=[value, text(self._context.moment.zone)])
        conditions += compared(value, rule)
        if rule.in_ is not None:
            conditions.append(value.copy().isin(*[literal(item) for item in rule.in_]))
        return _true(exp.and_(*conditions))

    def event(self, rule: EventRule) -> exp.Expr:
        conditions: list[exp.Expr] = [exp.EQ(this=column("type", "events"), expression=text(rule.event))]
        conditions += windowed(column("occurred_at", "events"), rule, self._context.moment)
        conditions += of_events(rule.where)
        return self.counted("events", exp.and_(*conditions), rule.count)

    def bought(self, rule: BoughtRule) -> exp.Expr:
        condition = exp.and_(
            of_lines(rule.bought), *windowed(column("placed_at", "order_lines"), rule, self._context.moment)
        )
        once = Bounds(at_least=1)
        if rule.spend is None and rule.baskets in (None, once):
            return self.counted("order_lines", condition, once, ONCE)
        asked = [(kind, bounds) for kind, bounds in ((COUNT, rule.baskets), (SUM, rule.spend)) if bounds]
        return exp.and_(*[self.counted("order_lines", condition, bounds, kind) for kind, bounds in asked])

    def consent(self, rule: ConsentRule) -> exp.Expr:
        def said_of(channel: str) -> exp.Expr:
            purpose = exp.EQ(this=column("purpose", "fact_consents"), expression=text(rule.consent.purpose))
            return exp.and_(purpose, exp.EQ(this=column("channel", "fact_consents"), expression=text(channel)))

        words = [
            self.ask("fact_consents", ANY, said_of(channel)) for channel in dict.fromkeys((rule.consent.channel, "*"))
        ]
        return exp.EQ(this=exp.Coalesce(this=words[0], expressions=[*words[1:], _number(0)]), expression=_number(1))

    def place(self, codes: Sequence[str], kind: NodeKind, by: str) -> exp.Expr:
        roots = self._context.nodes.named(codes, kind)
        if by == "scope":  # whoever is seen from a store is seen from every node above it
            ids = [int(node.id) for node in roots]
            return self.counted("fact_scopes", column("node", "fact_scopes").isin(*ids))
        return _true(column("home_store", "profiles").isin(*self._context.nodes.below(roots)))

    def segment(self, name: str) -> exp.Expr:
        try:
            document = self._context.segments(name)
        except NotFound as error:
            raise BadInput(error.zh, error.en) from None
        return exp.paren(self.document(document))

    def looks_like(self, rule: LooksLikeRule) -> exp.Expr:
        """The seed comes first: a cycle through it is refused before anything is fitted."""
        seed = self.segment(rule.looks_like.segment)
        model = self._context.model(rule.looks_like, self._context)
        return exp.and_(exp.not_(seed), model.alike(self._context.moment))

    def in_group(self, group: str) -> exp.Expr:
        """As often as somebody joined, less as often as they left."""
        its = exp.EQ(this=prop("group"), expression=text(group))
        kinds = one_of(column("type", "events"), (JOINED, "group.left"))
        until = exp.LTE(this=column("occurred_at", "events"), expression=instant(self._context.moment.as_of))
        return self.counted("events", exp.and_(kinds, its, until), kind=NET)

    def recorded(self, rule: RecordedRule) -> exp.Expr:
        """As often as somebody entered until then, less as often as they left."""
        its = exp.EQ(this=column("segment", "segment_changes"), expression=text(rule.recorded.segment))
        at = exp.column("at", "segment_changes", quoted=True)
        until = exp.LTE(this=at, expression=instant(rule.recorded.at))
        return self.counted("segment_changes", exp.and_(its, until), kind=NET)

    # Measures

    def ask(self, table: str, kind: str, condition: exp.Expr) -> exp.Column:
        return self._measures.setdefault(table, _Measures(table)).ask(kind, condition)

    def counted(self, table: str, condition: exp.Expr, bounds: Bounds | None = None, kind: str = COUNT) -> exp.Expr:
        """Whether a person's count (or sum) of such rows is within bounds; by default at least one."""
        value = exp.Coalesce(this=self.ask(table, kind, condition), expressions=[_number(0)])
        return exp.and_(*compared(value, bounds or Bounds(at_least=1)))

    def over_profiles(self, query: exp.Select, among: Among | None = None) -> exp.Select:
        """The query, reading `profiles` and whatever its expressions asked for."""
        query = query.from_("profiles")
        for table, measures in self._measures.items():
            alias = f"{table}_of"
            on = exp.EQ(this=column("person", alias), expression=column("person", "profiles"))
            source = _SOURCES[table](measures, self._drawn)
            query = query.join(source.subquery(alias), on=on, join_type="left")
        return join_beside(query, among)


# Tables -----------------------------------------------------------------------------------------------------------


def _of_facts(measures: _Measures, drawn: bool) -> exp.Select:
    """Facts are kept by surviving person."""
    found = _counted(measures)
    return found.where(is_among(column("person", measures.table), DRAWN)) if drawn else found


def _counted(measures: _Measures) -> exp.Select:
    person = column("person", measures.table)
    columns = [_aggregate(kind, condition).as_(name) for name, kind, condition in measures.asked.values()]
    return exp.select(person, *columns).from_(measures.table).where(measures.either()).group_by(person.copy())


def _born(person: exp.Expr) -> exp.Expr:
    """Whether it is a number of somebody who is drawn."""
    return exp.In(this=person, query=exp.select("birth").from_(DRAWN).subquery())


def _of_events(measures: _Measures, drawn: bool) -> exp.Select:
    """Events are kept by birth person, and so are entries into segments. They are counted by birth first: most persons
    have one, and few were merged."""
    births = _counted(measures)
    if drawn:
        births = births.where(_born(column("person", measures.table)))
    names = [name for name, _, _ in measures.asked.values()]
    totals = [exp.Sum(this=column(name, "births")).as_(name) for name in names]
    return _by_survivor(births, totals)


def _of_lines(measures: _Measures, drawn: bool) -> exp.Select:
    """Lines, of the last revision, of orders that stand. Where baskets are counted each order is looked at once first;
    whether anything was bought at all takes no such look."""
    baskets_counted = any(kind == COUNT for _, kind, _ in measures.asked.values())
    names = ("person", "source", "order_id")[: None if baskets_counted else 1]
    keys = [column(name, "order_lines") for name in names]
    columns = []
    for name, kind, condition in measures.asked.values():
        if kind == SUM:
            columns.append(exp.Sum(this=_when(condition, column("amount", "order_lines"))).as_(name))
        else:
            columns.append(exp.Max(this=_when(condition, _number(1))).as_(name))
    baskets = exp.select(*keys, *columns).from_("order_lines").where(measures.either()).where(counting())
    baskets = baskets.group_by(*[key.copy() for key in keys])
    if drawn:
        baskets = baskets.where(_born(column("person", "order_lines")))
    totals = [exp.Sum(this=column(name, "births")).as_(name) for name, _, _ in measures.asked.values()]
    return _by_survivor(baskets, totals)


def _by_survivor(births: exp.Select, totals: Sequence[exp.Expr]) -> exp.Select:
    survivor = exp.Coalesce(this=column("survivor", "merged"), expressions=[column("person", "births")])
    return (
        exp.select(survivor.as_("person"), *totals)
        .from_(births.subquery("births"))
        .join("person_overrides AS merged", on="merged.birth = births.person", join_type="left")
        .group_by(survivor.copy())
    )


_SOURCES = {
    "events": _of_events,
    "segment_changes": _of_events,
    "order_lines": _of_lines,
    "fact_tags": _of_facts,
    "fact_scopes": _of_facts,
    "fact_consents": _of_facts,
}


def _aggregate(kind: str, condition: exp.Expr) -> exp.Expr:
    if kind == ANY:  # 1 granted, 0 refused, null if never asked
        granted = exp.Case().when(column("granted", "fact_consents"), _number(1)).else_(_number(0))
        return exp.Max(this=_when(condition, granted))
    if kind == NET:
        moved = exp.Case().when(_came(condition), _number(1)).else_(_number(-1))
        return exp.Sum(this=_when(condition, moved))
    return exp.Sum(this=_when(condition, _number(1)))


def _came(condition: exp.Expr) -> exp.Expr:
    if any(one.table == "events" for one in condition.find_all(exp.Column)):
        return exp.EQ(this=column("type", "events"), expression=text(JOINED))
    return column("entered", "segment_changes")


def _when(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    return exp.Case().when(condition.copy(), value)


# Expressions ------------------------------------------------------------------------------------------------------


def _true(condition: exp.Expr) -> exp.Expr:
    """Unknown is false."""
    return exp.Coalesce(this=condition, expressions=[exp.false()])


def _number(value: float) -> exp.Expr:
    return literal(value)

"""The segment document: a tree of `all`, `any`, `not` over leaves that each say one thing of a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, SerializeAsAny, field_validator, model_validator

from yutang.kernel.documents import NAME, Document, Part, register
from yutang.kernel.errors import BadInput
from yutang.log.vocabulary import VOCABULARY
from yutang.profiles.shapes import (
    AT_LEAST_ONE,
    Bounds,
    EventWhere,
    Goods,
    Text,
    Texts,
    Windowed,
    check_props,
    number,
    unknown,
)
from yutang.profiles.traits import TRAITS, Trait, TraitType

MAX_DEPTH = 16
MAX_BRANCHES = 100

LOOKS_BY = (
    *("orders_30d", "orders_90d", "orders_365d", "orders_ever", "spend_30d", "spend_90d", "spend_365d", "spend_ever"),
    *("visit_days_30d", "visit_days_90d", "visit_days_365d", "visit_days_ever"),
    *("categories_30d", "categories_90d", "categories_365d", "categories_ever", "discount_90d", "discount_365d"),
    *("median_gap_days", "discount_share_90d", "days_since_first_visit", "days_since_last_visit", "overdue_ratio"),
    "lifecycle",
)
"""All by which persons may be found alike: how they buy. Closed, and of the house's own traits only, so that nobody is
ever picked by sex, age, origin, belief, health or where they live, nor by a stand-in for one of these."""
USUALLY = (
    *("orders_365d", "spend_365d", "categories_365d", "median_gap_days", "days_since_first_visit"),
    *("days_since_last_visit", "discount_share_90d"),
)
"""By which they are found alike where a rule names none."""
SHARE = 0.05
"""How many are found alike where a rule does not say."""

Value = bool | int | float | date | str

_NUMERIC = frozenset({"is", "is_not", "at_least", "at_most", "more_than", "less_than", "between", "in", "known"})
OPERATORS: dict[TraitType, frozenset[str]] = {
    TraitType.COUNT: _NUMERIC,
    TraitType.MONEY: _NUMERIC,
    TraitType.NUMBER: _NUMERIC,
    TraitType.DAY: _NUMERIC,
    TraitType.INSTANT: _NUMERIC,
    TraitType.CHOICE: frozenset({"is", "is_not", "in", "known"}),
    TraitType.FLAG: frozenset({"is"}),
    TraitType.STORE: frozenset({"known"}),
    TraitType.TEXT: frozenset({"is", "is_not", "in", "known"}),
}
"""Which operators a rule may use on a trait of a type."""


class TraitRule(Part):
    """A comparison of one trait. A person without a value never matches one; `known` asks whether there is a value."""

    trait: str
    is_: Value | None = Field(default=None, alias="is")
    is_not: Value | None = None
    at_least: Value | None = None
    at_most: Value | None = None
    more_than: Value | None = None
    less_than: Value | None = None
    between: tuple[Value, Value] | None = None
    in_: tuple[Value, ...] | None = Field(default=None, alias="in", min_length=1, max_length=1000)
    known: bool | None = None

    @field_validator("trait")
    @classmethod
    def _exists(cls, name: str) -> str:
        if TRAITS.ever(name) is None:
            raise unknown("属性", "trait", name, list(TRAITS))
        return name

    @model_validator(mode="before")
    @classmethod
    def _operators_exist(cls, data: Any) -> Any:
        trait = TRAITS.ever(str(data.get("trait"))) if isinstance(data, Mapping) else None
        if trait is not None:
            allowed = sorted(OPERATORS[trait.type])
            given = [str(key).rstrip("_") for key in data if key != "trait"]
            for operator in given:
                if operator not in allowed:
                    raise unknown(f"可用于 {trait.name} 的比较", f"comparison for {trait.name}", operator, allowed)
            if not given:
                raise unknown(f"可用于 {trait.name} 的比较", f"comparison for {trait.name}", "", allowed)
        return data

    @field_validator("is_", "is_not", "at_least", "at_most", "more_than", "less_than", "between", "in_")
    @classmethod
    def _fits(cls, given: Any, info: Any) -> Any:
        trait = TRAITS.ever(info.data.get("trait", ""))
        if trait is None or given is None:
            return given
        return tuple(_fitting(trait, v) for v in given) if isinstance(given, tuple) else _fitting(trait, given)


def _fitting(trait: Trait, value: Any) -> Any:
    match trait.type:
        case TraitType.COUNT | TraitType.MONEY | TraitType.NUMBER:
            return number(value)
        case TraitType.DAY | TraitType.INSTANT:
            try:
                return date.fromisoformat(value) if isinstance(value, str) else _of_type(value, date)
            except ValueError:
                raise BadInput(
                    f"「{value}」不是日期，应类似 2026-01-31。", f"“{value}” is not a day such as 2026-01-31."
                ) from None
        case TraitType.CHOICE if value not in trait.choices:
            raise unknown(f"属性 {trait.name} 的值", f"value of {trait.name}", value, list(trait.choices))
        case TraitType.TEXT if not isinstance(value, str):
            raise BadInput(f"{trait.name} 是文字，请加引号。", f"{trait.name} is a text; put it into quotes.")
        case TraitType.FLAG if not isinstance(value, bool):
            raise BadInput(f"{trait.name} 只能是 true 或 false。", f"{trait.name} is either true or false.")
    return value


def _of_type(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(value)
    return value


class EventRule(Windowed):
    """How many events of one type a person has in a window; `count` defaults to at least one."""

    event: str
    count: Bounds = AT_LEAST_ONE
    where: EventWhere = EventWhere()

    @model_validator(mode="after")
    def _known(self) -> EventRule:
        kind = VOCABULARY.get(self.event)
        if kind is None:
            raise unknown("事件", "event", self.event, list(VOCABULARY))
        check_props(self.where.props, self.event)
        return self


class BoughtRule(Windowed):
    """Orders that stand and hold such lines: how many (`baskets`), and what those lines cost together (`spend`).

    With neither given, at least one basket. Refunds are of orders and do not reduce the `spend` of their lines.
    """

    bought: Goods
    baskets: Bounds | None = None
    spend: Bounds | None = None


class TagRule(Part):
    """Bears any of these tags."""

    tag: Texts


class StoreRule(Part):
    """`by: home`: buys most at one of these stores; `by: scope`: belongs to one, as assigned or by a live relation."""

    store: Texts
    by: Literal["home", "scope"] = "home"


class RegionRule(Part):
    """As StoreRule, for all stores below these regions."""

    region: Texts
    by: Literal["home", "scope"] = "home"


class ConsentTo(Part):
    """A purpose and a channel; `*` asks what was said of all channels."""

    purpose: Text
    channel: Text = "*"


class ConsentRule(Part):
    """Has consented. A channel's own word decides; where there is none, the word for all channels (`*`)."""

    consent: ConsentTo


class SegmentRule(Part):
    """Belongs to another segment."""

    segment: str = Field(pattern=NAME)


class Record(Part):
    """A segment, and the instant as of which its members were recorded: with its zone, as `2026-03-01T09:00:00Z`."""

    segment: str = Field(pattern=NAME)
    at: datetime

    @field_validator("at", mode="before")
    @classmethod
    def _aware(cls, given: Any) -> datetime:
        try:
            at = datetime.fromisoformat(given) if isinstance(given, str) else given
        except ValueError:
            at = None
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise BadInput(
                f"「{given}」不是带时区的时刻，应类似 2026-03-01T09:00:00Z。",
                f"“{given}” is not an instant with its zone, such as 2026-03-01T09:00:00Z.",
            )
        return at.astimezone(UTC)


class RecordedRule(Part):
    """Was recorded as a member of a segment, at the last look until an instant: a segment held fast. Members are
    recorded as the clock looks; whoever was merged since counts as the one into whom they were merged."""

    recorded: Record


class InGroupRule(Part):
    """Is in any of these customer groups, by the platform's ids: joined it oftener than left it."""

    in_group: Texts


class Likeness(Part):
    """Whom to look like, by which traits (`traits`), and how many: a share of all who are not in the segment (`share`,
    5 % by default), or so many (`top`)."""

    segment: str = Field(pattern=NAME)
    share: float | None = Field(default=None, gt=0, le=0.5, allow_inf_nan=False)
    top: int | None = Field(default=None, ge=1, le=100_000_000)
    traits: tuple[str, ...] = Field(default=USUALLY, min_length=1, max_length=12)

    @field_validator("traits")
    @classmethod
    def _may_be_used(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in LOOKS_BY:
                raise unknown(
                    "可用来比较像不像的属性", "trait by which persons may be found alike", name, list(LOOKS_BY)
                )
        return tuple(dict.fromkeys(names))

    @model_validator(mode="before")
    @classmethod
    def _one_of_both(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = [name for name in ("share", "top") if data.get(name) is not None]
        if len(given) > 1:
            raise BadInput("share 和 top 只填一个。", "Give either share or top, not both.")
        return data if given else {**data, "share": SHARE}


class LooksLikeRule(Part):
    """Looks like the members of another segment without being one, by how they buy: each trait is cut into quarters
    of everybody, and a quarter weighs by how much commoner it is among the members than among the others. Those who
    weigh most are in, of equals who were known first; nobody for whom it weighs against. As of a past day it is worked
    out anew from that day.

    `segment` names the members, `share` (5 % of the others by default) or `top` says how many, `traits` by what: by
    default orders_365d, spend_365d, categories_365d, median_gap_days, days_since_first_visit, days_since_last_visit and
    discount_share_90d. Others of how people buy may be named: orders, spend, visit days and categories of every window,
    discounts, overdue_ratio and lifecycle. None that tells of sex, age, origin, belief, health or home is taken.

    How well the score tells members from others is shown as an AUC on persons held out. It is too high where the rule
    of `segment` asks itself for a trait that is compared: then it is said for which, and what the other traits alone
    would give. Traits that follow from those, and what a list or a rule about events asks, raise it unsaid."""

    looks_like: Likeness


class PoolRule(Part):
    """Is in a pool: reachable, and has not yet bought (`nurturing`) or has (`customer`)."""

    pool: Literal["nurturing", "customer"]


def _rule(data: Any) -> Part:
    if isinstance(data, Part):
        return data
    if not isinstance(data, Mapping):
        raise BadInput("规则应写成「字段: 值」。", "A rule is a mapping of fields to values.")
    kinds = [str(key) for key in data if str(key) in RULES]
    if len(kinds) != 1:
        shown = "、".join(str(key) for key in data) or "空"
        raise BadInput(
            f"一条规则恰好有一种：{'、'.join(RULES)}；这里是：{shown}。",
            f"A rule is exactly one of {', '.join(RULES)}; here stands: {', '.join(map(str, data)) or 'nothing'}.",
        )
    return RULES[kinds[0]].model_validate(data)


Rule = Annotated[SerializeAsAny[Part], PlainValidator(_rule)]
Branches = Annotated[tuple[Rule, ...], Field(min_length=1, max_length=MAX_BRANCHES)]


class All(Part):
    """Every branch holds."""

    all_: Branches = Field(alias="all")


class Any_(Part):  # noqa: N801
    """At least one branch holds."""

    any_: Branches = Field(alias="any")


class Not(Part):
    """The branch does not hold: everyone else."""

    not_: Rule = Field(alias="not")


RULES: dict[str, type[Part]] = {
    "all": All,
    "any": Any_,
    "not": Not,
    "trait": TraitRule,
    "event": EventRule,
    "bought": BoughtRule,
    "tag": TagRule,
    "store": StoreRule,
    "region": RegionRule,
    "consent": ConsentRule,
    "segment": SegmentRule,
    "pool": PoolRule,
    "recorded": RecordedRule,
    "in_group": InGroupRule,
    "looks_like": LooksLikeRule,
}
"""Every kind of rule by the field that tells it."""


@register
class SegmentDocument(Document):
    """A named rule over persons."""

    KIND: ClassVar[str] = "segment"

    where: Rule

    @field_validator("where", mode="before")
    @classmethod
    def _not_too_deep(cls, data: Any) -> Any:
        level, depth = [data], 0
        while level:
            depth += 1
            if depth > 2 * MAX_DEPTH + 4:  # a level is a mapping in a list
                raise BadInput(
                    f"规则嵌套超过 {MAX_DEPTH} 层，请拆成几个分群。",
                    f"Rules nest deeper than {MAX_DEPTH} levels; split the segment.",
                )
            level = [child for node in level for child in _children(node)]
        return data


def _children(node: Any) -> list[Any]:
    if isinstance(node, Mapping):
        return list(node.values())
    return list(node) if isinstance(node, list | tuple) else []


def leaves(rule: Part) -> list[Part]:
    """Every leaf below a rule, itself included."""
    match rule:
        case All():
            return [leaf for branch in rule.all_ for leaf in leaves(branch)]
        case Any_():
            return [leaf for branch in rule.any_ for leaf in leaves(branch)]
        case Not():
            return leaves(rule.not_)
    return [rule]


def referred(leaf: Part) -> str | None:
    """The segment that a leaf refers to by its name, whose rule then is a part of it."""
    match leaf:
        case SegmentRule():
            return leaf.segment
        case LooksLikeRule():
            return leaf.looks_like.segment
    return None


def traits_in(document: SegmentDocument) -> set[str]:
    """The traits that a segment asks for itself."""
    found: set[str] = set()
    for leaf in leaves(document.where):
        match leaf:
            case TraitRule():
                found.add(leaf.trait)
            case LooksLikeRule():
                found.update(leaf.looks_like.traits)
    return found

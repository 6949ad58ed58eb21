"""What a brand may decide of its layers: how RFM cuts, and which rule leads to which step of the ladder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from yutang.kernel.documents import NAME, Document, Part, Title, register
from yutang.kernel.errors import BadInput
from yutang.profiles.shapes import Text
from yutang.profiles.traits import LADDER
from yutang.segments.documents import Rule, TraitRule, leaves

DEFAULT = "default"
Bound = Annotated[float, Field(ge=0, le=10**12, allow_inf_nan=False)]
Four = Annotated[tuple[Bound, Bound, Bound, Bound], Field()]
LADDER_TRAIT = "ladder"


class Bounds(Part):
    """Where scores begin: 5 from the last, 4 from the one before, …, 1 below the first. `recency` is in days since the
    last visit, at most; `frequency` in orders and `monetary` in money of the last 365 days, at least."""

    recency: Four = (365, 180, 90, 30)
    frequency: Four = (2, 4, 8, 16)
    monetary: Four = (200, 500, 1500, 5000)

    @field_validator("recency")
    @classmethod
    def _falls(cls, given: Sequence[float]) -> Sequence[float]:
        return _in_order(given, "recency", falling=True)

    @field_validator("frequency", "monetary")
    @classmethod
    def _rises(cls, given: Sequence[float]) -> Sequence[float]:
        return _in_order(given, "frequency / monetary", falling=False)


def _in_order(given: Sequence[float], name: str, *, falling: bool) -> Sequence[float]:
    if list(given) != sorted(given, reverse=falling) or len(set(given)) != len(given):
        zh, en = ("从大到小", "fall") if falling else ("从小到大", "rise")
        raise BadInput(f"{name} 的四个界线要{zh}，且不重复。", f"The four bounds of {name} {en}, and none comes twice.")
    return given


class StoreType(Part):
    """Stores whose people are cut by bounds of their own: stores by code, and all stores below regions by code."""

    name: str = Field(pattern=NAME)
    title: Title
    stores: tuple[Text, ...] = Field(default=(), max_length=5000)
    regions: tuple[Text, ...] = Field(default=(), max_length=500)
    bounds: Bounds | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not (self.stores or self.regions):
            raise BadInput(
                f"门店类型「{self.name}」至少要写一家门店或一个区域。",
                f"The store type “{self.name}” needs a store or a region.",
            )
        return self


@register
class RfmDocument(Document):
    """How RFM cuts: in fifths of all who ever bought, or by fixed bounds; by types of stores too, if there are any.

    A person belongs to the type of the store where they buy most often. `high`: from this score on R, F or M is high.
    """

    KIND: ClassVar[str] = "rfm"

    by: Literal["fifths", "bounds"] = "fifths"
    bounds: Bounds = Bounds()
    types: tuple[StoreType, ...] = Field(default=(), max_length=20)
    high: int = Field(default=4, ge=2, le=5)

    @field_validator("types")
    @classmethod
    def _each_once(cls, types: tuple[StoreType, ...]) -> tuple[StoreType, ...]:
        codes = [code for one in types for code in one.stores]
        for code in codes:
            if codes.count(code) > 1:
                raise BadInput(f"门店「{code}」写在了两处。", f"The store “{code}” stands in two places.")
        if len({one.name for one in types}) != len(types):
            raise BadInput("门店类型的名称不能重复。", "No two store types have the same name.")
        return types


class Step(Part):
    """A step and who stands on it: those for whom its rule holds and no higher one's does."""

    step: Literal["customer", "fan", "loyalist", "agent", "partner"]
    where: Rule


@register
class LadderDocument(Document):
    """潜客 → 顾客 → 粉丝 → 铁杆 → 代理 → 合伙人: a rule for each step above the lowest, on which everybody else stands.

    A person stands on the highest step whose rule holds. A step may be left out: then nobody is on it.
    """

    KIND: ClassVar[str] = "ladder"

    steps: tuple[Step, ...] = Field(min_length=1, max_length=len(LADDER) - 1)

    @field_validator("steps")
    @classmethod
    def _upwards(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        places = [LADDER.index(one.step) for one in steps]
        if places != sorted(set(places)):
            order = " → ".join(LADDER[1:])
            raise BadInput(
                f"阶段要按顺序写，每个至多一次：{order}。", f"Steps stand in this order, each once at most: {order}."
            )
        for one in steps:
            refuse_circles(one.where)
        return steps


def refuse_circles(rule: Part) -> None:
    """Raise BadInput where a rule of the ladder asks on which step of the ladder somebody stands."""
    if any(isinstance(leaf, TraitRule) and leaf.trait == LADDER_TRAIT for leaf in leaves(rule)):
        raise BadInput(
            "客户阶段的规则不能用属性 ladder：它正是由这些规则算出来的。请换一个属性。",
            "A rule of the ladder may not use the trait ladder: it is what these rules compute. Use another trait.",
        )


SIGNS = ("repeat", "spend", "loyalty", "sharing")
Sign = Literal["repeat", "spend", "loyalty", "sharing"]
Fee = Annotated[float, Field(gt=0, le=10**7, allow_inf_nan=False)]
Part_ = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Membership(Part):
    """A paid membership as it is thought of: yearly fees to compare; by which share members would spend more (`uplift`,
    an assumption); which share of spend is earned (`margin`), which is given back to members (`benefit`), and what a
    member costs a year beside."""

    fees: tuple[Fee, ...] = Field(default=(29, 69, 99, 199), min_length=1, max_length=12)
    uplift: Part_ = 0.1
    margin: Part_ = 0.3
    benefit: Part_ = 0.05
    cost: Bound = 10

    @model_validator(mode="after")
    def _earns(self) -> Self:
        if self.benefit >= self.margin:
            raise BadInput(
                "benefit 要小于 margin，不然卖得越多亏得越多。",
                "benefit must be below margin, or each sale loses money.",
            )
        return self


@register
class SuperUsersDocument(Document):
    """Who is a super-user: a rule for each sign; who has all under `must`, and `needed` in all. A sign without a rule
    is not looked at."""

    KIND: ClassVar[str] = "super_users"

    repeat: Rule
    spend: Rule
    loyalty: Rule | None = None
    sharing: Rule | None = None
    must: tuple[Sign, ...] = ("repeat", "spend")
    needed: int = Field(default=2, ge=1, le=len(SIGNS))
    membership: Membership = Membership()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        known = [sign for sign in SIGNS if getattr(self, sign) is not None]
        if self.needed > len(known) or not set(self.must) <= set(known):
            raise BadInput(
                f"must 和 needed 只能用写了规则的标志：{'、'.join(known)}。",
                f"must and needed may ask only for signs that have a rule: {', '.join(known)}.",
            )
        return self

    def rules(self) -> dict[str, Part]:
        """The signs that have a rule, in their order."""
        return {sign: getattr(self, sign) for sign in SIGNS if getattr(self, sign) is not None}

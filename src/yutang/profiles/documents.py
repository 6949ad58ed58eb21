"""The trait document: what is added up of a person's events, orders, lines or touches, or worked out from traits."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from yutang.kernel.documents import Document, Part, register
from yutang.kernel.errors import BadInput
from yutang.log.vocabulary import VOCABULARY
from yutang.profiles.formulas import Formula, parse_formula
from yutang.profiles.shapes import EventWhere, Goods, Texts, Windowed, check_props, text_props, unknown
from yutang.profiles.traits import TraitType


class Of(StrEnum):
    """Whose rows are looked at. Orders are those that stand, lines those of their last revision, touches those sent."""

    EVENTS = "events"
    ORDERS = "orders"
    LINES = "lines"
    TOUCHES = "touches"


class Take(StrEnum):
    """What is made of the rows. `first` and `last` are the instant, or the value of `what` at it."""

    COUNT = "count"
    SUM = "sum"
    DISTINCT = "distinct"
    FIRST = "first"
    LAST = "last"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    MOST_FREQUENT = "most_frequent"


class Field_(StrEnum):  # noqa: N801
    """What a field of a row is: an amount, another number, a text, an hour or weekday, or a key, only counted."""

    MONEY = "money"
    NUMBER = "number"
    TEXT = "text"
    PART = "part"
    KEY = "key"


_WHEN = {"hour": Field_.PART, "weekday": Field_.PART, "day": Field_.KEY}
FIELDS: dict[Of, dict[str, Field_]] = {
    Of.EVENTS: {"amount": Field_.MONEY, "source": Field_.TEXT, "channel": Field_.TEXT, "type": Field_.TEXT, **_WHEN},
    Of.ORDERS: {
        "amount": Field_.MONEY,
        "discount": Field_.MONEY,
        "source": Field_.TEXT,
        "store": Field_.KEY,
        **_WHEN,
    },
    Of.LINES: {
        "amount": Field_.MONEY,
        "discount": Field_.MONEY,
        "quantity": Field_.NUMBER,
        "category": Field_.TEXT,
        "sku": Field_.TEXT,
        "order": Field_.KEY,
        **_WHEN,
    },
    Of.TOUCHES: {"channel": Field_.TEXT, "class": Field_.TEXT, "plan": Field_.KEY, **_WHEN},
}
"""What `what` may name. Of events also `props.` and a text prop that every one of the types carries."""
WHERE: dict[Of, tuple[str, ...]] = {
    Of.EVENTS: ("type", "source", "channel", "amount", "props"),
    Of.ORDERS: ("source", "amount"),
    Of.LINES: ("categories", "skus", "source", "amount"),
    Of.TOUCHES: ("channel", "class"),
}
"""What `where` may ask."""
_TAKEN_OF = {
    Take.SUM: {Field_.MONEY, Field_.NUMBER},
    Take.MIN: {Field_.MONEY, Field_.NUMBER},
    Take.MAX: {Field_.MONEY, Field_.NUMBER},
    Take.MEAN: {Field_.MONEY, Field_.NUMBER},
    Take.DISTINCT: set(Field_),
    Take.FIRST: {Field_.MONEY, Field_.NUMBER, Field_.TEXT, Field_.PART},
    Take.LAST: {Field_.MONEY, Field_.NUMBER, Field_.TEXT, Field_.PART},
    Take.MOST_FREQUENT: {Field_.TEXT, Field_.PART},
}
_TYPES = {
    Field_.MONEY: TraitType.MONEY,
    Field_.NUMBER: TraitType.NUMBER,
    Field_.TEXT: TraitType.TEXT,
    Field_.PART: TraitType.COUNT,
}


class Unit(Part):
    """What is counted, in both languages."""

    zh: str = Field(min_length=1, max_length=12)
    en: str = Field(min_length=1, max_length=24)


class Where(EventWhere):
    """Which rows count. Which of these may be asked depends on whose rows they are."""

    type: Texts | None = None
    categories: Texts | None = None
    skus: Texts | None = None
    class_: Texts | None = Field(default=None, alias="class")

    @property
    def goods(self) -> Goods | None:
        """The categories and skus, if any is asked for."""
        return Goods(categories=self.categories, skus=self.skus) if self.categories or self.skus else None

    @property
    def asked(self) -> list[str]:
        """What is asked, by the names in the document."""
        names = {"class_": "class"}
        return [names.get(name, name) for name in type(self).model_fields if getattr(self, name)]


@register
class TraitDocument(Windowed, Document):
    """A trait of the brand's own. Either `of` and `take`: an aggregate, stored; or `formula`: derived, when read.

    `within` slides with the instant, to the second, and is open at its far end; `since` and `until` are local days.
    `after_last` leaves out what came before the person's last event of these types: what they have not answered.
    """

    KIND: ClassVar[str] = "trait"

    kind: Literal["trait"]
    unit: Unit | None = None
    of: Of | None = None
    take: Take | None = None
    what: str | None = None
    where: Where = Where()
    after_last: Texts | None = None
    formula: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> TraitDocument:
        if self.formula is not None:
            given = ("of", "take", "what", "where", "within", "since", "until", "after_last")
            taken = [name for name in given if name in self.model_fields_set]
            if taken:
                raise BadInput(
                    f"写了 formula 就不能写 {taken[0]}。",
                    f"With formula there is no {taken[0]}; leave one of them out.",
                )
            parse_formula(self.formula)
            return self
        if self.of is None or self.take is None:
            raise BadInput(
                "请写 of 和 take（聚合），或者写 formula（公式）。",
                "Say of and take (an aggregate), or formula (derived from other traits).",
            )
        self._check_where(self.of)
        self._check_what(self.of, self.take)
        for name in self.after_last or ():
            if name not in VOCABULARY:
                raise unknown("事件", "event", name, list(VOCABULARY))
        return self

    def _check_where(self, of: Of) -> None:
        for name in self.where.asked:
            if name not in WHERE[of]:
                raise unknown(f"可用于 {of} 的筛选", f"filter of {of}", name, list(WHERE[of]))
        for name in self.where.type or ():
            if name not in VOCABULARY:
                raise unknown("事件", "event", name, list(VOCABULARY))
            check_props(self.where.props, name)
        if of is Of.EVENTS and not self.where.type:
            raise BadInput(
                "of: events 要在 where 里写明 type（哪种事件）。", "With of: events, say which type of event in where."
            )

    def _check_what(self, of: Of, take: Take) -> None:
        if self.what is None:
            if take not in (Take.COUNT, Take.FIRST, Take.LAST):
                raise BadInput(f"take: {take} 要写 what。", f"With take: {take}, say of what.")
            return
        if take is Take.COUNT:
            raise BadInput(
                "take: count 数的是行数，不写 what；数不同的值请用 distinct。",
                "take: count counts rows and has no what; for different values use distinct.",
            )
        known = list(FIELDS[of])
        if of is Of.EVENTS:
            each = [set(text_props(name)) for name in self.where.type or ()]
            known += [f"props.{name}" for name in sorted(set.intersection(*each))]
        if self.what not in known:
            raise unknown(f"{of} 的字段", f"field of {of}", self.what, known)
        if self.field not in _TAKEN_OF[take]:
            fit = [name for name in known if FIELDS[of].get(name, Field_.TEXT) in _TAKEN_OF[take]]
            raise unknown(f"可用于 {take} 的字段", f"field for {take}", self.what, fit)

    @property
    def field(self) -> Field_ | None:
        """What the field that `what` names is."""
        if self.what is None or self.of is None:
            return None
        return FIELDS[self.of].get(self.what, Field_.TEXT)

    @property
    def tree(self) -> Formula | None:
        """The formula, read."""
        return parse_formula(self.formula) if self.formula is not None else None

    @property
    def type(self) -> TraitType:
        """Of which type an aggregate's value is."""
        match self.take:
            case Take.COUNT | Take.DISTINCT:
                return TraitType.COUNT
            case Take.FIRST | Take.LAST if self.what is None:
                return TraitType.INSTANT
        assert self.field is not None
        return _TYPES[self.field]

    @property
    def counts(self) -> bool:
        """Whether a person without such rows has zero of it, and not nothing."""
        return self.take in (Take.COUNT, Take.DISTINCT, Take.SUM)

    @property
    def column(self) -> str:
        """The column of `profile_more` that holds its value."""
        if self.type is TraitType.INSTANT:
            return "at"
        if self.type is TraitType.TEXT:
            return "text"
        return "amount" if self.type is TraitType.MONEY and self.take is not Take.MEAN else "number"

    @property
    def ranked(self) -> bool:
        """Whether it takes one row's value, and so needs the rows in an order."""
        return self.take is Take.MOST_FREQUENT or (self.take in (Take.FIRST, Take.LAST) and self.what is not None)

    @property
    def event_types(self) -> frozenset[str]:
        """The types of events by which it may change, beside what orders and receipts tell."""
        of_rows = self.where.type if self.of is Of.EVENTS else ("message.sent",) if self.of is Of.TOUCHES else ()
        return frozenset((*(of_rows or ()), *(self.after_last or ())))

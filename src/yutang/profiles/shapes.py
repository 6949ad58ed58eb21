"""What segments and traits both say: bounds, spans of time, which events and which goods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from math import isfinite
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator, model_validator

from yutang.kernel.documents import Part
from yutang.kernel.errors import BadInput
from yutang.log.vocabulary import VOCABULARY

_SPAN = re.compile(r"([1-9]\d{0,3})([hdw])")
_UNIT = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

Number = Annotated[int | float, BeforeValidator(lambda value: number(value))]


def unknown(what_zh: str, what_en: str, given: object, known: list[str]) -> BadInput:
    """The error for a name that does not exist: it says which exist, the nearest first."""
    near = get_close_matches(str(given), known, n=3, cutoff=0.5)
    listed = ", ".join([*near, *(name for name in known if name not in near)])
    return BadInput(
        f"没有{what_zh}「{given}」，可用：{listed}。", f"There is no {what_en} “{given}”; there are: {listed}."
    )


def number(value: object) -> object:
    """The value, if it is a finite number. Raises BadInput."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise BadInput(f"「{value}」不是数。", f"“{value}” is not a number.")
    return value


def _texts(value: object) -> object:
    """One text stands for a list of one."""
    return [value] if isinstance(value, str) else value


Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(2199, 12, 31))]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_texts), Field(min_length=1, max_length=2000)]


class Bounds(Part):
    """Conditions on a number; all that are given must hold. `between` includes both ends."""

    is_: Number | None = Field(default=None, alias="is")
    is_not: Number | None = None
    at_least: Number | None = None
    at_most: Number | None = None
    more_than: Number | None = None
    less_than: Number | None = None
    between: tuple[Number, Number] | None = None

    @model_validator(mode="after")
    def _some(self) -> Bounds:
        if not self.model_fields_set:
            raise BadInput("至少要写一个条件，如 at_least: 1。", "Give at least one condition, such as at_least: 1.")
        return self


AT_LEAST_ONE = Bounds(at_least=1)


class Windowed(Part):
    """A leaf about a span of time: `within`, back from the instant and open at its far end, or inclusive local days."""

    within: str | None = None
    since: Day | None = None
    until: Day | None = None

    @field_validator("within")
    @classmethod
    def _span(cls, value: str | None) -> str | None:
        if value is not None and not _SPAN.fullmatch(value):
            raise BadInput(
                f"时间窗「{value}」应类似 90d、12h 或 4w。", f"A window is written like 90d, 12h or 4w, not “{value}”."
            )
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Windowed:
        if self.within and (self.since or self.until):
            raise BadInput("within 与 since、until 只能用一种。", "Use either within, or since and until.")
        if self.since and self.until and self.since > self.until:
            raise BadInput("since 晚于 until，请对调。", "since is after until; swap them.")
        return self

    @property
    def span(self) -> timedelta | None:
        """`within` as a duration."""
        found = _SPAN.fullmatch(self.within or "")
        return int(found[1]) * _UNIT[found[2]] if found else None


class EventWhere(Part):
    """Which events of a type count."""

    source: Texts | None = None
    channel: Texts | None = None
    amount: Bounds | None = None
    props: dict[str, Texts] = Field(default_factory=dict)


class Goods(Part):
    """Lines of orders: of any of these categories, or of any of these skus (both given: either counts)."""

    categories: Texts | None = None
    skus: Texts | None = None

    @model_validator(mode="after")
    def _some(self) -> Goods:
        if not (self.categories or self.skus):
            raise BadInput("请写明 categories 或 skus。", "Say which categories or skus.")
        return self


def check_props(props: Mapping[str, object], event: str) -> None:
    """Raise BadInput naming a prop that events of this type do not carry as a text that may be asked of."""
    usable = text_props(event)
    for name in props:
        if name not in usable:
            raise unknown(f"可用于 {event} 的字段", f"usable prop of {event}", name, usable)


def text_props(event: str) -> list[str]:
    """The props of an event type that are texts and nobody's personal data."""
    return [name for name, said in VOCABULARY[event].props.items() if said.type is str and not said.pii]

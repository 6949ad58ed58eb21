"""The category advisor as a document: where each yardstick is high, the kinds, and three answers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from yutang.kernel.documents import NAME, Document, Note, Part, Title, register
from yutang.kernel.errors import BadInput

Amount = Annotated[float, Field(gt=0, le=10**9, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Answers(Part):
    """Three questions of a category ('': of the whole brand): do customers ask before they buy; do they talk of it with
    one another; is it bought once in a life."""

    category: str = Field(default="", max_length=200)
    asks: bool
    talks: bool
    once: bool


class Effort(Part):
    """What a month of tending costs: hours, what an hour costs, and which share of an order is earned."""

    hours: Amount = 40
    wage: Amount = 30
    margin: Annotated[float, Field(gt=0, le=1)] = 0.3


class Kind(Part):
    """A kind of category: which levels are its, and which method fits. `plans` names broadcasts to begin with."""

    letter: Literal["A", "B", "C", "D", "E"]
    frequency: tuple[Literal["low", "high"], ...] = Field(min_length=1)
    price: tuple[Literal["low", "high", "very_high"], ...] = Field(min_length=1)
    cognition: tuple[Literal["low", "high"], ...] = Field(min_length=1)
    title: Title
    advice: Note
    plans: tuple[Annotated[str, Field(pattern=NAME)], ...] = ()


@register
class AdvisorDocument(Document):
    """Bounds in times a buyer buys again in a year, in money at once, and in points of three (asks, talks, wrote before
    buying); below `one_off`, the share that ever comes again, a category is bought once. With fewer buyers or fewer
    years of theirs, nothing is told."""

    KIND: ClassVar[str] = "advisor"

    frequency: Amount = 4
    high_price: Amount = 300
    very_high_price: Amount = 3000
    cognition: Annotated[int, Field(ge=1, le=3)] = 2
    consulted: Share = 0.3
    one_off: Share = 0.05
    fewest_buyers: Annotated[int, Field(ge=10, le=100_000)] = 50
    fewest_years: Amount = 20
    kinds: tuple[Kind, ...] = Field(min_length=1, max_length=12)
    answers: tuple[Answers, ...] = Field(default=(), max_length=1000)
    effort: Effort = Effort()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.very_high_price <= self.high_price:
            raise BadInput("very_high_price 要大于 high_price。", "very_high_price must be above high_price.")
        asked = [one.category for one in self.answers]
        if len(set(asked)) != len(asked):
            raise BadInput("同一个品类只回答一次。", "A category is answered once.")
        return self

    def answers_of(self, category: str) -> Answers | None:
        """What was answered of a category; else of the whole brand."""
        found = {one.category: one for one in self.answers}
        return found.get(category) or found.get("")

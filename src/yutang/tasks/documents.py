"""今天联系这几位, as people write it: for which reasons a guide is to contact somebody, and what she might say."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from yutang.kernel.documents import NAME, Document, Part, register
from yutang.kernel.errors import BadInput
from yutang.reach.gate.contracts import TouchClass
from yutang.reach.limits import check_text

VARIABLES = ("name", "guide", "days")
Script = Annotated[str, Field(min_length=1, max_length=600)]
Days = Annotated[int, Field(ge=1, le=3650)]
Ratio = Annotated[float, Field(gt=0, le=20)]
Chance = Annotated[float, Field(gt=0, le=1)]


class _Reason(Part):
    """`chance` is how likely the words bring a visit: with what one of the person's visits comes to it ranks them, and
    is a guess until the hold-out has told. In `script`, `{{name}}`, `{{guide}}` and `{{days}}` are filled in. `beside`
    names a content of the library whose pictures and cards go along with it."""

    chance: Chance
    script: Script
    beside: str | None = Field(default=None, pattern=NAME)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_text("wecom", self.script, marketing=False)
        rest = self.script
        for name in VARIABLES:
            rest = rest.replace(f"{{{{{name}}}}}", "")
        if "{{" in rest:
            known = ", ".join(f"{{{{{name}}}}}" for name in VARIABLES)
            raise BadInput(f"话术里只能用 {known}。", f"Scripts know {known}, and nothing else in braces.")
        return self


class Overdue(_Reason):
    """Later than usual: the days since the last visit are more than `from_ratio` and at most `to_ratio` times the
    person's own median gap; of those with at least `least_orders`."""

    why: Literal["overdue"]
    least_orders: int = Field(default=4, ge=2, le=1000)
    from_ratio: Ratio = 1.5
    to_ratio: Ratio = 5.0


class DueSoon(_Reason):
    """The next visit is near: between `from_ratio` and `to_ratio` times the person's own median gap."""

    why: Literal["due_soon"]
    least_orders: int = Field(default=4, ge=2, le=1000)
    from_ratio: Ratio = 0.85
    to_ratio: Ratio = 1.15


class LapsedSuper(_Reason):
    """Who bought much and often, and was not seen for long: at least `least_orders` ever, of those who spent most
    (`monetary_score` of at least `least_score`), `from_days` to `to_days` ago."""

    why: Literal["lapsed_super"]
    least_orders: int = Field(default=12, ge=2, le=1000)
    least_score: int = Field(default=4, ge=1, le=5)
    from_days: Days = 90
    to_days: Days = 540


class NoWord(_Reason):
    """A new friend, added `from_days` to `to_days` ago, with whom nobody has talked and who has not bought yet."""

    why: Literal["no_word"]
    from_days: Days = 3
    to_days: Days = 30


Reason = Annotated[Overdue | DueSoon | LapsedSuper | NoWord, Field(discriminator="why")]


@register
class TodayDocument(Document):
    """Whom each guide is to contact today: at most `each`, chosen at `at_hour` (the brand's time) from those who are
    friends of hers, for the first of `reasons` that fits, the most promising first. Only guides who opened the phone in
    the last 30 days are asked: what nobody opens would use up caps for nothing. Who was chosen is left alone for
    `rest_days`; who was not interested for `tired_days`. `hold_out` of those who would have been asked for are left
    alone, so that it can be told what it brings."""

    KIND: ClassVar[str] = "today"

    purpose: str = Field(default="marketing", pattern=NAME)
    topic: str | None = Field(default=None, pattern=NAME)
    touch_class: TouchClass = Field(default=TouchClass.MARKETING, alias="class")
    value: bool = True
    each: int = Field(default=5, ge=1, le=20)
    at_hour: int = Field(default=8, ge=0, le=20)
    rest_days: int = Field(default=14, ge=1, le=365)
    tired_days: int = Field(default=90, ge=1, le=730)
    hold_out: float = Field(default=0.1, ge=0, le=0.5)
    horizon_days: int = Field(default=14, ge=1, le=365)
    reasons: tuple[Reason, ...] = Field(min_length=1, max_length=4)
    active: bool = True

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({one.why for one in self.reasons}) < len(self.reasons):
            raise BadInput("reasons 里每种 why 只写一次。", "Each `why` stands among the reasons once.")
        return self

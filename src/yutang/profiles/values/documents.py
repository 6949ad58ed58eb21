"""What a brand decides of its values: over which horizon, in margin or in spend, and how large its categories are."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from yutang.kernel.documents import Document, Part, register
from yutang.kernel.errors import BadInput

Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Margins(Part):
    """What is left of each unit of sales, by category, where no line's cost says so; `otherwise` where a category is
    not named (left out: not known)."""

    otherwise: Rate | None = None
    categories: dict[str, Rate] = Field(default_factory=dict, max_length=2000)


@register
class ValuesDocument(Document):
    """三种价值: potential value is expected over `horizon_days`, what comes later discounted by `discount_rate` a year.
    Values are counted in margin where, of what was spent in the last year, at least `known_from` has a cost on its
    order lines or a category in `margins`, else in spend; what is left unknown counts by the mean of what is known.
    Models are fitted every `fit_every_days` on at least `least_repeaters` who came again, for the brand and for the
    `categories` with most buyers, and tried on the last `test_days`; persons are scored every day."""

    KIND: ClassVar[str] = "values"

    horizon_days: int = Field(default=365, ge=28, le=1095)
    discount_rate: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)
    margins: Margins | None = None
    known_from: float = Field(default=0.8, ge=0.5, le=1, allow_inf_nan=False)
    categories: int = Field(default=8, ge=0, le=50)
    least_repeaters: int = Field(default=100, ge=30, le=100_000)
    fit_every_days: int = Field(default=7, ge=1, le=90)
    test_days: int = Field(default=91, ge=28, le=366)


@register
class CategorySizeDocument(Document):
    """钱包份额: how much a buyer of the category spends on it in a year, with us and everywhere else, in the brand's
    currency, and who says so. Without such a document no share of wallet is shown."""

    KIND: ClassVar[str] = "category_size"

    category: str = Field(min_length=1, max_length=120)
    yearly_per_buyer: float = Field(gt=0, le=1e9, allow_inf_nan=False)
    source: str = Field(min_length=4, max_length=300)

    @model_validator(mode="after")
    def _has_a_source(self) -> CategorySizeDocument:
        if not self.source.strip():
            raise BadInput("source 要写明数字出自哪里。", "`source` says where the figure is from.")
        return self

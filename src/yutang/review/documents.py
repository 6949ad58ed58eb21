"""What a brand may decide of its reviews: how the trust score weighs what trust shows in."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from yutang.kernel.documents import Document, Part, register
from yutang.kernel.errors import BadInput
from yutang.review.trust import Component

Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Weights(Part):
    """How much each component counts; only proportions matter. One of which a brand has no data counts for nothing."""

    retention: Weight = 0.4
    replies: Weight = 0.2
    purchases: Weight = 0.4


@register
class TrustDocument(Document):
    """导购信任分: the weights, how many days back friends were won who count, and with how few nothing is said."""

    KIND: ClassVar[str] = "trust"

    weights: Weights = Weights()
    days: Annotated[int, Field(ge=90, le=1095)] = 365
    fewest_friends: Annotated[int, Field(ge=5, le=1000)] = 20

    @field_validator("weights")
    @classmethod
    def _something_counts(cls, weights: Weights) -> Weights:
        if not any((weights.retention, weights.replies, weights.purchases)):
            raise BadInput(
                "weights 里至少有一项要大于 0，例如 retention: 0.4。",
                "At least one of the weights must be above 0, such as retention: 0.4.",
            )
        return weights

    def by_component(self) -> dict[Component, float]:
        """The weights."""
        return {component: float(getattr(self.weights, component.value)) for component in Component}

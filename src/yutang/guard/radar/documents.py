"""The walls document: what each platform allows, with where that stands and when it was read.

Platforms change these numbers without telling software, so they are a document: whoever reads another number in their
own admin console writes another version.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from yutang.kernel.documents import Document, Part, register
from yutang.kernel.errors import BadInput

LIMITED = frozenset(
    {
        "account_contacts",
        "codes",
        "group_received",
        "group_seats",
        "moments",
        "pictures",
        "received",
        "service_accounts",
        "tags",
    }
)
"""The walls whose number a document says."""


class Told(Part):
    """Where a number stands, and when somebody read it there."""

    source: str = Field(min_length=4, max_length=300)
    read_on: date


class Limit(Told):
    """How much of something a corp may have."""

    most: int = Field(ge=0, le=10_000_000_000)


class Step(Part):
    """A size that can be bought, and its price a year in yuan; null: only the platform's console says it."""

    size: int = Field(ge=1, le=1_000_000_000)
    price: Decimal | None = Field(default=None, ge=0, le=100_000_000)


class Contacts(Told):
    """How many contacts are free, and in which sizes more are sold. Whoever is a friend or only in a group counts once.

    `per_head` is the price of one contact a year, by which sizes without a price are estimated.
    """

    free: int = Field(ge=0, le=1_000_000_000)
    per_head: Decimal | None = Field(default=None, ge=0, le=1_000)
    steps: tuple[Step, ...] = Field(default=(), max_length=40)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        sizes = [step.size for step in self.steps]
        if sizes != sorted(set(sizes)):
            raise BadInput("steps 的 size 要从小到大，不重复。", "The sizes of steps rise, each once.")
        return self

    def size_for(self, contacts: int) -> Step | None:
        """The smallest size by which so many contacts fit beside the free ones; None where they fit already, or no size
        that is known is large enough."""
        beyond = contacts - self.free
        if beyond <= 0:
            return None
        step = next((step for step in self.steps if step.size >= beyond), None)
        if step is None or step.price is not None or self.per_head is None:
            return step
        return Step(size=step.size, price=(self.per_head * step.size).quantize(Decimal("0.01")))


@register
class WallsDocument(Document):
    """What a platform allows and what more costs. `limits` are named as the radar names its walls."""

    KIND: ClassVar[str] = "walls"

    contacts: Contacts
    limits: dict[str, Limit] = Field(default_factory=dict, max_length=40)

    def told(self, wall: str) -> Told | None:
        """Where a wall's number stands; None of those that the platform tells or that somebody writes down."""
        return self.contacts if wall == "contacts" else self.limits.get(wall)

    @model_validator(mode="after")
    def _named(self) -> Self:
        for name in self.limits:
            if name not in LIMITED:
                known = "、".join(sorted(LIMITED))
                raise BadInput(
                    f"limits 里没有「{name}」，可用：{known}。",
                    f"There is no limit “{name}”; there are: {', '.join(sorted(LIMITED))}.",
                )
        return self

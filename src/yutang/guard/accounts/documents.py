"""The rules by which an account is complete and well. Platforms and brands differ, so they are a document."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from yutang.guard.accounts.contracts import PARTS
from yutang.kernel.documents import Document, Part, register
from yutang.kernel.errors import BadInput

Share = Annotated[float, Field(gt=0, le=1)]


class Capacity(Part):
    """From which share of the friends that an account may have on it is nearly full, or full. How many it may have is
    a wall of the radar's (`account_contacts`)."""

    watch: Share = 0.8
    risk: Share = 0.95

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.watch > self.risk:
            raise BadInput("capacity 的 watch 不能大于 risk。", "In capacity, watch must not be above risk.")
        return self


class Deletions(Part):
    """Customers who delete: at risk where they are at least `fewest` in `days`, and `times` as many as of others with
    as many friends, beyond what chance does once in a hundred."""

    days: Annotated[int, Field(ge=7, le=365)] = 30
    times: Annotated[float, Field(ge=1, le=100)] = 2.0
    fewest: Annotated[int, Field(ge=1, le=10_000)] = 5


class Tasks(Part):
    """Tasks that wait for a tap (`open`), and the share of those of 30 days never tapped, of at least `fewest`."""

    open: Annotated[int, Field(ge=1, le=1000)] = 3
    untapped: Share = 0.5
    fewest: Annotated[int, Field(ge=1, le=1000)] = 4


class Sends(Part):
    """From which share of the daily quota on a day counts as spent; how many messages a friend in 30 days are much."""

    spent: Share = 0.8
    per_friend: Annotated[float, Field(gt=0, le=1000)] = 8.0


@register
class AccountRules(Document):
    """What customers must see of a member (`persona`), and from when an account is to be watched or at risk."""

    KIND: ClassVar[str] = "accounts"

    persona: tuple[str, ...] = PARTS
    capacity: Capacity = Capacity()
    deletions: Deletions = Deletions()
    tasks: Tasks = Tasks()
    sends: Sends = Sends()
    idle_days: Annotated[int, Field(ge=1, le=365)] = 30

    @field_validator("persona")
    @classmethod
    def _known_parts(cls, persona: tuple[str, ...]) -> tuple[str, ...]:
        for part in persona:
            if part not in PARTS:
                raise BadInput(
                    f"persona 里没有「{part}」这一项，可用：{'、'.join(PARTS)}。",
                    f"A persona has no part “{part}”; there are: {', '.join(PARTS)}.",
                )
        return tuple(part for part in PARTS if part in persona)

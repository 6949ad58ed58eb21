"""What other rooms see of a guide's tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from yutang.kernel.ids import PersonId, SenderId


class CardResult(StrEnum):
    """What a guide wrote down of somebody whom she was to contact."""

    SENT = "sent"
    NO_ANSWER = "no_answer"
    ANSWERED = "answered"
    NOT_INTERESTED = "not_interested"
    WRONG_PERSON = "wrong_person"
    DO_NOT_DISTURB = "do_not_disturb"


SENT = frozenset({CardResult.SENT, CardResult.NO_ANSWER, CardResult.ANSWERED, CardResult.NOT_INTERESTED})
"""Results that say that the words reached the person."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Somebody whom a guide is to contact today, as her phone shows them.

    `script` has her customer's name and her own in it. `facts` are the numbers that the reason is told with. `refusal`:
    since it was chosen something speaks against it, a name of reach's reasons: then nothing is sent. `external` are
    identifiers by which WeCom knows the person, as the account's corp has them.
    """

    touch: int
    person: PersonId
    sender: SenderId
    name: str = field(repr=False)
    reason: str
    facts: Mapping[str, int | None]
    script: str = field(repr=False)
    external: tuple[str, ...] = field(repr=False)
    deadline: datetime
    result: CardResult | None
    sent: bool
    refusal: str | None


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What came of the cards of a day: of `chosen` persons, `sent` to, and of whom the last word was `answered`,
    `no_answer`, `not_interested`, or that it was the wrong person or one who wants to be left alone (`refused`)."""

    day: date
    guides: int
    chosen: int
    sent: int
    answered: int
    no_answer: int
    not_interested: int
    refused: int


@dataclass(frozen=True, slots=True)
class Month:
    """The 30 days up to the morning: persons reached through the gate, those of them who wrote back, their orders
    within a week of it, friends won and lost."""

    reached: int = 0
    replies: int = 0
    orders: int = 0
    friends_new: int = 0
    friends_lost: int = 0

    @property
    def net(self) -> int:
        """净增好友."""
        return self.friends_new - self.friends_lost

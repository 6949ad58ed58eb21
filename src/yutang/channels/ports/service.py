"""Conversations of customer service at a platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from yutang.kernel.errors import YutangError


class Speaker(StrEnum):
    """Who said something in customer service: the customer, somebody who serves, or the platform of itself."""

    CUSTOMER = "customer"
    SERVICER = "servicer"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class ServiceContent:
    """One message of customer service as the platform takes it: its type, and the fields of that type."""

    kind: str
    fields: Mapping[str, object] = field(repr=False)

    @staticmethod
    def said(text: str) -> ServiceContent:
        """A plain text. WeCom cuts off what exceeds 2,048 UTF-8 bytes (doc 94677)."""
        return ServiceContent("text", {"content": text})


@dataclass(frozen=True, slots=True)
class ServiceMessage:
    """Something that was said or happened in customer service, as it is read. What `fields` hold is personal.

    `servicer` is named where somebody of the staff spoke; `customer` is empty where it concerns none.
    """

    message_id: str
    account: str
    customer: str
    at: datetime
    origin: Speaker
    servicer: str
    kind: str
    fields: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServicePage:
    """What was read, in order. `more`: ask again from `cursor` at once, even where nothing was read."""

    messages: tuple[ServiceMessage, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """An account of customer service, as customers see it."""

    id: str
    name: str


class ServicePort(Protocol):
    """A platform where customers ask first, and are answered within a window. May raise as `MassSendPort` does."""

    def accounts(self) -> Sequence[ServiceAccount]:
        """The accounts that software may speak for."""
        ...

    def read(self, account: str, cursor: str, token: str = "") -> ServicePage:
        """What came after a cursor ("" from the oldest that is kept). With a callback's token it may be asked often."""
        ...

    def send(
        self, account: str, customer: str, message_id: str, content: ServiceContent, *, again: bool = False
    ) -> None:
        """Send under an id of ours, which is good once in an account: so after `AnswerLost` the same may be sent
        `again`, and arrives once. Taken is not delivered: a failure may be read later. Raises `ServiceClosed`."""
        ...

    def state(self, account: str, customer: str) -> tuple[int, str]:
        """Where a conversation is: 0 untreated, 1 software, 2 waiting for staff, 3 with the one named, 4 ended."""
        ...

    def move(self, account: str, customer: str, state: int, servicer: str = "") -> str:
        """Have it elsewhere; the code for one message, or nothing. On `AnswerLost` look with `state`."""
        ...

    def answer_event(self, code: str, message_id: str, content: ServiceContent) -> None:
        """Send the one message that an event allows (a welcome, a word while one waits). Raises `CodeSpent`."""
        ...


class Closed(StrEnum):
    """Why a customer cannot be written to now."""

    COUNT = "count"
    TIME = "time"
    STATE = "state"
    ENDED = "ended"


_CLOSED: Mapping[Closed, tuple[str, str]] = {
    Closed.COUNT: ("客户上次发言后已发过 5 条", "five were sent since the customer last wrote"),
    Closed.TIME: ("客户上次发言已过 48 小时", "the customer last wrote more than 48 hours ago"),
    Closed.STATE: ("会话在待接入池或由人工接待", "the conversation waits for staff, or staff have it"),
    Closed.ENDED: ("会话已经结束", "the conversation has ended"),
}


class ServiceClosed(YutangError):
    """The customer must write first, or somebody else has the conversation; nothing was sent."""

    def __init__(self, why: Closed) -> None:
        zh, en = _CLOSED[why]
        super().__init__(f"现在不能给这位客户发消息：{zh}。", f"This customer cannot be written to now: {en}.")
        self.why = why

"""What is said from beside a chat: which words fit, whether they may be said now, and that they were.

Words are answers where the person wrote to us within two days, which is as long as WeCom itself lets one answer; else
they are marketing, however kindly meant. What was sent is one event with that class, so it counts for everybody's caps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from yutang.content.documents import Said
from yutang.kernel.clock import business_now
from yutang.kernel.ids import EventId
from yutang.log.contracts import Event
from yutang.log.services import record
from yutang.organisation.contracts import SenderFacts
from yutang.people.contracts import PersonCard
from yutang.reach.asking import Answer, Saying, may_say
from yutang.reach.gate.contracts import TouchClass
from yutang.tasks.beside import left_alone
from yutang.warehouse.contracts import Warehouse, named

ANSWERS = timedelta(hours=48)
SOURCE = "sidebar"
SENT = "message.sent"


@dataclass(frozen=True, slots=True)
class Script:
    """Words from a document, and what stands beside them; `value` gives something of use and sells nothing."""

    name: str
    title: str
    text: str
    purpose: str = "marketing"
    topic: str | None = None
    value: bool = False
    said: Said | None = None

    @property
    def read(self) -> tuple[str, ...]:
        """What is read beside its text."""
        return tuple(text for field, text in self.said.said().items() if field != "text") if self.said else ()


@dataclass(frozen=True, slots=True)
class Offered:
    """A script, and the gate's answer to it."""

    script: Script
    answer: Answer


def wrote_lately(warehouse: Warehouse, card: PersonCard, at: datetime) -> bool:
    """Whether a person wrote to us in the two days before."""
    tables = {"births": pa.table({"person": pa.array(card.births, pa.int64())})}
    asked = named("tasks/wrote", {"since": at - ANSWERS, "until": at}, tables)
    return bool(warehouse.query(asked).column(0)[0].as_py())


def class_of(warehouse: Warehouse, card: PersonCard, at: datetime) -> TouchClass:
    """As what anything said to a person counts at that instant."""
    return TouchClass.REPLY if wrote_lately(warehouse, card, at) else TouchClass.MARKETING


def offered(warehouse: Warehouse, card: PersonCard, sender: SenderFacts, scripts: list[Script]) -> list[Offered]:
    """Each script with the gate's answer, were it sent now by this account. Who asked to be left alone is sent nothing
    by a tap, not even an answer: whoever answers them does so in their own words."""
    if (alone := left_alone(card)) is not None:
        return [Offered(script, Answer("preference" if alone == "wish" else alone)) for script in scripts]
    kind = class_of(warehouse, card, business_now())
    sayings = [Saying(one.text, one.purpose, kind, one.topic, one.value, one.read) for one in scripts]
    answers = may_say(warehouse, card.person, sender.id, sender.channel, sayings)
    return [Offered(script, answer) for script, answer in zip(scripts, answers, strict=True)]


def say_sent(
    warehouse: Warehouse, card: PersonCard, sender: SenderFacts, script: Script, key: str, at: datetime
) -> dict[str, Any]:
    """Tell the log that a script was sent, in the caller's transaction. It was, whatever the gate says by now."""
    props: dict[str, object] = {"class": class_of(warehouse, card, at).value, "content": script.name}
    if script.value:
        props["value"] = "yes"
    record(
        [
            Event(
                EventId(f"{SOURCE}:{key}"), SENT, at, person=card.person, staff=sender.userid, source=SOURCE,
                channel=sender.channel, props=props,
            )
        ]
    )  # fmt: skip
    return {"sent": script.name}

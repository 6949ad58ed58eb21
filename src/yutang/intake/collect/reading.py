"""A request's messages as a lot: events that may be recorded, and messages that are held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from yutang.intake.collect.contracts import Held, KeyFacts, Lot, Trouble
from yutang.intake.collect.mapping import called, event_id, events_of
from yutang.intake.collect.messages import (
    READ_BATCH,
    READ_MESSAGE,
    READ_SINGLE,
    UNREADABLE,
    Context,
    Message,
    Post,
    moment,
    occurred,
    post,
)
from yutang.intake.collect.quick import Call, read, row, sender_of
from yutang.log.contracts import Event
from yutang.log.envelopes import micros, row_of

_BAD_TIME = Trouble(
    "timestamp", "时间应在 1990 年之后、最多比现在晚一天", "the time is before 1990, or more than a day ahead"
)


class Kept(msgspec.Struct):
    """A held message as it is sealed: as it came, with the call by which, its id, and the time that it would have."""

    message: msgspec.Raw
    call: str | None
    at: datetime | None
    unsure: bool
    id: str = ""


class Letter(msgspec.Struct, gc=False):
    """What one request brought: its body, of how many messages, and what is known of all of them.

    `call`: what they are where the address said so, else each says its `type`. A batch's `sent_at` and `context` are
    known; a single call says when it was sent beside its message. `calls`: the messages of a batch that was read whole.
    """

    body: bytes
    count: int
    key: KeyFacts
    currency: str
    call: str | None
    received_at: datetime
    historical: bool
    sent_at: object = None
    context: Context | None = None
    calls: Sequence[Call] | None = None

    def raws(self) -> Sequence[msgspec.Raw]:
        """The messages as they came."""
        return READ_BATCH(self.body).batch if self.call is None else [msgspec.Raw(self.body)]


class Malformed(Exception):
    """A single call's body is no message at all; `error` is what reading it raised."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def lot_of(letter: Letter) -> Lot:
    """Read, map and check. Raises Malformed for a single call whose body cannot be read."""
    lot = Lot([], [], [], len(letter.body))
    key, currency, call, context = letter.key, letter.currency, letter.call, letter.context
    sender, rows, unsure = sender_of(key), lot.rows, lot.unsure
    when = None if call is not None else post(moment(letter.sent_at), letter.received_at, historical=letter.historical)
    raws: Sequence[msgspec.Raw] | None = None
    calls: Iterable[Call | None] | None = letter.calls
    if calls is None:
        raws = letter.raws()
        calls = map(read, raws)
    for place, quick in enumerate(calls):
        if call is not None:
            when = post(_sent_at(quick, letter.body), letter.received_at, historical=letter.historical)
        assert when is not None
        if quick is not None and (context is None or quick.context is not None):
            if call is not None:
                quick.type = call
            at, doubtful = occurred(quick, when)
            taken = row(quick, sender, micros(at), currency) if at is not None else None
            if taken is not None:
                (unsure if doubtful else rows).append(taken)
                continue
        if raws is None:
            raws = letter.raws()
        _the_long_way(raws[place], letter, lot, when)
    return lot


def _sent_at(quick: Call | None, raw: bytes) -> datetime | None:
    if quick is not None:
        return moment(quick.sent_at) if quick.sent_at is not None else None
    try:
        return moment(READ_SINGLE(raw).sent_at)
    except UNREADABLE as error:
        raise Malformed(error) from error


def _the_long_way(raw: msgspec.Raw, letter: Letter, lot: Lot, when: Post) -> None:
    """Read a message that is not plain: into events, or held."""
    key, call = letter.key, letter.call
    try:
        message = READ_MESSAGE(raw)
    except UNREADABLE as error:
        lot.held.append(_held(_loosely(raw), key, Kept(raw, call, None, False), unreadable(error)))
        return
    if call is not None:
        message.type = call
    if message.context is None:
        message.context = letter.context
    at, unsure = occurred(message, when)
    found = events_of(message, key, at, letter.currency) if at is not None else _BAD_TIME
    if isinstance(found, Trouble):
        lot.held.append(_held(message, key, Kept(raw, call, at, unsure), found))
    else:
        (lot.unsure if unsure else lot.rows).extend(map(row_of, found))


def again(kept: Kept, key: KeyFacts, currency: str) -> list[Event] | Trouble:
    """What a held message says now."""
    try:
        message = READ_MESSAGE(kept.message)
    except UNREADABLE as error:
        return unreadable(error)
    if kept.call is not None:
        message.type = kept.call
    message.message_id = kept.id
    return events_of(message, key, kept.at, currency) if kept.at is not None else _BAD_TIME


def unreadable(error: Exception) -> Trouble:
    """Why a message's shape is none of Segment's: msgspec names the field."""
    place = str(error).rpartition(" - at `$.")[2].rstrip("`")
    if place and len(place) < 100 and " - at `$." in str(error):
        return Trouble(place, f"{place} 的写法不对", f"{place} has the wrong form")
    return Trouble("shape", "消息的写法不对", "the message has the wrong form")


def _loosely(raw: msgspec.Raw) -> Message:
    """The id, call and event of a message that cannot be read, as far as they can be found."""
    try:
        found: Any = msgspec.json.decode(raw)
    except UNREADABLE:
        return Message()
    found = found if isinstance(found, dict) else {}

    def text(name: str) -> str | None:
        return found[name] if isinstance(found.get(name), str) else None

    return Message(type=text("type"), message_id=text("messageId"), event=text("event"))


def _held(message: Message, key: KeyFacts, kept: Kept, trouble: Trouble) -> Held:
    if message.message_id is None:
        message.message_id = uuid4().hex
    kept.id = message.message_id
    sealed = msgspec.json.encode(kept)
    return Held(key.id, message.message_id, called(message), event_id(message, key), trouble, sealed)

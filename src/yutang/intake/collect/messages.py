"""Segment's messages as they come over the wire.

What is not named here is never built: `context.ip`, device and library details are passed over while reading. Source of
names and meanings: Segment's spec, "Common Fields" and "HTTP API".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

CALLS = ("track", "identify", "page", "screen", "group", "alias")
SURE = timedelta(seconds=30)
TOLERATED = timedelta(seconds=60)
"""A sender's clock that is wrong by less is left alone: so much may pass on the way."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading a message may raise. How deep is too deep hangs on who reads: a door may take what a page cannot."""

_AHEAD = timedelta(days=1)
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Page(msgspec.Struct, gc=False):
    path: Any = None
    title: Any = None
    referrer: Any = None


class Consent(msgspec.Struct, rename="camel"):
    category_preferences: dict[str, bool] | None = None


class Context(msgspec.Struct):
    page: Page | None = None
    campaign: dict[str, Any] | None = None
    consent: Consent | None = None


class Message(msgspec.Struct, rename="camel"):
    """One call. Ids may come as numbers; times are ISO 8601."""

    type: str | None = None
    message_id: str | None = None
    timestamp: datetime | None = None
    original_timestamp: datetime | None = None
    anonymous_id: str | int | None = None
    user_id: str | int | None = None
    previous_id: str | int | None = None
    group_id: str | int | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: Context | None = None


class Batch(msgspec.Struct, rename="camel"):
    """The body of a batch. A message that cannot be read alone does not spoil the others."""

    batch: list[msgspec.Raw]
    sent_at: Any = None
    write_key: str | None = None
    context: Context | None = None


class Single(msgspec.Struct, rename="camel"):
    """What the body of a single call says beside its message."""

    sent_at: Any = None
    write_key: str | None = None


READ_MESSAGE = msgspec.json.Decoder(Message).decode
READ_BATCH = msgspec.json.Decoder(Batch).decode
READ_SINGLE = msgspec.json.Decoder(Single).decode


def moment(said: object) -> datetime | None:
    """A time that a sender gave, aware UTC; None for what is none."""
    if not isinstance(said, str):
        return None
    try:
        return aware(msgspec.convert(said, datetime))
    except msgspec.ValidationError:
        return None


def aware(at: datetime) -> datetime:
    """A time without a zone is UTC."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


class Post(msgspec.Struct, gc=False):
    """When a body was sent and received, and so how far its sender's clock is wrong.

    `shift` is taken onto every time in it; `unsure`: the sender's clock is so far out that another arrival of the same
    body might be shifted by another hair, so that an earlier arrival's time must be looked up.
    """

    received_at: datetime
    latest: datetime
    shift: timedelta | None
    unsure: bool


def post(sent_at: datetime | None, received_at: datetime, *, historical: bool = False) -> Post:
    """What `sentAt` says of the sender's clock. `historical` messages are taken at their word.

    Segment's correction: timestamp = receipt − (sentAt − timestamp).
    """
    if sent_at is None or historical or not _EARLIEST <= sent_at < _LATEST:
        return Post(received_at, received_at + _AHEAD, None, False)
    skew = received_at - sent_at
    shift = None if -TOLERATED < skew < TOLERATED else skew
    return Post(received_at, received_at + _AHEAD, shift, not -SURE < skew < SURE)


def occurred(message: Message, post: Post) -> tuple[datetime | None, bool]:
    """When it happened, and whether an earlier arrival's time must be looked up.

    The time is None where it is none of ours: before 1990, or more than a day ahead.
    """
    stamp = message.timestamp or message.original_timestamp
    if stamp is None:
        return post.received_at, True
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    if not _EARLIEST <= stamp < _LATEST:
        return None, False
    if post.shift is not None:
        stamp += post.shift
    return (stamp, post.unsure) if _EARLIEST <= stamp <= post.latest else (None, False)

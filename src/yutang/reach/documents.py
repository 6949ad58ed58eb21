"""The broadcast document: who hears what, from when, with which hold-out."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from yutang.content.documents import Said
from yutang.content.rendering import longest
from yutang.kernel.documents import NAME, Document, Part, register
from yutang.kernel.errors import BadInput
from yutang.reach.gate.contracts import TouchClass
from yutang.reach.limits import check_parts, check_text, way_of


class Audience(Part):
    """A segment by name, or everyone."""

    segment: str | None = Field(default=None, pattern=NAME)
    everyone: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.segment is None) == (not self.everyone):
            raise BadInput(
                "audience 要么写 segment: 分群名，要么写 everyone: true。",
                "the audience is either segment: NAME or everyone: true.",
            )
        return self


class Message(Said):
    """What the customer reads: a `text` and what stands beside it, or a `content` of the library by its name.

    What a channel can carry of it is checked by the document that names the channel. At launch the text, the rest and
    the version of a content are written in beside its name: what a plan says does not change under it.
    """

    content: str | None = Field(default=None, pattern=NAME)
    version: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        own = bool(self.text or self.attached)
        if not own and self.content is None:
            raise BadInput("message 要写 text，或 content: 内容名。", "a message needs a text, or content: NAME.")
        if self.content is not None and self.version is None and own:
            raise BadInput(
                "message 写了 content，就不再写 text、link 和其他附件。",
                "a message with a content has no text, link or other attachment of its own.",
            )
        return self


@register
class BroadcastDocument(Document):
    """A broadcast on one `channel`, whose limits bind its text. `topic` is one of the policy's: who refused it is left
    out. `waves` are cumulative shares of the
    audience, one every `wave_hours`; `within_hours` is how long one attempt may wait for the guide's tap; what is not
    tapped is gated again up to `attempts` times. In the text, `{{preferences}}` becomes the address at which customers
    refuse.

    `horizon_days` is declared before launch: lift counts what each person spends in that many days from the start of
    their wave. The audience is frozen at launch.
    """

    KIND: ClassVar[str] = "broadcast"

    audience: Audience
    purpose: str = Field(pattern=NAME)
    topic: str | None = Field(default=None, pattern=NAME)
    channel: str = Field(default="wecom", pattern=NAME)
    touch_class: TouchClass = Field(default=TouchClass.MARKETING, alias="class")
    value: bool = False
    message: Message
    priority: int = Field(default=50, ge=0, le=100)
    start: datetime | None = None
    hold_out: float = Field(default=0.1, ge=0, le=0.5)
    waves: tuple[float, ...] = Field(default=(1.0,), max_length=50)
    wave_hours: int = Field(default=24, ge=1, le=24 * 30)
    within_hours: int = Field(default=24, ge=1, le=24 * 7)
    attempts: int = Field(default=2, ge=1, le=5)
    at_most: int | None = Field(default=None, ge=1, le=1_000_000_000)
    horizon_days: int = Field(default=28, ge=1, le=365)

    @field_validator("channel")
    @classmethod
    def _known(cls, channel: str) -> str:
        return way_of(channel).channel

    @field_validator("message")
    @classmethod
    def _carried(cls, message: Message, info: ValidationInfo) -> Message:
        if "channel" in info.data and "touch_class" in info.data:  # else they are what is wrong
            marketing = info.data["touch_class"] is TouchClass.MARKETING
            check_text(info.data["channel"], longest(message.text), marketing=marketing)
            check_parts(info.data["channel"], message)
        return message

    @field_validator("waves")
    @classmethod
    def _rising(cls, waves: tuple[float, ...]) -> tuple[float, ...]:
        # `not a < b`, and not `a >= b`: what is no number is neither
        if not waves or waves[-1] != 1.0 or any(not a < b for a, b in zip((0.0, *waves), waves, strict=False)):
            raise BadInput(
                "waves 应是递增的累计比例，最后为 1，例如 [0.01, 0.05, 0.2, 1]。",
                "waves are rising cumulative shares that end with 1, such as [0.01, 0.05, 0.2, 1].",
            )
        return waves

    @field_validator("start")
    @classmethod
    def _aware(cls, start: datetime | None) -> datetime | None:
        if start is not None and start.tzinfo is None:
            raise BadInput(
                "start 要写明时区，例如 2026-11-11T10:00:00+08:00。",
                "start must carry its zone, such as 2026-11-11T10:00:00+08:00.",
            )
        if start is not None and not 1990 < start.year < 2100:
            raise BadInput(
                f"start 应在 1991 到 2099 年之间，而不是 {start.year} 年。",
                f"start lies between the years 1991 and 2099, not in {start.year}.",
            )
        return start

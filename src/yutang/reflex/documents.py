"""The reflex rule as people write it: on which event, where, and what is done at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from yutang.connect.documents import Duty, TagName
from yutang.kernel.documents import NAME, Document, Note, Part, register
from yutang.kernel.errors import BadInput
from yutang.log.contracts import Event
from yutang.reach.gate.contracts import TouchClass
from yutang.reach.limits import check_text

SEGMENT_ENTERED = "segment.entered"
HOUR = 3600

Text = Annotated[str, Field(min_length=1, max_length=128)]
Values = Annotated[tuple[Text, ...], Field(min_length=1, max_length=200)]


class Where(Part):
    """What must hold of the event: each field that is named has one of its values; `props` by the prop's name."""

    way: Values | None = None
    store: Values | None = None
    staff: Values | None = None
    source: Values | None = None
    channel: Values | None = None
    props: dict[Text, Values] = Field(default_factory=dict, max_length=20)

    @property
    def narrowness(self) -> int:
        """How many conditions there are: of two rules that would say a welcome, the narrower does."""
        return len(self.model_dump(exclude_defaults=True, exclude={"props"})) + len(self.props)

    def holds(self, event: Event) -> bool:
        """Whether it holds of an event."""
        said = (
            (self.way, event.props.get("way")),
            (self.store, event.store),
            (self.staff, event.staff),
            (self.source, event.source),
            (self.channel, event.channel),
            *((wanted, event.props.get(name)) for name, wanted in self.props.items()),
        )
        return all(wanted is None or _plain(value) in wanted for wanted, value in said)


def _plain(value: object) -> str:
    """A prop's value as a document writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Welcome(Part):
    """Say a first word by the code that came with the event; the platform lets it be said once, within 20 s.

    A way's own welcome goes before `text`. Without a code nothing is sent, and that is recorded. Where several rules
    would welcome the same person, the one with the most conditions does, and the others are recorded as refused.
    """

    do: Literal["welcome"]
    text: str | None = None
    touch_class: Literal["reply", "service"] = Field(default="reply", alias="class")
    purpose: str = Field(default="service", pattern=NAME)
    within_seconds: int = Field(default=20, ge=1, le=20)

    @field_validator("text")
    @classmethod
    def _fits(cls, text: str | None) -> str | None:
        if text is not None:
            check_text("wecom", text, marketing=False)
        return text

    @property
    def kind(self) -> TouchClass:
        """The class by which the gate judges it."""
        return TouchClass(self.touch_class)


class Tag(Part):
    """Put on these tags, and, with `of_way`, those of the contact way."""

    do: Literal["tag"]
    tags: tuple[TagName, ...] = Field(default=(), max_length=20)
    of_way: bool = False
    within_seconds: int = Field(default=HOUR, ge=1, le=7 * 24 * HOUR)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.tags and not self.of_way:
            raise BadInput("tag 要写 tags，或 of_way: true。", "a tag act needs tags, or of_way: true.")
        return self


class Assign(Duty):
    """Give the person a home: the store `nearest` to where the event says they are (else the event's own store), or
    the store of whoever is on `shift` and was given fewest that day."""

    do: Literal["assign"]
    to: Literal["nearest", "shift"] = "nearest"
    within_seconds: int = Field(default=HOUR, ge=1, le=7 * 24 * HOUR)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.to == "shift") != bool(self.staff or self.shifts):
            raise BadInput(
                "to: shift 要写 staff 或 shifts；to: nearest 不写。",
                "to: shift needs staff or shifts; to: nearest takes none.",
            )
        return self


class FollowUp(Part):
    """Let a member of staff follow up within so many hours: whom the rule assigned, else the event's own."""

    do: Literal["follow_up"]
    note: Note
    in_hours: int = Field(default=24, ge=1, le=24 * 60)
    within_seconds: int = Field(default=HOUR, ge=1, le=7 * 24 * HOUR)


Act = Annotated[Welcome | Tag | Assign | FollowUp, Field(discriminator="do")]


@register
class ReflexRule(Document):
    """A reflex rule: `on` an event's type (or several), `where` these conditions hold, do `acts` at once, each once.

    Each act has `within_seconds` from the event: what misses that is recorded as missed and never done late. On
    `segment.entered`, `segment` names which; who was in it before the rule was kept has not entered.
    """

    KIND: ClassVar[str] = "reflex"

    on: tuple[Text, ...] = Field(min_length=1, max_length=10)
    segment: str | None = Field(default=None, pattern=NAME)
    where: Where = Where()
    acts: tuple[Act, ...] = Field(min_length=1, max_length=10)
    active: bool = True

    @model_validator(mode="before")
    @classmethod
    def _plain_on(cls, data: Any) -> Any:
        """YAML 1.1 reads a bare `on` as true; and one event needs no list."""
        if not isinstance(data, Mapping):
            return data
        given = {("on" if key is True else key): value for key, value in data.items()}
        if isinstance(given.get("on"), str):
            given["on"] = [given["on"]]
        return given

    @model_validator(mode="after")
    def _segment_named(self) -> Self:
        if (SEGMENT_ENTERED in self.on) != (self.segment is not None):
            raise BadInput(
                "on: segment.entered 要写 segment: 分群名；别的事件不写。",
                "on: segment.entered needs segment: NAME; other events take none.",
            )
        return self

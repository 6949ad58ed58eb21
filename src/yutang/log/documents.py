"""The event type document: what a brand's own events are called, and what they carry."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from yutang.kernel.documents import Document, Part, Title, register
from yutang.kernel.errors import BadInput

PropName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
MAX_PROPS = 200


class PropSpec(Part):
    """A field of the event. `pii`: personal data, sealed in the inbox and never in the warehouse."""

    type: Literal["text", "number", "boolean"] = "text"
    required: bool = False
    pii: bool = False
    title: Title | None = None


@register
class EventTypeDocument(Document):
    """A type of event of the brand's own: its name is the document's.

    `also` lists other names under which senders say it ("Lesson Started"); spaces, case and signs do not matter.
    `amount` names the number prop that is the event's amount (its currency: the prop `currency`, else the brand's).
    `adds_to` names a type that ships with Yutang, such as `person.seen`: the props are then added to that one, and the
    document makes no type of its own.
    """

    KIND: ClassVar[str] = "event_type"

    kind: Literal["event_type"]
    also: tuple[Annotated[str, Field(min_length=1, max_length=120)], ...] = Field(default=(), max_length=40)
    adds_to: str | None = None
    props: dict[PropName, PropSpec] = Field(default_factory=dict, max_length=MAX_PROPS)
    amount: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> EventTypeDocument:
        if self.amount is not None and (self.amount not in self.props or self.props[self.amount].type != "number"):
            raise BadInput(
                f"amount 写的「{self.amount}」不是 props 里的数字（number）字段。",
                f"amount names “{self.amount}”, which is no number among props.",
            )
        if self.adds_to is not None and (self.also or self.amount):
            raise BadInput(
                "写了 adds_to 就只能补充 props，不能写 also 和 amount。",
                "With adds_to only props can be added; leave out also and amount.",
            )
        return self

"""What goes over the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from ninja import Field, Schema
from pydantic import AfterValidator, ConfigDict, PlainSerializer, WithJsonSchema

from yutang.kernel.calendars import aware
from yutang.kernel.documents import Document
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import EventId, NodeId
from yutang.log.contracts import Event, IdentifierValue, Line, cost_of
from yutang.organisation.contracts import NodeKind, Viewer
from yutang.organisation.queries import nodes
from yutang.profiles.traits import TRAITS, TraitType
from yutang.reach.contracts import BatchState, PlanState
from yutang.reach.lift import Verdict

D = TypeVar("D", bound=Document)
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def _in_our_times(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise BadInput("时间缺少时区，应类似 2026-03-01T09:30:00+08:00。", "The time lacks its zone, such as +08:00.")
    if not _EARLIEST <= value < _LATEST:
        raise BadInput("时间应在 1990 到 2099 年之间。", "The time is not between 1990 and 2099.")
    return value


Instant = Annotated[
    datetime,
    AfterValidator(aware),
    PlainSerializer(lambda value: value.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T01:30:00+00:00"]}),
]
Amount = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str),
    WithJsonSchema({"type": "string", "format": "decimal", "examples": ["19.90"]}),
]


class Strict(Schema):
    """Unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid")


class IdentifierIn(Strict):
    kind: str = Field(max_length=24, examples=["member"])
    namespace: str = Field(default="", max_length=80)
    value: str = Field(min_length=1, max_length=200, examples=["M-1001"])


class LineIn(Strict):
    sku: str = Field(max_length=80)
    category: str = Field(default="", max_length=120)
    quantity: Decimal = Field(max_digits=18, decimal_places=3)
    amount: Decimal = Field(max_digits=18, decimal_places=2)
    discount: Decimal = Field(default=Decimal(0), max_digits=18, decimal_places=2)
    unit_cost: Decimal | None = Field(
        default=None,
        ge=0,
        max_digits=18,
        decimal_places=4,
        description="What one piece costs the brand, in the order's currency; left out: not known, which is not 0.",
    )


class EventIn(Strict):
    """A fact. `id` is yours and makes sending it again harmless; `occurred_at` carries its zone.

    An `id` used again with another `occurred_at` counts as another event.
    """

    id: str = Field(min_length=1, max_length=128, examples=["till-7/2026-03-01/0042"])
    type: str = Field(max_length=64, examples=["order.placed"])
    occurred_at: Annotated[datetime, AfterValidator(_in_our_times)] = Field(examples=["2026-03-01T09:30:00+08:00"])
    identifiers: list[IdentifierIn] = Field(default_factory=list, max_length=20)
    store: str | None = Field(default=None, max_length=64)
    staff: str | None = Field(default=None, max_length=64)
    source: str = Field(default="", max_length=80)
    channel: str | None = Field(default=None, max_length=16)
    amount: Decimal | None = Field(default=None, max_digits=18, decimal_places=2, examples=["19.90"])
    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$", examples=["CNY"])
    props: dict[str, Any] = Field(default_factory=dict, examples=[{"order_id": "0042"}])
    lines: list[LineIn] = Field(default_factory=list, max_length=2000)

    def event(self) -> Event:
        """The event as the log takes it."""
        return Event(
            id=EventId(self.id),
            type=self.type,
            occurred_at=self.occurred_at,
            identifiers=tuple(IdentifierValue(item.kind, item.namespace, item.value) for item in self.identifiers),
            store=self.store,
            staff=self.staff,
            source=self.source,
            channel=self.channel,
            amount=self.amount,
            currency=self.currency,
            props=self.props,
            lines=tuple(
                Line(
                    item.sku,
                    item.category,
                    item.quantity,
                    item.amount,
                    item.discount,
                    cost_of(item.unit_cost, item.quantity),
                )
                for item in self.lines
            ),
        )


class EventsIn(Strict):
    events: list[EventIn] = Field(min_length=1, max_length=1000)


class Accepted(Schema):
    """How many events are now durable."""

    accepted: int


class Sentence(Schema):
    """An error, in both languages."""

    zh: str
    en: str


class ErrorOut(Schema):
    error: Sentence


class StoreOut(Schema):
    """A node of the organisation: the brand, a region or a store."""

    code: str = Field(examples=["s1"])
    name: str
    kind: NodeKind
    parent: str | None = Field(description="The parent's code, where the token sees it.")
    zone: str = Field(examples=["Asia/Shanghai"])
    synthetic: bool


class TotalsOut(Schema):
    """What stands in the pond. `as_of`: where profiles stand; null before they were first computed."""

    persons: int
    orders: int
    lines: int
    spend: Amount
    currency: str
    as_of: Instant | None


class TitleOut(Schema):
    """A title in both languages."""

    zh: str
    en: str


class SegmentOut(Schema):
    """A segment's current version."""

    name: str = Field(examples=["overdue"])
    title: TitleOut
    version: int
    author: str
    created_at: Instant
    shipped: bool
    document: dict[str, Any]


class CountOut(Schema):
    """How many persons the token sees in a segment."""

    name: str = Field(examples=["overdue"])
    count: int = Field(examples=[312])


TraitValue = bool | int | float | str | None
Traits = dict[str, TraitValue]


class MemberOut(Schema):
    """A person by number, with the traits that were asked for: amounts as decimal text, stores by code."""

    person: int
    traits: Traits


class MembersOut(Schema):
    """`next_offset` is null on the last page."""

    name: str
    items: list[MemberOut]
    next_offset: int | None


class PersonItem(MemberOut):
    """A person as lists show them."""

    name: str | None


class PersonsOut(Schema):
    """`next_offset` is null on the last page."""

    items: list[PersonItem]
    next_offset: int | None


class IdentifierOut(Schema):
    """`value` is masked for those who do not operate."""

    kind: str = Field(examples=["member"])
    namespace: str
    value: str


class RelationOut(Schema):
    """A friendship with an account that the token sees."""

    userid: str
    store: str | None
    added_at: Instant | None
    lost_at: Instant | None
    last_talk_at: Instant | None
    live: bool


class ConsentOut(Schema):
    """One word about one purpose on one channel."""

    purpose: str
    channel: str
    granted: bool
    at: Instant
    proof: str


class PersonOut(Schema):
    """A person. `births` are the numbers that were joined into this one."""

    person: int
    births: list[int]
    name: str | None
    home_store: str | None
    born_at: Instant
    silent: bool
    blocked: bool
    synthetic: bool
    identifiers: list[IdentifierOut]
    relations: list[RelationOut]
    consents: list[ConsentOut]
    tags: list[str]
    traits: Traits


class EventOut(Schema):
    """A fact of the log, without personal data."""

    id: str
    type: str = Field(examples=["order.placed"])
    occurred_at: Instant
    received_at: Instant | None
    store: str | None
    source: str | None
    plan: int | None
    channel: str | None
    amount: Amount | None
    currency: str | None
    props: dict[str, Any]


class EventsOut(Schema):
    """`next_offset` is null on the last page."""

    person: int
    items: list[EventOut]
    next_offset: int | None


class TouchOut(Schema):
    """One decision of the gate. `outcome` with `reason` is what it said, `state` what became of it."""

    plan: int | None
    occasion: str
    attempt: int
    outcome: str = Field(examples=["suppressed"])
    reason: str | None = Field(examples=["consent"])
    state: str | None
    state_reason: str | None
    decided_at: Instant
    due_at: Instant | None
    state_at: Instant | None


class TouchesOut(Schema):
    """Why, and why not."""

    person: int
    items: list[TouchOut]


class PlanItem(Schema):
    """A plan as lists show it."""

    id: int
    name: str = Field(examples=["spring_news"])
    title: TitleOut
    state: PlanState
    standing: bool = Field(description="No broadcast, but what staff are asked to do day by day; it goes on.")
    author: str
    created_at: Instant
    start: Instant | None


class PlansOut(Schema):
    """`next_offset` is null on the last page."""

    items: list[PlanItem]
    next_offset: int | None


class Launched(Schema):
    """The number of the plan that now runs."""

    id: int


class EffectOut(Schema):
    """The smallest effect that a share of hold-out can show, in money per decided person."""

    share: float
    per_person: float | None
    relative: float | None


class PreviewOut(Schema):
    """`candidates = send + held_out + globally_held_out + sum(suppressed)`. `cost`: of all that is to be sent, in the
    brand's currency."""

    candidates: int
    send: int
    held_out: int
    globally_held_out: int
    suppressed: dict[str, int] = Field(examples=[{"consent": 12, "relation": 40}])
    smallest_effect: float | None
    smallest_effect_relative: float | None
    effects: list[EffectOut]
    content_problem: str | None
    batches: int
    cost: float


class CountsOut(Schema):
    """`decided = sent + failed + expired + unknown + sum(suppressed) + held_out + globally_held_out + pending`."""

    decided: int
    sent: int
    failed: int
    expired: int
    unknown: int
    suppressed: dict[str, int] = Field(examples=[{"consent": 12, "relation": 40}])
    held_out: int
    globally_held_out: int
    pending: int


class LiftOut(Schema):
    """What the plan earned per decided person, with its 95 % interval; null where there are too few to tell."""

    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: Verdict
    preliminary: bool = Field(description="the window declared before launch is not over")
    treated: int = 0
    held_out: int = 0


class PlanOut(PlanItem):
    """A plan with the very document that it runs, its ledger and its lift."""

    document: dict[str, Any]
    versions: dict[str, Any]
    counts: CountsOut
    lift: LiftOut


class BatchOut(Schema):
    """What one account is asked to send at once."""

    id: int
    userid: str | None
    size: int
    state: BatchState
    due_at: Instant
    deadline: Instant
    tapped_at: Instant | None
    trouble: str


def under_its_name(document: D, name: str) -> D:
    """The document that was sent to the address of `name`. Raises BadInput where it bears another."""
    if document.name != name:
        raise BadInput(
            f"地址里的名称「{name}」与文档里的「{document.name}」不同。",
            f"The address names “{name}” and the document “{document.name}”; they must be the same.",
        )
    return document


def next_offset(found: Sequence[object], limit: int, offset: int) -> int | None:
    """Where the next page begins, if one more was found than is shown."""
    return offset + limit if len(found) > limit else None


def trait_names(text: str) -> tuple[str, ...]:
    """The traits named in a query. Raises BadInput for an unknown one."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in TRAITS:
            raise BadInput(f"没有属性「{name}」。", f"There is no trait “{name}”.")
    return names


def visible_codes(viewer: Viewer) -> dict[NodeId, str]:
    """The codes of the nodes that a viewer sees."""
    return {node.id: node.code for node in nodes() if viewer.sees(node.id)}


def shown_traits(codes: Mapping[NodeId, str], traits: Mapping[str, Any]) -> Traits:
    """Traits as JSON takes them: amounts as text, times with their zone, stores by the codes that the viewer sees."""
    return {
        name: codes.get(value) if TRAITS[name].type is TraitType.STORE else _plain(value)
        for name, value in traits.items()
    }


def _plain(value: Any) -> TraitValue:
    match value:
        case Decimal():
            return format(value, "f")
        case datetime():
            return aware(value).isoformat()
        case date():
            return value.isoformat()
    plain: TraitValue = value
    return plain

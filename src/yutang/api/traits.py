"""Traits: what is known of persons, the brand's own as documents, and values as of a past day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Body, Query, Router, Schema
from pydantic import Field

from yutang.api.door import REFUSALS, Number, Token, viewer_of, warehouse
from yutang.api.schemas import TitleOut, TraitValue, shown_traits, trait_names, under_its_name, visible_codes
from yutang.kernel.calendars import day_start
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadInput, NotFound
from yutang.organisation.contracts import Viewer
from yutang.profiles import registry
from yutang.profiles.contracts import Moment
from yutang.profiles.documents import TraitDocument
from yutang.profiles.past import is_a_rank, is_todays, traits_at
from yutang.profiles.queries import moment
from yutang.profiles.spread import spread
from yutang.profiles.traits import TRAITS, Trait
from yutang.segments.services import remove_trait

router = Router(tags=["traits"])

_EXAMPLE = {
    "kind": "trait",
    "name": "replies_30d",
    "schema": 1,
    "title": {"zh": "近 30 天来消息", "en": "Messages, last 30 days"},
    "of": "events",
    "take": "count",
    "where": {"type": "message.received"},
    "within": "30d",
}
DocumentIn = Annotated[dict[str, Any], Body(examples=[_EXAMPLE], description="A document of `kind: trait`.")]


class TraitOut(Schema):
    """A trait; `document` is there for the brand's own."""

    name: str = Field(examples=["orders_90d"])
    type: str
    title: TitleOut
    document: dict[str, Any] | None = None


class BarOut(Schema):
    """So many have this value; or, with `until`, one from it on."""

    value: TraitValue
    until: TraitValue = None
    persons: int


class SpreadOut(Schema):
    """How a trait is spread among `sample` persons, of whom `known` have a value."""

    name: str
    type: str
    sample: int
    known: int
    bars: list[BarOut]


class ThenOut(Schema):
    """Traits as of a past instant. `today` are known as of today only, `unknown` of no past day."""

    person: int
    as_of: datetime
    traits: dict[str, TraitValue]
    today: list[str]
    unknown: list[str]


@router.get("/traits", response={200: list[TraitOut], **REFUSALS}, auth=Token("read"))
def list_traits(request: HttpRequest) -> list[TraitOut]:
    """Every trait, those that ship first."""
    return [_shown(trait) for trait in TRAITS.values()]


@router.post("/traits/preview", response={200: SpreadOut, **REFUSALS}, auth=Token("read"))
def preview_trait(request: HttpRequest, document: DocumentIn) -> SpreadOut:
    """How a document would be spread among some of the persons whom the token sees; nothing is kept."""
    found = spread(warehouse(), viewer_of(request), parse(TraitDocument, document))
    bars = [BarOut(value=_plain(bar.value), until=_plain(bar.until), persons=bar.persons) for bar in found.bars]
    return SpreadOut(name=found.trait.name, type=found.trait.type, sample=found.persons, known=found.known, bars=bars)


@router.put("/traits/{name}", response={200: TraitOut, **REFUSALS}, auth=Token("plans:write"))
def put_trait(request: HttpRequest, name: str, document: DocumentIn) -> TraitOut:
    """Keep a document as the trait's next version; its values come with the next refresh. Only for headquarters."""
    read = under_its_name(parse(TraitDocument, document), name)
    registry.save_trait(read, viewer_of(request))
    return _shown(TRAITS[name])


@router.delete("/traits/{name}", response={200: list[TraitOut], **REFUSALS}, auth=Token("plans:write"))
def delete_trait(request: HttpRequest, name: str) -> list[TraitOut]:
    """Let a trait of the brand's own be no more; answers those that are left. Only for headquarters."""
    remove_trait(name, viewer_of(request))
    return list_traits(request)


@router.get("/persons/{person}/traits", response={200: ThenOut, **REFUSALS}, auth=Token("read"))
def traits_then(
    request: HttpRequest,
    person: Number,
    day: Annotated[date, Query(..., description="A local day that is over, or today: its end is looked at.")],
    traits: Annotated[str, Query("", description="Names of traits, separated by commas; without it, all.")] = "",
) -> ThenOut:
    """A person's traits as of the end of a past day."""
    names = trait_names(traits) or tuple(TRAITS)
    return _then(viewer_of(request), int(person), day, names)


def _then(viewer: Viewer, person: int, day: date, names: tuple[str, ...]) -> ThenOut:
    now = moment(warehouse())
    if not date(1990, 1, 1) <= day <= now.today:
        raise BadInput("请选 1990 年到今天的日子。", "Choose a day from 1990 until today.")
    at = min(day_start(day + timedelta(days=1), now.zone) - timedelta(microseconds=1), now.as_of)
    rows = traits_at(warehouse(), viewer, names, Moment(at, now.zone), [person]).to_pylist()
    if not rows:
        raise NotFound(f"没有编号为 {person} 的客户。", f"There is no person {person}.")
    return ThenOut(
        person=person,
        as_of=at,
        traits=shown_traits(visible_codes(viewer), {name: rows[0][name] for name in names}),
        today=[name for name in names if is_todays(name)],
        unknown=[name for name in names if is_a_rank(name)],
    )


def _shown(trait: Trait) -> TraitOut:
    document = next((one for one in TRAITS.documents if one.name == trait.name), None)
    return TraitOut(
        name=trait.name,
        type=trait.type,
        title=TitleOut(zh=trait.zh, en=trait.en),
        document=document.as_data() if document else None,
    )


def _plain(value: Any) -> TraitValue:
    return value.isoformat() if isinstance(value, date) else value

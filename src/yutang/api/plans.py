"""Plans: dry run, launch, stop, result."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Body, Router, Status

from yutang.api.door import REFUSALS, Limit, Number, Offset, Token, viewer_of, warehouse
from yutang.api.schemas import (
    BatchOut,
    CountsOut,
    EffectOut,
    Launched,
    LiftOut,
    PlanItem,
    PlanOut,
    PlansOut,
    PreviewOut,
    next_offset,
)
from yutang.kernel.clock import business_now
from yutang.kernel.documents import parse
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import senders
from yutang.reach import queries as plans
from yutang.reach import services as reach
from yutang.reach.contracts import PlanFacts
from yutang.reach.documents import BroadcastDocument
from yutang.reach.lift import Lift, Verdict

router = Router(tags=["plans"])

_EXAMPLE = {
    "kind": "broadcast",
    "name": "spring_news",
    "schema": 1,
    "title": {"zh": "春季上新", "en": "Spring arrivals"},
    "audience": {"everyone": True},
    "purpose": "marketing",
    "message": {"text": "春季新品到店，欢迎来看看。"},
    "hold_out": 0.1,
    "horizon_days": 28,
}
DocumentIn = Annotated[dict[str, Any], Body(examples=[_EXAMPLE], description="A document of `kind: broadcast`.")]


def _item(facts: PlanFacts) -> dict[str, Any]:
    return {
        "id": facts.id,
        "name": facts.document.name,
        "title": facts.document.title.model_dump(),
        "state": facts.state,
        "standing": facts.standing,
        "author": facts.author,
        "created_at": facts.created_at,
        "start": facts.start,
    }


def lift_out(lift: Lift | None, *, preliminary: bool) -> LiftOut:
    """Lift as the API and the shell tell it; `too_small` before anybody was decided."""
    if lift is None:
        return LiftOut(verdict=Verdict.TOO_SMALL, preliminary=preliminary)
    interval = lift.per_person
    return LiftOut(
        estimate=interval.value if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        verdict=lift.verdict,
        preliminary=preliminary,
        treated=lift.treated,
        held_out=lift.held_out,
    )


def _preliminary(viewer: Viewer, plan: int) -> bool:
    """Whether the window declared before launch is still open."""
    until = plans.measured_until(viewer, plan)
    return until is None or business_now() < until


@router.get("/plans", response={200: PlansOut, **REFUSALS}, auth=Token("read"))
def list_plans(request: HttpRequest, limit: Limit, offset: Offset) -> PlansOut:
    """Plans, newest first."""
    found = plans.plans(viewer_of(request), limit=limit + 1, offset=offset)
    return PlansOut(
        items=[PlanItem(**_item(facts)) for facts in found[:limit]], next_offset=next_offset(found, limit, offset)
    )


@router.post("/plans/preview", response={200: PreviewOut, **REFUSALS}, auth=Token("read"))
def preview_plan(request: HttpRequest, document: DocumentIn) -> PreviewOut:
    """What a plan would do if it were launched now; nothing is kept.

    `candidates = send + held_out + globally_held_out + sum(suppressed)`.
    """
    found = reach.preview(warehouse(), parse(BroadcastDocument, document), viewer_of(request))
    return PreviewOut(
        candidates=found.candidates,
        send=found.send,
        held_out=found.held_out,
        globally_held_out=found.globally_held_out,
        suppressed=dict(found.suppressed),
        smallest_effect=found.smallest_effect,
        smallest_effect_relative=found.smallest_effect_relative,
        effects=[EffectOut.model_validate(point, from_attributes=True) for point in found.effects],
        content_problem=found.content_problem,
        batches=found.batches,
        cost=float(found.cost),
    )


@router.post("/plans", response={201: Launched, **REFUSALS}, auth=Token("plans:write"))
def launch_plan(request: HttpRequest, document: DocumentIn) -> Status[Launched]:
    """Launch a plan: from the next turn of the clock its people go through the gate."""
    plan = reach.launch(parse(BroadcastDocument, document), viewer_of(request))
    return Status(201, Launched(id=plan))


@router.get("/plans/{plan}", response={200: PlanOut, **REFUSALS}, auth=Token("read"))
def get_plan(request: HttpRequest, plan: Number) -> PlanOut:
    """A plan with what became of its touches and what it earned.

    `decided = sent + failed + expired + unknown + sum(suppressed) + held_out + globally_held_out + pending`.
    """
    viewer = viewer_of(request)
    facts = plans.plan(viewer, plan)
    counts = plans.counts(warehouse(), viewer, plan)
    return PlanOut(
        **_item(facts),
        document=facts.document.as_data(),
        versions=dict(facts.versions),
        counts=CountsOut.model_validate(counts, from_attributes=True),
        lift=lift_out(plans.lift(warehouse(), viewer, plan), preliminary=_preliminary(viewer, plan)),
    )


@router.post("/plans/{plan}/stop", response={200: PlanItem, **REFUSALS}, auth=Token("plans:write"))
def stop_plan(request: HttpRequest, plan: Number) -> PlanItem:
    """Stop a running plan: nothing more is issued, and what is issued is cancelled at the next turn of the clock."""
    viewer = viewer_of(request)
    reach.stop(plans.plan(viewer, plan).id, viewer)
    return PlanItem(**_item(plans.plan(viewer, plan)))


@router.get("/plans/{plan}/batches", response={200: list[BatchOut], **REFUSALS}, auth=Token("read"))
def list_batches(request: HttpRequest, plan: Number) -> list[BatchOut]:
    """A plan's batches, untapped ones first, as far as the token sees their senders."""
    viewer = viewer_of(request)
    facts = plans.plan(viewer, plan)
    userids = {sender.id: sender.userid for sender in senders(viewer)}
    return [
        BatchOut(
            id=batch.id,
            userid=userids.get(batch.sender),
            size=batch.size,
            state=batch.state,
            due_at=batch.due_at,
            deadline=batch.deadline,
            tapped_at=batch.tapped_at,
            trouble=batch.trouble,
        )
        for batch in plans.batches(viewer, facts.id)
    ]

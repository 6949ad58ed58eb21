"""Events in."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Status

from yutang.api.door import REFUSALS, Token
from yutang.api.schemas import Accepted, EventsIn
from yutang.log.services import record

router = Router(tags=["events"])


@router.post("/events", response={202: Accepted, **REFUSALS}, auth=Token("events:write"))
def post_events(request: HttpRequest, body: EventsIn) -> Status[dict[str, int]]:
    """Record facts. All are durable when the answer comes; a second arrival of the same `id` at the same
    `occurred_at` changes nothing; an `id` used again with another `occurred_at` counts as another event."""
    events = [item.event() for item in body.events]
    with transaction.atomic():
        accepted = record(events)
    return Status(202, {"accepted": accepted})

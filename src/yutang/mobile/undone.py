"""Why a task was not done, as a guide says it on her phone: of what waits, and of what is over and nobody said why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from yutang.execution.contracts import Reason
from yutang.execution.queries import reasons_of
from yutang.execution.services import TEXT, give_reason
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput
from yutang.mobile.recording import Recording, kept
from yutang.mobile.session import Phone, PhoneRequest, phone_page
from yutang.mobile.telling import language, local
from yutang.reach.contracts import Standing
from yutang.reach.tallies import Wanted, plans_numbered, tasks_standing

BEHIND = timedelta(days=7)
"""For how long after it was due a task that is over is still asked about."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class OverRow:
    """A task that is over and was not done, as the page shows it."""

    batch: int
    title: str
    size: int
    until: datetime


def over_rows(phone: Phone, place: ZoneInfo) -> list[OverRow]:
    """The latest tasks of her own that are over, not done, and of which nobody said why."""
    if not phone.senders:
        return []
    wanted = Wanted(since=business_now() - BEHIND)
    found = tasks_standing(phone.viewer, wanted, phone.senders, [Standing.EXPIRED], limit=20)
    told = reasons_of(phone.viewer, [one.id for one in found])
    left = [one for one in found if one.id not in told][:SHOWN]
    plans = plans_numbered(phone.viewer, {one.plan for one in left})
    return [
        OverRow(
            one.id, plans[one.plan].document.title.text(language()), one.asked - one.done, local(one.deadline, place)
        )
        for one in left
    ]  # fmt: skip


@phone_page
@require_POST
def note_reason(request: PhoneRequest) -> HttpResponse:
    """Recorded on the phone: why (`result`) the task `batch` of hers is not done, with `text` in her own words. It is
    not asked after any more."""
    phone = request.phone

    def act(said: Recording) -> dict[str, Any]:
        wanted = said.text("result", 24)
        if wanted not in list(Reason):
            known = ", ".join(Reason)
            raise BadInput(f"原因应是 {known} 之一。", f"The reason must be one of {known}.")
        words = said.text("text", TEXT)
        give_reason(
            phone.viewer, said.id, Reason(wanted), batch=said.number("batch"), text=words, mine=phone.senders
        )  # fmt: skip
        return {"result": wanted}

    return kept(request, "reason", act)

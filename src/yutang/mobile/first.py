"""The first page of a guide's phone: at most three cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from yutang.channels.manual.contracts import CHANNEL as BY_HAND
from yutang.channels.manual.mass_send import number_of
from yutang.kernel.calendars import zone
from yutang.mobile.session import PhoneRequest, phone_page, shown
from yutang.mobile.telling import language, local
from yutang.reach.contracts import AskedFacts
from yutang.reach.queries import asked_of


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A task that waits for her tap, as the page shows it. `list`: the number of the list that is worked by hand."""

    facts: AskedFacts
    title: str
    until: datetime
    list: int | None


@phone_page
@require_safe
def first(request: PhoneRequest) -> HttpResponse:
    """The page."""
    place = zone(request.brand.zone)
    context = {"asked": asked_rows(asked_of(request.phone.senders), place)}
    return shown(request, "mobile/first.html", context, keep=True)


def asked_rows(found: Sequence[AskedFacts], place: ZoneInfo) -> list[AskedRow]:
    """Tasks in the reader's words."""
    return [
        AskedRow(
            one, one.title.text(language()), local(one.deadline, place),
            number_of(one.task) if one.channel == BY_HAND else None,
        )
        for one in found
    ]  # fmt: skip

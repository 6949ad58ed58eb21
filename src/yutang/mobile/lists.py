"""A list that is worked by hand, on the phone of whose it is: copy what to say, write down what came of it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.manual import queries, services
from yutang.channels.manual.contracts import ListFacts, ListState, Result
from yutang.files.answering import answer_of
from yutang.kernel.calendars import zone
from yutang.kernel.errors import BadInput, NotFound
from yutang.mobile.recording import Recording, kept
from yutang.mobile.session import PhoneRequest, phone_page, shown
from yutang.mobile.telling import language, local
from yutang.organisation.contracts import RoleName
from yutang.reach.queries import plans_of_tasks
from yutang.reach.services import read_soon


@phone_page
@require_safe
def one_list(request: PhoneRequest, number: int) -> HttpResponse:
    """The list."""
    facts = _own(request, number)
    plan = plans_of_tasks([facts.task]).get(facts.task)
    context = {
        "list": facts,
        "lines": queries.lines_of(request.phone.viewer, number),
        "title": plan.document.title.text(language()) if plan is not None else "",
        "until": local(facts.until, zone(request.brand.zone)) if facts.until is not None else None,
        "open": facts.state is ListState.OPEN,
    }
    return shown(request, "mobile/list.html", context, keep=True)


@phone_page
@require_safe
def file(request: PhoneRequest, digest: str) -> HttpResponse:
    """A file that stands beside a text, to be looked at or kept."""
    return answer_of(digest)


@phone_page
@require_POST
def note(request: PhoneRequest, number: int) -> HttpResponse:
    """Recorded on the phone: `result` of `line`, or, without a line, of everybody who is left."""
    _own(request, number)

    def act(said: Recording) -> dict[str, Any]:
        result = said.text("result", 12)
        if result not in list(Result):
            raise BadInput("结果应是 sent 或 not_reached。", "The result must be sent or not_reached.")
        lines = [said.number("line")] if "line" in said.given else None
        return {"noted": services.note(request.phone.viewer, number, lines, Result(result))}

    return kept(request, "list_note", act)


@phone_page
@require_POST
def hand_in(request: PhoneRequest, number: int) -> HttpResponse:
    """Recorded on the phone: all that was done is written down."""
    facts = _own(request, number)

    def act(said: Recording) -> dict[str, Any]:
        services.hand_in(request.phone.viewer, number)
        read_soon(facts.task)
        return {}

    return kept(request, "list_in", act)


def _own(request: PhoneRequest, number: int) -> ListFacts:
    """The list, if it is the reader's own, or of a store that they manage. Raises NotFound."""
    facts = queries.list_of(request.phone.viewer, number)
    if request.phone.viewer.role is RoleName.GUIDE and facts.sender.id not in request.phone.senders:
        raise NotFound(f"没有编号为 {number} 的名单。", f"There is no list number {number}.")
    return facts

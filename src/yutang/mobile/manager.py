"""店长: who has not sent, what each guide gained, where the store stands, and what is due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.execution.queries import reasons_of
from yutang.execution.services import ChaseScope, chase, may_chase
from yutang.kernel.calendars import local_day, zone
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import StaffId
from yutang.mobile.recording import Recording, kept
from yutang.mobile.session import PhoneRequest, phone_page, shown
from yutang.mobile.telling import language, local, why_not_words
from yutang.organisation.contracts import RoleName, StoreName, Viewer
from yutang.organisation.queries import stores
from yutang.people.queries import names_of
from yutang.reflex.queries import follow_ups
from yutang.review.peers import LEAST_ORDERS, LEAST_PEERS, peers
from yutang.tasks.store import Owing, owing, weeks

DUE_SHOWN = 5
MOST_STORES = 20


@dataclass(frozen=True, slots=True)
class OwingRow:
    """Whose tasks wait, as the page says it, and why (`why_not`, `words`), where somebody said.
    `excused`: of all of them, so that there is nothing to ask after."""

    staff: StaffId
    name: str
    tasks: int
    people: int
    until: datetime
    titles: str
    why_not: str
    words: str
    excused: bool


@dataclass(frozen=True, slots=True)
class DueRow:
    """A follow-up of the store's that is open. `name` is empty where nobody knows it."""

    name: str
    note: str
    userid: str
    due: date
    late: bool


@phone_page
@require_safe
def store(request: PhoneRequest) -> HttpResponse:
    """The page of one store; `?store=` by its code, for those who manage several."""
    viewer = request.phone.viewer
    if viewer.role is RoleName.GUIDE:
        raise Refused("这一页给店长和总部看。", "This page is for store managers and headquarters.")
    choice = stores(viewer)
    chosen = _chosen(request, choice)
    if chosen is None:
        return shown(request, "mobile/stores.html", _offered(choice, request.GET.get("find", "").strip()[:64]))
    only = replace(viewer, nodes=frozenset({chosen.id}))
    place = zone(request.brand.zone)
    found = weeks(request.warehouse, only)
    context = {
        "store": chosen,
        "several": len(choice) > 1,
        "may_ask": may_chase(viewer),
        "owing": _owing_rows(request, owing(only)),
        "weeks": found,
        "standing": peers(request.warehouse, only, chosen.id),
        "due": _due(request, only),
        "least_orders": LEAST_ORDERS,
        "least_peers": LEAST_PEERS,
        "at": local(business_now(), place),
    }
    return shown(request, "mobile/store.html", context, keep=True)


@phone_page
@require_POST
def ask_after(request: PhoneRequest) -> HttpResponse:
    """Recorded on the phone: ask after what waits for the `staff` of a `store`, as often as the policy allows."""
    viewer = request.phone.viewer

    def act(said: Recording) -> dict[str, Any]:
        scope = ChaseScope(at=said.text("store", 64), staff=StaffId(said.number("staff")))
        return {"chase": chase(viewer, said.id, scope)}

    return kept(request, "chase", act)


def _chosen(request: PhoneRequest, choice: list[StoreName]) -> StoreName | None:
    """The store that is asked for, else the only one, else one's own; None where they want to choose. Raises NotFound
    for one outside their scope."""
    code = request.GET.get("store", "")
    if code:
        found = next((node for node in choice if node.code == code), None)
        if found is None:
            raise NotFound(f"没有编号为「{code[:64]}」的门店。", f"There is no store with the code “{code[:64]}”.")
        return found
    if len(choice) == 1:
        return choice[0]
    if "choose" in request.GET or "find" in request.GET:
        return None
    return next((node for node in choice if node.id == request.phone.store), None)


def _offered(choice: list[StoreName], find: str) -> dict[str, object]:
    """Those to choose from whose name or code has what is looked for; a thumb goes through no more than some."""
    word = find.casefold()
    fit = [one for one in choice if word in one.name.casefold() or word in one.code.casefold()]
    return {
        "stores": fit[:MOST_STORES], "find": find, "search": len(choice) > MOST_STORES, "rest": len(fit) - MOST_STORES
    }  # fmt: skip


def _owing_rows(request: PhoneRequest, found: list[Owing]) -> list[OwingRow]:
    told = reasons_of(request.phone.viewer, [task.id for one in found for task in one.tasks])
    place, words = zone(request.brand.zone), why_not_words()
    rows = []
    for one in found:
        titles = list(dict.fromkeys(task.title.text(language()) for task in one.tasks))
        said = next((told[task.id] for task in one.tasks if task.id in told), None)
        why_not, own = ("", "") if said is None else (words[said[0].value], said[1])
        until, named = local(one.deadline, place), _("、").join(titles[:2])
        excused = all(task.id in told for task in one.tasks)
        rows.append(OwingRow(one.staff, one.name, len(one.tasks), one.people, until, named, why_not, own, excused))
    return rows


def _due(request: PhoneRequest, only: Viewer) -> list[DueRow]:
    found = follow_ups(only, limit=DUE_SHOWN)
    names = names_of(only, [one.person for one in found])
    now = business_now()
    return [
        DueRow(
            names.get(one.person, ""), one.note.get(language(), ""), one.userid,
            local_day(one.due_at, request.brand.zone), one.due_at < now,
        )
        for one in found
    ]  # fmt: skip

"""线索: every lead in one list, worked where it stands, and what each source brought."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST, require_safe

from yutang.connect.contracts import FEWEST
from yutang.connect.leads import Lead, LeadState, by_source, leads, work_lead
from yutang.console.pages import Page, page
from yutang.console.tables import Pager, page_number
from yutang.people.queries import names_of


@dataclass(frozen=True, slots=True)
class LeadRow:
    """A lead with a name."""

    lead: Lead
    name: str


@page
@require_safe
def lead_list(request: Page) -> HttpResponse:
    """The list; `?source=` and `?state=` keep some."""
    found = leads(request.warehouse, request.viewer)
    source, state = request.GET.get("source", ""), request.GET.get("state", "")
    kept = [one for one in found if source in ("", one.source) and state in ("", one.state.value)]
    pager = Pager(page_number(request), len(kept))
    shown = kept[pager.offset : pager.offset + pager.size]
    names = names_of(request.viewer, [one.person for one in shown])
    context = {
        "rows": [LeadRow(one, names.get(one.person, "")) for one in shown],
        "pager": pager,
        "results": by_source(found),
        "source": source,
        "state": state,
        "states": [one.value for one in LeadState],
        "fewest": FEWEST,
    }
    return render(request, "console/leads.html", context)


@page
@require_POST
def lead_work(request: Page) -> HttpResponseBase:
    """Note how far a lead was worked."""
    work_lead(request.warehouse, request.viewer, request.POST.get("lead", ""), request.POST.get("state", ""))
    back = request.POST.get("back", "")
    return redirect(f"{reverse('leads')}?{back}" if back else "leads")


urls = [
    path("connect/leads/", lead_list, name="leads"),
    path("connect/leads/work/", lead_work, name="lead_work"),
]

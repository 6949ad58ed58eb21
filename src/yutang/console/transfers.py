"""交接: who left or gives away, who takes over their customers and groups, and how each hand-over goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.connect import handovers, inheritance
from yutang.connect.contracts import HandoverState
from yutang.connect.group_handover import A_DAY
from yutang.connect.handovers import Failure, Offer, Progress
from yutang.connect.inheritance import FAILED
from yutang.console.pages import Page, language, operators_only, page
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.console.words import HANDOVERS, said
from yutang.kernel.errors import YutangError
from yutang.organisation.contracts import NodeKind
from yutang.organisation.queries import nodes, senders

MOST_EXPORTED = 100_000


@dataclass(frozen=True, slots=True)
class Taking:
    """A member who would take over so many customers and groups."""

    name: str
    customers: int
    groups: int


@page
@require_safe
def transfers(request: Page) -> HttpResponseBase:
    """`?handover=` with `?to=` (repeated) or `?store=` previews; nothing is asked for."""
    operators_only(request.viewer)
    asked = _asked(request.GET)
    staff = [one for one in senders(request.viewer) if one.channel == inheritance.WECOM]
    names = {one.userid.casefold(): one.name for one in staff}
    offer: Offer | None = None
    problem = ""
    if asked["handover"] and (asked["takers"] or asked["store"]):
        try:
            offer = handovers.preview(request.warehouse, request.viewer, **asked)
        except YutangError as error:
            problem = error.sentence(language())
    given = offer.customers.handover if offer else ""
    context = {
        "waiting": [
            (names.get(member.casefold(), member), member, customers, groups)
            for _corp, member, customers, groups in handovers.left_behind(request.viewer)
        ],
        "rows": [(names.get(one.handover.casefold(), one.handover), one)
                 for one in handovers.all_progress(request.viewer)],
        "staff": [one for one in staff if one.active],
        "stores": [node for node in nodes() if node.kind is NodeKind.STORE],
        "asked": asked,
        "offer": offer,
        "takings": _takings(offer, names) if offer else [],
        "giver": names.get(given.casefold(), given),
        "problem": problem,
        "a_day": A_DAY,
    }  # fmt: skip
    return render(request, "console/transfers.html", context)


def _asked(form: Any) -> dict[str, Any]:
    """Who gives and who takes, as a form says it. Groups go along unless the form says otherwise."""
    return {
        "handover": form.get("handover", "").strip(),
        "takers": [one for one in form.getlist("to") if one],
        "store": form.get("store", "").strip(),
        "again": form.get("again", "") == "yes",
        "groups": form.get("groups", "yes") == "yes",
    }


def _takings(offer: Offer, names: Mapping[str, str]) -> list[Taking]:
    customers, groups = offer.customers.by_taker, offer.groups.by_taker
    return [
        Taking(names.get(one.casefold(), one), customers.get(one, 0), groups.get(one, 0))
        for one in sorted(set(customers) | set(groups))
    ]


@page
@require_POST
def transfers_start(request: Page) -> HttpResponseBase:
    """Begin what was previewed."""
    operators_only(request.viewer)
    asked = _asked(request.POST)
    message = request.POST.get("message", "").strip()
    giver = inheritance.giver_named(request.viewer, asked["handover"])
    found = handovers.start(request.warehouse, request.viewer, message=message, **asked)
    messages.success(
        request,
        _("已发起 %(n)s 位客户、%(g)s 个群的交接，会自己进行到底。")
        % {"n": f"{found.customers.customers:,}", "g": f"{len(found.groups.groups):,}"},
    )
    return redirect(f"{reverse('transfer')}?{urlencode({'corp': giver.corp, 'of': giver.userid})}")


@page
@require_safe
def transfer(request: Page) -> HttpResponseBase:
    """How the hand-over of `?corp=` and `?of=` stands: progress, what each taker got, and each failure with what helps;
    `?state=` keeps some, `?export=` gives them as a file."""
    operators_only(request.viewer)
    corp, of = request.GET.get("corp", ""), request.GET.get("of", "")
    found: Progress = handovers.progress_of(request.viewer, corp, of)
    wanted = request.GET.get("state", "")
    state = HandoverState(wanted) if wanted in list(FAILED) else None
    names = {one.userid.casefold(): one.name for one in senders(request.viewer) if one.channel == inheritance.WECOM}
    if wanted_format(request):
        _total, rows = handovers.failures(request.viewer, corp, of, state=state, limit=MOST_EXPORTED)
        return _export(request, rows, names)
    number = page_number(request)
    total, rows = handovers.failures(request.viewer, corp, of, state=state, limit=50, offset=(number - 1) * 50)
    context = {
        "found": found,
        "name": names.get(found.handover.casefold(), found.handover),
        "takers": [(names.get(one.takeover.casefold(), one.takeover), one)
                   for one in handovers.takers_shares(request.viewer, corp, of)],
        "rows": [(row, names.get(row.takeover.casefold(), row.takeover)) for row in rows],
        "pager": Pager(number, total),
        "states": [(one.value, found.customers.states.get(one, 0) + found.groups.states.get(one, 0)) for one in FAILED],
        "state": state.value if state else "",
        "failed": found.customers.failed + found.groups.failed,
        "a_day": A_DAY,
    }  # fmt: skip
    return render(request, "console/transfer.html", context)


def _export(request: Page, rows: Sequence[Failure], names: Mapping[str, str]) -> HttpResponseBase:
    head = [_("类型"), _("编号"), _("姓名或群名"), _("接替的员工"), _("状态"), _("原因和办法"), _("时间")]
    at = 1 if language().startswith("en") else 0
    return exported(
        request,
        "handover-failures",
        head,
        (
            (
                _("群") if row.group else _("客户"),
                row.group or row.person,
                row.name,
                names.get(row.takeover.casefold(), row.takeover),
                said(HANDOVERS, row.state.value),
                row.reason[at],
                row.at,
            )
            for row in rows
        ),
    )


urls = [
    path("connect/transfers/", transfers, name="transfers"),
    path("connect/transfers/start/", transfers_start, name="transfers_start"),
    path("connect/transfers/of/", transfer, name="transfer"),
]

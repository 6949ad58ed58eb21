"""超级用户: who they are and by which signs, and at which fee a paid membership of theirs would pay back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from yutang.console.figures import bar
from yutang.console.pages import Page, operators_only, page
from yutang.console.sentences import sentence
from yutang.console.tables import PAGE_SIZE, Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import SUPER_SIGNS, said
from yutang.documents import queries as documents
from yutang.documents.queries import versions as history
from yutang.kernel.documents import parse
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, PersonId
from yutang.layers import super_users as queries
from yutang.layers.documents import DEFAULT, SuperUsersDocument
from yutang.layers.membership import FeeRow
from yutang.organisation.contracts import NodeFacts
from yutang.organisation.queries import nodes
from yutang.people.queries import names_of
from yutang.profiles.queries import as_of
from yutang.segments.documents import SegmentDocument
from yutang.segments.queries import count, members_page
from yutang.segments.services import save

MOST_EXPORTED = 1_000_000
SAMPLE = 20
SAMPLED = ("potential_value", "potential_low", "potential_high", "spend_365d", "reachable")


@page
@require_safe
def super_users(request: Page) -> HttpResponseBase:
    """The list and the fees; `?sign=` and `?reachable=yes|no` keep some, `?sort=` orders, `?export=` makes a file."""
    warehouse, viewer = request.warehouse, request.viewer
    at = as_of(warehouse)
    if at is None:
        return render(request, "console/layers_super.html", {"tab": "super"})
    document = queries.super_users_document()
    sign = request.GET.get("sign", "")
    reachable = {"yes": True, "no": False}.get(request.GET.get("reachable", ""))
    order = sorting(request, queries.SORTS, "-spend_365d")
    kept: dict[str, Any] = {"sign": sign, "reachable": reachable, "order": order}
    places = {node.id: node for node in nodes()}
    if wanted_format(request):
        _total, every = queries.listed(warehouse, viewer, document, **kept, limit=MOST_EXPORTED)
        return _export(request, document, every, places)
    number = page_number(request)
    offset = (number - 1) * PAGE_SIZE
    total, found = queries.listed(warehouse, viewer, document, **kept, limit=PAGE_SIZE, offset=offset)
    fees = queries.membership(warehouse, viewer, document)
    largest = max((abs(row.together.value) for row in fees.rows if row.together), default=0.0)
    names = names_of(viewer, [PersonId(row["person"]) for row in found])
    context = {
        "tab": "super",
        "as_of": at,
        "document": document,
        "counts": queries.counts(warehouse, viewer, document),
        "rows": [_shown(row, document, names, places) for row in found],
        "pager": Pager(number, total),
        "sign": sign,
        "reachable": request.GET.get("reachable", ""),
        "sort": order,
        "signs": list(document.rules()),
        "fees": fees,
        "rates": [(row, bar(row.together.value, largest) if row.together else "") for row in fees.rows],
        "margin": document.membership.margin if fees.margin is None else fees.margin,
        "stored": documents.find(SuperUsersDocument, DEFAULT),
    }
    return render(request, "console/layers_super.html", context)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: Page) -> HttpResponseBase:
    """Whom a yearly fee (`fee`) serves: first shown, then, once confirmed, kept as a segment."""
    operators_only(request.viewer)
    document = queries.super_users_document()
    row = _row_of(request, document)
    segment = queries.invited(document, row.fee, row.least or 0.0)
    before = history(SegmentDocument, segment.name)
    if request.method == "POST":
        kept = before[0].document == segment if before else False
        if not kept:
            save(segment, request.viewer)
        messages.success(request, _("已存为分群，可以接着做计划。"))
        return redirect("segment", segment.name)
    total, found = members_page(
        request.warehouse, request.viewer, segment, limit=SAMPLE, order="-potential_value", traits=SAMPLED
    )
    rows = found.to_pylist()
    names = names_of(request.viewer, [PersonId(one["person"]) for one in rows])
    context = {
        "row": row,
        "segment": segment,
        "says": sentence(segment, {}),
        "total": total,
        "reachable": count(request.warehouse, request.viewer, _reachable(segment)),
        "rows": [{**one, "name": names.get(one["person"])} for one in rows],
        "version": before[0].version + 1 if before else 1,
    }
    return render(request, "console/layers_invite.html", context)


def _row_of(request: Page, document: SuperUsersDocument) -> FeeRow:
    """The row of the fee that is asked for. Raises NotFound where it is none of the document's, or cannot be told."""
    given = request.POST.get("fee", "") or request.GET.get("fee", "")
    try:
        row = queries.membership(request.warehouse, request.viewer, document).row(float(given))
    except ValueError:
        row = None
    if row is None or row.least is None:
        raise NotFound(
            f"没有「{given[:20]}」这一档年费，或者还算不出来。",
            f"There is no yearly fee “{given[:20]}”, or it cannot be told yet.",
        )
    return row


def _reachable(segment: SegmentDocument) -> SegmentDocument:
    """Those of a segment who may be written to."""
    data = segment.as_data()
    return parse(SegmentDocument, {**data, "where": {"all": [data["where"], {"trait": "reachable", "is": True}]}})


def _shown(
    row: Mapping[str, Any],
    document: SuperUsersDocument,
    names: Mapping[PersonId, str],
    places: Mapping[NodeId, NodeFacts],
) -> dict[str, Any]:
    signs = [sign for sign in document.rules() if row[sign]]
    return {**row, "name": names.get(row["person"]), "has": signs, "store": places.get(row["home_store"])}


def _export(
    request: Page,
    document: SuperUsersDocument,
    found: Sequence[Mapping[str, Any]],
    places: Mapping[NodeId, NodeFacts],
) -> HttpResponseBase:
    head = [
        _("编号"),
        *(said(SUPER_SIGNS, sign) for sign in document.rules()),
        _("近 365 天订单数"),
        _("近 365 天消费"),
    ]
    head += [_("距上次到店天数"), _("门店编号"), _("可触达")]
    rows = []
    for row in found:
        store = places.get(row["home_store"])
        seen = store.code if store is not None and request.viewer.sees(store.id) else ""
        signs = (bool(row[sign]) for sign in document.rules())
        traits = (row["orders_365d"], row["spend_365d"], row["days_since_last_visit"], seen, row["reachable"])
        rows.append((row["person"], *signs, *traits))
    return exported(request, "super-users", head, rows)


urls = [
    path("layers/super-users/", super_users, name="layers_super"),
    path("layers/super-users/invite/", invite, name="layers_invite"),
]

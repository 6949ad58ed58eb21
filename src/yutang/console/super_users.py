"""超级用户: who they are and by which signs, and at which fee a paid membership of theirs would pay back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.figures import bar
from yutang.console.pages import Page, page
from yutang.console.tables import PAGE_SIZE, Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import SUPER_SIGNS, said
from yutang.documents import queries as documents
from yutang.kernel.ids import NodeId, PersonId
from yutang.layers import super_users as queries
from yutang.layers.documents import DEFAULT, SuperUsersDocument
from yutang.layers.membership import best
from yutang.organisation.contracts import NodeFacts
from yutang.organisation.queries import nodes
from yutang.people.queries import names_of
from yutang.profiles.queries import as_of

MOST_EXPORTED = 1_000_000


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
    fees, least = queries.membership(warehouse, viewer, document)
    largest = max((abs(row.together.value) for row in fees if row.together), default=0.0)
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
        "fees": [(row, bar(row.together.value, largest) if row.together else "") for row in fees],
        "least": least,
        "best": best(list(fees)),
        "stored": documents.find(SuperUsersDocument, DEFAULT),
    }
    return render(request, "console/layers_super.html", context)


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


urls = [path("layers/super-users/", super_users, name="layers_super")]

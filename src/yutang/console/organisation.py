"""组织: regions, stores and staff; what a list by file changes is counted before it is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.connect.qr import qr_svg
from yutang.console.pages import Page, page
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.intake import rolls as files
from yutang.intake.collect.held import headquarters
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId
from yutang.organisation import phones, rolls, services
from yutang.organisation.contracts import NodeFacts, NodeKind, RoleName
from yutang.organisation.queries import corps, nodes, senders

MANUAL = ("manual", "")
"""Staff of a brand without an API: they are told what to do, and do it by hand."""
SORTS = ("name", "code", "region", "staff")


@dataclass(frozen=True, slots=True)
class Store:
    """A store in the list. `region`: the names above it; `staff`: accounts that can speak."""

    node: NodeFacts
    region: str
    staff: int


@page
@require_safe
def organisation(request: Page) -> HttpResponseBase:
    """Regions and stores; `?find=`, `?region=`, `?sort=` and `?export=` (csv, xlsx, parquet)."""
    tree = {node.id: node for node in nodes()}
    team = Counter(sender.store for sender in senders(request.viewer) if sender.active)
    stores = [
        Store(node, _above(tree, node), team[node.id])
        for node in tree.values()
        if node.kind is NodeKind.STORE and request.viewer.sees(node.id)
    ]
    wanted = request.GET.get("find", "").strip().casefold()
    region = request.GET.get("region", "")
    shown = [
        store
        for store in stores
        if (not wanted or wanted in f"{store.node.name} {store.node.code}".casefold())
        and (not region or f"/{region}/" in f"/{store.region}/")
        and (request.GET.get("place") != "none" or store.node.place is None)
    ]
    sort = sorting(request, SORTS, "code")
    shown.sort(key=partial(_key, sort.removeprefix("-")), reverse=sort.startswith("-"))
    if wanted_format(request):
        return _export(request, shown)
    pager = Pager(page_number(request), len(shown))
    context = {
        "rows": shown[pager.offset : pager.offset + pager.size],
        "pager": pager,
        "sort": sort,
        "given": request.GET,
        "count": len(stores),
        "staff": sum(team.values()),
        "unplaced": sum(store.node.place is None for store in stores),
        "regions": [
            (node, _above(tree, node, itself=True))
            for node in tree.values()
            if node.kind is NodeKind.REGION and request.viewer.sees(node.id)
        ],
        "may_change": _may_change(request),
    }
    return render(request, "console/organisation.html", context)


@page
@require_safe
def node(request: Page, code: str) -> HttpResponseBase:
    """A store with its staff, or a region, to be changed."""
    return _show(request, _visible(request, code))


@page
@require_POST
def keep_node(request: Page) -> HttpResponseBase:
    """Keep a store or a region as the form says."""
    headquarters(request.viewer)
    given = request.POST
    row = files.store_of(_cells(given, files.STORES.fields))
    code = row.code
    if any(node.code == code and node.kind is NodeKind.REGION for node in nodes()):
        keep = partial(rolls.keep_region, code, row.name or code, row.zone or "")
    else:
        keep = partial(rolls.keep_stores, [row])
    files.followed(request.warehouse, keep)
    services.audit(request.viewer, "keep_node", code)
    messages.success(request, _("已保存。"))
    return redirect("node", code)


@page
@require_POST
def keep_account(request: Page) -> HttpResponseBase:
    """Keep an account of a store as the form says."""
    headquarters(request.viewer)
    given = _cells(request.POST, files.STAFF.fields)
    store = _visible(request, given.get("store", ""))
    channel, corp = _account_of(request.POST.get("corp", ""))
    files.followed(request.warehouse, partial(rolls.keep_staff, [files.staff_of(given, channel, corp)]))
    services.audit(request.viewer, "keep_account", given["staff"][:64], store=store.code)
    messages.success(request, _("已保存。"))
    return redirect("node", store.code)


@page
@require_POST
def make_phone_link(request: Page) -> HttpResponseBase:
    """A link by which a member of staff opens the phone's pages, once; shown once."""
    account, corp = request.POST.get("account", ""), request.POST.get("corp", "")
    secret, until = phones.make_link(request.viewer, account, corp)
    link = request.build_absolute_uri(reverse("phone_link", args=[secret]))
    context = {"link": link, "picture": qr_svg(link), "until": until, "account": account}
    answer = render(request, "console/organisation_link.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


@page
@require_safe
def list_new(request: Page) -> HttpResponseBase:
    """Where a list of stores or staff is handed in."""
    headquarters(request.viewer)
    return render(request, "console/organisation_list.html", {"accounts": _accounts()})


@page
@require_POST
def list_read(request: Page) -> HttpResponseBase:
    """What a list would change; with `keep`, change it."""
    headquarters(request.viewer)
    context: dict[str, object] = {"accounts": _accounts(), "given": request.POST}
    file = request.FILES.get("list")
    if file is None:
        return render(request, "console/organisation_list.html", {**context, "missing": True}, status=422)
    keep = "keep" in request.POST
    given = files.SentFile(Path(file.name or "list.csv").name, file.read())
    if request.POST.get("of") == "staff":
        channel, corp = _account_of(request.POST.get("corp", ""))
        report = files.read_staff(request.warehouse, given, channel=channel, corp=corp, dry_run=not keep)
    else:
        report = files.read_stores(request.warehouse, given, dry_run=not keep)
    if keep and not report.refused:
        services.audit(request.viewer, "keep_list", request.POST.get("of", "stores"), rows=report.rows)
    return render(request, "console/organisation_list.html", {**context, "report": report})


def _show(request: Page, shown: NodeFacts) -> HttpResponseBase:
    tree = {node.id: node for node in nodes()}
    context = {
        "node": shown,
        "region": _above(tree, shown),
        "own_zone": shown.parent is not None and shown.zone != tree[shown.parent].zone,
        "above": tree[shown.parent] if shown.parent is not None else None,
        "team": [sender for sender in senders(request.viewer) if sender.store == shown.id],
        "accounts": _accounts(),
        "may_change": _may_change(request) and shown.kind is not NodeKind.BRAND,
        "may_link": request.viewer.may_operate or request.viewer.role is RoleName.MANAGER,
    }
    return render(request, "console/organisation_one.html", context)


def _visible(request: Page, code: str) -> NodeFacts:
    for found in nodes():
        if found.code == code and request.viewer.sees(found.id):
            return found
    raise NotFound(
        f"没有编号为「{code[:40]}」的门店或区域。", f"There is no store or region with the code “{code[:40]}”."
    )


def _may_change(request: Page) -> bool:
    return request.viewer.may_operate and request.viewer.sees_all


def _above(tree: Mapping[NodeId, NodeFacts], node: NodeFacts, itself: bool = False) -> str:
    """The names of the regions above a node, from the top."""
    names = [node.name] if itself else []
    parent = node.parent
    while parent is not None and tree[parent].kind is NodeKind.REGION:
        names.append(tree[parent].name)
        parent = tree[parent].parent
    return rolls.BELOW.join(reversed(names))


def _accounts() -> list[tuple[str, str]]:
    """(channel, corp) of whose accounts staff may be."""
    return [*((corp.channel, corp.corp) for corp in corps()), MANUAL]


def _account_of(chosen: str) -> tuple[str, str]:
    for channel, corp in _accounts():
        if chosen == f"{channel} {corp}":
            return channel, corp
    raise NotFound("没有连接这个企业。", "That corp is not connected.")


def _cells(given: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: given[name].strip() for name in names if name in given}


def _key(sort: str, store: Store) -> tuple[object, str]:
    values = {"name": store.node.name, "region": store.region, "staff": store.staff}
    return values.get(sort, ""), store.node.code


def _export(request: Page, stores: list[Store]) -> HttpResponseBase:
    head = ("code", "name", "region", "zone", "latitude", "longitude", "staff")
    rows = ((s.node.code, s.node.name, s.region, s.node.zone, *(s.node.place or ("", "")), s.staff) for s in stores)
    return exported(request, "stores", head, rows)


urls = [
    path("settings/organisation/", organisation, name="organisation"),
    path("settings/organisation/keep/", keep_node, name="keep_node"),
    path("settings/organisation/staff/", keep_account, name="keep_account"),
    path("settings/organisation/phone/", make_phone_link, name="make_phone_link"),
    path("settings/organisation/list/", list_new, name="organisation_list"),
    path("settings/organisation/list/read/", list_read, name="organisation_read"),
    path("settings/organisation/of/<path:code>/", node, name="node"),
]

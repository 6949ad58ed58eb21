"""封号演练: what each account, corp or channel would cost if it were gone, who is lost with it, and the plan to reach
them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.connect.queries import way as contact_way
from yutang.connect.queries import ways as contact_ways
from yutang.console.pages import Page, operators_only, page
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import DRILL_WAYS, said
from yutang.guard.drill import queries, services
from yutang.guard.drill.contracts import Drill, LostPerson, Risk, Spared, UnitLevel
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId
from yutang.organisation.queries import Place, places
from yutang.people.queries import names_of

MOST_EXPORTED = 100_000
STORES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class RiskRow:
    """A unit with its store."""

    risk: Risk
    store: Place | None

    @property
    def share(self) -> float | None:
        """Lost, of all whom the unit reaches."""
        return self.risk.lost / self.risk.reached if self.risk.reached else None


@dataclass(frozen=True, slots=True)
class LostRow:
    """A lost person with what they are called and where they live."""

    lost: LostPerson
    name: str | None
    store: Place | None


SORTS = {"lost": "lost", "reached": "reached", "share": "share"}


@page
@require_safe
def drills(request: Page) -> HttpResponseBase:
    """集中风险: every account (or `?level=corp`, `channel`) by how many would be lost; `?store=`, `?find=` narrow."""
    level = _level(request.GET.get("level", ""))
    where = {place.id: place for place in places()}
    counted = queries.ranking(request.warehouse, request.viewer, level)
    rows = [RiskRow(risk, where.get(risk.unit.store) if risk.unit.store else None) for risk in counted.value]
    find, store = request.GET.get("find", "").strip(), request.GET.get("store", "")
    if find or wanted_format(request):
        rows = _named(request, rows)
    stores = sorted({row.store.code: row.store for row in rows if row.store}.items())
    kept = [row for row in rows if _fits(row, find, store)]
    sort = sorting(request, SORTS, "-lost")
    key = sort.removeprefix("-")
    kept.sort(
        key=lambda row: (row.share or 0.0) if key == "share" else float(getattr(row.risk, key)),
        reverse=sort.startswith("-"),
    )
    if wanted_format(request):
        return _export_ranking(request, kept)
    pager = Pager(page_number(request), len(kept))
    context = {
        "level": level.value,
        "levels": [one.value for one in UnitLevel],
        "rows": _named(request, kept[pager.offset : pager.offset + pager.size]),
        "as_of": counted.as_of,
        "pager": pager,
        "sort": sort,
        "find": find,
        "store": store,
        "stores": [node for _code, node in stores],
        "filtered": bool(find or store),
        "any": bool(rows),
        "first": next((row for row in rows if row.risk.lost), None),
    }
    return render(request, "console/drill.html", context)


def _named(request: Page, rows: Sequence[RiskRow]) -> list[RiskRow]:
    """The same rows with the names of their accounts: thousands are opened slowly."""
    units = queries.named(request.viewer, [row.risk.unit for row in rows])
    return [replace(row, risk=replace(row.risk, unit=unit)) for row, unit in zip(rows, units, strict=True)]


def _fits(row: RiskRow, find: str, store: str) -> bool:
    unit = row.risk.unit
    words = f"{unit.name} {unit.userid} {unit.of}".casefold()
    return find.casefold() in words and (not store or (row.store is not None and row.store.code == store))


@page
@require_safe
def drill_one(request: Page) -> HttpResponseBase:
    """`?level=` and `?of=` gone: who is still reached and how, by store, and the list of who is lost (`?export=`)."""
    level = _level(request.GET.get("level", ""))
    unit = queries.unit(request.viewer, level, request.GET.get("of", ""))
    where = {place.id: place for place in places()}
    store = _store(request.GET.get("store", ""))
    bought = {"yes": True, "no": False}.get(request.GET.get("bought", ""))
    exporting = wanted_format(request) is not None
    left = queries.without(request.warehouse, request.viewer, unit, now=exporting)
    if exporting and request.GET.get("table") == "stores":
        return _export_stores(request, left.told(), where)
    ask = partial(left.lost, request.warehouse, request.viewer, store=store.id if store else None, bought=bought)
    if exporting:
        return _export_lost(request, _rows(request, ask(limit=MOST_EXPORTED)[1], where))
    gone = left.told()
    pager = Pager(page_number(request), 0)
    total, found = ask(limit=pager.size, offset=pager.offset)
    find = request.GET.get("find", "").strip()
    stores = [(one, where.get(one.store) if one.store else None) for one in gone.stores]
    stores = [pair for pair in stores if not find or _is_called(pair[1], find)]
    shelf = Pager(page_number(request, "stores"), len(stores), STORES_SHOWN)
    context = {
        "unit": unit,
        "gone": gone,
        "as_of": gone.as_of,
        "by_way": sorted(gone.whole.by_way.items(), key=lambda pair: -pair[1]),
        "could": sorted(gone.could.items()),
        "stores": stores[shelf.offset : shelf.offset + shelf.size],
        "shelf": shelf,
        "many": len(gone.stores) > STORES_SHOWN,
        "find": find,
        "invited": next((one.lost for one in gone.stores if one.store == store.id), 0) if store else gone.whole.lost,
        "names": sorted(gone.whole.by_way, key=lambda name: -gone.whole.by_way[name]),
        "rows": _rows(request, found, where),
        "pager": replace(pager, total=total),
        "given": request.GET,
        "filtered": bool(store or bought is not None),
        "store": store,
        "ways": contact_ways(request.viewer) if request.viewer.may_operate else [],
        "text": services.TEXT,
        "place": where.get(unit.store) if unit.store else None,
    }
    return render(request, "console/drill_one.html", context)


@page
@require_POST
def drill_invite(request: Page) -> HttpResponseBase:
    """One click: a segment of those who would be lost, and a draft that invites them to a second way."""
    operators_only(request.viewer)
    given = request.POST
    unit = queries.unit(request.viewer, _level(given.get("level", "")), given.get("of", ""))
    store = _store(given.get("store", ""))
    facts = contact_way(request.viewer, given.get("way", ""))
    made = services.invite(
        request.warehouse,
        request.viewer,
        unit,
        way=given.get("way", ""),
        address=request.build_absolute_uri(reverse("landing", args=[facts.slug])),
        text=given.get("text", "").replace("\r\n", "\n").strip() or services.TEXT,
        store=store.id if store else None,
    )
    messages.success(
        request, _("已把 %(n)s 人存为分群，并写好草稿：看一遍，试算，再下发。") % {"n": f"{made.persons:,}"}
    )
    return redirect(f"{reverse('plan_document')}?{urlencode({'draft': made.draft})}")


def _level(text: str) -> UnitLevel:
    return UnitLevel(text) if text in list(UnitLevel) else UnitLevel.ACCOUNT


def _store(code: str) -> Place | None:
    if not code:
        return None
    for node in places():
        if node.code == code:
            return node
    raise NotFound(f"没有编号为「{code[:40]}」的门店。", f"There is no store with the code “{code[:40]}”.")


def _is_called(store: Place | None, find: str) -> bool:
    return store is not None and find.casefold() in f"{store.code} {store.name}".casefold()


def _rows(request: Page, found: Sequence[LostPerson], where: Mapping[NodeId, Place]) -> list[LostRow]:
    names = names_of(request.viewer, [one.person for one in found])
    return [LostRow(one, names.get(one.person), where.get(one.store) if one.store else None) for one in found]


def _export_ranking(request: Page, rows: Sequence[RiskRow]) -> HttpResponseBase:
    head = [_("账号/企业/渠道"), _("姓名"), _("渠道"), _("企业"), _("门店"), _("可触达"), _("仍可触达"), _("会失联")]
    return exported(
        request,
        "ban-drill",
        head,
        (
            (row.risk.unit.userid or row.risk.unit.of, row.risk.unit.name, row.risk.unit.channel, row.risk.unit.corp,
             row.store.code if row.store else "", row.risk.reached, row.risk.still, row.risk.lost)
            for row in rows
        ),
    )  # fmt: skip


def _export_stores(request: Page, gone: Drill, where: Mapping[NodeId, Place]) -> HttpResponseBase:
    names = sorted(gone.whole.by_way)
    head = [_("门店"), _("可触达"), _("仍可触达"), _("会失联"), *(said(DRILL_WAYS, name) for name in names)]

    def row(one: Spared) -> list[object]:
        node = where.get(one.store) if one.store else None
        return [node.code if node else "", one.reached, one.still, one.lost, *(one.by_way.get(n, 0) for n in names)]

    return exported(request, "ban-drill-stores", head, map(row, gone.stores))


def _export_lost(request: Page, rows: Sequence[LostRow]) -> HttpResponseBase:
    head = [_("编号"), _("姓名"), _("合成"), _("门店"), _("订单"), _("近一年消费")]
    return exported(
        request,
        "ban-drill-lost",
        head,
        (
            (row.lost.person, row.name, row.lost.synthetic, row.store.code if row.store else "", row.lost.orders_ever,
             f"{row.lost.spend_365d:.2f}")
            for row in rows
        ),
    )  # fmt: skip


urls = [
    path("guard/drill/", drills, name="drills"),
    path("guard/drill/of/", drill_one, name="drill_one"),
    path("guard/drill/invite/", drill_invite, name="drill_invite"),
]

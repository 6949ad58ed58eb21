"""闸外触达: what staff sent on their own, by region, store, guide or send, and what it does to plans and caps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.channels.ports.sent import SendKind
from yutang.console.pages import Page, page
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import OFF_GATE_KINDS, said
from yutang.organisation.contracts import NodeKind, SenderFacts
from yutang.organisation.queries import Place, homes, places, senders
from yutang.reach.offgate import DAYS, By, OffGateFilter, OffGateRow, look_at, off_gate

SORTS = ("sends", "persons", "could_see", "held_out", "over_cap", "last_at")
MOST_IN_FILE = 20_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page's address asks for. `place` is a region or a store, `guide` one account."""

    by: By
    days: int
    kind: str
    place: Place | None
    guide: SenderFacts | None

    @property
    def filter(self) -> OffGateFilter:
        """The same for the query."""
        return OffGateFilter(
            self.days,
            None if self.place is None else self.place.id,
            None if self.guide is None else self.guide.staff,
            SendKind(self.kind) if self.kind else None,
        )

    @property
    def below(self) -> str:
        """By what the rows are told when one of them is opened."""
        order = (By.REGION, By.STORE, By.GUIDE, By.SEND)
        return order[min(order.index(self.by) + 1, 3)].value


@page
@require_safe
def off_gate_touches(request: Page) -> HttpResponseBase:
    """The list; `?by=`, `?days=`, `?kind=`, `?place=` and `?guide=` say of what, `?export=` gives it as a file."""
    asked = _asked(request)
    order = sorting(request, SORTS, "-persons")
    look = look_at(request.warehouse, request.viewer, asked.filter)
    found = off_gate(look, asked.by)
    column, descending = order.removeprefix("-"), order.startswith("-")
    if wanted_format(request):
        return _export(request, found.rows(MOST_IN_FILE, order=column, descending=descending))
    pager = Pager(page_number(request), min(len(found), MOST_IN_FILE))
    total = off_gate(look, By.ALL).rows() if len(found) else []
    regions = [node for node in look.places.values() if node.kind is NodeKind.REGION and request.viewer.sees(node.id)]
    context = {
        "asked": asked,
        "rows": found.rows(pager.size, offset=pager.offset, order=column, descending=descending),
        "pager": pager,
        "total": total[0] if total else None,
        "cut": len(found) > MOST_IN_FILE,
        "as_of": look.spoken.as_of,
        "ways": [By.REGION, By.STORE, By.GUIDE, By.SEND] if regions else [By.STORE, By.GUIDE, By.SEND],
        "days": DAYS,
        "kinds": list(SendKind),
        "regions": sorted(regions, key=lambda node: node.code),
        "filtered": bool(asked.kind or asked.place or asked.guide),
        "caps": look.caps,
    }
    return render(request, "console/offgate.html", context)


def _asked(request: Page) -> Asked:
    """What the address says; what is none of its words is left out."""
    given = {name: request.GET.get(name, "").strip() for name in ("by", "days", "kind", "place", "guide")}
    by = By(given["by"]) if given["by"] in (By.REGION, By.STORE, By.GUIDE, By.SEND) else By.GUIDE
    days = int(given["days"]) if given["days"] in map(str, DAYS) else 7
    seen = {node.code: node for node in places() if request.viewer.sees(node.id)} if given["place"] else {}
    guides = [one.sender for one in homes(request.viewer, userid=given["guide"])] if given["guide"] else []
    guide = senders(request.viewer, guides[:1])
    kind = given["kind"] if given["kind"] in list(SendKind) else ""
    return Asked(by, days, kind, seen.get(given["place"]), guide[0] if guide else None)


def _export(request: Page, rows: Sequence[OffGateRow]) -> HttpResponseBase:
    head = [
        _("地区或门店"),
        _("导购"),
        _("最近一次"),
        _("方式"),
        _("内容指纹"),
        _("群发次数"),
        _("发群次数"),
        _("朋友圈条数"),
    ]
    head += [_("说到的客户"), _("可能看到的客户"), _("其中对照组"), _("其中超过上限")]
    table = [
        (
            row.node.name if row.node else "",
            row.guide.name if row.guide else "",
            row.last_at.astimezone(UTC),
            said(OFF_GATE_KINDS, row.kind.value) if row.sends == 1 else "",
            row.content if row.sends == 1 else "",
            *(row.mass, row.into_groups, row.moments, row.persons, row.could_see, row.held_out, row.over_cap),
        )
        for row in rows
    ]
    return exported(request, "off-gate", head, table)


urls = [path("offgate/", off_gate_touches, name="offgate")]

"""引流获客: contact ways with what each cost and brought; a new one in a few steps; its page with a poster to print."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.ports.inheritance import ACQUISITION
from yutang.channels.queries import callback_counts
from yutang.channels.wecom.acquisition import scheme_of
from yutang.connect import queries as ways
from yutang.connect.contracts import FEWEST, CodeFacts, QuotaOutlook, WayFacts, WayResult
from yutang.connect.documents import SOURCES, ContactWay
from yutang.connect.qr import qr_svg
from yutang.connect.services import close_way, keep_way
from yutang.console.pages import Page, language, operators_only, page
from yutang.console.tables import exported, sorting, wanted_format
from yutang.console.words import SOURCES as SOURCE_WORDS
from yutang.console.words import said
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadDocument, BadInput
from yutang.organisation.contracts import NodeFacts, NodeKind, SenderFacts
from yutang.organisation.queries import nodes, senders
from yutang.people.queries import names_of
from yutang.reflex import queries as reflex
from yutang.reflex.contracts import FollowUpFacts
from yutang.reflex.services import finish_follow_up

SORTS = ("scans", "joined", "net", "firsts", "spent", "cost", "per_head")
SHIFT_ROWS = (1, 2, 3)
DAYS = {"all": range(1, 8), "weekdays": range(1, 6), "weekend": range(6, 8)}
STAFF_LISTED = 400


@dataclass(frozen=True, slots=True)
class WayRow:
    """A way with what it brought."""

    way: WayFacts
    result: WayResult


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code with where and to whom it leads, as people call them. `scheme`: an acquisition link's address that opens
    inside WeChat without a page between."""

    code: CodeFacts
    store: NodeFacts | None
    staff: tuple[str, ...]
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class FollowUpRow:
    """A follow-up with names."""

    fact: FollowUpFacts
    name: str
    guide: str
    note: str


@page
@require_safe
def connect(request: Page) -> HttpResponseBase:
    """The list; `?source=` keeps one source, `?sort=` orders, `?export=` (csv, xlsx, parquet) gives it as a file."""
    found = ways.ways(request.viewer)
    results = ways.results(request.warehouse, request.viewer, found)
    rows = [WayRow(one, results[one.name]) for one in found]
    wanted = request.GET.get("source", "")
    shown = [row for row in rows if wanted in ("", row.way.document.source)]
    order = sorting(request, SORTS, "-joined")
    shown.sort(key=lambda row: _sort_key(row, order.removeprefix("-")), reverse=order.startswith("-"))
    if wanted_format(request):
        return _export(request, shown)
    context = {
        "rows": shown,
        "any": bool(rows),
        "source": wanted,
        "sources": sorted({row.way.document.source for row in rows}),
        "fewest": FEWEST,
        "follow_ups": _follow_ups(request),
        "quotas": ways.quota_outlooks(request.viewer) if request.viewer.sees_all else [],
        "days": QuotaOutlook.DAYS,
        "callbacks": callback_counts() if request.viewer.sees_all else [],
        "rules": reflex.rule_counts(request.viewer) if request.viewer.sees_all else [],
    }
    return render(request, "console/connect.html", context)


def _sort_key(row: WayRow, name: str) -> tuple[float, str]:
    value = row.result.cost_per_head if name == "per_head" else getattr(row.result, name)
    return float(value or 0), row.way.name


def _follow_ups(request: Page) -> list[FollowUpRow]:
    found = reflex.follow_ups(request.viewer)
    names = names_of(request.viewer, [one.person for one in found])
    guides = {one.userid: one.name for one in senders(request.viewer)} if found else {}
    english = language().startswith("en")
    return [
        FollowUpRow(
            one, names.get(one.person, ""), guides.get(one.userid, one.userid), one.note["en" if english else "zh"]
        )
        for one in found
    ]


def _export(request: Page, rows: Sequence[WayRow]) -> HttpResponseBase:
    head = [_("活码"), _("来源"), _("归属"), _("扫码"), _("加上"), _("已流失"), _("净增"), _("首单"), _("带来的销售额")]
    head += [_("成本"), _("每人成本"), _("回本（销售额 ÷ 成本）"), _("下限"), _("上限")]
    table = []
    for row in rows:
        r, p = row.result, row.result.payback
        interval = (round(p.value, 2), round(p.low, 2), round(p.high, 2)) if p else (None, None, None)
        table.append(
            (
                row.way.document.title.text(language()),
                said(SOURCE_WORDS, row.way.document.source),
                row.way.node.code,
                *(r.scans, r.joined, r.lost, r.net, r.firsts, r.spent, r.cost, r.cost_per_head),
                *interval,
            )
        )
    return exported(request, "contact_ways", head, table)


@page
@require_safe
def way(request: Page, name: str) -> HttpResponseBase:
    """One way: its codes, what it brought, its document."""
    facts = ways.way(request.viewer, name)
    return render(
        request,
        "console/connect_one.html",
        {
            "way": facts,
            "result": ways.results(request.warehouse, request.viewer, [facts])[facts.name],
            "codes": _codes(request, facts),
            "landing": request.build_absolute_uri(reverse("landing", args=[facts.slug])),
            "qr": _qr(request, facts),
            "fewest": FEWEST,
            "text": facts.document.as_yaml(),
        },
    )


def _codes(request: Page, facts: WayFacts) -> list[CodeRow]:
    stores = {node.id: node for node in nodes()}
    guides = {one.userid: one.name for one in senders(request.viewer)}
    link = facts.document.channel == ACQUISITION
    return [
        CodeRow(
            code,
            stores.get(code.store) if code.store else None,
            tuple(guides.get(one, one) for one in code.users[:20]),
            scheme_of(code.qr_code) if link and code.qr_code else "",
        )
        for code in facts.codes
    ]


def _qr(request: Page, facts: WayFacts) -> SafeString:
    """The QR code of the way's own page: printed once, it stays right whoever is on duty."""
    address = request.build_absolute_uri(reverse("landing", args=[facts.slug]))
    return mark_safe(qr_svg(address))  # noqa: S308  # made here, of an address of ours


@page
@require_POST
def way_close(request: Page, name: str) -> HttpResponseBase:
    """Close a way at the platform, or open it again."""
    operators_only(request.viewer)
    closed = request.POST.get("closed") == "yes"
    close_way(name, request.viewer, closed=closed)
    messages.success(request, _("已关闭，平台上几秒后失效。") if closed else _("已重新打开，平台上几秒后生效。"))
    return redirect("way", name)


@page
@require_safe
def poster(request: Page, name: str) -> HttpResponseBase:
    """The poster, for the browser to print or to keep as PDF."""
    facts = ways.way(request.viewer, name)
    return render(request, "console/connect_poster.html", {"way": facts, "qr": _qr(request, facts)})


@page
@require_safe
def way_new(request: Page) -> HttpResponseBase:
    """The form; `?from=` names a way to start from."""
    operators_only(request.viewer)
    form: Mapping[str, Any] = _EMPTY
    if request.GET.get("from"):
        form = _form_of(ways.way(request.viewer, request.GET["from"]).document)
    return _form_page(request, form, {})


_EMPTY: dict[str, Any] = {
    "name": "",
    "title": "",
    "source": "poster",
    "at": "",
    "channel": "wecom",
    "fixed": "0",
    "per_head": "0",
    "by": "nearest",
    "staff": [],
    "departments": "",
    "shifts": [],
    "overflow": [],
    "daily_limit": "",
    "tags": "",
    "welcome": "",
    "link": "",
}


def _form_of(document: ContactWay) -> dict[str, Any]:
    routing = document.routing
    return {
        **_EMPTY,
        "name": document.name,
        "title": document.title.text(language()),
        "source": document.source,
        "at": document.at,
        "channel": document.channel,
        "fixed": document.cost.fixed,
        "per_head": document.cost.per_head,
        "by": routing.by if routing else "nearest",
        "staff": list(routing.staff) if routing else [],
        "departments": "，".join(map(str, routing.departments)) if routing else "",
        "overflow": list(routing.overflow) if routing else [],
        "daily_limit": routing.daily_limit or "" if routing else "",
        "shifts": [
            {
                "days": next((name for name, days in DAYS.items() if set(days) == shift.days), "all"),
                "opens": f"{shift.opens:%H:%M}",
                "closes": f"{shift.closes:%H:%M}",
                "staff": list(shift.staff),
            }
            for shift in (routing.shifts if routing else ())
        ],
        "tags": "，".join(document.tags),
        "welcome": document.welcome or "",
        "link": document.link or "",
    }


@page
@require_POST
def way_keep(request: Page) -> HttpResponseBase:
    """Keep what the form says, and show it."""
    operators_only(request.viewer)
    try:
        document = parse(ContactWay, _data_of(request.POST))
        file = request.FILES.get("picture")
        keep_way(document, request.viewer, file.read() if file else None)
    except BadDocument as error:
        english = language().startswith("en")
        problems = {one.where.split(".")[0]: one.en if english else one.zh for one in error.problems}
        return _form_page(request, _shown(request.POST), problems, status=422)
    except BadInput as error:
        return _form_page(request, _shown(request.POST), {"form": error.sentence(language())}, status=422)
    messages.success(request, _("活码已保存，几秒后平台上就会生效。"))
    return redirect("way", document.name)


def _shown(form: QueryDict) -> dict[str, Any]:
    given = {name: form.get(name, "") for name in _EMPTY}
    return {**given, "staff": form.getlist("staff"), "overflow": form.getlist("overflow"), "shifts": _shifts(form)}


def _shifts(form: QueryDict) -> list[dict[str, Any]]:
    return [
        {
            "days": form.get(f"days{row}", "all"),
            "opens": form.get(f"opens{row}", ""),
            "closes": form.get(f"closes{row}", ""),
            "staff": form.getlist(f"staff{row}"),
        }
        for row in SHIFT_ROWS
        if form.getlist(f"staff{row}")
    ]


def _words(text: str) -> list[str]:
    """What stands between commas, Chinese or not."""
    return [word.strip() for word in text.replace(",", "，").split("，") if word.strip()]


def _data_of(form: QueryDict) -> dict[str, Any]:
    """The document that the form says."""
    title = form.get("title", "").strip()
    data: dict[str, Any] = {
        "kind": ContactWay.KIND,
        "name": form.get("name") or f"{form.get('source', 'way')[:40]}_{secrets.token_hex(3)}",
        "title": {"zh": title, "en": title},
        "source": form.get("source"),
        "at": form.get("at") or "brand",
        "channel": form.get("channel", "wecom"),
        "cost": {"fixed": form.get("fixed") or "0", "per_head": form.get("per_head") or "0"},
        "tags": _words(form.get("tags", "")),
    }
    if form.get("welcome", "").strip():
        data["welcome"] = form.get("welcome", "").strip()
    if data["channel"] == "manual":
        if form.get("link", "").strip():
            data["link"] = form.get("link", "").strip()
        return data
    routing: dict[str, Any] = {"by": form.get("by", "nearest"), "overflow": form.getlist("overflow")}
    if form.get("daily_limit", "").strip():
        routing["daily_limit"] = form.get("daily_limit", "").strip()
    if routing["by"] == "staff":
        routing["staff"] = form.getlist("staff")
        if data["channel"] == ACQUISITION:
            routing["departments"] = _words(form.get("departments", ""))
    if routing["by"] == "shift":
        routing["shifts"] = [{**shift, "days": list(DAYS.get(shift["days"], DAYS["all"]))} for shift in _shifts(form)]
    return {**data, "routing": routing}


def _form_page(request: Page, form: Mapping[str, Any], problems: Mapping[str, str], status: int = 200) -> HttpResponse:
    seen = [node for node in nodes() if request.viewer.sees(node.id)]
    staff: list[SenderFacts] = [one for one in senders(request.viewer) if one.active][:STAFF_LISTED]
    rows = list(form["shifts"]) + [{"days": "all", "opens": "09:00", "closes": "21:00", "staff": []}] * 3
    context = {
        "form": form,
        "problems": problems,
        "sources": SOURCES,
        "places": seen,
        "placed": [node for node in seen if node.kind is NodeKind.STORE and node.place],
        "staff": staff,
        "shift_rows": list(zip(SHIFT_ROWS, rows, strict=False)),
        "days": list(DAYS),
    }
    return render(request, "console/connect_new.html", context, status=status)


@page
@require_POST
def follow_up_done(request: Page, number: int) -> HttpResponseBase:
    """Somebody was followed up."""
    finish_follow_up(request.viewer, number)
    return redirect("connect")


urls = [
    path("connect/", connect, name="connect"),
    path("connect/new/", way_new, name="way_new"),
    path("connect/keep/", way_keep, name="way_keep"),
    path("connect/of/<str:name>/", way, name="way"),
    path("connect/of/<str:name>/close/", way_close, name="way_close"),
    path("connect/of/<str:name>/poster/", poster, name="way_poster"),
    path("connect/follow-ups/<int:number>/", follow_up_done, name="follow_up_done"),
]

"""额度与成本: how near each wall is, what more costs, what to clean up, and what only people know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.direct.accounts import accounts as direct_accounts
from yutang.channels.queries import blocked_calls
from yutang.console.pages import Page, language, page
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.console.words import RADAR_SOURCES, RADAR_STATES, ZOMBIES, said
from yutang.documents.queries import documents_of
from yutang.guard.radar import cleaning, queries, services
from yutang.guard.radar.contracts import WARN_DAYS, EntryKind, Source, State, WallFacts
from yutang.guard.radar.documents import WallsDocument
from yutang.guard.radar.forecasting import FEWEST_DAYS
from yutang.organisation.contracts import SenderFacts
from yutang.organisation.queries import corps, senders
from yutang.people.queries import names_of

MOST_IN_FILE = 100_000


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact to be deleted, with who it is and whose."""

    contact: cleaning.IdleContact
    name: str | None
    guide: SenderFacts | None


@page
@require_safe
def radar(request: Page) -> HttpResponseBase:
    """Every wall; `?corp=`, `?state=` and `?source=` keep some, `?export=` gives them as a file."""
    every = queries.walls(request.viewer)
    given = {name: request.GET.get(name, "") for name in ("corp", "state", "source")}
    rows = [
        one
        for one in every
        if given["corp"] in ("", one.corp)
        and given["state"] in ("", one.state.value)
        and given["source"] in ("", one.wall.source.value)
    ]
    document = next(iter(documents_of(WallsDocument)), None)
    if wanted_format(request):
        return _export(request, rows, document)
    context = {
        "rows": [(one, document.told(one.wall.name) if document else None) for one in rows],
        "every": every,
        "given": given,
        "filtered": any(given.values()),
        "corps": sorted({one.corp for one in every if one.corp}),
        "states": [one.value for one in State],
        "sources": [one.value for one in Source],
        "urgent": [one for one in every if one.urgent],
        "blocked": blocked_calls(),
        "entries": queries.entries(request.viewer),
        "document": document,
        "warn_days": WARN_DAYS,
        "fewest": FEWEST_DAYS,
    }
    return render(request, "console/radar.html", context)


def _export(request: Page, rows: Sequence[WallFacts], document: WallsDocument | None) -> HttpResponseBase:
    english = language().startswith("en")
    head = [_("额度"), _("企业"), _("名称"), _("已用"), _("上限"), _("剩余"), _("每天用"), _("最早几天"), _("多半几天")]
    head += [_("最晚几天"), _("状态"), _("从哪天起提醒"), _("到期日"), _("再买的价格"), _("来源"), _("哪天看的")]
    head += [_("上限的出处"), _("哪天读的")]
    table = [
        (
            one.wall.title[english], one.corp, one.title, one.used, one.most, one.left, round(one.pace, 3), one.low,
            one.middle, one.high, said(RADAR_STATES, one.state.value), one.since, one.ends_on, one.price,
            said(RADAR_SOURCES, one.wall.source.value), one.day, told.source if told else None,
            told.read_on if told else None,
        )
        for one in rows
        for told in [document.told(one.wall.name) if document else None]
    ]  # fmt: skip
    return exported(request, "quotas", head, table)


@page
@require_POST
def look(request: Page) -> HttpResponseBase:
    """Look at the walls now."""
    queries.headquarters(request.viewer)
    written = services.look(request.warehouse)
    messages.success(request, _("已重新看过，共 %(n)d 项。平台接口上的数每天早上读一次。") % {"n": written})
    return redirect("radar")


@page
@require_safe
def enter_form(request: Page) -> HttpResponse:
    """The form for what no API tells; `?kind=` chooses of what."""
    queries.headquarters(request.viewer)
    kind = request.GET.get("kind", EntryKind.LICENCE.value)
    context = {
        "kind": kind if kind in list(EntryKind) else EntryKind.LICENCE.value,
        "kinds": [one.value for one in EntryKind],
        "corps": [one.corp for one in corps()],
        "accounts": [(f"{one.channel}:{one.corp}", one.title) for one in direct_accounts(request.viewer)],
    }
    return render(request, "console/radar_enter.html", context)


@page
@require_POST
def enter(request: Page) -> HttpResponseBase:
    """Write something down."""
    names = ("kind", "title", "corp", "most", "used", "ends_on", "price", "note")
    given = {name: request.POST.get(name, "") for name in names}
    services.enter(request.viewer, services.EntryForm(**given))
    services.look(request.warehouse)
    messages.success(request, _("已记下，从今天起跟踪。"))
    return redirect("radar")


@page
@require_POST
def end(request: Page, number: int) -> HttpResponseBase:
    """Take back what was written down."""
    services.end_entry(request.viewer, number)
    services.look(request.warehouse)
    messages.success(request, _("已撤下。"))
    return redirect("radar")


@page
@require_safe
def clean_contacts(request: Page) -> HttpResponseBase:
    """Contacts that take up room; `?reason=` keeps some."""
    reason = request.GET.get("reason", "")
    reason = reason if reason in cleaning.REASONS else ""
    if wanted_format(request):
        found, _total = cleaning.idle_contacts(request.warehouse, request.viewer, reason, limit=MOST_IN_FILE)
        return _export_contacts(request, _contact_rows(request, found))
    number = page_number(request)
    found, total = cleaning.idle_contacts(request.warehouse, request.viewer, reason, offset=(number - 1) * 50)
    context = {
        "rows": _contact_rows(request, found),
        "pager": Pager(number, total),
        "reason": reason,
        "reasons": cleaning.REASONS,
    }
    return render(request, "console/radar_contacts.html", context)


def _contact_rows(request: Page, found: Sequence[cleaning.IdleContact]) -> list[ContactRow]:
    names = names_of(request.viewer, [one.person for one in found])
    guides = {one.id: one for one in senders(request.viewer)}
    return [ContactRow(one, names.get(one.person), guides.get(one.sender)) for one in found]


def _export_contacts(request: Page, rows: Sequence[ContactRow]) -> HttpResponseBase:
    head = [_("客户"), _("编号"), _("成员账号"), _("导购"), _("为什么"), _("加好友"), _("最近一单")]
    table = [
        (
            row.name, row.contact.person, row.guide.userid if row.guide else "", row.guide.name if row.guide else "",
            said(ZOMBIES, row.contact.reason), row.contact.added_at, row.contact.last_order_at,
        )
        for row in rows
    ]  # fmt: skip
    return exported(request, "contacts to clean up", head, table)


@page
@require_safe
def clean_codes(request: Page) -> HttpResponseBase:
    """Ways by which nobody came for `?days=`."""
    days = _days(request.GET.get("days", ""))
    rows = cleaning.idle_codes(request.viewer, days)
    if wanted_format(request):
        head = [_("活码"), _("名称"), _("平台上的码"), _("最近有人来")]
        table = [(row.way.name, row.way.document.title.text(language()), row.codes, row.last) for row in rows]
        return exported(request, "codes to clean up", head, table)
    context = {
        "rows": rows[: cleaning.MOST_CLOSED],
        "rest": max(len(rows) - cleaning.MOST_CLOSED, 0),
        "codes": sum(row.codes for row in rows),
        "days": days,
        "choices": cleaning.IDLE_DAYS,
    }
    return render(request, "console/radar_codes.html", context)


def _days(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and int(text[:4]) in cleaning.IDLE_DAYS else 90


@page
@require_POST
def close_codes(request: Page) -> HttpResponseBase:
    """Take the codes of the chosen ways away; with `sure` it is done, without it is shown what would be."""
    names, days = request.POST.getlist("way"), _days(request.POST.get("days", ""))
    chosen = [row for row in cleaning.idle_codes(request.viewer, days) if row.way.name in set(names)]
    if request.POST.get("sure") != "yes" and chosen:
        context = {"rows": chosen, "codes": sum(row.codes for row in chosen), "days": days}
        return render(request, "console/radar_close.html", context)
    closed = cleaning.close_idle(request.viewer, names, days)
    messages.success(request, _("已停用 %(n)d 个活码，平台上的码随后删除；好友关系不变。") % {"n": closed})
    return redirect("radar_codes")


@page
@require_safe
def clean_groups(request: Page) -> HttpResponseBase:
    """Groups in and out of which nobody went."""
    if wanted_format(request):
        found, _total = cleaning.dead_groups(request.viewer, limit=MOST_IN_FILE)
        head = [_("群ID"), _("群名"), _("群主"), _("群人数"), _("最近有人进出")]
        return exported(
            request, "groups to clean up", head, [(g.code, g.name, g.owner, g.size, g.moved_at) for g in found]
        )
    number = page_number(request)
    found, total = cleaning.dead_groups(request.viewer, offset=(number - 1) * 50)
    guides = {one.userid.casefold(): one.name or one.userid for one in senders(request.viewer)}
    rows = [(one, guides.get(one.owner.casefold(), one.owner)) for one in found]
    context = {"rows": rows, "pager": Pager(number, total), "days": cleaning.DEAD_DAYS}
    return render(request, "console/radar_groups.html", context)


urls = [
    path("guard/radar/", radar, name="radar"),
    path("guard/radar/look/", look, name="radar_look"),
    path("guard/radar/new/", enter_form, name="radar_enter_form"),
    path("guard/radar/enter/", enter, name="radar_enter"),
    path("guard/radar/<int:number>/end/", end, name="radar_end"),
    path("guard/radar/contacts/", clean_contacts, name="radar_contacts"),
    path("guard/radar/codes/", clean_codes, name="radar_codes"),
    path("guard/radar/codes/close/", close_codes, name="radar_close"),
    path("guard/radar/groups/", clean_groups, name="radar_groups"),
]

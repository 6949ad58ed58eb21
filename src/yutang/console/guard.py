"""风控合规: the consent ledger, a person's rights (export, link, erasing), and who was erased."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from yutang.console.pages import Page, operators_only, page
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.guard import queries, retention, services, wishes
from yutang.guard.contracts import REASONS
from yutang.guard.exporting import as_json, as_page, export_person
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import PersonId
from yutang.organisation.services import audit
from yutang.people import links
from yutang.people import services as people
from yutang.people.contracts import LedgerFilter, LedgerRow
from yutang.people.queries import consent_choices, consent_ledger, find_by_identifier, names_of, person_card
from yutang.people.services import ConsentWord

MOST_EXPORTED = 100_000
PURPOSE = 24


@dataclass(frozen=True, slots=True)
class Row:
    """A word of the ledger with its person's name, if it is known."""

    word: LedgerRow
    name: str | None


@page
@require_safe
def consents(request: Page) -> HttpResponseBase:
    """同意台账: every word, newest first; filters are the address, `?export=` gives them as a file."""
    given = request.GET
    wanted = given.get("find", "").strip()
    found = find_by_identifier(request.viewer, wanted) if wanted else None
    said = {"yes": True, "no": False}.get(given.get("said", ""))
    asked = LedgerFilter(
        given.get("purpose", ""), given.get("channel", ""), given.get("to") or None, said, given.get("source", ""),
        None if found is None else tuple(found),
    )  # fmt: skip
    if wanted_format(request):
        rows, total = consent_ledger(request.viewer, asked, MOST_EXPORTED, 0)
        return _export(request, rows)
    rows, total = consent_ledger(request.viewer, asked, 0, 0)
    pager = Pager(page_number(request), total)
    rows, _total = consent_ledger(request.viewer, asked, pager.size, pager.offset)
    names = names_of(request.viewer, [row.person for row in rows])
    context = {
        "rows": [Row(row, names.get(row.person)) for row in rows],
        "pager": pager,
        "given": given,
        "find": wanted,
        "choices": consent_choices(request.viewer),
        "filtered": any(given.get(name) for name in ("purpose", "channel", "to", "said", "source", "find")),
    }
    return render(request, "console/consents.html", context)


def _export(request: Page, rows: list[LedgerRow]) -> HttpResponseBase:
    head = [_("时间"), _("客户"), _("用途"), _("渠道"), _("对谁"), _("说了什么"), _("来源"), _("凭证")]
    return exported(
        request,
        "consents",
        head,
        ((r.at, r.person, r.purpose, r.channel, r.partner, r.granted, r.source, r.proof) for r in rows),
    )


@page
@require_POST
def say(request: Page, number: int) -> HttpResponseBase:
    """Write down a word by hand, with its proof."""
    operators_only(request.viewer)
    card = person_card(request.viewer, PersonId(number))
    given = {name: request.POST.get(name, "").strip() for name in ("purpose", "channel", "partner", "proof", "said")}
    if not given["proof"]:
        raise BadInput("请写明凭证：何时、何地、怎么说的。", "Say by what it can be proved: when, where and how.")
    if given["said"] not in ("yes", "no"):
        raise BadInput("请选择同意还是撤回。", "Choose whether it was given or withdrawn.")
    for name, most in (("purpose", PURPOSE), ("channel", 16), ("partner", 63)):
        if len(given[name]) > most or (name != "partner" and not given[name]):
            raise BadInput(f"{name} 应为 1–{most} 个字符。", f"{name} has 1–{most} characters.")
    granted = given["said"] == "yes"
    wishes.say_by_hand(
        ConsentWord(
            card.person, given["purpose"], given["channel"], granted, business_now(), given["proof"][:2000],
            given["partner"], "console",
        )
    )  # fmt: skip
    audit(request.viewer, "consent", f"person {card.person}", purpose=given["purpose"], granted=granted)
    messages.success(request, _("已记入同意台账，立即生效。"))
    return redirect("person", card.person)


@page
@require_safe
def link(request: Page, number: int) -> HttpResponse:
    """A new link of the person's own, to be sent to them; and what is held of them."""
    operators_only(request.viewer)
    card = person_card(request.viewer, PersonId(number))
    audit(request.viewer, "make_link", f"person {card.person}")
    context = {"card": card, "link": links.link_of(card.person), "days": links.LASTS.days}
    return render(request, "console/person_link.html", context)


@page
@require_POST
def void(request: Page, number: int) -> HttpResponseBase:
    """Void the links made so far: one was passed on."""
    operators_only(request.viewer)
    card = person_card(request.viewer, PersonId(number))
    people.void_links(card.person)
    audit(request.viewer, "void_links", f"person {card.person}")
    messages.success(request, _("旧链接已作废；它们仍可用来停止接收。"))
    return redirect("person", card.person)


@page
@require_POST
def export(request: Page, number: int) -> HttpResponse:
    """Everything held of a person, as JSON or as a page to be read."""
    found = export_person(request.warehouse, request.viewer, PersonId(number))
    readable = request.POST.get("form") == "html"
    kind, text = ("html", as_page(found)) if readable else ("json", as_json(found))
    answer = HttpResponse(text, content_type=f"{'text/html' if readable else 'application/json'}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="person-{number}.{kind}"'
    return answer


@page
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: Page, number: int) -> HttpResponseBase:
    """What erasing would remove, in real numbers; POST does it."""
    queries.headquarters(request.viewer)
    person = PersonId(number)
    if request.method == "POST":
        services.erase(request.warehouse, request.viewer, person, request.POST.get("reason", "asked"))
        messages.success(request, _("已开始删除。从现在起不会再触达，资料在一两分钟内清除。"))
        return redirect("guard")
    held = queries.holdings(request.warehouse, request.viewer, person)
    card = person_card(request.viewer, person)
    return render(request, "console/person_erase.html", {"held": held, "card": card, "reasons": REASONS[:-1]})


@page
@require_safe
def guard(request: Page) -> HttpResponse:
    """Who was erased, what arrived of them since, and how long things are kept."""
    queries.headquarters(request.viewer)
    dropped, orders = queries.turned_away(request.viewer)
    context = {
        "erasures": queries.erasures(request.viewer),
        "dropped": dropped,
        "orders": orders,
        "kept": retention.overview(request.warehouse, request.viewer),
    }
    return render(request, "console/guard.html", context)


urls = [
    path("guard/", guard, name="guard"),
    path("guard/consents/", consents, name="consents"),
    path("persons/<int:number>/consents/", say, name="person_say"),
    path("persons/<int:number>/link/", link, name="person_link"),
    path("persons/<int:number>/link/void/", void, name="person_void_links"),
    path("persons/<int:number>/export/", export, name="person_export"),
    path("persons/<int:number>/erase/", erase, name="person_erase"),
]

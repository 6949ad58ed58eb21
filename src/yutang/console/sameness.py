"""核对客户身份: who may be one person, what may be several people's, two persons side by side, taking one apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console import words
from yutang.console.pages import Page, page
from yutang.console.tables import Pager, page_number
from yutang.console.templatetags.console import day, money, number
from yutang.kernel.errors import BadInput, NotFound
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.organisation.contracts import NodeFacts, SenderFacts
from yutang.organisation.queries import nodes, senders
from yutang.people import decisions, joining, matching, sameness, splinking
from yutang.people.consent import Standing
from yutang.people.queries import names_of, person_card
from yutang.people.sameness import Comparison, DecisionShown, Side, SuspectFacts
from yutang.profiles.queries import as_of, traits_of

LARGEST = 2**63 - 1
MATCHED_HERE = 100_000
"""Persons beyond whom the page leaves the search to `yutang match`: nobody waits that long for a page."""
PARTS = ("suspects", "shared", "later", "decided")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the comparison: what each has, and what both would have as one. `tone`: `same`, `differs`, or empty
    where that says nothing."""

    label: str
    first: list[str]
    second: list[str]
    both: list[str]
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Waits:
    """An entry of the queue with the names of those it is about, where they are known."""

    facts: Any
    first: str
    second: str

    @property
    def offered(self) -> int:
        """The cap that is offered for an identifier."""
        return max(2 * int(self.facts.beside), joining.HUB_LIMIT)


@page
@require_safe
def queue(request: Page) -> HttpResponse:
    """What waits; `?part=` is one of PARTS."""
    part = request.GET.get("part", PARTS[0])
    pairs, crowds = sameness.waiting(request.viewer)
    match part:
        case "suspects" | "later":
            found: list[Any] = sameness.suspects(request.viewer, later=part == "later")
        case "shared":
            found = sameness.shared_identifiers(request.viewer)
        case "decided":
            found = sameness.decided(request.viewer)
        case _:
            raise NotFound("没有这一栏。", "There is no such part.")
    pager = Pager(page_number(request), len(found))
    context = {
        "part": part,
        "pairs": pairs,
        "crowds": crowds,
        "rows": _named(request, found[pager.offset : pager.offset + pager.size]),
        "pager": pager,
        "installed": splinking.installed(),
    }
    return render(request, "console/sameness.html", context)


def _named(request: Page, found: Iterable[Any]) -> list[Waits]:
    found = list(found)
    names = names_of(request.viewer, [one for facts in found for one in _two(facts) if one is not None])
    return [Waits(facts, *(names.get(one, "") if one else "" for one in _two(facts))) for facts in found]


def _two(facts: Any) -> tuple[PersonId | None, PersonId | None]:
    match facts:
        case SuspectFacts():
            return facts.first, facts.second
        case DecisionShown():
            return facts.person, facts.other
    return None, None


@page
@require_POST
def search(request: Page) -> HttpResponseBase:
    """Look for doubles now."""
    decisions.headquarters(request.viewer)
    if matching.persons_there() > MATCHED_HERE:
        raise BadInput(
            f"客户超过 {MATCHED_HERE:,} 位，请在命令行运行 yutang match（可放进每晚的定时任务）。",
            f"There are more than {MATCHED_HERE:,} persons; run `yutang match` in the shell (or nightly, by cron).",
        )
    report = matching.match(request.viewer, request.warehouse)
    told = {"persons": report.persons, "found": report.found, "new": report.new}
    messages.success(
        request, _("比较了 %(persons)d 位客户，找到 %(found)d 对疑似同一人，其中 %(new)d 对是新的。") % told
    )
    return redirect("sameness")


@page
@require_safe
def compare(request: Page) -> HttpResponse:
    """Two persons side by side, and who they would be as one; `?first=` and `?second=` are numbers of persons."""
    given = request.GET
    found = sameness.compare(request.viewer, request.warehouse, _number(given, "first"), _number(given, "second"))
    pair = (found.first.card.person, found.second.card.person)
    waiting = [(one.first, one.second) for one in sameness.suspects(request.viewer)]
    others = [one for one in waiting if one != pair]
    context = {
        "found": found,
        "rows": _rows(request, found),
        "waits": len(others),
        "next": others[0] if others else None,
    }
    return render(request, "console/sameness_compare.html", context)


def _rows(request: Page, found: Comparison) -> list[Row]:
    sides = found.first, found.second
    places = {node.id: node for node in nodes()}
    guides = {sender.id: sender for sender in senders(request.viewer)}
    traits = [traits_of(request.warehouse, request.viewer, one.card.person) for one in sides] if _ready(request) else []
    kinds = dict.fromkeys(one.kind for side in sides for one in side.card.identifiers)
    rows = [
        _one(_("姓名"), *([one.card.name] if one.card.name else [] for one in sides)),
        _one(_("归属门店"), *(_home(one, places) for one in sides)),
        *(_several(words.said(words.IDENTIFIERS, kind), *(_of_kind(one, kind) for one in sides)) for kind in kinds),
        _several(_("好友"), *(_friends(one, guides, places) for one in sides)),
        _several(_("标签"), *(list(one.card.tags) for one in sides)),
        _sum(_("有效订单"), *([number(n)] for n in (*(one.bought.orders for one in sides), found.orders))),
        _sum(_("累计消费"), *([money(n)] for n in (*(one.bought.spend for one in sides), found.spend))),
        _latest(_("最近下单"), *(one.bought.last_at for one in sides)),
    ]
    if traits:
        first, second = ([words.said(words.LIFECYCLES, one["lifecycle"])] if one["lifecycle"] else [] for one in traits)
        rows.append(_one(_("生命周期"), first, second, [_("合并后重算")]))
    for key in sorted({*found.first.consents, *found.second.consents}):
        said = [_standing(consents.get(key)) for consents in (sides[0].consents, sides[1].consents, found.consents)]
        label = f"{words.said(words.PURPOSES, key[0])} · {key[1] if key[1] != '*' else _('所有渠道')}"
        rows.append(Row(label, said[0], said[1], said[2], "same" if said[0] == said[1] else "differs"))
    return rows


def _ready(request: Page) -> bool:
    return as_of(request.warehouse) is not None


def _one(label: str, first: list[str], second: list[str], merged: list[str] | None = None) -> Row:
    """Of what everybody has one."""
    tone = "" if not (first and second) else "same" if first == second else "differs"
    return Row(label, first, second, merged or (first or second), tone)


def _several(label: str, first: list[str], second: list[str]) -> Row:
    """Of what anybody may have several: to have others says nothing."""
    return Row(label, first, second, list(dict.fromkeys([*first, *second])), "same" if {*first} & {*second} else "")


def _sum(label: str, first: list[str], second: list[str], both: list[str]) -> Row:
    return Row(label, first, second, both)


def _latest(label: str, first: Any, second: Any) -> Row:
    shown = [[day(at)] if at else [] for at in (first, second)]
    last = max((at for at in (first, second) if at), default=None)
    return Row(label, shown[0], shown[1], [day(last)] if last else [])


def _home(side: Side, places: Mapping[NodeId, NodeFacts]) -> list[str]:
    home = places.get(side.card.home_node) if side.card.home_node else None
    return [home.name] if home else []


def _of_kind(side: Side, kind: str) -> list[str]:
    return [one.shown for one in side.card.identifiers if one.kind == kind]


def _friends(side: Side, guides: Mapping[SenderId, SenderFacts], places: Mapping[NodeId, NodeFacts]) -> list[str]:
    found = (guides.get(one.sender) for one in side.card.relations if one.live)
    return [f"{guide.name} · {places[guide.store].name}" for guide in found if guide is not None]


def _standing(one: Standing | None) -> list[str]:
    return [] if one is None else [_("已同意") if one[0] else _("不同意")]


@page
@require_POST
def decide(request: Page) -> HttpResponseBase:
    """What somebody says of two persons: `decision` is merge, apart or later. Leads to the next pair that waits."""
    given = request.POST
    first, second = _number(given, "first"), _number(given, "second")
    reason, viewer = given.get("reason", ""), request.viewer
    match given.get("decision"):
        case "merge":
            decisions.merge_persons(viewer, first, second, reason)
            messages.success(request, _("已合并。记录都还在各自名下，随时可以撤销。"))
            return redirect("person", min(first, second))
        case "apart":
            decisions.say_apart(viewer, first, second, reason)
            messages.success(request, _("已记下：不是同一个人，不会再提示。"))
        case "later":
            decisions.say_later(viewer, first, second, reason)
        case _:
            raise BadInput("请选一种决定。", "Choose a decision.")
    waiting = sameness.suspects(viewer)
    if waiting:
        return redirect(f"{reverse('sameness_compare')}?first={waiting[0].first}&second={waiting[0].second}")
    return redirect("sameness")


@page
@require_POST
def decide_shared(request: Page) -> HttpResponseBase:
    """What somebody says of an identifier: `decision` is shared, or single with a `cap`."""
    given = request.POST
    identifier, reason = int(_number(given, "identifier")), given.get("reason", "")
    if given.get("decision") == "shared":
        decisions.say_shared(request.viewer, identifier, reason)
        messages.success(request, _("已记下：这是共用的，不再用它合并任何人。"))
    elif given.get("decision") == "single":
        decisions.say_single(request.viewer, identifier, int(_number(given, "cap")), reason)
        messages.success(request, _("已记下：确实是一个人的，上限已提高。"))
    else:
        raise BadInput("请选一种决定。", "Choose a decision.")
    return redirect(f"{reverse('sameness')}?part=shared")


@page
@require_POST
def undo(request: Page) -> HttpResponseBase:
    """Withdraw a decision; leads back to the person of `person`, or to what was decided."""
    decisions.withdraw(request.viewer, int(_number(request.POST, "decision")), request.POST.get("reason", ""))
    messages.success(request, _("已撤销，客户恢复成没有这个决定时的样子。"))
    if request.POST.get("person"):
        return redirect("person", _number(request.POST, "person"))
    return redirect(f"{reverse('sameness')}?part=decided")


@page
@require_safe
def split(request: Page, number: int) -> HttpResponse:
    """The identifiers of a person to choose from (`?out=`, repeated), and who would be left by it."""
    decisions.headquarters(request.viewer)
    card = person_card(request.viewer, PersonId(number))
    out = _chosen(request.GET.getlist("out"))
    parts = sameness.parts_of(request.viewer, request.warehouse, card.person, out) if out else []
    return render(request, "console/sameness_split.html", {"card": card, "out": out, "parts": parts})


@page
@require_POST
def split_now(request: Page, number: int) -> HttpResponseBase:
    """Take the chosen identifiers from the others."""
    decisions.split_person(
        request.viewer, PersonId(number), _chosen(request.POST.getlist("out")), request.POST.get("reason", "")
    )
    messages.success(request, _("已拆分。再次看到它们在一起也不会合并，除非撤销这个决定。"))
    return redirect("person", number)


def _chosen(texts: Iterable[str]) -> set[int]:
    return {_whole(text) for text in texts}


def _number(given: Mapping[str, str], name: str) -> PersonId:
    return PersonId(_whole(given.get(name, "").strip()))


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) > LARGEST:
        raise BadInput(f"「{text[:20]}」不是编号。", f"“{text[:20]}” is no number.")
    return int(text)


urls = [
    path("persons/same/", queue, name="sameness"),
    path("persons/same/search/", search, name="sameness_search"),
    path("persons/same/compare/", compare, name="sameness_compare"),
    path("persons/same/decide/", decide, name="sameness_decide"),
    path("persons/same/shared/", decide_shared, name="sameness_shared"),
    path("persons/same/undo/", undo, name="sameness_undo"),
    path("persons/<int:number>/split/", split, name="sameness_split"),
    path("persons/<int:number>/split/now/", split_now, name="sameness_split_now"),
]

"""客服: conversations of customer service in one inbox, answered here with the person beside, and how that went."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.kf import desk, inbox, services
from yutang.channels.kf.contracts import ConversationFacts
from yutang.channels.kf.services import EXTERNAL, conversation_seen
from yutang.console.pages import Page, page
from yutang.console.person import MICROSECOND, Happening, timeline
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.content.checking import require_clean
from yutang.content.documents import Place, Voice
from yutang.content.queries import content_named, content_rules, contents
from yutang.content.rendering import Variable
from yutang.content.rendering import render as filled
from yutang.kernel.clock import business_now
from yutang.kernel.documents import Title
from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import RoleName, SenderFacts, Viewer
from yutang.organisation.queries import node_names, nodes, senders, users
from yutang.people.contracts import PersonCard
from yutang.people.links import VARIABLE, link_of
from yutang.people.queries import find_values, names_of, person_card

FIGURE_DAYS = 30
STEP = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation in the list: who it is with, and for how long somebody has waited."""

    facts: ConversationFacts
    name: str | None
    person: PersonId | None
    waited: timedelta | None


@dataclass(frozen=True, slots=True)
class Reply:
    """A content of the library as it would be said to this person."""

    name: str
    title: Title
    text: str


@page
@require_safe
def desk_list(request: Page) -> HttpResponseBase:
    """The inbox; `?folder=` waiting, mine, open or closed."""
    return render(request, "console/desk.html", {**_list(request), "figures": _figures(request.viewer)})


@page
@require_safe
def desk_now(request: Page) -> HttpResponse:
    """The list alone, which the page asks for now and then."""
    return render(request, "console/_desk_list.html", _list(request))


def _list(request: Page) -> dict[str, object]:
    folder = request.GET.get("folder", "waiting")
    folder = folder if folder in inbox.FOLDERS else "waiting"
    number = page_number(request)
    found, total = inbox.inbox(request.viewer, folder, STEP, (number - 1) * STEP)
    names = names_of(request.viewer, [row.person for row in found if row.person is not None])
    now = business_now()
    duty = inbox.on_duty()
    return {
        "rows": [
            Row(
                row.facts,
                names.get(row.person) if row.person is not None else None,
                row.person,
                now - row.facts.waiting_since if row.facts.waiting_since else None,
            )
            for row in found
        ],
        "pager": Pager(number, total, STEP),
        "folder": folder,
        "counts": inbox.counts(request.viewer),
        "duty": duty,
        "on": request.viewer.name in duty,
        "serves": _serves(request.viewer),
        "now": now,
        "folders": [("waiting", _("等回复")), ("mine", _("我的")), ("open", _("全部")), ("closed", _("已关闭"))],
    }


def _serves(viewer: Viewer) -> bool:
    return viewer.role is not RoleName.ANALYST


def _figures(viewer: Viewer) -> list[inbox.Served]:
    return inbox.figures(viewer, business_now() - timedelta(days=FIGURE_DAYS))


@page
@require_safe
def desk_figures(request: Page) -> HttpResponseBase:
    """How customers were served in the last 30 days, as a file."""
    if not wanted_format(request):
        return redirect("desk")
    head = [
        _("谁"),
        _("会话"),
        _("已回复"),
        _("首次响应中位数（分）"),
        _("首次响应 P90（分）"),
        _("解决时长中位数（分）"),
    ]
    head += [_("已解决"), _("有结论的"), _("满意"), _("有评价的")]
    table = [
        (
            one.servicer or _("合计"), one.conversations, one.answered, *(
                None if quantile is None else round(quantile.value, 1)
                for quantile in (one.first_median, one.first_p90, one.resolved_median)
            ), *one.solved, *one.happy,
        )
        for one in _figures(request.viewer)
    ]  # fmt: skip
    return exported(request, "service desk", head, table)


@page
@require_safe
def desk_one(request: Page, number: int) -> HttpResponse:
    """One conversation with the person's timeline beside it."""
    found = inbox.opened(request.viewer, number)
    card = person_card(request.viewer, found.person) if found.person is not None else None
    guides = _guides(request.viewer, card)
    replies = _replies(request, card, guides)
    happened: list[Happening] = []
    if card is not None:
        births = pa.table({"person": pa.array(card.births, pa.int64())})
        happened, _older = timeline(request, births, {node.id: node for node in nodes()}, business_now() + MICROSECOND)
    context = {
        **_conversation(request, found),
        "uid": secrets.token_hex(10),
        "replies": replies,
        "draft": next((one.text for one in replies if one.name == request.GET.get("reply")), ""),
        "timeline": happened[:12],
        "card": card,
        "guides": guides,
        "reasons": desk.REASONS,
        "users": _colleagues(request.viewer),
        **_around(request.viewer, number),
    }
    return render(request, "console/desk_one.html", context)


@page
@require_safe
def desk_one_now(request: Page, number: int) -> HttpResponse:
    """What was said, and how the conversation stands, alone."""
    found = inbox.opened(request.viewer, number)
    return render(request, "console/_desk_said.html", _conversation(request, found))


def _replies(request: Page, card: PersonCard | None, guides: list[SenderFacts]) -> list[Reply]:
    """What the library has for a chat, filled in for this person: texts that may be used now and that fit one message.
    Those of the brand and the store first, for whoever answers here is neither of the guides."""
    store = node_names([card.home_node]).get(card.home_node, "") if card is not None and card.home_node else ""
    values = {Variable.NAME: (card.name if card else None) or "", Variable.BRAND: request.brand.name}
    values[Variable.STORE] = store
    found = []
    for facts in contents():
        if facts.usable is None or facts.document.place is not Place.CHAT:
            continue
        one = facts.document if facts.usable == facts.version else content_named(facts.document.name).document
        if one.place is not Place.CHAT or one.kinds != ("text",):
            continue
        spoken_of = one.voice is not Voice.GUIDE and len(guides) == 1  # else {导购} is who speaks
        text = filled(one.text, {**values, Variable.GUIDE: guides[0].name if spoken_of else ""})
        if VARIABLE in text and card is None:
            continue
        text = text.replace(VARIABLE, link_of(card.person)) if card is not None and VARIABLE in text else text
        if len(text.encode()) <= services.TEXT_BYTES:
            found.append((one.voice is Voice.GUIDE, one.title.zh, Reply(one.name, one.title, text)))
    return [reply for _guide, _title, reply in sorted(found, key=lambda row: row[:2])]


def _conversation(request: Page, found: inbox.Opened) -> dict[str, object]:
    facts, now = found.facts, business_now()
    names = names_of(request.viewer, [found.person]) if found.person is not None else {}
    return {
        "facts": facts,
        "person": found.person,
        "name": names.get(found.person) if found.person is not None else None,
        "said": found.messages,
        "waited": now - facts.waiting_since if facts.waiting_since else None,
        "closes_in": max(facts.closes_at - now, timedelta(0)),
        "open": facts.closed_at is None and facts.closes_at > now and facts.left > 0 and not facts.with_staff,
        "serves": _serves(request.viewer),
        "now": now,
    }


def _guides(viewer: Viewer, card: PersonCard | None) -> list[SenderFacts]:
    """The guides whose friend the person is, as far as the viewer sees them."""
    if card is None:
        return []
    mine = {relation.sender for relation in card.relations if relation.live}
    return [one for one in senders(viewer) if one.id in mine and one.active]


def _colleagues(viewer: Viewer) -> list[str]:
    """To whom headquarters may give a conversation; others to themselves alone."""
    if not (viewer.sees_all and viewer.may_operate):
        return [viewer.name]
    return [one.username for one in users(frozenset()) if one.roles and one.roles != (RoleName.ANALYST,)]


def _around(viewer: Viewer, number: int) -> dict[str, int | None]:
    """The conversations before and after this one among those that wait, for j and k."""
    ids = [row.facts.id for row in inbox.inbox(viewer, "open", STEP)[0]]
    place = ids.index(number) if number in ids else -1
    return {
        "following": ids[place + 1] if place + 1 < len(ids) else None,
        "before": ids[place - 1] if place > 0 else None,
    }


@page
@require_POST
def desk_answer(request: Page, number: int) -> HttpResponseBase:
    """Answer; the same form sent twice is one answer."""
    text = request.POST.get("text", "")
    require_clean(text, content_rules())
    services.answer_conversation(request.viewer, number, text, request.POST.get("uid", ""))
    return redirect("desk_one", number)


@page
@require_POST
def desk_take(request: Page, number: int) -> HttpResponseBase:
    """Take a conversation, or give it to `user`."""
    row, _person = conversation_seen(request.viewer, number)
    user = request.POST.get("user", request.viewer.name).strip()
    if user not in (*_colleagues(request.viewer), ""):
        raise Refused("您只能把会话分给自己。", "You may take a conversation yourself, and give it to nobody else.")
    customer = row.customer or ""
    desk.assign(
        request.viewer, row, user, lambda viewer: viewer.sees_all or bool(find_values(viewer, EXTERNAL, [customer]))
    )
    return redirect("desk_one", number)


@page
@require_POST
def desk_close(request: Page, number: int) -> HttpResponseBase:
    """Close a conversation, solved or not; `ask`: let the customer say how they were served."""
    said = request.POST.get("solved", "")
    if said not in ("yes", "no"):
        raise BadInput("请选择解决了没有。", "Say whether it was solved.")
    services.close_conversation(request.viewer, number, solved=said == "yes", ask=request.POST.get("ask") == "yes")
    messages.success(request, _("会话已关闭。"))
    return redirect("desk")


@page
@require_POST
def desk_hand(request: Page, number: int) -> HttpResponseBase:
    """Hand a conversation to the person's guide; `serve`: the conversation itself too, at the platform."""
    row, person = conversation_seen(request.viewer, number)
    card = person_card(request.viewer, person) if person is not None else None
    guide = next((one for one in _guides(request.viewer, card) if one.userid == request.POST.get("guide")), None)
    if card is None or guide is None:
        raise BadInput("请选择客户的导购。", "Choose one of the customer's guides.")
    store = next((node.code for node in nodes() if node.id == guide.store), "")
    desk.hand_to_guide(
        request.viewer, row, card.person, guide.userid, request.POST.get("reason", ""),
        serve=request.POST.get("serve") == "yes", store=store,
    )  # fmt: skip
    messages.success(request, _("已交给导购，并记了一条跟进。"))
    return redirect("desk_one", number)


@page
@require_POST
def desk_duty(request: Page) -> HttpResponseBase:
    """Take conversations from now on, or no more."""
    desk.set_duty(request.viewer, on=request.POST.get("on") == "yes")
    return redirect("desk")


urls = [
    path("desk/", desk_list, name="desk"),
    path("desk/now/", desk_now, name="desk_now"),
    path("desk/figures/", desk_figures, name="desk_figures"),
    path("desk/duty/", desk_duty, name="desk_duty"),
    path("desk/<int:number>/", desk_one, name="desk_one"),
    path("desk/<int:number>/now/", desk_one_now, name="desk_one_now"),
    path("desk/<int:number>/answer/", desk_answer, name="desk_answer"),
    path("desk/<int:number>/take/", desk_take, name="desk_take"),
    path("desk/<int:number>/close/", desk_close, name="desk_close"),
    path("desk/<int:number>/hand/", desk_hand, name="desk_hand"),
]

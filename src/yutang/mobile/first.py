"""The first page of a guide's phone, at most three cards: what waits for her tap, whom she is to contact today, and
what came of it all, with those she promised to come back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.manual.contracts import CHANNEL as BY_HAND
from yutang.channels.manual.mass_send import number_of
from yutang.channels.wecom.attaching import to_share
from yutang.content.documents import Content
from yutang.content.queries import content_rules
from yutang.content.services import findings
from yutang.execution.queries import reasons_of
from yutang.execution.services import TEXT
from yutang.kernel.calendars import day_start, local_day, zone
from yutang.kernel.clock import business_now
from yutang.kernel.documents import Note
from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.ids import PersonId
from yutang.mobile.recording import Recording, kept, whole
from yutang.mobile.session import WECOM, Phone, PhoneRequest, phone_page, shown
from yutang.mobile.speaking import spoken
from yutang.mobile.telling import language, local, reason_said, refusal_said, why_not_words
from yutang.mobile.undone import over_rows
from yutang.people.queries import names_of
from yutang.reach.contracts import AskedFacts
from yutang.reach.queries import asked_of
from yutang.reach.saying import beside as all_beside
from yutang.reflex.contracts import FollowUpFacts
from yutang.reflex.queries import own_follow_ups
from yutang.reflex.services import begin_follow_up, finish_follow_up, postpone_follow_up
from yutang.tasks import cards, today
from yutang.tasks.contracts import CardFacts, CardResult

LATER = (3, 7, 14)
"""In how many days somebody may be come back to."""
OUTCOMES = ("done", "no_answer", "postpone")
AGAIN = Note(zh="约好再联系", en="To be contacted again")


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A task that waits for her tap, as the page shows it. `list`: the number of the list that is worked by hand.
    `why_not`: the reason that was given for not doing it, empty if none was."""

    facts: AskedFacts
    title: str
    until: datetime
    list: int | None
    why_not: str


@dataclass(frozen=True, slots=True)
class CardRow:
    """Somebody to be contacted, with why, and why perhaps not any more, in the reader's words."""

    facts: CardFacts
    why: str
    refused: str
    said: Content | None


@dataclass(frozen=True, slots=True)
class FollowUpRow:
    """Somebody whom she promised to come back to, or whom a rule asks her to, such as one whom the service desk hands
    over."""

    facts: FollowUpFacts
    name: str
    note: str
    until: datetime
    late: bool


@phone_page
@require_safe
def first(request: PhoneRequest) -> HttpResponse:
    """The page."""
    place, phone = zone(request.brand.zone), request.phone
    along = today.beside()
    people = [
        CardRow(one, reason_said(one.reason, one.facts), refusal_said(one.refusal), along.get(one.reason))
        for one in cards.cards_of(phone.viewer, phone.accounts)
    ]
    follow_ups = _follow_ups(request, place)
    context = {
        "asked": asked_rows(phone, asked_of(phone.senders), place),
        "over": over_rows(phone, place),
        "reasons": why_not_words(),
        "longest": TEXT,
        "people": people,
        "left": sum(one.facts.result is None for one in people),
        "month": cards.month_of(phone.senders),
        "handed": [one for one in follow_ups if one.facts.rule],
        "follow_ups": [one for one in follow_ups if not one.facts.rule],
        "later": LATER,
        "chosen_at": (chosen_at := _chosen_at(phone) if not people else None),
        "too_early": chosen_at is not None and local(business_now(), place).hour < chosen_at,
    }
    return shown(request, "mobile/first.html", context, keep=True)


def _chosen_at(phone: Phone) -> int | None:
    """The hour at which those of a day are chosen for her; None where nobody chooses."""
    document = today.current()
    return document.at_hour if document and any(one.channel == today.CHANNEL for one in phone.accounts) else None


@phone_page
@require_safe
def ask_card(request: PhoneRequest) -> HttpResponse:
    """JSON: whether the words of `?card=` may be sent now (`allowed`), the words and the attachments that go along, and
    else why not (`sentence`). Asked at the tap, since the page may be hours old."""
    touch = whole("card", request.GET.get("card"))
    card = cards.card_to_send(request.phone.viewer, request.phone.accounts, touch)
    content, sentence = today.beside().get(card.reason), refusal_said(card.refusal)
    if content is not None and not sentence and findings(content, content_rules()):
        sentence = _("附件里有不能说的话，请告诉总部。")
    parts = _along(request.phone, card, content) if content is not None and not sentence else []
    return JsonResponse({"allowed": not sentence, "text": card.script, "attachments": parts, "sentence": sentence})


def _along(phone: Phone, card: CardFacts, content: Content) -> list[dict[str, Any]]:
    """The attachments as WeCom's client takes them. Raises Refused where the account's corp is not connected."""
    corp = next(one.corp for one in phone.accounts if one.id == card.sender)
    media = spoken().media().get((WECOM, corp))
    if media is None:
        raise Refused(
            "这个账号的企业微信没有连接，图片发不出去。", "This account's WeCom is not connected; files cannot go."
        )
    return to_share(all_beside(content), media)


@phone_page
@require_POST
def note_card(request: PhoneRequest) -> HttpResponse:
    """Recorded on the phone: `result` of `card`; with `days`, she will come back to them in so many."""
    phone = request.phone

    def act(said: Recording) -> dict[str, Any]:
        result = said.text("result", 16)
        if result not in list(CardResult):
            known = ", ".join(CardResult)
            raise BadInput(f"结果应是 {known} 之一。", f"The result must be one of {known}.")
        touch = said.number("card")
        person, account, node = cards.note(phone.viewer, phone.accounts, touch, CardResult(result), at=said.at)
        if said.given.get("days") is not None:
            begin_follow_up(person, account.userid, node, AGAIN, _in_days(request, said))
        return {"result": result}

    return kept(request, "card", act)


@phone_page
@require_POST
def note_follow_up(request: PhoneRequest) -> HttpResponse:
    """Recorded on the phone: `result` of `followUp`: done, no_answer, or postpone by `days`."""
    phone = request.phone
    userids = [one.userid for one in phone.accounts]

    def act(said: Recording) -> dict[str, Any]:
        result, number = said.text("result", 16), said.number("followUp")
        if result not in OUTCOMES:
            raise BadInput("结果应是 done、no_answer 或 postpone。", "The result must be done, no_answer or postpone.")
        if result == "postpone":
            postpone_follow_up(phone.viewer, number, _in_days(request, said), userids)
        else:
            finish_follow_up(phone.viewer, number, result, userids)
        return {"result": result}

    return kept(request, "follow_up", act)


def _in_days(request: PhoneRequest, said: Recording) -> datetime:
    """So many days after it was said, until that day's end."""
    days = said.number("days")
    if not 1 <= days <= 60:
        raise BadInput("days 应在 1–60 之间。", "`days` lies between 1 and 60.")
    day = local_day(said.at, request.brand.zone) + timedelta(days=days + 1)
    return day_start(day, request.brand.zone) - timedelta(minutes=1)


def asked_rows(phone: Phone, found: Sequence[AskedFacts], place: ZoneInfo) -> list[AskedRow]:
    """Tasks in the reader's words."""
    told = reasons_of(phone.viewer, [one.id for one in found])
    return [
        AskedRow(
            one, one.title.text(language()), local(one.deadline, place),
            number_of(one.task) if one.channel == BY_HAND else None,
            told[one.id][0].value if one.id in told else "",
        )
        for one in found
    ]  # fmt: skip


def _follow_ups(request: PhoneRequest, place: ZoneInfo) -> list[FollowUpRow]:
    """Those of today, those before that are still open, and whom somebody else handed to her."""
    now = business_now()
    until = day_start(local_day(now, request.brand.zone) + timedelta(days=1), request.brand.zone)
    found = own_follow_ups([one.userid for one in request.phone.accounts], until)
    names = names_of(request.phone.viewer, [one.person for one in found])
    return [
        FollowUpRow(
            one, names.get(PersonId(one.person), ""), one.note.get(language(), ""), local(one.due_at, place),
            one.due_at < now,
        )
        for one in found
    ]  # fmt: skip

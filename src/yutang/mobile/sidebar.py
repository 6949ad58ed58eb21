"""聊天侧边栏: the person beside a chat, in WeCom's client or by their number.

Inside WeCom the page asks the client whose chat is open, and then the house who that is. The id that the client gives
stands in the body of a request and in no address, for addresses are written into logs.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.contracts import MessageContent
from yutang.channels.manual.contracts import CHANNEL as BY_HAND
from yutang.channels.sync.services import hint
from yutang.channels.wecom.attaching import in_a_chat
from yutang.kernel.calendars import aware, zone
from yutang.kernel.documents import NAME, Note
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import PersonId
from yutang.log.contracts import IdentifierValue
from yutang.mobile.recording import Recording, kept
from yutang.mobile.session import WECOM, PhoneRequest, phone_page, shown
from yutang.mobile.speaking import spoken
from yutang.mobile.telling import language, local
from yutang.organisation.contracts import SenderFacts
from yutang.people.contracts import PersonCard
from yutang.people.queries import known_as, person_card
from yutang.reach.asking import GLOBAL_HOLD_OUT, Answer
from yutang.reach.contracts import REASONS
from yutang.reach.saying import beside as all_beside
from yutang.reflex.services import begin_follow_up
from yutang.tasks.beside import Beside, beside
from yutang.tasks.remarks import LONGEST as REMARK_LONGEST
from yutang.tasks.remarks import remark, remarks_of
from yutang.tasks.scripts import script_named, scripts_for
from yutang.tasks.sending import Script, offered, say_sent


@dataclass(frozen=True, slots=True)
class Fact:
    """Something known: the answer in a few words, what it rests on, and what follows."""

    answer: str
    grounds: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class ScriptRow:
    """Words to send, or why they may not be sent."""

    script: Script
    why: str


@dataclass(frozen=True, slots=True)
class FollowUpRow:
    """A follow-up that is open."""

    id: int
    note: str
    due: date


COME_BACK = ("1", "3", "7", "30")
BY_HERSELF = Note(zh="聊天时记下的跟进", en="Noted beside a chat")
SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}
LONGEST_ID = 128


@phone_page
@require_safe
def chat(request: PhoneRequest) -> HttpResponse:
    """The page that WeCom opens beside a chat; its script finds out whose chat it is."""
    return shown(request, "mobile/chat.html", {}, keep=True)


@phone_page
@require_POST
def chat_person(request: PhoneRequest) -> HttpResponse:
    """The person with the `external` id that the client gave, as a part of that page; or what can be done for one whom
    nobody knows here."""
    external = request.POST.get("external", "").strip()
    if not external or len(external) > LONGEST_ID:
        raise BadInput(
            "企业微信没有给出客户，请从与客户的聊天里打开。", "WeCom named no customer; open this in a chat."
        )
    corp = _corp(request)
    who = known_as(request.phone.viewer, IdentifierValue("external_userid", corp, external))
    if who is None or who not in request.phone.seen([who]):
        return shown(request, "mobile/_stranger.html", {"external": external, "corp": corp})
    return shown(request, "mobile/_person.html", _told(request, who))


@phone_page
@require_POST
def chat_again(request: PhoneRequest) -> HttpResponse:
    """Recorded on the phone: read somebody who is not known (`external`) again at the platform."""
    corp = _corp(request)

    def act(said: Recording) -> dict[str, Any]:
        external = said.text("external", LONGEST_ID)
        if not external:
            raise BadInput("没有说是哪位客户。", "It does not say which customer.")
        hint(WECOM, corp, "customer", [external])
        return {"asked": True}

    return kept(request, "read_again", act)


@phone_page
@require_safe
def person(request: PhoneRequest, number: int) -> HttpResponse:
    """The same of a person by number, outside of WeCom's chats."""
    return shown(request, "mobile/person.html", _told(request, request.phone.person_seen(PersonId(number))), keep=True)


@phone_page
@require_safe
def ask(request: PhoneRequest, number: int) -> HttpResponse:
    """JSON: whether `?script=` may be sent now (`allowed`), its words and the calls that send it one by one, and else
    why not (`sentence`). Asked at the tap, since the page may be hours old."""
    card, sender = _speaking(request, number)
    script = script_named(request.GET.get("script", ""), card, sender, language())
    answer = offered(request.warehouse, card, sender, [script])[0].answer
    calls = _calls(sender, script) if answer.allowed else []
    return JsonResponse({"allowed": answer.allowed, "text": script.text, "calls": calls, "sentence": _why(answer)})


def _calls(sender: SenderFacts, script: Script) -> list[dict[str, Any]]:
    """What WeCom's client is asked for, so that all of it is sent. Raises Refused where files would go by a corp that
    is not connected, and what the platform says of an upload."""
    content = replace(all_beside(script.said), text=script.text) if script.said else MessageContent(script.text)
    media = spoken().media().get((WECOM, sender.corp)) if content.attached else None
    if content.attached and media is None:
        raise Refused(
            "这个账号的企业微信没有连接，图片发不出去。", "This account's WeCom is not connected; files cannot go."
        )
    return in_a_chat(content, media)


@phone_page
@require_POST
def sent(request: PhoneRequest, number: int) -> HttpResponse:
    """Recorded on the phone: `script` was sent to this person."""
    card, sender = _speaking(request, number)

    def act(said: Recording) -> dict[str, Any]:
        name = said.text("script", 63)
        if not re.fullmatch(NAME, name):  # it goes into the log, where nobody's own words may
            raise BadInput("script 应是话术的名字。", "script must be the name of a script.")
        script = Script(name, "", "")  # it was sent, also where its document was taken away since
        with suppress(NotFound, Refused):
            script = script_named(name, card, sender, language())
        return say_sent(request.warehouse, card, sender, script, said.id, said.at)

    return kept(request, "beside_sent", act)


@phone_page
@require_POST
def note(request: PhoneRequest, number: int) -> HttpResponse:
    """Recorded on the phone: a `note` in the guide's own words, and in how many `days` she will come back to them."""
    card, sender = _speaking(request, number)

    def act(said: Recording) -> dict[str, Any]:
        text, days = said.text("note", REMARK_LONGEST), said.text("days", 3)
        if not text and not days:
            raise BadInput("写一句备注，或选一个跟进日期。", "Write a remark, or choose when to come back to them.")
        if days and days not in COME_BACK:
            raise BadInput("请从列表中选择跟进日期。", "Choose from the list when to come back to them.")
        if text:
            remark(card.person, sender.store, sender.userid, text, said.at)
        if days:
            due = said.at + timedelta(days=int(days))
            begin_follow_up(card.person, sender.userid, sender.store, BY_HERSELF, due)
        return {"noted": bool(text), "days": days}

    return kept(request, "beside_note", act)


def _corp(request: PhoneRequest) -> str:
    """The corp of whose client the page was opened in. Raises Refused for one in which they have no account."""
    corp = request.GET.get("corp", "") or request.phone.corp
    if corp not in {one.corp for one in request.phone.accounts if one.channel == WECOM}:
        raise Refused("你在这个企业里没有企业微信账号。", "You have no WeCom account of that corp.")
    return corp


def _speaking(request: PhoneRequest, number: int) -> tuple[PersonCard, SenderFacts]:
    """The person, and by which of the reader's accounts they are spoken to. Raises NotFound, Refused."""
    card = person_card(request.phone.viewer, request.phone.person_seen(PersonId(number)))
    sender = _sender(request, card)
    if sender is None:
        raise Refused("只有客户的导购能发消息。", "Only a guide with an account of their own can send.")
    return card, sender


def _sender(request: PhoneRequest, card: PersonCard) -> SenderFacts | None:
    """The account of the reader's whose friend the person is, the one that they talked to last; else any of theirs."""
    live = {one.sender: one for one in card.relations if one.live}
    mine = [one for one in request.phone.accounts if one.id in live]
    if mine:
        return max(mine, key=lambda one: (str(live[one.id].last_talk_at or ""), -one.id))
    return next((one for one in request.phone.accounts if one.channel in (WECOM, BY_HAND)), None)


def _told(request: PhoneRequest, who: PersonId) -> dict[str, Any]:
    """What the templates show of a person, in the reader's words."""
    phone, place = request.phone, zone(request.brand.zone)
    card = person_card(phone.viewer, who)
    sender = _sender(request, card)
    channel = sender.channel if sender is not None else WECOM
    found = beside(request.warehouse, phone.viewer, card, channel, phone.senders)
    scripts = []
    if sender is not None:
        words = scripts_for(found, sender, language())
        scripts = offered(request.warehouse, card, sender, words)
    said = [(item, _why(item.answer)) for item in scripts]
    same = {why for _item, why in said}
    return {
        "one": found,
        "name": card.name or _("没有名字的客户"),
        "sender": sender,
        "marks": _marks(found),
        "alone": _alone(found.left_alone),
        "last": _last(found, request.brand.currency),
        "rhythm": _rhythm(found),
        "need": _need(found),
        "scripts": [ScriptRow(item.script, why) for item, why in said],
        "all_refused": next(iter(same)) if len(same) == 1 else "",
        "follow_ups": [
            FollowUpRow(one.id, one.note.get(language(), ""), local(one.due_at, place).date())
            for one in found.follow_ups
        ],
        "remarks": [(local(one.at, place).date(), one.text) for one in remarks_of(phone.viewer, card.births)],
        "come_back": [("1", _("明天")), ("3", _("三天后")), ("7", _("一周后")), ("30", _("一个月后"))],
        "consents": [(_purpose(one.purpose), one.granted) for one in found.consents],
        "not_reached": [
            (local(aware(one.decided_at), place).date(), _reason(one.reason or one.outcome))
            for one in found.not_reached
        ],
    }


def _alone(why: str | None) -> str:
    return {
        "silent": _("客户要求免打扰。请不要主动发消息；来问时，用自己的话回答。"),
        "blocked": _("客户已被屏蔽（投诉，或正在删除资料），请不要联系。"),
        "wish": _("客户在偏好里拒绝了所有消息，请不要主动发。"),
    }.get(why or "", "")


def _marks(found: Beside) -> list[tuple[str, str]]:
    """A word and its tone each: left alone, ladder, pool."""
    ladder = {
        "prospect": _("潜客"), "new": _("新客"), "active": _("活跃"), "silent": _("沉默"), "lapsed": _("流失"),
    }.get(found.lifecycle)  # fmt: skip
    pool = {"nurturing": _("潜客池"), "customer": _("成交池"), "": _("不在池中")}[found.pool]
    marks = [(_("免打扰"), "need")] if found.left_alone else []
    marks += [(ladder, "good" if found.lifecycle in ("new", "active") else "watch")] if ladder else []
    return [*marks, (pool, "")]


def _last(found: Beside, currency: str) -> Fact:
    if found.last is None and found.last_day is None:
        return Fact(_("还没有买过"))
    elsewhere = _("更近一次在别的门店，%(when)s") % {"when": _ago(found.days_since or 0)} if found.elsewhere else ""
    if found.last is None:
        return Fact(_ago(found.days_since or 0), elsewhere or _("一年多以前，明细不再显示"))
    goods = _("、").join(found.last.categories) + (_(" 等") if found.last.more else "")
    parts = [money(found.last.amount, currency), goods, found.last.store_name]
    return Fact(_ago((found.today - found.last.day).days), " · ".join(part for part in parts if part), elsewhere)


def _rhythm(found: Beside) -> Fact:
    rhythm = found.rhythm
    if rhythm is None:
        return Fact(_("还看不出"), _("一年里至少要有四天买过东西"))
    span = {"low": round(rhythm.low), "high": round(rhythm.high), "gaps": rhythm.gaps}
    told = _("一半的间隔在 %(low)s–%(high)s 天之间，看了 %(gaps)s 次") % span
    if span["low"] == span["high"]:
        told = _("大多隔 %(low)s 天，看了 %(gaps)s 次") % span
    if not rhythm.steady:
        return Fact(_("不规律"), told)
    usual = _("约 %(days)s 天一次") % {"days": round(rhythm.usual)}
    if late := rhythm.late_by(found.today):
        return Fact(usual, told, _("比平时晚了 %(days)s 天") % {"days": late})
    first, last = (_day(day) for day in rhythm.expected)
    when = _("下次大约 %(day)s") % {"day": first} if first == last else _("下次大约 %(first)s 到 %(last)s") % {
        "first": first, "last": last,
    }  # fmt: skip
    return Fact(usual, told, when)


def _need(found: Beside) -> Fact:
    if found.need is None:
        return Fact(_("还看不出"), _("没有哪一类买得有规律，或还没到时候"))
    rhythm = found.need.rhythm
    told = _("通常 %(usual)s 天买一次，上次是 %(days)s 天前，看了 %(gaps)s 次") % {
        "usual": round(rhythm.usual), "days": rhythm.days_since(found.today), "gaps": rhythm.gaps,
    }  # fmt: skip
    return Fact(found.need.category, told)


def _ago(days: int) -> str:
    if days < 1:
        return _("今天")
    return _("昨天") if days == 1 else _("%(days)s 天前") % {"days": days}


def _day(day: date) -> str:
    return f"{day.month}-{day.day}"


def _purpose(code: str) -> str:
    return {"marketing": _("营销"), "service": _("服务")}.get(code, code)


def _why(answer: Answer) -> str:
    """Why words may not be sent, in a sentence; empty if they may."""
    if answer.reason is None:
        return ""
    if answer.reason == "content" and answer.word:
        return _("「%(word)s」碰了红线") % {"word": answer.word}
    return _reason(answer.reason)


def _reason(code: str) -> str:
    """What reach calls a reason, in the reader's language."""
    held = {GLOBAL_HOLD_OUT: _("抽在对照组里，任何营销都不发"), "held_out": _("抽在这次的对照组里，故意不发")}
    if code in held:
        return held[code]
    both = REASONS.get(code, (code, code))
    return both[1] if language() == "en" else both[0]


def money(amount: Decimal, currency: str) -> str:
    """An amount as the phone says it."""
    return f"{SIGNS.get(currency, currency + ' ')}{amount:,.2f}"

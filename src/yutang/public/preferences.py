"""The preference centre: topics, channels, how often, at what hours; and one tap that stops everything.

Opened by a signed link (`people.links`). GET changes nothing. There is no cookie and no log-in, so a form needs no
token against forgery: whoever can post here holds the link.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from yutang.channels.capabilities import of_channel
from yutang.guard import wishes
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput, NotFound, Refused, YutangError
from yutang.organisation.queries import OWNER, brand, senders
from yutang.people import links, services
from yutang.people.contracts import ALL_CHANNELS, Wish
from yutang.people.queries import find_by_identifier, standing_consents, wish_of
from yutang.public.pace import Pace
from yutang.reach.planning import rulebook

LANGUAGES = {"zh": "zh-hans", "en": "en"}
OFTEN: dict[str, tuple[int | None, int | None]] = {
    "any": (None, None),
    "week": (1, None),
    "month2": (None, 2),
    "month": (None, 1),
}
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
VISITS, TYPED = Pace(60, 60), Pace(5, 5)
View = Callable[..., HttpResponse]


class TooOften(YutangError):
    """Somebody asks faster than anybody types."""


def public(view: View) -> View:
    """A public page: in the reader's language (`?lang=`, else the browser's), at a human pace, never cached, and with
    our errors as sentences."""

    @csrf_exempt
    @wraps(view)
    def opened(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        with translation.override(_language(request)):
            try:
                if not VISITS.allows(_visitor(request)):
                    raise TooOften("操作太频繁，请一分钟后再试。", "Too many requests; try again in a minute.")
                answer = view(request, *args, **kwargs)
            except YutangError as error:
                status = 404 if isinstance(error, NotFound) else 429 if isinstance(error, TooOften) else 422
                sentence = error.sentence(_language(request))
                answer = render(request, "public/sorry.html", {"sentence": sentence, **_frame(request)}, status=status)
        answer["Cache-Control"] = "no-store"
        answer["Referrer-Policy"] = "no-referrer"  # the address is the key
        answer["X-Robots-Tag"] = "noindex"
        return answer

    return opened


def _language(request: HttpRequest) -> str:
    wanted = request.GET.get("lang", "")
    if wanted in LANGUAGES:
        return LANGUAGES[wanted]
    accepted = request.headers.get("Accept-Language", "").lower()
    return "en" if accepted.startswith("en") else "zh-hans"


def _visitor(request: HttpRequest) -> str:
    """Who asks, as far as it can be told: of IPv6 the network of 64 bits, which is one household's or one phone's."""
    said = str(request.META.get("REMOTE_ADDR", ""))
    try:
        address = ipaddress.ip_address(said.partition("%")[0])
    except ValueError:
        return said
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return said


def _frame(request: HttpRequest) -> dict[str, object]:
    """What every page shows: whose it is, and how to read it in the other language."""
    english = _language(request) == "en"
    try:
        name = brand().name
    except Refused:
        name = ""
    return {"brand": name, "english": english, "other": "zh" if english else "en", "lang": "en" if english else "zh"}


@public
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """The centre. POST keeps what was chosen."""
    link = links.opened(token)
    if request.method == "POST":
        if not link.fresh:
            raise BadInput(
                "这个链接太旧，只能用来停止接收；要修改偏好，请找导购要新的链接。",
                "This link is too old to change preferences; it can still stop everything. Ask for a new one.",
            )
        services.prefer(link.person, _chosen(request.POST, wish_of(link.person)), at=business_now())
        return _back(request, token, "saved")
    return _show(request, token, link, said=request.GET.get("said", ""))


def _back(request: HttpRequest, token: str, said: str) -> HttpResponse:
    """After a change the page is asked for anew, so that reloading it repeats nothing."""
    return _see(request, reverse("preferences", args=[token]), said)


def _see(request: HttpRequest, where: str, said: str) -> HttpResponse:
    return HttpResponse(status=303, headers={"Location": f"{where}?said={said}&lang={_frame(request)['lang']}"})


def _show(
    request: HttpRequest, token: str, link: links.Link, *, said: str = "", stopped: datetime | None = None
) -> HttpResponse:
    wish = wish_of(link.person)
    standing = standing_consents(link.person)
    ours = [
        granted for (purpose, _c, partner), granted in standing.items() if purpose == wishes.MARKETING and not partner
    ]
    partners = sorted({partner for (_p, _c, partner), granted in standing.items() if partner and granted})
    policy = rulebook().policy
    context = {
        **_frame(request),
        "token": token,
        "fresh": link.fresh,
        "until": link.made_at + links.LASTS,
        "said": said,
        "stopped": (stopped - EPOCH) // MICROSECOND if stopped else "",
        "off": bool(ours) and not any(ours),
        "unasked": not ours,
        "topics": [
            (name, title.text(_language(request)), not {name, ALL_CHANNELS} & wish.topics)
            for name, title in policy.topics.items()
        ],
        "channels": [
            (name, _channel(name), not {name, ALL_CHANNELS} & wish.channels) for name in _channels(policy.channel_hours)
        ],
        "often": [(name, _often(name), (wish.week, wish.month) == caps) for name, caps in OFTEN.items()],
        "opens": [(hour, hour * 60 == (wish.opens or policy.hours.opens.hour * 60)) for hour in range(6, 22)],
        "closes": [(hour, hour * 60 == _closing(wish, policy.hours.closes.hour)) for hour in range(8, 24)],
        "partners": partners,
    }
    return render(request, "public/preferences.html", context)


def _closing(wish: Wish, hour: int) -> int:
    return wish.closes if wish.closes is not None else hour * 60


def _channels(known: object) -> list[str]:
    found = {one.channel for one in senders(OWNER)} | (set(known) if isinstance(known, dict) else set())
    return sorted(found, key=lambda name: (name != "wecom", name))


def _channel(name: str) -> str:
    names = {"wecom": _("企业微信"), "sms": _("短信"), "email": _("邮件"), "manual": _("导购联系")}
    ways = of_channel(name)
    english = (get_language() or "").startswith("en")
    return names.get(name) or ((ways[0].en if english else ways[0].zh) if ways else name)


def _often(name: str) -> str:
    return {
        "any": _("按品牌的安排"),
        "week": _("每周最多一条"),
        "month2": _("每月最多两条"),
        "month": _("每月最多一条"),
    }[name]


def _chosen(given: QueryDict, before: Wish) -> Wish:
    """What a form says; what is ticked is wanted. Raises BadInput for a value that no form of ours sends."""
    policy = rulebook().policy
    topics, channels = set(policy.topics), set(_channels(policy.channel_hours))
    refused = topics - set(given.getlist("topic"))
    silent = channels - set(given.getlist("channel"))
    often = given.get("often", "any")
    opens, closes = _hour(given.get("opens", "")), _hour(given.get("closes", ""))
    if often not in OFTEN:
        raise BadInput("请从列表中选择频率。", "Choose how often from the list.")
    if opens is not None and closes is not None and opens >= closes:
        raise BadInput("开始时间要早于结束时间。", "The hours must begin before they end.")
    week, month = OFTEN[often]
    return Wish(
        frozenset({ALL_CHANNELS} if refused == topics and topics else refused),
        frozenset({ALL_CHANNELS} if silent == channels and channels else silent),
        week,
        month,
        None if opens is None or opens * 60 <= policy.hours.opens.hour * 60 else opens * 60,
        None if closes is None or closes * 60 >= policy.hours.closes.hour * 60 else closes * 60,
    )


def _hour(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 2 and int(text) < 24):
        raise BadInput("时间应为 0–23 点。", "Hours lie between 0 and 23.")
    return int(text)


@public
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """One tap, and also what a mail program sends (List-Unsubscribe-Post, RFC 8058). Done twice, it is done once. A
    mail program that knows no POST opens the address: that stops nothing, and shows the tap."""
    link = links.opened(token)
    if request.method != "POST":
        return _show(request, token, link)
    by_mail = "List-Unsubscribe" in request.POST
    done = wishes.stop(link.person, "List-Unsubscribe" if by_mail else "one tap on the public page")
    return _show(request, token, link, said="stopped" if done.at else "already", stopped=done.at)


@public
@require_POST
def undo(request: HttpRequest, token: str) -> HttpResponse:
    """Take the tap back."""
    link = links.opened(token)
    given = request.POST.get("at", "")
    if not (given.isascii() and given.isdecimal() and len(given) <= 17):
        raise BadInput("缺少要撤销的时间。", "It does not say what to take back.")
    at = EPOCH + int(given) * MICROSECOND
    back = wishes.undo(link.person, at, "undo on the public page")
    return _back(request, token, "undone" if back else "late")


@public
@require_http_methods(["GET", "HEAD", "POST"])
def refuse(request: HttpRequest) -> HttpResponse:
    """For whoever got a message that many got alike: stop by phone or member number. Says the same whether we know the
    number or not, and shows nothing of anybody."""
    if request.method == "POST":
        if not TYPED.allows(_visitor(request)):
            raise TooOften("操作太频繁，请一分钟后再试。", "Too many requests; try again in a minute.")
        number = request.POST.get("number", "").strip()
        if not number or len(number) > 64 or "\x00" in number:
            raise BadInput("请填写手机号或会员号。", "Give a phone or member number.")
        for person in find_by_identifier(OWNER, number):
            wishes.stop(person, "typed on the public page, not proved")
        return _see(request, reverse("refuse"), "stopped")
    return render(request, "public/refuse.html", {**_frame(request), "said": request.GET.get("said", "")})


urls = [
    path("p/", refuse, name="refuse"),
    path("p/<str:token>/", preferences, name="preferences"),
    path("p/<str:token>/stop/", stop, name="preferences_stop"),
    path("p/<str:token>/undo/", undo, name="preferences_undo"),
]

"""Ways in: by WeCom, where its client says whose browser it is, or by a link that works once."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from yutang.channels.wecom.directory import authorize_address
from yutang.kernel.errors import NotFound, Refused, YutangError
from yutang.mobile.session import WECOM, sorry
from yutang.mobile.speaking import Speaking, spoken
from yutang.organisation.contracts import CorpFacts
from yutang.organisation.phones import BY_PHONE, link_stands, spend_link, staff_by_account, user_of_staff
from yutang.organisation.queries import corps

_STATE, _NEXT, _CORP = "phone_state", "phone_next", "phone_corp"
LINK = "link"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@require_safe
def ways_in(request: HttpRequest) -> HttpResponseBase:
    """Where somebody who is not logged in gets to. Inside WeCom they are led on at once."""
    wanted = _inside(request, request.GET.get("next", ""))
    connected = [corp.corp for corp in corps() if corp.channel == WECOM and corp.agent is not None]
    if "wxwork" in request.headers.get("User-Agent", "") and len(connected) == 1 and "stay" not in request.GET:
        return _away(request, connected[0], wanted)
    return render(request, "mobile/in.html", {"corps": connected, "next": wanted})


@require_safe
def by_wecom(request: HttpRequest) -> HttpResponseBase:
    """To WeCom's own page, which sends the browser back with a code. `?corp=`, `?next=`."""
    try:
        return _away(request, request.GET.get("corp", ""), _inside(request, request.GET.get("next", "")))
    except YutangError as error:
        return sorry(request, error)


@require_safe
def back_from_wecom(request: HttpRequest) -> HttpResponseBase:
    """Back with `code` and `state`: log in whoever the platform says it is."""
    try:
        state, corp = request.session.pop(_STATE, ""), request.session.pop(_CORP, "")
        wanted = request.session.pop(_NEXT, "") or reverse("phone")
        if not state or not secrets.compare_digest(state.encode(), request.GET.get("state", "").encode()):
            raise Refused("登录没有完成，请重新打开页面。", "The log-in was not finished; open the page again.")
        port = spoken().visitors().get((WECOM, corp))
        visitor = port.visitor(request.GET.get("code", "")) if port is not None else None
        if visitor is None:
            raise Refused("登录凭证已失效，请重新打开页面。", "The log-in has expired; open the page again.")
        if not visitor.userid:
            raise NotFound("这里只给本企业的员工使用。", "This page is for the corp's own staff.")
        _enter(request, user_of_staff(staff_by_account(WECOM, corp, visitor.userid)), WECOM)
        return redirect(wanted)
    except YutangError as error:
        return sorry(request, error)


@require_http_methods(["GET", "HEAD", "POST"])
def by_link(request: HttpRequest, secret: str) -> HttpResponseBase:
    """A link that works once: opened it shows a button, and only the button uses it up, since chat programs look at
    what they are sent."""
    try:
        if request.method == "POST":
            _enter(request, spend_link(secret), LINK)
            return redirect("phone")
        answer = render(request, "mobile/link.html", {"stands": link_stands(secret), "secret": secret})
        answer["Cache-Control"] = "no-store"
        return answer
    except YutangError as error:
        return sorry(request, error)


@require_POST
def out(request: HttpRequest) -> HttpResponseBase:
    """Log out. The page that follows lets the phone throw away the pages that it kept (`mobile.js`); what was recorded
    and not sent yet waits for its own author."""
    logout(request)
    return redirect(f"{reverse('phone_in')}?stay")


def _enter(request: HttpRequest, user: Any, way: str) -> None:
    login(request, user, BACKEND)
    request.session[BY_PHONE] = way
    UserSession.objects.create_from_request(request)  # or nobody could end this one


def _away(request: HttpRequest, corp: str, wanted: str) -> HttpResponseBase:
    facts = next((one for one in corps() if (one.channel, one.corp) == (WECOM, corp)), None)
    if facts is None or facts.agent is None:
        raise NotFound(
            "没有连接这个企业，或还没填应用的 AgentId。", "That corp, or its app's AgentId, is not known here."
        )
    state = secrets.token_urlsafe(24)
    request.session[_STATE], request.session[_CORP], request.session[_NEXT] = state, corp, wanted
    return redirect(_authorize(facts, facts.agent, _address(request), state, spoken()))


def _authorize(corp: CorpFacts, agent: int, back: str, state: str, channels: Speaking) -> str:
    """The platform's page, or our sandbox's, which asks whose browser it is to be."""
    address = authorize_address(corp.corp, agent, back, state)
    if not corp.sandboxed:
        return address
    return f"{channels.sandbox}/connect/oauth2/authorize?{urlsplit(address).query}"


def _address(request: HttpRequest) -> str:
    """Where WeCom sends the browser back to: at the public address if that is where we are, since behind a proxy the
    request does not know that it came by https."""
    public = urlsplit(settings.PUBLIC_ADDRESS)
    back = reverse("phone_back")
    return (
        f"{public.scheme}://{public.netloc}{back}"
        if public.netloc == request.get_host()
        else (request.build_absolute_uri(back))
    )


def _inside(request: HttpRequest, wanted: str) -> str:
    """Where to go afterwards: a page of the phone, and nowhere else."""
    here = url_has_allowed_host_and_scheme(wanted, {request.get_host()}) and wanted.startswith(reverse("phone"))
    return wanted if here else ""

"""Ways in: setting up an empty data directory, one's own password, and the demo's clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

from allauth.core import ratelimit
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import authenticate, login, update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from yutang.console.pages import Page, language, operators_only, page
from yutang.intake import imports, mirror
from yutang.kernel.calendars import local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput, Refused, YutangError
from yutang.organisation import services as organisation
from yutang.organisation.clock import clock_state, fast_forward
from yutang.organisation.contracts import RoleName
from yutang.organisation.queries import brand, is_set_up
from yutang.playbooks.services import keep_shipped
from yutang.profiles import services as profiles

CURRENCIES = ("CNY", "HKD", "TWD", "SGD", "MYR", "JPY", "USD", "EUR", "GBP", "AUD", "CAD")
COUNTRIES = {"CNY": "CN", "HKD": "HK", "TWD": "TW", "SGD": "SG", "MYR": "MY", "JPY": "JP", "GBP": "GB", "AUD": "AU"}
MORNING = time(9, 5)
FORWARD = {1: 6, 7: 15, 28: 60}
"""Days by which the demo's clock can be sent ahead, and about how many seconds that takes."""
_EMPTY = {"name": "", "currency": "CNY", "zone": "Asia/Shanghai", "owner": "owner"}


@require_http_methods(["GET", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """The short form that an empty data directory opens with; afterwards its owner is logged in.

    Where a command set the brand up with defaults, its owner corrects them here, or says that they are right.
    """
    if is_set_up():
        return cast("HttpResponse", confirm(request)) if brand().presumed else redirect("today")
    given = {**_EMPTY, **{name: value.strip() for name, value in request.POST.dict().items()}}
    given["password"] = request.POST.get("password", "")  # every character of it counts, spaces too
    problem = ""
    if request.method == "POST":
        try:
            _found(given)
            login(request, authenticate(request, username=given["owner"], password=given["password"]))
            UserSession.objects.create_from_request(request)  # or nobody could end this one
            return redirect("today")
        except YutangError as error:
            problem = error.sentence(language())
    context = {"given": given, "problem": problem, "currencies": CURRENCIES, "zones": _zones()}
    return render(request, "console/set_up.html", context, status=422 if problem else 200)


def _zones() -> list[str]:
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))


@page
def confirm(request: Page) -> HttpResponseBase:
    """Name, currency and zone of a brand that was set up with defaults, to be corrected or confirmed by its owner.

    The currency is fixed once anything is in the log; another zone moves everybody's days, so profiles follow at once.
    """
    if request.viewer.role is not RoleName.OWNER:
        return redirect("today")
    facts = request.brand
    given = {"name": facts.name, "currency": facts.currency, "zone": facts.zone}
    if request.method != "POST":
        fixed = imports.anything_came(request.warehouse)
        context = {"given": given, "currencies": CURRENCIES, "zones": _zones(), "fixed": fixed}
        return render(request, "console/confirm.html", context)
    given |= {name: request.POST.get(name, value).strip() for name, value in given.items()}
    _good_name(given["name"])
    with imports.doors_shut():
        fixed = imports.anything_came(request.warehouse)
        organisation.correct_brand(**given, country=_country(given["currency"]), currency_fixed=fixed)
        organisation.audit(request.viewer, "correct_brand", given["name"], **given)
    if given["zone"] != facts.zone:
        mirror.mirror_nodes(request.warehouse)
        mirror.mirror_facts(request.warehouse)
        profiles.refresh(request.warehouse, business_now())
    messages.success(request, _("品牌、币种和时区已确认。"))
    return redirect("today")


def _country(currency: str) -> str:
    return COUNTRIES.get(currency, "US" if currency == "USD" else "DE")


def _good_name(name: str) -> None:
    if not name or len(name) > 80:
        raise BadInput("请填写品牌名称（至多 80 个字）。", "Give the brand a name (at most 80 characters).")


def _found(given: Mapping[str, str]) -> None:
    _good_name(given["name"])
    if not given["owner"].isascii() or not given["owner"].isidentifier() or len(given["owner"]) > 80:
        raise BadInput(
            "用户名请用英文字母、数字和下划线。", "A user name is made of Latin letters, digits and underscores."
        )
    _good_password(given["password"])
    with transaction.atomic():
        country = _country(given["currency"])
        organisation.set_up_brand(given["name"], given["currency"], given["zone"], country=country)
        organisation.add_user(given["owner"], given["password"], RoleName.OWNER)
        keep_shipped()


def _good_password(password: str) -> None:
    try:
        validate_password(password)
    except ValidationError:
        raise BadInput("密码至少要 10 个字符。", "A password has at least 10 characters.") from None


@page
@require_POST
def choose_password(request: Page) -> HttpResponseBase:
    """Set one's own password; other sessions of the same user end."""
    user = request.user
    assert user.is_authenticated  # by `page`
    if not ratelimit.consume(request, action="change_password", user=user):
        raise Refused("错的次数太多，请过一分钟再试。", "Too many tries; try again in a minute.")
    if not user.check_password(request.POST.get("current", "")):
        raise BadInput("当前密码不对，请再输一次。", "The current password is wrong; type it again.")
    _good_password(request.POST.get("password", ""))
    organisation.set_password(user.get_username(), request.POST["password"])
    user.refresh_from_db()
    update_session_auth_hash(request, user)
    messages.success(request, _("密码已更新，一次性密码作废。"))
    return redirect("settings")


@page
@require_http_methods(["GET", "POST"])
def clock(request: Page) -> HttpResponseBase:
    """The clock as the banner shows it (GET), or send a stepped clock ahead (POST): by some days, or to the next
    morning, when guides are at work and the day's five are chosen."""
    if request.method == "GET":
        return render(request, "console/_clock.html", {"clock": clock_state(), "forward": FORWARD})
    operators_only(request.viewer)
    text, at = request.POST.get("days", ""), clock_state().at
    days = int(text) if text.isdecimal() and len(text) < 5 else 0
    if at is None or (days not in FORWARD and text != "morning"):
        raise BadInput(
            "只能快进 1、7、28 天或到上午 9 点，且只在演示里。",
            "Only the demo can go ahead: 1, 7 or 28 days, or to 9:00.",
        )
    span = timedelta(days=days) or next_morning(at, request.brand.zone) - at
    fast_forward(span, timedelta(days=days or 1).total_seconds() / FORWARD[days or 1])
    organisation.audit(request.viewer, "fast_forward", "clock", days=days)
    return redirect(_back(request))


def next_morning(at: datetime, zone: str) -> datetime:
    """The next instant at which it is 9:05 in a zone."""
    day = local_day(at, zone)
    mornings = (datetime.combine(day + timedelta(days=days), MORNING, ZoneInfo(zone)) for days in (0, 1))
    return next(morning for morning in mornings if morning > at).astimezone(UTC)


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "/")
    return wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}) else "/"

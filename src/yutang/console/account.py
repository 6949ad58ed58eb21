"""账号安全: one's own second factors and sessions. What changes them is allauth's, in templates of ours."""

from __future__ import annotations

import re

from allauth.account.views import ReauthenticateView
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateByCode
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    EditWebAuthnView,
    LoginWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import RedirectView

from yutang.console.pages import Page, page, second_factor_missing
from yutang.organisation import services as organisation
from yutang.organisation.queries import second_factors, sessions

_BROWSERS = (("MicroMessenger", "微信"), ("wxwork", "企业微信"), ("Edg/", "Edge"), ("Firefox/", "Firefox"),
             ("Chrome/", "Chrome"), ("Safari/", "Safari"))  # fmt: skip
_SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Mac OS X", "Linux")


@page
@require_safe
def account(request: Page) -> HttpResponse:
    """The page."""
    UserSession.objects.create_from_request(request)  # set-up logs in without allauth
    own = request.session.session_key or ""
    context = {
        "factors": second_factors(request.user.get_username()),
        "sessions": [
            {"device": device(one.agent), "own": one.key == own, "facts": one}
            for one in sessions(request.user.get_username())
        ],
        "missing": second_factor_missing(request),
        "by_address": re.fullmatch(r"[\d.]+|\[.*\]", request.get_host().rsplit(":", 1)[0]) is not None,
    }
    return render(request, "console/account.html", context)


def device(agent: str) -> str:
    """A browser and its system, of what it says of itself."""
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for name in _SYSTEMS if name in agent), "")
    return " · ".join(filter(None, (browser, system))) or agent[:40] or "?"


@page
@require_POST
def end_sessions(request: Page) -> HttpResponseBase:
    """End one's other sessions."""
    ended = organisation.end_sessions(request.user.get_username(), but=request.session.session_key or "")
    organisation.audit(request.viewer, "end_sessions", request.viewer.name, ended=ended)
    messages.success(request, _("其他设备上的登录已全部结束。"))
    return redirect("mfa_index")


_SURE = "console/account_sure.html"
_NEW_CODES = {
    "title": gettext_lazy("换一组恢复码"),
    "sentence": gettext_lazy("旧的恢复码随即作废。新的只显示一次，请准备好保存。"),
    "do": gettext_lazy("生成新的恢复码"),
}
_TOTP_OFF = {
    "title": gettext_lazy("停用验证器"),
    "sentence": gettext_lazy("之后登录不再要它的验证码。没有其他第二步时，恢复码也一并作废。"),
    "do": gettext_lazy("停用"),
    "danger": True,
}
_KEY_OFF = {
    "title": gettext_lazy("移除通行密钥"),
    "sentence": gettext_lazy("之后不能再用它登录。没有其他第二步时，恢复码也一并作废。"),
    "do": gettext_lazy("移除"),
    "danger": True,
}
_CONFIRM = "console/account_confirm.html"
urls = [
    path("account/", account, name="mfa_index"),
    path("account/keys/", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("account/sessions/end/", end_sessions, name="usersessions_end"),
    path(
        "account/totp/", ActivateTOTPView.as_view(template_name="console/account_totp.html"), name="mfa_activate_totp"
    ),
    path(
        "account/totp/off/",
        DeactivateTOTPView.as_view(template_name=_SURE, extra_context=_TOTP_OFF),
        name="mfa_deactivate_totp",
    ),
    path(
        "account/codes/",
        ViewRecoveryCodesView.as_view(template_name="console/account_codes.html"),
        name="mfa_view_recovery_codes",
    ),
    path(
        "account/codes/new/",
        GenerateRecoveryCodesView.as_view(template_name=_SURE, extra_context=_NEW_CODES),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "account/keys/add/", AddWebAuthnView.as_view(template_name="console/account_key.html"), name="mfa_add_webauthn"
    ),
    path(
        "account/keys/<int:pk>/",
        EditWebAuthnView.as_view(template_name="console/account_key_name.html"),
        name="mfa_edit_webauthn",
    ),
    path(
        "account/keys/<int:pk>/remove/",
        RemoveWebAuthnView.as_view(template_name=_SURE, extra_context=_KEY_OFF),
        name="mfa_remove_webauthn",
    ),
    path("accounts/passkey/", LoginWebAuthnView.as_view(template_name="console/login.html"), name="mfa_login_webauthn"),
    path(
        "accounts/second/",
        AuthenticateView.as_view(template_name="console/account_second.html"),
        name="mfa_authenticate",
    ),
    path("accounts/confirm/", ReauthenticateView.as_view(template_name=_CONFIRM), name="account_reauthenticate"),
    path("accounts/confirm/code/", ReauthenticateByCode.as_view(template_name=_CONFIRM), name="mfa_reauthenticate"),
    path(
        "accounts/confirm/key/",
        ReauthenticateWebAuthnView.as_view(template_name=_CONFIRM),
        name="mfa_reauthenticate_webauthn",
    ),
]

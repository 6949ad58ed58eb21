"""Logging in by allauth, with the sign-up door closed: accounts are made by the owner.

Second factors are allauth's too; what they keep is sealed, and what they say is said in this house's words.
"""

from __future__ import annotations

import json
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.forms import AuthenticateForm, BaseAuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from yutang.connect.qr import qr_svg
from yutang.kernel.encryption import keyring
from yutang.organisation.queries import brand_or_presumed

_SPENT = "spent"  # the half minute of the last code that was taken
_SESSION, _FACTOR = "session", "mfa"  # contexts of seals
_WRONG_CODE = gettext_lazy("验证码不对或已经用过，请换一个再试。")
SAID: dict[str, Promise] = {
    "mfa/messages/totp_activated.txt": gettext_lazy("验证器已启用，下次登录时要输入它的验证码。"),
    "mfa/messages/totp_deactivated.txt": gettext_lazy("验证器已停用。"),
    "mfa/messages/webauthn_added.txt": gettext_lazy("通行密钥已添加。"),
    "mfa/messages/webauthn_removed.txt": gettext_lazy("通行密钥已移除；请在设备上也删掉它。"),
    "mfa/messages/recovery_codes_generated.txt": gettext_lazy("已生成一组恢复码，只显示这一次，请现在就保存。"),
}
"""allauth's messages, by the template that it would render."""


class ClosedDoor(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Nobody signs up by themselves."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "incorrect_code": _WRONG_CODE,
        "incorrect_password": gettext_lazy("密码不对，请再输一次。"),
        "username_password_mismatch": gettext_lazy("用户名或密码不对。"),
        "too_many_login_attempts": gettext_lazy("错的次数太多，请过几分钟再试。"),
        "rate_limited": gettext_lazy("错的次数太多，请过几分钟再试。"),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Say it in our words; what we have none for is nothing that a page here needs (“signed in as …”)."""
        if kwargs.get("message"):
            messages.add_message(request, level, kwargs["message"])
        elif message_template in SAID:
            messages.add_message(request, level, str(SAID[message_template]))

    def get_reauthentication_methods(self, user: AbstractBaseUser) -> list[dict[str, str]]:
        """The ways in which somebody shows once more that it is them, in our words."""
        said = {
            "reauthenticate": _("用密码"),
            "mfa_reauthenticate": _("用验证码或恢复码"),
            "mfa_reauthenticate:webauthn": _("用通行密钥"),
        }
        return [{**way, "description": said[way["id"]]} for way in super().get_reauthentication_methods(user)]


class SecondFactors(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    """What second factors keep is sealed under the installation's key."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": _WRONG_CODE}

    def encrypt(self, text: str) -> str:
        return keyring().seal_text(text, _FACTOR)

    def decrypt(self, encrypted_text: str) -> str:
        return keyring().open_text(encrypted_text)

    def get_totp_issuer(self) -> str:
        return brand_or_presumed().name

    def build_totp_svg(self, url: str) -> str:
        return qr_svg(url)

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:
        return str(_("我的通行密钥"))


class Once(BaseAuthenticateForm):  # type: ignore[misc]  # allauth is untyped
    """A code that is good once: allauth remembers for half a minute, in one process, what is good for a minute and a
    half. None is taken that is not later than the last one (RFC 6238, 5.2)."""

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if self.authenticator.type == Authenticator.Type.TOTP:
            with transaction.atomic():
                row = Authenticator.objects.select_for_update().get(pk=self.authenticator.pk)
                secret = keyring().open_text(row.data["secret"])
                good = [step for step in yield_hotp_counters_from_time() if format_hotp_value(hotp_value(secret, step))
                        == "".join(code.split())]  # fmt: skip
                if not good or max(good) <= row.data.get(_SPENT, 0):
                    raise get_mfa_adapter().validation_error("incorrect_code")
                row.data[_SPENT] = max(good)
                row.save(update_fields=["data"])
        return code


class Code(Once, AuthenticateForm):  # type: ignore[misc]
    """The second step of a log-in."""


class CodeOnceMore(Once, ReauthenticateForm):  # type: ignore[misc]
    """The code of somebody who shows once more that it is them."""


class SealedSession:
    """What a session keeps, sealed: allauth keeps a TOTP secret in it until it is confirmed, and forms that wait."""

    def dumps(self, obj: Any) -> bytes:
        """The session as bytes."""
        return keyring().encrypt_bytes(json.dumps(obj, separators=(",", ":")).encode(), _SESSION)

    def loads(self, data: bytes) -> Any:
        """What `dumps` was given. A session under a key that is gone does not open: its user logs in again."""
        return json.loads(keyring().decrypt_bytes(data, _SESSION))


def too_many(request: HttpRequest) -> HttpResponse:
    """The page for somebody who tried too often."""
    sentence = _("试得太频繁了，请过一分钟再来。")
    return render(request, "console/account_wait.html", {"sentence": sentence}, status=429)

"""账号安全: a second step at log-in, how it is made, lost and required; what it keeps is sealed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.house.world import PASSWORD, World, shared
from yutang.app.bodies import Pages
from yutang.console.imports import UPLOAD_PATH
from yutang.organisation import services as organisation
from yutang.organisation.contracts import RoleName
from yutang.organisation.models import AuditEntry

pytestmark = pytest.mark.django_db
WRONG = "000000x"


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("account")) as made:
        yield made


@pytest.fixture(autouse=True)
def _nobody_tried_yet() -> None:
    cache.clear()


def code_of(secret: str, steps: int = 0) -> str:
    """The code that an authenticator app shows (RFC 6238), so many half minutes from now."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.digest(base64.b32decode(secret), counter, hashlib.sha1)
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place : place + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def log_in(username: str, password: str = PASSWORD) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/accounts/login/", {"login": username, "password": password}, follow=True)


def confirmed(username: str) -> Client:
    """Somebody who has just shown once more that it is them."""
    client, _ = log_in(username)
    assert client.post("/accounts/confirm/", {"password": PASSWORD, "next": "/account/"}).status_code == 302
    return client


def with_an_app(username: str) -> tuple[str, list[str]]:
    """Give a user an authenticator app; returns its secret and the recovery codes as they are shown."""
    client = confirmed(username)
    page = client.get("/account/totp/").content.decode()
    found = re.search(r"data-secret>([A-Z2-7]+)<", page)
    assert found is not None
    shown = client.post("/account/totp/", {"code": code_of(found[1])}, follow=True)
    codes = re.search(r"data-codes>([^<]+)<", shown.content.decode())
    assert codes is not None
    return found[1], codes[1].split()


def second(client: Client, code: str) -> Any:
    return client.post("/accounts/second/", {"code": code}, follow=True)


def test_whoever_has_an_app_needs_its_code_to_log_in(standing: World, db: None) -> None:
    secret, _ = with_an_app("near_manager")
    client, answer = log_in("near_manager")
    assert answer.redirect_chain[-1][0] == "/accounts/second/"
    assert client.get("/persons/").status_code == 302
    assert "验证码不对" in second(client, WRONG).content.decode()
    code = code_of(secret, 1)
    assert second(client, code).redirect_chain[-1][0] == "/"
    assert client.get("/persons/").status_code == 200
    other, _ = log_in("near_manager")
    assert other.get("/persons/").status_code == 302
    assert "已经用过" in second(other, code).content.decode()  # a code looked at over a shoulder


def test_a_code_that_was_used_is_not_good_again_half_a_minute_later(standing: World, db: None) -> None:
    secret, _ = with_an_app("near_manager")
    used, earlier = code_of(secret, 1), code_of(secret)
    client, _ = log_in("near_manager")
    assert second(client, used).redirect_chain[-1][0] == "/"
    cache.clear()  # as half a minute later, or in another process
    for code in (used, earlier):
        other, _ = log_in("near_manager")
        assert "已经用过" in second(other, code).content.decode()
        assert other.get("/persons/").status_code == 302
    spent = client.post("/accounts/confirm/code/", {"code": used})
    assert "已经用过" in spent.content.decode()


def test_the_current_password_cannot_be_tried_out(standing: World, db: None) -> None:
    client, _ = log_in("near_manager")
    said = [client.post("/password/", {"current": f"wrong{number}", "password": "x"}) for number in range(6)]
    assert [answer.status_code for answer in said] == [422] * 5 + [403]


def test_setting_up_asks_for_the_password_once_more(standing: World, db: None) -> None:
    client, _ = log_in("near_manager")
    for path in ("/account/totp/", "/account/keys/add/"):
        assert client.get(path).headers["Location"].startswith("/accounts/confirm/?next=")
    wrong = client.post("/accounts/confirm/", {"password": "wrong-password", "next": "/account/totp/"})
    assert wrong.status_code == 200
    assert "密码不对" in wrong.content.decode()
    assert client.get("/account/totp/").status_code == 302


@pytest.mark.long
def test_recovery_codes_are_shown_once_and_work_once(standing: World, db: None) -> None:
    client = confirmed("near_manager")
    _, codes = with_an_app("near_manager")
    assert len(set(codes)) == 10
    client.get("/account/codes/")
    again = client.get("/account/codes/").content.decode()
    assert not any(code in again for code in codes)
    assert "还剩 10 个" in client.get("/account/").content.decode()
    one, _ = log_in("near_manager")
    assert second(one, codes[0]).redirect_chain[-1][0] == "/"
    two, _ = log_in("near_manager")
    assert "验证码不对" in second(two, codes[0]).content.decode()
    assert second(two, codes[1]).redirect_chain[-1][0] == "/"


def test_wrong_codes_are_limited_also_for_the_right_one_after_them(standing: World, db: None) -> None:
    secret, _ = with_an_app("near_manager")
    client, _ = log_in("near_manager")
    for _ in range(5):
        assert "验证码不对" in second(client, WRONG).content.decode()
    assert "错的次数太多" in second(client, code_of(secret, 1)).content.decode()
    assert client.get("/persons/").status_code == 302


def test_what_second_factors_and_sessions_keep_is_sealed(standing: World, db: None) -> None:
    client = confirmed("near_manager")
    found = re.search(r"data-secret>([A-Z2-7]+)<", client.get("/account/totp/").content.decode())
    assert found is not None
    for row in Session.objects.all():  # where the secret waits to be confirmed
        raw = row.session_data.partition(":")[0].lstrip(".")
        assert found[1].encode() not in base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
        assert row.get_decoded()
    client.post("/account/totp/", {"code": code_of(found[1])})
    rows = list(Authenticator.objects.values_list("type", "data"))
    assert {kind for kind, _ in rows} == {"totp", "recovery_codes"}
    assert all(data[name].startswith("sealed:mfa:") for _, data in rows for name in data if name in ("secret", "seed"))
    assert found[1] not in json.dumps([data for _, data in rows])


@pytest.mark.long
def test_a_role_that_must_have_one_sets_it_up_first(standing: World, db: None) -> None:
    owner, _ = log_in("owner")
    client, _ = log_in("near_manager")
    owner.post("/settings/users/second/", {"roles": ["manager", "no such role"]})
    assert client.get("/persons/", follow=True).redirect_chain[-1][0] == "/account/"
    part = client.get("/clock/", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"] == "/account/"
    assert client.post("/settings/tokens/", {"name": "x", "scopes": "read"}).headers["Location"] == "/account/"
    assert "所有者要求" in client.get("/account/").content.decode()
    assert owner.get("/persons/").status_code == 200
    with_an_app("near_manager")
    assert client.get("/persons/").status_code == 200
    assert AuditEntry.objects.filter(verb="require_second_factor").exists()


@pytest.mark.long
def test_the_owner_resets_a_lost_one_and_its_sessions_end(standing: World, db: None) -> None:
    secret, _ = with_an_app("near_manager")
    client, _ = log_in("near_manager")
    second(client, code_of(secret, 1))
    assert client.get("/persons/").status_code == 200
    assert client.post("/settings/users/reset/", {"username": "near_manager"}).status_code == 403
    owner, _ = log_in("owner")
    assert "near_manager" in owner.get("/settings/").content.decode()
    answer = owner.post("/settings/users/reset/", {"username": "near_manager"}, follow=True)
    assert "已重置" in answer.content.decode()
    assert client.get("/persons/").status_code == 302
    assert log_in("near_manager")[1].redirect_chain[-1][0] == "/"
    assert AuditEntry.objects.filter(verb="reset_second_factor", subject="near_manager").exists()
    assert owner.post("/settings/users/reset/", {"username": "nobody"}).status_code == 404


def test_turning_the_last_one_off_takes_the_recovery_codes_too(standing: World, db: None) -> None:
    client = confirmed("near_manager")
    with_an_app("near_manager")
    assert Authenticator.objects.count() == 2
    client.post("/account/totp/off/")
    assert Authenticator.objects.count() == 0
    assert log_in("near_manager")[1].redirect_chain[-1][0] == "/"


def test_other_sessions_are_listed_and_ended(standing: World, db: None) -> None:
    here, _ = log_in("near_manager")
    there, _ = log_in("near_manager")
    page = here.get("/account/", headers={"User-Agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X) Chrome/1 Safari/1"})
    assert page.content.decode().count("这一台") == 1
    assert "Chrome · Mac OS X" in page.content.decode()
    here.post("/account/sessions/end/")
    assert there.get("/persons/").status_code == 302
    assert here.get("/persons/").status_code == 200


def test_only_who_is_logged_in_may_send_what_is_large(standing: World, db: None) -> None:
    client, _ = log_in("near_operator")

    def status(*cookie: str) -> int:
        told: list[Any] = []
        came = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            return came.pop() if came else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            told.append(message)

        headers = [(b"host", b"testserver"), (b"content-length", b"100000000")]
        headers += [(b"cookie", f"sessionid={one}".encode()) for one in cookie]
        scope = {"type": "http", "method": "POST", "path": UPLOAD_PATH, "query_string": b"", "headers": headers}
        async_to_sync(Pages())(scope, receive, send)
        return int(told[0]["status"])

    assert status() == 413
    assert status("x" * 32) == 413
    assert status(str(Client().session.session_key)) == 413
    assert status(str(client.session.session_key)) == 403  # let in so far, and told that it is headquarters' matter


def test_the_house_requires_nothing_unless_its_owner_says_so(standing: World, db: None) -> None:
    organisation.require_second_factor([])
    assert log_in("near_manager")[1].redirect_chain[-1][0] == "/"
    organisation.require_second_factor([RoleName.MANAGER])
    assert log_in("near_manager")[1].redirect_chain[-1][0] == "/account/"

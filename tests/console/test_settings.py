"""设置: keys for scripts, one's own password, the clock; and whether the house answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.console.conftest import World, log_in
from tests.console.pond import PASSWORD
from yutang.console.entrance import next_morning


def _send(client: httpx.Client, path: str, **data: str | list[str]) -> httpx.Response:
    headers = {"Referer": str(client.base_url), "X-CSRFToken": client.cookies["csrftoken"]}
    return client.post(path, data=data, headers=headers)


def test_a_key_is_shown_once_works_and_can_be_revoked(owner: httpx.Client) -> None:
    made = _send(owner, "/settings/tokens/", name="for-a-script", scopes=["read"])
    secret = re.search(r"yt_[\w-]{40,}", made.text)
    assert secret is not None
    assert secret[0] not in owner.get("/settings/").text
    script = httpx.Client(base_url=owner.base_url, headers={"Authorization": f"Bearer {secret[0]}"}, timeout=60)
    assert script.get("/api/v1/segments").status_code == 200
    assert _send(owner, "/settings/tokens/", name="for-a-script", scopes=["read"]).status_code == 422
    assert _send(owner, "/settings/tokens/revoke/", name="for-a-script").status_code == 200
    assert script.get("/api/v1/segments").status_code == 401
    script.close()


@pytest.mark.parametrize("form", [{"name": "", "scopes": "read"}, {"name": "x"}, {"name": "sandbox", "scopes": "read"}])
def test_a_bad_key_is_refused(owner: httpx.Client, form: dict[str, str]) -> None:
    answer = _send(owner, "/settings/tokens/", **form)
    assert answer.status_code == 422
    assert "yt_" not in answer.text


def test_the_houses_own_key_cannot_be_revoked(owner: httpx.Client) -> None:
    assert _send(owner, "/settings/tokens/revoke/", name="sandbox").status_code == 403


def test_a_password_needs_the_current_one_and_ten_characters(world: World) -> None:
    client = log_in(str(world["address"]), "changer")
    assert _send(client, "/password/", current="wrong", password="long-enough-2026").status_code == 422
    assert _send(client, "/password/", current=PASSWORD, password="short").status_code == 422
    assert _send(client, "/password/", current=PASSWORD, password=PASSWORD).status_code == 200
    assert client.get("/settings/").status_code == 200  # still logged in
    client.close()


@pytest.mark.parametrize("days", ["0", "3", "-1", "x", "", "²", "9" * 5000])
def test_the_clock_goes_ahead_by_offered_days_only(owner: httpx.Client, days: str) -> None:
    assert _send(owner, "/clock/", days=days).status_code == 422


@pytest.mark.parametrize(
    ("at", "morning"),
    [("00:07", "2018-03-11T09:05-04:00"), ("09:04", "2018-03-11T09:05-04:00"), ("09:05", "2018-03-12T09:05-04:00")],
)
def test_the_next_morning_comes_within_a_day(at: str, morning: str) -> None:
    zone = "America/New_York"  # whose clocks went ahead that night
    now = datetime.fromisoformat(f"2018-03-11T{at}").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert next_morning(now, zone) == datetime.fromisoformat(morning)


def test_the_house_says_whether_it_answers(world: World) -> None:
    with httpx.Client(base_url=str(world["address"]), timeout=60) as anybody:
        answer = {"ok": True, "database": True, "warehouse": True, "collector": True}
        assert anybody.get("/healthz").json() == answer
        assert anybody.get("/readyz").json()["ready"] is True
        assert anybody.get("/persons/").status_code == 302
        assert anybody.get("/accounts/signup/").headers["location"] == "/accounts/login/"
        assert anybody.get("/set-up/").headers["location"] == "/"

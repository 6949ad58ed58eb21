"""The short form that an empty data directory opens with."""

from __future__ import annotations

import pytest
from django.test import Client

from yutang.organisation.queries import is_set_up

pytestmark = pytest.mark.django_db
FORM = {"name": "小店", "currency": "CNY", "zone": "Asia/Shanghai", "owner": "owner"}


@pytest.mark.parametrize("password", ["  long enough 2026  ", "long-enough-2026"])
def test_every_character_of_the_password_counts_and_the_owner_is_logged_in(client: Client, password: str) -> None:
    """It was kept without the spaces around it, and asked for with them: an error, and nobody could log in."""
    answer = client.post("/set-up/", {**FORM, "password": password})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"]
    another = Client()
    assert another.login(username="owner", password=password)
    assert not Client().login(username="owner", password=f"{password} ")


@pytest.mark.parametrize(
    "change",
    [{"password": "short"}, {"password": ""}, {"zone": "../../etc/passwd"}, {"currency": "¥"}, {"owner": "a b"}],
)
def test_a_form_that_cannot_be_used_sets_up_nothing(client: Client, change: dict[str, str]) -> None:
    answer = client.post("/set-up/", {**FORM, "password": "long-enough-2026", **change})
    assert answer.status_code == 422
    assert not is_set_up()


def test_a_second_visitor_sets_up_nothing(client: Client) -> None:
    client.post("/set-up/", {**FORM, "password": "long-enough-2026"})
    assert Client().post("/set-up/", {**FORM, "owner": "thief", "password": "long-enough-2026"}).status_code == 302
    assert not Client().login(username="thief", password="long-enough-2026")

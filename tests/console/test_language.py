"""Which language a page speaks."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_chinese_is_the_default_whatever_the_browser_is_set_to() -> None:
    answer = Client().get("/accounts/login/", headers={"accept-language": "en-US,en;q=0.9"}, follow=True)
    assert answer.headers["Content-Language"] == "zh-hans"


def test_the_switch_is_remembered() -> None:
    browser = Client()
    browser.post("/language/", {"language": "en", "next": "/accounts/login/"})
    assert browser.get("/accounts/login/", follow=True).headers["Content-Language"] == "en"

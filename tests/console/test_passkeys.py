"""Passkeys, with Chromium's own virtual authenticator: made, renamed, logged in by, used as second step, removed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.console.conftest import PATIENCE, World, complaints
from tests.console.pond import PASSWORD
from tests.console.test_pages import CHINESE_LEFT, look_at

pytestmark = pytest.mark.browser
LANGUAGE = "en"  # whose words are longer, and of which a missing one is seen


@pytest.mark.long
def test_a_passkey_logs_in_alone_and_stands_as_second_step(chromium: Browser, world: World) -> None:
    address = str(world["address"]).replace("127.0.0.1", "localhost")  # no passkey is made for a number
    context = chromium.new_context(base_url=address)
    context.set_default_timeout(PATIENCE)
    context.add_cookies([{"name": "django_language", "value": LANGUAGE, "url": address}])
    page = context.new_page()
    said = complaints(page)
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    device = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def give_password() -> None:
        page.fill("#id_login", "twofold")
        page.fill("#id_password", PASSWORD)
        page.press("#id_password", "Enter")

    page.goto("/account/")
    give_password()
    page.wait_for_url(f"{address}/account/")
    page.click("a[href='/account/keys/add/']")
    page.wait_for_url("**/accounts/confirm/**")
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_url(f"{address}/account/keys/add/")
    look_at(page, LANGUAGE, "/account/keys/add/")
    page.fill("#id_name", "tablet")
    page.click("#add")
    page.wait_for_url(f"{address}/account/codes/")
    assert page.evaluate(CHINESE_LEFT) == []
    page.click(".primary")
    look_at(page, LANGUAGE, "/account/")
    key = page.locator("a[href^='/account/keys/']:has-text('tablet')").get_attribute("href")
    look_at(page, LANGUAGE, str(key))
    page.fill("#id_name", "shop tablet")
    page.press("#id_name", "Enter")
    page.wait_for_url(f"{address}/account/")
    expect(page.locator("text=shop tablet")).to_have_count(1)

    context.clear_cookies(name="sessionid")
    page.goto("/persons/")
    page.click("#passkey")
    page.wait_for_url(f"{address}/persons/")
    context.clear_cookies(name="sessionid")
    page.goto("/persons/")
    give_password()
    page.wait_for_url("**/accounts/second/**")
    look_at(page, LANGUAGE, "/accounts/second/")
    page.click("#use_key")
    page.wait_for_url(f"{address}/persons/")

    page.goto("/account/")
    page.click(f"a[href='{key}remove/']")
    page.wait_for_url("**/accounts/confirm/**")
    look_at(page, LANGUAGE, "/accounts/confirm/key/?next=/account/")
    page.click("#use_key")
    page.wait_for_url(f"{address}/account/")
    look_at(page, LANGUAGE, f"{key}remove/")
    page.click("main .danger")
    page.wait_for_url(f"{address}/account/")
    expect(page.locator("text=shop tablet")).to_have_count(0)
    devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})
    assert said == []
    context.close()

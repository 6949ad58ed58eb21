"""The guide's phone in a real browser, beside WeCom's `wx` as its documents have it, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.console.conftest import PATIENCE, World, complaints
from tests.console.pond import CORP
from tests.console.test_pages import CHINESE_LEFT, OVERFLOW
from yutang.kernel.announcing import told

WX = (Path(__file__).parents[1] / "mobile" / "wx.js").read_text(encoding="utf-8")
LIGHTEST = 60_000  # bytes of a page with all that it loads, without pictures
PHONE = {"width": 390, "height": 844}
WECOM_AGENT = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36 wxwork/4.1.20"


def phone(browser: Browser, world: World, userid: str, *, wecom: bool = True, **wx: object) -> BrowserContext:
    """A phone on which this member of staff has logged in by WeCom's own page, which the sandbox plays."""
    address = str(world["address"])
    agent = WECOM_AGENT if wecom else None
    context = browser.new_context(base_url=address, viewport=PHONE, user_agent=agent, has_touch=True)
    context.set_default_timeout(PATIENCE)
    if wecom:
        told = {"sandbox": "/sandbox", "corp": CORP, **wx}
        context.add_init_script(f"window.wxWorld = {json.dumps(told)};\n{WX}")
    page = context.new_page()
    page.goto("/m/in/?stay" if not wecom else "/m/")
    if not wecom:
        page.locator("a.button.primary").click()
    page.locator(f'a[href*="userid={userid}&"], a[href$="userid={userid}"]').click()
    page.wait_for_url("**/m/")
    page.close()
    return context


@pytest.fixture(scope="module")
def guide(chromium: Browser, world: World) -> Iterator[BrowserContext]:
    with phone(chromium, world, "guide-s1-b") as context:
        yield context


def test_wecom_lets_a_page_act_that_signed_itself_well(guide: BrowserContext) -> None:
    page = guide.new_page()
    said = complaints(page)
    page.goto("/m/?a=1#top")
    assert page.evaluate("yutang.inWeCom")
    assert page.evaluate("yutang.call('getContext')") == {"err_msg": "getContext:ok", "entry": "normal"}
    refused = "yutang.call('getCurExternalContact').catch((error) => error.message)"
    assert page.evaluate(refused) == "getCurExternalContact:fail without context of external contact"
    assert said == []
    page.close()


def test_a_signature_of_another_address_is_refused_and_can_be_tried_again(guide: BrowserContext) -> None:
    page = guide.new_page()
    page.goto("/m/")
    page.evaluate("history.replaceState(null, '', '/m/?signed')")
    asked = "yutang.call('getContext').catch((error) => error.message)"
    page.route("**/m/sign/**", lambda route: route.continue_(url=route.request.url.replace("signed", "other")))
    assert "40093" in page.evaluate(asked)
    page.unroute("**/m/sign/**")
    page.goto("/m/")
    assert page.evaluate("yutang.call('getContext').then((said) => said.err_msg)") == "getContext:ok"
    page.close()


def test_whoever_turns_back_in_wecom_is_not_an_error(chromium: Browser, world: World) -> None:
    answers = {"shareToExternalContact": "cancel"}
    with phone(chromium, world, "guide-s1-b", answers=answers) as context:
        page = context.new_page()
        page.goto("/m/")
        asked = "yutang.call('shareToExternalContact', {text: {content: 'x'}}).catch((error) => error.cancelled)"
        assert page.evaluate(asked) is True


def test_a_guides_page_is_whole_in_both_languages_and_its_task_leads_to_wecoms_assistant(
    guide: BrowserContext, world: World
) -> None:
    page = guide.new_page()
    said = complaints(page)
    for language in ("en", "zh-hans"):
        guide.add_cookies([{"name": "django_language", "value": language, "url": str(world["address"])}])
        page.goto(f"/m/?{language}")  # what the phone keeps of another may be shown for it
        expect(page.locator("#asked [data-batch]")).to_have_count(1)
        assert page.evaluate(OVERFLOW) <= 0
        if language == "en":
            assert page.evaluate(CHINESE_LEFT) == []
    page.locator("button[data-assistant]").click()
    page.wait_for_function("wxDone.length")
    assert page.evaluate("wxDone") == [["closeWindow", {}]]
    assert said == []
    page.close()


def weight(page: Page, path: str) -> int:
    """Bytes that a page costs when nothing of it is kept yet, as they stand (no server of ours packs them)."""
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(len(answer.body())) if answer.status == 200 else None)
    page.goto(path, wait_until="networkidle")
    return sum(sizes)


def test_a_page_is_light(chromium: Browser, world: World) -> None:
    with phone(chromium, world, "guide-s1-b", wecom=False) as context:
        assert weight(context.new_page(), "/m/?fresh") < LIGHTEST


def test_why_not_is_one_tap_without_a_network_too(guide: BrowserContext) -> None:
    page = guide.new_page()
    page.goto("/m/")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    page.reload()  # now the phone keeps it
    guide.set_offline(True)
    row = page.locator("#asked [data-batch]")
    row.locator("details", has=page.locator("[data-words]")).locator("summary").click()
    row.locator("[data-result=other]").click()  # which wants words
    assert row.get_attribute("data-done") is None
    row.locator("[data-words]").fill("货还没到店")
    row.locator("[data-result=other]").click()
    for _ in range(2):
        expect(row.locator("[data-mark=other]")).to_be_visible()
        expect(page.locator("#net")).to_be_visible()
        page.reload()
    guide.set_offline(False)
    expect(page.locator("#net")).to_be_hidden()
    page.goto("/m/?again")
    expect(page.locator("#asked [data-done=other]")).to_have_count(1)
    page.close()


def test_commands_beside_the_house_know_where_it_answers(world: World) -> None:
    assert told(Path(str(world["directory"]))) == world["address"]

"""Every page in a real browser: both languages, desk and phone, no error, no overflow, nothing untranslated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.console.conftest import PATIENCE, World, complaints, opened, served
from tests.console.paths import PATHS
from yutang.kernel.clock import wall_now

pytestmark = pytest.mark.browser
LANGUAGES = ("zh-hans", "en")
DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
SIZES = (DESK, PHONE)

# Text that a reader of English sees and that is not data. Options of a select are read too.
CHINESE_LEFT = """() => {
  const chinese = /[\\u3400-\\u9fff]/, found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim();
    if (!chinese.test(text)) continue;
    if (!walk.currentNode.parentElement.closest('[data-raw], [lang=zh], script')) found.push(text);
  }
  for (const name of ['placeholder', 'title', 'aria-label'])
    for (const one of document.querySelectorAll(`[${name}]`))
      if (chinese.test(one.getAttribute(name)) && !one.closest('[data-raw]')) found.push(one.getAttribute(name));
  return found;
}"""
SIDEWAYS = """() => [...document.querySelectorAll('.table-wrap, .rail, .rail ul')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent.trim().slice(0, 60))"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module", params=["zh-hans", pytest.param("en", marks=pytest.mark.long)])
def look(chromium: Browser, owner: httpx.Client, request: pytest.FixtureRequest) -> Iterator[tuple[Page, str]]:
    context = opened(chromium, owner, request.param)
    yield context.new_page(), request.param
    context.close()


def look_at(page: Page, language: str, path: str) -> None:
    """Open a page as wide as the last was left, at a desk or on a phone, and then see it at the other width too: to be
    drawn anew is what costs most."""
    said = complaints(page)
    first = page.viewport_size if page.viewport_size in SIZES else SIZES[0]
    page.set_viewport_size(first)
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200
    expect(page.locator("h1")).to_have_count(1)
    for size in sorted(SIZES, key=lambda size: size != first):
        if size != first:
            page.set_viewport_size(size)
        assert page.evaluate(OVERFLOW) <= 0, size
        if size == PHONE:  # there every table fits: its second columns fold away
            assert page.evaluate(SIDEWAYS) == []
    if language == "en":
        assert page.evaluate(CHINESE_LEFT) == []
    assert said == []


def often(path: str) -> bool:
    """Whether the suite opens it: first pages and those of one thing. `make soak` opens all, and all in English."""
    return "?" not in path and (path.count("/") <= 2 or "{" in path)


@pytest.mark.parametrize("path", [one if often(one) else pytest.param(one, marks=pytest.mark.long) for one in PATHS])
def test_a_page_opens_whole(look: tuple[Page, str], world: World, path: str) -> None:
    look_at(*look, path.format_map(world))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_door_opens_whole(chromium: Browser, world: World, language: str) -> None:
    context = chromium.new_context(base_url=str(world["address"]))
    context.set_default_timeout(PATIENCE)
    context.add_cookies([{"name": "django_language", "value": language, "url": str(world["address"])}])
    page = context.new_page()
    look_at(page, language, "/persons/")
    assert "/accounts/login/" in page.url
    context.close()


def test_keys_search_and_go(chromium: Browser, owner: httpx.Client, world: World) -> None:
    context = opened(chromium, owner, "zh-hans")
    page = context.new_page()
    page.goto("/")
    page.clock.set_fixed_time(wall_now())  # the two keys are one word while they follow each other quickly
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/persons/")
    page.keyboard.press("/")
    page.keyboard.type("1000")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/persons/{world['person']}/")
    context.close()


def test_the_navigation_fits_one_screen_and_settings_unfold_by_the_keyboard(
    chromium: Browser, owner: httpx.Client
) -> None:
    fits = "() => { const rail = document.querySelector('.rail'); return rail.scrollHeight - rail.clientHeight; }"
    for language in ("zh-hans", "en"):
        context = opened(chromium, owner, language)
        page = context.new_page()
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto("/guard/accounts/")
        expect(page.locator(".rail a[href='/settings/audit/']")).to_have_count(0)
        assert page.evaluate(fits) <= 0
        page.locator(".rail a[href='/settings/']").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/settings/")
        page.locator(".rail a[href='/settings/audit/']").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/settings/audit/")
        assert page.evaluate(fits) <= 0
        context.close()


def test_the_navigation_of_a_phone_opens_without_a_script(chromium: Browser, owner: httpx.Client) -> None:
    context = chromium.new_context(
        base_url=str(owner.base_url), java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    context.set_default_timeout(PATIENCE)
    context.add_cookies(
        [{"name": name, "value": value, "url": str(owner.base_url)} for name, value in dict(owner.cookies).items()]
    )
    page = context.new_page()
    page.goto("/pool/")
    links = page.locator(".rail ul a")
    assert [link.get_attribute("href") for link in links.all() if link.is_visible()] == ["/pool/"]
    page.click(".rail label")
    for link in links.all():
        expect(link).to_be_visible()
    page.click(".rail ul a[href='/growth/']")
    page.wait_for_url("**/growth/")
    context.close()


def test_a_choice_filters_at_once_and_stands_in_the_address(chromium: Browser, owner: httpx.Client) -> None:
    context = opened(chromium, owner, "en")
    page = context.new_page()
    page.goto("/persons/")
    page.select_option("#pool", "nurturing")
    page.wait_for_url("**/persons/?*pool=nurturing*")
    assert "segment=" not in page.url
    expect(page.locator("tbody tr:not(:has(.mark.synthetic))")).to_have_count(0)
    expect(page.locator("tbody tr")).not_to_have_count(0)
    context.close()


@pytest.mark.long
def test_an_empty_directory_is_set_up_in_the_browser(chromium: Browser, tmp_path: Path) -> None:
    with served(tmp_path / "fresh", "--empty") as fresh:
        context = chromium.new_context(base_url=str(fresh["address"]), viewport={"width": 390, "height": 900})
        context.add_cookies([{"name": "django_language", "value": "en", "url": str(fresh["address"])}])
        page = context.new_page()
        said = complaints(page)
        page.goto("/")
        assert page.url.endswith("/set-up/")
        assert httpx.get(f"{fresh['address']}/readyz").status_code == 503
        page.fill("#name", "小店")
        page.fill("#password", "quiet-pond-2026")
        assert page.evaluate(CHINESE_LEFT) == []
        page.click("button.primary")
        page.wait_for_url(f"{fresh['address']}/")
        assert page.evaluate(OVERFLOW) <= 0
        for path in ("/", "/pool/", "/persons/", "/segments/", "/plans/", "/campaigns/", "/settings/"):
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200
            assert page.evaluate(CHINESE_LEFT) == []
        assert said == []
        context.close()

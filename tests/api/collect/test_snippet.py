"""/w.js on a landing page: small, silent before consent, and nothing is lost while the server is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.api.collect.conftest import Running

LANDING = "/landing?utm_source=wx&utm_campaign=spring&phone=13800138000"


def test_the_snippet_is_small_and_asks_nobody_else(server: Running) -> None:
    answer = httpx.get(f"{server.address}/w.js", trust_env=False)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) <= 4000
    assert "http" not in answer.text.replace("https?", "")
    assert "cookie" not in answer.text.replace("no cookies", "")


@pytest.fixture
def open_page(chromium: Browser, server: Running) -> Iterator[Callable[..., Page]]:
    """Opens the landing page in a browser that has never been there."""
    contexts = []

    def opened(before: str = "") -> Page:
        context = chromium.new_context()
        context.set_default_timeout(120_000)
        contexts.append(context)
        if before:
            context.add_init_script(before)
        page = context.new_page()
        page.goto(server.address + LANDING)
        return page

    yield opened
    for context in contexts:
        context.close()


def web_events(server: Running, wanted: int, of: str) -> list[dict[str, Any]]:
    """The events of a visitor, once there are so many."""
    deadline = time.monotonic() + 120
    while True:
        found = [e for e in server.ask("inbox") if e["source"] == "web" and e["identifiers"][-1]["value"] == of]
        if len(found) >= wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def visitor(page: Page) -> str:
    """Who the snippet says the visitor is."""
    return str(page.evaluate("JSON.parse(localStorage.yt_who).anonymousId"))


def test_nothing_is_sent_or_stored_before_consent(open_page: Callable[..., Page], server: Running) -> None:
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("yutang.track('Product Viewed', {sku: 'A'}); yutang.identify('7'); yutang.page()")
    page.wait_for_timeout(200)
    assert asked == []
    assert page.evaluate("localStorage.length") == 0
    page.evaluate("yutang.consent('analytics'); yutang.track('Product Viewed', {sku: 'A'})")
    found = web_events(server, 2, visitor(page))
    assert [event["type"] for event in found] == ["page.viewed", "product.viewed"]
    assert found[0]["props"] == {
        "path": "/landing", "page_title": "Landing", "utm_source": "wx", "utm_campaign": "spring",
    }  # fmt: skip
    assert page.context.cookies() == []
    page.evaluate("yutang.consent(false); yutang.track('Product Viewed')")
    assert page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize(
    "signal",
    ["Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})",
     "Object.defineProperty(navigator, 'doNotTrack', {value: '1'})"],
)  # fmt: skip
def test_a_browser_that_asks_not_to_be_tracked_is_not(open_page: Callable[..., Page], signal: str) -> None:
    page = open_page(signal)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("yutang.consent('analytics'); yutang.track('Product Viewed')")
    page.wait_for_timeout(200)
    assert asked == []
    assert page.evaluate("localStorage.length") == 0


def test_what_could_not_be_sent_is_sent_later_and_once(open_page: Callable[..., Page], server: Running) -> None:
    page = open_page()
    page.route("**/v1/batch", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.evaluate("yutang.consent('analytics'); yutang.track('Product Viewed', {sku: 'kept'})")
    who = visitor(page)
    assert web_events(server, 0, who) == []
    assert page.evaluate("JSON.parse(localStorage.yt_queue).length") == 2
    page.unroute("**/v1/batch")
    page.reload()
    page.evaluate("yutang.consent('analytics')")
    page.wait_for_function("JSON.parse(localStorage.yt_queue).length == 0")
    found = web_events(server, 3, who)
    ids = {event["id"] for event in found}  # the page's end may have sent them too: the same ids at the same times
    assert len(ids) == 3
    assert len({(event["id"], event["occurred_at"]) for event in found}) == 3


def test_who_logs_in_is_named_from_then_on(open_page: Callable[..., Page], server: Running) -> None:
    page = open_page()
    page.evaluate("yutang.consent('analytics'); yutang.identify('M-7', {name: '王小明'}); yutang.page('后来')")
    who = visitor(page)
    found = web_events(server, 4, who)
    assert [event["type"] for event in found] == ["page.viewed", "person.seen", "consent.given", "page.viewed"]
    assert [[one["value"] for one in event["identifiers"]] for event in found[1:]] == [["user:M-7", who]] * 3

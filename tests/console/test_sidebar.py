"""The chat sidebar in a browser, beside WeCom's client as its documents have it (`tests/mobile/wx.js`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console import pond
from tests.console.conftest import PATIENCE, World, complaints
from tests.console.pond import CORP

pytestmark = pytest.mark.browser
WX = (Path(__file__).resolve().parents[1] / "mobile" / "wx.js").read_text(encoding="utf-8")
WROTE, QUIET = f"wm-{pond.WROTE}", "wm-12"  # both friends of the first store's first guide
KILOBYTES = 60_000


@contextmanager
def chat(chromium: Browser, world: World, contact: str, **more: object) -> Iterator[Page]:
    """The page beside a chat with this contact, opened as WeCom does: the client says who is looking, and signs in."""
    address = str(world["address"])
    context = chromium.new_context(base_url=address, viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE)
    given = {"sandbox": f"{address}/sandbox", "corp": CORP, "entry": "single_chat_tools", "contact": contact, **more}
    context.add_init_script(f"window.wxWorld = {json.dumps(given)};\n{WX}")
    page = context.new_page()
    page.goto(f"/m/in/wecom/?corp={CORP}&next=/m/chat/")
    page.get_by_text("guide-s1-a").first.click()
    yield page
    context.close()


def test_a_customer_in_a_chat_is_shown_and_one_tap_sends_a_script(chromium: Browser, world: World) -> None:
    with chat(chromium, world, WROTE) as page:
        said = complaints(page)
        expect(page.locator("#who h2")).to_be_visible()
        for told in ("上次购买", "天一次", "看了"):
            expect(page.locator("#who")).to_contain_text(told)
        button = page.locator("#scripts [data-say]").first
        words = page.locator("#scripts .said").first.inner_text()
        button.click()
        expect(button).to_have_text("已发出")
        done = page.evaluate("window.wxDone")
        assert ["sendChatMessage", {"msgtype": "text", "enterChat": True, "text": {"content": words}}] in done
        assert [name for name, _given in done].count("sendChatMessage") == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert said == []


@pytest.mark.long
def test_a_note_is_kept_on_the_phone_until_there_is_a_network_and_then_written_down_once(
    chromium: Browser, world: World
) -> None:
    with chat(chromium, world, QUIET) as page:
        expect(page.locator("#notes form")).to_be_visible()
        page.context.set_offline(True)
        page.locator("#notes textarea").fill("想要大一号的")
        page.locator("#notes select").select_option("7")
        page.locator("#notes form button").click()
        expect(page.locator("#toast")).to_have_text("已存在手机里，联网后上传")
        page.context.set_offline(False)
        expect(page.locator("#net")).to_be_hidden()
        page.reload()
        expect(page.locator("#remarks p")).to_have_count(1)
        expect(page.locator("#remarks")).to_contain_text("想要大一号的")
        expect(page.locator("#notes .mark")).to_contain_text("3-9 跟进")


def test_what_may_not_be_sent_has_no_button_and_says_why(chromium: Browser, world: World) -> None:
    with chat(chromium, world, QUIET) as page:
        expect(page.locator("#scripts")).to_contain_text("现在不发：")
        expect(page.locator("[data-say]")).to_have_count(0)


@pytest.mark.long
def test_who_turns_back_has_sent_nothing(chromium: Browser, world: World) -> None:
    with chat(chromium, world, WROTE, answers={"sendChatMessage": "cancel"}) as page:
        button = page.locator("#scripts [data-say]").first
        button.click()
        expect(button).to_be_enabled()
        expect(button).to_have_text("发送")
        assert "sendChatMessage" not in [name for name, _given in page.evaluate("window.wxDone")]


@pytest.mark.long
def test_a_stranger_can_be_read_from_wecom_and_a_group_is_no_customer(chromium: Browser, world: World) -> None:
    with chat(chromium, world, "wm-nobody") as page:
        page.get_by_role("button", name="去企业微信读一次资料").click()
        expect(page.locator("#toast")).to_contain_text("已去读取")
    with chat(chromium, world, "", entry="group_chat_tools", chat="wr-a") as page:
        expect(page.locator("#trouble")).to_contain_text("这是群聊")


def test_a_wrong_signature_is_refused_by_the_client_and_a_new_one_is_asked_for(chromium: Browser, world: World) -> None:
    with chat(chromium, world, WROTE) as page:
        expect(page.locator("#who h2")).to_be_visible()
        page.route("**/m/sign/**", lambda route: route.fulfill(json={
            "corp": CORP, "agent": 1000002, "config": {"timestamp": 1, "nonceStr": "x", "signature": "0" * 40},
            "agentConfig": {"timestamp": 1, "nonceStr": "x", "signature": "0" * 40},
        }))  # fmt: skip
        page.reload()
        expect(page.locator("#trouble")).to_contain_text("40093")
        expect(page.locator("#who")).to_have_count(0)
        page.unroute("**/m/sign/**")
        page.get_by_role("button", name="再试一次").click()
        expect(page.locator("#who h2")).to_be_visible()


@pytest.mark.long
def test_it_is_light_and_opens_by_a_slow_network(chromium: Browser, world: World) -> None:
    """3G as browsers' tools have it: 400 kbit/s each way and 400 ms there and back."""
    with chat(chromium, world, WROTE) as page:
        expect(page.locator("#who h2")).to_be_visible()
        for everything in ("navigator.serviceWorker.getRegistrations()", "caches.keys()"):
            gone = "one.unregister ? one.unregister() : caches.delete(one)"
            page.evaluate(f"{everything}.then((all) => Promise.all(all.map((one) => {gone})))")
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        slow = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
        wire.send("Network.emulateNetworkConditions", slow)
        weight: list[int] = []
        wire.on("Network.loadingFinished", lambda event: weight.append(int(event["encodedDataLength"])))
        page.reload()
        expect(page.locator("#scripts [data-say]").first).to_be_visible()
        assert 0 < sum(weight) < KILOBYTES
